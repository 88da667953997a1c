//! What the function does beside answering calls: it lets started executions run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_http::lambda_runtime::Diagnostic;
use tokio::time::{Instant, timeout_at};

use super::BatchAnswer;
use crate::clock::Clock;
use crate::engine::StepFunctions;
use crate::engine::step_functions::StatusChange;
use crate::errors;
use crate::execution::{Engine, Executions, RecordId};
use crate::store::StreamRecord;
use crate::workflow::StoreError;

/// How long before the end of an invocation work is left to the next one: the calls that run must end, and the answer be
/// handed over.
const MARGIN: Duration = Duration::from_secs(3);

/// The longest that an invocation of Lambda can take.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// How many records of a batch are seen to at the same time.
const AT_ONCE: usize = 10;

/// Does the work of events that are no calls.
#[derive(Clone)]
pub struct Jobs {
    executions: Executions,
    step_functions: Option<Arc<StepFunctions>>,
    clock: Arc<dyn Clock>,
}

/// An event that was not dealt with, because the storage failed. It should be sent again.
#[derive(Debug, thiserror::Error)]
#[error("the storage failed")]
pub struct Failed(#[from] StoreError);

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        Self { error_type: "StorageFailed".into(), error_message: errors::chain(&failed) }
    }
}

impl Jobs {
    /// Sees to `executions`. Without Step Functions there is nothing that the stream and status changes would be for.
    pub fn new(executions: Executions, step_functions: Option<Arc<StepFunctions>>, clock: Arc<dyn Clock>) -> Self {
        Self { executions, step_functions, clock }
    }

    /// Has the engine see to the executions of a batch that wait for it. Which records come again: those for which the
    /// storage failed, and those there was no time for. `deadline` is the end of the invocation, in milliseconds since 1970.
    ///
    /// A record that can never be dealt with is left out of the answer, or it would keep all others of its shard waiting.
    pub(super) async fn attend_all(
        &self,
        records: &[Result<StreamRecord, serde_json::Error>],
        deadline: u64,
    ) -> BatchAnswer {
        let Some(engine) = &self.step_functions else {
            return BatchAnswer::default();
        };
        let end = self.end(deadline);
        let waiting: Vec<(String, RecordId)> = records.iter().filter_map(waiting).collect();
        let mut undone: BTreeSet<String> = waiting.iter().map(|(number, _)| number.clone()).collect();
        let mut attended = stream::iter(waiting)
            .map(|(number, id)| async move { (number, engine.attend(&id).await, id) })
            .buffer_unordered(AT_ONCE);
        while let Ok(Some((number, outcome, id))) = timeout_at(end, attended.next()).await {
            let record = id.as_str();
            match outcome {
                Ok(()) => {
                    undone.remove(&number);
                }
                Err(error @ StoreError::Corrupt(_)) => {
                    tracing::error!(record, error = errors::chain(&error), "an execution cannot be seen to");
                    undone.remove(&number);
                }
                Err(error) => {
                    tracing::warn!(record, error = errors::chain(&error), "an execution will come again");
                }
            }
        }
        BatchAnswer::failed(undone)
    }

    /// Takes note of what became of an execution.
    pub(super) async fn note(&self, change: &StatusChange) -> Result<(), Failed> {
        match &self.step_functions {
            Some(engine) => Ok(engine.note(change).await?),
            None => Ok(()),
        }
    }

    /// Has the engine see to everything that is due, as long as the invocation may last.
    pub(super) async fn sweep(&self, deadline: u64) -> Result<(), Failed> {
        let seen = self.executions.sweep(self.end(deadline)).await?;
        tracing::debug!(records = seen, "swept");
        Ok(())
    }

    /// When to stop working in an invocation.
    fn end(&self, deadline: u64) -> Instant {
        let now = u64::try_from(self.clock.now().millis()).unwrap_or_default();
        let left = Duration::from_millis(deadline.saturating_sub(now)).min(LONGEST_INVOCATION);
        Instant::now() + left.saturating_sub(MARGIN)
    }
}

/// The execution in a record that waits for the engine, with the record's sequence number.
fn waiting(record: &Result<StreamRecord, serde_json::Error>) -> Option<(String, RecordId)> {
    let record = match record {
        Ok(record) => record,
        Err(error) => {
            tracing::error!(%error, "a record of the stream cannot be read and is passed over");
            return None;
        }
    };
    match record.to_attend() {
        Ok(id) => id.map(|id| (record.sequence_number().to_owned(), id)),
        Err(attribute) => {
            let number = record.sequence_number();
            tracing::error!(number, attribute, "an execution in the stream is damaged and is passed over");
            None
        }
    }
}
