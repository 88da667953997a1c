//! What every API can refuse a call for, beside the parameters of its own operations.

use crate::execution::{EngineError, ExecutionName, Status, SteeringError};
use crate::workflow::StoreError;
use crate::{auth, execution};

use super::Fault;

/// A refusal that all dialects know. `Display` is for the log; each API's `error.rs` has the words for its callers.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the gateway delivered an unusable call: {0:?}")]
    Undeliverable(Fault),
    #[error("the input is larger than the engine accepts")]
    InputTooLarge,
    #[error("not authenticated")]
    Unauthenticated(#[from] auth::Error),
    #[error("the path names a project that is not the caller's")]
    ForeignProject,
    #[error("the credential does not allow the operation")]
    OperationNotAllowed,
    #[error("the path is none of the API's")]
    UnknownPath,
    #[error("the path does not take this method, only {allow}")]
    MethodNotAllowed { allow: &'static str },
    #[error("the vendor's operation is not served")]
    NotServed,
    #[error("no such workflow")]
    WorkflowNotFound,
    #[error("no such execution")]
    ExecutionNotFound,
    #[error("the execution is {0:?}, which does not allow that")]
    NotNow(Status),
    #[error("the key belongs to a different request")]
    Conflict { name: ExecutionName },
    #[error("the storage takes no more requests for now")]
    Throttled(#[source] StoreError),
    #[error("the storage is unavailable")]
    Unavailable(#[source] StoreError),
    #[error("the storage holds or was sent something it should not")]
    Internal(#[source] StoreError),
    #[error("the engine is unavailable")]
    EngineUnavailable(#[source] EngineError),
    #[error("the engine does not say what it was asked")]
    EngineFailed(#[source] EngineError),
    #[error("a panic ended the request")]
    Panicked,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Throttled(_) => Self::Throttled(error),
            StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::Rejected(_) | StoreError::Corrupt(_) | StoreError::NameTaken | StoreError::TooLarge(_) => {
                Self::Internal(error)
            }
        }
    }
}

impl From<execution::Error> for Refusal {
    fn from(error: execution::Error) -> Self {
        match error {
            execution::Error::Conflict { name } => Self::Conflict { name },
            execution::Error::InputTooLarge { .. } => Self::InputTooLarge,
            execution::Error::Store(error) => error.into(),
        }
    }
}

impl From<SteeringError> for Refusal {
    fn from(error: SteeringError) -> Self {
        match error {
            SteeringError::NotNow(status) => Self::NotNow(status),
            SteeringError::NotFound => Self::ExecutionNotFound,
            SteeringError::Store(error) => error.into(),
        }
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Unavailable(_) => Self::EngineUnavailable(error),
            EngineError::Rejected(_) => Self::EngineFailed(error),
        }
    }
}

impl Fault {
    /// What the caller reads about a fault that is neither the body's size nor its encoding.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::BodyTooLarge => "the request body is larger than 262144 bytes",
            Self::BodyNotBase64 => "the request body is announced as base64 and is not",
            Self::BodyIncomplete => "the request body is incomplete",
            Self::Host => "header Host is not a host",
            Self::ForwardedProto => "header X-Forwarded-Proto must be http or https",
            Self::Query => "the query string has a character that must be percent-encoded",
        }
    }
}
