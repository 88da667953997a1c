//! AWS Step Functions runs the executions.
//!
//! # State machines
//!
//! A workflow has one state machine. Each compiled version of the workflow is a published version of it, whose ARN is noted
//! beside the text in storage; an execution is started on the version it is pinned to. A version that is not there (never
//! made, or deleted by somebody) is made when it is first needed. Step Functions keeps at most 1,000 versions of a state
//! machine; which of them to delete then is an operator's decision.
//!
//! Every state machine is of the type STANDARD, those of EXPRESS flows too: what Step Functions calls EXPRESS emits no
//! status events, keeps no history, and starts twice what is started twice under one name. The limit of time that makes a
//! flow EXPRESS is in the compiled text.
//!
//! # Executions
//!
//! An execution is called `<record id>-<beginning of the nonce>-<attempt>`, so starting it twice is harmless, and whatever
//! speaks of it says whose it is. Its input is the envelope that [`super::compiler`] describes.
//!
//! A retry is a new execution that begins `at` the node in which the last one ended, and no RedriveExecution: a redrive goes
//! back to the state that failed, and here that is mostly a Fail state, because error routes have looked at the error
//! before. It would fail again.
//!
//! # What can go wrong
//!
//! A start that Step Functions does not take is put off, ever longer, and given up after a deadline: the execution then fails
//! with [`NOT_DISPATCHED`]. That holds for refusals too, because most are an operator's to mend. How an execution ends comes
//! as an event ([`StatusChange`]); since events can be lost, running executions are asked after from time to time.
//!
//! Between two calls the process may die, and another may do the same at the same time. What keeps that harmless: names are
//! unique; a record is changed only from the status and attempt that were read; whoever has started something and finds its
//! record ended stops it; and so does the event that it runs, should that process not live to see it.

mod calls;
mod history;
mod names;
mod status_change;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use uuid::Uuid;

use crate::clock::{Clock, Timestamp};
use crate::engine::history::History;
use crate::errors;
use crate::execution::{
    Change, Changed, Ending, Engine, EngineError, Execution, ExecutionStore, Failure, MAX_INPUT_BYTES, RecordId,
    StateEvent, Status,
};
use crate::store::{Endpoint, Patience};
use crate::workflow::flow::{Flow, Function, Kind};
use crate::workflow::{MachineId, StoreError, Version, Workflow, WorkflowStore};
use calls::{CallError, Calls, Meaning};
use names::{ExecutionName, execution_arn, machine_name};

pub use status_change::StatusChange;

/// The error of an execution that Step Functions did not take before the deadline, or cannot take at all.
pub const NOT_DISPATCHED: &str = "Flowgate.NotDispatched";

/// The error of an execution that Step Functions had and does not know any more.
pub const LOST: &str = "Flowgate.ExecutionLost";

/// The pauses between tries to hand something over: the first, and the longest.
const TRIES: Pauses = Pauses { first_seconds: 1, longest_seconds: 300 };

/// For how long after its start an execution that Step Functions does not know may yet turn up: its answers about executions
/// are "eventually consistent".
const TURNS_UP_SECONDS: i64 = 300;

/// For how long further pages of a history are asked for. Who waits for it is better off with its beginning than with none.
const TO_READ_ON: Duration = Duration::from_secs(5);

/// How many versions of workflows a process remembers the state machines of.
const REMEMBERED_MACHINES: usize = 1_000;

const SECONDS_PER_DAY: i64 = 86_400;

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Step Functions is.
    pub endpoint: Endpoint,
    /// How long its calls may take.
    pub patience: Patience,
    /// The ARN of the role that state machines run with. Without it none is created.
    pub role: Option<String>,
    /// What the names of state machines begin with: at most 16 letters, digits, `-` and `_`.
    pub prefix: String,
    /// After how long an execution fails that Step Functions would not take, in seconds.
    pub deadline_seconds: u32,
    /// For how long a record is kept after its last change.
    pub retention_days: u32,
    /// How often running executions are asked after.
    pub checks: Pauses,
}

/// Pauses that become longer: each is twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The first.
    pub first_seconds: u32,
    /// What none is longer than.
    pub longest_seconds: u32,
}

impl Pauses {
    /// For a process that status events come to: asking only finds out what an event did not say.
    pub const WITH_EVENTS: Self = Self { first_seconds: 300, longest_seconds: 3600 };

    /// For a process that learns of an end by asking only.
    pub const WITHOUT_EVENTS: Self = Self { first_seconds: 1, longest_seconds: 60 };

