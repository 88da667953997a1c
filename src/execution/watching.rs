//! Looking at executions.

use std::time::Duration;

use uuid::Uuid;

use super::{Cursor, EngineError, Execution, ExecutionKey, Executions, Page, StateEvent};
use crate::workflow::StoreError;

/// How long is waited between two looks at an execution that is to end: the first pause, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

impl Executions {
    /// Finds an execution; `None` if there is none, or it was forgotten.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn find(&self, key: &ExecutionKey) -> Result<Option<Execution>, StoreError> {
        self.store.get(&key.record_id(), self.clock.now()).await
    }

    /// Lists a workflow's executions, newest first, at most `limit` (1 or more) of them, after `cursor`. A list that is
    /// paged stays as it is while new executions start.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn list(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.list(project_id, workflow_id, cursor, limit, self.clock.now()).await
    }

    /// What happened in an execution so far, all attempts.
    ///
    /// # Errors
    /// What the engine said.
    pub async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        self.engine.history(execution).await
    }

    /// Waits until an execution has ended, at most that long, and returns its record as it then is.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn wait(&self, execution: Execution, at_most: Duration) -> Result<Execution, StoreError> {
        let end = tokio::time::Instant::now() + at_most;
        let [mut pause, longest] = PAUSES;
        let id = execution.key.record_id();
        let mut current = execution;
        while !current.status.is_final() && tokio::time::Instant::now() + pause < end {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            self.attend(&id).await;
            match self.store.get(&id, self.clock.now()).await? {
                Some(found) => current = found,
                None => break,
            }
        }
        Ok(current)
    }
}
