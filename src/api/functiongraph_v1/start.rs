//! `POST /v1.0/{project_id}/cloud_graphs/{graph_urn}/executions/action` with `action_type` `start`: "Starting a Workflow
//! Instance".

use serde::Serialize;

use super::Error;
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, path, starting, urn};
use crate::auth::Principal;
use crate::execution::{ExecutionName, Options, Origin, Start, StartKey};
use crate::json::{self, Invalid, JsonText, Members};
use crate::workflow::{WorkflowName, WorkflowRef};

/// Most bytes of `executions.input`.
const MAX_INPUT_BYTES: usize = 32_768;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    execution_urn: String,
    started_at: String,
}

/// The request's body, checked.
struct Body {
    execution_name: ExecutionName,
    input: JsonText,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    graph_urn: &str,
) -> Result<Reply, Error> {
    if !principal.may(starting::OPERATION) {
        return Err(Refusal::OperationNotAllowed.into());
    }
    let name = parse_graph_urn(graph_urn, &principal.project_id)?;
    let body = Body::parse(&request.body)?;
    // The execution's name is the key of a v1 start; an Idempotency-Key is checked and has nothing to add.
    starting::idempotency_key(request).map_err(Error::InvalidParameter)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(name)).await?;
    let started = apis
        .executions
        .start(Start {
            workflow,
            key: StartKey::Name(body.execution_name),
            input: body.input,
            sent: None,
            options: Options::default(),
            origin: Origin::FunctionGraphV1,
            is_test: false,
            region: apis.region.to_string(),
            caller: starting::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let execution = started.execution;
    let reply = Reply::json(&Answer {
        execution_urn: urn::of_execution(&execution),
        started_at: execution.started_at.iso_millis(),
    });
    let replayed = Some(started.replayed);
    Ok(Reply {
        operation: Some(starting::OPERATION),
        execution: Some(execution.key.name.to_string()),
        replayed,
        ..reply
    })
}

fn parse_graph_urn(segment: &str, own_project: &str) -> Result<WorkflowName, Error> {
    let decoded = path::decode(segment).ok_or(Error::InvalidUrn)?;
    let (project_id, name) = urn::parse_graph(&decoded).ok_or(Error::InvalidUrn)?;
    if project_id != own_project {
        return Err(Error::InvalidUrn);
    }
    WorkflowName::parse(name).map_err(|_| Error::InvalidUrn)
}

impl Body {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::EmptyBody);
        }
        let members = json::members(body).map_err(|invalid| match invalid {
            Invalid::Syntax => Error::InvalidJson,
            Invalid::NotAnObject => Error::InvalidParameter("the request body must be a JSON object".into()),
        })?;
        let action_type = text_member(&members, "action_type", "action_type")?;
        if action_type != "start" {
            return Err(Error::InvalidActionType);
        }
        let executions = members
            .get("executions")
            .ok_or_else(|| Error::InvalidParameter("executions is missing".into()))
            .and_then(|value| {
                json::members(value.get().as_bytes())
                    .map_err(|problem| Error::InvalidParameter(format!("executions {problem}")))
            })?;
        let name = text_member(&executions, "execution_name", "executions.execution_name")?;
        let execution_name = ExecutionName::parse(&name).map_err(Error::InvalidExecutionName)?;
        let input =
            executions.get("input").ok_or_else(|| Error::InvalidParameter("executions.input is missing".into()))?;
        // Typed String by the vendor: an object in its place is not converted.
        let text: String = serde_json::from_str(input.get())
            .map_err(|_| Error::InvalidInput("must be a string holding JSON".into()))?;
        if !(1..=MAX_INPUT_BYTES).contains(&text.len()) {
            return Err(Error::InvalidInput(format!("must have 1 to {MAX_INPUT_BYTES} bytes")));
        }
        let input = JsonText::parse(&text).map_err(|problem| Error::InvalidInput(problem.to_string()))?;
        Ok(Self { execution_name, input })
    }
}

fn text_member(members: &Members, name: &str, path: &str) -> Result<String, Error> {
    let value = members.get(name).ok_or_else(|| Error::InvalidParameter(format!("{path} is missing")))?;
    serde_json::from_str(value.get()).map_err(|_| Error::InvalidParameter(format!("{path} must be a string")))
}
