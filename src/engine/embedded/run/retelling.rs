//! The entries of a run as events of its states, with their documents.

use std::sync::Arc;

use serde_json::Value;

use super::{Branch, Doing, ReplayError, Run, find};
use crate::clock::Timestamp;
use crate::engine::embedded::history::document;
use crate::engine::embedded::{Entry, Machine};
use crate::execution::{StateEvent, StateEventKind};

impl Run {
    /// Tells a run again: when which state began with what, and ended with what.
    ///
    /// # Errors
    /// The entries are not those of a run of this machine.
    pub fn retell(
        machine: Arc<Machine>,
        input: Value,
        started_at: Timestamp,
        attempt: u32,
        entries: &[Entry],
    ) -> Result<Vec<StateEvent>, ReplayError> {
        let mut run = Self::begin(machine, input, started_at);
        let mut events = Vec::new();
        let event = |at, state: &str, kind| StateEvent { at, attempt, state: state.to_owned(), kind };
        entered(&run.root, &mut |state, input| {
            events.push(event(started_at, state, StateEventKind::Entered(document(input))));
        });
        for entry in entries {
            run.follow(entry, None).map_err(|reason| ReplayError { number: run.entries, reason })?;
            run.entries += 1;
            if !entry.event.ends_state() {
                continue;
            }
            let left = |output| event(entry.at, &entry.state, StateEventKind::Left(document(output)));
            if let Some(super::Outcome::Succeeded(output)) = &run.outcome {
                events.push(left(output));
                continue;
            }
            match find(&run.machine.scope, &mut run.root, &entry.branch) {
                Some((_, Branch::Ended(output))) => events.push(left(output)),
                Some((_, branch @ Branch::At(_))) => {
                    let Branch::At(visit) = &*branch else { continue };
                    events.push(left(&visit.input));
                    entered(branch, &mut |state, input| {
                        events.push(event(entry.at, state, StateEventKind::Entered(document(input))));
                    });
                }
                None => {}
            }
        }
        Ok(events)
    }
}

/// Tells of the state that a branch has just entered, and of those that its own branches have entered with it.
fn entered(branch: &Branch, tell: &mut dyn FnMut(&str, &Value)) {
    let Branch::At(visit) = branch else { return };
    tell(&visit.state, &visit.input);
    if let Doing::Branching(branches) = &visit.doing {
        branches.iter().for_each(|branch| entered(branch, tell));
    }
}
