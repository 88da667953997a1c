use serde_json::json;

use super::*;

fn work() -> Value {
    json!({
        "type": "OPERATION", "start": true, "action-mode": "SEQUENTIAL", "next-state": "end",
        "actions": [{"action-name": "work", "function": "urn:fss:r:p:function:default:work:latest"}],
    })
}

fn v1(states: &Value) -> Value {
    json!({ "states": states })
}

/// A v1 flow of one OPERATION with the value at a JSON pointer of it set.
fn with(pointer: &str, value: Value) -> Value {
    let mut state = work();
    let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
    state.pointer_mut(parent).expect("the parent exists")[member] = value;
    v1(&json!({"work": state, "end": {"type": "END"}}))
}

fn obs(action: &Value) -> Value {
    json!({
        "agency": "a",
        "states": {
            "work": {"type": "OPERATION", "start": true, "actions": [action], "next_state": "end"},
            "end": {"type": "END"},
        },
        "inputs": {"width": {"type": "Integer", "default": 320}, "height": {"type": "Integer"}},
    })
}

fn parse(document: &Value) -> Result<Flow, String> {
    Flow::parse(&document.to_string()).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_taken(document: &Value) -> Flow {
    parse(document).unwrap_or_else(|error| panic!("refused: {error}"))
}

#[track_caller]
fn assert_refused(document: &Value, message: &str) {
    match parse(document) {
        Ok(_) => panic!("taken, expected: {message}"),
        Err(error) => assert_eq!(error, message),
    }
}

fn first_action(flow: &Flow) -> &Action {
    let operation = flow.states().iter().find_map(|state| match &state.kind {
        Kind::Operation(operation) => Some(operation),
        _ => None,
    });
    &operation.expect("an operation").actions[0]
}

#[test]
fn every_class_of_match_is_read() {
    for (class, _) in MATCHES {
        let flow = assert_taken(&with("/actions/0/results", json!([{"match": class, "next-state": "end"}])));
        let route = &first_action(&flow).routes[0];
        assert_eq!(route.retry, Some(Retry { delay_seconds: 1, max_attempts: 3 }), "{class}");
    }
}

#[test]
fn an_operation_is_held_to_the_vendors_rules() {
    for (document, message) in [
        (
            with("/type", json!("MAP")),
            "`states.work.type` must be one of `OPERATION`, `DELAY`, `END`, `SWITCH`, `NOOP`, `EVENT`",
        ),
        (with("/type", json!("EVENT")), "`states.work.type` must not be `EVENT`, events are not served"),
        (with("/actions", json!([])), "`states.work.actions` must have 1 to 10 entries, not 0"),
        (with("/actions", json!([1])), "`states.work.actions[0]` must be an object"),
        (with("/action-mode", json!("BOTH")), "`states.work.action-mode` must be one of `SEQUENTIAL`, `PARALLEL`"),
        (
            with("/actions/0/function", json!("work")),
            "`states.work.actions[0].function` must be a function URN such as \
             `urn:fss:<region>:<project>:function:<package>:<name>:<version>`, or an http(s) URL",
        ),
        (
            with("/actions/0/invocation-mode", json!("LATER")),
            "`states.work.actions[0].invocation-mode` must be one of `SYNC`, `ASYNC`",
        ),
        (
            with("/actions/0/invocation-mode", json!("ASYNC")),
            "`states.work.actions[0].invocation-mode` must be `SYNC`, because the `action-mode` of the state is `SEQUENTIAL`",
        ),
        (
            with("/actions/0/payload-filter", json!("x")),
            "`states.work.actions[0].payload-filter` must be a JSONPath, which begins with `$`",
        ),
        (
            with("/actions/0/timeout", json!(301)),
            "`states.work.actions[0].timeout` must be a whole number from 0 to 300",
        ),
        (
            with("/actions/0/action-name", json!("")),
            "`states.work.actions[0].action-name` must be 1 to 50 characters long, not 0",
        ),
        (
            with("/next-state", json!("none")),
            "`states.work.next-state` must name a state of the workflow, `none` is none",
        ),
        (with("/actions/0/results", json!([null])), "`states.work.actions[0].results[0]` must be an object"),
        (
            with("/actions/0/results", json!([{"match": "Any", "next-state": "end"}])),
            "`states.work.actions[0].results[0].match` must be one of `MatchAny`, `States.ActionFailed`, \
             `States.PermissionError`, `States.ParameterError`, `States.NotFound`, `States.TooManyRequests`, \
             `States.FunctionStageUnavailable`, `States.FunctionStageOtherErrors`",
        ),
        (
            with("/actions/0/results", json!([{"match": "MatchAny", "max-retry": 11, "next-state": "end"}])),
            "`states.work.actions[0].results[0].max-retry` must be a whole number from 0 to 10",
        ),
        (
            with("/actions/0/results", json!([{"match": "MatchAny", "retry-interval": -1, "next-state": "end"}])),
            "`states.work.actions[0].results[0].retry-interval` must be a whole number from 0 to 86400",
        ),
        (
            with("/actions/0/results", json!([{"match": "MatchAny"}])),
            "`states.work.actions[0].results[0].next-state` is missing",
        ),
        (
            with("/dynamic", json!(true)),
            "`states.work` has the unknown member `dynamic`, known are type, start, payload-filter-in, payload-filter-out, \
             action-mode, actions, next-state",
        ),
    ] {
        assert_refused(&document, message);
    }
}

#[test]
fn the_actions_of_a_state_have_different_names_and_the_same_mode() {
    let action =
        |name: &str, mode: &str| json!({"action-name": name, "function": "urn:fss:r:p:f", "invocation-mode": mode});
    let both = |one: Value, other: Value| {
        let mut state = work();
        state["action-mode"] = json!("PARALLEL");
        state["actions"] = json!([one, other]);
        v1(&json!({"work": state, "end": {"type": "END"}}))
    };
    assert_taken(&both(action("a", "ASYNC"), action("b", "ASYNC")));
    assert_refused(
        &both(action("a", "SYNC"), action("a", "SYNC")),
        "`states.work.actions[1].action-name` must be unique, `states.work.actions[0].action-name` is `a` too",
    );
    assert_refused(
        &both(action("a", "SYNC"), action("b", "ASYNC")),
        "`states.work.actions[1]` must have the `invocation-mode` of the other actions of its state",
    );
    let mut with_results = action("a", "ASYNC");
    with_results["results"] = json!([{"match": "MatchAny", "next-state": "end"}]);
    assert_refused(
        &both(with_results, action("b", "ASYNC")),
        "`states.work.actions[0]` must not have `results`, because its `invocation-mode` is `ASYNC`",
    );
}

#[test]
fn a_switch_has_choices_and_a_default() {
    let switch = |choices: Value, default: &str| {
        v1(&json!({
            "which": {"type": "SWITCH", "start": true, "choices": choices, "default": default},
            "end": {"type": "END"},
        }))
    };
    let choice = |path: &str, value: Value| json!([{"path": path, "value": value, "next-state": "end"}]);
    for value in [json!("x"), json!("*"), json!(1.50), json!(true)] {
        assert_taken(&switch(choice("$.a", value), "end"));
    }
    for (document, message) in [
        (switch(json!([]), "end"), "`states.which.choices` must have 1 to 20 entries, not 0"),
        (switch(json!([null]), "end"), "`states.which.choices[0]` must be an object"),
        (
            switch(choice("$.a[*]", json!(1)), "end"),
            "`states.which.choices[0].path` must be a JSONPath of names and indexes only",
        ),
        (
            switch(choice("$.a", json!([])), "end"),
            "`states.which.choices[0].value` must be a string, a number, true or false",
        ),
        (
            switch(choice("$.a", json!(1)), "none"),
            "`states.which.default` must name a state of the workflow, `none` is none",
        ),
        (
            switch(json!([{"path": "$.a", "value": 1, "next-state": "none"}]), "end"),
            "`states.which.choices[0].next-state` must name a state of the workflow, `none` is none",
        ),
    ] {
        assert_refused(&document, message);
    }
}

#[test]
fn a_delay_lasts_from_a_second_to_a_day() {
    let delay = |seconds: Value| {
        v1(&json!({
            "wait": {"type": "DELAY", "start": true, "time-delay": seconds, "next-state": "end"}, "end": {"type": "END"},
        }))
    };
    assert_taken(&delay(json!(1)));
    assert_taken(&delay(json!(86_400)));
    for seconds in [json!(0), json!(86_401), json!(1.5), json!("1")] {
        assert_refused(&delay(seconds), "`states.wait.time-delay` must be a whole number from 1 to 86400");
    }
}

#[test]
fn there_is_one_start_and_one_end_and_every_state_is_between_them() {
    let noop = |next: &str| json!({"type": "NOOP", "next-state": next});
    let start = |next: &str| json!({"type": "NOOP", "start": true, "next-state": next});
    let end = json!({"type": "END"});
    for (states, message) in [
        (json!({}), "`states` must have 1 to 100 states, not 0; `states` must have a state with `start` true"),
        (json!({"a": noop("end"), "end": end}), "`states` must have a state with `start` true"),
        (
            json!({"a": start("b"), "b": start("end"), "end": end}),
            "`states.b` must not have `start` true, `a` has it already",
        ),
        (
            json!({"a": start("end"), "b": noop("end"), "end": end}),
            "`states.b` must be reachable from the start state `a`",
        ),
        (
            json!({"a": start("b"), "b": noop("a")}),
            "`states.a` must lead to a state of type `END`; `states.b` must lead to a state of type `END`",
        ),
        (
            json!({"a": start("end"), "end": end, "fin": end}),
            "`states.fin` must not be of type `END`, `end` is already; `states.fin` must be reachable from the start state `a`",
        ),
        (json!({"a": null, "end": end}), "`states.a` must be an object"),
        (
            json!({"a".repeat(51): start("end"), "end": end}),
            &format!("`states.{}` must have a name of 1 to 50 characters, not 51", "a".repeat(51)),
        ),
    ] {
        assert_refused(&v1(&states), message);
    }
}

#[test]
fn a_circle_that_can_be_left_is_allowed() {
    assert_taken(&v1(&json!({
        "wait": {"type": "DELAY", "start": true, "time-delay": 1, "next-state": "which"},
        "which": {"type": "SWITCH", "choices": [{"path": "$.done", "value": true, "next-state": "end"}], "default": "wait"},
        "end": {"type": "END"},
    })));
}

#[test]
fn events_are_refused_and_unknown_members_of_v1_too() {
    let mut document = with("/type", json!("OPERATION"));
    document["name"] = json!("x");
    assert_refused(&document, "the definition has the unknown member `name`, known are states");
    document["event-defs"] = json!({});
    assert_refused(&document, "`event-defs` must be absent, events are not served");
}

#[test]
fn an_action_of_obs_has_its_own_rules() {
    let action = |more: Value| {
        let mut action = json!({"action_name": "work", "function": "urn:fss:r:p:work"});
        action.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        obs(&action)
    };
    assert_eq!(first_action(&assert_taken(&action(json!({})))).timeout_seconds, Some(30));
    assert_eq!(first_action(&assert_taken(&action(json!({"timeout": 7})))).timeout_seconds, Some(7));
    let terminal = assert_taken(&action(json!({"results": [{"match": "MatchAny", "is_terminal": true}]})));
    assert_eq!(first_action(&terminal).routes[0].to, None);
    for (document, message) in [
        (action(json!({"invocation_mode": "ASYNC"})), "`states.work.actions[0].invocation_mode` must be `SYNC`"),
        (
            action(json!({"results": [{"match": "MatchAny"}]})),
            "`states.work.actions[0].results[0].next_state` is missing",
        ),
        (
            action(json!({"function_template": "urn"})),
            "`states.work.actions[0].function_template` must be absent, function templates are not served: name the \
             function by `function`",
        ),
        (
            action(json!({"dynamic_source": {"a": {"get_input": "inputs"}}})),
            "`states.work.actions[0].dynamic_source.a.get_input` must be a JSONPath, which begins with `$`",
        ),
    ] {
        assert_refused(&document, message);
    }
}

#[test]
fn get_input_falls_back_to_the_default_of_the_parameter() {
    let flow = assert_taken(&obs(&json!({
        "action_name": "work", "function": "urn:fss:r:p:work",
        "dynamic_source": {"w": {"get_input": "$.inputs.width"}, "h": {"get_input": "$.inputs.height"}, "c": [1]},
    })));
    let source = |name: &str| Source {
        document: Document::Start,
        path: Path::parse(&format!("$.inputs.{name}")).expect("a path"),
    };
    let expected = BTreeMap::from([
        ("w".to_owned(), Argument::FoundOr(source("width"), json!(320))),
        ("h".to_owned(), Argument::Found(source("height"))),
        ("c".to_owned(), Argument::Constant(json!([1]))),
    ]);
    let members = BTreeMap::from([("dynamic_source".to_owned(), Argument::Object(expected))]);
    assert_eq!(first_action(&flow).payload, Payload::FilteredWith(Path::root(), Argument::Object(members)));
}

#[test]
fn the_dialects_are_told_apart_by_their_shape() {
    let list = json!({"states": [
        {"state_name": "work", "type": "DELAY", "start": true, "time_delay": 1, "next_state": "end"},
        {"state_name": "end", "type": "END"},
    ]});
    assert_eq!(assert_taken(&list).start(), "work");
    let twice =
        json!({"states": [{"state_name": "end", "type": "END", "start": true}, {"state_name": "end", "type": "END"}]});
    assert_refused(&twice, "`states[1].state_name` must be unique, `states[0].state_name` is `end` too");
    assert_refused(&json!({"states": 1}), &parse(&json!({"states": 1, "x": 1})).expect_err("no definition"));
    assert!(parse(&json!({"states": 1})).expect_err("v2 without its members").starts_with("`name` is missing"));
    let large = v1(&json!({"end": {"type": "END", "start": true, "x": "x".repeat(65_536)}}));
    assert!(parse(&large).expect_err("too large").starts_with("the definition must be at most 65536 bytes"));
}
