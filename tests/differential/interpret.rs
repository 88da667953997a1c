//! Runs cases of the differential test on the embedded engine; `scripted.py` beside this file says what a case is.
//!
//! Time is virtual: it passes only from one thing that a run waits for to the next.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Write, stdin, stdout};
use std::sync::Arc;

use anyhow::{Context, Result};
use flowgate::clock::Timestamp;
use flowgate::engine::embedded::{BranchId, Call, Entry, Event, Failure, Machine, Outcome, Run};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    name: String,
    machine: String,
    start: Value,
    functions: HashMap<String, Vec<Step>>,
}

/// What a function does when it is called.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Return(Value),
    Echo {},
    Throw(Box<RawValue>),
    Refuse(Refusal),
    Slow {},
}

#[derive(Clone, Deserialize)]
struct Refusal {
    error: String,
    cause: String,
}

/// The functions of a case, and what was asked of them.
struct Functions {
    steps: HashMap<String, Vec<Step>>,
    made: HashMap<String, usize>,
    calls: Vec<(String, Value)>,
}

/// A call that is not answered yet: when it ends, and how.
type Answer = (Timestamp, Result<Value, Failure>);

impl Functions {
    fn call(&mut self, call: &Call<'_>, now: Timestamp) -> Result<Answer> {
        let name = call.function_name;
        let steps = self.steps.get(name).with_context(|| format!("`{name}` is no function of the case"))?;
        let made = self.made.entry(name.to_owned()).or_default();
        let step = steps[(*made).min(steps.len() - 1)].clone();
        *made += 1;
        self.calls.push((name.to_owned(), call.payload.clone()));
        Ok(match step {
            Step::Refuse(Refusal { error, cause }) => (now, Err(Failure::new(error, cause))),
            _ if call.asynchronous => (now, Ok(Value::Null)),
            Step::Return(value) => (now, Ok(value)),
            Step::Echo {} => (now, Ok(call.payload.clone())),
            Step::Throw(thrown) => {
                let thrown: Value = serde_json::from_str(thrown.get())?;
                let error = thrown["errorType"].as_str().context("an error has a type")?;
                (now, Err(Failure::new(error, thrown.to_string())))
            }
            Step::Slow {} => {
                let seconds = call.timeout_seconds.context("a slow function needs a time limit")?;
                (now.plus_seconds(seconds.into()), Err(Failure::new(Failure::TIMEOUT, "")))
            }
        })
    }
}

fn main() -> Result<()> {
    for line in stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line?)?;
        let name = case.name.clone();
        let outcome = run(case).with_context(|| name)?;
        writeln!(stdout(), "{outcome}")?;
    }
    Ok(())
}

fn run(case: Case) -> Result<Value> {
    let machine = Arc::new(Machine::parse(&case.machine)?);
    let mut functions = Functions { steps: case.functions, made: HashMap::new(), calls: Vec::new() };
    let mut waits = Vec::new();
    let mut answers: BTreeMap<BranchId, Answer> = BTreeMap::new();
    let mut now = Timestamp::from_millis(0);
    let mut run = Run::begin(machine, case.start, now);
    loop {
        loop {
            let progress = run.proceed(now, &mut || 1.0);
            waits.extend(progress.entries.iter().filter_map(waited));
            if !progress.more {
                break;
            }
        }
        if run.outcome().is_some() {
            break;
        }
        let pending = run.pending();
        for call in &pending.calls {
            if !answers.contains_key(&call.branch) {
                answers.insert(call.branch.clone(), functions.call(call, now)?);
            }
        }
        let ends = answers.values().map(|(at, _)| *at).chain(pending.wake_at);
        now = ends.min().context("the run waits for nothing and has not ended")?;
        for (branch, (_, result)) in answers.extract_if(.., |_, (at, _)| *at <= now) {
            run.returned(&branch, result);
        }
    }
    let (status, output, failure) = match run.outcome() {
        Some(Outcome::Succeeded(output)) => ("SUCCEEDED", output.clone(), None),
        Some(Outcome::Failed(failure)) => ("FAILED", Value::Null, Some(failure)),
        _ => ("TIMED_OUT", Value::Null, None),
    };
    Ok(json!({
        "name": case.name,
        "status": status,
        "output": output,
        "error": failure.map(|failure| &failure.error),
        "cause": failure.map(|failure| &failure.cause),
        "calls": functions.calls,
        "waits": waits,
    }))
}

/// How many seconds a Wait state is to take, where an entry is of one that begins.
fn waited(entry: &Entry) -> Option<i64> {
    match entry.event {
        Event::Waits { until } => Some((until.millis() - entry.at.millis()) / 1000),
        _ => None,
    }
}
