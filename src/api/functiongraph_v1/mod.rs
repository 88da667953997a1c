//! The FunctionGraph v1 workflow API, `/v1.0/{project_id}/cloud_graphs...`: one operation served, the others known by name.

mod error;
mod start;

use http::Method;

use super::refusal::Refusal;
use super::{Apis, Reply, Request, path};

pub(super) use error::Error;

/// Whether a path `/v1.0/{project_id}/<resource>...` is of this API.
pub(super) fn claims(resource: &str) -> bool {
    resource.starts_with("cloud_graphs") || matches!(resource, "cloud_triggers" | "cloud_cron")
}

/// What a call asks for.
enum Operation<'a> {
    /// Act on a workflow, named by the segment of the path: the body's `action_type` says how.
    Action { graph_urn: &'a str },
}

impl<'a> Operation<'a> {
    /// Takes the segments behind `/v1.0/{project_id}`.
    fn route(segments: &[&'a str], method: &Method) -> Result<Self, Refusal> {
        match (segments, method) {
            (["cloud_graphs", graph_urn, "executions", "action"], &Method::POST) => Ok(Self::Action { graph_urn }),
            (["cloud_graphs", _, "executions", "action"], _) => Err(Refusal::MethodNotAllowed { allow: "POST" }),
            (["cloud_graphs"], &Method::GET | &Method::POST) => Err(Refusal::NotServed),
            (["cloud_graphs"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST" }),
            (["cloud_graphs", "executions" | "graph_detail", _], &Method::GET) => Err(Refusal::NotServed),
            (["cloud_graphs", "executions", _, "history"], &Method::GET) => Err(Refusal::NotServed),
            (["cloud_graphs", _, "executions"], &Method::GET) => Err(Refusal::NotServed),
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
}

/// Answers a call in the dialect of FunctionGraph v1, errors included.
pub(super) async fn serve(apis: &Apis, request: &Request) -> Reply {
    let segments = path::segments(&request.path);
    let (project_id, rest) = match segments.as_slice() {
        [_, project_id, rest @ ..] => (*project_id, rest),
        _ => ("", [].as_slice()),
    };
    let routed = Operation::route(rest, &request.method);
    // Which action it is stands in the body, which is not looked at before the signature.
    let operation = routed.as_ref().ok().map(|Operation::Action { .. }| "action");
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
        Operation::Action { graph_urn } => start::run(apis, request, &principal, graph_urn).await,
    }
}
