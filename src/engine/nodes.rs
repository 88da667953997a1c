//! What became of the nodes of a flow, told from what happened to the states of its machine.
//!
//! The rules are those of the module [`super::compiler`]: a node is entered by the state that has its id as name, its input is
//! `$.input` there, and its output is `$.input` where the next node is entered, or the execution's output.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::compiler::{NODE_FAILED, Places, places};
use super::history::is_cut;
use crate::clock::Timestamp;
use crate::execution::{Execution, Failure, StateEvent, StateEventKind, Status};
use crate::json;
use crate::workflow::flow::{Action, Flow, Function, Invocation, Kind, State};

/// A node of a flow that was entered at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its id in the flow.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Each time it was entered, in order.
    pub runs: Vec<Run>,
}

/// One run of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The attempt of the execution that it belongs to.
    pub attempt: u32,
    /// Where it stands: running, or one of the final statuses.
    pub status: Status,
    /// What it was given.
    pub input: Value,
    /// What it put out, if it succeeded.
    pub output: Option<Value>,
    /// Why it did not succeed, where that is known: an object.
    pub error: Option<Value>,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// The calls of functions it made, in order; a repeated call is another one.
    pub calls: Vec<Call>,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which of the node's actions it was, from 0.
    pub action: usize,
    /// The name of the function, or its address.
    pub function: String,
    /// Where it stands, as for a run.
    pub status: Status,
    /// The input of the node at that point, which the event that the function got was made of.
    pub input: Value,
    /// What the function returned, if it was waited for.
    pub output: Option<Value>,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
}

/// Tells the nodes of an execution's flow, in the order in which they were first entered. `events` are all attempts' in their
/// order, or the beginning of them.
pub fn nodes(flow: &Flow, execution: &Execution, events: &[StateEvent]) -> Vec<Node> {
    let mut telling = Telling {
        states: flow.states().iter().map(|state| (state.id.as_str(), state)).collect(),
        places: places(flow),
        nodes: Vec::new(),
        present: None,
        attempt: 0,
    };
    let mut last = None;
    for event in events {
        if event.attempt != telling.attempt {
            // How an attempt ended is forgotten when the next one begins; that it did not succeed is certain.
            telling.end(Status::Failed, last.unwrap_or(event.at), None, None);
            telling.attempt = event.attempt;
        }
        match &event.kind {
            StateEventKind::Entered(document) => telling.entered(event, document.value()),
            StateEventKind::Left(document) => telling.left(event, document.value()),
        }
        last = Some(event.at);
    }
    telling.finish(execution, last);
    telling.nodes
}

struct Telling<'a> {
    states: HashMap<&'a str, &'a State>,
    places: Places,
    nodes: Vec<Node>,
    /// The node that was entered last.
    present: Option<usize>,
    attempt: u32,
}

