//! The event `Step Functions Execution Status Change`, which EventBridge hands on.

use serde::Deserialize;

use super::StepFunctions;
use super::history::document;
use super::names::ExecutionName;
use crate::clock::Timestamp;
use crate::execution::{Change, Ending, Failure, Status};
use crate::workflow::StoreError;

/// What the event says, as far as it matters here: its member `detail`. A member that is too long for an event is left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    execution_arn: String,
    name: String,
    status: String,
    #[serde(default)]
    stop_date: Option<i64>,
    #[serde(default)]
    output: Option<String>,
    #[serde(default)]
    output_details: Option<OutputDetails>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    cause: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OutputDetails {
    included: bool,
}

/// What an event says has become of an execution.
enum News {
    Runs,
    Ended(Ending),
    /// It has ended, and how must be asked.
    EndedSomehow,
}

impl StatusChange {
    /// `None` for a status that changes nothing here.
    fn news(&self) -> Option<News> {
        let status = match self.status.as_str() {
            "RUNNING" => return Some(News::Runs),
            "SUCCEEDED" => Status::Succeeded,
            "FAILED" => Status::Failed,
            "TIMED_OUT" => Status::TimedOut,
            "ABORTED" => Status::Cancelled,
            _ => return None,
        };
        let is_cut = self.output_details.as_ref().is_some_and(|details| !details.included);
        let is_whole = match status {
            Status::Succeeded => self.output.is_some() && !is_cut,
            // Whoever fails says why; who is stopped or out of time may have nothing to say.
            Status::Failed => self.error.is_some() && self.cause.is_some(),
            _ => true,
        };
        let Some(at) = self.stop_date.filter(|_| is_whole) else { return Some(News::EndedSomehow) };
        let error = self.error.clone();
        Some(News::Ended(Ending {
            status,
            at: Timestamp::from_millis(at),
            output: (status == Status::Succeeded).then(|| document(self.output.as_deref())),
            failure: error.map(|error| Failure { error, cause: self.cause.clone().unwrap_or_default() }),
        }))
    }
}

impl StepFunctions {
    /// Takes note of a status change. One that comes late, twice, out of order or from an execution that is not of this
    /// program changes nothing.
    ///
    /// An execution that runs although its record has ended, or should be stopped, is stopped: it was started by a process
    /// that did not live to see that.
    ///
    /// # Errors
    /// The storage did not keep it. Step Functions failing is no error: the record is asked after when it is due.
    pub async fn note(&self, change: &StatusChange) -> Result<(), StoreError> {
        let (Some(name), Some(news)) = (ExecutionName::parse(&change.name), change.news()) else {
            return Ok(());
        };
        let Some(execution) = self.executions.get(&name.id, self.clock.now()).await? else {
            return Ok(());
        };
        if !name.belongs_to(&execution) {
            return Ok(());
        }
        let is_present = name.attempt == execution.attempt;
        match (news, execution.status) {
            (News::Runs, Status::Running) if is_present => Ok(()),
            (News::Runs, Status::Scheduled | Status::Retrying) if is_present => {
                self.is_running(&execution).await.map(drop)
            }
            (News::Runs, _) => {
                self.stop_quietly(&change.execution_arn).await;
                Ok(())
            }
            (_, status) if status.is_final() || !is_present => Ok(()),
            (News::Ended(ending), _) => self.change(&execution, &Change::End(ending)).await.map(drop),
            (News::EndedSomehow, _) => self.ask_after(&execution, &change.execution_arn).await,
        }
    }
}
