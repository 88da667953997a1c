//! Calls as clients make them, signed with the sample credentials, and the answers.

use std::collections::BTreeMap;

use flowgate::auth::{Credentials, Incoming, sign_obs, sign_sdk_hmac};
use flowgate::clock::Timestamp;
use flowgate::workflow::{WorkflowName, id_of};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PROJECT, fixed_time};

const HOST: &str = "flowgate.example.com";

/// The sample workflow that the starts below start.
const WORKFLOW: &str = "media-transcode";

/// A call, before it is signed and packed into an event.
#[derive(Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
    signed_at: Timestamp,
}

impl Call {
    /// A call without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let headers =
            HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { method, path: path.into(), headers, body: String::new(), signed_at: fixed_time() }
    }

    /// The id of the workflow that the starts below start.
    pub fn workflow_id() -> Uuid {
        id_of(PROJECT, &WorkflowName::parse(WORKFLOW).expect("a valid name"))
    }

    /// A start through FunctionGraph v1. `input` is the text the `input` string holds.
    pub fn start_v1(execution_name: &str, input: &str) -> Self {
        let path = format!("/v1.0/{PROJECT}/cloud_graphs/urn:fgs:local-1:{PROJECT}:graph:{WORKFLOW}/executions/action");
        let executions = json!({"execution_name": execution_name, "input": input});
        Self::new(Method::POST, path).body(json!({"action_type": "start", "executions": executions}).to_string())
    }

    /// A start through FunctionGraph v2. `input` is the JSON text of the `input` member.
    pub fn start_v2(input: &str) -> Self {
        Self::new(Method::POST, format!("/v2/{PROJECT}/fgs/workflows/{}/executions", Self::workflow_id()))
            .body(format!("{{\"input\":{input}}}"))
    }

    /// A start through OBS, for an object.
    pub fn start_obs(object: &str) -> Self {
        Self::new(Method::POST, format!("/v2/workflows/{WORKFLOW}"))
            .body(json!({"bucket": "videos", "object": object}).to_string())
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.headers.append(HeaderName::from_bytes(name.as_bytes()).expect("a header name"), value);
        self
    }

    /// Sets a header in place of all of its name.
    pub fn replace_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.remove(name);
        self.header(name, value)
    }

    /// Starts another sample workflow instead.
    pub fn in_workflow(mut self, name: &str) -> Self {
        let other = id_of(PROJECT, &WorkflowName::parse(name).expect("a valid name")).to_string();
        self.path = self.path.replace(WORKFLOW, name).replace(&Self::workflow_id().to_string(), &other);
        self
    }

    pub fn body(mut self, text: impl Into<String>) -> Self {
        self.body = text.into();
        self
    }

    /// Signs for another instant than that of the event files.
    pub fn signed_at(mut self, instant: Timestamp) -> Self {
        self.signed_at = instant;
        self
    }

    /// The event of an API Gateway REST API.
    pub fn rest_event(&self) -> Value {
        let headers = self.signed_headers();
        let multiple: BTreeMap<&str, Vec<&str>> =
            headers.keys().map(|name| (name.as_str(), values(&headers, name))).collect();
        let single: BTreeMap<&str, &str> =
            multiple.iter().filter_map(|(name, values)| Some((*name, *values.last()?))).collect();
        json!({
            "resource": "/{proxy+}",
            "path": self.path,
            "httpMethod": self.method.as_str(),
            "headers": single,
            "multiValueHeaders": multiple,
            "queryStringParameters": null,
            "multiValueQueryStringParameters": null,
            "requestContext": {"path": self.path, "stage": "prod", "httpMethod": self.method.as_str()},
            "body": self.body,
            "isBase64Encoded": false,
        })
    }

    /// The event of an API Gateway HTTP API, or of a function URL.
    pub fn http_api_event(&self) -> Value {
        let headers = self.signed_headers();
        let joined: BTreeMap<&str, String> =
            headers.keys().map(|name| (name.as_str(), values(&headers, name).join(","))).collect();
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": joined,
            "requestContext": {"stage": "$default", "http": {"method": self.method.as_str(), "path": self.path}},
            "body": self.body,
            "isBase64Encoded": false,
        })
    }

    /// Signs as the vendor's client for the API does.
    fn signed_headers(&self) -> HeaderMap {
        let incoming = Incoming {
            method: &self.method,
            path: &self.path,
            query: "",
            headers: &self.headers,
            body: self.body.as_bytes(),
        };
        let credentials = Credentials::sample();
        let credential = credentials.first().expect("a sample credential");
        let is_functiongraph = self.path.contains("/fgs/") || self.path.contains("/cloud_graphs");
        let sign = if is_functiongraph { sign_sdk_hmac } else { sign_obs };
        let mut headers = self.headers.clone();
        headers.extend(sign(&incoming, HOST, credential, self.signed_at).expect("a request that can be signed"));
        headers
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

/// An answer, whichever front end it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u64,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    /// Reads what the function gave the front end.
    pub fn read(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let single =
            answer["headers"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
        let multiple = answer["multiValueHeaders"].as_object().into_iter().flatten();
        let multiple = multiple.map(|(name, values)| (name.clone(), text(&values[0])));
        Self {
            status: answer["statusCode"].as_u64().expect("a status"),
            headers: single.chain(multiple).collect(),
            body: text(&answer["body"]),
        }
    }

    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The vendor's code of a refusal in any of the dialects, XML included.
    pub fn code(&self) -> String {
        if let Some((_, rest)) = self.body.split_once("<Code>") {
            return rest.split('<').next().unwrap_or_default().to_owned();
        }
        let body = self.json();
        let code = body.get("error_code").or_else(|| body.get("code"));
        code.and_then(Value::as_str).unwrap_or_else(|| panic!("no code: {}", self.body)).to_owned()
    }

    /// Asserts a status and a code; returns the answer for more.
    #[track_caller]
    pub fn expect_refusal(self, status: u64, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.body);
        self
    }

    /// Asserts a success; returns its body.
    #[track_caller]
    pub fn expect_success(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }
}