impl Telling<'_> {
    fn entered(&mut self, event: &StateEvent, document: &Value) {
        if let Some(state) = self.states.get(event.state.as_str()).copied() {
            self.end(Status::Succeeded, event.at, Some(&document["input"]), None);
            self.begin(state, event, document);
        }
        if self.places.failures.get(&event.state) == self.present.map(|index| &self.nodes[index].id) {
            self.end(Status::Failed, event.at, None, Some(described(&document["result"]["output"])));
        }
        if let Some((id, action)) = self.places.calls.get(&event.state)
            && let Some(function) = self.action(id, *action).map(|action| name_of(&action.function))
        {
            let call = Call {
                action: *action,
                function,
                status: Status::Running,
                input: document["input"].clone(),
                output: None,
                begun: event.at,
                ended: None,
            };
            if let Some(run) = self.run_mut() {
                run.calls.push(call);
            }
        }
    }

    fn left(&mut self, event: &StateEvent, document: &Value) {
        let Some((id, action)) = self.places.calls.get(&event.state).cloned() else { return };
        let asynchronous = self.action(&id, action).is_some_and(|action| action.invocation == Invocation::Asynchronous);
        let Some(run) = self.run_mut() else { return };
        let Some(call) = run.calls.iter_mut().rfind(|call| call.action == action && call.ended.is_none()) else {
            return;
        };
        // What was thrown is caught: then the result is still the one before the call, which was none or thrown too.
        let result = &document["result"];
        let thrown = !asynchronous && (result.is_null() || result["thrown"] == true);
        call.ended = Some(event.at);
        call.status = if thrown { Status::Failed } else { Status::Succeeded };
        call.output = if thrown || asynchronous { None } else { Some(result["output"].clone()) };
    }

    fn begin(&mut self, state: &State, event: &StateEvent, document: &Value) {
        let run = Run {
            attempt: event.attempt,
            status: Status::Running,
            input: document["input"].clone(),
            output: None,
            error: None,
            begun: event.at,
            ended: None,
            calls: Vec::new(),
        };
        let index = self.nodes.iter().position(|node| node.id == state.id).unwrap_or_else(|| {
            self.nodes.push(Node { id: state.id.clone(), name: state.name.clone(), runs: Vec::new() });
            self.nodes.len() - 1
        });
        self.nodes[index].runs.push(run);
        self.present = Some(index);
    }

    /// Ends the present run with what is still open of it, unless it has ended.
    fn end(&mut self, status: Status, at: Timestamp, output: Option<&Value>, error: Option<Value>) {
        let Some(run) = self.run_mut().filter(|run| run.ended.is_none()) else { return };
        run.status = status;
        run.ended = Some(at);
        run.output = output.cloned();
        run.error = error;
        for call in run.calls.iter_mut().filter(|call| call.ended.is_none()) {
            call.status = status;
            call.ended = Some(at);
        }
    }

    /// Ends the last run as the execution ended.
    fn finish(&mut self, execution: &Execution, last: Option<Timestamp>) {
        match &execution.ending {
            Some(ending) if self.attempt == execution.attempt => {
                let output = ending.output.as_ref().map(json::JsonText::value);
                let error = ending.failure.as_ref().map(error_document);
                if let Some(run) = self.run_mut().filter(|run| run.error.as_ref().is_some_and(is_cut)) {
                    run.error.clone_from(&error);
                }
                self.end(ending.status, ending.at, output, error);
            }
            _ if self.attempt != execution.attempt => {
                self.end(Status::Failed, last.unwrap_or(execution.updated_at), None, None);
            }
            _ => {}
        }
    }

    fn run_mut(&mut self) -> Option<&mut Run> {
        self.nodes[self.present?].runs.last_mut()
    }

    fn action(&self, id: &str, index: usize) -> Option<&Action> {
        match &self.states.get(id)?.kind {
            Kind::Operation(operation) => operation.actions.get(index),
            Kind::Delay(..) | Kind::Switch(..) | Kind::Noop(_) | Kind::End => None,
        }
    }
}

/// The error document of a failure, in the form that error routes look at.
pub fn error_document(failure: &Failure) -> Value {
    match json::value(&failure.cause) {
        Ok(document) if failure.error == NODE_FAILED => described(&document),
        _ => json!({"errorType": failure.error, "errorMessage": failure.cause}),
    }
}

/// What a function returned or threw, as an object.
fn described(document: &Value) -> Value {
    if document.is_object() { document.clone() } else { json!({"errorMessage": document}) }
}

