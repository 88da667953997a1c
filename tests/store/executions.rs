//! Creating, reading and moving executions.

use std::sync::Arc;

use flowgate::clock::Timestamp;
use flowgate::execution::{Created, Execution, ExecutionStore, Fingerprint, MAX_INPUT_BYTES, Moved, Origin, Status};
use futures_util::future::join_all;
use uuid::Uuid;

use super::{execution, json, key, name, now, on_each_server};
use crate::support::PROJECT;

#[tokio::test]
async fn a_key_is_taken_once_and_the_next_gets_the_record_that_has_it() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        let first = Execution { input: json("{\"n\":1}"), ..execution("run") };
        let second = Execution { input: json("{\"n\":2}"), ..execution("run") };

        assert_eq!(store.create(&first, now()).await.expect("an answer"), Created::New);
        let taken = Created::Exists(Box::new(first.clone()));
        assert_eq!(store.create(&second, now()).await.expect("an answer"), taken);
        assert_eq!(store.get(&first.key, now()).await.expect("an answer"), Some(first));
    })
    .await;
}

#[tokio::test]
async fn keys_that_differ_in_one_part_do_not_meet() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        let mut others = [execution("run"), execution("run"), execution("run"), execution("Run")];
        others[1].key.project_id = "another".into();
        others[2].key.workflow_id = Uuid::from_u128(8);
        for each in &others {
            assert_eq!(store.create(each, now()).await.expect("an answer"), Created::New, "{:?}", each.key);
        }
        for each in others {
            assert_eq!(store.get(&each.key, now()).await.expect("an answer"), Some(each));
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
        fingerprint: Fingerprint::of(Uuid::from_u128(7), &input, Some(&headers), true),
        key: key(&"😀".repeat(80)),
        workflow_name: "w".repeat(64),
        region: "local-1".into(),
        domain_id: "domäne".into(),
        origin: Origin::FunctionGraphV2,
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
    on_each_server(async |server| {
        let store = server.table(1).await;
        for record in [&full, &smallest] {
            store.create(record, now()).await.expect("an answer");
            assert_eq!(store.get(&record.key, now()).await.expect("an answer").as_ref(), Some(record));
            let other = Execution { key: record.key.clone(), ..execution("other") };
            let taken = Created::Exists(Box::new(record.clone()));
            assert_eq!(store.create(&other, now()).await.expect("an answer"), taken);
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_never_started_is_not_found() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        assert_eq!(store.get(&key("run"), now()).await.expect("an answer"), None);
        for next in Status::ALL {
            let moved = store.advance(&key("run"), next, now(), now()).await.expect("an answer");
            assert_eq!(moved, Moved::NotFound, "to {next:?}");
        }
        assert_eq!(store.get(&key("run"), now()).await.expect("an answer"), None, "a move makes no record");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_concurrent_creates_of_one_key_exactly_one_is_new() {
    on_each_server(async |server| {
        let store = Arc::new(server.table(1).await);
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
        assert_eq!(store.get(&first.key, now()).await.expect("an answer").as_ref(), Some(*first));
    })
    .await;
}

#[tokio::test]
async fn an_execution_moves_exactly_as_its_status_allows() {
    let later = now().plus_seconds(60);
    let kept_until = now().plus_seconds(1_000_000);
    on_each_server(async |server| {
        let store = server.table(1).await;
        for from in Status::ALL {
            for next in Status::ALL {
                let before = Execution { status: from, ..execution(&format!("{from:?}-{next:?}")) };
                store.create(&before, now()).await.expect("an answer");
                let moved = store.advance(&before.key, next, later, kept_until).await.expect("an answer");
                let after = store.get(&before.key, later).await.expect("an answer");
                let (expected, record) = if from.may_become(next) {
                    let changed =
                        Execution { status: next, updated_at: later, expires_at: kept_until, ..before.clone() };
                    (Moved::Done, changed)
                } else {
                    (Moved::Refused(from), before.clone())
                };
                assert_eq!((moved, after), (expected, Some(record)), "{from:?} to {next:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_moves_exactly_one_is_done_and_the_others_learn_which() {
    let ends = [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled];
    on_each_server(async |server| {
        let store = Arc::new(server.table(1).await);
        let running = Execution { status: Status::Running, ..execution("run") };
        store.create(&running, now()).await.expect("an answer");
        let moves = (0..32).map(|n| {
            let (store, key, next) = (store.clone(), running.key.clone(), ends[n % ends.len()]);
            tokio::spawn(async move {
                (next, store.advance(&key, next, now(), now().plus_seconds(60)).await.expect("an answer"))
            })
        });
        let moved: Vec<_> = join_all(moves).await.into_iter().map(|moved| moved.expect("no panic")).collect();

        let winners: Vec<_> = moved.iter().filter(|(_, moved)| *moved == Moved::Done).collect();
        let [(end, _)] = winners.as_slice() else { panic!("{} moves were done", winners.len()) };
        assert_eq!(moved.iter().filter(|(_, moved)| *moved == Moved::Refused(*end)).count(), 31);
        let record = store.get(&running.key, now()).await.expect("an answer").expect("the record");
        assert_eq!(record.status, *end);
    })
    .await;
}

#[tokio::test]
async fn an_expired_execution_does_not_exist_though_nobody_deleted_it() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        let old = Execution { input: json("{\"n\":1}"), ..execution("run") };
        let kept_until = old.expires_at;
        let last_instant = Timestamp::from_millis(kept_until.millis() - 1);
        store.create(&old, now()).await.expect("an answer");
        let renewed = Execution { expires_at: kept_until.plus_seconds(60), ..execution("run") };

        assert_eq!(store.get(&old.key, last_instant).await.expect("an answer"), Some(old.clone()));
        let taken = Created::Exists(Box::new(old.clone()));
        assert_eq!(store.create(&renewed, last_instant).await.expect("an answer"), taken);

        assert_eq!(store.get(&old.key, kept_until).await.expect("an answer"), None);
        for next in Status::ALL {
            let moved = store.advance(&old.key, next, kept_until, kept_until.plus_seconds(60)).await;
            assert_eq!(moved.expect("an answer"), Moved::NotFound, "to {next:?}");
        }
        assert_eq!(store.create(&renewed, kept_until).await.expect("an answer"), Created::New);
        assert_eq!(store.get(&old.key, kept_until).await.expect("an answer"), Some(renewed));
    })
    .await;
}

#[tokio::test]
async fn a_move_at_the_last_instant_prolongs_the_life_of_a_record() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        let scheduled = execution("run");
        store.create(&scheduled, now()).await.expect("an answer");
        let last_instant = Timestamp::from_millis(scheduled.expires_at.millis() - 1);
        let longer = scheduled.expires_at.plus_seconds(60);

        let moved = store.advance(&scheduled.key, Status::Running, last_instant, longer).await;
        assert_eq!(moved.expect("an answer"), Moved::Done);
        assert!(store.get(&scheduled.key, scheduled.expires_at).await.expect("an answer").is_some());
        assert_eq!(store.get(&scheduled.key, longer).await.expect("an answer"), None);
    })
    .await;
}

#[tokio::test]
async fn a_table_can_be_made_twice_and_keeps_what_it_holds() {
    on_each_server(async |server| {
        let store = server.table(1).await;
        let first = execution("run");
        store.create(&first, now()).await.expect("an answer");
        store.create_table().await.expect("a table that exists");
        store.ping().await.expect("a table that can be read");
        assert_eq!(store.get(&first.key, now()).await.expect("an answer"), Some(first));
        let page = store.list(PROJECT, Uuid::from_u128(7), None, 1, now()).await.expect("a page");
        assert_eq!(page.entries[0].key.name, name("run"));
    })
    .await;
}
