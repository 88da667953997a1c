//! Checks the states of a definition, one by one and as a graph.

use std::collections::{HashMap, HashSet};

use super::members::{Field, Object, quoted};

/// What states may refer to besides each other.
pub(super) struct References<'a> {
    /// The names of the workflow's functions.
    pub(super) functions: HashSet<&'a str>,
    /// The names of the workflow's retry policies.
    pub(super) retries: HashSet<&'a str>,
}

/// What a state does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Operation,
    Sleep,
    End,
}

/// The ids that each state may go on to, by its own id.
type Transitions<'a> = HashMap<&'a str, Vec<&'a str>>;

/// Checks every state, and the graph that they make up from `start` on.
pub(super) fn check_states<'a>(states: &Field<'a>, start: Option<&Field<'a>>, references: &References<'a>) {
    let fields = states.entries(1..=100).unwrap_or_default();
    let states: Vec<Object<'a>> = fields.iter().filter_map(Field::object).collect();
    let ids: Vec<Field<'a>> = states.iter().filter_map(|state| state.required("id")).collect();
    for id in &ids {
        id.text(0..=64);
    }
    let existing = distinct_names(&ids);

    let next: Vec<Vec<&str>> = states.iter().map(|state| check_state(state, &existing, references)).collect();
    let Some((start, start_id)) = start.and_then(|start| Some((start, start.value().as_str()?))) else { return };
    start.names("a state", start_id, &existing);

    // A missing or doubled id, or a name that is no state's, has been noted; what follows from it is not worth saying.
    let each_has_its_id = existing.len() == fields.len();
    if each_has_its_id && next.iter().flatten().chain([&start_id]).all(|id| existing.contains(id)) {
        let order: Vec<&str> = ids.iter().filter_map(|id| id.value().as_str()).collect();
        let transitions = order.iter().copied().zip(next).collect();
        check_graph(&fields, &order, start_id, &transitions);
    }
}

/// The names in `fields`, noting each that another field has already.
pub(super) fn distinct_names<'a>(fields: &[Field<'a>]) -> HashSet<&'a str> {
    let mut first = HashMap::new();
    for field in fields {
        let Some(name) = field.value().as_str() else { continue };
        if let Some(taken_by) = first.insert(name, field) {
            field.breaks(format!("must be unique, `{}` is {} too", taken_by.path(), quoted(name)));
        }
    }
    first.into_keys().collect()
}

/// Checks one state, except for its id, and returns the ids that it may go on to.
fn check_state<'a>(state: &Object<'a>, existing: &HashSet<&str>, references: &References<'a>) -> Vec<&'a str> {
    if let Some(name) = state.required("name") {
        name.name(1..=256);
    }
    let kinds = [("Operation", Kind::Operation), ("Sleep", Kind::Sleep), ("End", Kind::End)];
    let kind = state.required("type").and_then(|kind| kind.choice(&kinds));
    check_actions(state, kind, references);
    // The vendor ignores the duration of any other state.
    if kind == Some(Kind::Sleep)
        && let Some(seconds) = state.required("duration")
    {
        seconds.number(0.001..=86_400.0);
    }
    if let Some(filter) = state.optional("state_data_filter").and_then(|filter| filter.object()) {
        for json_path in ["input", "output"].iter().filter_map(|name| filter.optional(name)) {
            json_path.text(0..=256);
        }
    }
    let mut next = check_on_errors(state, existing, references);
    next.extend(check_transition(state, kind, existing));
    next
}

