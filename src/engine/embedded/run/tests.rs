//! Machines with scripted functions, at a time of their own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What a function returns or throws, given the call and how many entries its branch has: nothing that a restart forgets.
type Script<'a> = &'a dyn Fn(&Call<'_>, usize) -> Result<Value, Failure>;

/// A run that is driven, and everything that there is to see of it.
struct Driven {
    run: Run,
    now: Timestamp,
    entries: Vec<Entry>,
    /// The function and the payload of each call.
    calls: Vec<(String, Value)>,
}

const BEGIN: Timestamp = Timestamp::MIN;

fn parse(definition: &Value) -> Arc<Machine> {
    Arc::new(Machine::parse(&definition.to_string()).unwrap_or_else(|error| panic!("{error}: {definition:#}")))
}

impl Driven {
    fn begin(machine: &Arc<Machine>, input: Value) -> Self {
        let run = Run::begin(machine.clone(), input, BEGIN);
        Self { run, now: BEGIN, entries: Vec::new(), calls: Vec::new() }
    }

    fn resume(machine: &Arc<Machine>, input: Value, entries: &[Entry]) -> Self {
        // What is read again was written before.
        let read = entries.iter().map(|entry| {
            let text = serde_json::to_string(entry).expect("an entry is written");
            serde_json::from_str(&text).expect("an entry is read")
        });
        let run = Run::resume(machine.clone(), input, BEGIN, read).expect("the entries fit");
        let now = entries.last().map_or(BEGIN, |entry| entry.at);
        Self { run, now, entries: entries.to_vec(), calls: Vec::new() }
    }

    fn rest(&mut self) {
        loop {
            let progress = self.run.proceed(self.now, &mut || 0.5);
            assert!(!progress.more || !progress.entries.is_empty(), "it goes on");
            self.entries.extend(progress.entries);
            if !progress.more {
                return;
            }
        }
    }

    /// Runs to the end: results come in the order of the branches, and time passes when there is nothing else to do.
    fn run_to_the_end(mut self, script: Script<'_>) -> (Outcome, Vec<Entry>, Vec<(String, Value)>) {
        loop {
            self.rest();
            if let Some(outcome) = self.run.outcome() {
                return (outcome.clone(), self.entries, self.calls);
            }
            let pending = self.run.pending();
            if let Some(call) = pending.calls.first() {
                let made = self.entries.iter().filter(|entry| entry.branch == call.branch).count();
                self.calls.push((call.function_name.to_owned(), call.payload.clone()));
                let (branch, result) = (call.branch.clone(), script(call, made));
                self.run.returned(&branch, result);
            } else {
                let wake_at = pending.wake_at.expect("a run that has not ended waits for something");
                assert!(wake_at > self.now, "what is due is done");
                self.now = wake_at;
            }
        }
    }
}

fn run(definition: &Value, input: Value, script: Script<'_>) -> (Outcome, Vec<Entry>, Vec<(String, Value)>) {
    Driven::begin(&parse(definition), input).run_to_the_end(script)
}

fn no_calls(call: &Call<'_>, _: usize) -> Result<Value, Failure> {
    panic!("{} is called", call.function_name)
}

fn machine(states: Value) -> Value {
    json!({"StartAt": "a", "States": states})
}

fn task(fields: Value) -> Value {
    let mut task = json!({
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "ResultSelector": {"out.$": "$.Payload"},
        "Parameters": {"FunctionName": "f", "Payload.$": "$.in"},
    });
    task.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    task
}

fn seconds_of(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| (entry.at.millis() - BEGIN.millis()) / 1000).collect()
}

