//! The v2 form: the vendor's `states` list, state by state and as a graph.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::argument::argument;
use super::graph::Graph;
use super::{
    Action, ActionOrder, Condition, Expression, Flow, Function, Invocation, Kind, Next, Operation, Path, Payload,
    Retry, Route, State,
};
use crate::workflow::definition::Mode;
use crate::workflow::members::{Field, Object, distinct_texts, quoted};

/// What states may refer to besides each other. A function or policy that broke a rule of its own is here without its
/// meaning, so that it can still be referred to and one mistake is not reported twice.
pub(in crate::workflow) struct References<'a> {
    /// The workflow's functions by name.
    pub(in crate::workflow) functions: HashMap<&'a str, Option<Function>>,
    /// The workflow's retry policies by name.
    pub(in crate::workflow) retries: HashMap<&'a str, Option<Retry>>,
    /// The workflow's constants: an object.
    pub(in crate::workflow) constants: &'a Value,
}

/// What the `type` of a state may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Operation,
    Sleep,
    End,
}

/// Reads every state, and the graph that they make up from `start` on. `None` only after noting a problem.
pub(in crate::workflow) fn read_flow<'a>(
    mode: Mode,
    states: &Field<'a>,
    start: Option<&Field<'a>>,
    references: &References<'a>,
) -> Option<Flow> {
    let fields = states.entries(1..=100).unwrap_or_default();
    let objects: Vec<Object<'a>> = fields.iter().filter_map(Field::object).collect();
    let ids: Vec<Field<'a>> = objects.iter().filter_map(|state| state.required("id")).collect();
    for id in &ids {
        id.text(0..=64);
    }
    let existing = distinct_texts(&ids);

    let states: Vec<Option<State>> = objects.iter().map(|state| read_state(state, &existing, references)).collect();
    let start_id = start?.value().as_str()?;
    start?.names("a state", start_id, &existing);

    // A missing or doubled id, or a name that is no state's, has been noted; what follows from it is not worth saying.
    let each_has_its_id = existing.len() == fields.len();
    let states = states.into_iter().collect::<Option<Vec<State>>>()?;
    let names_states = |id: &str| existing.contains(id);
    if !each_has_its_id || !states.iter().flat_map(State::successors).chain([start_id]).all(names_states) {
        return None;
    }
    check_graph(&fields, &states, start_id);
    Some(Flow { mode, start: start_id.to_owned(), states })
}

