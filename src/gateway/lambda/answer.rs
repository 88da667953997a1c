//! Answers in the shape each front end reads.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde::Serialize;

use super::FrontEnd;

/// A response as the front end wants it. Every body of the APIs is text, so nothing is ever base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    /// A load balancer insists on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    body: String,
    is_base64_encoded: bool,
}

impl Answer {
    pub(super) fn new(front_end: FrontEnd, response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let single = || single_values(&parts.headers);
        let multiple = || single().into_iter().map(|(name, value)| (name, vec![value])).collect();
        // A REST API merges both maps and a load balancer reads the one its target group is set to.
        let (headers, multi_value_headers) = match front_end {
            FrontEnd::Rest => (None, Some(multiple())),
            FrontEnd::Http => (Some(single()), None),
            FrontEnd::LoadBalancer => (Some(single()), Some(multiple())),
        };
        let status = parts.status;
        let described = front_end == FrontEnd::LoadBalancer;
        let description = || format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        Self {
            status_code: status.as_u16(),
            status_description: described.then(description),
            headers,
            multi_value_headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            is_base64_encoded: false,
        }
    }
}

/// The headers as text; the APIs write each one once.
fn single_values(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