#[test]
fn a_pass_puts_its_result_in_its_place() {
    let pass = |fields: Value| {
        let mut pass = json!({"Type": "Pass", "End": true});
        pass.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        run(&machine(json!({"a": pass})), json!({"x": {"y": 1}}), &no_calls).0
    };
    for (fields, output) in [
        (json!({}), json!({"x": {"y": 1}})),
        (json!({"InputPath": "$.x"}), json!({"y": 1})),
        (json!({"InputPath": "$$.Execution.Input.x.y", "ResultPath": "$.z"}), json!({"x": {"y": 1}, "z": 1})),
        (json!({"Result": [1], "ResultPath": "$.x"}), json!({"x": [1]})),
        (json!({"Parameters": {"k.$": "$.x.y"}, "ResultPath": "$.n.m"}), json!({"n": {"m": {"k": 1}}, "x": {"y": 1}})),
        (json!({"InputPath": "$.x", "Parameters": {"k.$": "$.y"}}), json!({"k": 1})),
        (json!({"Result": 1, "ResultPath": null}), json!({"x": {"y": 1}})),
    ] {
        assert_eq!(pass(fields.clone()), Outcome::Succeeded(output), "{fields}");
    }
    for (fields, error) in [
        (json!({"InputPath": "$.z"}), "States.Runtime"),
        (json!({"Parameters": {"k.$": "$.x.z"}}), "States.Runtime"),
        (json!({"Result": 1, "ResultPath": "$.x.y.z"}), "States.ResultPathMatchFailure"),
        (json!({"Parameters": {"k.$": "States.StringToJson($.x)"}}), "States.IntrinsicFailure"),
    ] {
        match pass(fields.clone()) {
            Outcome::Failed(failure) => {
                assert_eq!(failure.error, error, "{fields}");
                assert!(failure.cause.starts_with("state `a`: "), "{failure:?}");
            }
            other => panic!("{fields}: {other:?}"),
        }
    }
}

#[test]
fn a_choice_goes_the_first_way_that_holds() {
    let definition = machine(json!({
        "a": {"Type": "Choice", "Default": "d", "Choices": [
            {"Variable": "$.n", "NumericLessThan": 1, "Next": "b"}, {"Variable": "$.n", "NumericLessThan": 2, "Next": "c"}]},
        "b": {"Type": "Pass", "Result": "b", "End": true}, "c": {"Type": "Pass", "Result": "c", "End": true},
        "d": {"Type": "Pass", "Result": "d", "End": true},
    }));
    for (n, way) in [(0, "b"), (1, "c"), (2, "d")] {
        assert_eq!(run(&definition, json!({"n": n}), &no_calls).0, Outcome::Succeeded(way.into()));
    }
    let Outcome::Failed(failure) = run(&definition, json!({}), &no_calls).0 else { panic!("it fails") };
    assert_eq!(failure, Failure::runtime("state `a`: the path `$.n` leads to nothing"));
}

#[test]
fn a_wait_ends_when_it_began_to_end_wherever_it_is_resumed() {
    let definition =
        machine(json!({"a": {"Type": "Wait", "Seconds": 60, "Next": "b"}, "b": {"Type": "Pass", "End": true}}));
    let parsed = parse(&definition);
    let mut driven = Driven::begin(&parsed, json!(1));
    driven.rest();
    let until = BEGIN.plus_seconds(60);
    assert_eq!(driven.run.pending(), Pending { calls: Vec::new(), wake_at: Some(until) });
    assert_eq!(driven.entries.len(), 1);
    let mut again = Driven::resume(&parsed, json!(1), &driven.entries);
    again.now = BEGIN.plus_seconds(59);
    again.rest();
    assert_eq!(again.run.pending().wake_at, Some(until));
    again.now = BEGIN.plus_seconds(1000);
    again.rest();
    assert_eq!(again.run.outcome(), Some(&Outcome::Succeeded(json!(1))));
}

