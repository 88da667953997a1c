//! What was answered is there, whatever happens to the process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use crate::support::process::{DEADLINE, Process, command};
use crate::support::wire::{exchange, try_exchange};
use crate::support::{Answer, Api, Call};

fn start(address: SocketAddr, api: Api, name: &str, text: &str) -> Answer {
    exchange(address, &Call::start_with(api, name, text).signed().bytes())
}

/// A process at a time of its own, within the window of what clients sign at the time of the event files: an answer made
/// anew would show it in `started_at`.
fn serve(data: &Path, time: &str) -> (Process, SocketAddr) {
    Process::serve(command(data).env("FLOWGATE_FIXED_TIME", time))
}

#[test]
fn every_acknowledged_start_survives_a_kill() {
    let data = tempfile::tempdir().expect("a directory");
    let mut acknowledged: Vec<(Api, String, Answer)> = Vec::new();
    // Each round has a time of its own, so that an answer made anew would be another one.
    for (round, time) in ["2026-11-21T00:00:00Z", "2026-11-21T00:01:00Z", "2026-11-21T00:02:00Z"].iter().enumerate() {
        let (process, address) = serve(data.path(), time);
        for (api, name, first) in &acknowledged {
            let again = start(address, *api, name, name);
            assert_eq!((again.status, again.json()), (200, first.json()), "{api:?} {name} was acknowledged");
            let other = start(address, *api, name, "something else");
            assert_eq!(other.status, 409, "{api:?} {name} is taken: {other:?}");
        }
        let (is_over, (answered, answers)) = (AtomicBool::new(false), channel());
        std::thread::scope(|scope| {
            for starter in 0..6 {
                let (is_over, answered) = (&is_over, answered.clone());
                scope.spawn(move || {
                    for number in 0.. {
                        let (api, name) = (Api::ALL[number % 3], format!("{round}-{starter}-{number}"));
                        let bytes = Call::start_with(api, &name, &name).signed().bytes();
                        // The kill comes in the middle of a call: what is not answered then was not promised.
                        let Some(answer) = try_exchange(address, &bytes) else {
                            assert!(is_over.load(Ordering::SeqCst), "the server went away by itself");
                            return;
                        };
                        assert_eq!(answer.status, 200, "{answer:?}");
                        answered.send((api, name, answer)).expect("a test that counts");
                    }
                });
            }
            drop(answered);
            for _ in 0..30 {
                acknowledged.push(answers.recv_timeout(DEADLINE).expect("an answer"));
            }
            is_over.store(true, Ordering::SeqCst);
            process.kill();
        });
        acknowledged.extend(answers);
    }
    let (process, address) = serve(data.path(), "2026-11-21T00:03:00Z");
    for (api, name, first) in &acknowledged {
        let again = start(address, *api, name, name);
        assert_eq!((again.status, again.json()), (200, first.json()), "{api:?} {name} was acknowledged");
    }
    assert!(acknowledged.len() >= 90);
    assert_eq!(process.stop().status.code(), Some(0));
}

#[test]
fn two_processes_on_one_store_start_a_key_once() {
    let data = tempfile::tempdir().expect("a directory");
    // The clocks differ, so each process would answer a start of its own differently.
    let (one, first_address) = serve(data.path(), "2026-11-21T00:00:00Z");
    let (two, second_address) = serve(data.path(), "2026-11-21T00:01:00Z");
    for api in [Api::V1, Api::Obs] {
        for round in 0..8 {
            let (name, ready) = (format!("raced-{round}"), Barrier::new(8));
            let answers: Vec<Answer> = std::thread::scope(|scope| {
                let starters: Vec<_> = (0..8)
                    .map(|starter| {
                        let (name, ready) = (&name, &ready);
                        let address = if starter % 2 == 0 { first_address } else { second_address };
                        scope.spawn(move || {
                            ready.wait();
                            start(address, api, name, "the same")
                        })
                    })
                    .collect();
                starters.into_iter().map(|starter| starter.join().expect("an answer")).collect()
            });
            let first = answers[0].json();
            assert!(answers.iter().all(|answer| answer.status == 200 && answer.json() == first), "{answers:?}");
        }
    }
    for process in [one, two] {
        assert_eq!(process.stop().status.code(), Some(0));
    }
}
