//! How OBS refuses: the vendor's Table 1 as XML, or JSON for a caller that asks for it.

use std::fmt::Write;

use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::api::refusal::Refusal;
use crate::api::{Fault, Reply, Request, execution_info};
use crate::auth;

/// A refusal of this API.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Error {
    /// A parameter breaks its rule; the text names it.
    #[error("{0}")]
    InvalidArgument(String),
    /// An input is no parameter of the workflow. The text is for the caller only, for the name in it is of the body.
    #[error("`inputs` has a name that is no parameter of the workflow")]
    UnknownInput(String),
    /// The body is missing or not JSON.
    #[error("{0}")]
    InvalidRequestBody(String),
    #[error(transparent)]
    Common(#[from] Refusal),
}

#[derive(Serialize)]
struct JsonBody<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
}

impl Error {
    /// Writes the refusal down.
    pub(in crate::api) fn render(&self, request: &Request) -> Reply {
        let (status, code) = self.status_and_code();
        let (message, id) = (self.message(), request.id.upper());
        let (content_type, text) = if accepts_json(&request.headers) {
            // The SDK compares the Content-Type as a whole: with a charset it would not find the code.
            let body = JsonBody { code, message: &message, request_id: &id };
            ("application/json", serde_json::to_vec(&body).expect("a body of strings is writable"))
        } else {
            ("application/xml", xml(code, &message, &request.path, &id).into_bytes())
        };
        let common = if let Self::Common(refusal) = self { Some(refusal) } else { None };
        let reply = Reply::new(status, HeaderValue::from_static(content_type), text);
        Reply { code: Some(code), ..reply }.advising(self, common)
    }

    /// The vendor's code and its status, per Table 2. `NoSuchWorkflow` is ours: the vendor prints none. `SYS.0003`
    /// ("unsupported API") is of Table 3.
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidArgument(_) | Self::UnknownInput(_) => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            Self::InvalidRequestBody(_) => (StatusCode::BAD_REQUEST, "InvalidRequestBody"),
            Self::Common(refusal) => match refusal {
                Refusal::Undeliverable(fault) => match fault {
                    Fault::BodyTooLarge => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
                    Fault::BodyNotBase64 => (StatusCode::BAD_REQUEST, "InvalidRequestBody"),
                    Fault::BodyIncomplete => (StatusCode::BAD_REQUEST, "IncompleteBody"),
                    Fault::Host | Fault::ForwardedProto | Fault::Query => (StatusCode::BAD_REQUEST, "InvalidRequest"),
                },
                Refusal::InputTooLarge => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
                Refusal::Unauthenticated(error) => authentication(error),
                Refusal::ForeignProject | Refusal::OperationNotAllowed => (StatusCode::FORBIDDEN, "AccessDenied"),
                Refusal::UnknownPath => (StatusCode::NOT_FOUND, "SYS.0003"),
                Refusal::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
                Refusal::NotServed => (StatusCode::NOT_IMPLEMENTED, "ServiceNotImplemented"),
                Refusal::WorkflowNotFound => (StatusCode::NOT_FOUND, "NoSuchWorkflow"),
                Refusal::ExecutionNotFound => (StatusCode::NOT_FOUND, "NoSuchExecution"),
                Refusal::NotNow(_) => (StatusCode::CONFLICT, "OperationAborted"),
                Refusal::Conflict { .. } => (StatusCode::CONFLICT, "OperationAborted"),
                Refusal::Throttled(_) => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
                Refusal::Unavailable(_) | Refusal::EngineUnavailable(_) => {
                    (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
                }
                Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
                }
            },
        }
    }

    /// What the caller reads.
    fn message(&self) -> String {
        match self {
            Self::InvalidArgument(message) | Self::UnknownInput(message) | Self::InvalidRequestBody(message) => {
                message.clone()
            }
            Self::Common(refusal) => match refusal {
                Refusal::Undeliverable(fault) => fault.message().to_owned(),
                Refusal::InputTooLarge => "the input with its defaults is larger than 262144 bytes".to_owned(),
                // The vendor documents this sentence.
                Refusal::Unauthenticated(auth::Error::WrongSignature) => {
                    "The request signature we calculated does not match the signature you provided. \
                     Check your key and signing method."
                        .to_owned()
                }
                Refusal::Unauthenticated(error) => error.to_string(),
                Refusal::ForeignProject | Refusal::OperationNotAllowed => {
                    "the access key does not allow this operation".to_owned()
                }
                Refusal::UnknownPath => "the workflow API has no such path".to_owned(),
                // The vendor documents this sentence.
                Refusal::MethodNotAllowed { .. } => "Specified method is not supported.".to_owned(),
                Refusal::NotServed => "this operation is not served here".to_owned(),
                Refusal::WorkflowNotFound => "the specified workflow does not exist".to_owned(),
                Refusal::ExecutionNotFound => "the specified execution does not exist".to_owned(),
                Refusal::NotNow(status) => {
                    format!("the execution is {}, which does not allow this", execution_info::status(*status))
                }
                Refusal::Conflict { .. } => "the Idempotency-Key belongs to a different request".to_owned(),
                Refusal::Throttled(_) => "Please reduce your request rate.".to_owned(),
                Refusal::EngineUnavailable(_) => "the service is unavailable for now; repeating is safe".to_owned(),
                Refusal::Unavailable(_) => {
                    "the service is unavailable for now; repeating is safe with an Idempotency-Key".to_owned()
                }
                Refusal::Internal(_) | Refusal::EngineFailed(_) | Refusal::Panicked => {
                    "the service met an internal error".to_owned()
                }
            },
        }
    }
}

fn authentication(error: &auth::Error) -> (StatusCode, &'static str) {
    let code = match error {
        auth::Error::Unavailable => return (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        auth::Error::PayloadMismatch { .. } => return (StatusCode::BAD_REQUEST, "BadDigest"),
        auth::Error::MissingCredentials { .. }
        | auth::Error::Malformed { .. }
        | auth::Error::DateMissing { .. }
        | auth::Error::DateMalformed { .. }
        | auth::Error::UrlExpired { .. }
        | auth::Error::ExpiredKey
        | auth::Error::SecurityTokenMissing { .. }
        | auth::Error::SecurityTokenWrong { .. }
        | auth::Error::UnknownToken
        | auth::Error::ExpiredToken => "AccessDenied",
        auth::Error::Skewed { .. } => "RequestTimeTooSkewed",
        auth::Error::UnknownKey => "InvalidAccessKeyId",
        auth::Error::WrongSignature => "SignatureDoesNotMatch",
    };
    (StatusCode::FORBIDDEN, code)
}

/// Whether the caller asks for JSON by name.
fn accepts_json(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")))
}

fn xml(code: &str, message: &str, resource: &str, request_id: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n");
    for (name, value) in [
        ("Code", code),
        ("Message", message),
        ("Resource", resource),
        ("RequestId", request_id),
        ("HostId", "flowgate"),
    ] {
        writeln!(text, "<{name}>{}</{name}>", escape(value)).expect("a string takes any text");
    }
    text + "</Error>\n"
}

/// Escapes text for an XML element. Characters XML cannot express at all become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped_or_replaced() {
        assert_eq!(escape("a<b>&\"c\"\u{0}\u{fffe}\n"), "a&lt;b&gt;&amp;\"c\"\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn json_is_for_those_who_name_it() {
        for (accept, expected) in [
            ("application/json", true),
            ("text/html, Application/JSON;q=0.9", true),
            ("*/*", false),
            ("application/json-seq", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(accepts_json(&headers), expected, "{accept}");
        }
        assert!(!accepts_json(&HeaderMap::new()));
    }
}
