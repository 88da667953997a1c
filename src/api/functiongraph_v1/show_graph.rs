//! `GET /v1.0/{project_id}/cloud_graphs/graph_detail/{execution_urn}`: "Querying the Workflow of an Instance".

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, starting, urn, watching};
use crate::auth::Principal;
use crate::workflow::{StoreError, WorkflowRef};

/// The operation's name in a credential's allow-list and in the log.
pub(super) const OPERATION: &str = "show_graph";

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    name: String,
    /// Known of the present version only.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    definition: Box<RawValue>,
    graph_urn: String,
}

pub(super) async fn run(apis: &Apis, principal: &Principal, execution_urn: &str) -> Result<Reply, Error> {
    watching::allow(principal, OPERATION)?;
    let execution = words::find_execution_of_path(apis, principal, execution_urn).await?;
    let key = &execution.key;
    let version = apis.workflows.find_version(&key.project_id, key.workflow_id, &execution.machine).await;
    let lost = || StoreError::Corrupt("the version that an execution runs is not there".to_owned());
    let version = version.and_then(|version| version.ok_or_else(lost)).map_err(Refusal::from)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Id(key.workflow_id)).await?;
    let is_present = workflow.machine == execution.machine;
    let definition = version.definition.text().to_owned();
    let reply = Reply::json(&Answer {
        name: execution.workflow_name.clone(),
        last_modified: is_present.then(|| workflow.updated_at.iso_millis()),
        definition: RawValue::from_string(definition).expect("a definition is JSON"),
        graph_urn: urn::of_graph(&execution.summary()),
    });
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..reply })
}
