//! `POST /v2/{project_id}/fgs/workflows/{workflow_id}/executions/{execution_id}/retry`: "Retrying a Function Flow".

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, watching};
use crate::auth::Principal;

pub(super) async fn run(
    apis: &Apis,
    principal: &Principal,
    (workflow_id, execution_id): (&str, &str),
) -> Result<Reply, Error> {
    watching::allow(principal, watching::RETRY)?;
    let execution = words::find_execution(apis, principal, workflow_id, execution_id).await?;
    apis.executions.retry(&execution).await.map_err(Refusal::from)?;
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..Reply::empty() })
}
