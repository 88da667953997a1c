//! Runs one execution: takes it, goes on where its journal ends, and leaves it ended, asleep or to somebody else.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use super::functions::Functions;
use super::history::{self, Attempt};
use super::{BranchId, Call, Entry, Failure, Machine, Outcome, Run};
use crate::clock::{Clock, Timestamp};
use crate::execution::{
    Appended, Claim, Ending, Execution, ExecutionStore, Failure as Reason, Ids, Journal, JournalEntry, RecordId,
    Status, Then,
};
use crate::json::JsonText;
use crate::workflow::{MachineId, StoreError, WorkflowStore};

/// How many machines are remembered.
const REMEMBERED_MACHINES: usize = 64;

/// An execution that waits for longer than this is put to sleep; waking it again costs a claim and reading its journal.
const SHORT_WAIT_MILLIS: i64 = 1_000;

const SECONDS_PER_DAY: i64 = 86_400;

/// What running executions takes.
pub struct Worker {
    /// Keeps executions.
    pub executions: Arc<dyn ExecutionStore>,
    /// Keeps what happened in them.
    pub journal: Arc<dyn Journal>,
    /// Keeps the machines.
    pub workflows: Arc<dyn WorkflowStore>,
    /// Calls functions.
    pub functions: Arc<dyn Functions>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub ids: Arc<dyn Ids>,
    /// How long an execution is left to a process that gives no sign of life, in seconds, 1 or more.
    pub lease_seconds: u32,
    /// How long a record is kept after its last change, in days.
    pub retention_days: u32,
    /// The machines that were used last.
    pub machines: Machines,
}

/// Parsed machines, the last used at the end.
#[derive(Default)]
pub struct Machines(Mutex<VecDeque<(MachineId, Arc<Version>)>>);

/// A workflow's version, ready to run.
pub(super) struct Version {
    pub(super) machine: Arc<Machine>,
    /// The ids of the flow's states.
    pub(super) nodes: HashSet<String>,
}

/// What there is to do about an execution that was left.
pub(super) enum After {
    /// Nothing: it ended, or is somebody else's.
    Nothing,
    /// It sleeps until then.
    Wake(Timestamp),
}

/// Why an execution cannot be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrunnable {
    #[error("the storage failed")]
    Store(#[from] StoreError),
    /// What is stored of it makes no sense. It fails with this text.
    #[error("{0}")]
    Broken(String),
}

/// A run with the claim it writes under.
struct Carried {
    claim: Claim,
    run: Run,
}

impl Worker {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn find_due(&self, limit: usize) -> Result<Vec<RecordId>, StoreError> {
        self.executions.find_due(self.now(), limit).await
    }

    /// Takes an execution, if it can be taken, and goes on with it. `look` tells that its record may have changed.
    pub(super) async fn carry_on(&self, id: &RecordId, look: &Notify) -> Result<After, StoreError> {
        let now = self.now();
        let Some(mut claim) = self.journal.claim(id, now, self.lease_end(now)).await? else {
            return Ok(After::Nothing);
        };
        if claim.execution.status == Status::Stopping {
            let stopped = Ending { status: Status::Cancelled, at: now, output: None, failure: None };
            self.append(&mut claim, &[], Then::End(stopped)).await?;
            return Ok(After::Nothing);
        }
        match self.resume(&claim).await {
            Ok(run) => self.go_on(Carried { claim, run }, look).await,
            Err(Unrunnable::Store(error)) => Err(error),
            Err(Unrunnable::Broken(reason)) => {
                tracing::error!(record = id.as_str(), reason, "an execution cannot be run");
                let failure = Some(Reason { error: "Flowgate.Unrunnable".to_owned(), cause: reason });
                let failed = Ending { status: Status::Failed, at: now, output: None, failure };
                self.append(&mut claim, &[], Then::End(failed)).await?;
                Ok(After::Nothing)
            }
        }
    }

    /// The run as its journal leaves it.
    async fn resume(&self, claim: &Claim) -> Result<Run, Unrunnable> {
        let execution = &claim.execution;
        let version = self.version(execution).await?;
        let journal =
            if claim.length == 0 { Vec::new() } else { self.journal.entries(&execution.key.record_id()).await? };
        let mut attempts = history::attempts(execution, &version, &journal)?;
        let Attempt { input, started_at, entries, .. } = attempts.pop().expect("an execution has an attempt");
        let begun_at = started_at.unwrap_or_else(|| self.now());
        Run::resume(version.machine.clone(), input, begun_at, entries)
            .map_err(|error| Unrunnable::Broken(error.to_string()))
    }

