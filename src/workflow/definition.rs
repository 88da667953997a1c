//! A workflow's definition: the vendor's WorkflowCreateBody, checked as a whole.
//!
//! The rules are those of the vendor's CreateWorkflow schema. Where the schema and the vendor's own samples disagree the
//! samples pass: a state that runs nothing has an empty `actions`, `action_mode` may be `""`, and a `duration` may have a
//! fraction. Members that the schema does not have are ignored, because the vendor adds some from time to time. One member
//! is ours: `inputs`, the array of the vendor's OBS Input declarations, so that the `inputs` of an OBS start can be checked.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::flow::{Flow, Function, Retry, v2};
use super::members::{Field, Object, Problem, Problems, distinct_texts};
use super::parameters::declared_parameters;
use super::{Parameter, WorkflowName};

/// How many problems a message lists; a document of another kind altogether breaks a rule in every line.
const LISTED_PROBLEMS: usize = 10;

/// A checked definition.
#[derive(Debug, Clone)]
pub struct Definition {
    name: WorkflowName,
    flow: Flow,
    parameters: Vec<Parameter>,
    text: String,
}

/// How the workflow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For long tasks: the history is kept, and only asynchronous starts are allowed.
    Normal,
    /// For tasks below five minutes: no history is kept, and starts may also be synchronous.
    Express,
}

/// Why a text or a file holds no definition.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The text is not JSON.
    #[error("the definition is not JSON (line {}, column {})", .0.line(), .0.column())]
    NotJson(#[source] serde_json::Error),
    /// The text is longer than a definition can be.
    #[error("the definition must be at most {} bytes without white space, not {bytes}", Definition::MAX_BYTES)]
    TooLarge {
        /// The length of its canonical text, in bytes.
        bytes: usize,
    },
    /// The definition breaks rules: at least one.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
    /// The file is longer than any definition needs; it was not read to its end.
    #[error("the file must be at most {limit} bytes long")]
    FileTooLarge {
        /// The length it may have, in bytes.
        limit: usize,
    },
    /// The file cannot be read, or is not UTF-8.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Another file of the same directory defines a workflow of the same name.
    #[error("`name` is `{name}`, which {} defines already", .path.display())]
    NameTaken {
        /// The name of both.
        name: WorkflowName,
        /// The file that has it.
        path: PathBuf,
    },
}

impl Definition {
    /// The longest definition, in bytes of canonical text. Storage keeps it in an item of at most 400 KB, and the compiled
    /// form beside it.
    pub const MAX_BYTES: usize = 65_536;

    /// Reads a definition and checks every rule; the error lists all that are broken.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let value: Value = serde_json::from_str(text).map_err(DefinitionError::NotJson)?;
        let text = within_limit(&value)?;
        let problems = Problems::default();
        let checked = Field::root(&value, &problems).object().and_then(|body| check_body(&body));
        match (checked, problems.into_inner()) {
            (Some((name, flow, parameters)), problems) if problems.is_empty() => {
                Ok(Self { name, flow, parameters, text })
            }
            (_, problems) => Err(DefinitionError::Invalid(problems)),
        }
    }

    /// The name of the workflow that this defines.
    pub fn name(&self) -> &WorkflowName {
        &self.name
    }

    /// How the workflow runs.
    pub fn mode(&self) -> Mode {
        self.flow.mode()
    }

    /// What a start does.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// What a start does, where nothing else is wanted.
    pub fn into_flow(self) -> Flow {
        self.flow
    }

    /// What an OBS start may give as `inputs`, in the order of declaration.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The whole definition as canonical JSON: no white space, members sorted by name, no number rounded.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The canonical text of a document, if it is not too long.
pub(super) fn within_limit(document: &Value) -> Result<String, DefinitionError> {
    let text = document.to_string();
    if text.len() > Definition::MAX_BYTES { Err(DefinitionError::TooLarge { bytes: text.len() }) } else { Ok(text) }
}

/// Everything a definition has follows from its text.
impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Definition {}

/// Checks the whole document. `None` only after noting a problem.
fn check_body(body: &Object<'_>) -> Option<(WorkflowName, Flow, Vec<Parameter>)> {
    let name = body.required("name").and_then(|name| workflow_name(&name));
    if let Some(description) = body.optional("description") {
        description.name(1..=512);
    }
    if let Some(id) = body.optional("enterprise_project_id") {
        id.text(0..=64);
    }
    if let Some(enabled) = body.optional("enable_stream_response") {
        enabled.boolean();
    }
    let constants = body.required("constants");
    if let Some(constants) = &constants {
        constants.object();
    }
    if let Some(triggers) = body.optional("triggers") {
        check_triggers(&triggers);
    }
    let mode = check_mode(body);
    let references = v2::References {
        functions: body.required("functions").map(|functions| check_functions(&functions)).unwrap_or_default(),
        retries: body.required("retries").map(|retries| check_retries(&retries)).unwrap_or_default(),
        constants: constants.as_ref().map_or(&Value::Null, Field::value),
    };
    let start = body.required("start");
    if let Some(start) = &start {
        start.text(1..=256);
    }
    let states = body.required("states");
    let flow = states.and_then(|states| v2::read_flow(mode, &states, start.as_ref(), &references));
    let parameters = body.optional("inputs").map(|inputs| declared_parameters(&inputs)).unwrap_or_default();
    Some((name?, flow?, parameters))
}

