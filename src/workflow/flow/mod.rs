//! The flow: what a definition says is to be done, whatever dialect says it.
//!
//! Three dialects become a [`Flow`]: the vendor's v2 `states` list ([`super::Definition`] reads the document around it), the
//! hyphenated map of FunctionGraph v1 and the underscored map of OBS (Data+). A flow that exists is sound: every name in it
//! names something, every state can be reached, every way ends, every path and expression was parsed.
//!
//! # Decisions
//!
//! Where the vendor is silent or contradicts itself. What paths, expressions and arguments mean is decided where they are
//! read: [`Path`], [`Expression`], [`Argument`].
//!
//! | dialect | subject | what holds here |
//! |---|---|---|
//! | v2 | loops | none, as the vendor's orchestration rules say: a directed acyclic graph, error routes included |
//! | v2 | `on_errors`, `actions` and `duration` of a state that has no use for them | ignored; a state that only such a route leads to counts as unreachable |
//! | v2 | `duration` with a fraction | rounded up to whole seconds, which is what Step Functions can wait |
//! | v2 | `operation` | a function URN, also in the short forms of the vendor's samples; or an `http(s)` URL (ours) |
//! | v2 | `on_errors` without `error` | holds for every error that is thrown |
//! | v2 | `on_errors` with `error` | asked about what a function returns, too: `$.errorCode == '*'` holds for a result with any `errorCode`, be it 0 |
//! | v2 | `on_errors` without `transition` | after the repetitions the execution fails |
//! | v1, OBS | circles | allowed: v1 forbids only those through EVENT states (FGS.1074); every state must lead to an END |
//! | v1 | unknown members | refused (FGS.1075) |
//! | v1 | EVENT states and `event-defs` | refused: not served |
//! | v1 | numbers the vendor does not print | at most 100 states, 10 actions of a state, 20 choices; action names up to 50 characters |
//! | v1 | `value` of a choice | a string, number or boolean; the choice is taken if what `path` finds equals it |
//! | v1 | `timeout` 0 or none | as long as the function may run |
//! | v1, OBS | `results` | hold for what is thrown, not for what is returned; the classes of `match` are told apart by `errorCode` and `errorType`, see the table in `map.rs` |
//! | v1, OBS | `retry-interval`, `max-retry` | default 1 second and 3 |
//! | v1 | `ASYNC` | the call is handed over; the state's input is its output |
//! | OBS | states | a map by name, or the list with `state_name` of the create operation; names of 1 to 80 letters, digits, `-`, `_` |
//! | OBS | unknown members | ignored |
//! | OBS | END | one or more (v1: exactly one) |
//! | OBS | `is_terminal` | after the repetitions the execution fails |
//! | OBS | `dynamic_source` | set as member `dynamic_source` in the event; `get_input` looks at what the execution was started with, and then at the parameter's default |
//! | OBS | `function_template` | refused: not served |
//! | v2 | `retries` | `max_attempts` repetitions after the first call, `delay` seconds apart, counted for each route by itself |
//!
//! What the states *do* is decided by the compiler, see `engine::compiler`.

mod argument;
mod expression;
mod function;
mod graph;
mod map;
mod path;
pub(super) mod v2;

pub use argument::{Argument, Document, Source};
pub use expression::{Comparison, Constant, Expression, ExpressionError, Order};
pub use function::{Function, FunctionError, FunctionUrn};
pub use path::{Path, PathError};

use serde_json::Value;

use super::definition::{Definition, DefinitionError, Mode, within_limit};
use super::members::{Field, Problems};
use map::Dialect;

/// What is to be done: states, and the ways between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    mode: Mode,
    start: String,
    states: Vec<State>,
}

/// A step of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What other states call it.
    pub id: String,
    /// What people call it; in the dialects whose states have but one name, that.
    pub name: String,
    /// What it makes of its input before all else; none leaves it as it is.
    pub input: Option<Path>,
    /// What it makes of its output after all else; none leaves it as it is. An error is not filtered.
    pub output: Option<Path>,
    /// What it does.
    pub kind: Kind,
}

/// What a state does.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Calls functions.
    Operation(Operation),
    /// Waits that many seconds.
    Delay(u32, Next),
    /// Goes the way of the first condition that holds for its input, or else the last one.
    Switch(Vec<(Expression, String)>, String),
    /// Does nothing.
    Noop(Next),
    /// Ends the execution with success; its input is the output.
    End,
}

