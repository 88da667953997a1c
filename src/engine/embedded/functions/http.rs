//! Functions behind an `http(s)` address, for runtimes that Lambda does not know.
//!
//! The payload is sent as the JSON body of a POST. An answer with a 2xx status is what the function returned, as JSON or
//! empty. Any other status is an error that the function threw, by the name `Http.<status>`: the members of its JSON body,
//! if it is an object, with the status as `errorCode` unless the body has one of its own. A server that cannot be reached is
//! the error `Http.Unreachable` with the `errorCode` 503.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};

use super::MAX_ANSWER_BYTES;
use super::lambda::returned;
use crate::engine::embedded::Failure;
use crate::{errors, json as text};

/// A client that keeps its connections.
pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    pub(super) fn new() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            // A machine without root certificates still calls plain addresses.
            .unwrap_or_else(|_| HttpsConnectorBuilder::new().with_tls_config(without_roots()))
            .https_or_http()
            .enable_http1()
            .build();
        Self(legacy::Client::builder(TokioExecutor::new()).build(connector))
    }

    /// See [`super::Functions::call`].
    pub(super) async fn call(&self, address: &str, payload: &Value) -> Result<Value, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::from(payload.to_string()))
            .map_err(|error| unreachable(&error.to_string()))?;
        let answer = self.0.request(request).await.map_err(|error| unreachable(&errors::chain(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| unreachable(&error.to_string()))?.to_bytes();
        if status.is_success() { returned(&body) } else { Err(thrown(status, &body)) }
    }
}

fn without_roots() -> rustls::ClientConfig {
    let provider = rustls::crypto::ring::default_provider().into();
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has every protocol version of TLS")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn thrown(status: StatusCode, body: &[u8]) -> Failure {
    let body = std::str::from_utf8(body).ok().and_then(|body| text::value(body).ok());
    let mut cause = match body {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    cause.entry("errorCode").or_insert_with(|| status.as_u16().into());
    cause.entry("errorMessage").or_insert_with(|| format!("the function answered {status}").into());
    Failure::new(format!("Http.{}", status.as_u16()), Value::Object(cause).to_string())
}

fn unreachable(reason: &str) -> Failure {
    Failure::new("Http.Unreachable", json!({"errorCode": 503, "errorMessage": reason}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_error_code_unless_the_body_has_one() {
        let thrown = |body: &str| text::value(&thrown(StatusCode::NOT_FOUND, body.as_bytes()).cause).expect("JSON");
        assert_eq!(thrown(r#"{"errorCode": 7, "a": 1}"#)["errorCode"], 7);
        assert_eq!(thrown(r#"{"errorMessage": "gone"}"#), json!({"errorCode": 404, "errorMessage": "gone"}));
        for odd in ["", "oops", "[]"] {
            assert_eq!(thrown(odd)["errorCode"], 404, "{odd}");
        }
    }
}
