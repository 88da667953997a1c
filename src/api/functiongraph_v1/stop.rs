//! `POST /v1.0/{project_id}/cloud_graphs/{graph_urn}/executions/action` with `action_type` `stop`: "Stopping a Workflow
//! Instance".

use serde::Serialize;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, watching};
use crate::auth::Principal;
use crate::json::Members;
use crate::workflow::WorkflowName;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    stopped_at: String,
}

pub(super) async fn run(
    apis: &Apis,
    principal: &Principal,
    graph: WorkflowName,
    executions: &Members,
) -> Result<Reply, Error> {
    watching::allow(principal, watching::STOP)?;
    let urn = words::text_member(executions, "execution_urn", "executions.execution_urn")?;
    let reference = words::parse_execution_urn(&urn, &principal.project_id)?;
    if reference.workflow != graph {
        return Err(Error::InvalidUrn("executions.execution_urn must be the URN of an execution of graph_urn"));
    }
    let execution = words::find_execution(apis, principal, reference).await?;
    let stopped = apis.executions.stop(&execution).await.map_err(Refusal::from)?;
    // Until the engine has stopped it, the time at which that was asked for.
    let stopped_at = stopped.ending.as_ref().map_or(stopped.updated_at, |ending| ending.at).iso_millis();
    Ok(Reply {
        operation: Some(watching::STOP),
        execution: Some(stopped.key.name.to_string()),
        ..Reply::json(&Answer { stopped_at })
    })
}
