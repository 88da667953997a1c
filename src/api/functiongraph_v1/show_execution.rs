//! `GET /v1.0/{project_id}/cloud_graphs/executions/{execution_urn}`: "Querying a Workflow Instance".

use serde::Serialize;

use super::{Error, words};
use crate::api::execution_info::ExecutionInfo;
use crate::api::{Apis, Reply, watching};
use crate::auth::Principal;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    execution_info: ExecutionInfo,
}

pub(super) async fn run(apis: &Apis, principal: &Principal, execution_urn: &str) -> Result<Reply, Error> {
    watching::allow(principal, watching::SHOW_EXECUTION)?;
    let execution = words::find_execution_of_path(apis, principal, execution_urn).await?;
    let told = watching::tell(apis, &execution).await?;
    // The vendor's sample has the type of a state in capitals here, and nowhere else.
    let execution_info = ExecutionInfo::new(&execution, &told, None, "TYPE");
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..Reply::json(&Answer { execution_info }) })
}
