//! The APIs: which one owns a call, and the pipeline every call goes through.
//!
//! claim the path, check what the gateway delivered, authenticate over the untouched request, route, run, render. The order
//! of refusals is the same everywhere, and every refusal is written in the dialect of the API that owns the path.

mod error_body;
mod execution_info;
mod functiongraph_v1;
mod functiongraph_v2;
mod obs;
mod path;
mod refusal;
mod request;
mod starting;
mod urn;
mod values;
mod watching;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::auth::{Authenticator, Family, Incoming, Principal};
use crate::clock::Clock;
use crate::errors;
use crate::execution::Executions;
use crate::workflow::Workflows;

use refusal::Refusal;
pub use request::{Fault, MAX_BODY_BYTES, MAX_PATIENCE, Request, RequestId};

/// The header in which every answer carries its request id. The FunctionGraph SDKs read it; the OBS SDK reads its own.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a verdict on the storage holds.
const VERDICT_HOLDS: Duration = Duration::from_secs(1);

/// An API this program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Obs,
    FunctionGraphV1,
    FunctionGraphV2,
}

impl Api {
    /// Which API owns a path; `None` for a path of none.
    fn claim(path: &str, query: &str) -> Option<Self> {
        let segments = path::segments(path);
        match segments.as_slice() {
            ["v1.0", _, resource, ..] if functiongraph_v1::claims(resource) => Some(Self::FunctionGraphV1),
            // Longer than any path of OBS, where `fgs` may be the name of a workflow.
            ["v2", _, "fgs", _, ..] => Some(Self::FunctionGraphV2),
            ["v2", resource, ..] if obs::claims(resource) => Some(Self::Obs),
            _ if obs::is_trigger_policy(query) => Some(Self::Obs),
            _ => None,
        }
    }

    /// The name in logs.
    fn name(self) -> &'static str {
        match self {
            Self::Obs => "obs",
            Self::FunctionGraphV1 => "functiongraph_v1",
            Self::FunctionGraphV2 => "functiongraph_v2",
        }
    }
}

/// Which schemes a call to this path (below stage and base path) is signed with; `None` for a path of no API.
pub(crate) fn family_of(path: &str, query: &str) -> Option<Family> {
    Api::claim(path, query).map(|api| match api {
        Api::Obs => Family::Obs,
        Api::FunctionGraphV1 | Api::FunctionGraphV2 => Family::FunctionGraph,
    })
}

/// The three APIs over the domain.
#[derive(Clone)]
pub struct Apis {
    authenticator: Arc<Authenticator>,
    executions: Executions,
    workflows: Arc<Workflows>,
    clock: Arc<dyn Clock>,
    /// The region that URNs in answers carry.
    region: Arc<str>,
    /// Whether the storage could be reached, and when that was found out.
    verdict: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Apis {
    /// Puts the APIs on top of the domain.
    pub fn new(
        authenticator: Authenticator,
        executions: Executions,
        workflows: Arc<Workflows>,
        clock: Arc<dyn Clock>,
        region: &str,
    ) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
            executions,
            workflows,
            clock,
            region: region.into(),
            verdict: Arc::default(),
        }
    }

    /// Answers one call, whatever it is: a failure, a panic included, is an answer too. Logs one line about it.
    pub async fn answer(&self, request: Request) -> Response<Bytes> {
        let begun = Instant::now();
        let api = Api::claim(&request.path, &request.query);
        let served = AssertUnwindSafe(self.serve(api, &request)).catch_unwind().await;
        let mut reply = served.unwrap_or_else(|_| match api {
            None => error_body::unknown_api(&request),
            Some(api) => refuse(api, &request, Refusal::Panicked),
        });
        let id = HeaderValue::from_str(&request.id.lower()).expect("hex digits are a header value");
        reply.response.headers_mut().entry(X_REQUEST_ID).or_insert(id);
        reply.log(api, &request, begun);
        reply.response
    }

    /// Whether the storage behind the APIs can be reached. Anybody may ask, so the storage is asked once a second at most.
    pub async fn ready(&self) -> bool {
        let mut verdict = self.verdict.lock().await;
        if let Some((at, ready)) = *verdict
            && at.elapsed() < VERDICT_HOLDS
        {
            return ready;
        }
        let ready = match self.executions.ready().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %errors::chain(&error), "the storage cannot be reached");
                false
            }
        };
        *verdict = Some((Instant::now(), ready));
        ready
    }

    async fn serve(&self, api: Option<Api>, request: &Request) -> Reply {
        match api {
            Some(Api::Obs) => obs::serve(self, request).await,
            Some(Api::FunctionGraphV1) => functiongraph_v1::serve(self, request).await,
            Some(Api::FunctionGraphV2) => functiongraph_v2::serve(self, request).await,
            None => error_body::unknown_api(request),
        }
    }

    /// The first checks of every API: what arrived is whole, and its signature proves who sent it.
    async fn admit(&self, family: Family, request: &Request) -> Result<Principal, Refusal> {
        if let Some(fault) = request.fault {
            return Err(Refusal::Undeliverable(fault));
        }
        let incoming = Incoming {
            method: &request.method,
            path: &request.signed_path,
            query: &request.query,
            headers: &request.headers,
            body: &request.body,
        };
        Ok(self.authenticator.authenticate(family, &incoming).await?)
    }

    /// As [`Apis::admit`] for an API whose paths name a project, which must be the caller's own.
    async fn admit_to_project(&self, request: &Request, segment: &str) -> Result<Principal, Refusal> {
        let principal = self.admit(Family::FunctionGraph, request).await?;
        if path::decode(segment).as_deref() == Some(principal.project_id.as_str()) {
            Ok(principal)
        } else {
            Err(Refusal::ForeignProject)
        }
    }
}

