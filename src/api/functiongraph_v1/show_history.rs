//! `GET /v1.0/{project_id}/cloud_graphs/executions/{execution_urn}/history`: "Querying the Execution History".

use serde::Serialize;
use serde_json::{Value, json};

use super::{Error, words};
use crate::api::values::Values;
use crate::api::{Apis, Reply, Request, execution_info, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::engine::{Call, Node, Run};
use crate::execution::Execution;

/// The operation's name in a credential's allow-list and in the log.
pub(super) const OPERATION: &str = "show_history";

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    count: usize,
    /// Newest first.
    state_history: Vec<Value>,
}

/// What the history has an entry for.
enum Entry<'a> {
    ExecutionStart(&'a Execution),
    ExecutionEnd(&'a Execution, Timestamp),
    StateStart(&'a Node, &'a Run),
    StateEnd(&'a Node, &'a Run, Timestamp),
    ActionStart(&'a Call),
    ActionEnd(&'a Call, Timestamp),
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    execution_urn: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, OPERATION)?;
    let (offset, limit) = words::parse_part(&request.query)?;
    let execution = words::find_execution_of_path(apis, principal, execution_urn).await?;
    let told = watching::tell(apis, &execution).await?;
    let entries = entries(&execution, &told.nodes);
    let mut values = Values::whole();
    let part = entries.iter().rev().skip(offset).take(limit);
    let state_history: Vec<Value> = part.map(|entry| entry.shown(&mut values)).collect();
    let reply = Reply::json(&Answer { count: state_history.len(), state_history });
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..reply })
}

/// The whole history, oldest first.
fn entries<'a>(execution: &'a Execution, nodes: &'a [Node]) -> Vec<Entry<'a>> {
    let mut runs: Vec<(&Node, &Run)> =
        nodes.iter().flat_map(|node| node.runs.iter().map(move |run| (node, run))).collect();
    runs.sort_by_key(|(_, run)| (run.attempt, run.begun));
    let mut entries = vec![Entry::ExecutionStart(execution)];
    for (node, run) in runs {
        entries.push(Entry::StateStart(node, run));
        let mut calls: Vec<(Timestamp, Entry<'_>)> = Vec::new();
        for call in &run.calls {
            calls.push((call.begun, Entry::ActionStart(call)));
            calls.extend(call.ended.map(|ended| (ended, Entry::ActionEnd(call, ended))));
        }
        calls.sort_by_key(|(at, _)| *at);
        entries.extend(calls.into_iter().map(|(_, entry)| entry));
        entries.extend(run.ended.map(|ended| Entry::StateEnd(node, run, ended)));
    }
    entries.extend(execution.ending.as_ref().map(|ending| Entry::ExecutionEnd(execution, ending.at)));
    entries
}

impl Entry<'_> {
    /// One of the vendor's six shapes. It prints no member that tells them apart; `type` is ours.
    fn shown(&self, values: &mut Values) -> Value {
        match self {
            Self::ExecutionStart(execution) => json!({
                "type": "Execution Start",
                "execution_name": execution.key.name.as_str(),
                "input": execution.input.as_str(),
                "started_at": execution.started_at.iso_millis(),
            }),
            Self::ExecutionEnd(execution, at) => json!({
                "type": "Execution End",
                "output": execution_info::output(execution).unwrap_or_default(),
                "status": execution_info::status(execution.status),
                "stopped_at": at.iso_millis(),
            }),
            Self::StateStart(node, run) => json!({
                "type": "State Start",
                "state_name": node.id,
                "input": values.text(&run.input),
                "started_at": run.begun.iso_millis(),
            }),
            Self::StateEnd(node, run, at) => json!({
                "type": "State End",
                "state_name": node.id,
                "output": shown(run.output.as_ref().or(run.error.as_ref()), values),
                "status": execution_info::status(run.status),
                "stopped_at": at.iso_millis(),
            }),
            Self::ActionStart(call) => json!({
                "type": "Action Start",
                "action_name": call.function,
                "input": values.text(&call.input),
                "started_at": call.begun.iso_millis(),
            }),
            Self::ActionEnd(call, at) => json!({
                "type": "Action End",
                "action_name": call.function,
                "output": shown(call.output.as_ref(), values),
                "status": execution_info::status(call.status),
                "stopped_at": at.iso_millis(),
            }),
        }
    }
}

/// A value as JSON text; nothing if there is none.
fn shown(value: Option<&Value>, values: &mut Values) -> String {
    value.map(|value| values.text(value)).unwrap_or_default()
}
