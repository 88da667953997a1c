//! What became of the nodes of a flow, told from what happened to the states of its machine.
//!
//! The rules are those of the module [`super::compiler`]: a node is entered by the state that has its id as name, its input is
//! `$.input` there, and its output is `$.input` where the next node is entered, or the execution's output.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::compiler::{NODE_FAILED, Places, places};
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
        } else if self.run().is_some_and(|run| run.attempt != event.attempt)
            && let Some(state) = self.present.and_then(|index| self.states.get(self.nodes[index].id.as_str()).copied())
        {
            // A retried execution goes on in the middle of the node in which it ended.
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
                self.end(ending.status, ending.at, output, ending.failure.as_ref().map(error_document));
            }
            _ if self.attempt != execution.attempt => {
                self.end(Status::Failed, last.unwrap_or(execution.updated_at), None, None);
            }
            _ => {}
        }
    }

    fn run(&self) -> Option<&Run> {
        self.nodes[self.present?].runs.last()
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