/// Checks that every state can be reached from the first, and that none can be reached from itself: the vendor wants a
/// directed acyclic graph. Then every way ends, because a state that is not the end has a successor.
fn check_graph(fields: &[Field<'_>], states: &[State], start: &str) {
    let graph = Graph::of(states);
    let reached = graph.reachable(start);
    for (field, state) in fields.iter().zip(states) {
        if !reached.contains(state.id.as_str()) {
            field.breaks(format!("must be reachable from the start state {}", quoted(start)));
        }
    }
    // The other states of the same circle would only repeat it.
    if let Some((field, _)) = fields.iter().zip(states).find(|(_, state)| graph.circles(&state.id)) {
        field.breaks("must not lead back to itself, a workflow has no loops");
    }
}

fn read_state(state: &Object<'_>, existing: &HashSet<&str>, references: &References<'_>) -> Option<State> {
    if let Some(name) = state.required("name") {
        name.name(1..=256);
    }
    let types = [("Operation", Type::Operation), ("Sleep", Type::Sleep), ("End", Type::End)];
    let kind = state.required("type").and_then(|kind| kind.choice(&types));
    // The vendor's own sample has an End state with an empty mode.
    let modes = [("sequential", ActionOrder::Sequential), ("parallel", ActionOrder::Parallel)];
    let order = state.optional("action_mode").filter(|mode| mode.value() != "").map(|mode| mode.choice(&modes));
    let routes = read_routes(state, existing, references);
    let actions = read_actions(state, kind, references, &routes.unwrap_or_default());
    // The vendor ignores the duration of any other state.
    let seconds = match kind {
        Some(Type::Sleep) => state.required("duration").and_then(|seconds| seconds.number(0.001..=86_400.0)),
        _ => None,
    };
    let filter = state.optional("state_data_filter").and_then(|filter| filter.object());
    let [input, output] = ["input", "output"].map(|name| filter.as_ref().and_then(|filter| read_filter(filter, name)));
    let next = read_transition(state, kind, existing);

    let kind = match kind? {
        Type::Operation => {
            let order = order.unwrap_or(Some(ActionOrder::Sequential))?;
            Kind::Operation(Operation { order, actions: actions?, next: next? })
        }
        Type::Sleep => Kind::Delay(whole_seconds(seconds?), next?),
        Type::End => next.is_some_and(|next| next.is_none()).then_some(Kind::End)?,
    };
    let text = |member| Some(state.optional(member)?.value().as_str()?.to_owned());
    Some(State { id: text("id")?, name: text("name")?, input, output, kind })
}

/// Rounded up, because Step Functions waits whole seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0.001 and 86,400")]
fn whole_seconds(seconds: f64) -> u32 {
    seconds.ceil() as u32
}

/// An empty filter is none, as in the vendor's sample.
fn read_filter(filter: &Object<'_>, name: &str) -> Option<Path> {
    let field = filter.optional(name)?;
    let text = field.text(0..=256).filter(|text| !text.is_empty())?;
    Path::parse(text).map_err(|error| field.breaks(error.to_string())).ok()
}

fn read_actions(
    state: &Object<'_>,
    kind: Option<Type>,
    references: &References<'_>,
    routes: &[Route],
) -> Option<Vec<Action>> {
    // The vendor's own sample has an End state without actions, which the schema's 1..10 does not allow.
    let fewest = if kind == Some(Type::Operation) { 1 } else { 0 };
    let actions = state.required("actions")?.entries(fewest..=10)?;
    // Every action is read before the first that failed is given up on.
    let actions: Vec<Option<Action>> = actions.iter().map(|action| read_action(action, references, routes)).collect();
    actions.into_iter().collect()
}

fn read_action(action: &Field<'_>, references: &References<'_>, routes: &[Route]) -> Option<Action> {
    let action = action.object()?;
    // The schema has `invoke_mode` in the function's reference, the vendor's samples beside it.
    check_invoke_mode(&action);
    let function = action.required("function_ref")?.object()?;
    check_invoke_mode(&function);
    let arguments = function.required("arguments").and_then(|arguments| {
        arguments.object()?;
        argument(&arguments, references.constants)
    });
    let reference = function.required("ref_name")?;
    let name = reference.text(0..=256)?;
    let Some(called) = references.functions.get(name) else {
        reference.breaks(format!("must name a function of the workflow, {} is none", quoted(name)));
        return None;
    };
    Some(Action {
        function: called.clone()?,
        payload: Payload::Arguments(arguments?),
        invocation: Invocation::Synchronous,
        timeout_seconds: None,
        routes: routes.to_vec(),
    })
}

fn check_invoke_mode(object: &Object<'_>) {
    if let Some(mode) = object.optional("invoke_mode") {
        mode.choice(&[("synchronize", ())]);
    }
}

fn read_routes(state: &Object<'_>, existing: &HashSet<&str>, references: &References<'_>) -> Option<Vec<Route>> {
    let routes = state.optional("on_errors")?.entries(0..=200)?;
    let routes: Vec<Option<Route>> = routes.iter().map(|route| read_route(route, existing, references)).collect();
    routes.into_iter().collect()
}

/// An empty text is none in each member, as in the schema's other optional texts.
fn read_route(route: &Field<'_>, existing: &HashSet<&str>, references: &References<'_>) -> Option<Route> {
    let route = route.object()?;
    let given = |name: &str| {
        let field = route.optional(name)?;
        let text = field.text(0..=256).filter(|text| !text.is_empty())?;
        Some((field, text))
    };
    let condition = match given("error") {
        Some((field, text)) => {
            Expression::parse(text).map(Condition::ResultIf).map_err(|error| field.breaks(error.to_string())).ok()
        }
        None => Some(Condition::Thrown),
    };
    let retry = given("retry_ref").and_then(|(field, name)| {
        let policy = references.retries.get(name);
        if policy.is_none() {
            field.breaks(format!("must name a retry policy of the workflow, {} is none", quoted(name)));
        }
        *policy?
    });
    let to = given("transition").map(|(field, id)| {
        field.names("a state", id, existing);
        id.to_owned()
    });
    Some(Route { condition: condition?, retry, to })
}

fn read_transition(state: &Object<'_>, kind: Option<Type>, existing: &HashSet<&str>) -> Option<Next> {
    let end = state.required("end");
    let is_end = end.as_ref().and_then(Field::boolean);
    if let Some(end) = end
        && kind == Some(Type::End)
        && is_end == Some(false)
    {
        end.breaks("must be true for a state of type `End`");
    }
    let transition = state.required("transition")?;
    let id = transition.text(0..=256)?;
    match (is_end?, id.is_empty()) {
        (true, true) => Some(None),
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
            Some(Some(id.to_owned()))
        }
    }
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
        let function = Function::parse("urn:fss:local-1:p:function:default:work:latest").expect("a URN");
        let references = References {
            functions: HashMap::from([("work", Some(function))]),
            retries: HashMap::from([("short", Some(Retry { delay_seconds: 1, max_attempts: 3 }))]),
            constants: &json!({}),
        };
        let states = object.required("states").expect("given");
        let flow = read_flow(Mode::Normal, &states, object.required("start").as_ref(), &references);
        let found = found.into_inner();
        assert!(flow.is_some() || !found.is_empty(), "what cannot be read is reported");
        found.iter().map(ToString::to_string).collect()
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
        let long = |length: usize| format!("$.{} == 1", "x".repeat(length - 7));
        assert_taken(routed(json!({"error": long(256)})));
        assert_refused(
            routed(json!({"error": long(257)})),
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
