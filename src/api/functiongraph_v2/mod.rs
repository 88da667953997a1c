//! The FunctionGraph v2 workflow API, `/v2/{project_id}/fgs/workflows...`: starting, watching and steering are served, the other
//! operations known by name.

mod error;
mod list_executions;
mod list_history;
mod retry;
mod show_execution;
mod start;
mod start_sync;
mod stop;
mod words;

use http::Method;

use super::refusal::Refusal;
use super::{Apis, Reply, Request, path, starting, watching};

pub(super) use error::Error;

/// What a call asks for.
enum Operation<'a> {
    /// Start a workflow, named by the segment of the path.
    Start { workflow_id: &'a str },
    /// The same, and wait for the end.
    StartSync { workflow_id: &'a str },
    /// List the executions of a workflow.
    ListExecutions { workflow_id: &'a str },
    /// List them with their number and more words for where they stand.
    ListHistory { workflow_id: &'a str },
    /// Show an execution, named by the segments of the path.
    ShowExecution { workflow_id: &'a str, execution_id: &'a str },
    /// Stop an execution.
    Stop { workflow_id: &'a str, execution_id: &'a str },
    /// Have an execution tried again.
    Retry { workflow_id: &'a str, execution_id: &'a str },
}

impl<'a> Operation<'a> {
    /// Takes the segments behind `/v2/{project_id}/fgs`.
    fn route(segments: &[&'a str], method: &Method) -> Result<Self, Refusal> {
        match (segments, method) {
            (["workflows", workflow_id, "executions"], &Method::POST) => Ok(Self::Start { workflow_id }),
            (["workflows", workflow_id, "executions"], &Method::GET) => Ok(Self::ListExecutions { workflow_id }),
            (["workflows", _, "executions"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST" }),
            (["workflows"], &Method::GET | &Method::POST | &Method::DELETE) => Err(Refusal::NotServed),
            (["workflows"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST, DELETE" }),
            (["workflows", _], &Method::GET | &Method::PUT) => Err(Refusal::NotServed),
            (["workflows", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, PUT" }),
            (["workflows", workflow_id, "executions-history"], &Method::GET) => Ok(Self::ListHistory { workflow_id }),
            (["workflows", workflow_id, "executions", execution_id], &Method::GET) => {
                Ok(Self::ShowExecution { workflow_id, execution_id })
            }
            (["workflow-statistic"] | ["workflow-statistic", _], &Method::GET) => Err(Refusal::NotServed),
            (
                ["workflows", _, "executions", _]
                | ["workflows", _, "executions-history"]
                | ["workflow-statistic"]
                | ["workflow-statistic", _],
                _,
            ) => Err(Refusal::MethodNotAllowed { allow: "GET" }),
            (["workflows", workflow_id, "sync-executions"], &Method::POST) => Ok(Self::StartSync { workflow_id }),
            (["workflows", workflow_id, "executions", execution_id, "terminate"], &Method::POST) => {
                Ok(Self::Stop { workflow_id, execution_id })
            }
            (["workflows", workflow_id, "executions", execution_id, "retry"], &Method::POST) => {
                Ok(Self::Retry { workflow_id, execution_id })
            }
            (["workflows", _, "callback"], &Method::POST) => Err(Refusal::NotServed),
            (
                ["workflows", _, "sync-executions" | "callback"]
                | ["workflows", _, "executions", _, "terminate" | "retry"],
                _,
            ) => Err(Refusal::MethodNotAllowed { allow: "POST" }),
            _ => Err(Refusal::UnknownPath),
        }
    }

    /// The name in a credential's allow-list and in the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => starting::OPERATION,
            Self::StartSync { .. } => start_sync::OPERATION,
            Self::ListExecutions { .. } | Self::ListHistory { .. } => watching::LIST_EXECUTIONS,
            Self::ShowExecution { .. } => watching::SHOW_EXECUTION,
            Self::Stop { .. } => watching::STOP,
            Self::Retry { .. } => watching::RETRY,
        }
    }
}

/// Answers a call in the dialect of FunctionGraph v2, errors included.
pub(super) async fn serve(apis: &Apis, request: &Request) -> Reply {
    let segments = path::segments(&request.path);
    let (project_id, rest) = match segments.as_slice() {
        [_, project_id, _, rest @ ..] => (*project_id, rest),
        _ => ("", [].as_slice()),
    };
    let routed = Operation::route(rest, &request.method);
    let operation = routed.as_ref().ok().map(Operation::name);
    let reply = run(apis, request, project_id, routed).await.unwrap_or_else(|error| error.render(request));
    Reply { operation, ..reply }
}

async fn run(
    apis: &Apis,
    request: &Request,
    project_id: &str,
    routed: Result<Operation<'_>, Refusal>,
) -> Result<Reply, Error> {
    let principal = apis.admit_to_project(request, project_id).await?;
    match routed? {
        Operation::Start { workflow_id } => start::run(apis, request, &principal, workflow_id).await,
        Operation::StartSync { workflow_id } => start_sync::run(apis, request, &principal, workflow_id).await,
        Operation::ListExecutions { workflow_id } => list_executions::run(apis, request, &principal, workflow_id).await,
        Operation::ListHistory { workflow_id } => list_history::run(apis, request, &principal, workflow_id).await,
        Operation::ShowExecution { workflow_id, execution_id } => {
            show_execution::run(apis, request, &principal, (workflow_id, execution_id)).await
        }
        Operation::Stop { workflow_id, execution_id } => stop::run(apis, &principal, (workflow_id, execution_id)).await,
        Operation::Retry { workflow_id, execution_id } => {
            retry::run(apis, &principal, (workflow_id, execution_id)).await
        }
    }
}
