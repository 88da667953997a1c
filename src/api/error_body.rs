//! The error body of the vendor's API gateway and of FunctionGraph, and the answer for a path of no API.

use http::StatusCode;
use http::header::HeaderValue;
use serde::Serialize;

use super::{Reply, Request};

/// Most characters of `error_msg` in the vendor's schema.
const MAX_MESSAGE_CHARS: usize = 512;

#[derive(Serialize)]
struct ErrorBody<'a> {
    error_code: &'a str,
    error_msg: &'a str,
    request_id: &'a str,
}

/// `{"error_code", "error_msg", "request_id"}`.
pub(super) fn reply(status: StatusCode, code: &'static str, message: &str, request: &Request) -> Reply {
    let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
    let body = ErrorBody { error_code: code, error_msg: &message, request_id: &request.id.lower() };
    let text = serde_json::to_vec(&body).expect("a body of strings is writable");
    Reply { code: Some(code), ..Reply::new(status, HeaderValue::from_static("application/json"), text) }
}

/// The gateway's answer for a path that belongs to no API.
pub(super) fn unknown_api(request: &Request) -> Reply {
    let message = "The API does not exist or has not been published in the environment.";
    reply(StatusCode::NOT_FOUND, "APIGW.0101", message, request)
}
