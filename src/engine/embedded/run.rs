//! The run of one execution: pure state. It reads no clock, makes no call and writes nothing; it says what there is to do.
//!
//! Everything that happens is an [`Entry`], and nothing but an entry changes where a run stands, whether it happens now
//! ([`Run::proceed`]) or is read from a journal ([`Run::resume`]). So a resumed run stands where the other one stood.

mod retelling;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::entry::{BranchId, Entry, Event};
use super::failure::{Failure, bytes, within_limit};
use super::machine::{Machine, Next, Pass, Retrier, Scope, State, Task};
use super::path::{Documents, ResultPath};
use super::template::Template;
use crate::clock::Timestamp;

/// The most entries that a run may have. Step Functions ends an execution with its 25,000th event, of which it has more:
/// what runs there is not ended here. <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
pub const MAX_ENTRIES: usize = 25_000;

/// How many entries [`Run::proceed`] makes before it gives others a turn.
const ENTRIES_AT_ONCE: usize = 200;

/// How many bytes of results [`Run::proceed`] collects before it wants them written; the last one may exceed it.
const BYTES_AT_ONCE: usize = 262_144;

/// The run of one execution.
#[derive(Debug)]
pub struct Run {
    machine: Arc<Machine>,
    input: Value,
    started_at: Timestamp,
    root: Branch,
    entries: usize,
    outcome: Option<Outcome>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With this output.
    Succeeded(Value),
    /// With an error that no state caught.
    Failed(Failure),
    /// The machine's own `TimeoutSeconds` were up.
    TimedOut,
}

/// What [`Run::proceed`] did.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What happened, in its order. It must be durable before anything that is [pending](Run::pending) is begun.
    pub entries: Vec<Entry>,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending<'a> {
    /// The calls whose results it waits for, whether they were begun or not.
    pub calls: Vec<Call<'a>>,
    /// When it goes on without any result.
    pub wake_at: Option<Timestamp>,
}

/// A call of a function. A branch waits for one at a time, so [`Call::branch`] tells the calls of a run apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// The branch that waits for it.
    pub branch: BranchId,
    /// The state that makes it.
    pub state: &'a str,
    /// The name or ARN of a Lambda function, or an `http(s)` address.
    pub function_name: &'a str,
    /// What the function gets.
    pub payload: &'a Value,
    /// Whether it is not waited for: its result is null as soon as it was accepted.
    pub asynchronous: bool,
    /// How long it may take. One that takes longer is to be given back as failed with [`Failure::TIMEOUT`].
    pub timeout_seconds: Option<u32>,
}

/// A journal that is not one of the machine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {number} of the journal does not fit the machine: {reason}")]
pub struct ReplayError {
    /// The number of the entry, from 0.
    pub number: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Where a branch stands.
#[derive(Debug)]
enum Branch {
    At(Box<Visit>),
    Ended(Value),
}

/// A state that was entered and not left yet.
#[derive(Debug)]
struct Visit {
    state: String,
    input: Value,
    /// How often the retrier had the call repeated.
    repetitions: u32,
    doing: Doing,
}

#[derive(Debug)]
enum Doing {
    /// Nothing yet.
    Entered,
    /// A Wait state waits, or a Task until it repeats its call.
    Waiting(Timestamp),
    /// A Task waits for the result of a call with this payload.
    Calling(Value),
    /// A Task got its result.
    Returned(Result<Value, Failure>),
    /// A Parallel state waits for its branches.
    Branching(Vec<Branch>),
}

/// Something that happens: an entry without its time, and for a state that ends its output.
struct Step {
    branch: BranchId,
    state: String,
    event: Event,
    output: Option<Value>,
}

/// What the states of a run share while it goes on.
struct Surroundings<'a> {
    execution_input: &'a Value,
    now: Timestamp,
    jitter: &'a mut dyn FnMut() -> f64,
}

impl Run {
    /// Begins a run. `started_at` is what the machine's `TimeoutSeconds` count from.
    pub fn begin(machine: Arc<Machine>, input: Value, started_at: Timestamp) -> Self {
        let root = Branch::entering(&machine.scope, &machine.scope.start, input.clone());
        Self { machine, input, started_at, root, entries: 0, outcome: None }
    }