/// The state that follows. Where it is none, the execution ends with success.
pub type Next = Option<String>;

/// Calls of functions.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// In which order.
    pub order: ActionOrder,
    /// What is called: at least one.
    pub actions: Vec<Action>,
    /// What follows when all went well.
    pub next: Next,
}

/// The order of the calls of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOrder {
    /// One after the other, each with the output of the one before it as input.
    Sequential,
    /// All at once, each with the input of the state.
    Parallel,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What is called.
    pub function: Function,
    /// What it is given.
    pub payload: Payload,
    /// Whether the flow waits for what it returns.
    pub invocation: Invocation,
    /// How long a call may last, in seconds, if the definition says so.
    pub timeout_seconds: Option<u32>,
    /// What is done about what it returns or throws: the first route that holds is taken.
    pub routes: Vec<Route>,
}

/// The event that a function gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The arguments of the v2 form.
    Arguments(Argument),
    /// What a path finds in the input.
    Filtered(Path),
    /// The same, with the members of an object set in it.
    FilteredWith(Path, Argument),
}

/// Whether a call is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invocation {
    /// Its result is the output.
    Synchronous,
    /// It is only handed over; the input is the output.
    Asynchronous,
}

/// What is done about an error.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// For what it is meant.
    pub condition: Condition,
    /// How the call is repeated before anything else is done.
    pub retry: Option<Retry>,
    /// Where the flow goes on after that; nowhere: the execution fails.
    pub to: Next,
}

/// What an error route is meant for.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every error that is thrown.
    Thrown,
    /// An error that is thrown and for which the expression holds.
    ThrownIf(Expression),
    /// Whatever is thrown or returned, if the expression holds for it.
    ResultIf(Expression),
}

/// How a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The time before each repetition.
    pub delay_seconds: u32,
    /// How many there are, after the first call.
    pub max_attempts: u32,
}

impl Flow {
    /// Reads a definition of any dialect, told apart by its shape: `states` is a map in v1 and OBS, whose words have hyphens
    /// or underscores; a list of states with `state_name` is OBS too; everything else is v2. The error lists all rules that
    /// are broken.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let value = serde_json::from_str(text).map_err(DefinitionError::NotJson)?;
        let Some(dialect) = older_dialect(&value) else {
            return Definition::parse(text).map(Definition::into_flow);
        };
        within_limit(&value)?;
        let problems = Problems::default();
        let flow = Field::root(&value, &problems).object().and_then(|document| map::read_flow(&document, dialect));
        match (flow, problems.into_inner()) {
            (Some(flow), problems) if problems.is_empty() => Ok(flow),
            (_, problems) => Err(DefinitionError::Invalid(problems)),
        }
    }

    /// How it runs.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The id of the state it begins with.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Its states, in the order of the definition.
    pub fn states(&self) -> &[State] {
        &self.states
    }
}

impl State {
    /// The ids of the states that it may go on to.
    pub fn successors(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Operation(operation) => {
                let routes = operation.actions.iter().flat_map(|action| &action.routes);
                routes.filter_map(|route| route.to.as_deref()).chain(operation.next.as_deref()).collect()
            }
            Kind::Delay(_, next) | Kind::Noop(next) => next.as_deref().into_iter().collect(),
            Kind::Switch(choices, default) => {
                choices.iter().map(|(_, to)| to.as_str()).chain([default.as_str()]).collect()
            }
            Kind::End => Vec::new(),
        }
    }
}

/// Which of the two older dialects a document is of, if any.
fn older_dialect(document: &Value) -> Option<Dialect> {
    let has_word = |state: &Value| {
        let words = ["next_state", "time_delay", "action_mode", "payload_filter_in", "payload_filter_out"];
        words.iter().any(|word| state.get(word).is_some())
    };
    match document.get("states")? {
        Value::Array(states) if states.iter().any(|state| state.get("state_name").is_some()) => Some(Dialect::Obs),
        Value::Object(states) => {
            let about = ["agency", "inputs", "event_defs"].iter().any(|word| document.get(word).is_some());
            Some(if about || states.values().any(has_word) { Dialect::Obs } else { Dialect::V1 })
        }
        _ => None,
    }
}
