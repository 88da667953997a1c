//! The FunctionGraph v2 workflow API, `/v2/{project_id}/fgs/workflows...`: one operation served, the others known by name.

mod error;
mod start;

use http::Method;

use super::refusal::Refusal;
use super::{Apis, Reply, Request, path};

pub(super) use error::Error;

/// What a call asks for.
enum Operation<'a> {
    /// Start a workflow, named by the segment of the path.
    Start { workflow_id: &'a str },
}

impl<'a> Operation<'a> {
    /// Takes the segments behind `/v2/{project_id}/fgs`.
    fn route(segments: &[&'a str], method: &Method) -> Result<Self, Refusal> {
        match (segments, method) {
            (["workflows", workflow_id, "executions"], &Method::POST) => Ok(Self::Start { workflow_id }),
            (["workflows", _, "executions"], &Method::GET) => Err(Refusal::NotServed),
            (["workflows", _, "executions"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST" }),
            (["workflows"], &Method::GET | &Method::POST | &Method::DELETE) => Err(Refusal::NotServed),
            (["workflows"], _) => Err(Refusal::MethodNotAllowed { allow: "GET, POST, DELETE" }),
            (["workflows", _], &Method::GET | &Method::PUT) => Err(Refusal::NotServed),
            (["workflows", _], _) => Err(Refusal::MethodNotAllowed { allow: "GET, PUT" }),
            (["workflows", _, "executions", _] | ["workflows", _, "executions-history"], &Method::GET)
            | (["workflow-statistic"] | ["workflow-statistic", _], &Method::GET) => Err(Refusal::NotServed),
            (
                ["workflows", _, "executions", _]
                | ["workflows", _, "executions-history"]
                | ["workflow-statistic"]
                | ["workflow-statistic", _],
                _,
            ) => Err(Refusal::MethodNotAllowed { allow: "GET" }),
            (
                ["workflows", _, "sync-executions" | "callback"]
                | ["workflows", _, "executions", _, "terminate" | "retry"],
                &Method::POST,
            ) => Err(Refusal::NotServed),
            (
                ["workflows", _, "sync-executions" | "callback"]
                | ["workflows", _, "executions", _, "terminate" | "retry"],
                _,
            ) => Err(Refusal::MethodNotAllowed { allow: "POST" }),
            _ => Err(Refusal::UnknownPath),
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
    let operation = routed.as_ref().ok().map(|Operation::Start { .. }| super::starting::OPERATION);
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
    }
}
