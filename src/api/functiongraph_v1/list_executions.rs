//! `GET /v1.0/{project_id}/cloud_graphs/{graph_urn}/executions`: "Querying Workflow Instances".

use serde::Serialize;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, execution_info, path, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{ExecutionName, ListError, MAX_LOOKED_THROUGH, Selection, Summary};
use crate::workflow::{Workflow, WorkflowName, WorkflowRef};

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    count: usize,
    executions: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    graph_urn: String,
    execution_urn: String,
    execution_name: String,
    started_at: String,
    /// Empty while it runs.
    stopped_at: String,
    execution_status: &'static str,
}

/// The request's query, checked.
struct Query {
    filter: Filter,
    offset: usize,
    limit: usize,
}

enum Filter {
    /// All of them, or those whose names begin so.
    Prefix(Option<String>),
    /// The one of this name, from an execution's URN.
    Name(ExecutionName),
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    graph_urn: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, watching::LIST_EXECUTIONS)?;
    let graph = words::parse_graph_urn(graph_urn, &principal.project_id)?;
    let query = Query::parse(&request.query, principal, &graph)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(graph)).await?;
    let found = select(apis, &workflow, query).await?;
    let executions: Vec<Entry> = found.iter().map(Entry::of).collect();
    Ok(Reply::json(&Answer { count: executions.len(), executions }))
}

async fn select(apis: &Apis, workflow: &Workflow, query: Query) -> Result<Vec<Summary>, Error> {
    let Query { filter, offset, limit } = query;
    match filter {
        Filter::Prefix(name_prefix) => {
            let selection = Selection { name_prefix, ..Selection::default() };
            let executions = &apis.executions;
            let slice = executions.slice(&workflow.project_id, workflow.id, &selection, (offset, limit), false).await;
            slice.map(|slice| slice.entries).map_err(refuse)
        }
        Filter::Name(name) => match watching::find_execution(apis, workflow, name).await {
            Ok(execution) => Ok([execution.summary()].into_iter().skip(offset).collect()),
            Err(Refusal::ExecutionNotFound) => Ok(Vec::new()),
            Err(refusal) => Err(refusal.into()),
        },
    }
}

fn refuse(error: ListError) -> Error {
    match error {
        ListError::TooLong => Error::InvalidParameter(format!(
            "name must be longer, for more than {MAX_LOOKED_THROUGH} executions lie before the end of this page"
        )),
        ListError::Store(error) => Refusal::from(error).into(),
    }
}

impl Query {
    fn parse(query: &str, principal: &Principal, graph: &WorkflowName) -> Result<Self, Error> {
        let (offset, limit) = words::parse_part(query)?;
        let given = |name| path::parameter(query, name).map_err(Error::InvalidParameter);
        let filter = match (given("name")?, given("execution_urn")?) {
            (Some(_), Some(_)) => {
                return Err(Error::InvalidParameter("name and execution_urn must not be given both".into()));
            }
            (prefix, None) => Filter::Prefix(prefix.map(parse_prefix).transpose()?),
            (None, Some(urn)) => {
                let reference = words::parse_execution_urn(&urn, &principal.project_id)?;
                if reference.workflow != *graph {
                    return Err(Error::InvalidUrn("execution_urn must be the URN of an execution of graph_urn"));
                }
                Filter::Name(reference.name)
            }
        };
        Ok(Self { filter, offset, limit })
    }
}

/// The beginning of an execution's name is one itself.
fn parse_prefix(prefix: String) -> Result<String, Error> {
    match ExecutionName::parse(&prefix) {
        Ok(_) => Ok(prefix),
        Err(problem) => Err(Error::InvalidParameter(format!("name {problem}"))),
    }
}

impl Entry {
    fn of(execution: &Summary) -> Self {
        Self {
            graph_urn: urn::of_graph(execution),
            execution_urn: urn::of_execution(execution),
            execution_name: execution.key.name.to_string(),
            started_at: execution.started_at.iso_millis(),
            stopped_at: execution.ended_at.map(|at| at.iso_millis()).unwrap_or_default(),
            execution_status: execution_info::status(execution.status),
        }
    }
}