fn check_actions(state: &Object<'_>, kind: Option<Kind>, references: &References<'_>) {
    if let Some(mode) = state.optional("action_mode") {
        // The vendor's own sample has an End state with an empty mode.
        mode.choice(&[("sequential", ()), ("parallel", ()), ("", ())]);
    }
    // The vendor's own sample has an End state without actions, which the schema's 1..10 does not allow.
    let fewest = if kind == Some(Kind::Operation) { 1 } else { 0 };
    let actions = state.required("actions").and_then(|actions| actions.entries(fewest..=10)).unwrap_or_default();
    for action in actions.iter().filter_map(Field::object) {
        // The schema has `invoke_mode` in the function's reference, the vendor's samples beside it.
        check_invoke_mode(&action);
        let Some(function) = action.required("function_ref").and_then(|function| function.object()) else { continue };
        check_invoke_mode(&function);
        if let Some(arguments) = function.required("arguments") {
            arguments.object();
        }
        if let Some(reference) = function.required("ref_name")
            && let Some(name) = reference.text(0..=256)
        {
            reference.names("a function", name, &references.functions);
        }
    }
}

fn check_invoke_mode(object: &Object<'_>) {
    if let Some(mode) = object.optional("invoke_mode") {
        mode.choice(&[("synchronize", ())]);
    }
}

fn check_on_errors<'a>(state: &Object<'a>, existing: &HashSet<&str>, references: &References<'a>) -> Vec<&'a str> {
    let mut next = Vec::new();
    let routes = state.optional("on_errors").and_then(|routes| routes.entries(0..=200)).unwrap_or_default();
    for route in routes.iter().filter_map(Field::object) {
        if let Some(expression) = route.optional("error") {
            expression.text(0..=256);
        }
        // An empty name is none, as in the schema's other optional texts.
        if let Some(retry) = route.optional("retry_ref")
            && let Some(name) = retry.text(0..=256).filter(|name| !name.is_empty())
        {
            retry.names("a retry policy", name, &references.retries);
        }
        if let Some(transition) = route.optional("transition")
            && let Some(id) = transition.text(0..=256).filter(|id| !id.is_empty())
        {
            transition.names("a state", id, existing);
            next.push(id);
        }
    }
    next
}

fn check_transition<'a>(state: &Object<'a>, kind: Option<Kind>, existing: &HashSet<&str>) -> Option<&'a str> {
    let end = state.required("end");
    let is_end = end.as_ref().and_then(Field::boolean);
    if let Some(end) = end
        && kind == Some(Kind::End)
        && is_end == Some(false)
    {
        end.breaks("must be true for a state of type `End`");
    }
    let transition = state.required("transition")?;
    let id = transition.text(0..=256)?;
    match (is_end?, id.is_empty()) {
        (true, true) => None,
        (true, false) => {
            transition.breaks("must be empty, because `end` is true");
            None
        }
        (false, true) => {
            transition.breaks("must name a state of the workflow, because `end` is false");
            None
        }
        (false, false) => {
            transition.names("a state", id, existing);
            Some(id)
        }
    }
}

/// Checks that every state can be reached from the first, and that none can be reached from itself: the vendor wants a
/// directed acyclic graph. Then every way ends, because a state that is not the end has a successor.
fn check_graph(fields: &[Field<'_>], order: &[&str], start: &str, transitions: &Transitions<'_>) {
    let reached = reachable(&[start], transitions);
    for (field, id) in fields.iter().zip(order) {
        if !reached.contains(id) {
            field.breaks(format!("must be reachable from the start state {}", quoted(start)));
        }
    }
    // The other states of the same circle would only repeat it.
    let circling = fields.iter().zip(order).find(|(_, id)| reachable(&transitions[*id], transitions).contains(*id));
    if let Some((field, _)) = circling {
        field.breaks("must not lead back to itself, a workflow has no loops");
    }
}

/// The states of `from` and all that can follow them.
fn reachable<'a>(from: &[&'a str], transitions: &Transitions<'a>) -> HashSet<&'a str> {
    let mut reached = HashSet::new();
    let mut to_visit = from.to_vec();
    while let Some(id) = to_visit.pop() {
        if reached.insert(id) {
            to_visit.extend(&transitions[id]);
        }
    }
    reached
}
