//! The compiler: a flow as text of the Amazon States Language.
//!
//! The text is deterministic: the same flow and template give the same bytes. Step Functions runs it, and so does any
//! interpreter of the subset below.
//!
//! # What a machine is started with
//!
//! ```json
//! {"input": <any value>, "headers": {<name>: <value>}, "merge": <true or false>, "at": {"node": <id>, "input": <any value>}}
//! ```
//!
//! `input` is what the start gave: v2's `input`, the value in v1's `input` text, and for OBS
//! `{"bucket", "object", "inputs"}`. `headers` are v2's headers, else `{}`; they are part of the record of the execution, and
//! no state of the machine looks at them. `merge` is v2's `X-WorkflowRun-MergeFnParameters`, else false. All three members
//! must be there. `at` is there only where an execution is tried again: it begins with that state of the flow instead of the
//! first, and with that input; `input` stays what the start gave. One machine serves both values of `merge`: the flag comes with each start, and a second machine for every
//! workflow would have to be created, pinned and deleted in step with the first. It costs a Choice state after each call.
//!
//! # How a flow becomes a machine
//!
//! Between the states of the flow the document is `{"input", "merge"}` (of the state that a retry begins with, also its id
//! as `at`), where `input` is what the next state gets; while a
//! state runs, `$.call`, `$.result`, `$.error`, `$.branches` and `$.texts` hold what its parts have to tell each other. **A
//! state of the flow is entered by the state of the machine that has its id as name**, once for each time it is run; the
//! names of its other states are the id, a point and a role, such as `probe.done` (cut to 80 characters with a hash where
//! they would be longer). So the history of an execution can be told in the flow's own words: a node begins where the state
//! of its name is entered, its input is `$.input` there, and its output is `$.input` where the next node begins. The output
//! of the execution is the output of its last state, without an envelope.
//!
//! - **Calls** are Tasks on `arn:aws:states:::lambda:invoke`. `FunctionName` is the URN resolved by [`FunctionNames`], or the
//!   `http(s)` address as it is: [`Machine::addresses`] lists those, and an engine that cannot call them refuses the machine.
//!   What the function returns replaces the input, or with `merge` is merged over it where both are objects, the output
//!   winning. Anything else than two objects is replaced with `merge` too.
//! - **Fallbacks** (`$.x | 'default'`): the defaults are noted down, and a Choice with `IsPresent` for each replaces it by
//!   what is there.
//! - **Sequential actions**: each call's output becomes the next one's input, by the rule above.
//! - **Parallel actions**: a Parallel state; the output is the array of the outputs in the order of the actions. A failing
//!   call does not stop the others: all branches end, then the first in the order of the actions that failed decides the way.
//!   So what is called and what comes of it does not depend on which call is faster.
//! - **Filters** are Pass states, at the entrance and before the exit. A filter that finds nothing fails the execution. With
//!   `merge` the filtered output is merged over the filtered input.
//! - **Waits** are Wait states, **SWITCH** is a Choice state, **NOOP** is a Pass state, the end is a Pass state with `End`.
//! - **EXPRESS** flows end after 300 seconds (`TimeoutSeconds`), as timed out.
//!
//! # Errors
//!
//! The vendor's conditions look at a document: `$.errorCode == 500`. Its pages name two ways for a function to fail, by being
//! executed with an error and by returning an error code, so the document is:
//!
//! - what the function **returned**, as it is. `{"errorCode": 404, ...}`, or any other member that the condition asks for;
//! - for what it **threw** `{"errorCode", "errorType", "errorMessage", ...}`: `errorType` is the name of the error, and the
//!   members of its cause, where that is a JSON object as Lambda's are, are merged over it. So a runtime that can put an
//!   `errorCode` into its error payload decides it; else it is 500, and 408 where the function did not answer in time.
//!
//! Routes are asked in their order. A route with a policy repeats the call (not the other actions of its state), each route
//! counting by itself, then leads on; what follows gets the document as the node's output, unfiltered. What is thrown and matches none, or a route that leads nowhere, fails the
//! execution with the error [`NODE_FAILED`] and the document as cause. What is returned and matches none is a success. A call
//! without routes that is not one of parallel ones fails with the function's own error. A path that finds nothing in an argument or filter
//! (`States.Runtime`) is seen by no route.
//!
//! Repetitions are loops of Choice, Pass and Wait states and not the Task's `Retry`: that knows an error by name only, and
//! never looks at what was returned. `Retry` is there for errors that are Lambda's and not the function's, as AWS advises: three
//! times, after up to 1, 2 and 4 seconds.
//!
//! # The subset
//!
//! What an interpreter must know; `tests/flows.rs` holds the compiler to it. Query language JSONPath; no variables.
//!
//! | | |
//! |---|---|
//! | machine | `Comment`, `QueryLanguage`, `StartAt`, `States`, `TimeoutSeconds` |
//! | Pass | `InputPath` (also `$$.Execution.Input.input`), `Parameters`, `Result`, `ResultPath`, `Next` or `End` |
//! | Choice | `Choices` with `Variable`, `And`, `Or`, `Not` and `Next`; `Default`, always. `And` and `Or` stop at the first part that decides |
//! | operators | `IsPresent`, `IsNull`, `BooleanEquals`, `NumericEquals`, `NumericLessThan`, `NumericLessThanEquals`, `NumericGreaterThan`, `NumericGreaterThanEquals`, `StringEquals`, `StringMatches` (`{*` and `{*}`). On a value of another type they are false |
//! | Wait | `Seconds` (1 to 86400), `Next` |
//! | Task | `Resource` (`arn:aws:states:::lambda:invoke`), `Parameters` (`FunctionName`, `Payload`, `InvocationType` `Event`), `ResultSelector`, `ResultPath` (also null), `TimeoutSeconds`, `Retry`, `Catch`, `Next` |
//! | Retry | one: `ErrorEquals`, `IntervalSeconds`, `MaxAttempts`, `BackoffRate`, `JitterStrategy` `FULL` |
//! | Catch | two: `ErrorEquals`, `ResultPath`, `Next` |
//! | Parallel | `Branches`, `ResultSelector`, `ResultPath` (also null), `Next`. No `Retry`, no `Catch` |
//! | Fail | `Error`, `CausePath` (an intrinsic) |
//! | paths | names in dots or `['...']`, indexes, `[*]`, slices and `[?(...)]` filters; the last three only where the definition has them, and never in a `Variable` or `ResultPath`. Of `$$` only `$$.Execution.Input.input` and paths below it |
//! | templates | members that end in `.$` hold a path or an intrinsic; objects nest; there are none inside arrays |
//! | intrinsics | `States.JsonMerge(a, b, false)`, `States.StringToJson`, `States.JsonToString`, `States.MathAdd(path, 1)`, `States.Array(path, ...)`; nested once (`StringToJson` in `JsonMerge`). Their arguments are paths of plain names in dots |
//! | errors caught | `States.Timeout` and `Sandbox.Timedout`, then `States.ALL`; the caught document has `Error` and `Cause`, both strings. `States.ALL` catches neither `States.Runtime` nor `States.DataLimitExceeded` |
//! | errors retried | `Lambda.ClientExecutionTimeoutException`, `Lambda.ServiceException`, `Lambda.AWSLambdaException`, `Lambda.SdkClientException`, `Lambda.TooManyRequestsException` |
//! | errors raised | [`NODE_FAILED`] |

