//! How FunctionGraph v1 refuses. The codes are the vendor's table of FGS codes, which prints no HTTP status: those are ours.

use http::StatusCode;

use crate::api::refusal::Refusal;
use crate::api::{Fault, Reply, Request, error_body};
use crate::auth;
use crate::execution::InvalidName;

/// A refusal of this API.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Error {
    #[error("the request body is empty")]
    EmptyBody,
    #[error("the request body is not valid JSON")]
    InvalidJson,
    /// A member is missing or of the wrong type; the text names it.
    #[error("{0}")]
    InvalidParameter(String),
    /// The text names the parameter and the form it must have.
    #[error("{0}")]
    InvalidUrn(&'static str),
    #[error("action_type must be start, test_start or stop")]
    InvalidActionType,
    /// Where a list is to begin.
    #[error("{0}")]
    InvalidStart(String),
    /// How long it may be.
    #[error("{0}")]
    InvalidLimit(String),
    #[error("executions.execution_name {0}")]
    InvalidExecutionName(InvalidName),
    #[error("executions.input {0}")]
    InvalidInput(String),
    #[error(transparent)]
    Common(#[from] Refusal),
}

impl Error {
    /// Writes the refusal down.
    pub(in crate::api) fn render(&self, request: &Request) -> Reply {
        let (status, code) = self.status_and_code();
        let common = if let Self::Common(refusal) = self { Some(refusal) } else { None };
        error_body::reply(status, code, &self.message(), request).advising(self, common)
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::EmptyBody => (StatusCode::BAD_REQUEST, "FGS.0008"),
            Self::InvalidJson => (StatusCode::BAD_REQUEST, "FGS.0009"),
            Self::InvalidParameter(_) => (StatusCode::BAD_REQUEST, "FGS.0005"),
            Self::InvalidUrn(_) => (StatusCode::BAD_REQUEST, "FGS.0010"),
            Self::InvalidStart(_) => (StatusCode::BAD_REQUEST, "FGS.2004"),
            Self::InvalidLimit(_) => (StatusCode::BAD_REQUEST, "FGS.2005"),
            Self::InvalidActionType => (StatusCode::BAD_REQUEST, "FGS.2006"),
            Self::InvalidExecutionName(_) => (StatusCode::BAD_REQUEST, "FGS.2001"),
            Self::InvalidInput(_) => (StatusCode::BAD_REQUEST, "FGS.2008"),
            Self::Common(refusal) => match refusal {
                Refusal::Undeliverable(Fault::BodyTooLarge) | Refusal::InputTooLarge => {
                    (StatusCode::PAYLOAD_TOO_LARGE, "FGS.4109")
                }
                Refusal::Undeliverable(Fault::BodyNotBase64 | Fault::BodyIncomplete) => {
                    (StatusCode::BAD_REQUEST, "FGS.0009")
                }
                Refusal::Undeliverable(Fault::Host | Fault::ForwardedProto) => (StatusCode::BAD_REQUEST, "FGS.0005"),
                Refusal::Undeliverable(Fault::Query) => (StatusCode::BAD_REQUEST, "FGS.0013"),
                // The vendor's API gateway stands in front and answers these.
                Refusal::Unauthenticated(auth::Error::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, "FGS.0015"),
                Refusal::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "APIGW.0301"),
                Refusal::ForeignProject | Refusal::OperationNotAllowed => (StatusCode::FORBIDDEN, "FGS.0004"),
                Refusal::UnknownPath => (StatusCode::NOT_FOUND, "FGS.0012"),
                Refusal::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "FGS.0012"),
                Refusal::NotServed => (StatusCode::NOT_IMPLEMENTED, "FGS.0012"),
                Refusal::WorkflowNotFound => (StatusCode::NOT_FOUND, "FGS.1011"),
                Refusal::ExecutionNotFound => (StatusCode::NOT_FOUND, "FGS.2002"),
                Refusal::NotNow(_) => (StatusCode::CONFLICT, "FGS.2022"),
                Refusal::Conflict { .. } => (StatusCode::CONFLICT, "FGS.4106"),
                Refusal::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "FSS.0429"),
                Refusal::Unavailable(_) | Refusal::EngineUnavailable(_) => {
                    (StatusCode::SERVICE_UNAVAILABLE, "FGS.0015")
                }
                Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "FGS.0007")
                }
            },
        }
    }

    /// What the caller reads. The vendor prints meanings only, so the words are ours.
    fn message(&self) -> String {
        let Self::Common(refusal) = self else {
            return self.to_string();
        };
        match refusal {
            Refusal::Undeliverable(fault) => fault.message().to_owned(),
            Refusal::InputTooLarge => "the input is larger than 262144 bytes".to_owned(),
            Refusal::Unauthenticated(auth::Error::Unavailable) => "the service is unavailable for now".to_owned(),
            Refusal::Unauthenticated(error) => format!("Incorrect IAM authentication information: {error}"),
            Refusal::ForeignProject => "project_id is not the project of the credentials".to_owned(),
            Refusal::OperationNotAllowed => "the credentials do not allow this operation".to_owned(),
            Refusal::UnknownPath => "the API has no such path".to_owned(),
            Refusal::MethodNotAllowed { allow } => format!("the path takes only {allow}"),
            Refusal::NotServed => "this operation is not served here".to_owned(),
            Refusal::WorkflowNotFound => "the workflow does not exist".to_owned(),
            Refusal::ExecutionNotFound => "the execution does not exist".to_owned(),
            Refusal::NotNow(_) => "the execution has ended".to_owned(),
            Refusal::Conflict { .. } => {
                "executions.execution_name belongs to an execution that a different request started".to_owned()
            }
            Refusal::Throttled(_) => "Too many requests.".to_owned(),
            Refusal::Unavailable(_) | Refusal::EngineUnavailable(_) => {
                "the service is unavailable for now; repeating the same request is safe".to_owned()
            }
            Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => "internal error".to_owned(),
        }
    }
}
