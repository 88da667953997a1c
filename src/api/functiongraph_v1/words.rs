//! What the operations of this API have in common.

use super::Error;
use crate::api::refusal::Refusal;
use crate::api::{Apis, path, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{Execution, ExecutionName};
use crate::json::{self, Invalid, Members};
use crate::workflow::{WorkflowName, WorkflowRef};

/// Where a list begins and how long it is, if the caller does not say.
const DEFAULT_START: i64 = 1;
const DEFAULT_LIMIT: i64 = 10;

const NO_GRAPH_URN: Error = Error::InvalidUrn(
    "graph_urn must have the form urn:fgs:<region>:<project_id>:graph:<graph_name> with the caller's project",
);
const NO_EXECUTION_URN: Error = Error::InvalidUrn(
    "execution_urn must have the form \
     urn:fgs:<region>:<project_id>:execution:<graph_name>:<execution_name>:<domain_id> with the caller's project",
);

/// What is to be done with a workflow's executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActionType {
    Start,
    TestStart,
    Stop,
}

/// The body of an action, checked as far as all of them have it in common.
pub(super) struct Action {
    pub(super) action_type: ActionType,
    pub(super) executions: Members,
}

/// What an execution's URN names.
pub(super) struct ExecutionRef {
    pub(super) workflow: WorkflowName,
    pub(super) name: ExecutionName,
}

impl Action {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::EmptyBody);
        }
        let members = json::members(body).map_err(|invalid| match invalid {
            Invalid::Syntax => Error::InvalidJson,
            Invalid::NotAnObject => Error::InvalidParameter("the request body must be a JSON object".into()),
        })?;
        let action_type = match text_member(&members, "action_type", "action_type")?.as_str() {
            "start" => ActionType::Start,
            "test_start" => ActionType::TestStart,
            "stop" => ActionType::Stop,
            _ => return Err(Error::InvalidActionType),
        };
        let executions = members
            .get("executions")
            .ok_or_else(|| Error::InvalidParameter("executions is missing".into()))
            .and_then(|value| {
                json::members(value.get().as_bytes())
                    .map_err(|problem| Error::InvalidParameter(format!("executions {problem}")))
            })?;
        Ok(Self { action_type, executions })
    }
}

/// Reads a member that is a string. `path` is what the caller calls it.
pub(super) fn text_member(members: &Members, name: &str, path: &str) -> Result<String, Error> {
    let value = members.get(name).ok_or_else(|| Error::InvalidParameter(format!("{path} is missing")))?;
    serde_json::from_str(value.get()).map_err(|_| Error::InvalidParameter(format!("{path} must be a string")))
}

/// Reads the URN of a workflow from the path's segment.
pub(super) fn parse_graph_urn(segment: &str, own_project: &str) -> Result<WorkflowName, Error> {
    let decoded = path::decode(segment).ok_or(NO_GRAPH_URN)?;
    match urn::parse_graph(&decoded) {
        Some((project_id, name)) if project_id == own_project => WorkflowName::parse(name).map_err(|_| NO_GRAPH_URN),
        _ => Err(NO_GRAPH_URN),
    }
}

/// Reads the URN of an execution.
pub(super) fn parse_execution_urn(text: &str, own_project: &str) -> Result<ExecutionRef, Error> {
    match urn::parse_execution(text) {
        Some((project_id, workflow, name)) if project_id == own_project => Ok(ExecutionRef {
            workflow: WorkflowName::parse(workflow).map_err(|_| NO_EXECUTION_URN)?,
            name: ExecutionName::parse(name).map_err(|_| NO_EXECUTION_URN)?,
        }),
        _ => Err(NO_EXECUTION_URN),
    }
}

/// The execution that a URN names.
pub(super) async fn find_execution(
    apis: &Apis,
    principal: &Principal,
    reference: ExecutionRef,
) -> Result<Execution, Refusal> {
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(reference.workflow)).await?;
    watching::find_execution(apis, &workflow, reference.name).await
}

/// The execution whose URN is the path's segment.
pub(super) async fn find_execution_of_path(
    apis: &Apis,
    principal: &Principal,
    segment: &str,
) -> Result<Execution, Error> {
    let urn = path::decode(segment).ok_or(NO_EXECUTION_URN)?;
    let reference = parse_execution_urn(&urn, &principal.project_id)?;
    Ok(find_execution(apis, principal, reference).await?)
}

/// Which part of a list a query asks for: how many entries come before it, and how many it has at most.
pub(super) fn parse_part(query: &str) -> Result<(usize, usize), Error> {
    let start = path::number(query, "start", 1..=1000).map_err(Error::InvalidStart)?.unwrap_or(DEFAULT_START);
    let limit = path::number(query, "limit", 1..=1000).map_err(Error::InvalidLimit)?.unwrap_or(DEFAULT_LIMIT);
    let size = |number: i64| usize::try_from(number).expect("it is between 1 and 1000");
    Ok((size(start) - 1, size(limit)))
}