mod call;
mod functions;
mod machine;
mod names;
mod rules;

use serde_json::{Value, json};

pub use functions::{FunctionNames, NameError, TemplateError};
pub use machine::{NODE_FAILED, Places};

use machine::Compiler;

use crate::workflow::Mode;
use crate::workflow::flow::Flow;

/// The longest definition that Step Functions takes, in bytes.
pub const MAX_BYTES: usize = 1_048_576;

/// How long an EXPRESS execution may take: the vendor says that its flows are for less than five minutes, and Step
/// Functions ends its own after five.
const EXPRESS_TIMEOUT_SECONDS: u32 = 300;

/// A compiled flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    definition: Value,
    addresses: Vec<String>,
}

/// Why a flow cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Functions have no name that Lambda would take: the state and what is wrong, for each.
    #[error("{}", listed(.0))]
    FunctionNames(Vec<(String, NameError)>),
    /// The text is longer than Step Functions takes.
    #[error("the compiled workflow must be at most {MAX_BYTES} bytes long, not {bytes}")]
    TooLarge {
        /// The length of the text, in bytes.
        bytes: usize,
    },
}

/// Compiles a flow.
pub fn compile(flow: &Flow, functions: &FunctionNames) -> Result<Machine, CompileError> {
    let mut compiler = Compiler::new(flow, functions);
    let mut states = compiler.states(flow);
    let begin = compiler.begin(&mut states, flow);
    if !compiler.refused.is_empty() {
        return Err(CompileError::FunctionNames(compiler.refused));
    }
    let mut definition = json!({
        "Comment": "Compiled by flowgate",
        "QueryLanguage": "JSONPath",
        "StartAt": begin,
        "States": states,
    });
    if flow.mode() == Mode::Express {
        definition["TimeoutSeconds"] = EXPRESS_TIMEOUT_SECONDS.into();
    }
    let machine = Machine { definition, addresses: compiler.addresses.into_iter().collect() };
    let bytes = machine.text().len();
    if bytes > MAX_BYTES { Err(CompileError::TooLarge { bytes }) } else { Ok(machine) }
}

