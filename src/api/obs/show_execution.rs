//! `GET /v2/workflowexecutions/{execution_name}`: "Querying a Workflow Execution".

use serde::Serialize;

use super::{Error, words};
use crate::api::execution_info::ExecutionInfo;
use crate::api::{Apis, Reply, Request, watching};
use crate::auth::Principal;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    execution_info: ExecutionInfo,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    execution_name: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, watching::SHOW_EXECUTION)?;
    let execution = words::find_execution(apis, request, principal, execution_name).await?;
    let told = watching::tell(apis, &execution).await?;
    let execution_info = ExecutionInfo::new(&execution, &told, Some(words::API_CALL), "type");
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..Reply::json(&Answer { execution_info }) })
}
