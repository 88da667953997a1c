//! Creating, reading and changing executions.

use flowgate::clock::Timestamp;
use flowgate::execution::{
    Change, Changed, Created, Ending, Execution, ExecutionStore, Failure, Fingerprint, MAX_INPUT_BYTES, Origin, Status,
};
use flowgate::store::{DynamoStore, EmbeddedStore, Patience};
use flowgate::workflow::MachineId;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{change_to, client, execution, in_status, json, key, name, now, on_each_server, on_each_store, table_name};
use crate::support::PROJECT;

#[tokio::test]
async fn a_key_is_taken_once_and_the_next_gets_the_record_that_has_it() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let first = Execution { input: json("{\"n\":1}"), ..execution("run") };
        let second = Execution { input: json("{\"n\":2}"), ..execution("run") };

        assert_eq!(store.create(&first, now()).await.expect("an answer"), Created::New);
        let taken = Created::Exists(Box::new(first.clone()));
        assert_eq!(store.create(&second, now()).await.expect("an answer"), taken);
        assert_eq!(store.get(&first.key.record_id(), now()).await.expect("an answer"), Some(first));
    })
    .await;
}

#[tokio::test]
async fn keys_that_differ_in_one_part_do_not_meet() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let mut others = [execution("run"), execution("run"), execution("run"), execution("Run")];
        others[1].key.project_id = "another".into();
        others[2].key.workflow_id = Uuid::from_u128(8);
        for each in &others {
            assert_eq!(store.create(each, now()).await.expect("an answer"), Created::New, "{:?}", each.key);
        }
        for each in others {
            assert_eq!(store.get(&each.key.record_id(), now()).await.expect("an answer"), Some(each));
        }
    })
    .await;
}

