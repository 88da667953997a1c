//! A compiled machine, read into types. What is not part of the subset is refused, so that nothing is run by half.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::choice::Rule;
use super::failure::Failure;
use super::path::{Path, ResultPath};
use super::template::{Expression, Template};
use crate::json;

/// A machine, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub(super) scope: Scope,
    /// How long an execution may take.
    pub(super) timeout_seconds: Option<u32>,
}

/// Why a text is no machine that this engine runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the machine cannot be run: {0}")]
pub struct ParseError(String);

/// States among which transitions are possible: those of the machine, or of a branch of a Parallel state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scope {
    pub(super) start: String,
    states: BTreeMap<String, State>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Pass(Box<Pass>),
    Choice { rules: Vec<(Rule, String)>, default: String },
    Wait { seconds: u32, next: Next },
    Task(Box<Task>),
    Parallel(Box<Parallel>),
    Fail { error: String, cause: Option<Expression> },
}

/// The state that follows; `None` is the end.
pub(super) type Next = Option<String>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pass {
    pub(super) input_path: Option<Path>,
    /// What replaces the input: a `Result`, or `Parameters`.
    pub(super) template: Option<Template>,
    pub(super) result_path: ResultPath,
    pub(super) next: Next,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    pub(super) function_name: String,
    pub(super) asynchronous: bool,
    pub(super) payload: Template,
    pub(super) timeout_seconds: Option<u32>,
    pub(super) retrier: Option<Retrier>,
    pub(super) catchers: Vec<Catcher>,
    pub(super) selector: Option<Template>,
    pub(super) result_path: ResultPath,
    pub(super) next: Next,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parallel {
    pub(super) branches: Vec<Scope>,
    pub(super) selector: Option<Template>,
    pub(super) result_path: ResultPath,
    pub(super) next: Next,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retrier {
    errors: Vec<String>,
    pub(super) interval_seconds: u32,
    pub(super) max_attempts: u32,
    pub(super) backoff_rate: u32,
    pub(super) jitter: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Catcher {
    errors: Vec<String>,
    pub(super) result_path: ResultPath,
    pub(super) next: String,
}

impl Machine {
    /// Reads a compiled text.
    ///
    /// # Errors
    /// It is not JSON, or uses what this engine does not know.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let read = || {
            let mut fields = Fields::of(json::value(text).map_err(|error| format!("the text {error}"))?)?;
            fields.take("Comment");
            if let Some(language) = fields.take("QueryLanguage").filter(|language| language != "JSONPath") {
                return Err(format!("the query language {language} is unknown"));
            }
            let timeout_seconds = fields.number("TimeoutSeconds")?;
            Ok(Self { scope: Scope::take(fields)?, timeout_seconds })
        };
        read().map_err(ParseError)
    }
}

impl Scope {
    fn take(mut fields: Fields) -> Result<Self, String> {
        let start = fields.text("StartAt")?;
        let states = fields.object("States")?;
        fields.end()?;
        let read = states.into_iter().map(|(name, state)| match State::parse(state) {
            Ok(state) => Ok((name, state)),
            Err(error) => Err(format!("state `{name}`: {error}")),
        });
        let states = read.collect::<Result<BTreeMap<_, _>, _>>()?;
        let ways = states.values().flat_map(State::ways).chain([start.as_str()]);
        if let Some(missing) = ways.into_iter().find(|way| !states.contains_key(*way)) {
            return Err(format!("there is no state `{missing}`"));
        }
        Ok(Self { start, states })
    }

    /// The state of this name.
    pub(super) fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }
}

impl State {
    fn parse(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let state = match fields.text("Type")?.as_str() {
            "Pass" => Self::Pass(Box::new(Pass {
                input_path: fields.optional_text("InputPath")?.map(|text| Path::parse(&text)).transpose()?,
                template: match (fields.take("Result"), fields.template("Parameters")?) {
                    (Some(_), Some(_)) => return Err("it has both `Result` and `Parameters`".to_owned()),
                    (Some(result), None) => Some(Template::Literal(result)),
                    (None, parameters) => parameters,
                },
                result_path: fields.result_path()?,
                next: fields.next()?,
            })),
            "Choice" => {
                let read = |choice: Value| {
                    let mut fields = Fields::of(choice)?;
                    let next = fields.text("Next")?;
                    let rule = Rule::take(&mut fields)?;
                    fields.end().map(|()| (rule, next))
                };
                let choices = fields.list("Choices")?.ok_or("`Choices` is missing")?;
                let rules = choices.into_iter().map(read).collect::<Result<_, String>>()?;
                Self::Choice { rules, default: fields.text("Default")? }
            }
            "Wait" => {
                Self::Wait { seconds: fields.number("Seconds")?.ok_or("`Seconds` is missing")?, next: fields.next()? }
            }
            "Task" => Self::Task(Box::new(Task::take(&mut fields)?)),
            "Parallel" => {
                let branches = fields.list("Branches")?.ok_or("`Branches` is missing")?;
                let branches = branches.into_iter().map(|branch| Scope::take(Fields::of(branch)?));
                Self::Parallel(Box::new(Parallel {
                    branches: branches.collect::<Result<_, _>>()?,
                    selector: fields.template("ResultSelector")?,
                    result_path: fields.result_path()?,
                    next: fields.next()?,
                }))
            }
            "Fail" => Self::Fail {
                error: fields.text("Error")?,
                cause: fields.optional_text("CausePath")?.map(|text| Expression::parse(&text)).transpose()?,
            },
            other => return Err(format!("the type `{other}` is unknown")),
        };
        fields.end()?;
        Ok(state)
    }