    /// The pause after so many tries, in milliseconds: between half of its length and all of it, so that what became due
    /// together does not come back together. Which, follows from the record's id, a hash.
    fn after(self, tries: u32, id: &RecordId) -> i64 {
        let factor = 1_u32.checked_shl(tries).unwrap_or(u32::MAX);
        let seconds = self.first_seconds.saturating_mul(factor).min(self.longest_seconds);
        let (whole, spread) = (i64::from(seconds) * 1000, u32::from_str_radix(&id.as_str()[..8], 16));
        let spread = i64::from(spread.unwrap_or_default().rotate_left(tries));
        whole / 2 + whole / 2 * spread / i64::from(u32::MAX)
    }
}

/// Has Step Functions run the executions.
pub struct StepFunctions {
    executions: Arc<dyn ExecutionStore>,
    workflows: Arc<dyn WorkflowStore>,
    clock: Arc<dyn Clock>,
    calls: Calls,
    settings: Settings,
    /// The ARNs of the versions of state machines that were needed lately: reading one from storage means reading the text
    /// beside it.
    machines: Mutex<HashMap<VersionKey, String>>,
}

/// What a version of a workflow is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct VersionKey {
    project_id: String,
    workflow_id: Uuid,
    machine: MachineId,
}

impl VersionKey {
    /// The version that an execution is pinned to.
    fn of(execution: &Execution) -> Self {
        Self {
            project_id: execution.key.project_id.clone(),
            workflow_id: execution.key.workflow_id,
            machine: execution.machine.clone(),
        }
    }
}

/// Why something was not handed over.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the storage failed")]
    Store(#[from] StoreError),
    #[error("the version of the workflow that is to run is not stored any more")]
    NoVersion,
    #[error("there is no state machine for it, and no role to make one with (FLOWGATE_STATE_MACHINE_ROLE)")]
    NoRole,
    #[error("Step Functions calls no addresses, and the workflow has {}", .0.join(", "))]
    Addresses(Vec<String>),
    #[error("what Step Functions would be started with has {0} bytes, and it takes {MAX_INPUT_BYTES}")]
    TooLarge(usize),
}

impl Refusal {
    /// Whether nobody can mend it.
    fn is_final(&self) -> bool {
        match self {
            Self::Call(error) => error.meaning == Meaning::Unfit,
            Self::Addresses(_) | Self::TooLarge(_) => true,
            Self::Store(_) | Self::NoVersion | Self::NoRole => false,
        }
    }
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => Self::Store(error),
            Refusal::Call(error) if error.meaning == Meaning::Unavailable => Self::Unavailable(Box::new(error)),
            refusal => Self::Rejected(Box::new(refusal)),
        }
    }
}

/// What a start found.
enum Start {
    /// It runs now.
    Runs,
    /// It had been started before, and may have ended.
    WasStarted,
}

#[async_trait]
impl Engine for StepFunctions {
    /// Where no role is configured this does nothing: another process, which has one, makes the state machine when it is
    /// first needed.
    async fn publish(&self, workflow: &Workflow) -> Result<(), EngineError> {
        let key = VersionKey {
            project_id: workflow.project_id.clone(),
            workflow_id: workflow.id,
            machine: workflow.machine.clone(),
        };
        let version = self.version(&key).await?;
        refuse_addresses(version.definition.flow())?;
        if self.settings.role.is_some() && version.engine_reference.is_none() {
            self.make(&key, &version).await?;
        }
        Ok(())
    }

    async fn attend(&self, id: &RecordId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(execution) = self.executions.get(id, now).await? else {
            return Ok(());
        };
        // What was put off waits. What is new does not: its time is when a sweep takes it up if nobody else has.
        let waits = execution.due_at.is_some_and(|due_at| due_at > now);
        match execution.status {
            Status::Scheduled | Status::Retrying if waits && execution.tries > 0 => Ok(()),
            Status::Scheduled | Status::Retrying => self.dispatch(&execution).await,
            Status::Stopping if waits && execution.tries > 0 => Ok(()),
            Status::Stopping => self.stop(&execution).await,
            Status::Running if waits => Ok(()),
            Status::Running => match self.arn_of(&execution).await? {
                Some(arn) => self.ask_after(&execution, &arn).await,
                None => self.end(&execution, lost(now)).await,
            },
            Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => Ok(()),
        }
    }

