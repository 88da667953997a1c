//! Answers in the shape each front end reads, and what other senders of events read.

use bytes::Bytes;
use http::{HeaderMap, Response};
use lambda_http::Body;
use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use serde::Serialize;

use super::FrontEnd;

/// An answer as the sender of the event wants it. Every body of the APIs is text, so nothing is ever base64.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// For a REST API.
    Rest(ApiGatewayProxyResponse),
    /// For an HTTP API or a function URL.
    Http(ApiGatewayV2httpResponse),
    /// For a load balancer.
    LoadBalancer(AlbTargetGroupResponse),
    /// For a stream.
    Batch(BatchAnswer),
    /// For whoever reads no answer.
    Nothing,
}

/// Which records of a stream's batch are to come again.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl BatchAnswer {
    /// The batch is done but for the records of these sequence numbers.
    pub(super) fn failed(sequence_numbers: impl IntoIterator<Item = String>) -> Self {
        let failures = sequence_numbers.into_iter().map(|item_identifier| ItemFailure { item_identifier });
        Self { batch_item_failures: failures.collect() }
    }
}

impl Answer {
    pub(super) fn new(front_end: FrontEnd, response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let status_code = i64::from(parts.status.as_u16());
        let body = Some(Body::Text(String::from_utf8_lossy(&body).into_owned()));
        match front_end {
            FrontEnd::Rest => {
                let mut answer = ApiGatewayProxyResponse::default();
                answer.status_code = status_code;
                // API Gateway sends the headers of both maps, so one of them stays empty.
                answer.headers = HeaderMap::new();
                answer.multi_value_headers = parts.headers;
                answer.body = body;
                Self::Rest(answer)
            }
            FrontEnd::Http => {
                let mut answer = ApiGatewayV2httpResponse::default();
                answer.status_code = status_code;
                answer.headers = parts.headers;
                answer.body = body;
                Self::Http(answer)
            }
            FrontEnd::LoadBalancer => {
                let reason = parts.status.canonical_reason().unwrap_or_default();
                let mut answer = AlbTargetGroupResponse::default();
                answer.status_code = status_code;
                answer.status_description = Some(format!("{status_code} {reason}"));
                // A load balancer reads the map its target group is set to.
                answer.headers = parts.headers.clone();
                answer.multi_value_headers = parts.headers;
                answer.body = body;
                Self::LoadBalancer(answer)
            }
        }
    }
}
