//! What the journal of an execution says, attempt by attempt.

use std::collections::HashSet;

use serde_json::Value;

use super::worker::{Unrunnable, Version, Worker};
use super::{Entry, Run};
use crate::clock::Timestamp;
use crate::engine::history::History;
use crate::execution::{Execution, JournalEntry, StateEvent, StateEventKind};
use crate::json::{self, JsonText};
use crate::workflow::StoreError;

/// An attempt of an execution.
pub(super) struct Attempt {
    number: u32,
    /// What its machine is started with.
    pub(super) input: Value,
    /// When it began, if it has.
    started_at: Option<Timestamp>,
    /// What happened in it.
    pub(super) entries: Vec<Entry>,
}

/// Takes a journal apart. The last attempt is the present one; every one before it has ended.
///
/// # Errors
/// The journal is not one of the version's machine.
pub(super) fn attempts(
    execution: &Execution,
    version: &Version,
    journal: &[JournalEntry],
) -> Result<Vec<Attempt>, Unrunnable> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut at = None;
    for number in 1..=execution.attempt {
        if let Some(last) = attempts.last() {
            // Where it had not come to any node, the next attempt begins where it did.
            at = last_node(&events(last, version)?, &version.nodes).or(at);
        }
        let texts = journal.iter().filter(|entry| entry.attempt == number).map(|entry| entry.text.as_str());
        let entries = texts.map(serde_json::from_str).collect::<Result<Vec<Entry>, _>>();
        let entries = entries.map_err(|error| Unrunnable::Broken(format!("an entry of the journal: {error}")))?;
        let first = entries.first().map(|entry| entry.at);
        let started_at = if number == 1 { Some(execution.started_at) } else { first };
        let input = execution.engine_input(at.as_ref().map(|(node, input)| (node.as_str(), input.as_str())));
        let input =
            json::own_value(&input).map_err(|error| Unrunnable::Broken(format!("what it starts with {error}")))?;
        attempts.push(Attempt { number, input, started_at, entries });
    }
    Ok(attempts)
}

/// Tells what happened in an execution so far.
///
/// # Errors
/// The storage failed, or holds a journal that is none of the execution's machine.
pub(super) async fn tell(worker: &Worker, execution: &Execution) -> Result<Vec<StateEvent>, StoreError> {
    let told = async {
        let version = worker.version(execution).await?;
        let journal = worker.journal_of(&execution.key.record_id()).await?;
        let mut told = History::default();
        for attempt in attempts(execution, &version, &journal)? {
            if !events(&attempt, &version)?.into_iter().all(|event| told.tell(event)) {
                break;
            }
        }
        Ok(told.into_events())
    };
    told.await.map_err(|error| match error {
        Unrunnable::Store(error) => error,
        Unrunnable::Broken(reason) => StoreError::Corrupt(reason),
    })
}

fn events(attempt: &Attempt, version: &Version) -> Result<Vec<StateEvent>, Unrunnable> {
    let Some(started_at) = attempt.started_at.filter(|_| !attempt.entries.is_empty()) else { return Ok(Vec::new()) };
    Run::retell(version.machine.clone(), attempt.input.clone(), started_at, attempt.number, &attempt.entries)
        .map_err(|error| Unrunnable::Broken(error.to_string()))
}

/// The node that was entered last, and the text of its input.
fn last_node(events: &[StateEvent], nodes: &HashSet<String>) -> Option<(String, String)> {
    events.iter().rev().find_map(|event| match &event.kind {
        StateEventKind::Entered(document) if nodes.contains(&event.state) => {
            Some((event.state.clone(), document.value().get("input")?.to_string()))
        }
        StateEventKind::Entered(_) | StateEventKind::Left(_) => None,
    })
}

/// A document of the machine as the domain knows it. What nests too deep for that is shown as null.
pub(super) fn document(value: &Value) -> JsonText {
    JsonText::parse(&value.to_string()).unwrap_or_else(|_| JsonText::parse("null").expect("null is JSON"))
}
