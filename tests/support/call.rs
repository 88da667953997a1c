//! Calls to the three APIs, made and signed the way the vendor's clients do, in the shape of every way in.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowgate::auth::{Credential, Credentials, Incoming, sign_obs, sign_sdk_hmac};
use flowgate::clock::Timestamp;
use flowgate::workflow::{WorkflowName, id_of};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{PROJECT, fixed_time};

/// The host every call is made to.
pub const HOST: &str = "flowgate.example.com";

/// The gateway's id of every call made by [`Call::event`].
const GATEWAY_ID: &str = "0f7c7e43-2b5c-4f5e-9d3b-1a2b3c4d5e6f";

/// The sample workflow that the starts below start.
const WORKFLOW: &str = "media-transcode";

/// The id of the sample workflow that the starts below start.
pub fn workflow_id() -> Uuid {
    id_in_project(WORKFLOW)
}

/// The id of a workflow of [`PROJECT`], whether there is one of that name or not.
pub fn id_in_project(workflow: &str) -> Uuid {
    id_of(PROJECT, &WorkflowName::parse(workflow).expect("a valid name"))
}

/// The API a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Obs,
    V1,
    V2,
}

impl Api {
    pub const ALL: [Self; 3] = [Self::Obs, Self::V1, Self::V2];

    /// The name in logs and of the folder of events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Obs => "obs",
            Self::V1 => "functiongraph_v1",
            Self::V2 => "functiongraph_v2",
        }
    }
}

/// What hands calls to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    Rest,
    HttpApi,
    FunctionUrl,
    LoadBalancer,
}

impl Front {
    pub const ALL: [Self; 4] = [Self::Rest, Self::HttpApi, Self::FunctionUrl, Self::LoadBalancer];
}