#[test]
fn a_fail_state_fails_with_its_error_and_cause() {
    let fail = |cause: &str| {
        let definition = machine(json!({"a": {"Type": "Fail", "Error": "E", "CausePath": cause}}));
        let Outcome::Failed(failure) = run(&definition, json!({"t": "why", "n": 1}), &no_calls).0 else {
            panic!("it fails")
        };
        failure
    };
    assert_eq!(fail("$.t"), Failure::new("E", "why"));
    assert_eq!(fail("States.JsonToString($)"), Failure::new("E", r#"{"n":1,"t":"why"}"#));
    assert_eq!(fail("$.n").error, "States.Runtime");
    assert_eq!(fail("$.x").error, "States.Runtime");
}

#[test]
fn a_call_is_repeated_with_backoff_as_often_as_its_retrier_says() {
    let definition = machine(json!({"a": task(json!({
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}], "End": true,
    }))}));
    let busy = |_: &Call<'_>, _: usize| Err(Failure::new("Busy", "later"));
    let (outcome, entries, calls) = run(&definition, json!({"in": 1}), &busy);
    assert_eq!(outcome, Outcome::Failed(Failure::new("Busy", "later")));
    assert_eq!((calls.len(), seconds_of(&entries)), (4, vec![0, 2, 6, 14]));

    let (outcome, _, calls) = run(&definition, json!({"in": 1}), &|_, made| match made {
        0 => Err(Failure::new("Busy", "")),
        made => Ok(json!(made)),
    });
    assert_eq!((outcome, calls.len()), (Outcome::Succeeded(json!({"out": 1})), 2));

    let mut jittered = definition.clone();
    jittered["States"]["a"]["Retry"][0]["JitterStrategy"] = json!("FULL");
    assert_eq!(seconds_of(&run(&jittered, json!({"in": 1}), &busy).1), [0, 1, 3, 7], "the script's chance is a half");

    let (outcome, _, calls) = run(&definition, json!({"in": 1}), &|_, _| Err(Failure::new("Other", "")));
    assert_eq!((outcome, calls.len()), (Outcome::Failed(Failure::new("Other", "")), 1));
}

#[test]
fn the_first_catcher_that_is_meant_catches() {
    let definition = machine(json!({
        "a": task(json!({"End": true, "Catch": [
            {"ErrorEquals": ["States.Timeout", "Late"], "ResultPath": "$.late", "Next": "b"},
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "b"}]})),
        "b": {"Type": "Pass", "End": true},
    }));
    let with = |error: &str| run(&definition, json!({"in": 1}), &|_, _| Err(Failure::new(error, "why"))).0;
    let caught = |error: &str| json!({"Error": error, "Cause": "why"});
    assert_eq!(with("Late"), Outcome::Succeeded(json!({"in": 1, "late": caught("Late")})));
    assert_eq!(with("States.Timeout"), Outcome::Succeeded(json!({"in": 1, "late": caught("States.Timeout")})));
    assert_eq!(with("Any"), Outcome::Succeeded(json!({"in": 1, "error": caught("Any")})));
    for error in ["States.Runtime", "States.DataLimitExceeded"] {
        assert_eq!(with(error), Outcome::Failed(Failure::new(error, "why")));
    }
    let Outcome::Failed(failure) = run(&definition, json!({}), &no_calls).0 else { panic!("it fails") };
    assert_eq!(failure.error, "States.Runtime", "a payload's path that leads to nothing is not caught");
}

#[test]
fn an_asynchronous_call_has_no_result() {
    let mut call = task(json!({"End": true, "ResultPath": null}));
    call["Parameters"]["InvocationType"] = json!("Event");
    let definition = machine(json!({"a": call}));
    let (outcome, _, _) = run(&definition, json!({"in": 1}), &|call, _| {
        assert!(call.asynchronous);
        Ok(Value::Null)
    });
    assert_eq!(outcome, Outcome::Succeeded(json!({"in": 1})));
}

fn parallel(branches: &[Value]) -> Value {
    let branches: Vec<Value> = branches.iter().map(|a| json!({"StartAt": "p", "States": {"p": a}})).collect();
    machine(json!({
        "a": {"Type": "Parallel", "Branches": branches, "ResultSelector": {"first.$": "$[0]", "all.$": "$"},
            "ResultPath": "$.branches", "Next": "b"},
        "b": {"Type": "Pass", "End": true},
    }))
}

