//! No engine at all.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::execution::{Change, Ending, Engine, EngineError, Execution, ExecutionStore, RecordId, StateEvent, Status};
use crate::workflow::{StoreError, Workflow};

/// Runs nothing: executions stay scheduled until a caller stops them. For whoever only wants the records
/// (`FLOWGATE_ENGINE=none`).
pub struct NoEngine {
    store: Arc<dyn ExecutionStore>,
    clock: Arc<dyn Clock>,
}

impl NoEngine {
    /// Sees to the records of a store.
    pub fn new(store: Arc<dyn ExecutionStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

#[async_trait]
impl Engine for NoEngine {
    async fn publish(&self, _: &Workflow) -> Result<(), EngineError> {
        Ok(())
    }

    /// What is to be stopped is stopped, for nothing runs it.
    async fn attend(&self, id: &RecordId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let Some(execution) = self.store.get(id, now).await? else { return Ok(()) };
        if execution.status == Status::Stopping {
            let stopped = Change::End(Ending { status: Status::Cancelled, at: now, output: None, failure: None });
            // Refused is as good: then it was stopped already.
            self.store.change(&execution, &stopped, now, execution.expires_at).await?;
        }
        Ok(())
    }

    async fn history(&self, _: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        Ok(Vec::new())
    }
}
