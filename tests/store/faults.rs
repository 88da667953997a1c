//! Storage that throttles, fails, hangs, is gone, or loses its answers.

use std::time::Duration;

use std::sync::Arc;

use flowgate::execution::{Change, Changed, Created, Execution, ExecutionStore, Status};
use flowgate::store::{DynamoStore, Patience};
use flowgate::workflow::{StoreError, Workflow};
use tokio::net::TcpSocket;

use super::{MACHINE, Store, execution, json, key, now, on_each_server, workflow};
use crate::support::{Fault, PROJECT};

/// Gives up almost at once: for storage that never answers.
const IMPATIENT: Patience = Patience { attempt: Duration::from_millis(20), ..Patience::LOCAL };

/// Gives an attempt up when a deployed function does.
const DEPLOYED: Patience = Patience { attempt: Patience::DEPLOYED.attempt, ..Patience::LOCAL };

fn sample() -> Workflow {
    workflow(7, "media-transcode")
}

/// How each method of the ports fails; panics if one does not.
async fn failures(store: &Arc<dyn Store>) -> Vec<(&'static str, StoreError)> {
    let workflow = sample();
    vec![
        ("create", store.create(&execution("run"), now()).await.expect_err("create")),
        ("get", store.get(&key("run").record_id(), now()).await.expect_err("get")),
        ("list", store.list(PROJECT, workflow.id, None, 1, now()).await.expect_err("list")),
        ("find_due", store.find_due(now(), 1).await.expect_err("find_due")),
        ("change", store.change(&execution("run"), &Change::Stop, now(), now()).await.expect_err("change")),
        ("claim", store.claim(&key("run").record_id(), now(), now()).await.expect_err("claim")),
        ("entries", store.entries(&key("run").record_id()).await.expect_err("entries")),
        ("ping", store.ping().await.expect_err("ping")),
        ("find_by_id", store.find_by_id(PROJECT, workflow.id).await.expect_err("find_by_id")),
        ("find_by_name", store.find_by_name(PROJECT, &workflow.name).await.expect_err("find_by_name")),
        ("save", store.save(&workflow, MACHINE).await.expect_err("save")),
        ("find_version", store.find_version(PROJECT, workflow.id, &workflow.machine).await.expect_err("find_version")),
        (
            "note_engine_reference",
            store.note_engine_reference(PROJECT, workflow.id, &workflow.machine, "arn").await.expect_err("note"),
        ),
    ]
}

#[tokio::test]
async fn storage_that_keeps_throttling_is_said_to() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        for code in ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"] {
            proxy.always(Fault::Refuse(code));
            for (method, error) in failures(&store).await {
                assert!(matches!(error, StoreError::Throttled(_)), "{code}, {method}: {error:?}");
                assert!(error.retryable());
            }
        }
        assert_eq!(straight.get(&key("run").record_id(), now()).await.expect("an answer"), None, "nothing was written");
    })
    .await;
}

