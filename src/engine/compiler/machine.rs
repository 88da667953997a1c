//! The states of a flow as the states of a machine.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::call::Exits;
use super::functions::{FunctionNames, NameError};
use super::names::Names;
use super::rules::rule;
use crate::workflow::flow::{Action, ActionOrder, Flow, Function, Invocation, Kind, Next, Operation, State};

/// The name of the error that an execution fails with where no error route helps. Its cause is the error document.
pub const NODE_FAILED: &str = "Flowgate.NodeFailed";

/// What the names of a machine's states say of its flow, beside those of the states that nodes are entered by.
#[derive(Debug, Default)]
pub struct Places {
    /// The Task of each call: the id of its node, and which of the node's actions it is.
    pub calls: HashMap<String, (String, usize)>,
    /// The states in which a node has failed, whether its flow goes on or not: the id of the node. The error document is
    /// `$.result.output` where they are entered.
    pub failures: HashMap<String, String>,
}

/// States by name.
pub(super) type States = Map<String, Value>;

/// Writes the states of one machine.
pub(super) struct Compiler<'a> {
    pub(super) names: Names,
    functions: &'a FunctionNames,
    /// The state that ends executions whose last state is no END; named when one needs it.
    finish: Option<String>,
    /// The addresses that are called.
    pub(super) addresses: BTreeSet<String>,
    pub(super) places: Places,
    /// The names that Lambda does not take, each with the state that calls it.
    pub(super) refused: Vec<(String, NameError)>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(flow: &Flow, functions: &'a FunctionNames) -> Self {
        Self {
            names: Names::keeping(flow.states().iter().map(|state| state.id.as_str())),
            functions,
            finish: None,
            addresses: BTreeSet::new(),
            places: Places::default(),
            refused: Vec::new(),
        }
    }

    /// Writes all states of a flow.
    pub(super) fn states(&mut self, flow: &Flow) -> States {
        let mut states = States::new();
        for state in flow.states() {
            self.state(&mut states, state);
        }
        if let Some(finish) = self.finish.take() {
            states.insert(finish, ending_with("$.input"));
        }
        states
    }

    /// Writes the states that choose where the flow begins, and returns the first: at its start, or where an execution is
    /// tried again at the state it failed in. Redriving a Step Functions execution would not do: it enters the failed state of the
    /// machine again, which mostly is a Fail state, since error routes have looked at the error before.
    pub(super) fn begin(&mut self, states: &mut States, flow: &Flow) -> String {
        let [begin, retry, resume] = ["begin", "retry", "resume"].map(|role| self.names.helper("flow", role));
        let at = json!({"Variable": "$.at", "IsPresent": true, "Next": retry});
        states.insert(begin.clone(), json!({"Type": "Choice", "Choices": [at], "Default": flow.start()}));
        let document = json!({"input.$": "$.at.input", "merge.$": "$.merge", "at.$": "$.at.node"});
        states.insert(retry, with_next(json!({"Type": "Pass", "Parameters": document}), &resume));
        let to_state = |state: &State| json!({"Variable": "$.at", "StringEquals": state.id, "Next": state.id});
        let choices: Vec<Value> = flow.states().iter().map(to_state).collect();
        states.insert(resume, json!({"Type": "Choice", "Choices": choices, "Default": flow.start()}));
        begin
    }

    /// What a Task calls for a function of the state `id`.
    pub(super) fn function_name(&mut self, id: &str, function: &Function) -> String {
        if let Function::Url(address) = function {
            self.addresses.insert(address.clone());
        }
        self.functions.resolve(function).unwrap_or_else(|error| {
            self.refused.push((id.to_owned(), error));
            String::new()
        })
    }

    /// Writes a state of the flow. The state that it is entered by has its id as name.
    fn state(&mut self, states: &mut States, state: &State) {
        let mut entry = state.id.clone();
        if let Some(filter) = &state.input {
            let filtered = self.names.helper(&state.id, "do");
            let document = json!({"input.$": filter.under("$.input"), "merge.$": "$.merge"});
            states.insert(entry, with_next(json!({"Type": "Pass", "Parameters": document}), &filtered));
            entry = filtered;
        }
        match &state.kind {
            Kind::Operation(operation) => self.operation(states, entry, state, operation),
            Kind::Delay(seconds, next) => {
                let next = self.leave(states, state, "out", next);
                states.insert(entry, with_next(json!({"Type": "Wait", "Seconds": seconds}), &next));
            }
            Kind::Noop(next) => {
                let next = self.leave(states, state, "out", next);
                states.insert(entry, with_next(json!({"Type": "Pass"}), &next));
            }
            Kind::Switch(choices, default) => {
                let mut rules = Vec::new();
                for (number, (expression, to)) in choices.iter().enumerate() {
                    let to = self.leave(states, state, &format!("out-{number}"), &Some(to.clone()));
                    rules.push(with_next(rule(expression, "$.input"), &to));
                }
                let default = self.leave(states, state, "out", &Some(default.clone()));
                states.insert(entry, json!({"Type": "Choice", "Choices": rules, "Default": default}));
            }
            Kind::End => {
                let output =
                    state.output.as_ref().map_or_else(|| "$.input".to_owned(), |filter| filter.under("$.input"));
                states.insert(entry, ending_with(&output));
            }
        }
    }

    fn operation(&mut self, states: &mut States, entry: String, state: &State, operation: &Operation) {
        let asynchronous = operation.actions.iter().all(|action| action.invocation == Invocation::Asynchronous);
        let next = self.next(&operation.next);
        let done = if asynchronous {
            self.leave(states, state, "out", &operation.next)
        } else {
            let carry = self.carry(states, &state.id, "done", &next);
            self.filter_result(states, state, carry)
        };
        let errors = self.errors(states, state, operation);
        match operation.order {
            ActionOrder::Sequential => self.sequence(states, entry, state, &operation.actions, done, &errors),
            ActionOrder::Parallel if asynchronous => {
                let mut parallel = self.parallel(state, &operation.actions, &errors);
                parallel["ResultPath"] = Value::Null;
                states.insert(entry, with_next(parallel, &done));
            }
            ActionOrder::Parallel => {
                let mut parallel = self.parallel(state, &operation.actions, &errors);
                // Members instead of entries: interpreters disagree on what a path through an index finds.
                let named =
                    (0..operation.actions.len()).map(|index| (format!("b{}.$", index + 1), format!("$[{index}]")));
                parallel["ResultSelector"] = named.map(|(name, path)| (name, path.into())).collect::<States>().into();
                parallel["ResultPath"] = "$.branches".into();
                let joined = self.join(states, state, &operation.actions, done, &errors);
                states.insert(entry, with_next(parallel, &joined));
            }
        }
    }

    /// Writes the calls of a state, one after the other. All of them are waited for: no dialect has it otherwise.
    fn sequence(
        &mut self,
        states: &mut States,
        entry: String,
        state: &State,
        actions: &[Action],
        done: String,
        errors: &Errors,
    ) {
        let mut entry = entry;
        for (index, action) in actions.iter().enumerate() {
            let base = action_base(&state.id, index, actions.len());
            let following =
                (index + 1 < actions.len()).then(|| self.names.helper(&state.id, &format!("{}", index + 2)));
            let done = match &following {
                Some(following) => self.carry(states, &base, "done", following),
                None => done.clone(),
            };
            let failed = (!action.routes.is_empty()).then(|| errors.failed.clone());
            let exits = Exits { done, routes: errors.exits_of(action), failed };
            let task = self.call(states, entry.clone(), &base, action, &exits);
            self.places.calls.insert(task, (state.id.clone(), index));
            let Some(following) = following else { break };
            entry = following;
        }
    }

    /// The Parallel state that makes the calls of a state at once. Every branch ends by itself, also where its call failed:
    /// then no engine has to decide what becomes of the other calls, and the outcome does not depend on which is faster.
    fn parallel(&mut self, state: &State, actions: &[Action], errors: &Errors) -> Value {
        let mut branches = Vec::new();
        for (index, action) in actions.iter().enumerate() {
            let base = format!("{}.{}", state.id, index + 1);
            let entry = self.names.helper(&state.id, &format!("{}", index + 1));
            let mut states = States::new();
            let done = self.names.helper(&base, "done");
            let end = |states: &mut States, name: String, exit: Option<usize>| {
                let outcome =
                    json!({"output.$": "$.result.output", "exit": exit.map_or(json!(-1), |exit| json!(exit))});
                states.insert(name, json!({"Type": "Pass", "Parameters": outcome, "End": true}));
            };
            let mut exits = Exits { done: done.clone(), routes: Vec::new(), failed: None };
            if action.invocation == Invocation::Asynchronous {
                states.insert(done, json!({"Type": "Pass", "End": true}));
            } else {
                end(&mut states, done, None);
                let failed = self.names.helper(&base, "failed");
                end(&mut states, failed.clone(), Some(errors.index_of(&None)));
                exits.failed = Some(failed);
            }
            for (number, route) in action.routes.iter().enumerate() {
                let name = self.names.helper(&base, &format!("exit-{number}"));
                end(&mut states, name.clone(), Some(errors.index_of(&route.to)));
                exits.routes.push(name);
            }
            let task = self.call(&mut states, entry.clone(), &base, action, &exits);
            self.places.calls.insert(task, (state.id.clone(), index));
            branches.push(json!({"StartAt": entry, "States": states}));
        }
        json!({"Type": "Parallel", "Branches": branches})
    }

    /// Writes the states that look at what the branches came to, and returns the first.
    fn join(
        &mut self,
        states: &mut States,
        state: &State,
        actions: &[Action],
        done: String,
        errors: &Errors,
    ) -> String {
        let join = self.names.helper(&state.id, "join");
        let outputs: Vec<String> =
            (0..actions.len()).map(|index| format!("$.branches.b{}.output", index + 1)).collect();
        let outputs = json!({"output.$": format!("States.Array({})", outputs.join(", "))});
        let joined = json!({"Type": "Pass", "Parameters": outputs, "ResultPath": "$.result"});
        states.insert(join.clone(), with_next(joined, &done));
        let [branches, exit] = ["branches", "exit"].map(|role| self.names.helper(&state.id, role));
        let mut failed = Vec::new();
        for index in 0..actions.len() {
            let take = self.names.helper(&state.id, &format!("take-{}", index + 1));
            let branch = format!("$.branches.b{}", index + 1);
            let taken = json!({"Type": "Pass", "InputPath": branch, "ResultPath": "$.result"});
            states.insert(take.clone(), with_next(taken, &exit));
            let rule = json!({"Variable": format!("{branch}.exit"), "NumericGreaterThanEquals": 0});
            failed.push(with_next(rule, &take));
        }
        states.insert(branches.clone(), json!({"Type": "Choice", "Choices": failed, "Default": join}));
        let to_exit = errors
            .exits
            .iter()
            .enumerate()
            .map(|(number, (_, to))| with_next(json!({"Variable": "$.result.exit", "NumericEquals": number}), to));
        let to_exit: Vec<Value> = to_exit.collect();
        states.insert(exit, json!({"Type": "Choice", "Choices": to_exit, "Default": errors.failed}));
        branches
    }

    /// Writes the states that error routes lead to: each way on to another state once, and the failure.
    fn errors(&mut self, states: &mut States, state: &State, operation: &Operation) -> Errors {
        let failed = self.names.helper(&state.id, "failed");
        let mut errors = Errors { exits: Vec::new(), failed: failed.clone() };
        let synchronous = operation.actions.iter().any(|action| action.invocation == Invocation::Synchronous);
        let mut routes = operation.actions.iter().flat_map(|action| &action.routes).peekable();
        if routes.peek().is_none() && !(operation.order == ActionOrder::Parallel && synchronous) {
            return errors;
        }
        let cause = "States.JsonToString($.result.output)";
        states.insert(failed.clone(), json!({"Type": "Fail", "Error": NODE_FAILED, "CausePath": cause}));
        self.places.failures.insert(failed.clone(), state.id.clone());
        for route in routes {
            if errors.exits.iter().any(|(to, _)| *to == route.to) {
                continue;
            }
            let exit = match &route.to {
                Some(to) => {
                    let label = format!("error-{}", errors.exits.len());
                    let exit = self.carry(states, &state.id, &label, to);
                    self.places.failures.insert(exit.clone(), state.id.clone());
                    exit
                }
                None => failed.clone(),
            };
            errors.exits.push((route.to.clone(), exit));
        }
        if !errors.exits.iter().any(|(to, _)| to.is_none()) {
            errors.exits.push((None, failed));
        }
        errors
    }

    /// Writes the output filter of a state that has a result, and returns the state that the result goes to.
    fn filter_result(&mut self, states: &mut States, state: &State, next: String) -> String {
        let Some(filter) = &state.output else { return next };
        let name = self.names.helper(&state.id, "filter");
        let document = json!({"output.$": filter.under("$.result.output")});
        let pass = json!({"Type": "Pass", "Parameters": document, "ResultPath": "$.result"});
        states.insert(name.clone(), with_next(pass, &next));
        name
    }

    /// Writes the states that make the output the input of the state `next`, and returns the first: it replaces what was
    /// there, or is merged over it if the start says so and both are objects.
    fn carry(&mut self, states: &mut States, base: &str, label: &str, next: &str) -> String {
        let first = self.names.helper(base, label);
        let [texts, compare, merge, replace] =
            ["texts", "objects", "merge", "replace"].map(|role| self.names.helper(base, &format!("{label}-{role}")));
        states.insert(
            first.clone(),
            json!({
                "Type": "Choice",
                "Choices": [{"Variable": "$.merge", "BooleanEquals": true, "Next": texts}],
                "Default": replace,
            }),
        );
        // Nothing but its text tells an object from an array.
        let written = json!({
            "input.$": "States.JsonToString($.input)", "output.$": "States.JsonToString($.result.output)",
        });
        let pass = json!({"Type": "Pass", "Parameters": written, "ResultPath": "$.texts"});
        states.insert(texts, with_next(pass, &compare));
        states.insert(
            compare,
            json!({
                "Type": "Choice",
                "Choices": [{
                    "And": [
                        {"Variable": "$.texts.input", "StringMatches": "{*"},
                        {"Variable": "$.texts.output", "StringMatches": "{*"},
                    ],
                    "Next": merge,
                }],
                "Default": replace,
            }),
        );
        let become_input = |input: &str| {
            let document = json!({"input.$": input, "merge.$": "$.merge"});
            with_next(json!({"Type": "Pass", "Parameters": document}), next)
        };
        states.insert(merge, become_input("States.JsonMerge($.input, $.result.output, false)"));
        states.insert(replace, become_input("$.result.output"));
        first
    }

    /// The state that follows one whose output is its input, the output filter in between.
    fn leave(&mut self, states: &mut States, state: &State, role: &str, next: &Next) -> String {
        let next = self.next(next);
        let Some(filter) = &state.output else { return next };
        let name = self.names.helper(&state.id, role);
        let document = json!({"input.$": filter.under("$.input"), "merge.$": "$.merge"});
        states.insert(name.clone(), with_next(json!({"Type": "Pass", "Parameters": document}), &next));
        name
    }

    fn next(&mut self, next: &Next) -> String {
        match next {
            Some(id) => id.clone(),
            None => self.finish.get_or_insert_with(|| self.names.helper("flow", "end")).clone(),
        }
    }
}

/// Where error routes lead.
struct Errors {
    /// Each way that some route has, and the state that goes it.
    exits: Vec<(Next, String)>,
    /// The state in which the execution fails.
    failed: String,
}

impl Errors {
    fn exits_of(&self, action: &Action) -> Vec<String> {
        action.routes.iter().map(|route| self.exits[self.index_of(&route.to)].1.clone()).collect()
    }

    fn index_of(&self, to: &Next) -> usize {
        self.exits
            .iter()
            .position(|(way, _)| way == to)
            .expect("every way of the state's routes was noted, and the failure")
    }
}

/// The state with another one to follow it.
pub(super) fn with_next(mut state: Value, next: &str) -> Value {
    state["Next"] = next.into();
    state
}

/// The state that ends the execution with what is found at a path. A Succeed state could do the same, but cfn-lint takes none
/// with a path.
fn ending_with(path: &str) -> Value {
    json!({"Type": "Pass", "InputPath": path, "End": true})
}

/// What the states of a call are named after: its state, and where that makes several calls its number.
fn action_base(id: &str, index: usize, count: usize) -> String {
    if count == 1 { id.to_owned() } else { format!("{id}.{}", index + 1) }
}