    /// Goes on until the execution has ended, sleeps, or is somebody else's.
    async fn go_on(&self, mut carried: Carried, look: &Notify) -> Result<After, StoreError> {
        let Carried { claim, run } = &mut carried;
        let mut calls = FuturesUnordered::new();
        let mut called: HashSet<BranchId> = HashSet::new();
        let mut renewal = tokio::time::interval(Duration::from_millis(u64::from(self.lease_seconds) * 1000 / 3));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewal.reset();
        loop {
            let now = self.now();
            let progress = run.proceed(now, &mut || self.chance());
            if let Some(outcome) = run.outcome() {
                let then = Then::End(ending(outcome, now));
                self.append(claim, &progress.entries, then).await?;
                return Ok(After::Nothing);
            }
            let pending = run.pending();
            let wake_at = pending.wake_at;
            if let (true, false, Some(at)) = (pending.calls.is_empty(), progress.more, wake_at)
                && at.millis() - now.millis() > SHORT_WAIT_MILLIS
            {
                let appended = self.append(claim, &progress.entries, Then::Sleep { until: at }).await?;
                return Ok(if appended == Appended::Done { After::Wake(at) } else { After::Nothing });
            }
            if !progress.entries.is_empty() {
                let keep = Then::Keep { until: self.lease_end(now) };
                if self.append(claim, &progress.entries, keep).await? == Appended::Lost {
                    return Ok(After::Nothing);
                }
                renewal.reset();
            }
            if progress.more {
                tokio::task::yield_now().await;
                continue;
            }
            for call in pending.calls {
                if called.insert(call.branch.clone()) {
                    calls.push(self.call(&call));
                }
            }
            let wake = async {
                match wake_at {
                    Some(at) => tokio::time::sleep(self.until(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((branch, result)) = calls.next() => {
                    called.remove(&branch);
                    run.returned(&branch, result);
                }
                () = wake => {}
                _ = renewal.tick() => {
                    let keep = Then::Keep { until: self.lease_end(self.now()) };
                    if self.append(claim, &[], keep).await? == Appended::Lost {
                        return Ok(After::Nothing);
                    }
                }
                () = look.notified() => {
                    let record = self.executions.get(&claim.execution.key.record_id(), self.now()).await?;
                    if record.is_none_or(|record| record.status != claim.execution.status) {
                        return Ok(After::Nothing);
                    }
                }
            }
        }
    }

    /// The call, with the time it may take.
    fn call(&self, call: &Call<'_>) -> impl Future<Output = (BranchId, Result<serde_json::Value, Failure>)> + use<> {
        let functions = self.functions.clone();
        let (branch, name, payload) = (call.branch.clone(), call.function_name.to_owned(), call.payload.clone());
        let (asynchronous, at_most) = (call.asynchronous, call.timeout_seconds);
        async move {
            let result = functions.call(&name, &payload, asynchronous);
            let result = match at_most {
                None => result.await,
                Some(seconds) => tokio::time::timeout(Duration::from_secs(seconds.into()), result)
                    .await
                    .unwrap_or_else(|_| Err(Failure::new(Failure::TIMEOUT, "the function did not answer in time"))),
            };
            (branch, result)
        }
    }

    async fn append(&self, claim: &mut Claim, entries: &[Entry], then: Then) -> Result<Appended, StoreError> {
        let now = self.now();
        let attempt = claim.execution.attempt;
        let written = |entry| serde_json::to_string(entry).expect("an entry of texts and numbers is writable");
        let entries: Vec<_> = entries.iter().map(|entry| JournalEntry { attempt, text: written(entry) }).collect();
        let expires_at = now.plus_seconds(i64::from(self.retention_days) * SECONDS_PER_DAY);
        self.journal.append(claim, &entries, &then, now, expires_at).await
    }

    /// The version that an execution runs.
    pub(super) async fn version(&self, execution: &Execution) -> Result<Arc<Version>, Unrunnable> {
        if let Some(known) = self.machines.recall(&execution.machine) {
            return Ok(known);
        }
        let (key, id) = (&execution.key, &execution.machine);
        let stored = self.workflows.find_version(&key.project_id, key.workflow_id, id).await?;
        let stored = stored.ok_or_else(|| Unrunnable::Broken("the version of the workflow is not there".to_owned()))?;
        let machine = Machine::parse(&stored.machine).map_err(|error| Unrunnable::Broken(error.to_string()))?;
        let nodes = stored.definition.flow().states().iter().map(|state| state.id.clone()).collect();
        let version = Arc::new(Version { machine: Arc::new(machine), nodes });
        self.machines.remember(id, &version);
        Ok(version)
    }

    pub(super) async fn journal_of(&self, id: &RecordId) -> Result<Vec<JournalEntry>, StoreError> {
        self.journal.entries(id).await
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.lease_seconds.into())
    }

    fn until(&self, at: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(at.millis() - self.now().millis()).unwrap_or_default())
    }

    /// A number from 0 to 1.
    fn chance(&self) -> f64 {
        let (high, _) = self.ids.random().as_u64_pair();
        // A random UUID has its version in the lower bits of this half.
        (high >> 16) as f64 / (u64::MAX >> 16) as f64
    }
}

impl Machines {
    fn recall(&self, id: &MachineId) -> Option<Arc<Version>> {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = machines.iter().position(|(known, _)| known == id)?;
        let found = machines.remove(place)?;
        machines.push_back(found.clone());
        Some(found.1)
    }

    fn remember(&self, id: &MachineId, version: &Arc<Version>) {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if machines.len() == REMEMBERED_MACHINES {
            machines.pop_front();
        }
        machines.push_back((id.clone(), version.clone()));
    }
}

fn ending(outcome: &Outcome, at: Timestamp) -> Ending {
    let failed = |error: &str, cause: &str| Ending {
        status: Status::Failed,
        at,
        output: None,
        failure: Some(Reason { error: error.to_owned(), cause: cause.to_owned() }),
    };
    match outcome {
        Outcome::Succeeded(output) => match JsonText::parse(&output.to_string()) {
            Ok(output) => Ending { status: Status::Succeeded, at, output: Some(output), failure: None },
            Err(_) => failed("States.DataLimitExceeded", "the output nests deeper than 128 arrays and objects"),
        },
        Outcome::Failed(failure) => failed(&failure.error, &failure.cause),
        Outcome::TimedOut => Ending { status: Status::TimedOut, at, output: None, failure: None },
    }
}