#[tokio::test]
async fn storage_that_keeps_failing_or_hangs_is_unavailable() {
    on_each_server(async |server| {
        for (fault, patience) in [(Fault::Fail, Patience::LOCAL), (Fault::Hang, IMPATIENT)] {
            let (_, proxy, store) = server.proxied_table(patience).await;
            proxy.always(fault);
            for (method, error) in failures(&store).await {
                assert!(matches!(error, StoreError::Unavailable(_)), "{fault:?}, {method}: {error:?}");
                assert!(error.retryable());
            }
            // What hangs may be given up before it gets as far as the proxy.
            if fault == Fault::Fail {
                assert_eq!(proxy.take_operations().len(), 3 * 13, "each of the thirteen methods tried three times");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn storage_that_is_gone_is_unavailable() {
    on_each_server(async |server| {
        // A port that is taken, so that nobody else listens on it, and refuses connections.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let url = format!("http://{}", socket.local_addr().expect("its address"));
        let store = server.absent_table(&url, 1, Patience::LOCAL).await;
        for (method, error) in failures(&store).await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{method}: {error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_missing_is_an_operators_business() {
    on_each_server(async |server| {
        let store = server.absent_table(&server.url, 1, Patience::LOCAL).await;
        for (method, error) in failures(&store).await {
            assert!(matches!(error, StoreError::Rejected(_)), "{method}: {error:?}");
            assert!(!error.retryable());
        }
    })
    .await;
}

#[tokio::test]
async fn one_fault_is_not_noticed() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        for fault in [Fault::Refuse("ThrottlingException"), Fault::Fail] {
            let execution = execution(&format!("{fault:?}").replace(['(', '"', ')'], ""));
            proxy.once(fault);
            assert_eq!(store.create(&execution, now()).await.expect("an answer"), Created::New, "{fault:?}");
            proxy.once(fault);
            let read = store.get(&execution.key.record_id(), now()).await.expect("an answer");
            assert_eq!(read.as_ref(), Some(&execution), "{fault:?}");
            assert_eq!(proxy.take_operations(), ["PutItem", "PutItem", "GetItem", "GetItem"], "{fault:?}");
            assert_eq!(straight.get(&execution.key.record_id(), now()).await.expect("an answer"), Some(execution));
        }
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_hangs_is_given_up_and_made_again() {
    on_each_server(async |server| {
        let (_, proxy, store) = server.proxied_table(DEPLOYED).await;
        proxy.once(Fault::Hang);
        assert_eq!(store.create(&execution("run"), now()).await.expect("an answer"), Created::New);
        assert_eq!(proxy.take_operations(), ["PutItem", "PutItem"]);
    })
    .await;
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_still_new() {
    on_each_server(async |server| {
        for fault in [Fault::LoseAnswer, Fault::WithholdAnswer] {
            let (straight, proxy, store) = server.proxied_table(DEPLOYED).await;
            let first = execution("run");
            proxy.once(fault);
            assert_eq!(store.create(&first, now()).await.expect("an answer"), Created::New, "{fault:?}");
            assert_eq!(proxy.take_operations(), ["PutItem", "PutItem"], "{fault:?}");
            let page = straight.list(PROJECT, first.key.workflow_id, None, 10, now()).await.expect("a page");
            assert_eq!(page.entries.len(), 1, "{fault:?}");

            // The same for one that comes second: it does not take the record for its own.
            let second = Execution { input: json("[]"), ..execution("run") };
            proxy.once(fault);
            let taken = Created::Exists(Box::new(first.clone()));
            assert_eq!(store.create(&second, now()).await.expect("an answer"), taken, "{fault:?}");
            assert_eq!(straight.get(&first.key.record_id(), now()).await.expect("an answer"), Some(first), "{fault:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_create_that_is_throttled_after_a_lost_answer_may_have_been_done() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        let first = execution("run");
        proxy.once(Fault::LoseAnswer);
        proxy.once(Fault::Refuse("ThrottlingException"));
        proxy.once(Fault::Refuse("ThrottlingException"));
        let refused = store.create(&first, now()).await;
        assert!(matches!(refused, Err(StoreError::Throttled(_))), "{refused:?}");
        assert_eq!(straight.get(&first.key.record_id(), now()).await.expect("an answer"), Some(first));
    })
    .await;
}

#[tokio::test]
async fn a_save_whose_answer_was_lost_is_still_done() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        proxy.once(Fault::LoseAnswer);
        store.save(&sample(), MACHINE).await.expect("saved");
        assert_eq!(proxy.take_operations(), ["TransactWriteItems", "TransactWriteItems"]);
        assert_eq!(straight.find_by_id(PROJECT, sample().id).await.expect("an answer"), Some(sample()));
    })
    .await;
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_refused_with_the_record_it_made() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        store.create(&execution("run"), now()).await.expect("an answer");
        proxy.once(Fault::LoseAnswer);
        let scheduled = execution("run");
        let changed = store.change(&scheduled, &Change::Stop, now(), now().plus_seconds(60)).await.expect("an answer");
        let record = straight.get(&key("run").record_id(), now()).await.expect("an answer").expect("the record");
        assert_eq!(record.status, Status::Stopping);
        assert_eq!(changed, Changed::Refused(Box::new(record)));
    })
    .await;
}

#[tokio::test]
async fn an_item_of_another_format_is_damaged_and_not_misread() {
    on_each_server(async |server| {
        let name = super::table_name();
        let client = super::client(&server.url, Patience::LOCAL).await;
        let store = DynamoStore::new(client.clone(), name.clone(), 1);
        store.create_table().await.expect("a table");
        store.create(&execution("run"), now()).await.expect("an answer");
        let items = client.scan().table_name(&name).send().await.expect("a scan").items.expect("items");
        let [item] = items.as_slice() else { panic!("{} items", items.len()) };
        let mut item = item.clone();
        item.insert("v".into(), aws_sdk_dynamodb::types::AttributeValue::N("2".into()));
        client.put_item().table_name(&name).set_item(Some(item)).send().await.expect("a put");

        let damaged = |error: StoreError| assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        damaged(store.get(&key("run").record_id(), now()).await.expect_err("get"));
        damaged(store.create(&execution("run"), now()).await.expect_err("create"));
        damaged(store.list(PROJECT, key("run").workflow_id, None, 1, now()).await.expect_err("list"));
    })
    .await;
}
