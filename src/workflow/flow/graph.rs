//! The states of a flow as a graph.

use std::collections::{HashMap, HashSet};

use super::State;

/// The ids that each state may go on to, by its own id.
pub(super) struct Graph<'a> {
    ways: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    /// The graph of states, all of whose successors exist.
    pub(super) fn of(states: &'a [State]) -> Self {
        Self { ways: states.iter().map(|state| (state.id.as_str(), state.successors())).collect() }
    }

    /// The state of that id and all that can follow it.
    pub(super) fn reachable(&self, from: &'a str) -> HashSet<&'a str> {
        self.visit(vec![from])
    }

    /// Whether the state of that id can follow itself.
    pub(super) fn circles(&self, id: &str) -> bool {
        self.ways.get(id).is_some_and(|ways| self.visit(ways.clone()).contains(id))
    }

    fn visit(&self, mut to_visit: Vec<&'a str>) -> HashSet<&'a str> {
        let mut reached = HashSet::new();
        while let Some(id) = to_visit.pop() {
            if reached.insert(id) {
                to_visit.extend(self.ways.get(id).into_iter().flatten());
            }
        }
        reached
    }
}
