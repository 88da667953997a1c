//! `POST /v2/{project_id}/fgs/workflows/{workflow_id}/sync-executions`: "Executing a Function Flow Synchronously".

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::start::Body;
use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, starting, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::engine::{Run, error_document};
use crate::execution::{Ending, Execution, Options, Origin, Start, StartKey, Status};
use crate::workflow::Mode;

/// The operation's name in a credential's allow-list and in the log.
pub(super) const OPERATION: &str = "start_sync";

/// Most characters of `error_message` in the vendor's schema.
const MAX_MESSAGE_CHARS: usize = 2048;

/// The answer's body, the vendor's SyncExecuteResponse. Every member has to be there.
#[derive(Serialize)]
struct Answer {
    execution_id: String,
    status: &'static str,
    output: Box<RawValue>,
    errors: Vec<NodeError>,
    begin_time: String,
    end_time: String,
}

#[derive(Serialize)]
struct NodeError {
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    error_message: String,
    begin_time: String,
    end_time: String,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    workflow_id: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, OPERATION)?;
    words::parse_workflow_id(workflow_id, &principal.project_id)?;
    let key = starting::idempotency_key(request).map_err(Error::Invalid)?;
    let body = Body::parse(&request.body)?;
    let workflow = words::find_workflow(apis, principal, workflow_id).await?;
    if workflow.definition.mode() != Mode::Express {
        return Err(Error::Invalid("workflow_id must be of a flow in EXPRESS mode, no other can be waited for".into()));
    }
    let started = apis
        .executions
        .start(Start {
            workflow,
            key: key.map_or(StartKey::None, StartKey::Idempotency),
            input: body.input,
            sent: None,
            options: Options { headers: body.headers, ..Options::default() },
            origin: Origin::FunctionGraphV2,
            is_test: false,
            region: apis.region.to_string(),
            caller: starting::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let execution = apis.executions.wait(started.execution, request.patience).await.map_err(Refusal::from)?;
    let Some(ending) = &execution.ending else { return Err(Error::GoesOn(execution.key.name)) };
    let errors = errors(apis, &execution, ending).await;
    let reply = Reply::json(&Answer::new(&execution, ending, errors));
    Ok(Reply { execution: Some(execution.key.name.to_string()), replayed: Some(started.replayed), ..reply })
}

impl Answer {
    fn new(execution: &Execution, ending: &Ending, errors: Vec<NodeError>) -> Self {
        let nothing = || to_raw_value(&Map::<String, Value>::new()).expect("an empty object is writable");
        Self {
            execution_id: execution.key.name.to_string(),
            // This schema has no word for an execution that was stopped.
            status: if ending.status == Status::Cancelled { "fail" } else { words::status(ending.status) },
            output: ending.output.as_ref().map_or_else(nothing, words::raw),
            errors,
            begin_time: execution.started_at.iso_seconds(),
            end_time: ending.at.iso_seconds(),
        }
    }
}

/// The nodes in which an execution failed. Where the engine does not say which, the failure of the whole: how the execution
/// ended is known, and is worth more to the caller than an error.
async fn errors(apis: &Apis, execution: &Execution, ending: &Ending) -> Vec<NodeError> {
    if !matches!(ending.status, Status::Failed | Status::Cancelled) {
        return Vec::new();
    }
    let nodes = watching::tell(apis, execution).await.map(|told| told.nodes).unwrap_or_default();
    let failed = |run: &&Run| run.status == ending.status && run.attempt == execution.attempt;
    let runs = nodes.iter().flat_map(|node| node.runs.iter().filter(failed).map(|run| (node.id.clone(), run)));
    let errors: Vec<NodeError> = runs
        .map(|(id, run)| NodeError::new(Some(id), run.error.as_ref(), run.begun, run.ended.unwrap_or(ending.at)))
        .collect();
    if !errors.is_empty() {
        return errors;
    }
    let error = ending.failure.as_ref().map(error_document);
    vec![NodeError::new(None, error.as_ref(), execution.started_at, ending.at)]
}

impl NodeError {
    fn new(node_id: Option<String>, error: Option<&Value>, begun: Timestamp, ended: Timestamp) -> Self {
        let message = error.map_or_else(|| "the execution was stopped".to_owned(), Value::to_string);
        Self {
            node_id,
            error_message: message.chars().take(MAX_MESSAGE_CHARS).collect(),
            begin_time: begun.iso_seconds(),
            end_time: ended.iso_seconds(),
        }
    }
}
