//! `GET /v2/{project_id}/fgs/workflows/{workflow_id}/executions-history`: "Querying Execution Instances by Page".

use serde::Serialize;

use super::Error;
use super::words::{self, Brief};
use crate::api::{Apis, Reply, Request, path, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::execution::Selection;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    /// How many executions there are in the window.
    total: usize,
    /// How many are in this answer.
    size: usize,
    executions: Vec<Brief>,
}

/// The request's query, checked.
struct Query {
    window: Selection,
    offset: usize,
    limit: usize,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    workflow_id: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, watching::LIST_EXECUTIONS)?;
    words::parse_workflow_id(workflow_id, &principal.project_id)?;
    let query = Query::parse(&request.query, apis.clock.now()).map_err(Error::Invalid)?;
    let workflow = words::find_workflow(apis, principal, workflow_id).await?;
    let part = (query.offset, query.limit);
    let slice = apis.executions.slice(&workflow.project_id, workflow.id, &query.window, part, true).await;
    let slice = slice.map_err(words::refuse_list)?;
    let executions: Vec<Brief> = slice.entries.iter().map(|entry| Brief::of(entry, words::full_status)).collect();
    Ok(Reply::json(&Answer { total: slice.seen, size: executions.len(), executions }))
}

impl Query {
    fn parse(query: &str, now: Timestamp) -> Result<Self, String> {
        let required =
            |name: &str, range| path::number(query, name, range)?.ok_or_else(|| format!("{name} is missing"));
        let offset = required("offset", 0..=i64::from(i32::MAX))?;
        let limit = required("limit", 1..=100)?;
        Ok(Self {
            window: words::parse_window(query, now)?,
            offset: usize::try_from(offset).expect("it is not negative"),
            limit: usize::try_from(limit).expect("it is between 1 and 100"),
        })
    }
}
