//! Ten thousand calls that went wrong, through the real handler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::mutation::{Malformed, malformed};
use crate::support::{Answer, TestApp};

const CALLS: u64 = 10_000;

/// As many at once, because a wrong signature waits a while for its refusal. At most 64 wait at a time.
const WORKERS: usize = 96;

/// What the calls have to get to, so that they are known to reach every check: refusals before the signature, of it, and
/// behind it.
const REACHED: [&str; 33] = [
    "200 started",
    "400 EntityTooLarge",
    "400 FGS.0005",
    "400 FGS.0008",
    "400 FGS.0009",
    "400 FGS.0010",
    "400 FGS.0013",
    "400 FGS.2001",
    "400 FGS.2006",
    "400 FGS.2008",
    "400 FGS.3002",
    "400 InvalidArgument",
    "400 InvalidRequest",
    "400 InvalidRequestBody",
    "401 APIGW.0301",
    "403 APIGW.0302",
    "403 AccessDenied",
    "403 FGS.0004",
    "403 InvalidAccessKeyId",
    "403 RequestTimeTooSkewed",
    "403 SignatureDoesNotMatch",
    "404 APIGW.0101",
    "404 FGS.0012",
    "404 FGS.1011",
    "404 FGS.5002",
    "404 FSS.0404",
    "404 NoSuchWorkflow",
    "405 FGS.0012",
    "405 FSS.0405",
    "405 MethodNotAllowed",
    "413 FGS.4109",
    "413 FSS.0413",
    "501 ServiceNotImplemented",
];

/// The answer's status and code. Panics unless the answer is one that a malformed call may get.
fn outcome(call: &Malformed, answer: &Answer) -> String {
    if answer.status == 200 {
        let body = answer.json();
        // A start whose method became GET.
        if body["executions"].is_array() {
            return "200 listed".into();
        }
        let name = body["execution_id"].as_str().or(body["execution_urn"].as_str()).unwrap_or_default();
        assert!(!name.is_empty() && answer.header("x-request-id").len() == 32, "{answer:?}");
        return "200 started".into();
    }
    let code = answer.error_code(call.api);
    // An operation of the vendor's that is not served, such as GET where only POST is, says so; no failure is behind it.
    let is_not_served =
        answer.status == 501 && ["ServiceNotImplemented", "FSS.0501", "FGS.0012"].contains(&code.as_str());
    assert!((400..500).contains(&answer.status) || is_not_served, "{answer:?}");
    format!("{} {code}", answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_malformed_calls_are_all_answered_in_a_dialect_and_without_a_failure() {
    let (app, next) = (Arc::new(TestApp::new().await), Arc::new(AtomicU64::new(0)));
    let workers = (0..WORKERS).map(|_| {
        let (app, next) = (app.clone(), next.clone());
        tokio::spawn(async move {
            let mut outcomes = BTreeMap::<String, usize>::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= CALLS {
                    return outcomes;
                }
                let call = malformed(index);
                let answer = Answer::from_lambda(&app.invoke(&call.event).await);
                let judged = std::panic::catch_unwind(|| outcome(&call, &answer));
                let outcome = judged.unwrap_or_else(|_| panic!("call {index}: {} {answer:?}", call.event));
                *outcomes.entry(outcome).or_default() += 1;
            }
        })
    });
    let mut outcomes = BTreeMap::<String, usize>::new();
    for worker in workers.collect::<Vec<_>>() {
        for (outcome, count) in worker.await.expect("no panic") {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    assert_eq!(outcomes.values().sum::<usize>() as u64, CALLS);
    let missing: Vec<_> = REACHED.iter().filter(|outcome| !outcomes.contains_key(**outcome)).collect();
    assert!(missing.is_empty(), "never reached {missing:?}: {outcomes:#?}");
    let before_signature = ["401 ", "403 SignatureDoesNotMatch", "403 AccessDenied", "403 InvalidAccessKeyId"];
    let turned_away =
        outcomes.iter().filter(|(outcome, _)| before_signature.iter().any(|start| outcome.starts_with(start)));
    let turned_away: usize = turned_away.map(|(_, count)| count).sum();
    assert!((turned_away as u64) < CALLS / 2, "most get behind the signature: {outcomes:#?}");
}
