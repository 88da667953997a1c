//! No engine at all.

use async_trait::async_trait;

use crate::execution::{Engine, EngineError, Execution, RecordId, StateEvent};
use crate::workflow::{StoreError, Workflow};

/// Runs nothing: executions stay scheduled. For whoever only wants the records (`FLOWGATE_ENGINE=none`).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEngine;

#[async_trait]
impl Engine for NoEngine {
    async fn publish(&self, _: &Workflow) -> Result<(), EngineError> {
        Ok(())
    }

    async fn attend(&self, _: &RecordId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn history(&self, _: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        Ok(Vec::new())
    }
}