#[tokio::test]
async fn every_field_of_a_record_comes_back_as_it_was_written() {
    // The largest input there may be, in characters of one to four bytes and numbers that a float would not keep.
    let opening = "{\"numbers\":[1E5,12345678901234567890.10,-0.0,1e-400],\"text\":\"aé值😀\\u0000\\n\",\"filler\":\"";
    let filler = "值".repeat((MAX_INPUT_BYTES - opening.len() - 2) / 3);
    let padding = "x".repeat(MAX_INPUT_BYTES - opening.len() - filler.len() - 2);
    let input = json(&format!("{opening}{filler}{padding}\"}}"));
    assert_eq!(input.as_str().len(), MAX_INPUT_BYTES);
    let headers = json("{\"tenantId\": \"用户1\", \"n\": 1.50}");
    let full = Execution {
        fingerprint: Fingerprint::of(Uuid::from_u128(7), &input, Some(&headers), true, false),
        key: key(&"😀".repeat(80)),
        workflow_name: "w".repeat(64),
        region: "local-1".into(),
        domain_id: "domäne".into(),
        origin: Origin::FunctionGraphV2,
        machine: MachineId::of("x"),
        is_test: true,
        attempt: 2,
        ending: None,
        due_at: Some(now()),
        tries: 1,
        status: Status::Running,
        input,
        headers: Some(headers),
        merge_parameters: true,
        create_date: Some("2026-11-20".into()),
        nonce: Uuid::from_u128(u128::MAX),
        started_by: "somebody".into(),
        request_id: "r".into(),
        trace: Some("Root=1-5759e988-bd862e3fe1be46a994272793".into()),
        started_at: Timestamp::from_millis(1_795_219_199_999),
        updated_at: Timestamp::from_millis(1_795_219_200_001),
        expires_at: Timestamp::from_seconds(Timestamp::MAX.seconds()),
    };
    let smallest = Execution { origin: Origin::FunctionGraphV1, input: json("0"), ..execution("a") };
    on_each_store(async |place| {
        let store = place.store(1).await;
        for record in [&full, &smallest] {
            store.create(record, now()).await.expect("an answer");
            assert_eq!(store.get(&record.key.record_id(), now()).await.expect("an answer").as_ref(), Some(record));
            let other = Execution { key: record.key.clone(), ..execution("other") };
            let taken = Created::Exists(Box::new(record.clone()));
            assert_eq!(store.create(&other, now()).await.expect("an answer"), taken);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_never_started_is_not_found() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        assert_eq!(store.get(&key("run").record_id(), now()).await.expect("an answer"), None);
        for change in Status::ALL.into_iter().filter_map(|next| change_to(next, now())) {
            let changed = store.change(&execution("run"), &change, now(), now()).await.expect("an answer");
            assert_eq!(changed, Changed::NotFound, "{change:?}");
        }
        assert_eq!(
            store.get(&key("run").record_id(), now()).await.expect("an answer"),
            None,
            "a change makes no record"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_concurrent_creates_of_one_key_exactly_one_is_new() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let attempts: Vec<Execution> =
            (0..64).map(|n| Execution { request_id: format!("request-{n}"), ..execution("run") }).collect();
        let creates = attempts.iter().cloned().map(|attempt| {
            let store = store.clone();
            tokio::spawn(async move { store.create(&attempt, now()).await.expect("an answer") })
        });
        let answers = join_all(creates).await.into_iter().map(|answer| answer.expect("no panic"));
        let (winners, others): (Vec<_>, Vec<_>) =
            attempts.iter().zip(answers).partition(|(_, created)| *created == Created::New);

        let [(first, _)] = winners.as_slice() else { panic!("{} creates were new", winners.len()) };
        assert_eq!(others.len(), 63);
        for (_, created) in others {
            assert_eq!(created, Created::Exists(Box::new((*first).clone())));
        }
        assert_eq!(store.get(&first.key.record_id(), now()).await.expect("an answer").as_ref(), Some(*first));
    })
    .await;
}

#[tokio::test]
async fn an_execution_changes_exactly_as_its_status_allows() {
    let later = now().plus_seconds(60);
    let kept_until = now().plus_seconds(1_000_000);
    on_each_store(async |place| {
        let store = place.store(1).await;
        for from in Status::ALL {
            for (next, change) in Status::ALL.into_iter().filter_map(|next| Some((next, change_to(next, later)?))) {
                let before = Execution { tries: 3, ..in_status(&format!("{from:?}-{next:?}"), from) };
                let id = before.key.record_id();
                store.create(&before, now()).await.expect("an answer");
                let answer = store.change(&before, &change, later, kept_until).await.expect("an answer");
                let after = store.get(&id, later).await.expect("an answer").expect("the record");
                if !from.may_become(next) {
                    assert_eq!(after, before, "{from:?} to {next:?}");
                    assert_eq!(answer, Changed::Refused(Box::new(before)), "{from:?} to {next:?}");
                    continue;
                }
                let ending = Ending { status: next, at: later, output: None, failure: None };
                let expected = Execution {
                    status: next,
                    attempt: if next == Status::Retrying { 2 } else { 1 },
                    ending: next.is_final().then_some(ending),
                    due_at: match next {
                        Status::Running => Some(later.plus_seconds(600)),
                        Status::Stopping | Status::Retrying => Some(later),
                        _ => None,
                    },
                    tries: 0,
                    updated_at: later,
                    expires_at: kept_until,
                    ..before
                };
                assert_eq!(after, expected, "{from:?} to {next:?}");
                assert_eq!(answer, Changed::Done(Box::new(expected)), "{from:?} to {next:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_meant_for_an_earlier_attempt_is_refused() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let failed = in_status("run", Status::Failed);
        let kept_until = failed.expires_at;
        store.create(&failed, now()).await.expect("an answer");
        let retried = store.change(&failed, &Change::Retry, now(), kept_until).await.expect("an answer");
        let Changed::Done(retrying) = retried else { panic!("{retried:?}") };
        assert_eq!((retrying.attempt, &retrying.ending), (2, &None));

        // The end of the first attempt is reported once more, and somebody asks for a retry of it once more.
        let end = change_to(Status::Failed, now()).expect("a change");
        for change in [end.clone(), Change::Retry] {
            let refused = store.change(&failed, &change, now(), kept_until).await.expect("an answer");
            assert_eq!(refused, Changed::Refused(retrying.clone()), "{change:?}");
        }
        let ended = store.change(&retrying, &end, now(), kept_until).await.expect("an answer");
        assert!(matches!(ended, Changed::Done(_)), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn an_ending_is_kept_and_what_is_too_large_for_the_item_is_cut() {
    let texts = [("\"o\"".to_owned(), true), (format!("\"{}\"", "é\\\"".repeat(60_000)), false)];
    on_each_store(async |place| {
        let store = place.store(1).await;
        let input = json(&format!("\"{}\"", "x".repeat(MAX_INPUT_BYTES - 2)));
        for (text, fits) in &texts {
            let name = if *fits { "fits" } else { "cut" };
            let output = Ending { status: Status::Succeeded, at: now(), output: Some(json(text)), failure: None };
            let failure = Failure { error: "States.TaskFailed".into(), cause: text.clone() };
            let failed = Ending { status: Status::Failed, at: now(), output: None, failure: Some(failure) };
            for (ending, name) in [(output, format!("{name}-output")), (failed, format!("{name}-cause"))] {
                let running = Execution { input: input.clone(), ..in_status(&name, Status::Running) };
                store.create(&running, now()).await.expect("an answer");
                let change = Change::End(ending.clone());
                let changed = store.change(&running, &change, now(), running.expires_at).await.expect("an answer");
                let Changed::Done(ended) = changed else { panic!("{changed:?}") };
                let kept = ended.ending.clone().expect("an ending");
                if *fits {
                    assert_eq!(kept, ending, "{name}");
                    continue;
                }
                let shown = match (&kept.output, &kept.failure) {
                    (Some(output), None) => {
                        let cut = &output.value()["flowgate_output_cut"];
                        assert_eq!(cut["bytes"], text.len(), "{name}");
                        cut["beginning"].as_str().expect("a text").to_owned()
                    }
                    (None, Some(failure)) => failure.cause.clone(),
                    other => panic!("{other:?}"),
                };
                assert!(text.starts_with(&shown) && shown.len() > 50_000 && shown.len() < text.len(), "{name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_found_the_longest_due_first() {
    on_each_store(async |place| {
        for shards in [1, 3] {
            let store = place.store(shards).await;
            let ids = |records: &[&Execution]| records.iter().map(|record| record.key.record_id()).collect::<Vec<_>>();
            let due_in = |text: &str, seconds: i64| Execution {
                due_at: Some(now().plus_seconds(seconds)),
                ..in_status(text, Status::Scheduled)
            };
            let [late, later, latest] = [due_in("a", -1), due_in("b", -2), due_in("c", -3)];
            let (at_once, soon, never) = (due_in("d", 0), due_in("e", 1), in_status("f", Status::Running));
            let expired = Execution { expires_at: now(), ..due_in("g", -60) };
            for record in [&soon, &late, &latest, &at_once, &later, &never, &expired] {
                store.create(record, now().plus_seconds(-100)).await.expect("an answer");
            }
            let all = ids(&[&latest, &later, &late, &at_once]);
            assert_eq!(store.find_due(now(), 10).await.expect("an answer"), all, "{shards} shards");
            assert_eq!(store.find_due(now(), 2).await.expect("an answer"), all[..2], "{shards} shards");

            // One is put off, one goes to the engine, one ends.
            let until = now().plus_seconds(5);
            for (record, change) in [
                (&latest, Change::Postpone { until }),
                (&later, Change::Running { check_at: until }),
                (&late, change_to(Status::Failed, now()).expect("a change")),
            ] {
                store.change(record, &change, now(), record.expires_at).await.expect("an answer");
            }
            assert_eq!(store.find_due(now(), 10).await.expect("an answer"), ids(&[&at_once]), "{shards} shards");
            let due = store.find_due(until, 10).await.expect("an answer");
            assert_eq!(due.len(), 4, "{shards} shards");
            assert!(!due.contains(&late.key.record_id()) && !due.contains(&never.key.record_id()));
            let postponed = store.get(&latest.key.record_id(), now()).await.expect("an answer").expect("the record");
            assert_eq!((postponed.status, postponed.tries), (Status::Scheduled, 1));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_endings_exactly_one_is_done_and_the_others_learn_which() {
    let ends = [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled];
    on_each_store(async |place| {
        let store = place.store(1).await;
        let running = in_status("run", Status::Running);
        store.create(&running, now()).await.expect("an answer");
        let changes = (0..32).map(|n| {
            let (store, running, next) = (store.clone(), running.clone(), ends[n % ends.len()]);
            tokio::spawn(async move {
                let change = change_to(next, now()).expect("a change");
                (next, store.change(&running, &change, now(), running.expires_at).await.expect("an answer"))
            })
        });
        let changed: Vec<_> = join_all(changes).await.into_iter().map(|changed| changed.expect("no panic")).collect();

        let winners: Vec<_> = changed.iter().filter(|(_, changed)| matches!(changed, Changed::Done(_))).collect();
        let [(end, _)] = winners.as_slice() else { panic!("{} changes were done", winners.len()) };
        let told = |changed: &Changed| matches!(changed, Changed::Refused(current) if current.status == *end);
        assert_eq!(changed.iter().filter(|(_, changed)| told(changed)).count(), 31);
        let record = store.get(&running.key.record_id(), now()).await.expect("an answer").expect("the record");
        assert_eq!(record.status, *end);
    })
    .await;
}

#[tokio::test]
async fn an_expired_execution_does_not_exist_though_nobody_deleted_it() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let old = Execution { input: json("{\"n\":1}"), ..execution("run") };
        let kept_until = old.expires_at;
        let last_instant = Timestamp::from_millis(kept_until.millis() - 1);
        store.create(&old, now()).await.expect("an answer");
        let renewed = Execution { expires_at: kept_until.plus_seconds(60), ..execution("run") };

        assert_eq!(store.get(&old.key.record_id(), last_instant).await.expect("an answer"), Some(old.clone()));
        let taken = Created::Exists(Box::new(old.clone()));
        assert_eq!(store.create(&renewed, last_instant).await.expect("an answer"), taken);

        assert_eq!(store.get(&old.key.record_id(), kept_until).await.expect("an answer"), None);
        for change in Status::ALL.into_iter().filter_map(|next| change_to(next, kept_until)) {
            let changed = store.change(&old, &change, kept_until, kept_until.plus_seconds(60)).await;
            assert_eq!(changed.expect("an answer"), Changed::NotFound, "{change:?}");
        }
        assert_eq!(store.create(&renewed, kept_until).await.expect("an answer"), Created::New);
        assert_eq!(store.get(&old.key.record_id(), kept_until).await.expect("an answer"), Some(renewed));
    })
    .await;
}

#[tokio::test]
async fn a_change_at_the_last_instant_prolongs_the_life_of_a_record() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let scheduled = execution("run");
        store.create(&scheduled, now()).await.expect("an answer");
        let last_instant = Timestamp::from_millis(scheduled.expires_at.millis() - 1);
        let longer = scheduled.expires_at.plus_seconds(60);

        let change = Change::Running { check_at: longer };
        let changed = store.change(&scheduled, &change, last_instant, longer).await.expect("an answer");
        assert!(matches!(changed, Changed::Done(_)), "{changed:?}");
        assert!(store.get(&scheduled.key.record_id(), scheduled.expires_at).await.expect("an answer").is_some());
        assert_eq!(store.get(&scheduled.key.record_id(), longer).await.expect("an answer"), None);
    })
    .await;
}

#[tokio::test]
async fn a_table_can_be_made_twice_and_keeps_what_it_holds() {
    on_each_server(async |server| {
        let store = DynamoStore::new(client(&server.url, Patience::LOCAL).await, table_name(), 1);
        store.create_table().await.expect("a table");
        let first = execution("run");
        store.create(&first, now()).await.expect("an answer");
        store.create_table().await.expect("a table that exists");
        store.ping().await.expect("a table that can be read");
        assert_eq!(store.get(&first.key.record_id(), now()).await.expect("an answer"), Some(first));
        let page = store.list(PROJECT, Uuid::from_u128(7), None, 1, now()).await.expect("a page");
        assert_eq!(page.entries[0].key.name, name("run"));
    })
    .await;
}

#[tokio::test]
async fn a_file_can_be_opened_again_and_loses_only_what_has_expired() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || EmbeddedStore::open(folder.path()).expect("an embedded store");
    let store = open();
    // More than are deleted at a time, the last of them behind one that lives on.
    let last = now().plus_seconds(60);
    let mut written: Vec<_> =
        (0..1200).map(|n| Execution { expires_at: last, ..execution(&format!("run-{n}")) }).collect();
    written[1100].expires_at = last.plus_seconds(1);
    join_all(written.iter().map(|execution| store.create(execution, now()))).await;
    drop(store);

    let store = open();
    store.delete_expired(last).await.expect("a deletion");
    // At this instant all are alive: what is missing was deleted.
    let page = store.list(PROJECT, Uuid::from_u128(7), None, 10, now()).await.expect("a page");
    let left: Vec<_> = page.entries.iter().map(|entry| entry.key.name.as_str()).collect();
    assert_eq!(left, ["run-1100"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("flowgate.db");
    for (number, content) in ["hello, this is no database at all ".repeat(100), String::new()].into_iter().enumerate() {
        std::fs::write(&file, content).expect("a file");
        let opened = EmbeddedStore::open(folder.path());
        match number {
            0 => {
                let refused = opened.expect_err("refused").to_string();
                assert!(refused.contains("flowgate.db") && refused.contains("FLOWGATE_DATA_DIR"), "{refused}");
            }
            _ => drop(opened.expect("an empty file is a new database")),
        }
    }
}

/// The embedded store looks an execution up by a part of its id, which two may share.
#[tokio::test]
async fn executions_whose_ids_begin_alike_do_not_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = EmbeddedStore::open(folder.path()).expect("a store");
    let (first, second) = (execution("first"), execution("second"));
    assert_eq!(store.create(&first, now()).await.expect("an answer"), Created::New);
    let id = second.key.record_id();
    let prefix = u64::from_str_radix(&id.as_str()[..16], 16).expect("hex digits").cast_signed();
    let file = rusqlite::Connection::open(folder.path().join("flowgate.db")).expect("the file");
    assert_eq!(file.execute("UPDATE executions SET id_prefix = ?1", [prefix]).expect("an update"), 1);

    assert_eq!(store.get(&id, now()).await.expect("an answer"), None);
    assert_eq!(store.create(&second, now()).await.expect("an answer"), Created::New);
    assert_eq!(store.get(&id, now()).await.expect("an answer"), Some(second));
}