    async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        let Some(machine) = self.noted(&VersionKey::of(execution)).await? else {
            return Ok(Vec::new());
        };
        let (mut told, begun) = (History::default(), Instant::now());
        for attempt in 1..=execution.attempt {
            let Some(arn) = execution_arn(&machine, &ExecutionName::of(execution, attempt).to_string()) else { break };
            let mut page = None;
            loop {
                let (events, next) = match self.calls.history(&arn, false, page).await {
                    Ok(read) => read,
                    // It was never started, or is so old that it is forgotten.
                    Err(error) if error.meaning == Meaning::Missing => break,
                    Err(error) => return Err(Refusal::Call(error).into()),
                };
                for event in events.iter().filter_map(|event| history::state_event(event, attempt)) {
                    if !told.tell(event) {
                        return Ok(told.into_events());
                    }
                }
                page = next;
                if begun.elapsed() > TO_READ_ON {
                    return Ok(told.into_events());
                }
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(told.into_events())
    }
}

impl StepFunctions {
    /// Has the executions in `executions` run, whose versions are in `workflows`. Nothing is asked of Step Functions yet.
    pub fn new(
        executions: Arc<dyn ExecutionStore>,
        workflows: Arc<dyn WorkflowStore>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let calls = Calls::new(settings.endpoint.clone(), settings.patience);
        Self { executions, workflows, clock, calls, settings, machines: Mutex::default() }
    }

