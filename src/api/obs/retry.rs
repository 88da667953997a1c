//! `PUT /v2/workflowexecutions/{execution_name}`: "Restoring a Failed Workflow Execution".

use serde::Serialize;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, urn, watching};
use crate::auth::Principal;

/// The answer's body.
#[derive(Serialize)]
struct Answer<'a> {
    execution_urn: String,
    execution_name: &'a str,
    restored_at: String,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    execution_name: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, watching::RETRY)?;
    let execution = words::find_execution(apis, request, principal, execution_name).await?;
    let restored = apis.executions.retry(&execution).await.map_err(Refusal::from)?;
    let name = restored.key.name.as_str();
    let reply = Reply::json(&Answer {
        execution_urn: urn::of_execution(&restored.summary()),
        execution_name: name,
        restored_at: restored.updated_at.iso_millis(),
    });
    Ok(Reply { execution: Some(name.to_owned()), ..reply })
}