#[test]
fn branches_run_side_by_side_and_are_joined_in_their_order() {
    let call = |name: &str| {
        let mut call = task(json!({"End": true}));
        call["Parameters"]["FunctionName"] = json!(name);
        call
    };
    let definition = parallel(&[call("f"), json!({"Type": "Wait", "Seconds": 5, "End": true}), call("g")]);
    let mut driven = Driven::begin(&parse(&definition), json!({"in": 7}));
    driven.rest();
    let pending = driven.run.pending();
    let called: Vec<_> =
        pending.calls.iter().map(|call| (call.branch.clone(), call.function_name, call.payload)).collect();
    assert_eq!(called, [(vec![0], "f", &json!(7)), (vec![2], "g", &json!(7))]);
    assert_eq!(pending.wake_at, Some(BEGIN.plus_seconds(5)));
    driven.run.returned(&[2], Ok(json!("second")));
    driven.run.returned(&[2], Ok(json!("twice")));
    driven.run.returned(&[1], Ok(json!("nobody waits")));
    driven.run.returned(&[5, 0], Ok(json!("no such branch")));
    driven.rest();
    assert_eq!(driven.run.pending().calls.len(), 1);
    let (outcome, _, _) = driven.run_to_the_end(&|_, _| Ok(json!("first")));
    let first = json!({"out": "first"});
    let branches = json!({"first": first, "all": [first, {"in": 7}, {"out": "second"}]});
    assert_eq!(outcome, Outcome::Succeeded(json!({"in": 7, "branches": branches})));
}

#[test]
fn a_branch_that_fails_fails_the_execution() {
    let wait = json!({"Type": "Wait", "Seconds": 5, "End": true});
    let definition = parallel(&[wait, json!({"Type": "Fail", "Error": "E"})]);
    let (outcome, entries, _) = run(&definition, json!({}), &no_calls);
    assert_eq!(outcome, Outcome::Failed(Failure::new("E", "")));
    assert_eq!((entries.len(), &entries[1].branch[..]), (2, &[1][..]));
}

#[test]
fn parallel_states_nest() {
    let inner = parallel(&[task(json!({"End": true})), task(json!({"End": true}))]);
    let mut definition = parallel(&[json!({"Type": "Pass", "End": true})]);
    definition["States"]["a"]["Branches"].as_array_mut().expect("branches").push(inner);
    let (outcome, _, calls) = run(&definition, json!({"in": 1}), &|call, _| {
        assert_eq!(call.branch[0], 1);
        Ok(json!(call.branch[1]))
    });
    assert_eq!(calls.len(), 2);
    let Outcome::Succeeded(output) = outcome else { panic!("it succeeds") };
    assert_eq!(output["branches"]["all"][1]["branches"]["all"], json!([{"out": 0}, {"out": 1}]));
}

#[test]
fn the_time_of_a_machine_counts_from_its_start() {
    let mut definition = machine(json!({"a": {"Type": "Wait", "Seconds": 60, "End": true}}));
    definition["TimeoutSeconds"] = json!(10);
    let (outcome, entries, _) = run(&definition, json!({}), &no_calls);
    assert_eq!((outcome, seconds_of(&entries)), (Outcome::TimedOut, vec![0, 10]));
    let mut late = Driven::resume(&parse(&definition), json!({}), &entries[..1]);
    late.now = BEGIN.plus_seconds(3600);
    late.rest();
    assert_eq!(late.run.outcome(), Some(&Outcome::TimedOut));
}

#[test]
fn a_document_beyond_the_limit_fails_the_execution() {
    let large = Value::from("x".repeat(262_142));
    let everything = json!([{"ErrorEquals": ["States.ALL"], "Next": "a"}]);
    let definition = machine(json!({"a": task(json!({"End": true, "Catch": everything, "ResultPath": null}))}));
    let (outcome, _, _) = run(&definition, json!({"in": 1}), &|_, _| Ok(large.clone()));
    assert_eq!(outcome, Outcome::Succeeded(json!({"in": 1})), "just as large as it may be");
    let limit = |outcome: Outcome| match outcome {
        Outcome::Failed(failure) => assert_eq!(failure.error, "States.DataLimitExceeded"),
        other => panic!("{other:?}"),
    };
    limit(run(&definition, json!({"in": 1}), &|_, _| Ok(json!([large]))).0);
    limit(run(&definition, json!({"in": [large]}), &no_calls).0);
    let pass = machine(json!({"a": {"Type": "Pass", "End": true, "Parameters": {"k.$": "$"}}}));
    limit(run(&pass, large.clone(), &no_calls).0);
}

