//! `GET /v2/{project_id}/fgs/workflows/{workflow_id}/executions`: "Querying the Execution Instances of a Function Flow".

use serde::Serialize;

use super::Error;
use super::words::{self, Brief};
use crate::api::{Apis, Reply, Request, path, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::execution::{Selection, Status};

/// The vendor's schema has 500 as the most that may be asked for, and 200 as the most that is given.
const MOST_ASKED: i64 = 500;
const MOST_GIVEN: i64 = 200;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    executions: Vec<Brief>,
}

/// The request's query, checked.
struct Query {
    selection: Selection,
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
    let slice = apis.executions.slice(&workflow.project_id, workflow.id, &query.selection, part, false).await;
    let entries = slice.map_err(words::refuse_list)?.entries;
    let executions = entries.iter().map(|entry| Brief::of(entry, words::status)).collect();
    Ok(Reply::json(&Answer { executions }))
}

impl Query {
    fn parse(query: &str, now: Timestamp) -> Result<Self, String> {
        let statuses = match path::parameter(query, "status")? {
            None => None,
            Some(word) => {
                let statuses: Vec<Status> =
                    Status::ALL.into_iter().filter(|status| words::status(*status) == word).collect();
                if statuses.is_empty() {
                    return Err("status must be success, fail, running, timeout or cancel".into());
                }
                Some(statuses)
            }
        };
        // The vendor takes an offset below 0 for 0.
        let offset = path::number(query, "offset", i64::from(i32::MIN)..=i64::from(i32::MAX))?.unwrap_or(0).max(0);
        let limit = path::number(query, "limit", 0..=MOST_ASKED)?.unwrap_or(MOST_GIVEN).min(MOST_GIVEN);
        Ok(Self {
            selection: Selection { statuses, ..words::parse_window(query, now)? },
            offset: usize::try_from(offset).expect("it is not negative"),
            limit: usize::try_from(limit).expect("it is between 0 and 200"),
        })
    }
}