fn workflow_name(name: &Field<'_>) -> Option<WorkflowName> {
    let Value::String(text) = name.value() else {
        name.breaks("must be a string");
        return None;
    };
    WorkflowName::parse(text).inspect_err(|error| name.breaks(error.to_string())).ok()
}

fn check_mode(body: &Object<'_>) -> Mode {
    let modes = [("NORMAL", Mode::Normal), ("EXPRESS", Mode::Express)];
    let mode = body.optional("mode").and_then(|mode| mode.choice(&modes)).unwrap_or(Mode::Normal);
    let config = match mode {
        Mode::Express => body.required("express_config"),
        Mode::Normal => body.optional("express_config"),
    };
    if let Some(level) = config.and_then(|config| config.object()).and_then(|config| config.optional("log_level")) {
        level.choice(&[("ALL", ()), ("ERROR", ()), ("NONE", ())]);
    }
    mode
}

/// The functions by name; one whose operation broke a rule has no meaning.
fn check_functions<'a>(functions: &Field<'a>) -> HashMap<&'a str, Option<Function>> {
    let mut names = Vec::new();
    let mut functions_by_name = HashMap::new();
    for function in functions.entries(0..=100).unwrap_or_default().iter().filter_map(Field::object) {
        let operation = function.required("operation").and_then(|operation| {
            let text = operation.text(0..=256)?;
            Function::parse(text).map_err(|error| operation.breaks(error.to_string())).ok()
        });
        if let Some(metadata) = function.optional("metadata") {
            metadata.object();
        }
        if let Some(name) = function.required("name") {
            functions_by_name.extend(name.text(0..=256).map(|name| (name, operation)));
            names.push(name);
        }
    }
    distinct_texts(&names);
    functions_by_name
}

/// The retry policies by name; one that broke a rule has no meaning.
fn check_retries<'a>(retries: &Field<'a>) -> HashMap<&'a str, Option<Retry>> {
    let mut names = Vec::new();
    let mut retries_by_name = HashMap::new();
    for retry in retries.entries(0..=200).unwrap_or_default().iter().filter_map(Field::object) {
        let delay_seconds = retry.optional("delay").map_or(Some(1), |delay| delay.whole_number(1..=30));
        let attempts = retry.optional("max_attempts").map_or(Some(3), |attempts| attempts.whole_number(1..=8));
        let policy = delay_seconds.zip(attempts).and_then(|(delay_seconds, attempts)| {
            Some(Retry { delay_seconds: delay_seconds.try_into().ok()?, max_attempts: attempts.try_into().ok()? })
        });
        if let Some(name) = retry.required("name") {
            retries_by_name.extend(name.name(1..=256).map(|name| (name, policy)));
            names.push(name);
        }
    }
    distinct_texts(&names);
    retries_by_name
}

fn check_triggers(triggers: &Field<'_>) {
    const IS_OBS: [(&str, bool); 5] =
        [("FLOWTIMER", false), ("SMN", false), ("APIG", false), ("APIG_DE", false), ("OBS", true)];

    for trigger in triggers.entries(0..=200).unwrap_or_default().iter().filter_map(Field::object) {
        if let Some(name) = trigger.required("trigger_name") {
            name.text(1..=256);
        }
        if let Some(enabled) = trigger.optional("enabled") {
            enabled.boolean();
        }
        let is_obs = trigger.required("trigger_type").and_then(|kind| kind.choice(&IS_OBS)).unwrap_or(false);
        // The schema knows one configuration only, and says that it is for OBS triggers.
        if is_obs && let Some(config) = trigger.required("trigger_config").and_then(|config| config.object()) {
            check_obs_trigger(&config);
        }
    }
}

fn check_obs_trigger(config: &Object<'_>) {
    for name in ["bucket", "prefix", "suffix"] {
        if let Some(text) = config.required(name) {
            text.text(1..=64);
        }
    }
    for event in config.required("events").and_then(|events| events.entries(1..=64)).unwrap_or_default() {
        event.text(0..=usize::MAX);
    }
}

fn listed(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(LISTED_PROBLEMS).map(Problem::to_string).collect();
    let unlisted = problems.len().saturating_sub(LISTED_PROBLEMS);
    if unlisted > 0 {
        lines.push(format!("and {unlisted} more"));
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests;
