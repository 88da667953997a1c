//! Stops that race the end of what they stop.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::functions::{Does, Functions};
use super::{HANDED_ON, Place, calls, definition, examine, record_id, send, start};
use crate::support::mutation::Random;
use crate::support::{Api, Call};

const RACED: &str = "raced";
const FUNCTION_MILLIS: u64 = 80;

/// How long what is final is watched: longer than a lease, a poll of the storage and every call.
const WATCHED: Duration = Duration::from_secs(4);

#[test]
fn whoever_wins_of_a_stop_and_an_end_the_status_is_final() {
    let functions = Functions::serve(&[("work", Does::Answers(FUNCTION_MILLIS))]);
    let workflow = definition(RACED, &functions.definitions(), &[calls("work", "sequential", &["work"], HANDED_ON)]);
    let place = Place::new(1, &[workflow]);
    // A stop may come to the process that runs the execution, or to the other.
    let ((one, first), (two, second)) = (place.serve(), place.serve());
    let told = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for starter in 0..8_u64 {
            let told = &told;
            scope.spawn(move || {
                let mut random = Random::new(starter);
                for number in 0..25 {
                    let name = format!("{starter}-{number}");
                    assert_eq!(send(first, &start(RACED, &name)).status, 200);
                    std::thread::sleep(Duration::from_millis(random.below(2 * FUNCTION_MILLIS as usize) as u64));
                    let address = if random.one_in(2) { first } else { second };
                    let answer = send(address, &Call::stop(Api::V2, RACED, &name));
                    told.lock().expect("a map").insert(name, answer.status);
                }
            });
        }
    });
    let (ledger, told) = (place.ledger(), told.into_inner().expect("a map"));
    let mut rows = BTreeMap::new();
    for (name, answer) in &told {
        let row = ledger.wait_for(&record_id(RACED, name));
        // What is acknowledged as stopped does not succeed any more, and what cannot be stopped any more has succeeded.
        let expected = if *answer == 200 { "cancelled" } else { "succeeded" };
        assert_eq!((*answer == 200 || *answer == 409, row.status.as_str()), (true, expected), "{name}: {answer}");
        rows.insert(name, row);
    }
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        for (name, row) in &rows {
            assert_eq!(ledger.row(&record_id(RACED, name)).as_ref(), Some(row), "{name}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let stopped = rows.values().filter(|row| row.status == "cancelled").count();
    eprintln!("of {} executions {stopped} were stopped in time", rows.len());
    assert!((1..rows.len()).contains(&stopped), "it was a race: {stopped} of {}", rows.len());
    for process in [one, two] {
        assert_eq!(process.stop().status.code(), Some(0));
    }
    drop(ledger);
    examine(&place, &[RACED]);
}
