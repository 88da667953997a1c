//! The process is killed at random moments, and again, and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flowgate::execution::Status;
use serde_json::{Value, json};

use super::functions::{Does, Functions};
use super::{Ended, HANDED_ON, Place, calls, definition, examine, record_id, repeated, signed, sleeps, start};
use crate::support::mutation::Random;
use crate::support::process::Process;
use crate::support::wire::try_exchange;
use crate::support::{Api, Call};

const KILLS: usize = 200;

/// Waits, parallel actions and retries.
const MIXED: &str = "mixed";
/// A wait that is slept through, then an error that nothing catches.
const FAILING: &str = "failing";
/// A wait during which a caller has it stopped.
const STOPPED: &str = "stopped";
const WORKFLOWS: [&str; 3] = [MIXED, FAILING, STOPPED];

/// The functions in the order of the nodes that call them; those of one node are called together.
const NODES: [&[&str]; 5] = [&["first"], &["left", "middle", "right"], &["one"], &["two"], &["three", "broken"]];

fn functions() -> Functions {
    Functions::serve(&[
        ("first", Does::Answers(20)),
        ("left", Does::FailsFirst(2)),
        ("right", Does::Answers(150)),
        ("middle", Does::Answers(0)),
        ("one", Does::Answers(0)),
        ("two", Does::FailsFirst(1)),
        ("three", Does::Answers(60)),
        ("broken", Does::IsBroken),
    ])
}

fn definitions(functions: &Functions) -> [Value; 3] {
    let functions = functions.definitions();
    let mixed = [
        calls("begin", "sequential", &["first"], HANDED_ON),
        repeated(calls("fan", "parallel", &["left", "middle", "right"], HANDED_ON)),
        sleeps("wait", 1),
        repeated(calls("row", "sequential", &["one"], ("$[0].run", "$"))),
        repeated(calls("rest", "sequential", &["two", "three"], HANDED_ON)),
    ];
    let failing = [
        calls("begin", "sequential", &["first"], HANDED_ON),
        sleeps("wait", 2),
        calls("break", "sequential", &["broken"], HANDED_ON),
    ];
    [
        definition(MIXED, &functions, &mixed),
        definition(FAILING, &functions, &failing),
        definition(STOPPED, &functions, &[sleeps("wait", 2)]),
    ]
}