#[test]
fn a_circle_of_pure_states_does_not_hang_and_comes_to_an_end() {
    let definition = machine(json!({
        "a": {"Type": "Pass", "Next": "b"},
        "b": {"Type": "Choice", "Choices": [], "Default": "a"},
    }));
    let parsed = parse(&definition);
    let progress = Run::begin(parsed.clone(), json!(1), BEGIN).proceed(BEGIN, &mut || 0.0);
    assert_eq!((progress.entries.len(), progress.more), (ENTRIES_AT_ONCE, true));
    let (outcome, entries, _) = Driven::begin(&parsed, json!(1)).run_to_the_end(&no_calls);
    assert_eq!(entries.len(), MAX_ENTRIES);
    let Outcome::Failed(failure) = outcome else { panic!("it fails") };
    assert_eq!(failure.error, "States.Runtime");
}

#[test]
fn large_results_are_to_be_written_soon() {
    let large = json!({"Type": "Pass", "Next": "b", "Result": "x".repeat(150_000)});
    let definition = machine(json!({"a": large, "b": {"Type": "Pass", "Next": "a"}}));
    let progress = Run::begin(parse(&definition), json!(1), BEGIN).proceed(BEGIN, &mut || 0.0);
    assert_eq!((progress.entries.len(), progress.more), (2, true));
}

#[test]
fn a_journal_of_another_machine_is_refused() {
    let definition =
        machine(json!({"a": {"Type": "Pass", "Next": "b"}, "b": {"Type": "Wait", "Seconds": 1, "End": true}}));
    let entry = |branch: &[u16], state: &str, event: Event| Entry {
        branch: branch.to_vec(),
        state: state.to_owned(),
        at: BEGIN,
        event,
    };
    let done = |next: Option<&str>| Event::Done { result: None, next: next.map(str::to_owned) };
    for (entries, number, reason) in [
        (vec![entry(&[0], "a", done(None))], 0, "there is no such branch"),
        (vec![entry(&[], "b", done(None))], 0, "the branch is in another state"),
        (vec![entry(&[], "a", done(Some("c")))], 0, "there is no such state to go on with"),
        (vec![entry(&[], "a", Event::Waits { until: BEGIN })], 0, "that does not happen to a state of this type"),
        (vec![entry(&[], "a", done(None)), entry(&[], "b", done(None))], 1, "the execution has ended"),
    ] {
        let error = Run::resume(parse(&definition), json!(1), BEGIN, entries).expect_err(reason);
        assert_eq!(error, ReplayError { number, reason });
    }
}

/// Any tree of states that comes to an end: states go on to later ones only, but for a loop that counts.
fn any_scope(depth: u32) -> BoxedStrategy<Value> {
    let branches: BoxedStrategy<Vec<Value>> =
        if depth == 0 { Just(Vec::new()).boxed() } else { prop::collection::vec(any_scope(depth - 1), 0..4).boxed() };
    let state = (0..7_u8, branches, 1..20_u32, any::<prop::sample::Index>());
    prop::collection::vec(state, 1..6)
        .prop_map(|states| {
            let count = states.len();
            let name = |index: usize| format!("s{index}");
            let mut written = serde_json::Map::new();
            for (index, (kind, branches, number, way)) in states.into_iter().enumerate() {
                let far = index + 1 + way.index(count - index);
                let mut state = match kind {
                    0 => json!({"Type": "Pass", "Parameters": {"in.$": "$.in", "old.$": "$"}, "ResultPath": "$.passed"}),
                    1 => json!({"Type": "Pass", "InputPath": "$$.Execution.Input", "ResultPath": "$.begun"}),
                    2 => json!({"Type": "Choice", "Default": name(far), "Choices": [
                        {"Variable": "$.in", "NumericLessThan": number, "Next": name(index + 1)}]}),
                    3 => json!({"Type": "Wait", "Seconds": number}),
                    4 if !branches.is_empty() => json!({
                        "Type": "Parallel", "Branches": branches, "ResultSelector": {"b.$": "$[0].in"}, "ResultPath": "$.joined",
                    }),
                    5 if number < 4 => json!({"Type": "Pass", "Parameters": {"in.$": "$.missing"}}),
                    _ => json!({
                        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 5,
                        "Parameters": {"FunctionName": format!("f{}", number % 3), "Payload": {"n.$": "$.in", "k": number}},
                        "ResultSelector": {"out.$": "$.Payload"}, "ResultPath": "$.result",
                        "Retry": [{"ErrorEquals": ["Busy"], "JitterStrategy": "FULL"}],
                        "Catch": [{"ErrorEquals": ["Bad", "Busy"], "ResultPath": "$.error", "Next": name(far)}],
                    }),
                };
                if state["Type"] != "Choice" {
                    state["Next"] = name(index + 1).into();
                }
                written.insert(name(index), state);
            }
            written.insert(name(count), json!({"Type": "Pass", "End": true}));
            json!({"StartAt": "s0", "States": written})
        })
        .boxed()
}