fn name_of(function: &Function) -> String {
    match function {
        Function::Urn(urn) => urn.name.clone(),
        Function::Url(address) => address.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::execution::{Ending, ExecutionKey, ExecutionName, Fingerprint, Origin};
    use crate::json::JsonText;
    use crate::workflow::MachineId;

    const FLOW: &str = r#"{"states": {
        "probe": {"type": "OPERATION", "start": true, "action-mode": "SEQUENTIAL", "next-state": "pause",
            "actions": [{"action-name": "a", "function": "urn:fss:r:p:probe", "results": [
                {"match": "MatchAny", "retry-interval": 0, "max-retry": 0, "next-state": "sorry"}]}]},
        "pause": {"type": "DELAY", "time-delay": 5, "next-state": "both"},
        "both": {"type": "OPERATION", "action-mode": "PARALLEL", "next-state": "end", "actions": [
            {"action-name": "one", "function": "urn:fss:r:p:one"}, {"action-name": "two", "function": "https://two"}]},
        "sorry": {"type": "NOOP", "next-state": "end"},
        "end": {"type": "END"}}}"#;

    fn flow() -> Flow {
        Flow::parse(FLOW).unwrap_or_else(|error| panic!("{error}"))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn document(value: &Value) -> JsonText {
        JsonText::parse(&value.to_string()).expect("JSON")
    }

    fn entered(millis: i64, state: &str, value: &Value) -> StateEvent {
        let kind = StateEventKind::Entered(document(value));
        StateEvent { at: at(millis), attempt: 1, state: state.to_owned(), kind }
    }

    fn left(millis: i64, state: &str, value: &Value) -> StateEvent {
        let kind = StateEventKind::Left(document(value));
        StateEvent { at: at(millis), attempt: 1, state: state.to_owned(), kind }
    }

    fn execution(attempt: u32, ending: Option<Ending>) -> Execution {
        let input = document(&json!({"n": 1}));
        Execution {
            key: ExecutionKey {
                project_id: "p".into(),
                workflow_id: Uuid::nil(),
                name: ExecutionName::parse("run").expect("a valid name"),
            },
            workflow_name: "flow".into(),
            machine: MachineId::of("{}"),
            region: "r".into(),
            domain_id: "d".into(),
            origin: Origin::Obs,
            is_test: false,
            status: ending.as_ref().map_or(Status::Running, |ending| ending.status),
            attempt,
            fingerprint: Fingerprint::of(Uuid::nil(), &input, None, false, false),
            input,
            headers: None,
            merge_parameters: false,
            create_date: None,
            ending,
            due_at: None,
            tries: 0,
            nonce: Uuid::nil(),
            started_by: "s".into(),
            request_id: "r".into(),
            trace: None,
            started_at: at(0),
            updated_at: at(0),
            expires_at: at(1_000_000),
        }
    }

    fn ending(status: Status, output: Option<Value>, failure: Option<(&str, &str)>) -> Option<Ending> {
        let failure = failure.map(|(error, cause)| Failure { error: error.to_owned(), cause: cause.to_owned() });
        Some(Ending { status, at: at(99), output: output.as_ref().map(document), failure })
    }

    /// Status, input, output, error, begin and end of every run, by the node's id.
    fn told(events: &[StateEvent], execution: &Execution) -> Vec<String> {
        let runs = nodes(&flow(), execution, events).into_iter().flat_map(|node| {
            assert_eq!(node.id, node.name);
            node.runs.into_iter().map(move |run| {
                let text = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
                let Run { attempt, status, input, output, error, begun, ended, .. } = run;
                let (output, error, ended) = (text(output), text(error), ended.map_or(-1, Timestamp::millis));
                format!("{} {attempt} {status:?} {input} {output} {error} {}-{ended}", node.id, begun.millis())
            })
        });
        runs.collect()
    }

    fn succeeding() -> Vec<StateEvent> {
        let (start, probed) = (json!({"input": 1, "merge": false}), json!({"input": 2, "merge": false}));
        let result = json!({"input": 1, "merge": false, "result": {"output": 2, "thrown": false}});
        let calling = json!({"input": 2, "merge": false, "call": {}});
        let one = json!({"input": 2, "result": {"output": "1", "thrown": false}});
        let caught = json!({"input": 2, "error": {"Error": "E", "Cause": "c"}});
        vec![
            entered(1, "flow.begin", &start),
            left(1, "flow.begin", &start),
            entered(2, "probe", &start),
            left(2, "probe", &start),
            entered(3, "probe.call", &start),
            left(5, "probe.call", &result),
            entered(6, "pause", &probed),
            left(11, "pause", &probed),
            entered(12, "both", &probed),
            entered(13, "both.1", &calling),
            entered(13, "both.2", &calling),
            left(14, "both.2", &caught),
            left(15, "both.1", &one),
            left(16, "both", &probed),
            entered(17, "end", &json!({"input": ["1", "x"], "merge": false})),
        ]
    }

    #[test]
    fn a_node_lasts_until_the_next_one_and_its_output_is_the_next_ones_input() {
        let running = told(&succeeding(), &execution(1, None));
        assert_eq!(
            running,
            [
                "probe 1 Succeeded 1 2 - 2-6",
                "pause 1 Succeeded 2 2 - 6-12",
                "both 1 Succeeded 2 [\"1\",\"x\"] - 12-17",
                "end 1 Running [\"1\",\"x\"] - - 17--1",
            ]
        );
        let ended = told(&succeeding(), &execution(1, ending(Status::Succeeded, Some(json!({"a": 1})), None)));
        assert_eq!(ended[3], "end 1 Succeeded [\"1\",\"x\"] {\"a\":1} - 17-99");
        assert_eq!(ended[..3], running[..3]);
    }

    #[test]
    fn the_calls_of_a_node_are_told_with_what_became_of_each() {
        let nodes = nodes(&flow(), &execution(1, None), &succeeding());
        let calls = |index: usize| -> Vec<_> {
            let calls = &nodes[index].runs[0].calls;
            calls.iter().map(|call| (call.function.as_str(), call.status, call.output.clone(), call.ended)).collect()
        };
        assert_eq!(calls(0), [("probe", Status::Succeeded, Some(json!(2)), Some(at(5)))]);
        assert_eq!(
            calls(2),
            [
                ("one", Status::Succeeded, Some(json!("1")), Some(at(15))),
                ("https://two", Status::Failed, None, Some(at(14))),
            ]
        );
    }

    #[test]
    fn a_node_that_is_left_through_an_error_route_has_failed() {
        let error = json!({"input": 1, "result": {"output": {"errorCode": 500}, "thrown": true}});
        let events = [
            entered(2, "probe", &json!({"input": 1})),
            entered(3, "probe.error-0", &error),
            entered(4, "sorry", &json!({"input": {"errorCode": 500}})),
        ];
        assert_eq!(
            told(&events, &execution(1, None)),
            ["probe 1 Failed 1 - {\"errorCode\":500} 2-3", "sorry 1 Running {\"errorCode\":500} - - 4--1"]
        );
    }

    #[test]
    fn the_last_node_ends_as_the_execution_does() {
        let events = [entered(2, "both", &json!({"input": 1}))];
        for (ending, expected) in [
            (ending(Status::Cancelled, None, None), "both 1 Cancelled 1 - - 2-99"),
            (ending(Status::TimedOut, None, None), "both 1 TimedOut 1 - - 2-99"),
            (
                ending(Status::Failed, None, Some((NODE_FAILED, "{\"errorCode\":404}"))),
                "both 1 Failed 1 - {\"errorCode\":404} 2-99",
            ),
            (ending(Status::Failed, None, Some((NODE_FAILED, "7"))), "both 1 Failed 1 - {\"errorMessage\":7} 2-99"),
            (
                ending(Status::Failed, None, Some(("States.Runtime", "{}"))),
                "both 1 Failed 1 - {\"errorMessage\":\"{}\",\"errorType\":\"States.Runtime\"} 2-99",
            ),
        ] {
            assert_eq!(told(&events, &execution(1, ending)), [expected]);
        }
    }

    #[test]
    fn why_the_last_node_failed_is_known_from_the_execution_where_the_history_has_it_no_more() {
        let gone = json!({"flowgate_value_cut": {"bytes": 9, "beginning": ""}});
        let events = [
            entered(2, "both", &json!({"input": gone})),
            entered(3, "both.failed", &json!({"input": gone, "result": {"output": gone, "thrown": true}})),
        ];
        let ending = ending(Status::Failed, None, Some((NODE_FAILED, "{\"errorCode\":404}")));
        let expected = format!("both 1 Failed {gone} - {{\"errorCode\":404}} 2-3");
        assert_eq!(told(&events, &execution(1, ending)), [expected]);
    }

    #[test]
    fn another_attempt_is_another_run_of_the_node() {
        let failed = json!({"input": 1, "result": {"output": 5, "thrown": true}});
        let second = |event: StateEvent| StateEvent { attempt: 2, ..event };
        let mut events = vec![entered(2, "both", &json!({"input": 1})), entered(3, "both.failed", &failed)];
        assert_eq!(told(&events, &execution(2, None)), ["both 1 Failed 1 - {\"errorMessage\":5} 2-3"]);
        events.extend([
            second(entered(7, "flow.begin", &json!({"input": 0, "at": {"node": "both", "input": 1}}))),
            second(entered(8, "both", &json!({"input": 1}))),
        ]);
        let first = "both 1 Failed 1 - {\"errorMessage\":5} 2-3";
        assert_eq!(told(&events, &execution(2, None)), [first, "both 2 Running 1 - - 8--1"]);
        // A node that ended with its attempt ended when that attempt was last heard of.
        events.remove(1);
        assert_eq!(told(&events[..1], &execution(2, None)), ["both 1 Failed 1 - - 2-2"]);
    }

    fn any_event() -> impl Strategy<Value = StateEvent> {
        let states = [
            "probe",
            "probe.call",
            "probe.error-0",
            "probe.failed",
            "pause",
            "both",
            "both.1",
            "both.2",
            "both.failed",
            "sorry",
            "end",
            "flow.begin",
            "nobody",
        ];
        let documents = prop_oneof![
            Just(json!({"input": 1, "result": {"output": 2, "thrown": true}})),
            Just(json!({"input": {}, "result": 3})),
            Just(json!([1])),
            Just(Value::Null),
        ];
        (0_i64..50, 0_u32..4, prop::sample::select(states.to_vec()), documents, any::<bool>()).prop_map(
            |(millis, attempt, state, value, enters)| {
                let event = if enters { entered(millis, state, &value) } else { left(millis, state, &value) };
                StateEvent { attempt, ..event }
            },
        )
    }

    proptest! {
        #[test]
        fn whatever_is_told_each_run_that_is_followed_has_ended(
            events in prop::collection::vec(any_event(), 0..40),
            attempt in 0_u32..4,
            status in prop::option::of(prop::sample::select(vec![Status::Succeeded, Status::Failed, Status::Cancelled])),
        ) {
            let execution = execution(attempt, status.and_then(|status| ending(status, None, None)));
            let nodes = nodes(&flow(), &execution, &events);
            let runs: Vec<&Run> = nodes.iter().flat_map(|node| &node.runs).collect();
            let open = runs.iter().filter(|run| run.ended.is_none()).count();
            prop_assert!(open <= usize::from(status.is_none()), "{open} runs are open");
            let entries = events.iter().filter(|event| {
                matches!(event.kind, StateEventKind::Entered(_)) && flow().states().iter().any(|state| state.id == event.state)
            });
            prop_assert_eq!(runs.len(), entries.count());
        }
    }
}