fn refuse(api: Api, request: &Request, refusal: Refusal) -> Reply {
    match api {
        Api::Obs => obs::refuse(request, refusal),
        Api::FunctionGraphV1 => functiongraph_v1::Error::from(refusal).render(request),
        Api::FunctionGraphV2 => functiongraph_v2::Error::from(refusal).render(request),
    }
}

/// An answer, with what the log says of it.
struct Reply {
    response: Response<Bytes>,
    /// The operation, if one was recognised.
    operation: Option<&'static str>,
    /// The vendor's code of an error.
    code: Option<&'static str>,
    /// The execution the call was about.
    execution: Option<String>,
    /// Whether a start had been made before.
    replayed: Option<bool>,
    /// What the log needs and the caller must not read: the whole chain of a failure.
    cause: Option<String>,
}

impl Reply {
    /// A success with a JSON body.
    fn json(body: &impl Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("an answer of strings is writable");
        Self::new(StatusCode::OK, HeaderValue::from_static("application/json"), text)
    }

    /// A success with nothing to say.
    fn empty() -> Self {
        Self::new(StatusCode::OK, HeaderValue::from_static("application/json"), Vec::new())
    }

    fn new(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Self {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        Self { response, operation: None, code: None, execution: None, replayed: None, cause: None }
    }

    /// Says what the caller can do about a refusal: which methods there are, or when to come back.
    fn advising(self, error: &(impl std::error::Error + 'static), common: Option<&Refusal>) -> Self {
        let execution = if let Some(Refusal::Conflict { name }) = common { Some(name.to_string()) } else { None };
        let reply = Self { cause: Some(errors::chain(error)), execution, ..self };
        match (common, reply.response.status()) {
            (Some(Refusal::MethodNotAllowed { allow }), _) => reply.header(ALLOW, HeaderValue::from_static(allow)),
            (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                reply.header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => reply,
        }
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }

    /// One line per call; 5xx louder than 4xx. Neither bodies nor credentials.
    fn log(&self, api: Option<Api>, request: &Request, begun: Instant) {
        let microseconds = begun.elapsed().as_micros();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    api = api.map(Api::name),
                    operation = self.operation,
                    status = self.response.status().as_u16(),
                    code = self.code,
                    duration_ms = microseconds as f64 / 1000.0,
                    request_id = self.response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok()),
                    gateway_request_id = request.gateway_id,
                    execution = self.execution,
                    replayed = self.replayed,
                    cause = self.cause,
                    "call answered"
                )
            };
        }
        let status = self.response.status();
        if status.is_server_error() {
            line!(error);
        } else if status.is_client_error() {
            line!(warn);
        } else {
            line!(info);
        }
    }
}
