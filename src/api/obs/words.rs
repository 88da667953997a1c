//! What the operations of this API have in common.

use super::Error;
use crate::api::{Apis, Request, path, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{Execution, ExecutionName};
use crate::workflow::{WorkflowName, WorkflowRef};

/// The query parameter that names the workflow of an execution.
const GRAPH_NAME: &str = "x-workflow-graph-name";

/// The type of an execution that was started by a call. Those that a trigger starts (`TRIGGERCAL`, spelt so by the vendor)
/// do not exist here.
pub(super) const API_CALL: &str = "APICALL";

/// Checks the name of a workflow.
pub(super) fn parse_graph_name(name: &str) -> Result<WorkflowName, Error> {
    let legal = Some(name).filter(|name| urn::is_graph_name(name));
    legal.and_then(|name| WorkflowName::parse(name).ok()).ok_or_else(|| {
        Error::InvalidArgument(
            "graph_name must begin with a letter or digit and have 1 to 64 letters, digits, underscores and hyphens"
                .into(),
        )
    })
}

/// The workflow that `x-workflow-graph-name` names.
pub(super) fn graph_name(request: &Request) -> Result<WorkflowName, Error> {
    let name = path::parameter(&request.query, GRAPH_NAME).map_err(Error::InvalidArgument)?;
    let name = name.ok_or_else(|| Error::InvalidArgument(format!("{GRAPH_NAME} is missing")))?;
    parse_graph_name(&name).map_err(|_| {
        Error::InvalidArgument(format!(
            "{GRAPH_NAME} must begin with a letter or digit and have 1 to 64 letters, digits, underscores and hyphens"
        ))
    })
}

/// The execution that the path's last segment and `x-workflow-graph-name` name.
pub(super) async fn find_execution(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    segment: &str,
) -> Result<Execution, Error> {
    let name = path::decode(segment).unwrap_or_default();
    let name =
        ExecutionName::parse(&name).map_err(|problem| Error::InvalidArgument(format!("execution_name {problem}")))?;
    let graph = graph_name(request)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(graph)).await?;
    Ok(watching::find_execution(apis, &workflow, name).await?)
}