/// One call, as its client would write it.
#[derive(Debug, Clone)]
pub struct Call {
    pub api: Api,
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    /// A POST of JSON.
    pub fn new(api: Api, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            api,
            method: "POST".into(),
            path: path.into(),
            query: String::new(),
            headers: vec![("Content-Type".into(), "application/json".into()), ("Host".into(), HOST.into())],
            body: body.into(),
        }
    }

    /// A good start under a key.
    pub fn start(api: Api, key: &str) -> Self {
        Self::start_with(api, key, "A-1")
    }

    /// The same with a text of the test's own in its input.
    pub fn start_with(api: Api, key: &str, text: &str) -> Self {
        let input = json!({"video": {"id": text}}).to_string();
        match api {
            Api::Obs => Self::start_obs(text).header("Idempotency-Key", key),
            Api::V1 => Self::start_v1(key, &input),
            Api::V2 => Self::start_v2(&input).header("X-WorkflowRun-ID", key),
        }
    }

    /// A start through OBS, for an object and without a key.
    pub fn start_obs(object: &str) -> Self {
        let body = json!({"bucket": "videos", "object": object}).to_string();
        Self::new(Api::Obs, &format!("/v2/workflows/{WORKFLOW}"), body)
    }

    /// A start through FunctionGraph v1. `input` is the text that the `input` string holds.
    pub fn start_v1(execution_name: &str, input: &str) -> Self {
        let executions = json!({"execution_name": execution_name, "input": input});
        let body = json!({"action_type": "start", "executions": executions}).to_string();
        let urn = format!("urn%3Afgs%3Alocal-1%3A{PROJECT}%3Agraph%3A{WORKFLOW}");
        Self::new(Api::V1, &format!("/v1.0/{PROJECT}/cloud_graphs/{urn}/executions/action"), body)
    }

    /// A start through FunctionGraph v2, without a key. `input` is the JSON text of the `input` member.
    pub fn start_v2(input: &str) -> Self {
        let path = format!("/v2/{PROJECT}/fgs/workflows/{}/executions", workflow_id());
        Self::new(Api::V2, &path, format!("{{\"input\":{input}}}"))
    }

    /// A GET.
    pub fn get(api: Api, path: &str, query: &str) -> Self {
        Self { method: "GET".into(), query: query.into(), ..Self::new(api, path, "") }
    }

    /// Shows an execution of a workflow of [`PROJECT`].
    pub fn show(api: Api, workflow: &str, name: &str) -> Self {
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        match api {
            Api::Obs => {
                Self::get(api, &format!("/v2/workflowexecutions/{name}"), &format!("x-workflow-graph-name={workflow}"))
            }
            Api::V1 => {
                let urn = format!("urn%3Afgs%3Ar%3A{PROJECT}%3Aexecution%3A{workflow}%3A{name}%3Ad");
                Self::get(api, &format!("/v1.0/{PROJECT}/cloud_graphs/executions/{urn}"), "")
            }
            Api::V2 => {
                let id = id_in_project(workflow);
                Self::get(api, &format!("/v2/{PROJECT}/fgs/workflows/{id}/executions/{name}"), "")
            }
        }
    }

    /// Lists the executions of a workflow of [`PROJECT`]. OBS is told the workflow by the query, which `query` continues.
    pub fn list(api: Api, workflow: &str, query: &str) -> Self {
        match api {
            Api::Obs => Self::get(api, "/v2/workflowexecutions", &format!("x-workflow-graph-name={workflow}{query}")),
            Api::V1 => {
                let urn = format!("urn%3Afgs%3Ar%3A{PROJECT}%3Agraph%3A{workflow}");
                Self::get(api, &format!("/v1.0/{PROJECT}/cloud_graphs/{urn}/executions"), query)
            }
            Api::V2 => {
                let id = id_in_project(workflow);
                Self::get(api, &format!("/v2/{PROJECT}/fgs/workflows/{id}/executions"), query)
            }
        }
    }

    /// The page that FunctionGraph v2 has beside its list.
    pub fn list_history(workflow: &str, query: &str) -> Self {
        let id = id_in_project(workflow);
        Self::get(Api::V2, &format!("/v2/{PROJECT}/fgs/workflows/{id}/executions-history"), query)
    }

    /// Stops an execution through one of the two APIs that can.
    pub fn stop(api: Api, workflow: &str, name: &str) -> Self {
        match api {
            Api::Obs => panic!("OBS has no way to stop an execution"),
            Api::V1 => {
                let executions = json!({"execution_urn": format!("urn:fgs:r:{PROJECT}:execution:{workflow}:{name}:d")});
                let body = json!({"action_type": "stop", "executions": executions}).to_string();
                let urn = format!("urn%3Afgs%3Ar%3A{PROJECT}%3Agraph%3A{workflow}");
                Self::new(api, &format!("/v1.0/{PROJECT}/cloud_graphs/{urn}/executions/action"), body)
            }
            Api::V2 => {
                let id = id_in_project(workflow);
                Self::new(api, &format!("/v2/{PROJECT}/fgs/workflows/{id}/executions/{name}/terminate"), "")
            }
        }
    }

    /// Has an execution tried again through one of the two APIs that can.
    pub fn retry(api: Api, workflow: &str, name: &str) -> Self {
        match api {
            Api::Obs => Self { method: "PUT".into(), ..Self::show(api, workflow, name) },
            Api::V1 => panic!("FunctionGraph v1 has no way to retry an execution"),
            Api::V2 => {
                let id = id_in_project(workflow);
                Self::new(api, &format!("/v2/{PROJECT}/fgs/workflows/{id}/executions/{name}/retry"), "")
            }
        }
    }

    /// Starts a workflow and waits for its end.
    pub fn start_sync(workflow: &str, input: &str) -> Self {
        let id = id_in_project(workflow);
        Self::new(
            Api::V2,
            &format!("/v2/{PROJECT}/fgs/workflows/{id}/sync-executions"),
            format!("{{\"input\":{input}}}"),
        )
    }

    /// Names another workflow of the project in the path, by name or id as before.
    pub fn in_workflow(mut self, name: &str) -> Self {
        self.path =
            self.path.replace(WORKFLOW, name).replace(&workflow_id().to_string(), &id_in_project(name).to_string());
        self
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The call as it stands, signed with the sample credentials at the instant of the event files. A call that cannot be
    /// signed stays as it is.
    pub fn signed(&self) -> Self {
        self.signed_at(fixed_time())
    }

    /// The same with credentials of the test's own.
    pub fn signed_by(&self, credential: &Credential) -> Self {
        self.with_signature(credential, fixed_time())
    }

    /// The same at an instant of the test's own.
    pub fn signed_at(&self, instant: Timestamp) -> Self {
        let credentials = Credentials::sample();
        self.with_signature(credentials.first().expect("the sample pair"), instant)
    }

    /// The call with the headers that sign it, in place of any of their names.
    fn with_signature(&self, credential: &Credential, instant: Timestamp) -> Self {
        let added = self.signature(credential, instant).unwrap_or_default();
        added.iter().fold(self.clone(), |call, (name, value)| {
            call.header(name.as_str(), value.to_str().expect("what a signer adds is ASCII"))
        })
    }

    /// The headers that sign the call as the vendor's client for the API does; `None` if there is no signing it.
    fn signature(&self, credential: &Credential, instant: Timestamp) -> Option<HeaderMap> {
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        let host = headers.remove("host").and_then(|host| host.to_str().ok().map(str::to_owned)).unwrap_or_default();
        let incoming =
            Incoming { method: &method, path: &self.path, query: &self.query, headers: &headers, body: &self.body };
        let sign = if self.api == Api::Obs { sign_obs } else { sign_sdk_hmac };
        sign(&incoming, &host, credential, instant).ok()
    }

    /// The request's bytes up to the body, with the body's length announced.
    pub fn head(&self) -> Vec<u8> {
        self.head_with(&format!("Content-Length: {}\r\n", self.body.len()))
    }

    /// The request's bytes up to the body, with further header lines.
    pub fn head_with(&self, lines: &str) -> Vec<u8> {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let mut text = format!("{} {}{query} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        (text + lines + "\r\n").into_bytes()
    }

    /// The whole request's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }

    /// The event a front end makes of the call. A body that is no text goes as base64.
    pub fn event(&self, front: Front) -> Value {
        let (body, is_base64) = match std::str::from_utf8(&self.body) {
            Ok("") => (Value::Null, false),
            Ok(text) => (Value::from(text), false),
            Err(_) => (Value::from(STANDARD.encode(&self.body)), true),
        };
        let single: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut multiple: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in &self.headers {
            multiple.entry(name).or_default().push(value);
        }
        match front {
            Front::Rest => {
                let (single_query, multiple_query) = self.query_maps(true);
                json!({
                    "resource": "/{proxy+}", "path": self.path, "httpMethod": self.method,
                    "headers": single, "multiValueHeaders": multiple,
                    "queryStringParameters": single_query, "multiValueQueryStringParameters": multiple_query,
                    "requestContext": {"resourcePath": "/{proxy+}", "stage": "prod", "path": self.path,
                        "requestId": GATEWAY_ID, "httpMethod": self.method, "apiId": "a1b2c3"},
                    "body": body, "isBase64Encoded": is_base64,
                })
            }
            Front::HttpApi | Front::FunctionUrl => {
                let lower: Map<String, Value> =
                    single.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
                json!({
                    "version": "2.0", "routeKey": "$default", "rawPath": self.path, "rawQueryString": self.query,
                    "headers": lower,
                    "requestContext": {"stage": "$default", "requestId": GATEWAY_ID,
                        "domainName": if front == Front::HttpApi { HOST } else { "a1.lambda-url.local-1.on.aws" },
                        "http": {"method": self.method, "path": self.path, "protocol": "HTTP/1.1"}},
                    "body": body, "isBase64Encoded": is_base64,
                })
            }
            Front::LoadBalancer => {
                let (_, multiple_query) = self.query_maps(false);
                json!({
                    "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:local-1:0:targetgroup/t/1"}},
                    "path": self.path, "httpMethod": self.method, "multiValueHeaders": multiple,
                    "multiValueQueryStringParameters": multiple_query,
                    "body": body.as_str().unwrap_or_default(), "isBase64Encoded": is_base64,
                })
            }
        }
    }

    fn query_maps(&self, decode: bool) -> (Value, Value) {
        if self.query.is_empty() {
            return (Value::Null, Value::Null);
        }
        let mut single = Map::new();
        let mut multiple: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in self.query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |part: &str| match decode {
                true => percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned(),
                false => part.to_owned(),
            };
            single.insert(text(name), text(value).into());
            multiple.entry(text(name)).or_default().push(text(value));
        }
        (single.into(), json!(multiple))
    }
}