    /// Goes on where the entries end. What was called and has no entry is called again.
    ///
    /// # Errors
    /// The entries are not those of a run of this machine.
    pub fn resume(
        machine: Arc<Machine>,
        input: Value,
        started_at: Timestamp,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<Self, ReplayError> {
        let mut run = Self::begin(machine, input, started_at);
        for entry in entries {
            run.follow(&entry, None).map_err(|reason| ReplayError { number: run.entries, reason })?;
            run.entries += 1;
        }
        Ok(run)
    }

    /// Goes on as far as is possible without the outside, or for some hundred states. `jitter` gives numbers from 0 to 1
    /// by chance.
    pub fn proceed(&mut self, now: Timestamp, jitter: &mut dyn FnMut() -> f64) -> Progress {
        let mut entries = Vec::new();
        let mut collected = 0;
        while entries.len() < ENTRIES_AT_ONCE && collected < BYTES_AT_ONCE {
            let Some(Step { branch, state, event, output }) = self.next_step(now, jitter) else {
                return Progress { entries, more: false };
            };
            if let Event::Done { result: Some(result), .. } = &event {
                collected += bytes(result);
            }
            let entry = Entry { branch, state, at: now, event };
            self.follow(&entry, output).expect("a step is of a state that the run is in");
            self.entries += 1;
            entries.push(entry);
        }
        Progress { entries, more: self.outcome.is_none() }
    }

    /// What the run waits for, once it can [proceed](Self::proceed) no more.
    pub fn pending(&self) -> Pending<'_> {
        let mut pending = Pending { calls: Vec::new(), wake_at: None };
        if self.outcome.is_none() {
            pending.wake_at = self.deadline();
            collect(&self.machine.scope, &self.root, &mut Vec::new(), &mut pending);
        }
        pending
    }

    /// Gives back the result of a call: what the function returned, or how it failed. One that is not waited for (any more)
    /// is forgotten.
    pub fn returned(&mut self, branch: &[u16], result: Result<Value, Failure>) {
        if let Some((_, Branch::At(visit))) = find(&self.machine.scope, &mut self.root, branch)
            && let Doing::Calling(_) = visit.doing
        {
            visit.doing = Doing::Returned(result);
        }
    }

    /// How it ended, once it did.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How many entries it has.
    pub fn entries(&self) -> usize {
        self.entries
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.machine.timeout_seconds.map(|seconds| self.started_at.plus_seconds(seconds.into()))
    }

    /// What happens next, if anything can.
    fn next_step(&mut self, now: Timestamp, jitter: &mut dyn FnMut() -> f64) -> Option<Step> {
        let is_late = self.deadline().is_some_and(|deadline| deadline <= now);
        let Branch::At(visit) = &mut self.root else { return None };
        if self.outcome.is_some() {
            return None;
        }
        if is_late {
            return Some(Step { branch: Vec::new(), state: visit.state.clone(), event: Event::TimedOut, output: None });
        }
        let mut surroundings = Surroundings { execution_input: &self.input, now, jitter };
        let step = next_step(&self.machine.scope, visit, &mut Vec::new(), &mut surroundings)?;
        if self.entries + 1 < MAX_ENTRIES {
            return Some(step);
        }
        let failure = Failure::runtime(format!("the execution has reached its limit of {MAX_ENTRIES} journal entries"));
        Some(Step { event: Event::Failed { failure }, output: None, ..step })
    }

