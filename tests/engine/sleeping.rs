//! Many executions that sleep.

use std::fs::read_to_string;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::json;

use super::{Place, definition, now, record_id, send, signed, sleeps, start};
use crate::support::process::Process;
use crate::support::wire::Wire;

const SLEEPERS: usize = 10_000;
const HOUR: &str = "hour";
const NAP: &str = "nap";
const NAP_SECONDS: u32 = 2;

/// Far more than a sleeping execution takes, which is its id and a time.
const MOST_BYTES_EACH: usize = 8 * 1024;

/// A number of `/proc/<pid>/status`.
fn status(process: &Process, field: &str) -> usize {
    let text = read_to_string(format!("/proc/{}/status", process.id())).expect("a process of Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim_start_matches(':').split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Starts executions over a few connections.
fn start_many(address: SocketAddr, workflow: &str, count: usize) {
    std::thread::scope(|scope| {
        for starter in 0..4 {
            scope.spawn(move || {
                let mut wire = Wire::connect(address);
                for number in (starter..count).step_by(4) {
                    wire.send(&signed(&start(workflow, &format!("{workflow}-{number}"))));
                    assert_eq!(wire.answer().status, 200);
                }
            });
        }
    });
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn ten_thousand_sleepers_cost_no_thread_and_little_memory_and_others_wake_meanwhile() {
    let definitions = [(HOUR, 3600), (NAP, NAP_SECONDS)]
        .map(|(name, seconds)| definition(name, &json!([]), &[sleeps("sleep", seconds)]));
    let place = Place::new(10, &definitions);
    let (process, address) = place.serve();
    // Whatever is had once, however many executions there are.
    start_many(address, NAP, 100);
    let ledger = place.ledger();
    ledger.wait_until_all_ended();
    let before = (status(&process, "Threads"), status(&process, "VmRSS"));

    let begun = Instant::now();
    start_many(address, HOUR, SLEEPERS);
    let started = begun.elapsed();
    // Who has a place is due again when the lease ends.
    ledger.wait_until(&format!("due_at > {}", now().plus_seconds(1800).millis()), SLEEPERS);
    let after = (status(&process, "Threads"), status(&process, "VmRSS"));
    eprintln!(
        "{SLEEPERS} executions: started in {started:?}, asleep after {:?}; threads {} -> {}, memory {} -> {} KiB",
        begun.elapsed(),
        before.0,
        after.0,
        before.1,
        after.1
    );
    assert!(after.0 <= before.0, "threads: {} -> {}", before.0, after.0);
    let grown = after.1.saturating_sub(before.1) * 1024;
    assert!(grown < SLEEPERS * MOST_BYTES_EACH, "{} bytes for each", grown / SLEEPERS);

    // A process that has only read of them leaves them asleep as well.
    assert_eq!(process.stop().status.code(), Some(0));
    let (process, address) = place.serve();
    for name in ["late", "later", "latest"] {
        assert_eq!(send(address, &start(NAP, name)).status, 200);
    }
    for name in ["late", "later", "latest"] {
        let row = ledger.wait_for(&record_id(NAP, name));
        let slept = row.ended_at.expect("an end") - row.started_at;
        eprintln!("{name} slept for {slept} ms of {NAP_SECONDS} s");
        assert!(slept >= i64::from(NAP_SECONDS) * 1000, "{name} woke too early");
    }
    assert_eq!(ledger.count("status = 'running'"), SLEEPERS, "the others sleep on");
    assert_eq!(process.stop().status.code(), Some(0));
}
