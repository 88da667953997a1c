//! How FunctionGraph v2 refuses. The vendor prints three codes for starting a flow; the FSS codes are of its general table,
//! and those that mirror a status it has no row for (405, 501) follow its pattern.

use http::StatusCode;

use crate::api::refusal::Refusal;
use crate::api::{Fault, Reply, Request, error_body};
use crate::auth;
use crate::execution::ExecutionName;

use super::words;

/// A refusal of this API.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Error {
    /// A parameter breaks its rule; the text names it.
    #[error("{0}")]
    Invalid(String),
    /// A synchronous execution has not ended while the caller could be kept waiting.
    #[error("execution `{0}` has not ended in time")]
    GoesOn(ExecutionName),
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
        let refusal = match self {
            Self::Invalid(_) => return (StatusCode::BAD_REQUEST, "FGS.3002"),
            Self::GoesOn(_) => return (StatusCode::GATEWAY_TIMEOUT, "FSS.0504"),
            Self::Common(refusal) => refusal,
        };
        match refusal {
            Refusal::Undeliverable(Fault::BodyTooLarge) | Refusal::InputTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "FSS.0413")
            }
            Refusal::Undeliverable(
                Fault::BodyNotBase64 | Fault::BodyIncomplete | Fault::Host | Fault::ForwardedProto | Fault::Query,
            ) => (StatusCode::BAD_REQUEST, "FGS.3002"),
            // The vendor's API gateway stands in front and answers these.
            Refusal::Unauthenticated(auth::Error::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, "FSS.0503"),
            Refusal::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "APIGW.0301"),
            Refusal::ForeignProject | Refusal::OperationNotAllowed => (StatusCode::FORBIDDEN, "APIGW.0302"),
            Refusal::UnknownPath => (StatusCode::NOT_FOUND, "FSS.0404"),
            Refusal::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "FSS.0405"),
            Refusal::NotServed => (StatusCode::NOT_IMPLEMENTED, "FSS.0501"),
            Refusal::WorkflowNotFound => (StatusCode::NOT_FOUND, "FGS.5002"),
            Refusal::ExecutionNotFound => (StatusCode::NOT_FOUND, "FSS.0404"),
            Refusal::NotNow(_) => (StatusCode::CONFLICT, "FSS.0409"),
            Refusal::Conflict { .. } => (StatusCode::CONFLICT, "FSS.0409"),
            Refusal::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "FSS.0429"),
            Refusal::Unavailable(_) | Refusal::EngineUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "FSS.0503"),
            Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => {
                (StatusCode::INTERNAL_SERVER_ERROR, "FGS.3002")
            }
        }
    }

    /// What the caller reads. Sentences with a capital and a full stop are the vendor's.
    fn message(&self) -> String {
        let refusal = match self {
            Self::Invalid(problem) => return format!("Invalid parameters. {problem}"),
            Self::GoesOn(name) => return format!("Gateway timeout. execution {name} has not ended yet and goes on"),
            Self::Common(refusal) => refusal,
        };
        match refusal {
            Refusal::Undeliverable(Fault::BodyTooLarge) | Refusal::InputTooLarge => {
                "The request body is too large.".to_owned()
            }
            Refusal::Undeliverable(fault) => format!("Invalid parameters. {}", fault.message()),
            Refusal::Unauthenticated(auth::Error::Unavailable) => "Service unavailable.".to_owned(),
            Refusal::Unauthenticated(error) => format!("Incorrect IAM authentication information: {error}"),
            Refusal::ForeignProject => {
                "The IAM user is not authorized to access the API. project_id is not the project of the credentials"
                    .to_owned()
            }
            Refusal::OperationNotAllowed => {
                "The IAM user is not authorized to access the API. the credentials do not allow this operation"
                    .to_owned()
            }
            Refusal::UnknownPath => "The specified resource was not found.".to_owned(),
            Refusal::MethodNotAllowed { allow } => format!("Method not allowed. the path takes only {allow}"),
            Refusal::NotServed => "Not implemented. this operation is not served here".to_owned(),
            Refusal::WorkflowNotFound => "Function flow not found.".to_owned(),
            Refusal::ExecutionNotFound => "The specified resource was not found.".to_owned(),
            Refusal::NotNow(status) => {
                format!("Conflict. the execution has the status {}, which does not allow this", words::full_status(*status))
            }
            Refusal::Conflict { .. } => {
                "The specified resource already exists. the key belongs to an execution that a different request started"
                    .to_owned()
            }
            Refusal::Throttled(_) => "Too many requests.".to_owned(),
            Refusal::EngineUnavailable(_) => "Service unavailable. repeating is safe".to_owned(),
            Refusal::Unavailable(_) => {
                "Service unavailable. repeating is safe with X-WorkflowRun-ID or Idempotency-Key".to_owned()
            }
            Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => "Internal Error.".to_owned(),
        }
    }
}
