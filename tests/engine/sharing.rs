//! Two processes over one file: never the same execution at once.

use std::net::SocketAddr;
use std::time::Duration;

use flowgate::execution::Status;
use serde_json::{Value, json};

use super::functions::{Does, Functions};
use super::{HANDED_ON, Place, calls, definition, examine, record_id, send, sleeps, start};

const SHARED: &str = "shared";
const HELD: &str = "held";

fn shared_workflow(functions: &Functions) -> Value {
    let states = [
        calls("begin", "sequential", &["first"], HANDED_ON),
        calls("fan", "parallel", &["left", "right"], HANDED_ON),
        sleeps("wait", 1),
        calls("one", "sequential", &["one"], ("$[0].run", "$")),
        calls("two", "sequential", &["two"], HANDED_ON),
        sleeps("sleep", 2),
        calls("last", "sequential", &["three"], HANDED_ON),
    ];
    definition(SHARED, &functions.definitions(), &states)
}

fn shared_functions() -> Functions {
    Functions::serve(&[
        ("first", Does::Answers(10)),
        ("left", Does::Answers(200)),
        ("right", Does::Answers(30)),
        ("one", Does::Answers(0)),
        ("two", Does::Answers(100)),
        ("three", Does::Answers(20)),
    ])
}

const CALLED: [&str; 6] = ["first", "left", "right", "one", "two", "three"];

fn output(run: &str) -> Value {
    let branch = |function: &str| json!({"run": run, "trail": ["first", function]});
    json!({"run": run, "trail": [branch("left"), branch("right"), "one", "two", "three"]})
}

fn start_many(addresses: [SocketAddr; 2], prefix: &str, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let answer = send(addresses[number % 2], &start(SHARED, name));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    names
}

#[test]
fn two_processes_share_the_executions_and_one_takes_over_from_the_other() {
    let functions = shared_functions();
    // Longer than any pause of a busy machine: a process that is merely slow keeps what it has.
    let place = Place::new(10, &[shared_workflow(&functions)]);
    let ((one, first), (two, second)) = (place.serve(), place.serve());

    let names = start_many([first, second], "calm", 60);
    place.ledger().wait_until_all_ended();
    for name in &names {
        for function in CALLED {
            assert_eq!(functions.count(name, function), 1, "{function} of {name}, without any crash");
        }
    }

    let orphans = start_many([first, second], "orphan", 60);
    functions.wait_for(orphans.last().expect("a name"), "first", 1);
    drop(one.kill());
    place.ledger().wait_until_all_ended();
    assert_eq!(two.stop().status.code(), Some(0));

    let all = examine(&place, &[SHARED]);
    assert_eq!(all.len(), names.len() + orphans.len());
    for (name, ended) in &all {
        assert_eq!((ended.execution.status, ended.output()), (Status::Succeeded, Some(&output(name))));
        for function in CALLED {
            // One crash, so one repetition at most.
            assert!((1..=2).contains(&functions.count(name, function)), "{function} of {name}");
        }
    }
    let repeated = all.keys().flat_map(|name| CALLED.map(|function| functions.count(name, function) - 1));
    eprintln!("{} calls were repeated because of the kill", repeated.sum::<usize>());
}

#[test]
fn a_call_that_takes_longer_than_the_lease_is_not_made_again() {
    let functions = Functions::serve(&[("slow", Does::Answers(7000))]);
    let workflow = definition(SHARED, &functions.definitions(), &[calls("wait", "sequential", &["slow"], HANDED_ON)]);
    let place = Place::new(3, &[workflow]);
    let ((one, first), (two, second)) = (place.serve(), place.serve());
    let names = start_many([first, second], "slow", 8);
    place.ledger().wait_until_all_ended();
    for name in &names {
        assert_eq!(functions.count(name, "slow"), 1, "{name}");
        assert_eq!(place.ledger().row(&record_id(SHARED, name)).map(|row| row.fence), Some(1), "{name}");
    }
    for process in [one, two] {
        assert_eq!(process.stop().status.code(), Some(0));
    }
}

/// A process is stopped while it waits for a call, for longer than its lease, and goes on when another has taken over.
fn pause(before_the_other_ends: bool) {
    let functions = Functions::serve(&[("held", Does::IsHeld)]);
    let workflow = definition(HELD, &functions.definitions(), &[calls("hold", "sequential", &["held"], HANDED_ON)]);
    let place = Place::new(4, &[workflow]);
    let (one, address) = place.serve();
    assert_eq!(send(address, &start(HELD, "paused")).status, 200);
    functions.wait_for("paused", "held", 1);
    loop {
        one.signal("STOP");
        // While it stands in the middle of a transaction nobody can write.
        if place.ledger().is_free() {
            break;
        }
        one.signal("CONT");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (two, _) = place.serve();
    functions.wait_for("paused", "held", 2);

    let (ledger, id) = (place.ledger(), record_id(HELD, "paused"));
    let resume = || {
        functions.release(1);
        one.signal("CONT");
        // Whatever it does about the answer, it has done when it has run another execution from start to end.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(send(address, &start(HELD, "later")).status, 200);
        ledger.wait_for(&record_id(HELD, "later"));
    };
    let row = if before_the_other_ends {
        resume();
        let running = ledger.row(&id).expect("a row");
        assert_eq!((running.status.as_str(), running.fence), ("running", 2), "the late result was refused");
        functions.release(2);
        ledger.wait_for(&id)
    } else {
        functions.release(2);
        let row = ledger.wait_for(&id);
        resume();
        row
    };
    let settled = (row.status.as_str(), row.output.as_deref());
    assert_eq!(settled, ("succeeded", Some(json!({"run": "paused", "number": 2}).to_string().as_str())));
    for process in [one, two] {
        assert_eq!(process.stop().status.code(), Some(0));
    }
    assert_eq!(ledger.row(&id), Some(row), "what was final has not changed");
    assert_eq!(functions.count("paused", "held"), 2);
    drop(ledger);
    examine(&place, &[HELD]);
}

#[test]
fn what_a_paused_process_brings_late_is_refused_while_another_runs_the_execution() {
    pause(true);
}

#[test]
fn what_a_paused_process_brings_late_is_refused_after_another_has_ended_the_execution() {
    pause(false);
}
