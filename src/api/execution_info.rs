//! How OBS and FunctionGraph v1 show an execution.

use serde::Serialize;
use serde_json::{Map, Value};

use super::urn;
use super::values::Values;
use super::watching::Told;
use crate::engine::{Run, error_document};
use crate::execution::{Execution, Status};
use crate::workflow::flow::{Kind, State};

/// The document, `execution_info` in both APIs.
#[derive(Serialize)]
pub(super) struct ExecutionInfo {
    graph_urn: String,
    execution_urn: String,
    execution_name: String,
    /// OBS only.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_type: Option<&'static str>,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<String>,
    execution_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_state: Option<String>,
    #[serde(rename = "isTest")]
    is_test: bool,
    input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    state_map: Map<String, Value>,
}

impl ExecutionInfo {
    /// `type_member` is what the API calls the type of a state.
    pub(super) fn new(
        execution: &Execution,
        told: &Told,
        execution_type: Option<&'static str>,
        type_member: &str,
    ) -> Self {
        let summary = execution.summary();
        let flow = told.version.as_ref().map(|version| version.definition.flow());
        let mut values = Values::whole();
        let states = flow.map(|flow| flow.states()).unwrap_or_default();
        let state = |state: &State| {
            let run = told.nodes.iter().find(|node| node.id == state.id).and_then(|node| node.runs.last());
            let mut shown = run.map(|run| shown(run, &mut values)).unwrap_or_default();
            shown.insert("state_name".to_owned(), state.id.as_str().into());
            shown.insert("status".to_owned(), run.map_or("NOTRUNNING", |run| status(run.status)).into());
            shown.insert(type_member.to_owned(), kind(&state.kind).into());
            (state.id.clone(), Value::Object(shown))
        };
        Self {
            state_map: states.iter().map(state).collect(),
            graph_urn: urn::of_graph(&summary),
            execution_urn: urn::of_execution(&summary),
            execution_name: summary.key.name.to_string(),
            execution_type,
            started_at: execution.started_at.iso_millis(),
            stopped_at: summary.ended_at.map(|at| at.iso_millis()),
            execution_state: status(execution.status),
            start_state: flow.map(|flow| flow.start().to_owned()),
            is_test: execution.is_test,
            input: execution.input.as_str().to_owned(),
            output: output(execution),
        }
    }
}

/// What an execution put out, as JSON text; the error document of one that failed. `None` if there is neither.
pub(super) fn output(execution: &Execution) -> Option<String> {
    let ending = execution.ending.as_ref()?;
    let failure = || ending.failure.as_ref().map(|failure| error_document(failure).to_string());
    ending.output.as_ref().map(|output| output.as_str().to_owned()).or_else(failure)
}

/// The vendor's pages show `RUNNING`, `SUCCESS` and `ABORTED`, and its SDK `FAILED`.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Scheduled | Status::Running | Status::Stopping | Status::Retrying => "RUNNING",
        Status::Succeeded => "SUCCESS",
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMEOUT",
        Status::Cancelled => "ABORTED",
    }
}

/// The members that a state has only once it was entered.
fn shown(run: &Run, values: &mut Values) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("started_at".to_owned(), run.begun.iso_millis().into());
    members.insert("input".to_owned(), values.text(&run.input).into());
    if let Some(ended) = run.ended {
        members.insert("stopped_at".to_owned(), ended.iso_millis().into());
    }
    if let Some(output) = run.output.as_ref().or(run.error.as_ref()) {
        members.insert("output".to_owned(), values.text(output).into());
    }
    members
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Operation(_) => "OPERATION",
        Kind::Delay(..) => "DELAY",
        Kind::Switch(..) => "SWITCH",
        Kind::Noop(_) => "NOOP",
        Kind::End => "END",
    }
}
