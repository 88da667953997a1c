//! Keeping workflows.

use std::sync::Arc;

use flowgate::workflow::{MachineId, StoreError, Version, Workflow};
use futures_util::future::join_all;

use super::{MACHINE, Store, definition, now, on_each_store, workflow};
use crate::support::PROJECT;

/// What is stored under the workflow's id and under its name.
async fn under_both_keys(store: &Arc<dyn Store>, workflow: &Workflow) -> [Option<Workflow>; 2] {
    let by_id = store.find_by_id(&workflow.project_id, workflow.id).await.expect("an answer");
    let by_name = store.find_by_name(&workflow.project_id, &workflow.name).await.expect("an answer");
    [by_id, by_name]
}

#[tokio::test]
async fn a_saved_workflow_is_found_by_id_and_by_name() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let workflow = workflow(1, "transcode");
        assert_eq!(under_both_keys(&store, &workflow).await, [None, None]);
        store.save(&workflow, MACHINE).await.expect("saved");
        assert_eq!(under_both_keys(&store, &workflow).await, [Some(workflow.clone()), Some(workflow)]);
    })
    .await;
}

#[tokio::test]
async fn an_update_is_seen_under_both_keys() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let first = workflow(1, "transcode");
        store.save(&first, MACHINE).await.expect("saved");
        let later = now().plus_seconds(60);
        let second = Workflow { definition: definition("transcode", "second"), updated_at: later, ..first };
        store.save(&second, MACHINE).await.expect("saved");
        store.save(&second, MACHINE).await.expect("saved again");
        assert_eq!(under_both_keys(&store, &second).await, [Some(second.clone()), Some(second)]);
    })
    .await;
}

#[tokio::test]
async fn a_taken_name_is_refused_and_nothing_is_written() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let owner = workflow(1, "transcode");
        store.save(&owner, MACHINE).await.expect("saved");
        let intruder = Workflow { definition: definition("transcode", "intruder"), ..workflow(2, "transcode") };

        let refused = store.save(&intruder, MACHINE).await;
        assert!(matches!(refused, Err(StoreError::NameTaken)), "{refused:?}");
        assert_eq!(under_both_keys(&store, &intruder).await, [None, Some(owner.clone())]);
        assert_eq!(under_both_keys(&store, &owner).await, [Some(owner.clone()), Some(owner)]);
    })
    .await;
}

#[tokio::test]
async fn projects_keep_their_workflows_apart() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let own = workflow(1, "transcode");
        let foreign =
            Workflow { project_id: "p2".into(), definition: definition("transcode", "foreign"), ..own.clone() };
        store.save(&own, MACHINE).await.expect("saved");
        assert_eq!(under_both_keys(&store, &foreign).await, [None, None]);
        store.save(&foreign, MACHINE).await.expect("another project's id and name are free");
        assert_eq!(under_both_keys(&store, &own).await, [Some(own.clone()), Some(own)]);
        assert_eq!(under_both_keys(&store, &foreign).await, [Some(foreign.clone()), Some(foreign)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_workflows_one_gets_the_name_whole() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let racers: Vec<Workflow> = (1..=16).map(|id| workflow(id, "transcode")).collect();
        let saves = racers.iter().cloned().map(|racer| {
            let store = store.clone();
            tokio::spawn(async move { store.save(&racer, MACHINE).await })
        });
        let saved: Vec<_> = join_all(saves).await.into_iter().map(|saved| saved.expect("no panic")).collect();

        let winners: Vec<_> = racers.iter().zip(&saved).filter(|(_, saved)| saved.is_ok()).collect();
        let [(owner, _)] = winners.as_slice() else { panic!("{} saves were done", winners.len()) };
        for (racer, saved) in racers.iter().zip(&saved).filter(|(_, saved)| saved.is_err()) {
            // DynamoDB refuses transactions that meet; a caller may then try again.
            assert!(matches!(saved, Err(StoreError::NameTaken | StoreError::Throttled(_))), "{saved:?}");
            assert_eq!(under_both_keys(&store, racer).await, [None, Some((*owner).clone())]);
        }
        assert_eq!(store.find_by_id(PROJECT, owner.id).await.expect("an answer").as_ref(), Some(*owner));
    })
    .await;
}

#[tokio::test]
async fn every_version_of_a_workflow_is_kept_with_what_the_engine_calls_it() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let first = workflow(1, "transcode");
        // A million bytes, as large as Step Functions takes.
        let text = format!("{{\"States\":{{\"s\":\"{}\"}}}}", "abc".repeat(333_000));
        let second =
            Workflow { definition: definition("transcode", "second"), machine: MachineId::of(&text), ..first.clone() };
        let find = async |workflow: &Workflow| {
            store.find_version(PROJECT, workflow.id, &workflow.machine).await.expect("an answer")
        };
        assert_eq!(find(&first).await, None);
        store.save(&first, MACHINE).await.expect("saved");
        let version = Version { definition: first.definition.clone(), machine: MACHINE.into(), engine_reference: None };
        assert_eq!(find(&first).await, Some(version.clone()));

        store.note_engine_reference(PROJECT, first.id, &first.machine, "arn:1").await.expect("noted");
        store.save(&second, &text).await.expect("saved");
        store.save(&first, MACHINE).await.expect("saved again");
        assert_eq!(find(&first).await, Some(Version { engine_reference: Some("arn:1".into()), ..version }));
        let version = Version { definition: second.definition.clone(), machine: text, engine_reference: None };
        assert_eq!(find(&second).await, Some(version));
        assert_eq!(under_both_keys(&store, &second).await, [Some(first.clone()), Some(first)]);
    })
    .await;
}