    /// Lets an entry happen. The output is that of the state, if it is known already.
    fn follow(&mut self, entry: &Entry, output: Option<Value>) -> Result<(), &'static str> {
        if self.outcome.is_some() {
            return Err("the execution has ended");
        }
        let (scope, branch) =
            find(&self.machine.scope, &mut self.root, &entry.branch).ok_or("there is no such branch")?;
        let Branch::At(visit) = branch else { return Err("the branch has ended") };
        if visit.state != entry.state {
            return Err("the branch is in another state");
        }
        let mut put = |path: &ResultPath, result: Value| match &output {
            Some(output) => Ok(output.clone()),
            None => path.put(std::mem::take(&mut visit.input), result).map_err(|_| "there is no place for the result"),
        };
        match (&entry.event, scope.state(&visit.state).expect("a run is in states of its machine")) {
            (Event::Done { result, next }, state) => {
                let output = match (result, state.result_path()) {
                    (Some(result), Some(path)) => put(path, result.clone())?,
                    _ => std::mem::take(&mut visit.input),
                };
                *branch = match next {
                    None => Branch::Ended(output),
                    Some(next) if scope.state(next).is_some() => Branch::entering(scope, next, output),
                    Some(_) => return Err("there is no such state to go on with"),
                };
            }
            (Event::Caught { catcher, failure }, State::Task(task)) => {
                let catcher = task.catchers.get(*catcher).ok_or("there is no such catcher")?;
                let output = put(&catcher.result_path, caught(failure))?;
                *branch = Branch::entering(scope, &catcher.next, output);
            }
            (Event::Waits { until }, State::Wait { .. }) => visit.doing = Doing::Waiting(*until),
            (Event::Repeats { until, .. }, State::Task(_)) => {
                visit.repetitions += 1;
                visit.doing = Doing::Waiting(*until);
            }
            (Event::Failed { failure }, _) => self.outcome = Some(Outcome::Failed(failure.clone())),
            (Event::TimedOut, _) => self.outcome = Some(Outcome::TimedOut),
            _ => return Err("that does not happen to a state of this type"),
        }
        if let Branch::Ended(output) = &mut self.root {
            self.outcome = Some(Outcome::Succeeded(std::mem::take(output)));
        }
        Ok(())
    }
}

impl Branch {
    /// A branch that enters a state, and where that is a Parallel state the branches of that.
    fn entering(scope: &Scope, state: &str, input: Value) -> Self {
        let doing = match scope.state(state) {
            Some(State::Parallel(parallel)) => {
                let begun = |branch: &Scope| Self::entering(branch, &branch.start, input.clone());
                Doing::Branching(parallel.branches.iter().map(begun).collect())
            }
            _ => Doing::Entered,
        };
        Self::At(Box::new(Visit { state: state.to_owned(), input, repetitions: 0, doing }))
    }
}

impl State {
    /// Where its result goes, if it has one.
    fn result_path(&self) -> Option<&ResultPath> {
        match self {
            Self::Pass(pass) => Some(&pass.result_path),
            Self::Task(task) => Some(&task.result_path),
            Self::Parallel(parallel) => Some(&parallel.result_path),
            Self::Choice { .. } | Self::Wait { .. } | Self::Fail { .. } => None,
        }
    }
}

/// The branch of that id, and the states that it runs through.
fn find<'a>(mut scope: &'a Scope, mut branch: &'a mut Branch, id: &[u16]) -> Option<(&'a Scope, &'a mut Branch)> {
    for number in id {
        let Branch::At(visit) = branch else { return None };
        let State::Parallel(parallel) = scope.state(&visit.state)? else { return None };
        let Doing::Branching(branches) = &mut visit.doing else { return None };
        scope = parallel.branches.get(usize::from(*number))?;
        branch = branches.get_mut(usize::from(*number))?;
    }
    Some((scope, branch))
}

/// Collects what a branch waits for.
fn collect<'a>(scope: &'a Scope, branch: &'a Branch, id: &mut BranchId, pending: &mut Pending<'a>) {
    let Branch::At(visit) = branch else { return };
    match (&visit.doing, scope.state(&visit.state)) {
        (Doing::Waiting(until), _) => pending.wake_at = Some(pending.wake_at.map_or(*until, |at| at.min(*until))),
        (Doing::Calling(payload), Some(State::Task(task))) => pending.calls.push(Call {
            branch: id.clone(),
            state: &visit.state,
            function_name: &task.function_name,
            payload,
            asynchronous: task.asynchronous,
            timeout_seconds: task.timeout_seconds,
        }),
        (Doing::Branching(branches), Some(State::Parallel(parallel))) => {
            for (number, (scope, branch)) in (0..).zip(parallel.branches.iter().zip(branches)) {
                id.push(number);
                collect(scope, branch, id, pending);
                id.pop();
            }
        }
        _ => {}
    }
}

