//! The older forms: a map of states by name, with hyphens in its words (FunctionGraph v1) or with underscores (OBS).
//!
//! The vendor's grammar of v1 is lost; what is left are its samples and the error codes FGS.1017 to FGS.1079, and each rule
//! below names its code. The OBS form is described with the vendor's operation to create a workflow, as a list of states
//! that have `state_name`, and shown in its operation to get one, as a map; both are read.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::argument::{Argument, Document, Source, object};
use super::graph::Graph;
use super::{
    Action, ActionOrder, Comparison, Condition, Constant, Expression, Flow, Function, Invocation, Kind, Next,
    Operation, Path, Payload, Retry, Route, State,
};
use crate::workflow::definition::Mode;
use crate::workflow::members::{Field, Object, distinct_texts, quoted};
use crate::workflow::parameters::declared_parameters;

/// How long a call of OBS may take if the definition does not say.
const OBS_TIMEOUT_SECONDS: u32 = 30;

/// What the `match` of a result stands for, as an expression over the error that was thrown; none stands for every error.
/// The vendor names the classes and does not say what is in them.
const MATCHES: [(&str, Option<&str>); 8] = [
    ("MatchAny", None),
    ("States.ActionFailed", Some("$.errorCode != 408")),
    (
        "States.PermissionError",
        Some("$.errorCode == 401 || $.errorCode == 403 || $.errorType == 'Lambda.AccessDeniedException'"),
    ),
    ("States.ParameterError", Some("$.errorCode == 400 || $.errorType == 'Lambda.InvalidParameterValueException'")),
    ("States.NotFound", Some("$.errorCode == 404 || $.errorType == 'Lambda.ResourceNotFoundException'")),
    ("States.TooManyRequests", Some("$.errorCode == 429 || $.errorType == 'Lambda.TooManyRequestsException'")),
    ("States.FunctionStageUnavailable", Some("$.errorCode == 503 || $.errorType == 'Lambda.ServiceException'")),
    (
        "States.FunctionStageOtherErrors",
        Some(
            "$.errorCode != 400 && $.errorCode != 401 && $.errorCode != 403 && $.errorCode != 404 && \
             $.errorCode != 408 && $.errorCode != 429 && $.errorCode != 503 && \
             $.errorType != 'Lambda.AccessDeniedException' && $.errorType != 'Lambda.InvalidParameterValueException' && \
             $.errorType != 'Lambda.ResourceNotFoundException' && $.errorType != 'Lambda.TooManyRequestsException' && \
             $.errorType != 'Lambda.ServiceException'",
        ),
    ),
];

/// Which of the two forms it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// FunctionGraph v1.
    V1,
    /// OBS (Data+).
    Obs,
}

/// What the `type` of a state may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Operation,
    Switch,
    Delay,
    Noop,
    End,
    Event,
}

/// What the states of a document have in common.
struct Reader<'a> {
    dialect: Dialect,
    /// The names of the states.
    existing: HashSet<&'a str>,
    /// The defaults of the workflow's parameters, by name.
    defaults: BTreeMap<String, Value>,
}

/// Reads a whole document. `None` only after noting a problem.
pub(super) fn read_flow(document: &Object<'_>, dialect: Dialect) -> Option<Flow> {
    if dialect == Dialect::V1 {
        if let Some(events) = document.optional("event-defs") {
            events.breaks("must be absent, events are not served");
            return None;
        }
        document.has_only(&["states"]); // FGS.1075
    }
    let states = document.required("states")?;
    let states = match states.value() {
        Value::Array(_) => listed_states(&states)?,
        _ => states.object()?.all(),
    };
    let reader = Reader {
        dialect,
        existing: states.iter().map(|(name, _)| *name).collect(),
        defaults: document.optional("inputs").map(|inputs| input_defaults(&inputs)).unwrap_or_default(),
    };
    // FGS.1025 says that the number may be wrong, not which is right: as in v2.
    if !(1..=100).contains(&states.len()) {
        document.required("states")?.breaks(format!("must have 1 to 100 states, not {}", states.len()));
    }
    let read: Vec<Option<(State, bool)>> = states.iter().map(|(name, state)| reader.state(name, state)).collect();
    let read = read.into_iter().collect::<Option<Vec<(State, bool)>>>()?;

    // FGS.1072, FGS.1028
    let mut starts = read.iter().zip(&states).filter(|((_, starts), _)| *starts);
    let Some(((start, _), _)) = starts.next() else {
        document.required("states")?.breaks("must have a state with `start` true");
        return None;
    };
    let start = start.id.clone();
    for (_, (_, field)) in starts {
        field.breaks(format!("must not have `start` true, {} has it already", quoted(&start)));
    }
    let read: Vec<State> = read.into_iter().map(|(state, _)| state).collect();
    reader.check_graph(&states, &read, &start)?;
    Some(Flow { mode: Mode::Normal, start, states: read })
}

