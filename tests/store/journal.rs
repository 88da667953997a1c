//! The journal of executions that an engine inside the process runs.

use std::sync::Arc;

use flowgate::execution::{Appended, Change, Ending, Execution, JournalEntry, Status, Then};
use flowgate::store::Patience;
use futures_util::future::join_all;

use super::{Store, execution, in_status, json, now, on_each_server, on_each_store};
use crate::support::Fault;

fn entry(text: &str) -> JournalEntry {
    JournalEntry { attempt: 1, text: format!("{{\"state\":\"{text}\"}}") }
}

fn due(status: Status) -> Execution {
    Execution { due_at: Some(now()), ..in_status("run", status) }
}

fn keep(seconds: i64) -> Then {
    Then::Keep { until: now().plus_seconds(seconds) }
}

fn end(status: Status) -> Then {
    Then::End(Ending { status, at: now(), output: Some(json("{\"done\":true}")), failure: None })
}

async fn read(store: &Arc<dyn Store>) -> Execution {
    store.get(&execution("run").key.record_id(), now()).await.expect("an answer").expect("the record")
}

#[tokio::test]
async fn only_what_is_due_and_unfinished_can_be_claimed_and_not_twice_before_the_lease_ends() {
    on_each_store(async |place| {
        for status in Status::ALL {
            let store = place.store(1).await;
            let record = due(status);
            let id = record.key.record_id();
            store.create(&record, now()).await.expect("an answer");
            let until = now().plus_seconds(10);
            let claim = store.claim(&id, now(), until).await.expect("an answer");
            if status.is_final() {
                assert_eq!(claim, None, "{status:?}");
                continue;
            }
            let claim = claim.expect("a claim");
            let taken = if status == Status::Stopping { Status::Stopping } else { Status::Running };
            assert_eq!((claim.execution.status, claim.fence, claim.length), (taken, 1, 0), "{status:?}");
            assert_eq!(read(&store).await, claim.execution, "{status:?}");
            let just_before = now().plus_seconds(9);
            assert_eq!(store.claim(&id, just_before, until).await.expect("an answer"), None, "{status:?}");
            let again = store.claim(&id, until, until.plus_seconds(10)).await.expect("an answer").expect("a claim");
            assert_eq!((again.fence, again.length), (2, 0), "{status:?}");
        }
        let store = place.store(1).await;
        let sleeping = Execution { due_at: Some(now().plus_seconds(1)), ..execution("run") };
        let id = sleeping.key.record_id();
        assert_eq!(store.claim(&id, now(), now()).await.expect("an answer"), None, "no such record");
        store.create(&sleeping, now()).await.expect("an answer");
        assert_eq!(store.claim(&id, now(), now()).await.expect("an answer"), None, "not due yet");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_claims_exactly_one_is_granted() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let record = due(Status::Scheduled);
        store.create(&record, now()).await.expect("an answer");
        let claims = (0..32).map(|_| {
            let (store, id) = (store.clone(), record.key.record_id());
            tokio::spawn(async move { store.claim(&id, now(), now().plus_seconds(10)).await.expect("an answer") })
        });
        let granted = join_all(claims).await.into_iter().filter(|claim| claim.as_ref().is_ok_and(Option::is_some));
        assert_eq!(granted.count(), 1);
    })
    .await;
}

#[tokio::test]
async fn entries_are_read_back_in_order_whatever_their_size() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let record = due(Status::Scheduled);
        let (id, kept_until) = (record.key.record_id(), record.expires_at);
        store.create(&record, now()).await.expect("an answer");
        assert_eq!(store.entries(&id).await.expect("an answer"), []);
        let mut claim = store.claim(&id, now(), now().plus_seconds(10)).await.expect("an answer").expect("a claim");
        let large = JournalEntry { attempt: 1, text: format!("\"{}\"", "x".repeat(290_000)) };
        let mut written = Vec::new();
        for batch in [vec![entry("a")], vec![], vec![entry("b"), large.clone(), entry("c")], vec![large.clone(); 4]] {
            let appended = store.append(&mut claim, &batch, &keep(10), now(), kept_until).await.expect("an answer");
            assert_eq!(appended, Appended::Done);
            written.extend(batch);
            assert_eq!(store.entries(&id).await.expect("an answer"), written);
        }
        for _ in 0..30 {
            let batch: Vec<_> = (0..40).map(|n| entry(&n.to_string())).collect();
            store.append(&mut claim, &batch, &keep(10), now(), kept_until).await.expect("an answer");
            written.extend(batch);
        }
        assert_eq!(store.entries(&id).await.expect("an answer"), written);
    })
    .await;
}

