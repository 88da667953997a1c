//! An execution that is tried again goes on where it failed.

use flowgate::execution::Status;
use serde_json::json;

use super::functions::{Does, Functions};
use super::{HANDED_ON, Place, calls, definition, examine, record_id, send, sleeps, start};
use crate::support::{Api, Call};

const RETRIED: &str = "retried";
const KILLS: usize = 10;

#[test]
fn a_retry_begins_with_the_node_that_failed_and_calls_no_earlier_function_again() {
    let answers = Does::Answers(0);
    let functions = Functions::serve(&[
        ("first", answers),
        ("left", answers),
        ("right", answers),
        ("broken", Does::IsBroken),
        ("last", answers),
    ]);
    let states = [
        calls("begin", "sequential", &["first"], HANDED_ON),
        calls("fan", "parallel", &["left", "right"], HANDED_ON),
        calls("break", "sequential", &["broken"], ("$[0].run", "$")),
        calls("finish", "sequential", &["last"], HANDED_ON),
    ];
    let place = Place::new(10, &[definition(RETRIED, &functions.definitions(), &states)]);
    let (process, address) = place.serve();
    let (ledger, id) = (place.ledger(), record_id(RETRIED, "again"));
    let retry = || send(address, &Call::retry(Api::V2, RETRIED, "again")).status;
    let counts = || ["first", "left", "right", "broken", "last"].map(|function| functions.count("again", function));

    assert_eq!(send(address, &start(RETRIED, "again")).status, 200);
    assert_eq!(ledger.wait_for(&id).status, "failed");
    assert_eq!(counts(), [1, 1, 1, 1, 0]);
    assert_eq!(retry(), 200);
    assert_eq!(ledger.wait_for(&id).status, "failed", "it is still broken");
    assert_eq!(counts(), [1, 1, 1, 2, 0]);
    functions.mend();
    assert_eq!(retry(), 200);
    assert_eq!(ledger.wait_for(&id).status, "succeeded");
    assert_eq!(counts(), [1, 1, 1, 3, 1]);
    assert_eq!(retry(), 409, "what succeeded is not tried again");

    assert_eq!(process.stop().status.code(), Some(0));
    drop(ledger);
    let all = examine(&place, &[RETRIED]);
    let ended = &all["again"];
    let branch = |function: &str| json!({"run": "again", "trail": ["first", function]});
    let output = json!({"run": "again", "trail": [branch("left"), branch("right"), "broken", "last"]});
    assert_eq!((ended.execution.status, ended.execution.attempt), (Status::Succeeded, 3));
    assert_eq!(ended.output(), Some(&output));
}

#[test]
fn a_retry_that_was_acknowledged_happens_whatever_happens_to_the_process() {
    let functions = Functions::serve(&[("first", Does::Answers(0)), ("broken", Does::IsBroken)]);
    let states = [
        calls("begin", "sequential", &["first"], HANDED_ON),
        calls("break", "sequential", &["broken"], HANDED_ON),
        sleeps("wait", 1),
    ];
    let place = Place::new(1, &[definition(RETRIED, &functions.definitions(), &states)]);
    let names: Vec<String> = (0..KILLS * 5).map(|number| number.to_string()).collect();
    let (process, address) = place.serve();
    for name in &names {
        assert_eq!(send(address, &start(RETRIED, name)).status, 200);
    }
    place.ledger().wait_until_all_ended();
    drop(process.kill());
    functions.mend();
    for retried in names.chunks(names.len() / KILLS) {
        let (process, address) = place.serve();
        for name in retried {
            assert_eq!(send(address, &Call::retry(Api::V2, RETRIED, name)).status, 200);
        }
        drop(process.kill());
    }
    let (process, _) = place.serve();
    place.ledger().wait_until_all_ended();
    assert_eq!(process.stop().status.code(), Some(0));
    let all = examine(&place, &[RETRIED]);
    assert_eq!(all.len(), names.len());
    for (name, ended) in &all {
        assert_eq!((ended.execution.status, ended.execution.attempt), (Status::Succeeded, 2), "{name}");
        assert_eq!(ended.output(), Some(&json!({"run": name, "trail": ["first", "broken"]})));
        assert_eq!(functions.count(name, "first"), 1, "{name}: what had succeeded is not called again");
    }
}
