//! One call of a function: what it is given, what becomes of its result, and how it is repeated.

use serde_json::{Map, Value, json};

use super::machine::{Compiler, States, with_next};
use super::rules::route_rule;
use crate::workflow::flow::{Action, Argument, Document, Invocation, Payload, Route, Source};

/// How long a call may take if the definition does not say: as long as a Lambda function can run.
const DEFAULT_TIMEOUT_SECONDS: u32 = 900;

/// The errors of Lambda and of the way to it, not of the function: AWS advises to repeat such calls. They are not what a
/// definition's `retries` are about.
const NOT_THE_FUNCTION: [&str; 5] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
];

/// The errors that mean that a function took too long: by the Task's measure, and by its own.
const TIMED_OUT: [&str; 2] = ["States.Timeout", "Sandbox.Timedout"];

/// The states that follow a call.
pub(super) struct Exits {
    /// The output is at `$.result.output`. After an asynchronous call there is none.
    pub(super) done: String,
    /// An error that this route is meant for is there. One for each route of the action.
    pub(super) routes: Vec<String>,
    /// An error that no route is meant for is there. None if there are no routes and the Task itself may fail.
    pub(super) failed: Option<String>,
}

/// What is done before a function can be called, in this order.
enum Step<'a> {
    /// Makes room for what the others note down: fallbacks, and the numbers of repetitions.
    Prepare,
    /// Fetches the input of the execution, where fallbacks depend on it.
    Start,
    /// Replaces a fallback by what is there.
    Look(usize, &'a Source),
    /// Builds a document of that name: the parts of the payload, or the event with it.
    Build(&'static str, Map<String, Value>),
}

impl Compiler<'_> {
    /// Writes the states of a call, the first of them under the name `entry` and the others named after `base`.
    /// Returns the name of the Task.
    pub(super) fn call(
        &mut self,
        states: &mut States,
        entry: String,
        base: &str,
        action: &Action,
        exits: &Exits,
    ) -> String {
        let mut fallbacks = Vec::new();
        let mut event = Map::new();
        let mut steps = Vec::new();
        match &action.payload {
            Payload::Arguments(argument) => write(&mut event, "Payload", argument, &mut fallbacks),
            Payload::Filtered(path) => {
                event.insert("Payload.$".to_owned(), path.under("$.input").into());
            }
            Payload::FilteredWith(path, argument) => {
                let mut parts = Map::from_iter([("payload.$".to_owned(), path.under("$.input").into())]);
                write(&mut parts, "members", argument, &mut fallbacks);
                steps.push(Step::Build("parts", parts));
                let payload = "States.JsonMerge($.call.parts.payload, $.call.parts.members, false)";
                event.insert("Payload.$".to_owned(), payload.into());
            }
        }
        if exits.failed.is_some() && may_fail(&action.payload) {
            steps.push(Step::Build("event", event));
            event = Map::from_iter([("Payload.$".to_owned(), "$.call.event.Payload".into())]);
        }
        let mut parameters = event;
        parameters.insert("FunctionName".to_owned(), self.function_name(base, &action.function).into());
        if action.invocation == Invocation::Asynchronous {
            parameters.insert("InvocationType".to_owned(), "Event".into());
        }

        let looks = fallbacks.iter().enumerate().map(|(index, (source, _))| Step::Look(index, source));
        let mut steps: Vec<Step<'_>> = looks.chain(steps).collect();
        if fallbacks.iter().any(|(source, _)| source.document == Document::Start) {
            steps.insert(0, Step::Start);
        }
        if !fallbacks.is_empty() || action.routes.iter().any(|route| route.retry.is_some()) {
            steps.insert(0, Step::Prepare);
        }

        let mut name = entry;
        for (index, step) in steps.iter().enumerate() {
            let role = match steps.get(index + 1) {
                Some(Step::Prepare) => "prepare".to_owned(),
                Some(Step::Start) => "start".to_owned(),
                Some(Step::Look(number, _)) => format!("look-{number}"),
                Some(Step::Build(document, _)) => (*document).to_owned(),
                None => "call".to_owned(),
            };
            let following = self.names.helper(base, &role);
            let pass = |fields: Value| with_next(fields, &following);
            let state = match step {
                Step::Prepare => pass(json!({
                    "Type": "Pass", "Result": prepared(&fallbacks, &action.routes), "ResultPath": "$.call",
                })),
                Step::Start => {
                    pass(json!({"Type": "Pass", "InputPath": "$$.Execution.Input.input", "ResultPath": "$.call.start"}))
                }
                Step::Look(number, source) => self.look(states, base, *number, source, &following),
                Step::Build(document, members) => {
                    let place = format!("$.call.{document}");
                    pass(json!({"Type": "Pass", "Parameters": members, "ResultPath": place}))
                }
            };
            states.insert(name, state);
            name = following;
        }
        self.task(states, &name, base, action, parameters, exits);
        name
    }

    /// A Choice state that goes on to `next` unless there is something to replace the fallback by.
    fn look(&mut self, states: &mut States, base: &str, number: usize, source: &Source, next: &str) -> Value {
        let given = self.names.helper(base, &format!("given-{number}"));
        let place = match source.document {
            Document::Input => source.path.under("$.input"),
            Document::Start => source.path.under("$.call.start"),
        };
        let pass = json!({"Type": "Pass", "InputPath": place, "ResultPath": format!("$.call.given.a{number}")});
        states.insert(given.clone(), with_next(pass, next));
        json!({"Type": "Choice", "Choices": [{"Variable": place, "IsPresent": true, "Next": given}], "Default": next})
    }

    /// The Task itself, and what is done with its result.
    fn task(
        &mut self,
        states: &mut States,
        name: &str,
        base: &str,
        action: &Action,
        parameters: Map<String, Value>,
        exits: &Exits,
    ) {
        let mut task = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": parameters,
            "TimeoutSeconds": action.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
            "Retry": [{
                "ErrorEquals": NOT_THE_FUNCTION,
                "IntervalSeconds": 1,
                "MaxAttempts": 3,
                "BackoffRate": 2,
                "JitterStrategy": "FULL",
            }],
        });
        if action.invocation == Invocation::Asynchronous {
            // What Lambda answers to an event says nothing.
            task["ResultPath"] = Value::Null;
            states.insert(name.to_owned(), with_next(task, &exits.done));
            return;
        }
        task["ResultSelector"] = json!({"output.$": "$.Payload"});
        task["ResultPath"] = "$.result".into();
        let Some(failed) = &exits.failed else {
            states.insert(name.to_owned(), with_next(task, &exits.done));
            return;
        };

        let [result, error, timeout] = ["result", "error", "timeout"].map(|role| self.names.helper(base, role));
        task["ResultSelector"]["thrown"] = false.into();
        task["Catch"] = json!([
            {"ErrorEquals": TIMED_OUT, "ResultPath": "$.error", "Next": timeout},
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": error},
        ]);
        states.insert(name.to_owned(), with_next(task, &result));
        self.describe_error(states, base, error, timeout, &result);

        let mut choices = Vec::new();
        for (number, (route, exit)) in action.routes.iter().zip(&exits.routes).enumerate() {
            let to = self.repeat(states, base, name, number, route, exit);
            choices.push(with_next(route_rule(&route.condition), &to));
        }
        choices.push(with_next(json!({"Variable": "$.result.thrown", "BooleanEquals": true}), failed));
        states.insert(result, json!({"Type": "Choice", "Choices": choices, "Default": exits.done}));
    }

    /// The states that make a document of what was caught, so that the same conditions can look at what a function throws
    /// and at what it returns. The module `compiler` says what is in it.
    fn describe_error(&mut self, states: &mut States, base: &str, error: String, timeout: String, result: &str) {
        let [cause, parse] = ["cause", "parse"].map(|role| self.names.helper(base, role));
        let described = |output: Value| json!({"Type": "Pass", "Parameters": output, "ResultPath": "$.result"});
        states.insert(
            timeout,
            with_next(
                described(json!({
                    "thrown": true,
                    "output": {
                        "errorCode": 408,
                        "errorType.$": "$.error.Error",
                        "errorMessage": "the function did not answer in time",
                    },
                })),
                result,
            ),
        );
        states.insert(
            error,
            with_next(
                described(json!({
                    "thrown": true,
                    "output": {"errorCode": 500, "errorType.$": "$.error.Error", "errorMessage.$": "$.error.Cause"},
                })),
                &cause,
            ),
        );
        states.insert(
            cause,
            json!({
                "Type": "Choice",
                "Choices": [{"Variable": "$.error.Cause", "StringMatches": "{*}", "Next": parse}],
                "Default": result,
            }),
        );
        let merged = "States.JsonMerge($.result.output, States.StringToJson($.error.Cause), false)";
        states.insert(parse, with_next(described(json!({"thrown": true, "output.$": merged})), result));
    }

    /// The states that repeat a call while the route's policy allows it; returns the first. It may be `exit` itself.
    fn repeat(
        &mut self,
        states: &mut States,
        base: &str,
        task: &str,
        number: usize,
        route: &Route,
        exit: &str,
    ) -> String {
        let Some(retry) = route.retry.filter(|retry| retry.max_attempts > 0) else { return exit.to_owned() };
        let [ask, count] = ["retry", "count"].map(|role| self.names.helper(base, &format!("{role}-{number}")));
        let counter = format!("$.call.tries.r{number}");
        let made = format!("{counter}.made");
        states.insert(
            ask.clone(),
            json!({
                "Type": "Choice",
                "Choices": [{"Variable": made, "NumericLessThan": retry.max_attempts, "Next": count}],
                "Default": exit,
            }),
        );
        let one_more = format!("States.MathAdd({made}, 1)");
        let counted = json!({"Type": "Pass", "Parameters": {"made.$": one_more}, "ResultPath": counter});
        if retry.delay_seconds == 0 {
            states.insert(count, with_next(counted, task));
        } else {
            let wait = self.names.helper(base, &format!("wait-{number}"));
            states.insert(count, with_next(counted, &wait));
            states.insert(wait, with_next(json!({"Type": "Wait", "Seconds": retry.delay_seconds}), task));
        }
        ask
    }
}