/// A result that depends on nothing but the call, its branch's history and a seed.
fn any_result(seed: u64, call: &Call<'_>, made: usize) -> Result<Value, Failure> {
    let text = format!("{seed} {:?} {} {} {made}", call.branch, call.state, call.payload);
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    match (hash >> 20) % 8 {
        0 | 1 => Err(Failure::new("Busy", "later")),
        2 => Err(Failure::new("Bad", "no")),
        3 if hash >> 40 & 3 == 0 => Err(Failure::new("Fatal", "never")),
        _ => Ok(json!({"hash": hash})),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_run_goes_on_after_any_entry_as_if_nothing_had_happened(
        mut definition in any_scope(2), seed in any::<u64>(), timeout in prop::option::of(10..100_u32),
    ) {
        if let Some(timeout) = timeout {
            definition["TimeoutSeconds"] = timeout.into();
        }
        let (machine, input) = (parse(&definition), json!({"in": 10}));
        let script = |call: &Call<'_>, made: usize| any_result(seed, call, made);
        let (outcome, entries, calls) = Driven::begin(&machine, input.clone()).run_to_the_end(&script);
        for written in 0..=entries.len() {
            let resumed = Driven::resume(&machine, input.clone(), &entries[..written]);
            let (resumed_outcome, resumed_entries, resumed_calls) = resumed.run_to_the_end(&script);
            prop_assert_eq!(&resumed_outcome, &outcome);
            prop_assert_eq!(&resumed_entries, &entries);
            prop_assert!(calls.ends_with(&resumed_calls));
        }
    }
}

/// Whatever the functions of the compiled flows do, the run comes to an end, and so it does wherever it is resumed.
#[test]
fn every_compiled_flow_runs_to_an_end() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/flows");
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if !path.to_string_lossy().ends_with(".asl.json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a text");
        let machine = Arc::new(Machine::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        for seed in 0..40_u64 {
            let body = json!({"a": 1, "x": "y", "b": {"c": 2}, "order": {"total": 5}, "items": [{"ok": true}]});
            let input = json!({"input": body, "headers": {}, "merge": seed % 2 == 0});
            let script = |call: &Call<'_>, made: usize| match any_result(seed, call, made) {
                Err(failure) if failure.error == "Busy" => Err(Failure::new("Lambda.TooManyRequestsException", "")),
                Err(failure) => Err(Failure::new(failure.error, r#"{"errorCode": 404, "errorMessage": "no"}"#)),
                Ok(_) if seed % 4 == 0 => Ok(json!({"errorCode": 500})),
                Ok(value) => Ok(json!({"status": "done", "items": [{"ok": true}], "n": value})),
            };
            let driven = Driven::begin(&machine, input.clone());
            let (outcome, entries, _) = driven.run_to_the_end(&script);
            let again = Driven::resume(&machine, input, &entries[..entries.len() / 2]);
            assert_eq!(again.run_to_the_end(&script).0, outcome, "{}", path.display());
            let kind = match outcome {
                Outcome::Succeeded(_) => "succeeded",
                Outcome::Failed(_) => "failed",
                Outcome::TimedOut => "timed out",
            };
            *outcomes.entry(kind).or_default() += 1;
        }
    }
    assert!(outcomes["succeeded"] > 300 && outcomes["failed"] > 100, "{outcomes:?}");
}