/// What a run of the mixed workflow puts out, however often it was interrupted.
fn output(run: &str) -> Value {
    let branch = |function: &str| json!({"run": run, "trail": ["first", function]});
    json!({"run": run, "trail": [branch("left"), branch("middle"), branch("right"), "one", "two", "three"]})
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    starts: Vec<(&'static str, String)>,
    stops: Vec<String>,
}

/// Starts executions at random moments, and stops some, until the process is gone.
fn keep_calling(address: SocketAddr, life: usize, is_over: &AtomicBool, acknowledged: &Mutex<Acknowledged>) {
    let mut random = Random::new(life as u64);
    let call = |call: &Call| {
        let answer = try_exchange(address, &signed(call));
        assert!(answer.is_some() || is_over.load(Ordering::SeqCst), "the process went away by itself");
        answer
    };
    for number in 0..8 {
        let (workflow, name) = (WORKFLOWS[random.below(5).saturating_sub(2)], format!("{life}-{number}"));
        let Some(answer) = call(&start(workflow, &name)) else { return };
        assert_eq!(answer.status, 200, "{answer:?}");
        acknowledged.lock().expect("a list").starts.push((workflow, name.clone()));
        std::thread::sleep(Duration::from_millis(random.below(60) as u64));
        if workflow == STOPPED && random.one_in(2) {
            let Some(answer) = call(&Call::stop(Api::V2, STOPPED, &name)) else { return };
            if answer.status == 200 {
                acknowledged.lock().expect("a list").stops.push(name);
            }
        }
    }
}

#[test]
fn after_two_hundred_kills_every_acknowledged_execution_has_ended_once_and_as_it_should() {
    let functions = functions();
    let place = Place::new(1, &definitions(&functions));
    let mut random = Random::new(20_261_121);
    let acknowledged = Mutex::new(Acknowledged::default());
    let begun = Instant::now();
    // The first life is long enough to load the workflows.
    drop(place.serve());
    functions.next_life();
    for life in 0..KILLS {
        let longest = if random.one_in(4) { 1200 } else { 250 };
        let moment = Duration::from_millis(random.below(longest) as u64);
        let killed = if random.one_in(8) {
            // While it starts, and goes on with what it finds.
            let process = Process::spawn(&mut place.command());
            std::thread::sleep(moment / 2);
            process.kill()
        } else {
            let (process, address) = place.serve();
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| keep_calling(address, life, &is_over, &acknowledged));
                std::thread::sleep(moment);
                is_over.store(true, Ordering::SeqCst);
                process.kill()
            })
        };
        assert_eq!(killed.status.code(), None, "it ended by itself: {killed:?}");
        check_log(&killed.stderr);
        functions.next_life();
    }
    let killing = begun.elapsed();
    let (process, _) = place.serve();
    place.ledger().wait_until_all_ended();
    let stopped = process.stop();
    assert_eq!(stopped.status.code(), Some(0));
    check_log(&stopped.stderr);

    let acknowledged = acknowledged.into_inner().expect("a list");
    let all = examine(&place, &WORKFLOWS);
    eprintln!(
        "{KILLS} kills in {killing:?}, then {:?} until all had ended; {} executions and {} stops were acknowledged, {} \
         recorded, with {} journal entries; {} calls",
        begun.elapsed() - killing,
        acknowledged.starts.len(),
        acknowledged.stops.len(),
        all.len(),
        all.values().map(|ended| ended.entries.len()).sum::<usize>(),
        functions.made().len(),
    );
    assert!(acknowledged.starts.len() >= KILLS / 4 && !acknowledged.stops.is_empty(), "enough was going on");
    for (workflow, name) in &acknowledged.starts {
        let ended = all.get(name).unwrap_or_else(|| panic!("{name} was acknowledged and is gone"));
        assert_eq!(ended.execution.key.record_id(), record_id(workflow, name));
    }
    for (name, Ended { execution, .. }) in &all {
        let ending = execution.ending.as_ref().expect("an ended execution has an ending");
        match (execution.workflow_name.as_str(), ending.status) {
            (MIXED, Status::Succeeded) => assert_eq!(all[name].output(), Some(&output(name))),
            (FAILING, Status::Failed) => {
                assert_eq!(ending.failure.as_ref().map(|failure| failure.error.as_str()), Some("Http.500"), "{name}");
            }
            (STOPPED, Status::Succeeded) => assert!(!acknowledged.stops.contains(name), "{name} was stopped"),
            (STOPPED, Status::Cancelled) => {}
            (workflow, status) => panic!("{name} of {workflow} is {status:?}"),
        }
    }
    check_calls(&functions, &all);
}

fn check_log(log: &str) {
    for line in log.lines() {
        // Everything that is logged at this level, but for the warning that the sample credentials are in use.
        assert!(line.contains("sample credentials"), "{line}");
    }
}

/// Checks that a call was repeated because a crash lost its result or because the flow asks for it, and for nothing else.
fn check_calls(functions: &Functions, all: &BTreeMap<String, Ended>) {
    let mut in_life: BTreeMap<(String, String, usize), (usize, usize)> = BTreeMap::new();
    let mut reached: BTreeMap<String, usize> = BTreeMap::new();
    let mut crash_repeats = 0;
    for made in functions.made() {
        // What one node put out is durable before the next begins: no crash leads back behind a call.
        let node = NODES.iter().position(|functions| functions.contains(&made.function.as_str())).expect("a node");
        let furthest = reached.entry(made.run.clone()).or_default();
        assert!(*furthest <= node, "{made:?} is called again after a later node was called");
        *furthest = node;
        let ended = all.get(&made.run).unwrap_or_else(|| panic!("{made:?} is of no execution"));
        let results = ended.results_of(&made.function);
        let last = results.iter().max().expect("a function that was called has a result");
        assert!(made.at <= *last, "{made:?} is repeated, but its result was durable at {last:?}");
        let (count, failed) = in_life.entry((made.run, made.function, made.life)).or_default();
        *count += 1;
        *failed += usize::from(made.failed);
        // Whatever failed the flow may repeat. Anything else is called once by each process that finds no result of it.
        assert!(*count <= 1 + *failed - usize::from(made.failed), "called again without a crash in between");
    }
    for (name, ended) in all {
        for function in ended.tasks.values() {
            let of_it =
                in_life.range((name.clone(), function.clone(), 0)..=(name.clone(), function.clone(), usize::MAX));
            let made = of_it.clone().map(|(_, (count, _))| count).sum::<usize>();
            let results = ended.results_of(function).len();
            // Each crash while it was in flight, which is each life in which it was called but the last, repeats it once.
            let crashes = of_it.count().saturating_sub(1);
            assert!((results..=results + crashes).contains(&made), "{name} {function}: {made} {results} {crashes}");
            crash_repeats += made - results;
        }
    }
    eprintln!("{crash_repeats} calls were repeated because of a crash");
}
