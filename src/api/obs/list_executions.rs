//! `GET /v2/workflowexecutions`: "Listing Workflow Executions".

use serde::Serialize;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, execution_info, path, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{Cursor, ExecutionName, Page, Summary};
use crate::workflow::{Workflow, WorkflowRef};

const TYPE: &str = "x-workflow-execution-type";
const MARKER: &str = "x-workflow-next-marker";
const LIMIT: &str = "x-workflow-limit";

const DEFAULT_LIMIT: i64 = 10;

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    count: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    executions: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    graph_urn: String,
    execution_urn: String,
    execution_name: String,
    execution_type: &'static str,
    execution_state: &'static str,
    started_at: String,
    /// Empty while it runs.
    stopped_at: String,
}

/// The request's query, checked.
struct Query {
    /// Whether executions started by calls are wanted; there are no others.
    api_calls: bool,
    /// The last execution of the page before.
    after: Option<ExecutionName>,
    limit: usize,
}

pub(super) async fn run(apis: &Apis, request: &Request, principal: &Principal) -> Result<Reply, Error> {
    watching::allow(principal, watching::LIST_EXECUTIONS)?;
    let graph = words::graph_name(request)?;
    let query = Query::parse(&request.query).map_err(Error::InvalidArgument)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(graph)).await?;
    let page = if query.api_calls {
        let cursor = match query.after {
            Some(name) => Some(place_after(apis, &workflow, name).await?),
            None => None,
        };
        let list = apis.executions.list(&workflow.project_id, workflow.id, cursor.as_ref(), query.limit);
        list.await.map_err(Refusal::from)?
    } else {
        Page { entries: Vec::new(), next: None }
    };
    Ok(Reply::json(&Answer {
        count: page.entries.len(),
        is_truncated: page.next.is_some(),
        next_marker: page.next.map(|cursor| format!("{}{}", words::API_CALL, cursor.name)),
        executions: page.entries.iter().map(Entry::of).collect(),
    }))
}

/// A marker is type and name, as the vendor has it. The list goes on behind that execution wherever it lies by now, so pages
/// neither repeat nor miss one while others start.
async fn place_after(apis: &Apis, workflow: &Workflow, name: ExecutionName) -> Result<Cursor, Error> {
    match watching::find_execution(apis, workflow, name).await {
        Ok(execution) => Ok(Cursor { started_at: execution.started_at, name: execution.key.name }),
        Err(Refusal::ExecutionNotFound) => Err(Error::InvalidArgument(no_marker())),
        Err(refusal) => Err(refusal.into()),
    }
}

fn no_marker() -> String {
    format!("{MARKER} must be the next_marker of a list of this workflow")
}

impl Query {
    fn parse(query: &str) -> Result<Self, String> {
        let api_calls = match path::parameter(query, TYPE)?.as_deref() {
            None | Some(words::API_CALL) => true,
            Some("TRIGGERCAL") => false,
            Some(_) => return Err(format!("{TYPE} must be APICALL or TRIGGERCAL")),
        };
        let after = match path::parameter(query, MARKER)? {
            None => None,
            Some(marker) => {
                let name = marker.strip_prefix(words::API_CALL).and_then(|name| ExecutionName::parse(name).ok());
                Some(name.ok_or_else(no_marker)?)
            }
        };
        let limit = path::number(query, LIMIT, 1..=1000)?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self { api_calls, after, limit: usize::try_from(limit).expect("it is between 1 and 1000") })
    }
}

impl Entry {
    fn of(execution: &Summary) -> Self {
        Self {
            graph_urn: urn::of_graph(execution),
            execution_urn: urn::of_execution(execution),
            execution_name: execution.key.name.to_string(),
            execution_type: words::API_CALL,
            execution_state: execution_info::status(execution.status),
            started_at: execution.started_at.iso_millis(),
            stopped_at: execution.ended_at.map(|at| at.iso_millis()).unwrap_or_default(),
        }
    }
}
