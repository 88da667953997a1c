//! What the operations that look at executions or steer them have in common.

use super::Apis;
use super::refusal::Refusal;
use crate::auth::Principal;
use crate::engine::{self, Node};
use crate::execution::{Execution, ExecutionKey, ExecutionName, Status};
use crate::workflow::{Version, Workflow};

/// The operations' names in a credential's allow-list and in the log.
pub(super) const LIST_EXECUTIONS: &str = "list_executions";
/// See [`LIST_EXECUTIONS`].
pub(super) const SHOW_EXECUTION: &str = "show_execution";
/// See [`LIST_EXECUTIONS`].
pub(super) const STOP: &str = "stop";
/// See [`LIST_EXECUTIONS`].
pub(super) const RETRY: &str = "retry";

/// What an execution did.
pub(super) struct Told {
    /// The version of the workflow that it runs, if it is still known.
    pub(super) version: Option<Version>,
    /// The nodes of its flow that were entered.
    pub(super) nodes: Vec<Node>,
}

/// Whether the principal may call an operation.
pub(super) fn allow(principal: &Principal, operation: &str) -> Result<(), Refusal> {
    if principal.may(operation) { Ok(()) } else { Err(Refusal::OperationNotAllowed) }
}

/// Finds an execution of a workflow that the principal may use.
pub(super) async fn find_execution(
    apis: &Apis,
    workflow: &Workflow,
    name: ExecutionName,
) -> Result<Execution, Refusal> {
    let key = ExecutionKey { project_id: workflow.project_id.clone(), workflow_id: workflow.id, name };
    apis.executions.find(&key).await?.ok_or(Refusal::ExecutionNotFound)
}

/// Asks what an execution did.
pub(super) async fn tell(apis: &Apis, execution: &Execution) -> Result<Told, Refusal> {
    let key = &execution.key;
    let version = apis.workflows.find_version(&key.project_id, key.workflow_id, &execution.machine).await?;
    let never_ran = execution.status == Status::Scheduled;
    let nodes = match &version {
        Some(version) if !never_ran => {
            let events = apis.executions.history(execution).await?;
            engine::nodes(version.definition.flow(), execution, &events)
        }
        _ => Vec::new(),
    };
    Ok(Told { version, nodes })
}
