//! Listing executions.

use std::sync::Arc;

use flowgate::clock::Timestamp;
use flowgate::execution::{Cursor, Execution, Status, Summary};
use uuid::Uuid;

use super::{Store, change_to, execution, now, on_each_server, on_each_store};
use crate::support::PROJECT;

const WORKFLOW: Uuid = Uuid::from_u128(7);

/// An execution that was started this many milliseconds after the tests' present.
fn started(text: &str, after_millis: i64) -> Execution {
    Execution { started_at: Timestamp::from_millis(now().millis() + after_millis), ..execution(text) }
}

async fn create_all(store: &Arc<dyn Store>, executions: impl IntoIterator<Item = Execution>) {
    for execution in executions {
        store.create(&execution, now()).await.expect("an answer");
    }
}

/// The names on each page, from the one after `cursor` to the last.
async fn pages_after(store: &Arc<dyn Store>, mut cursor: Option<Cursor>, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let page = store.list(PROJECT, WORKFLOW, cursor.as_ref(), limit, now()).await.expect("a page");
        pages.push(page.entries.iter().map(|entry| entry.key.name.to_string()).collect());
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
        assert!(pages.len() < 100, "the list has no end: {pages:?}");
    }
}

async fn pages(store: &Arc<dyn Store>, limit: usize) -> Vec<Vec<String>> {
    pages_after(store, None, limit).await
}

#[tokio::test]
async fn executions_are_listed_newest_first_in_full_pages() {
    on_each_store(async |place| {
        for shards in [1, 2, 5] {
            let store = place.store(shards).await;
            assert_eq!(pages(&store, 3).await, [[""; 0]], "nothing was started, {shards} shards");
            // Neither the order of the names nor that of the writes is that of the starts.
            create_all(
                &store,
                [("d", 1), ("a", 7), ("c", 2), ("g", 6), ("b", 3), ("f", 5), ("e", 1000)].map(|(n, t)| started(n, t)),
            )
            .await;
            let all = ["e", "a", "g", "f", "b", "c", "d"];
            assert_eq!(pages(&store, 3).await, [&all[..3], &all[3..6], &all[6..]], "{shards} shards");
            assert_eq!(pages(&store, 7).await, [all], "a last page may be full; {shards} shards");
            assert_eq!(pages(&store, 100).await, [all], "{shards} shards");
            assert_eq!(pages(&store, 1).await, all.map(|name| [name]), "{shards} shards");
        }
    })
    .await;
}

#[tokio::test]
async fn of_equal_start_times_none_is_lost_between_pages() {
    on_each_store(async |place| {
        for shards in [1, 4] {
            let store = place.store(shards).await;
            // Bytes decide, not characters: "ä" comes after "z", and 😀 (four bytes) after 值 (three).
            let names = ["a", "a1", "aa", "b", "Z", "z", "ä", "值", "😀"];
            create_all(&store, names.map(|name| started(name, 5))).await;
            create_all(&store, [started("later", 6), started("earlier", 4)]).await;
            let all = ["later", "😀", "值", "ä", "z", "b", "aa", "a1", "a", "Z", "earlier"];
            for limit in [1, 2, 3, all.len() - 1, all.len()] {
                let expected: Vec<_> = all.chunks(limit).collect();
                assert_eq!(pages(&store, limit).await, expected, "{shards} shards, pages of {limit}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_being_paged_does_not_move_when_new_executions_start() {
    on_each_store(async |place| {
        for shards in [1, 3] {
            let store = place.store(shards).await;
            create_all(&store, (1..=6).map(|n| started(&format!("old-{n}"), n))).await;
            let first = store.list(PROJECT, WORKFLOW, None, 2, now()).await.expect("a page");
            let cursor = first.next.expect("a second page");

            create_all(&store, (1..=6).map(|n| started(&format!("new-{n}"), 10 + n))).await;
            let rest = pages_after(&store, Some(cursor.clone()), 2).await;
            assert_eq!(rest, [["old-4", "old-3"], ["old-2", "old-1"]], "{shards} shards");
            let again = pages(&store, 12).await;
            assert_eq!(again[0][..2], ["new-6", "new-5"], "{shards} shards");
            assert_eq!(again[0].len(), 12);
        }
    })
    .await;
}

#[tokio::test]
async fn workflows_and_projects_are_listed_apart() {
    on_each_store(async |place| {
        let store = place.store(2).await;
        let mut other_workflow = started("other-workflow", 1);
        other_workflow.key.workflow_id = Uuid::from_u128(8);
        let mut other_project = started("other-project", 2);
        other_project.key.project_id = "p2".into();
        create_all(&store, [started("own", 0), other_workflow, other_project]).await;

        assert_eq!(pages(&store, 10).await, [["own"]]);
        for (project, workflow, expected) in
            [(PROJECT, 8, vec!["other-workflow"]), ("p2", 7, vec!["other-project"]), ("p2", 8, vec![])]
        {
            let page = store.list(project, Uuid::from_u128(workflow), None, 10, now()).await.expect("a page");
            let names: Vec<_> = page.entries.iter().map(|entry| entry.key.name.as_str()).collect();
            assert_eq!(names, expected, "{project} {workflow}");
        }
    })
    .await;
}

#[tokio::test]
async fn expired_executions_are_left_out_and_pages_are_full_all_the_same() {
    on_each_store(async |place| {
        for shards in [1, 3] {
            let store = place.store(shards).await;
            // Two of three are expired, the newest and the oldest among them. One of them is so at this very instant.
            create_all(
                &store,
                (0..24).map(|n| {
                    let kept_for = if n % 3 == 1 { 1 } else { -n };
                    Execution { expires_at: now().plus_seconds(kept_for), ..started(&format!("run-{n:02}"), n) }
                }),
            )
            .await;
            let live = ["run-22", "run-19", "run-16", "run-13", "run-10", "run-07", "run-04", "run-01"];
            let expected: Vec<_> = live.chunks(3).collect();
            assert_eq!(pages(&store, 3).await, expected, "{shards} shards");
            assert_eq!(pages(&store, 8).await, [live], "{shards} shards");
        }
    })
    .await;
}

#[tokio::test]
async fn an_entry_shows_the_execution_as_it_stands() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let execution = Execution { started_by: "somebody".into(), ..execution("run") };
        store.create(&execution, now()).await.expect("an answer");
        let later = now().plus_seconds(60);
        let change = change_to(Status::Failed, later).expect("a change");
        store.change(&execution, &change, later, execution.expires_at).await.expect("an answer");

        let page = store.list(PROJECT, WORKFLOW, None, 10, later).await.expect("a page");
        let expected = Summary {
            key: execution.key,
            workflow_name: "media-transcode".into(),
            origin: execution.origin,
            region: execution.region,
            domain_id: execution.domain_id,
            status: Status::Failed,
            started_by: "somebody".into(),
            started_at: now(),
            updated_at: later,
            ended_at: Some(later),
        };
        assert_eq!((page.entries, page.next), (vec![expected], None));
    })
    .await;
}

#[tokio::test]
async fn a_table_can_be_given_more_shards_later() {
    on_each_server(async |server| {
        let (before, after) = server.table_with_shards(1, 6).await;
        create_all(&before, (0..5).map(|n| started(&format!("before-{n}"), n))).await;
        create_all(&after, (0..5).map(|n| started(&format!("after-{n}"), 10 + n))).await;
        let all = pages(&after, 20).await.remove(0);
        assert_eq!(all.len(), 10);
        assert_eq!((all[0].as_str(), all[9].as_str()), ("after-4", "before-0"));
    })
    .await;
}
