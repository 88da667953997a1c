//! Calls to the three APIs, made and signed the way the vendor's clients do, in the shape of every way in.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowgate::auth::{Credential, Credentials, Incoming, sign_obs, sign_sdk_hmac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};

use super::{PROJECT, fixed_time};

/// The host every call is made to.
pub const HOST: &str = "flowgate.example.com";

/// The gateway's id of every call made by [`Call::event`].
pub const GATEWAY_ID: &str = "0f7c7e43-2b5c-4f5e-9d3b-1a2b3c4d5e6f";

/// The API a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    pub fn new(api: Api, path: &str, body: &[u8]) -> Self {
        Self {
            api,
            method: "POST".into(),
            path: path.into(),
            query: String::new(),
            headers: vec![("Content-Type".into(), "application/json".into()), ("Host".into(), HOST.into())],
            body: body.into(),
        }
    }

    /// A good start of the `order-fanout` (v1, v2) or `media-transcode` (OBS) sample. `name` makes it unique where the API
    /// has a key.
    pub fn start(api: Api, name: &str) -> Self {
        Self::start_with(api, name, "A-1")
    }

    /// The same with a text of the caller's own in its input.
    pub fn start_with(api: Api, name: &str, text: &str) -> Self {
        match api {
            Api::Obs => {
                let body = json!({"bucket": "demo-bucket", "object": text}).to_string();
                Self::new(api, "/v2/workflows/media-transcode", body.as_bytes()).header("Idempotency-Key", name)
            }
            Api::V1 => {
                let input = json!({"order": {"id": text}}).to_string();
                let executions = json!({"execution_name": name, "input": input});
                let body = json!({"action_type": "start", "executions": executions}).to_string();
                let urn = format!("urn%3Afgs%3Alocal-1%3A{PROJECT}%3Agraph%3Aorder-fanout");
                Self::new(api, &format!("/v1.0/{PROJECT}/cloud_graphs/{urn}/executions/action"), body.as_bytes())
            }
            Api::V2 => {
                let body = json!({"input": {"order": {"id": text}}}).to_string();
                Self::new(api, &format!("/v2/{PROJECT}/fgs/workflows/order-fanout/executions"), body.as_bytes())
                    .header("X-WorkflowRun-ID", name)
            }
        }
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Signs with the sample credentials at the instant of the event files. A call that cannot be signed stays as it is.
    pub fn signed(self) -> Self {
        let credentials = Credentials::sample();
        self.signed_by(credentials.first().expect("the sample pair"))
    }

    /// Signs with other credentials.
    pub fn signed_by(self, credential: &Credential) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            else {
                return self;
            };
            headers.append(name, value);
        }
        let Ok(method) = Method::from_bytes(self.method.as_bytes()) else {
            return self;
        };
        let host = headers.remove("host").and_then(|host| host.to_str().ok().map(str::to_owned)).unwrap_or_default();
        let incoming =
            Incoming { method: &method, path: &self.path, query: &self.query, headers: &headers, body: &self.body };
        let added = match self.api {
            Api::Obs => sign_obs(&incoming, &host, credential, fixed_time()),
            Api::V1 | Api::V2 => sign_sdk_hmac(&incoming, &host, credential, fixed_time()),
        };
        let Ok(added) = added else {
            return self;
        };
        added.iter().fold(self, |call, (name, value)| {
            call.header(name.as_str(), value.to_str().expect("what a signer adds is ASCII"))
        })
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
