//! From a definition to something that can be started.

use std::sync::Arc;

use super::compiler::{CompileError, FunctionNames, compile};
use crate::execution::{Engine, EngineError};
use crate::workflow::{Definition, Published, StoreError, Workflow, Workflows};

/// Publishes definitions: compiles them, stores them, and makes the engine ready for them.
#[derive(Clone)]
pub struct Publisher {
    workflows: Arc<Workflows>,
    engine: Arc<dyn Engine>,
    functions: FunctionNames,
}

/// Why a definition was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It was not stored.
    #[error("the workflow could not be stored")]
    Store(#[from] StoreError),
    /// It is stored and can be started, but the engine could not be made ready. That is tried again at the next start.
    #[error("the workflow is stored, but the engine could not be made ready for it")]
    Engine(#[source] EngineError),
}

impl PublishError {
    /// Whether publishing it again may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Compile(_) => false,
            Self::Store(error) | Self::Engine(EngineError::Store(error)) => error.retryable(),
            Self::Engine(EngineError::Unavailable(_)) => true,
            Self::Engine(EngineError::Rejected(_)) => false,
        }
    }
}

impl Publisher {
    /// Publishes into `workflows` and `engine`. `functions` says which Lambda function a function's URN means.
    pub fn new(workflows: Arc<Workflows>, engine: Arc<dyn Engine>, functions: FunctionNames) -> Self {
        Self { workflows, engine, functions }
    }

    /// Makes a definition the definition of the project's workflow of that name. Repeating it is safe, also after an error.
    pub async fn publish(
        &self,
        project_id: &str,
        definition: Definition,
    ) -> Result<(Published, Arc<Workflow>), PublishError> {
        let machine = compile(definition.flow(), &self.functions)?.text();
        let (published, workflow) = self.workflows.publish(project_id, definition, &machine).await?;
        self.engine.publish(&workflow).await.map_err(PublishError::Engine)?;
        Ok((published, workflow))
    }
}