    /// The states that may follow.
    fn ways(&self) -> Vec<&str> {
        match self {
            Self::Pass(pass) => pass.next.iter().map(String::as_str).collect(),
            Self::Choice { rules, default } => {
                rules.iter().map(|(_, next)| next).chain([default]).map(String::as_str).collect()
            }
            Self::Wait { next, .. } => next.iter().map(String::as_str).collect(),
            Self::Task(task) => {
                let caught = task.catchers.iter().map(|catcher| &catcher.next);
                task.next.iter().chain(caught).map(String::as_str).collect()
            }
            Self::Parallel(parallel) => parallel.next.iter().map(String::as_str).collect(),
            Self::Fail { .. } => Vec::new(),
        }
    }
}

impl Task {
    fn take(fields: &mut Fields) -> Result<Self, String> {
        let resource = fields.text("Resource")?;
        if resource != "arn:aws:states:::lambda:invoke" {
            return Err(format!("the resource `{resource}` is unknown"));
        }
        let mut parameters = Fields::of(Value::Object(fields.object("Parameters")?))?;
        let function_name = parameters.text("FunctionName")?;
        let asynchronous = match parameters.optional_text("InvocationType")?.as_deref() {
            None => false,
            Some("Event") => true,
            Some(other) => return Err(format!("the invocation type `{other}` is unknown")),
        };
        let payload = match (parameters.take("Payload"), parameters.take("Payload.$")) {
            (Some(payload), None) => Template::parse(payload)?,
            (None, Some(Value::String(text))) => Template::Found(Expression::parse(&text)?),
            _ => return Err("it must have one of `Payload` and `Payload.$`".to_owned()),
        };
        parameters.end()?;
        let retrier = match fields.list("Retry")?.map(|mut retriers| (retriers.pop(), retriers.len())) {
            None | Some((None, _)) => None,
            Some((Some(retrier), 0)) => Some(Retrier::parse(retrier)?),
            Some(_) => return Err("it has more than one retrier".to_owned()),
        };
        let catchers = fields.list("Catch")?.unwrap_or_default().into_iter().map(Catcher::parse);
        Ok(Self {
            function_name,
            asynchronous,
            payload,
            timeout_seconds: fields.number("TimeoutSeconds")?,
            retrier,
            catchers: catchers.collect::<Result<_, _>>()?,
            selector: fields.template("ResultSelector")?,
            result_path: fields.result_path()?,
            next: fields.next()?,
        })
    }
}

impl Retrier {
    fn parse(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let retrier = Self {
            errors: fields.texts("ErrorEquals")?,
            interval_seconds: fields.number("IntervalSeconds")?.unwrap_or(1),
            max_attempts: fields.number("MaxAttempts")?.unwrap_or(3),
            backoff_rate: fields.number("BackoffRate")?.unwrap_or(2),
            jitter: match fields.optional_text("JitterStrategy")?.as_deref() {
                None | Some("NONE") => false,
                Some("FULL") => true,
                Some(other) => return Err(format!("the jitter strategy `{other}` is unknown")),
            },
        };
        fields.end().map(|()| retrier)
    }

    /// Whether it is meant for a failure.
    pub(super) fn is_for(&self, failure: &Failure) -> bool {
        names(&self.errors, failure)
    }
}

impl Catcher {
    fn parse(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let errors = fields.texts("ErrorEquals")?;
        let catcher = Self { errors, result_path: fields.result_path()?, next: fields.text("Next")? };
        fields.end().map(|()| catcher)
    }

    /// Whether it is meant for a failure.
    pub(super) fn is_for(&self, failure: &Failure) -> bool {
        names(&self.errors, failure)
    }
}

/// Whether one of the names is that of the failure. `States.ALL` is every name but two.
fn names(errors: &[String], failure: &Failure) -> bool {
    let is_terminal = matches!(failure.error.as_str(), Failure::RUNTIME | Failure::DATA_LIMIT);
    errors.iter().any(|error| *error == failure.error || (error == "States.ALL" && !is_terminal))
}