/// The states of a list, by their names.
fn listed_states<'a>(states: &Field<'a>) -> Option<Vec<(&'a str, Field<'a>)>> {
    let states = states.entries(1..=100)?;
    let names: Vec<Field<'a>> = states.iter().filter_map(|state| state.object()?.required("state_name")).collect();
    distinct_texts(&names);
    let names = names.iter().map(|name| name.text(0..=usize::MAX)).collect::<Option<Vec<&str>>>()?;
    (names.len() == states.len()).then(|| names.into_iter().zip(states).collect())
}

/// The defaults of the parameters: declared in a list, as for a new workflow, or in a map, as of an existing one.
fn input_defaults(inputs: &Field<'_>) -> BTreeMap<String, Value> {
    if inputs.value().is_array() {
        let declared = declared_parameters(inputs);
        let default = |parameter: &crate::workflow::Parameter| {
            parameter.default().map(|default| (parameter.name().to_owned(), default.clone()))
        };
        return declared.iter().filter_map(default).collect();
    }
    let inputs = inputs.object().map(|inputs| inputs.all()).unwrap_or_default();
    let default = |(name, input): (&str, Field<'_>)| {
        Some((name.to_owned(), input.object()?.optional("default")?.value().clone()))
    };
    inputs.into_iter().filter_map(default).collect()
}