/// Whether a path of the payload may lead nowhere. That fails the execution, and no error route is to see it; but some
/// interpreters let a Task catch it. So the payload of a Task that catches is built before.
fn may_fail(payload: &Payload) -> bool {
    fn argument_may_fail(argument: &Argument) -> bool {
        match argument {
            Argument::Constant(_) | Argument::FoundOr(..) => false,
            Argument::Found(source) => !source.path.is_root(),
            Argument::Object(members) => members.values().any(argument_may_fail),
        }
    }
    match payload {
        Payload::Arguments(argument) => argument_may_fail(argument),
        Payload::Filtered(path) => !path.is_root(),
        Payload::FilteredWith(..) => true,
    }
}

/// What is noted down before a call: each fallback, and for each policy how many repetitions were made.
fn prepared(fallbacks: &[(&Source, &Value)], routes: &[Route]) -> Value {
    let given = fallbacks.iter().enumerate().map(|(number, (_, value))| (format!("a{number}"), (*value).clone()));
    let retried = routes.iter().enumerate().filter(|(_, route)| route.retry.is_some());
    let tries = retried.map(|(number, _)| (format!("r{number}"), json!({"made": 0})));
    json!({"given": given.collect::<Map<String, Value>>(), "tries": tries.collect::<Map<String, Value>>()})
}

/// Writes an argument as a member of a payload template, and notes down where its fallbacks are needed.
fn write<'a>(
    members: &mut Map<String, Value>,
    name: &str,
    argument: &'a Argument,
    fallbacks: &mut Vec<(&'a Source, &'a Value)>,
) {
    let place = match argument {
        Argument::Constant(value) => {
            members.insert(name.to_owned(), value.clone());
            return;
        }
        Argument::Object(parts) => {
            let mut inner = Map::new();
            for (name, part) in parts {
                write(&mut inner, name, part, fallbacks);
            }
            members.insert(name.to_owned(), Value::Object(inner));
            return;
        }
        Argument::Found(source) => match source.document {
            Document::Input => source.path.under("$.input"),
            Document::Start => source.path.under("$$.Execution.Input.input"),
        },
        Argument::FoundOr(source, value) => {
            let fallback = (source, value);
            let known = fallbacks.iter().position(|known| *known == fallback);
            let number = known.unwrap_or_else(|| {
                fallbacks.push(fallback);
                fallbacks.len() - 1
            });
            format!("$.call.given.a{number}")
        }
    };
    members.insert(format!("{name}.$"), place.into());
}
