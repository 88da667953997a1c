//! The events of the HTTP front ends.
//!
//! lambda_http has types for these too. They refuse an event whose headers are not ASCII, lose all but the last of a
//! repeated header, and panic on an odd Host, X-Forwarded-Proto, query or base64 body; each of these would reach the caller
//! as the gateway's own 502. So the events are read here, leniently, and judged where the answer has the caller's dialect.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::api::{Fault, MAX_BODY_BYTES, MAX_PATIENCE, Request, RequestId};
use crate::gateway::{below, is_query, trace};

/// What a percent-encoded query leaves alone (RFC 3986, unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which front end an event came from; the answer's shape follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontEnd {
    /// API Gateway REST API (payload version 1.0).
    Rest,
    /// API Gateway HTTP API or a function URL (payload version 2.0).
    Http,
    /// An application load balancer's target group.
    LoadBalancer,
}

/// An event of any of the front ends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    request_context: Context,
    #[serde(default)]
    http_method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    raw_path: Option<String>,
    #[serde(default)]
    raw_query_string: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    multi_value_headers: BTreeMap<String, Values>,
    #[serde(default, deserialize_with = "nullable")]
    query_string_parameters: BTreeMap<String, Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    multi_value_query_string_parameters: BTreeMap<String, Values>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    is_base64_encoded: bool,
}

/// The values of one name. A null, for all or for one of them, is an empty text.
#[derive(Debug, Deserialize)]
struct Values(Option<Vec<Option<String>>>);

impl Values {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let values = self.0.as_deref().unwrap_or(&[const { None }]);
        values.iter().map(|value| value.as_deref().unwrap_or_default())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    #[serde(default)]
    http: Option<HttpContext>,
    #[serde(default)]
    elb: Option<IgnoredAny>,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct HttpContext {
    method: String,
}

/// The front ends write null where a map is empty.
fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Event {
    /// Which front end made the event.
    pub fn front_end(&self) -> FrontEnd {
        if self.request_context.http.is_some() {
            FrontEnd::Http
        } else if self.request_context.elb.is_some() {
            FrontEnd::LoadBalancer
        } else {
            FrontEnd::Rest
        }
    }

    /// Makes the event a call. `invocation_id` is Lambda's own id of the invocation, a UUID.
    pub(crate) fn into_request(self, base_path: &str, invocation_id: &str, xray: Option<&str>) -> Request {
        let (path, signed_path) = self.paths(base_path);
        let query = self.query();
        let mut headers = self.headers();
        let gateway_id = self.request_context.request_id.clone();
        let id = gateway_id
            .as_deref()
            .and_then(RequestId::from_gateway)
            .or_else(|| RequestId::from_gateway(invocation_id))
            .unwrap_or_else(RequestId::random);
        // What is no method at all matches no operation either; TRACE is one that no API has.
        let method = Method::from_bytes(self.method().as_bytes()).unwrap_or(Method::TRACE);
        let query_fault = (!is_query(&query)).then_some(Fault::Query);
        let (body, body_fault) = self.body();
        // REST APIs keep it to themselves, and the vendor's OBS client signs it in its v4 form.
        headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(body.len()));
        Request {
            method,
            path,
            signed_path,
            query,
            trace: trace(&headers, xray),
            fault: body_fault.or_else(|| header_fault(&headers)).or(query_fault),
            headers,
            body,
            id,
            gateway_id,
            patience: MAX_PATIENCE,
        }
    }

    fn method(&self) -> &str {
        match &self.request_context.http {
            Some(http) => &http.method,
            None => self.http_method.as_deref().unwrap_or_default(),
        }
    }

    /// The path below stage and base path, and the path as the client sent it.
    fn paths(&self, base_path: &str) -> (String, String) {
        let context = &self.request_context;
        let (path, signed) = match self.front_end() {
            // `path` comes without the stage; the client's path is in the context.
            FrontEnd::Rest => {
                let path = self.path.as_deref().unwrap_or_default();
                (path, context.path.as_deref().unwrap_or(path))
            }
            // `rawPath` carries the stage, unless it is the one that has no name.
            FrontEnd::Http => {
                let raw = self.raw_path.as_deref().unwrap_or_default();
                match context.stage.as_deref() {
                    Some(stage) if !stage.is_empty() && stage != "$default" => (below(raw, &format!("/{stage}")), raw),
                    _ => (raw, raw),
                }
            }
            FrontEnd::LoadBalancer => {
                let path = self.path.as_deref().unwrap_or_default();
                (path, path)
            }
        };
        (below(path, base_path).to_owned(), signed.to_owned())
    }

    /// The query as on the wire. REST APIs hand it over decoded and in a map, so it is encoded again; the order is lost,
    /// and no signature depends on it.
    fn query(&self) -> String {
        if let Some(raw) = &self.raw_query_string {
            return raw.clone();
        }
        let pairs: Vec<(&str, &str)> = if self.multi_value_query_string_parameters.is_empty() {
            let entries = self.query_string_parameters.iter();
            entries.map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default())).collect()
        } else {
            let entries = self.multi_value_query_string_parameters.iter();
            entries.flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value))).collect()
        };
        let encode = |text| match self.front_end() {
            FrontEnd::Rest | FrontEnd::Http => utf8_percent_encode(text, QUERY).to_string(),
            // A load balancer leaves them as they came.
            FrontEnd::LoadBalancer => String::from(text),
        };
        // A map cannot tell `name` from `name=`. The vendor's clients send the first, and sign it so.
        let pairs = pairs.into_iter().map(|(name, value)| match value {
            "" => encode(name),
            value => format!("{}={}", encode(name), encode(value)),
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// Every header with all of its values. What HTTP could not carry is left out; a signature over it then fails.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut append = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
                headers.append(name, value);
            }
        };
        for (name, values) in &self.multi_value_headers {
            values.iter().for_each(|value| append(name, value));
        }
        for (name, value) in &self.headers {
            if !self.multi_value_headers.contains_key(name) {
                append(name, value.as_deref().unwrap_or_default());
            }
        }
        headers
    }

    fn body(self) -> (Bytes, Option<Fault>) {
        let text = self.body.unwrap_or_default();
        let body = if self.is_base64_encoded {
            match STANDARD.decode(text) {
                Ok(bytes) => Bytes::from(bytes),
                Err(_) => return (Bytes::new(), Some(Fault::BodyNotBase64)),
            }
        } else {
            Bytes::from(text)
        };
        if body.len() > MAX_BODY_BYTES { (Bytes::new(), Some(Fault::BodyTooLarge)) } else { (body, None) }
    }
}

/// What is wrong with the headers that a front end sets or checks by itself: such an event was made by hand.
fn header_fault(headers: &HeaderMap) -> Option<Fault> {
    let every = |name: HeaderName, legal: fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(legal))
    };
    if !every(HOST, is_host) {
        return Some(Fault::Host);
    }
    if !every(HeaderName::from_static("x-forwarded-proto"), |value| matches!(value, "http" | "https")) {
        return Some(Fault::ForwardedProto);
    }
    None
}

fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let names_a_port = authority.as_str().len() > authority.host().len();
    !authority.host().is_empty() && !text.contains('@') && (!names_a_port || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_address_with_at_most_a_port() {
        for host in ["example.com", "127.0.0.1:8080", "[::1]", "[::1]:80", "a-b.execute-api.us-east-1.amazonaws.com"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "bad host", "a:b:c", "h:99999", "[::1", "<script>", "a/b", "user@host", "h:", "h:x"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