    /// Hands an execution over that is scheduled or to be retried.
    async fn dispatch(&self, execution: &Execution) -> Result<(), StoreError> {
        match self.start(execution).await {
            Ok(Start::Runs) => self.is_running(execution).await.map(drop),
            Ok(Start::WasStarted) => self.was_started(execution).await,
            Err(Refusal::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => Err(error),
            Err(refusal) => self.put_off(execution, &refusal).await,
        }
    }

    async fn start(&self, execution: &Execution) -> Result<Start, Refusal> {
        let key = VersionKey::of(execution);
        let name = ExecutionName::of(execution, execution.attempt).to_string();
        let noted = self.noted(&key).await?;
        let input = self.input(execution, noted.as_deref()).await?;
        let machine = match noted {
            Some(machine) => machine,
            None => self.make(&key, &self.version(&key).await?).await?,
        };
        let outcome = match self.calls.start(&machine, &name, &input).await {
            // Somebody has deleted the state machine or its version.
            Err(error) if error.meaning == Meaning::Missing => {
                let arn = execution_arn(&machine, &name);
                // A start whose answer was lost may have come before the deletion.
                if let Some(arn) = arn
                    && self.calls.ending(&arn).await.is_ok()
                {
                    return Ok(Start::WasStarted);
                }
                let machine = self.make(&key, &self.version(&key).await?).await?;
                self.calls.start(&machine, &name, &input).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => Ok(Start::Runs),
            // It has ended already: while it runs, Step Functions answers the same start with success.
            Err(error) if error.meaning == Meaning::Taken => Ok(Start::WasStarted),
            Err(error) => Err(error.into()),
        }
    }

    /// The input of an execution; for a retry with the place where it begins.
    async fn input(&self, execution: &Execution, machine: Option<&str>) -> Result<String, Refusal> {
        let at = match machine {
            Some(machine) => self.place_of_ending(execution, machine).await?,
            None => None,
        };
        let envelope = execution.engine_input(at.as_ref().map(|(node, input)| (node.as_str(), input.as_str())));
        // Step Functions would refuse it with an error that could as well be an operator's to mend.
        if envelope.len() > MAX_INPUT_BYTES { Err(Refusal::TooLarge(envelope.len())) } else { Ok(envelope) }
    }

    /// The node in which the last attempt that came to one ended, and the text of its input.
    async fn place_of_ending(&self, execution: &Execution, machine: &str) -> Result<Option<(String, String)>, Refusal> {
        if execution.attempt == 1 {
            return Ok(None);
        }
        let version = self.version(&VersionKey::of(execution)).await?;
        let nodes: HashSet<&str> = version.definition.flow().states().iter().map(|state| state.id.as_str()).collect();
        for attempt in (1..execution.attempt).rev() {
            let name = ExecutionName::of(execution, attempt).to_string();
            let Some(arn) = execution_arn(machine, &name) else { break };
            let mut page = None;
            loop {
                let (events, next) = match self.calls.history(&arn, true, page).await {
                    Ok(read) => read,
                    Err(error) if error.meaning == Meaning::Missing => break,
                    Err(error) => return Err(error.into()),
                };
                let mut begun =
                    events.iter().filter_map(|event| history::entered_node(event, |name| nodes.contains(name)));
                if let Some((node, input)) = begun.next() {
                    return Ok(Some((node.to_owned(), input)));
                }
                page = next;
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Notes that Step Functions runs an execution, and returns the record if it is running then. What nobody waits for any
    /// more is stopped.
    async fn is_running(&self, execution: &Execution) -> Result<Option<Execution>, StoreError> {
        let pause = self.settings.checks.after(0, &execution.key.record_id());
        let check_at = Timestamp::from_millis(self.clock.now().millis() + pause);
        match self.change(execution, &Change::Running { check_at }).await? {
            Changed::Done(running) => return Ok(Some(*running)),
            Changed::Refused(current) if current.attempt == execution.attempt => match current.status {
                // Somebody else was faster.
                Status::Running => return Ok(Some(*current)),
                Status::Stopping => self.stop(&current).await?,
                _ => self.stop_after_all(execution).await?,
            },
            Changed::Refused(_) | Changed::NotFound => self.stop_after_all(execution).await?,
        }
        Ok(None)
    }

    /// Notes that Step Functions was given an execution before, and asks what became of it.
    async fn was_started(&self, execution: &Execution) -> Result<(), StoreError> {
        if let Some(running) = self.is_running(execution).await?
            && let Some(arn) = self.arn_of(&running).await?
        {
            return self.ask_after(&running, &arn).await;
        }
        Ok(())
    }

    /// Puts a start off, or gives it up.
    async fn put_off(&self, execution: &Execution, refusal: &Refusal) -> Result<(), StoreError> {
        let (id, now) = (execution.key.record_id(), self.clock.now());
        let deadline = execution.updated_at.plus_seconds(i64::from(self.settings.deadline_seconds));
        let error = errors::chain(refusal);
        if !refusal.is_final() && now < deadline {
            tracing::warn!(record = id.as_str(), tries = execution.tries + 1, %error, "an execution is put off");
            return self.postpone(execution, TRIES).await;
        }
        // An earlier try may have come through, though its answer was lost.
        let arn = match self.arn_of(execution).await {
            Err(StoreError::Corrupt(_)) => None,
            found => found?,
        };
        if let Some(arn) = &arn
            && self.calls.ending(arn).await.is_ok()
        {
            return self.was_started(execution).await;
        }
        tracing::error!(record = id.as_str(), %error, "an execution failed, because Step Functions does not take it");
        let failure = Failure { error: NOT_DISPATCHED.to_owned(), cause: refusal.to_string() };
        self.end(execution, Ending { status: Status::Failed, at: now, output: None, failure: Some(failure) }).await?;
        if let Some(arn) = arn {
            self.stop_quietly(&arn).await;
        }
        Ok(())
    }

    /// Stops an execution that is to be stopped.
    async fn stop(&self, execution: &Execution) -> Result<(), StoreError> {
        let cancelled = || Ending { status: Status::Cancelled, at: self.clock.now(), output: None, failure: None };
        let Some(arn) = self.arn_of(execution).await? else {
            return self.end(execution, cancelled()).await;
        };
        match self.calls.stop(&arn).await {
            Ok(()) => self.ask_after(execution, &arn).await,
            // It was never started. Should somebody be about to, they will find the record ended, and stop it.
            Err(error) if error.meaning == Meaning::Missing => self.end(execution, cancelled()).await,
            Err(error) => {
                let (id, error) = (execution.key.record_id(), errors::chain(&error));
                tracing::warn!(record = id.as_str(), %error, "an execution could not be stopped yet");
                self.postpone(execution, TRIES).await
            }
        }
    }

    /// Asks how an execution is doing that runs, or should stop.
    async fn ask_after(&self, execution: &Execution, arn: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        match self.calls.ending(arn).await {
            Ok(Some(ending)) => self.end(execution, ending).await,
            Ok(None) => self.postpone(execution, self.settings.checks).await,
            Err(error)
                if error.meaning == Meaning::Missing && now > execution.updated_at.plus_seconds(TURNS_UP_SECONDS) =>
            {
                self.end(execution, lost(now)).await
            }
            Err(error) => {
                let (id, error) = (execution.key.record_id(), errors::chain(&error));
                tracing::warn!(record = id.as_str(), %error, "an execution could not be asked after");
                self.postpone(execution, self.settings.checks).await
            }
        }
    }

    /// Stops what was started in vain: by now the record has ended, or is gone.
    async fn stop_after_all(&self, execution: &Execution) -> Result<(), StoreError> {
        if let Some(arn) = self.arn_of(execution).await? {
            self.stop_quietly(&arn).await;
        }
        Ok(())
    }

    /// Stops an execution that no record waits for. If that fails there is nobody to try again: it ends by itself.
    async fn stop_quietly(&self, arn: &str) {
        match self.calls.stop(arn).await {
            Ok(()) => {}
            Err(error) if error.meaning == Meaning::Missing => {}
            Err(error) => tracing::warn!(arn, error = errors::chain(&error), "an execution nobody waits for runs on"),
        }
    }

    async fn end(&self, execution: &Execution, ending: Ending) -> Result<(), StoreError> {
        self.change(execution, &Change::End(ending)).await.map(drop)
    }

    /// Makes a record due again after a pause, unless something has become of it in the meantime.
    async fn postpone(&self, execution: &Execution, pauses: Pauses) -> Result<(), StoreError> {
        let pause = pauses.after(execution.tries, &execution.key.record_id());
        let until = Timestamp::from_millis(self.clock.now().millis() + pause);
        self.change(execution, &Change::Postpone { until }).await.map(drop)
    }

    async fn change(&self, execution: &Execution, change: &Change) -> Result<Changed, StoreError> {
        let now = self.clock.now();
        let expires_at = now.plus_seconds(i64::from(self.settings.retention_days) * SECONDS_PER_DAY);
        self.executions.change(execution, change, now, expires_at).await
    }

    /// The ARN of the present attempt, whether it was started yet or not. `None` if nothing of its version was ever started.
    async fn arn_of(&self, execution: &Execution) -> Result<Option<String>, StoreError> {
        let machine = self.noted(&VersionKey::of(execution)).await?;
        let name = ExecutionName::of(execution, execution.attempt).to_string();
        Ok(machine.and_then(|machine| execution_arn(&machine, &name)))
    }

    /// The ARN of a version's state machine, if it was ever made.
    async fn noted(&self, key: &VersionKey) -> Result<Option<String>, StoreError> {
        if let Some(machine) = self.machines.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Some(machine.clone()));
        }
        let version = self.workflows.find_version(&key.project_id, key.workflow_id, &key.machine).await?;
        let noted = version.and_then(|version| version.engine_reference);
        if let Some(machine) = &noted {
            self.remember(key, machine);
        }
        Ok(noted)
    }

    async fn version(&self, key: &VersionKey) -> Result<Version, Refusal> {
        let version = self.workflows.find_version(&key.project_id, key.workflow_id, &key.machine).await?;
        version.ok_or(Refusal::NoVersion)
    }

    /// Makes a version's state machine, or the version of it, and returns its ARN.
    async fn make(&self, key: &VersionKey, version: &Version) -> Result<String, Refusal> {
        refuse_addresses(version.definition.flow())?;
        let role = self.settings.role.as_deref().ok_or(Refusal::NoRole)?;
        let name = machine_name(&self.settings.prefix, version.definition.name(), key.workflow_id);
        let machine = self.calls.publish(&name, &version.machine, role).await?;
        self.workflows.note_engine_reference(&key.project_id, key.workflow_id, &key.machine, &machine).await?;
        self.remember(key, &machine);
        Ok(machine)
    }

    fn remember(&self, key: &VersionKey, machine: &str) {
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        if machines.len() >= REMEMBERED_MACHINES {
            machines.clear();
        }
        machines.insert(key.clone(), machine.to_owned());
    }
}

/// The end of an execution that is gone.
fn lost(now: Timestamp) -> Ending {
    let cause = "Step Functions does not know the execution any more".to_owned();
    let failure = Failure { error: LOST.to_owned(), cause };
    Ending { status: Status::Failed, at: now, output: None, failure: Some(failure) }
}

/// Refuses a flow that calls functions by address: Step Functions calls Lambda functions.
fn refuse_addresses(flow: &Flow) -> Result<(), Refusal> {
    let actions = flow.states().iter().flat_map(|state| match &state.kind {
        Kind::Operation(operation) => operation.actions.as_slice(),
        _ => &[],
    });
    let addresses: Vec<String> = actions
        .filter_map(|action| match &action.function {
            Function::Url(address) => Some(address.clone()),
            Function::Urn(_) => None,
        })
        .collect();
    if addresses.is_empty() { Ok(()) } else { Err(Refusal::Addresses(addresses)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_grow_to_the_longest_and_are_never_cut_by_more_than_half(tries in any::<u32>(), id in "[0-9a-f]{64}") {
            let id = RecordId::parse(&id).expect("an id");
            let longest = u64::from(TRIES.longest_seconds);
            let whole = 2_u64.checked_pow(tries).map_or(longest, |seconds| seconds.min(longest)) * 1000;
            let pause = TRIES.after(tries, &id).unsigned_abs();
            prop_assert!((whole / 2..=whole).contains(&pause), "{pause} of {whole}");
        }
    }
}