/// The members of an object, which are taken out one by one; what is left in the end is unknown.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err("there must be an object".to_owned()),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// Some field that is left.
    pub(super) fn any(&mut self) -> Option<(String, Value)> {
        let name = self.0.keys().next()?.clone();
        self.0.remove_entry(&name)
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        self.optional_text(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(format!("`{name}` must be an array")),
        }
    }

    /// Makes sure that nothing is left.
    pub(super) fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(unknown) => Err(format!("the field `{unknown}` is unknown here")),
        }
    }

    fn optional_text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` must be a text")),
        }
    }

    fn texts(&mut self, name: &str) -> Result<Vec<String>, String> {
        let list = self.list(name)?.unwrap_or_default();
        let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or_else(|| format!("`{name}` must hold texts"))
    }

    fn number(&mut self, name: &str) -> Result<Option<u32>, String> {
        let number = |value: Value| {
            let number = value.as_u64().and_then(|number| number.try_into().ok());
            number.ok_or_else(|| format!("`{name}` must be a whole number"))
        };
        self.take(name).map(number).transpose()
    }

    fn object(&mut self, name: &str) -> Result<Map<String, Value>, String> {
        match self.take(name) {
            Some(Value::Object(object)) => Ok(object),
            _ => Err(format!("`{name}` must be an object")),
        }
    }

    fn template(&mut self, name: &str) -> Result<Option<Template>, String> {
        self.take(name).map(Template::parse).transpose()
    }

    fn result_path(&mut self) -> Result<ResultPath, String> {
        match self.take("ResultPath") {
            None => Ok(ResultPath::At(Vec::new())),
            Some(Value::Null) => Ok(ResultPath::Discard),
            Some(Value::String(text)) => ResultPath::parse(&text),
            Some(_) => Err("`ResultPath` must be a path or null".to_owned()),
        }
    }

    fn next(&mut self) -> Result<Next, String> {
        match (self.optional_text("Next")?, self.take("End")) {
            (Some(next), None) => Ok(Some(next)),
            (None, Some(Value::Bool(true))) => Ok(None),
            _ => Err("it must have one of `Next` and `End`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine(states: Value) -> Result<Machine, String> {
        let text = json!({"StartAt": "a", "States": states}).to_string();
        Machine::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_of_the_subset_is_refused() {
        let task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
            "Parameters": {"FunctionName": "f", "Payload": {}}});
        assert!(machine(json!({"a": task})).is_ok());
        let with = |field: &str, value: Value| {
            let mut task = task.clone();
            task[field] = value;
            json!({"a": task})
        };
        let retrier = json!({"ErrorEquals": ["x"]});
        for (states, complaint) in [
            (json!({}), "there is no state `a`"),
            (json!({"a": {"Type": "Map"}}), "state `a`: the type `Map` is unknown"),
            (json!({"a": {"Type": "Pass"}}), "state `a`: it must have one of `Next` and `End`"),
            (json!({"a": {"Type": "Pass", "Next": "b"}}), "there is no state `b`"),
            (json!({"a": {"Type": "Pass", "End": true, "OutputPath": "$"}}), "the field `OutputPath` is unknown here"),
            (json!({"a": {"Type": "Pass", "End": true, "Result": 1, "Parameters": {}}}), "both"),
            (json!({"a": {"Type": "Wait", "Seconds": -1, "End": true}}), "`Seconds` must be a whole number"),
            (json!({"a": {"Type": "Choice", "Choices": []}}), "`Default` is missing"),
            (
                json!({"a": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "b", "States": {}}]}}),
                "no state `b`",
            ),
            (with("Resource", json!("arn:aws:lambda:r:1:function:f")), "is unknown"),
            (with("HeartbeatSeconds", json!(1)), "the field `HeartbeatSeconds` is unknown here"),
            (with("Retry", json!([retrier, retrier])), "it has more than one retrier"),
            (with("Parameters", json!({"Payload": {}})), "`FunctionName` is missing"),
            (
                with("Parameters", json!({"FunctionName": "f", "Payload": {}, "Qualifier": "1"})),
                "`Qualifier` is unknown",
            ),
            (with("Catch", json!([{"ErrorEquals": ["States.ALL"], "Next": "b"}])), "there is no state `b`"),
        ] {
            let error = machine(states).expect_err(complaint);
            assert!(error.contains(complaint), "{error}");
        }
        for text in ["", "[]", r#"{"StartAt": "a", "States": {}, "QueryLanguage": "JSONata"}"#] {
            assert!(Machine::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_errors_are_all_but_two() {
        let all = ["States.ALL".to_owned()];
        for (error, expected) in [
            ("Error", true),
            ("States.Timeout", true),
            ("States.IntrinsicFailure", true),
            (Failure::RUNTIME, false),
            (Failure::DATA_LIMIT, false),
        ] {
            assert_eq!(names(&all, &Failure::new(error, "")), expected, "{error}");
        }
        assert!(names(&[Failure::RUNTIME.to_owned()], &Failure::runtime("")));
    }
}
