//! Checks the states of a definition, one by one and as a graph.

use std::collections::{HashMap, HashSet};

use super::members::{Field, Object, distinct_texts, quoted};

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
    let existing = distinct_texts(&ids);

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
    // The vendor's own sample has an End state with an empty mode.
    if let Some(mode) = state.optional("action_mode").filter(|mode| mode.value() != "") {
        mode.choice(&[("sequential", ()), ("parallel", ())]);
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::{Value, json};

    use super::*;

    fn operation(id: &str, transition: &str) -> Value {
        json!({
            "id": id, "name": id, "type": "Operation", "end": false, "transition": transition,
            "actions": [{"function_ref": {"ref_name": "work", "arguments": {}}}],
        })
    }

    fn sleep(id: &str, transition: &str, seconds: Value) -> Value {
        json!({
            "id": id, "name": id, "type": "Sleep", "end": false, "transition": transition, "actions": [],
            "duration": seconds,
        })
    }

    fn end(id: &str) -> Value {
        json!({"id": id, "name": id, "type": "End", "end": true, "transition": "", "actions": []})
    }

    /// The state with a member set.
    fn with(mut state: Value, member: &str, value: Value) -> Value {
        state[member] = value;
        state
    }

    /// Checks states that start at the first, with a function `work` and a retry policy `short`.
    fn problems(states: Value) -> Vec<String> {
        let found = RefCell::default();
        let body = json!({"start": states[0]["id"], "states": states});
        let object = Field::root(&body, &found).object().expect("an object");
        let references = References { functions: HashSet::from(["work"]), retries: HashSet::from(["short"]) };
        check_states(&object.required("states").expect("given"), object.required("start").as_ref(), &references);
        found.into_inner().iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn assert_taken(states: Value) {
        assert_eq!(problems(states), Vec::<String>::new());
    }

    #[track_caller]
    fn assert_refused(states: Value, message: &str) {
        assert_eq!(problems(states), [message]);
    }

    #[test]
    fn a_workflow_has_1_to_100_states() {
        let chain = |count: usize| {
            let operations = (1..count).map(|index| operation(&format!("s{index}"), &format!("s{}", index + 1)));
            operations.chain([end(&format!("s{count}"))]).collect::<Value>()
        };
        assert_taken(chain(1));
        assert_taken(chain(100));
        assert_refused(chain(101), "`states` must have 1 to 100 entries, not 101");
        assert_eq!(problems(json!([])).first().map(String::as_str), Some("`states` must have 1 to 100 entries, not 0"));
    }

    #[test]
    fn the_id_of_a_state_is_unique() {
        assert_refused(
            json!([operation("a", "b"), end("b"), end("b")]),
            "`states[2].id` must be unique, `states[1].id` is `b` too",
        );
    }

    #[test]
    fn the_type_of_a_state_is_one_of_three() {
        assert_refused(
            json!([with(operation("a", "b"), "type", json!("Switch")), end("b")]),
            "`states[0].type` must be one of `Operation`, `Sleep`, `End`",
        );
    }

    #[test]
    fn a_transition_names_a_state() {
        assert_refused(
            json!([operation("a", "b"), end("b"), operation("c", "thumbnail")]),
            "`states[2].transition` must name a state of the workflow, `thumbnail` is none",
        );
        assert_refused(
            json!([operation("a", "")]),
            "`states[0].transition` must name a state of the workflow, because `end` is false",
        );
    }

    #[test]
    fn the_end_leads_nowhere() {
        assert_taken(json!([with(operation("a", ""), "end", json!(true))]));
        assert_refused(
            json!([with(end("a"), "transition", json!("a"))]),
            "`states[0].transition` must be empty, because `end` is true",
        );
        assert_refused(
            json!([operation("a", "b"), with(with(end("b"), "end", json!(false)), "transition", json!("c")), end("c")]),
            "`states[1].end` must be true for a state of type `End`",
        );
    }

    #[test]
    fn an_operation_has_1_to_10_actions() {
        let action = operation("a", "")["actions"][0].clone();
        let acting =
            |count: usize| json!([with(operation("a", "b"), "actions", json!(vec![action.clone(); count])), end("b")]);
        assert_taken(acting(1));
        assert_taken(acting(10));
        assert_refused(acting(11), "`states[0].actions` must have 1 to 10 entries, not 11");
        assert_refused(acting(0), "`states[0].actions` must have 1 to 10 entries, not 0");
    }

    #[test]
    fn actions_run_in_a_known_mode() {
        for mode in ["sequential", "parallel", ""] {
            assert_taken(json!([with(operation("a", "b"), "action_mode", json!(mode)), end("b")]));
        }
        assert_refused(
            json!([with(operation("a", "b"), "action_mode", json!("Parallel")), end("b")]),
            "`states[0].action_mode` must be one of `sequential`, `parallel`",
        );
    }

    #[test]
    fn functions_are_invoked_synchronously_wherever_it_is_said() {
        let mut state = operation("a", "b");
        state["actions"][0]["invoke_mode"] = json!("synchronize");
        state["actions"][0]["function_ref"]["invoke_mode"] = json!("synchronize");
        assert_taken(json!([state, end("b")]));

        let mut beside = operation("a", "b");
        beside["actions"][0]["invoke_mode"] = json!("asynchronous");
        assert_refused(json!([beside, end("b")]), "`states[0].actions[0].invoke_mode` must be `synchronize`");

        let mut within = operation("a", "b");
        within["actions"][0]["function_ref"]["invoke_mode"] = json!("");
        assert_refused(
            json!([within, end("b")]),
            "`states[0].actions[0].function_ref.invoke_mode` must be `synchronize`",
        );
    }

    #[test]
    fn an_action_names_a_function() {
        let mut state = operation("a", "b");
        state["actions"][0]["function_ref"]["ref_name"] = json!("play");
        assert_refused(
            json!([state, end("b")]),
            "`states[0].actions[0].function_ref.ref_name` must name a function of the workflow, `play` is none",
        );
    }

    #[test]
    fn a_sleep_lasts_from_a_millisecond_to_a_day() {
        let sleeping = |seconds: Value| json!([sleep("a", "b", seconds), end("b")]);
        for taken in [json!(0.001), json!(1), json!(2.5), json!(86_400)] {
            assert_taken(sleeping(taken));
        }
        for refused in [json!(0), json!(0.0009), json!(86_401), json!(86_400.001), json!(-1), json!("5")] {
            assert_refused(sleeping(refused), "`states[0].duration` must be a number from 0.001 to 86400");
        }
        let mut endless = sleep("a", "b", json!(1));
        endless.as_object_mut().expect("an object").remove("duration");
        assert_refused(json!([endless, end("b")]), "`states[0].duration` is missing");
    }

    #[test]
    fn the_duration_of_a_state_that_does_not_sleep_has_no_effect() {
        assert_taken(json!([with(operation("a", "b"), "duration", json!(0)), end("b")]));
    }

    #[test]
    fn an_error_route_names_a_retry_policy_and_a_state() {
        let routed = |route: Value| json!([with(operation("a", "b"), "on_errors", json!([route])), end("b")]);
        assert_taken(routed(json!({"error": "$.errorCode == 500", "retry_ref": "short", "transition": "b"})));
        assert_taken(routed(json!({"error": "", "retry_ref": "", "transition": ""})));
        assert_taken(routed(json!({})));
        assert_refused(
            routed(json!({"retry_ref": "long"})),
            "`states[0].on_errors[0].retry_ref` must name a retry policy of the workflow, `long` is none",
        );
        assert_refused(
            routed(json!({"transition": "c"})),
            "`states[0].on_errors[0].transition` must name a state of the workflow, `c` is none",
        );
        assert_taken(routed(json!({"error": "x".repeat(256)})));
        assert_refused(
            routed(json!({"error": "x".repeat(257)})),
            "`states[0].on_errors[0].error` must be 0 to 256 characters long, not 257",
        );
    }

    #[test]
    fn a_state_has_at_most_200_error_routes() {
        let routed = |count| json!([with(operation("a", "b"), "on_errors", json!(vec![json!({}); count])), end("b")]);
        assert_taken(routed(200));
        assert_refused(routed(201), "`states[0].on_errors` must have 0 to 200 entries, not 201");
    }

    #[test]
    fn every_state_is_reachable_be_it_by_an_error_route() {
        let states =
            |routes: Value| json!([with(operation("a", "b"), "on_errors", routes), end("b"), operation("rescue", "b")]);
        assert_taken(states(json!([{"transition": "rescue"}])));
        assert_refused(states(json!([])), "`states[2]` must be reachable from the start state `a`");
    }

    #[test]
    fn a_workflow_has_no_loops() {
        assert_refused(
            json!([operation("a", "b"), operation("b", "c"), operation("c", "b")]),
            "`states[1]` must not lead back to itself, a workflow has no loops",
        );
        assert_refused(
            json!([with(operation("a", "b"), "on_errors", json!([{"transition": "a"}])), end("b")]),
            "`states[0]` must not lead back to itself, a workflow has no loops",
        );
    }
}