/// What happens next to a state or in the branches within it, if anything can.
fn next_step(
    scope: &Scope,
    visit: &mut Visit,
    branch: &mut BranchId,
    surroundings: &mut Surroundings<'_>,
) -> Option<Step> {
    let happens = match scope.state(&visit.state).expect("a run is in states of its machine") {
        State::Pass(pass) => {
            ends(pass_result(pass, visit, surroundings).map(Some), &pass.result_path, &pass.next, visit)
        }
        State::Choice { rules, default } => {
            let documents = surroundings.documents(&visit.input);
            let mut next = Ok(default);
            for (rule, way) in rules {
                match rule.holds(documents) {
                    Ok(false) => continue,
                    Ok(true) => next = Ok(way),
                    Err(failure) => next = Err(failure),
                }
                break;
            }
            next.map(|next| (Event::Done { result: None, next: Some(next.clone()) }, None))
        }
        State::Wait { seconds, next } => match visit.doing {
            Doing::Waiting(until) if until > surroundings.now => return None,
            Doing::Waiting(_) => Ok((Event::Done { result: None, next: next.clone() }, None)),
            _ => Ok((Event::Waits { until: surroundings.now.plus_seconds((*seconds).into()) }, None)),
        },
        State::Task(task) => task_step(task, visit, surroundings)?,
        State::Parallel(parallel) => {
            let Doing::Branching(branches) = &mut visit.doing else { return None };
            for (number, (scope, inner)) in (0..).zip(parallel.branches.iter().zip(branches.iter_mut())) {
                if let Branch::At(visit) = inner {
                    branch.push(number);
                    let step = next_step(scope, visit, branch, surroundings);
                    branch.pop();
                    if step.is_some() {
                        return step;
                    }
                }
            }
            let outputs = branches.iter().map(|branch| match branch {
                Branch::Ended(output) => Some(output.clone()),
                Branch::At(_) => None,
            });
            let result = Value::Array(outputs.collect::<Option<_>>()?);
            let result = select(parallel.selector.as_ref(), result, surroundings);
            ends(result.map(Some), &parallel.result_path, &parallel.next, visit)
        }
        State::Fail { error, cause } => {
            let documents = surroundings.documents(&visit.input);
            let cause = cause.as_ref().map(|cause| match cause.evaluate(documents)? {
                Value::String(cause) => Ok(cause),
                _ => Err(Failure::runtime("`CausePath` leads to something else than a text")),
            });
            cause.transpose().map(|cause| {
                let failure = Failure::new(error, cause.unwrap_or_default());
                (Event::Failed { failure }, None)
            })
        }
    };
    let (event, output) = happens.unwrap_or_else(|failure| (failed(failure, visit), None));
    Some(Step { branch: branch.clone(), state: visit.state.clone(), event, output })
}

/// What happens, and for a state that ends its output; or why the state cannot do its work.
type Happens = Result<(Event, Option<Value>), Failure>;

/// A state ends with a result, which is put in its place.
fn ends(result: Result<Option<Value>, Failure>, path: &ResultPath, next: &Next, visit: &Visit) -> Happens {
    let result = result?.filter(|_| *path != ResultPath::Discard);
    let Some(result) = result else { return Ok((Event::Done { result: None, next: next.clone() }, None)) };
    let output = path.put(visit.input.clone(), result.clone())?;
    within_limit(&output)?;
    Ok((Event::Done { result: Some(result), next: next.clone() }, Some(output)))
}

fn pass_result(pass: &Pass, visit: &Visit, surroundings: &Surroundings<'_>) -> Result<Value, Failure> {
    let documents = surroundings.documents(&visit.input);
    let input = match &pass.input_path {
        None => visit.input.clone(),
        Some(path) => path.find(documents)?,
    };
    match &pass.template {
        None => Ok(input),
        Some(template) => template.fill(surroundings.documents(&input)),
    }
}