#[tokio::test]
async fn a_claim_is_void_once_somebody_else_has_the_execution_or_it_is_to_be_stopped_or_has_ended() {
    on_each_store(async |place| {
        for case in ["claimed", "stopped", "ended"] {
            let store = place.store(1).await;
            let record = due(Status::Scheduled);
            let (id, kept_until) = (record.key.record_id(), record.expires_at);
            store.create(&record, now()).await.expect("an answer");
            let lease = now().plus_seconds(10);
            let mut claim = store.claim(&id, now(), lease).await.expect("an answer").expect("a claim");
            store.append(&mut claim, &[entry("a")], &keep(10), now(), kept_until).await.expect("an answer");
            let change = match case {
                "claimed" => {
                    store.claim(&id, lease, lease.plus_seconds(10)).await.expect("an answer").expect("a claim");
                    None
                }
                "stopped" => Some(Change::Stop),
                _ => {
                    let ending = Ending { status: Status::Failed, at: now(), output: None, failure: None };
                    Some(Change::End(ending))
                }
            };
            if let Some(change) = change {
                store.change(&claim.execution, &change, now(), kept_until).await.expect("an answer");
            }
            let before = read(&store).await;
            for (entries, then) in [
                (vec![entry("b")], keep(10)),
                (vec![], keep(10)),
                (vec![entry("b")], end(Status::Succeeded)),
                (vec![], end(Status::Succeeded)),
            ] {
                let appended = store.append(&mut claim, &entries, &then, now(), kept_until).await.expect("an answer");
                assert_eq!(appended, Appended::Lost, "{case}, {then:?}");
            }
            assert_eq!(read(&store).await, before, "{case}");
            assert_eq!(store.entries(&id).await.expect("an answer"), [entry("a")], "{case}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_entries_and_the_end_are_one_step() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let record = due(Status::Scheduled);
        let (id, kept_until) = (record.key.record_id(), record.expires_at);
        store.create(&record, now()).await.expect("an answer");
        let mut claim = store.claim(&id, now(), now().plus_seconds(10)).await.expect("an answer").expect("a claim");
        let then = end(Status::Succeeded);
        let appended = store.append(&mut claim, &[entry("a")], &then, now(), kept_until).await.expect("an answer");
        assert_eq!(appended, Appended::Done);
        let ended = read(&store).await;
        let Then::End(ending) = then else { panic!("{then:?}") };
        assert_eq!((ended.status, ended.ending, ended.due_at), (Status::Succeeded, Some(ending), None));
        assert_eq!(store.entries(&id).await.expect("an answer"), [entry("a")]);
    })
    .await;
}

#[tokio::test]
async fn an_execution_that_sleeps_is_nobodys_until_it_is_due() {
    on_each_store(async |place| {
        let store = place.store(1).await;
        let record = due(Status::Scheduled);
        let (id, kept_until) = (record.key.record_id(), record.expires_at);
        store.create(&record, now()).await.expect("an answer");
        let mut claim = store.claim(&id, now(), now().plus_seconds(10)).await.expect("an answer").expect("a claim");
        let wake_at = now().plus_seconds(3);
        let sleep = Then::Sleep { until: wake_at };
        store.append(&mut claim, &[entry("wait")], &sleep, now(), kept_until).await.expect("an answer");
        assert_eq!(store.find_due(now().plus_seconds(2), 10).await.expect("an answer"), []);
        assert_eq!(store.find_due(wake_at, 10).await.expect("an answer"), std::slice::from_ref(&id));
        let awake = store.claim(&id, wake_at, wake_at.plus_seconds(10)).await.expect("an answer").expect("a claim");
        assert_eq!((awake.fence, awake.length), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_done_once() {
    on_each_server(async |server| {
        let (straight, proxy, store) = server.proxied_table(Patience::LOCAL).await;
        let record = due(Status::Scheduled);
        let (id, kept_until) = (record.key.record_id(), record.expires_at);
        store.create(&record, now()).await.expect("an answer");
        let mut claim = store.claim(&id, now(), now().plus_seconds(10)).await.expect("an answer").expect("a claim");
        let steps = [(vec![entry("a")], keep(10)), (vec![], keep(20)), (vec![entry("b")], end(Status::Succeeded))];
        for (entries, then) in steps {
            proxy.once(Fault::LoseAnswer);
            let appended = store.append(&mut claim, &entries, &then, now(), kept_until).await.expect("an answer");
            assert_eq!(appended, Appended::Done, "{then:?}");
        }
        assert_eq!(straight.entries(&id).await.expect("an answer"), [entry("a"), entry("b")]);
        assert_eq!(read(&straight).await.status, Status::Succeeded);
    })
    .await;
}