impl Reader<'_> {
    /// A word of the form, given as v1 spells it.
    fn word(&self, hyphenated: &'static str) -> Cow<'static, str> {
        match self.dialect {
            Dialect::V1 => Cow::Borrowed(hyphenated),
            Dialect::Obs => Cow::Owned(hyphenated.replace('-', "_")),
        }
    }

    fn required<'a>(&self, object: &Object<'a>, word: &'static str) -> Option<Field<'a>> {
        object.required(&self.word(word))
    }

    fn optional<'a>(&self, object: &Object<'a>, word: &'static str) -> Option<Field<'a>> {
        object.optional(&self.word(word))
    }

    /// FGS.1075; OBS says nothing of the kind.
    fn has_only(&self, object: &Object<'_>, words: &[&str]) {
        if self.dialect == Dialect::V1 {
            object.has_only(words);
        }
    }

    /// Reads a state, and whether the flow starts with it.
    fn state(&self, name: &str, field: &Field<'_>) -> Option<(State, bool)> {
        self.check_state_name(name, field);
        // FGS.1027
        let state = field.object()?;
        let starts = state.optional("start").is_some_and(|start| start.boolean() == Some(true));
        let kind = match self.state_type(&state)? {
            Type::Operation => {
                self.has_only(&state, &[COMMON.as_slice(), &["action-mode", "actions", "next-state"]].concat());
                let next = self.next_state(&state);
                Kind::Operation(self.operation(&state, next)?)
            }
            Type::Switch => {
                self.has_only(&state, &[COMMON.as_slice(), &["choices", "default"]].concat());
                self.switch(&state)?
            }
            Type::Delay => {
                self.has_only(&state, &[COMMON.as_slice(), &["time-delay", "next-state"]].concat());
                // FGS.1030
                let seconds = self.required(&state, "time-delay").and_then(|delay| delay.whole_number(1..=86_400));
                let next = self.next_state(&state);
                Kind::Delay(u32::try_from(seconds?).ok()?, next?)
            }
            Type::Noop => {
                self.has_only(&state, &[COMMON.as_slice(), &["next-state"]].concat());
                Kind::Noop(self.next_state(&state)?)
            }
            Type::End => {
                self.has_only(&state, &["type", "start"]);
                return Some((
                    State { id: name.to_owned(), name: name.to_owned(), input: None, output: None, kind: Kind::End },
                    starts,
                ));
            }
            Type::Event => return None,
        };
        let input = self.filter(&state, "payload-filter-in")?;
        let output = self.filter(&state, "payload-filter-out")?;
        Some((State { id: name.to_owned(), name: name.to_owned(), input, output, kind }, starts))
    }

    fn check_state_name(&self, name: &str, field: &Field<'_>) {
        let length = name.chars().count();
        match self.dialect {
            // FGS.1026
            Dialect::V1 if !(1..=50).contains(&length) => {
                field.breaks(format!("must have a name of 1 to 50 characters, not {length}"));
            }
            // One table of the vendor's says 20, another 80.
            Dialect::Obs if !(1..=80).contains(&length) || !name.chars().all(is_obs_name_character) => {
                field.breaks("must have a name of 1 to 80 letters, digits, `-` and `_`");
            }
            Dialect::V1 | Dialect::Obs => {}
        }
    }

    /// FGS.1017
    fn state_type(&self, state: &Object<'_>) -> Option<Type> {
        let types = [
            ("OPERATION", Type::Operation),
            ("DELAY", Type::Delay),
            ("END", Type::End),
            ("SWITCH", Type::Switch),
            ("NOOP", Type::Noop),
            ("EVENT", Type::Event),
        ];
        let known = match self.dialect {
            Dialect::V1 => &types[..],
            Dialect::Obs => &types[..3],
        };
        let field = state.required("type")?;
        let kind = field.choice(known)?;
        if kind == Type::Event {
            field.breaks("must not be `EVENT`, events are not served");
        }
        Some(kind)
    }

    /// A filter; `$`, which is the default, is none. The outer `None` is a problem.
    fn filter(&self, object: &Object<'_>, word: &'static str) -> Option<Option<Path>> {
        let Some(field) = self.optional(object, word) else { return Some(None) };
        let path = Path::parse(field.text(0..=usize::MAX)?).map_err(|error| field.breaks(error.to_string())).ok()?;
        Some(Some(path).filter(|path| !path.is_root()))
    }

    /// FGS.1031, FGS.1054, FGS.1071
    fn next_state(&self, state: &Object<'_>) -> Option<Next> {
        self.named_state(&self.required(state, "next-state")?).map(Some)
    }

    fn named_state(&self, field: &Field<'_>) -> Option<String> {
        let name = field.text(0..=usize::MAX)?;
        field.names("a state", name, &self.existing);
        self.existing.contains(name).then(|| name.to_owned())
    }

    fn switch(&self, state: &Object<'_>) -> Option<Kind> {
        // FGS.1032
        let default = state.required("default").and_then(|default| self.named_state(&default));
        // FGS.1033; the vendor's newer conditional branch goes 20 ways at most.
        let choices = state.required("choices")?.entries(1..=20)?;
        let choices: Vec<Option<(Expression, String)>> = choices.iter().map(|choice| self.choice(choice)).collect();
        Some(Kind::Switch(choices.into_iter().collect::<Option<_>>()?, default?))
    }

    /// FGS.1034, FGS.1035, FGS.1036, FGS.1076
    fn choice(&self, choice: &Field<'_>) -> Option<(Expression, String)> {
        let choice = choice.object()?;
        self.has_only(&choice, &["path", "value", "next-state"]);
        let path = choice.required("path").and_then(|field| {
            let path = Path::parse(field.text(1..=256)?).map_err(|error| field.breaks(error.to_string())).ok()?;
            if !path.is_single() {
                field.breaks("must be a JSONPath of names and indexes only");
            }
            Some(path)
        });
        let constant = choice.required("value").and_then(|field| match field.value() {
            Value::Number(number) => Some(Constant::Number(number.clone())),
            Value::String(text) => Some(Constant::Text(text.clone())),
            Value::Bool(boolean) => Some(Constant::Boolean(*boolean)),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                field.breaks("must be a string, a number, true or false");
                None
            }
        });
        let to = self.required(&choice, "next-state").and_then(|next| self.named_state(&next));
        Some((Expression::Compare(path?, Comparison::Equals(constant?, true)), to?))
    }

    fn operation(&self, state: &Object<'_>, next: Option<Next>) -> Option<Operation> {
        // FGS.1039
        let orders = [("SEQUENTIAL", ActionOrder::Sequential), ("PARALLEL", ActionOrder::Parallel)];
        let (mode, known, most) = match self.dialect {
            Dialect::V1 => (self.required(state, "action-mode"), &orders[..], 10),
            Dialect::Obs => (self.optional(state, "action-mode"), &orders[..1], 1),
        };
        let order = match (mode, self.dialect) {
            (Some(mode), _) => mode.choice(known),
            (None, Dialect::Obs) => Some(ActionOrder::Sequential),
            (None, Dialect::V1) => None,
        };
        // FGS.1037; FGS.1038 says that there may be too many, not how many: as in v2.
        let fields = state.required("actions")?.entries(1..=most)?;
        let actions: Vec<Option<Action>> = fields.iter().map(|action| self.action(action, order)).collect();
        self.check_action_names(&fields);
        let actions = actions.into_iter().collect::<Option<Vec<Action>>>()?;
        // FGS.1053
        let first = actions.first()?.invocation;
        if let Some((field, _)) = fields.iter().zip(&actions).find(|(_, action)| action.invocation != first) {
            field.breaks("must have the `invocation-mode` of the other actions of its state");
        }
        Some(Operation { order: order?, actions, next: next? })
    }

    /// FGS.1050
    fn check_action_names(&self, actions: &[Field<'_>]) {
        let word = self.word("action-name");
        let objects = actions.iter().filter(|action| action.value().is_object()).filter_map(Field::object);
        let names: Vec<Field<'_>> = objects.filter_map(|action| action.optional(&word)).collect();
        distinct_texts(&names);
    }

    /// FGS.1040
    fn action(&self, field: &Field<'_>, order: Option<ActionOrder>) -> Option<Action> {
        let action = field.object()?;
        let known = ["action-name", "function", "invocation-mode", "payload-filter", "timeout", "results"];
        self.has_only(&action, &known);
        // FGS.1051 says that a name may be invalid, not how: as long as that of a state.
        if let Some(name) = self.required(&action, "action-name") {
            name.text(1..=if self.dialect == Dialect::V1 { 50 } else { 20 });
        }
        let function = self.function(&action);
        let invocation = self.invocation(&action, order);
        let filter = self.filter(&action, "payload-filter").map(|filter| filter.unwrap_or_else(Path::root));
        let source = match self.dialect {
            Dialect::Obs => action.optional("dynamic_source").map(|source| self.dynamic_source(&source)),
            Dialect::V1 => None,
        };
        // FGS.1044
        let timeout = match action.optional("timeout") {
            Some(timeout) => timeout.whole_number(0..=300).and_then(|seconds| u32::try_from(seconds).ok()),
            None => Some(0),
        };
        let routes = self.routes(&action);
        if invocation == Some(Invocation::Asynchronous) && routes.as_ref().is_some_and(|routes| !routes.is_empty()) {
            field.breaks("must not have `results`, because its `invocation-mode` is `ASYNC`"); // FGS.1079
        }
        let payload = match source {
            None => Payload::Filtered(filter?),
            Some(source) => {
                let members = BTreeMap::from([("dynamic_source".to_owned(), source?)]);
                Payload::FilteredWith(filter?, Argument::Object(members))
            }
        };
        Some(Action {
            function: function?,
            payload,
            invocation: invocation?,
            timeout_seconds: match (timeout?, self.dialect) {
                (0, Dialect::V1) => None,
                (0, Dialect::Obs) => Some(OBS_TIMEOUT_SECONDS),
                (seconds, _) => Some(seconds),
            },
            routes: routes?,
        })
    }

    /// FGS.1041
    fn function(&self, action: &Object<'_>) -> Option<Function> {
        if self.dialect == Dialect::Obs
            && let Some(template) = action.optional("function_template")
        {
            template.breaks("must be absent, function templates are not served: name the function by `function`");
            return None;
        }
        let function = action.required("function")?;
        Function::parse(function.text(0..=256)?).map_err(|error| function.breaks(error.to_string())).ok()
    }

    /// FGS.1042
    fn invocation(&self, action: &Object<'_>, order: Option<ActionOrder>) -> Option<Invocation> {
        let modes = [("SYNC", Invocation::Synchronous), ("ASYNC", Invocation::Asynchronous)];
        let known = if self.dialect == Dialect::V1 { &modes[..] } else { &modes[..1] };
        let Some(mode) = self.optional(action, "invocation-mode") else { return Some(Invocation::Synchronous) };
        let invocation = mode.choice(known)?;
        // FGS.1052, FGS.2016
        if invocation == Invocation::Asynchronous && order == Some(ActionOrder::Sequential) {
            mode.breaks("must be `SYNC`, because the `action-mode` of the state is `SEQUENTIAL`");
        }
        Some(invocation)
    }

    fn routes(&self, action: &Object<'_>) -> Option<Vec<Route>> {
        let Some(results) = action.optional("results") else { return Some(Vec::new()) };
        let routes: Vec<Option<Route>> = results.entries(0..=200)?.iter().map(|result| self.route(result)).collect();
        routes.into_iter().collect()
    }

    /// FGS.1045
    fn route(&self, result: &Field<'_>) -> Option<Route> {
        let result = result.object()?;
        self.has_only(&result, &["match", "retry-interval", "max-retry", "next-state"]);
        // FGS.1049
        let condition = result.required("match").and_then(|class| class.choice(&MATCHES)).map(|expression| {
            expression.map_or(Condition::Thrown, |expression| {
                Condition::ThrownIf(Expression::parse(expression).expect("the table holds expressions"))
            })
        });
        // FGS.1048, FGS.1047
        let number = |word: &'static str, most: i64, default: u32| match self.optional(&result, word) {
            Some(field) => field.whole_number(0..=most).and_then(|number| u32::try_from(number).ok()),
            None => Some(default),
        };
        let (delay_seconds, max_attempts) = (number("retry-interval", 86_400, 1), number("max-retry", 10, 3));
        let is_terminal = self.dialect == Dialect::Obs
            && result.optional("is_terminal").is_some_and(|terminal| terminal.boolean() == Some(true));
        // FGS.1046
        let to = if is_terminal { Some(None) } else { self.next_state(&result) };
        Some(Route {
            condition: condition?,
            retry: Some(Retry { delay_seconds: delay_seconds?, max_attempts: max_attempts? }),
            to: to?,
        })
    }

    /// What OBS sets in the event of a function: constants, and `{"get_input": <path>}` for what the execution was started
    /// with. A parameter that was not given has its default.
    fn dynamic_source(&self, field: &Field<'_>) -> Option<Argument> {
        let Value::Object(members) = field.value() else { return Some(Argument::Constant(field.value().clone())) };
        if members.len() != 1 || !members.contains_key("get_input") {
            return object(field, |member| self.dynamic_source(member));
        }
        let place = field.object()?.required("get_input")?;
        let path = Path::parse(place.text(1..=256)?).map_err(|error| place.breaks(error.to_string())).ok()?;
        let default = match path.names().as_deref() {
            Some(["inputs", name]) => self.defaults.get(*name).cloned(),
            _ => None,
        };
        let source = Source { document: Document::Start, path };
        Some(match default {
            Some(default) => Argument::FoundOr(source, default),
            None => Argument::Found(source),
        })
    }

    /// Checks that every state can be reached (FGS.1055) and that the end can be reached from every state. `None` only after
    /// noting a problem.
    ///
    /// Of v1 the vendor forbids circles through EVENT states only (FGS.1074), so other circles are allowed.
    fn check_graph(&self, fields: &[(&str, Field<'_>)], states: &[State], start: &str) -> Option<()> {
        let ends: Vec<&str> =
            states.iter().filter(|state| state.kind == Kind::End).map(|state| state.id.as_str()).collect();
        let graph = Graph::of(states);
        let reached = graph.reachable(start);
        for ((name, field), state) in fields.iter().zip(states) {
            // FGS.1029
            if self.dialect == Dialect::V1 && state.kind == Kind::End && ends.first() != Some(name) {
                field.breaks(format!("must not be of type `END`, {} is already", quoted(ends.first()?)));
            }
            if !reached.contains(name) {
                field.breaks(format!("must be reachable from the start state {}", quoted(start)));
            }
            // FGS.1073
            let onwards = graph.reachable(&state.id);
            if !ends.iter().any(|end| onwards.contains(end)) {
                field.breaks("must lead to a state of type `END`");
            }
        }
        Some(())
    }
}

/// The words that every state but END may have.
const COMMON: [&str; 4] = ["type", "start", "payload-filter-in", "payload-filter-out"];

fn is_obs_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests;