/// A Task calls, waits, or does something about what came of it.
fn task_step(task: &Task, visit: &mut Visit, surroundings: &mut Surroundings<'_>) -> Option<Happens> {
    let failure = match std::mem::replace(&mut visit.doing, Doing::Entered) {
        Doing::Waiting(until) if until > surroundings.now => {
            visit.doing = Doing::Waiting(until);
            return None;
        }
        Doing::Calling(payload) => {
            visit.doing = Doing::Calling(payload);
            return None;
        }
        Doing::Returned(Err(failure)) => failure,
        Doing::Returned(Ok(payload)) => match task_result(task, payload, visit, surroundings) {
            Err(failure) => failure.within(&visit.state),
            happens => return Some(happens),
        },
        Doing::Entered | Doing::Waiting(_) | Doing::Branching(_) => {
            let payload = task.payload.fill(surroundings.documents(&visit.input));
            match payload.and_then(|payload| within_limit(&payload).map(|()| payload)) {
                Err(failure) => failure.within(&visit.state),
                Ok(payload) => {
                    visit.doing = Doing::Calling(payload);
                    return None;
                }
            }
        }
    };
    if let Some(retrier) = task.retrier.as_ref().filter(|retrier| retrier.is_for(&failure))
        && visit.repetitions < retrier.max_attempts
    {
        let delay = retrier.delay_millis(visit.repetitions, surroundings.jitter);
        let until = Timestamp::from_millis(surroundings.now.millis().saturating_add(delay));
        return Some(Ok((Event::Repeats { until, failure }, None)));
    }
    let Some(catcher) = task.catchers.iter().position(|catcher| catcher.is_for(&failure)) else {
        return Some(Ok((Event::Failed { failure }, None)));
    };
    let output = task.catchers[catcher].result_path.put(visit.input.clone(), caught(&failure));
    let output = output.and_then(|output| within_limit(&output).map(|()| output));
    Some(output.map(|output| (Event::Caught { catcher, failure }, Some(output))))
}

/// What becomes of what a function returned. The document is as Step Functions has it, without what only Lambda could say.
fn task_result(task: &Task, payload: Value, visit: &Visit, surroundings: &Surroundings<'_>) -> Happens {
    within_limit(&payload)?;
    let status = if task.asynchronous { 202 } else { 200 };
    let result = Map::from_iter([("Payload".to_owned(), payload), ("StatusCode".to_owned(), status.into())]);
    let result = select(task.selector.as_ref(), Value::Object(result), surroundings);
    ends(result.map(Some), &task.result_path, &task.next, visit)
}

fn select(selector: Option<&Template>, result: Value, surroundings: &Surroundings<'_>) -> Result<Value, Failure> {
    match selector {
        None => Ok(result),
        Some(selector) => selector.fill(surroundings.documents(&result)),
    }
}

/// The document that a catcher puts in its place.
fn caught(failure: &Failure) -> Value {
    json!({"Error": failure.error, "Cause": failure.cause})
}

fn failed(failure: Failure, visit: &Visit) -> Event {
    Event::Failed { failure: failure.within(&visit.state) }
}

impl Surroundings<'_> {
    fn documents<'a>(&'a self, input: &'a Value) -> Documents<'a> {
        Documents { input, execution_input: self.execution_input }
    }
}

impl Retrier {
    /// How long to wait before the call is repeated after so many repetitions.
    fn delay_millis(&self, repetitions: u32, jitter: &mut dyn FnMut() -> f64) -> i64 {
        let factor = i64::from(self.backoff_rate).saturating_pow(repetitions);
        let delay = i64::from(self.interval_seconds).saturating_mul(1000).saturating_mul(factor);
        if !self.jitter {
            return delay;
        }
        // Thousandths are as fine as the clock.
        #[expect(clippy::cast_possible_truncation, reason = "0 to 1000")]
        let thousandths = (jitter().clamp(0.0, 1.0) * 1000.0) as i64;
        delay / 1000 * thousandths
    }
}

#[cfg(test)]
mod tests;
