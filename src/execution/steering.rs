//! Stopping an execution, and having one tried again.

use super::{Change, Changed, Execution, Executions, Status};
use crate::workflow::StoreError;

/// Why an execution was not stopped or retried.
#[derive(Debug, thiserror::Error)]
pub enum SteeringError {
    /// Its status does not allow that.
    #[error("the execution is {0:?}")]
    NotNow(Status),
    /// There is no such execution any more.
    #[error("the execution does not exist any more")]
    NotFound,
    /// The storage refused or failed. What was asked may or may not have been recorded; repeating it is safe.
    #[error("the request could not be recorded")]
    Store(#[from] StoreError),
}

impl Executions {
    /// Stops an execution, and returns its record. When this returns the wish is durable; the engine carries it out, and if
    /// the execution ends by itself before that, that is how it ended. Stopping again what was stopped changes nothing.
    ///
    /// # Errors
    /// [`SteeringError::NotNow`] when it ended otherwise.
    pub async fn stop(&self, execution: &Execution) -> Result<Execution, SteeringError> {
        self.steer(execution, &Change::Stop, &[Status::Stopping, Status::Cancelled]).await
    }

    /// Has an execution tried again that did not succeed, from the node on that it ended in, and returns its record.
    /// Asking again while it is on its way changes nothing.
    ///
    /// # Errors
    /// [`SteeringError::NotNow`] when it succeeded, or is running.
    pub async fn retry(&self, execution: &Execution) -> Result<Execution, SteeringError> {
        self.steer(execution, &Change::Retry, &[Status::Retrying]).await
    }

    async fn steer(
        &self,
        execution: &Execution,
        change: &Change,
        already: &[Status],
    ) -> Result<Execution, SteeringError> {
        let now = self.clock.now();
        let id = execution.key.record_id();
        let mut seen = execution.clone();
        loop {
            match self.store.change(&seen, change, now, self.expires_at(now)).await? {
                Changed::Done(changed) => {
                    self.attend(&id).await;
                    // The engine may have carried it out already.
                    return Ok(self.store.get(&id, now).await?.unwrap_or(*changed));
                }
                Changed::Refused(current) if already.contains(&current.status) => return Ok(*current),
                // Another attempt has begun since the record was read.
                Changed::Refused(current) if current.attempt != seen.attempt => seen = *current,
                Changed::Refused(current) => return Err(SteeringError::NotNow(current.status)),
                Changed::NotFound => return Err(SteeringError::NotFound),
            }
        }
    }
}