/// What the names of the states say that a flow is compiled to.
pub fn places(flow: &Flow) -> Places {
    // No name depends on what functions are called.
    let functions = FunctionNames::default();
    let mut compiler = Compiler::new(flow, &functions);
    compiler.states(flow);
    compiler.places
}

impl Machine {
    /// The text that is run: no white space, members sorted by name.
    pub fn text(&self) -> String {
        self.definition.to_string()
    }

    /// The text as JSON.
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// The `http(s)` addresses that it calls, sorted. Where there are any, Step Functions cannot run it.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }
}

fn listed(refused: &[(String, NameError)]) -> String {
    let lines: Vec<String> = refused.iter().map(|(state, error)| format!("state `{state}`: {error}")).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(text: &str) -> Flow {
        Flow::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_same_flow_gives_the_same_text() {
        let text = include_str!("../../../workflows/order-fanout.json");
        let texts = [(), ()].map(|()| compile(&flow(text), &FunctionNames::default()).expect("compiles").text());
        assert_eq!(texts[0], texts[1]);
        assert!(!texts[0].contains('\n'));
    }

    #[test]
    fn every_function_without_a_name_for_lambda_is_reported_with_its_state() {
        let names = FunctionNames::parse("{project}:{name}").expect("a template");
        let error = compile(
            &flow(
                r#"{"states": {
                    "one": {"type": "OPERATION", "start": true, "action-mode": "SEQUENTIAL", "next-state": "two",
                        "actions": [{"action-name": "a", "function": "urn:fss:r:*:work"}]},
                    "two": {"type": "OPERATION", "action-mode": "SEQUENTIAL", "next-state": "end",
                        "actions": [{"action-name": "a", "function": "urn:fss:r:p:wörk"}]},
                    "end": {"type": "END"}}}"#,
            ),
            &names,
        )
        .expect_err("no names");
        assert_eq!(
            error.to_string(),
            "state `one`: `urn:fss:r:*:function:default:work:latest` resolves to `*:work`, but the name of a Lambda function \
             must be 1 to 170 letters, digits and `-_.:$`; \
             state `two`: `urn:fss:r:p:function:default:wörk:latest` resolves to `p:wörk`, but the name of a Lambda function \
             must be 1 to 170 letters, digits and `-_.:$`"
        );
    }

    #[test]
    fn a_text_that_step_functions_would_not_take_is_refused() {
        // A constant of 30 kB, which each of 40 states has in its arguments.
        let constant = "x".repeat(30_000);
        let state = |index: usize| {
            format!(
                r#"{{"id": "s{index}", "name": "s", "type": "Operation", "end": false, "transition": "s{}", "actions":
                    [{{"function_ref": {{"ref_name": "f", "arguments": {{"c": "$CONST.c"}}}}}}]}}"#,
                index + 1
            )
        };
        let states: Vec<String> = (0..40).map(state).collect();
        let text = format!(
            r#"{{"name": "n", "start": "s0", "constants": {{"c": "{constant}"}}, "retries": [],
                "functions": [{{"name": "f", "operation": "urn:fss:r:p:f"}}], "states": [{},
                {{"id": "s40", "name": "s", "type": "End", "end": true, "transition": "", "actions": []}}]}}"#,
            states.join(",")
        );
        match compile(&flow(&text), &FunctionNames::default()) {
            Err(CompileError::TooLarge { bytes }) => assert!(bytes > MAX_BYTES, "{bytes}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_are_listed_once_each() {
        let machine = compile(
            &flow(
                r#"{"states": {
                    "one": {"type": "OPERATION", "start": true, "action-mode": "SEQUENTIAL", "next-state": "end",
                        "actions": [{"action-name": "a", "function": "https://b"}, {"action-name": "b",
                        "function": "http://a"}, {"action-name": "c", "function": "https://b"}]},
                    "end": {"type": "END"}}}"#,
            ),
            &FunctionNames::default(),
        );
        assert_eq!(machine.expect("compiles").addresses(), ["http://a", "https://b"]);
    }
}
