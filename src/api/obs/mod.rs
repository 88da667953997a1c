//! The OBS workflow API ("Data+"), `/v2/workflows/...` and `/v2/workflowexecutions...`: starting and watching are served, the other
//! operations known by name.

mod error;
mod list_executions;
mod retry;
mod show_execution;
mod start;
mod words;

use http::Method;
use http::header::{HeaderName, HeaderValue};

use super::refusal::Refusal;
use super::{Apis, Reply, Request, X_REQUEST_ID, path, starting, watching};
use crate::auth::Family;

use error::Error;

/// The header the OBS SDK takes the request id from; it never reads `X-Request-ID`.
const X_OBS_REQUEST_ID: HeaderName = HeaderName::from_static("x-obs-request-id");

/// The query parameter that makes a bucket's path one of this API.
const TRIGGER_POLICY: &str = "obsworkflowtriggerpolicy";

/// The query parameters that make a POST create a workflow.
const CREATES: [&str; 2] = ["x-workflow-create", "x-workflow-template-name"];

/// Whether a path `/v2/<resource>...` is of this API.
pub(super) fn claims(resource: &str) -> bool {
    matches!(
        resource,
        "workflows" | "workflowexecutions" | "workflow-authorization" | "actiontemplates" | "workflowtemplates"
    )
}

/// Whether a call is about a bucket's workflow triggers.
pub(super) fn is_trigger_policy(query: &str) -> bool {
    path::has_parameter(query, TRIGGER_POLICY)
}

/// What a call asks for.
enum Operation<'a> {
    /// Start a workflow, named by the segment of the path.
    Start { graph_name: &'a str },
    /// List the executions of a workflow.
    ListExecutions,
    /// Show an execution, named by the segment of the path.
    ShowExecution { execution_name: &'a str },
    /// Have an execution tried again, named by the segment of the path.
    Retry { execution_name: &'a str },
}

impl<'a> Operation<'a> {
    fn route(request: &'a Request) -> Result<Self, Refusal> {
        let segments = path::segments(&request.path);
        match (segments.as_slice(), &request.method) {
            (["v2", "workflows", _], &Method::POST)
                if CREATES.iter().any(|name| path::has_parameter(&request.query, name)) =>
            {
                Err(Refusal::NotServed)
            }
            (["v2", "workflows", graph_name], &Method::POST) => Ok(Self::Start { graph_name }),
            (["v2", "workflows", _], &Method::GET | &Method::PUT | &Method::DELETE) => Err(Refusal::NotServed),
            (["v2", "workflows", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST, PUT, DELETE" }),
            (["v2", "workflowexecutions"], &Method::GET) => Ok(Self::ListExecutions),
            (["v2", "workflowexecutions"], _) => Err(Refusal::MethodNotAllowed { allow: "GET" }),
            (["v2", "workflowexecutions", execution_name], &Method::GET) => Ok(Self::ShowExecution { execution_name }),
            (["v2", "workflowexecutions", execution_name], &Method::PUT) => Ok(Self::Retry { execution_name }),
            (["v2", "workflowexecutions", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, PUT" }),
            (["v2", "workflow-authorization"], &Method::GET | &Method::POST) => Err(Refusal::NotServed),
            (["v2", "workflow-authorization"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST" }),
            (["v2", "actiontemplates", _], &Method::GET) => Err(Refusal::NotServed),
            (["v2", "actiontemplates", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET" }),
            (["v2", "workflowtemplates", _], &Method::GET | &Method::POST | &Method::DELETE) => Err(Refusal::NotServed),
            (["v2", "workflowtemplates", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST, DELETE" }),
            (_, &Method::GET | &Method::PUT | &Method::DELETE) if is_trigger_policy(&request.query) => {
                Err(Refusal::NotServed)
            }
            (_, _) if is_trigger_policy(&request.query) => Err(Refusal::MethodNotAllowed { allow: "GET, PUT, DELETE" }),
            _ => Err(Refusal::UnknownPath),
        }
    }

    /// The name in a credential's allow-list and in the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => starting::OPERATION,
            Self::ListExecutions => watching::LIST_EXECUTIONS,
            Self::ShowExecution { .. } => watching::SHOW_EXECUTION,
            Self::Retry { .. } => watching::RETRY,
        }
    }
}

/// Answers a call in the dialect of OBS, errors included.
pub(super) async fn serve(apis: &Apis, request: &Request) -> Reply {
    let routed = Operation::route(request);
    let operation = routed.as_ref().ok().map(Operation::name);
    let reply = run(apis, request, routed).await.unwrap_or_else(|error| error.render(request));
    Reply { operation, ..identified(request, reply) }
}

/// Refuses a call in the dialect of OBS.
pub(super) fn refuse(request: &Request, refusal: Refusal) -> Reply {
    identified(request, Error::from(refusal).render(request))
}

/// Writes the request's id where the vendor's clients look for it.
fn identified(request: &Request, reply: Reply) -> Reply {
    let id = HeaderValue::from_str(&request.id.upper()).expect("hex digits are a header value");
    reply.header(X_REQUEST_ID, id.clone()).header(X_OBS_REQUEST_ID, id)
}

async fn run(apis: &Apis, request: &Request, routed: Result<Operation<'_>, Refusal>) -> Result<Reply, Error> {
    let principal = apis.admit(Family::Obs, request).await?;
    match routed? {
        Operation::Start { graph_name } => start::run(apis, request, &principal, graph_name).await,
        Operation::ListExecutions => list_executions::run(apis, request, &principal).await,
        Operation::ShowExecution { execution_name } => {
            show_execution::run(apis, request, &principal, execution_name).await
        }
        Operation::Retry { execution_name } => retry::run(apis, request, &principal, execution_name).await,
    }
}
