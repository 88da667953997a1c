//! `GET /v2/{project_id}/fgs/workflows/{workflow_id}/executions/{execution_id}`: "Querying an Execution Instance".

use serde::Serialize;
use serde_json::value::RawValue;

use super::Error;
use super::words::{self, Brief};
use crate::api::values::Values;
use crate::api::{Apis, Reply, Request, watching};
use crate::auth::Principal;
use crate::engine::{Node, Run};
use crate::execution::Execution;

/// Most runs of one node in the vendor's schema.
const MAX_RUNS: usize = 200;

/// The answer's body, the vendor's ExecutionDetails.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    brief: Brief,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Box<RawValue>>,
    input: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Box<RawValue>>,
    node_execution_details: Vec<NodeDetail>,
}

#[derive(Serialize)]
struct NodeDetail {
    node_id: String,
    node_name: String,
    execution_id: String,
    executions: Vec<NodeExecution>,
}

#[derive(Serialize)]
struct NodeExecution {
    status: &'static str,
    input: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Box<RawValue>>,
    /// Milliseconds since the Unix epoch.
    begin_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<Box<RawValue>>,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    (workflow_id, execution_id): (&str, &str),
) -> Result<Reply, Error> {
    watching::allow(principal, watching::SHOW_EXECUTION)?;
    let mut values = if wants_whole_values(request)? { Values::whole() } else { Values::short() };
    let execution = words::find_execution(apis, principal, workflow_id, execution_id).await?;
    let told = watching::tell(apis, &execution).await?;
    let name = execution.key.name.to_string();
    let details = told.nodes.iter().map(|node| NodeDetail::of(node, &name, &mut values)).collect();
    Ok(Reply { execution: Some(name), ..Reply::json(&Answer::new(&execution, details)) })
}

/// The header asks for the "complete output values"; the vendor's Python SDK writes `True`.
fn wants_whole_values(request: &Request) -> Result<bool, Error> {
    const NAME: &str = "X-Get-Workflow-Full-History-Data";
    match request.header("x-get-workflow-full-history-data").map_err(Error::Invalid)? {
        None | Some("") => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(Error::Invalid(format!("header {NAME} must be true or false"))),
    }
}

impl Answer {
    fn new(execution: &Execution, node_execution_details: Vec<NodeDetail>) -> Self {
        let output = execution.ending.as_ref().and_then(|ending| ending.output.as_ref());
        Self {
            brief: Brief::of(&execution.summary(), words::status),
            headers: execution.headers.as_ref().map(words::raw),
            input: words::raw(&execution.input),
            output: output.map(words::raw),
            node_execution_details,
        }
    }
}

impl NodeDetail {
    fn of(node: &Node, execution_id: &str, values: &mut Values) -> Self {
        let runs = &node.runs[node.runs.len().saturating_sub(MAX_RUNS)..];
        Self {
            node_id: node.id.clone(),
            node_name: node.name.clone(),
            execution_id: execution_id.to_owned(),
            executions: runs.iter().map(|run| NodeExecution::of(run, values)).collect(),
        }
    }
}

impl NodeExecution {
    fn of(run: &Run, values: &mut Values) -> Self {
        Self {
            status: words::status(run.status),
            input: values.json(&run.input),
            output: run.output.as_ref().map(|output| values.json(output)),
            begin_time: run.begun.millis(),
            end_time: run.ended.map(|ended| ended.millis()),
            error_message: run.error.as_ref().map(|error| values.json(error)),
        }
    }
}
