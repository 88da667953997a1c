//! The FunctionGraph v1 workflow API, `/v1.0/{project_id}/cloud_graphs...`: starting, watching and stopping are served, the other
//! operations known by name.

mod error;
mod list_executions;
mod show_execution;
mod show_graph;
mod show_history;
mod start;
mod stop;
mod words;

use http::Method;

use super::refusal::Refusal;
use super::{Apis, Reply, Request, path, watching};
use crate::auth::Principal;

pub(super) use error::Error;
use words::{Action, ActionType};

/// Whether a path `/v1.0/{project_id}/<resource>...` is of this API.
pub(super) fn claims(resource: &str) -> bool {
    resource.starts_with("cloud_graphs") || matches!(resource, "cloud_triggers" | "cloud_cron")
}

/// What a call asks for.
enum Operation<'a> {
    /// Act on a workflow, named by the segment of the path: the body's `action_type` says how.
    Action { graph_urn: &'a str },
    /// List the executions of a workflow.
    ListExecutions { graph_urn: &'a str },
    /// Show an execution, named by the segment of the path.
    ShowExecution { execution_urn: &'a str },
    /// Show what happened in an execution.
    ShowHistory { execution_urn: &'a str },
    /// Show the workflow as an execution runs it.
    ShowGraph { execution_urn: &'a str },
}

impl<'a> Operation<'a> {
    /// Takes the segments behind `/v1.0/{project_id}`.
    fn route(segments: &[&'a str], method: &Method) -> Result<Self, Refusal> {
        match (segments, method) {
            (["cloud_graphs", graph_urn, "executions", "action"], &Method::POST) => Ok(Self::Action { graph_urn }),
            (["cloud_graphs", _, "executions", "action"], _) => Err(Refusal::MethodNotAllowed { allow: "POST" }),
            (["cloud_graphs"], &Method::GET | &Method::POST) => Err(Refusal::NotServed),
            (["cloud_graphs"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST" }),
            (["cloud_graphs", "executions", execution_urn], &Method::GET) => Ok(Self::ShowExecution { execution_urn }),
            (["cloud_graphs", "graph_detail", execution_urn], &Method::GET) => Ok(Self::ShowGraph { execution_urn }),
            (["cloud_graphs", "executions", execution_urn, "history"], &Method::GET) => {
                Ok(Self::ShowHistory { execution_urn })
            }
            (["cloud_graphs", graph_urn, "executions"], &Method::GET) => Ok(Self::ListExecutions { graph_urn }),
            (
                ["cloud_graphs", "executions" | "graph_detail", _]
                | ["cloud_graphs", "executions", _, "history"]
                | ["cloud_graphs", _, "executions"],
                _,
            ) => Err(Refusal::MethodNotAllowed { allow: "GET" }),
            (["cloud_graphs", _], &Method::GET | &Method::PUT | &Method::DELETE) => Err(Refusal::NotServed),
            (["cloud_graphs", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, PUT, DELETE" }),
            (["cloud_graphs_quota" | "cloud_triggers" | "cloud_cron", ..], _) => Err(Refusal::NotServed),
            _ => Err(Refusal::UnknownPath),
        }
    }

    /// The name in a credential's allow-list and in the log. Which action it is stands in the body, which is not looked at
    /// before the signature.
    fn name(&self) -> &'static str {
        match self {
            Self::Action { .. } => "action",
            Self::ListExecutions { .. } => watching::LIST_EXECUTIONS,
            Self::ShowExecution { .. } => watching::SHOW_EXECUTION,
            Self::ShowHistory { .. } => show_history::OPERATION,
            Self::ShowGraph { .. } => show_graph::OPERATION,
        }
    }
}

/// Answers a call in the dialect of FunctionGraph v1, errors included.
pub(super) async fn serve(apis: &Apis, request: &Request) -> Reply {
    let segments = path::segments(&request.path);
    let (project_id, rest) = match segments.as_slice() {
        [_, project_id, rest @ ..] => (*project_id, rest),
        _ => ("", [].as_slice()),
    };
    let routed = Operation::route(rest, &request.method);
    let operation = routed.as_ref().ok().map(Operation::name);
    let reply = run(apis, request, project_id, routed).await.unwrap_or_else(|error| error.render(request));
    Reply { operation: reply.operation.or(operation), ..reply }
}

async fn run(
    apis: &Apis,
    request: &Request,
    project_id: &str,
    routed: Result<Operation<'_>, Refusal>,
) -> Result<Reply, Error> {
    let principal = apis.admit_to_project(request, project_id).await?;
    match routed? {
        Operation::Action { graph_urn } => act(apis, request, &principal, graph_urn).await,
        Operation::ListExecutions { graph_urn } => list_executions::run(apis, request, &principal, graph_urn).await,
        Operation::ShowExecution { execution_urn } => show_execution::run(apis, &principal, execution_urn).await,
        Operation::ShowHistory { execution_urn } => show_history::run(apis, request, &principal, execution_urn).await,
        Operation::ShowGraph { execution_urn } => show_graph::run(apis, &principal, execution_urn).await,
    }
}

async fn act(apis: &Apis, request: &Request, principal: &Principal, graph_urn: &str) -> Result<Reply, Error> {
    let graph = words::parse_graph_urn(graph_urn, &principal.project_id)?;
    let Action { action_type, executions } = Action::parse(&request.body)?;
    match action_type {
        ActionType::Start => start::run(apis, request, principal, graph, &executions, false).await,
        ActionType::TestStart => start::run(apis, request, principal, graph, &executions, true).await,
        ActionType::Stop => stop::run(apis, principal, graph, &executions).await,
    }
}
