//! The parameters of a workflow, and the check of what a start gives for them.
//!
//! A parameter is declared as the vendor's OBS Input. Only OBS starts are checked, as the vendor documents it.

use regex_lite::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::members::{Field, Object, distinct_texts, quoted};
use super::number::same;

/// The most parameters that a workflow may declare, as in the vendor's OBS Input.
const MOST_PARAMETERS: usize = 60;

/// The most memory that one compiled regex may take, in bytes. It also bounds the time of a match; a nest of counted
/// repetitions would take seconds.
const REGEX_BYTES: usize = 1 << 18;

/// The longest list of values that a message repeats, in bytes.
const LISTED_BYTES: usize = 256;

/// The members of a declaration. Any other is refused: this part of a definition is ours, and a misspelt constraint that
/// is silently ignored lets through what it was written to keep out.
const MEMBERS: [&str; 7] = ["parameter_name", "type", "description", "default", "label", "constraints", "invisible"];

/// A value that a start may give or, without a default, must give.
#[derive(Debug, Clone)]
pub struct Parameter {
    name: String,
    kind: ParameterType,
    default: Option<Value>,
    constraints: Constraints,
    invisible: bool,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    /// Any string.
    String,
    /// A number of any size, written without fraction and exponent.
    Integer,
    /// Any number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Any array.
    List,
    /// Any object.
    Map,
}

/// What a value must hold besides its type: every constraint that is given.
#[derive(Debug, Clone, Default)]
struct Constraints {
    equal: Option<Value>,
    valid_values: Option<Vec<Value>>,
    invalid_values: Vec<Value>,
    regex: Option<Regex>,
}

/// Why what a start gives does not fit the workflow's parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The workflow has no such parameter.
    #[error("`inputs` must only have parameters of the workflow, {} is none", quoted(.name))]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// The parameter has no default and no value was given.
    #[error("`inputs.{name}` must be given, because the parameter has no default")]
    Missing {
        /// The parameter's name.
        name: String,
    },
    /// The value breaks the parameter's type or a constraint.
    #[error("`inputs.{name}` {rule}")]
    Invalid {
        /// The parameter's name.
        name: String,
        /// The rule, as what the value must be. It never repeats the value.
        rule: String,
    },
}

/// Checks what a start gives for the parameters of a workflow, and fills in the defaults of what it does not give.
///
/// Fails on a name that is no parameter, on a value that breaks its parameter's type or a constraint, and if a parameter
/// without a default has no value. `null` is no value of any type. Completing a completed map changes nothing.
pub fn complete(parameters: &[Parameter], given: Map<String, Value>) -> Result<Map<String, Value>, InputError> {
    if let Some(name) = given.keys().find(|name| parameters.iter().all(|parameter| parameter.name != **name)) {
        return Err(InputError::Unknown { name: name.clone() });
    }
    let mut completed = given;
    for parameter in parameters {
        let name = || parameter.name.clone();
        match (completed.get(&parameter.name), &parameter.default) {
            (Some(value), _) => {
                parameter.check(value).map_err(|rule| InputError::Invalid { name: name(), rule })?;
            }
            (None, Some(default)) => {
                completed.insert(name(), default.clone());
            }
            (None, None) => return Err(InputError::Missing { name: name() }),
        }
    }
    Ok(completed)
}

/// Reads the declarations of a definition's parameters.
pub(super) fn declared_parameters(inputs: &Field<'_>) -> Vec<Parameter> {
    let entries = inputs.entries(0..=MOST_PARAMETERS).unwrap_or_default();
    let declarations: Vec<Object<'_>> = entries.iter().filter_map(Field::object).collect();
    let names: Vec<Field<'_>> =
        declarations.iter().filter_map(|declaration| declaration.optional("parameter_name")).collect();
    distinct_texts(&names);
    declarations.iter().filter_map(Parameter::declared).collect()
}

impl Parameter {
    /// Its name: 1 to 20 lower-case letters, digits and hyphens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    pub fn kind(&self) -> ParameterType {
        self.kind
    }

    /// What it is if a start does not give it; without one a start must.
    pub fn default(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// Reads a declaration. `None` only after noting a problem.
    fn declared(declaration: &Object<'_>) -> Option<Self> {
        declaration.has_only(&MEMBERS);
        let name = declaration.required("parameter_name").and_then(|name| parameter_name(&name));
        let kind = declaration.required("type").and_then(|kind| ParameterType::declared(&kind));
        if let Some(description) = declaration.optional("description") {
            description.text(0..=256);
        }
        if let Some(label) = declaration.optional("label") {
            label.text(0..=64);
        }
        let invisible = declaration.optional("invisible").and_then(|invisible| invisible.boolean()).unwrap_or(false);
        let constraints = declaration.optional("constraints").and_then(|constraints| constraints.object());
        let (name, kind) = (name?, kind?);
        let constraints = constraints.map(|object| Constraints::declared(&object, kind)).unwrap_or_default();
        let default = declaration.optional("default");

        let default_value = default.as_ref().map(|default| default.value().clone());
        let parameter = Self { name, kind, default: default_value, constraints, invisible };
        if let Some(default) = default
            && let Err(rule) = parameter.check(default.value())
        {
            default.breaks(rule);
        }
        Some(parameter)
    }

    /// Checks a value; the error is the rule that it breaks.
    fn check(&self, value: &Value) -> Result<(), String> {
        self.kind.check(value)?;
        let Constraints { equal, valid_values, invalid_values, regex } = &self.constraints;
        if let Some(equal) = equal
            && !same(equal, value)
        {
            return Err(self.naming("must equal", "the constraint `equal`", std::slice::from_ref(equal)));
        }
        if let Some(valid_values) = valid_values
            && !valid_values.iter().any(|valid| same(valid, value))
        {
            return Err(self.naming("must be one of", "the constraint `valid_values`", valid_values));
        }
        if invalid_values.iter().any(|invalid| same(invalid, value)) {
            return Err(self.naming("must be none of", "the constraint `invalid_values`", invalid_values));
        }
        if let (Some(regex), Value::String(text)) = (regex, value)
            && !regex.is_match(text)
        {
            return Err("must match the constraint `regex` as a whole".to_owned());
        }
        Ok(())
    }

    /// A rule that names values, unless they are long or tell what an invisible parameter may be.
    fn naming(&self, rule: &str, constraint: &str, values: &[Value]) -> String {
        let listed: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        let listed = listed.join(", ");
        let named = if self.invisible || listed.len() > LISTED_BYTES { constraint } else { &listed };
        format!("{rule} {named}")
    }
}

impl ParameterType {
    /// Reads a type, in any case: the vendor's tables print `String`, its samples `string`.
    fn declared(kind: &Field<'_>) -> Option<Self> {
        let kinds = [
            ("String", Self::String),
            ("Integer", Self::Integer),
            ("Float", Self::Float),
            ("Boolean", Self::Boolean),
            ("List", Self::List),
            ("Map", Self::Map),
        ];
        let text = kind.value().as_str().unwrap_or_default();
        let known = kinds.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(_, kind)| *kind).or_else(|| kind.choice(&kinds))
    }

    /// Checks that a value is of this type; the error is the rule that it breaks.
    fn check(self, value: &Value) -> Result<(), &'static str> {
        let (holds, rule) = match self {
            Self::String => (value.is_string(), "must be a string"),
            Self::Integer => (is_whole_number(value), "must be a number without fraction and exponent"),
            Self::Float => (value.is_number(), "must be a number"),
            Self::Boolean => (value.is_boolean(), "must be true or false"),
            Self::List => (value.is_array(), "must be an array"),
            Self::Map => (value.is_object(), "must be an object"),
        };
        if holds { Ok(()) } else { Err(rule) }
    }
}

impl Constraints {
    /// Reads the constraints of a parameter of type `kind`. Their values must be of that type: others could never hold.
    fn declared(constraints: &Object<'_>, kind: ParameterType) -> Self {
        constraints.has_only(&["equal", "valid_values", "regex", "invalid_values"]);
        let equal = constraints.optional("equal");
        let valid_values = constraints.optional("valid_values").and_then(|values| values.entries(1..=usize::MAX));
        let invalid_values = constraints.optional("invalid_values").and_then(|values| values.entries(0..=usize::MAX));
        for field in equal.iter().chain(valid_values.iter().flatten()).chain(invalid_values.iter().flatten()) {
            if let Err(rule) = kind.check(field.value()) {
                field.breaks(rule);
            }
        }
        let regex = constraints.optional("regex").and_then(|regex| declared_regex(&regex, kind));
        let owned = |fields: Vec<Field<'_>>| fields.iter().map(|field| field.value().clone()).collect::<Vec<Value>>();
        Self {
            equal: equal.map(|equal| equal.value().clone()),
            valid_values: valid_values.map(owned),
            invalid_values: invalid_values.map(owned).unwrap_or_default(),
            regex,
        }
    }
}

fn parameter_name(name: &Field<'_>) -> Option<String> {
    let text = name.text(1..=20)?;
    if !text.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '-')) {
        name.breaks("must consist of lower-case letters, digits and `-`");
    }
    Some(text.to_owned())
}

/// Reads a regex and makes it match whole values only: the vendor does not say which, and a constraint that a value passes
/// because some part of it is harmless constrains nothing.
fn declared_regex(regex: &Field<'_>, kind: ParameterType) -> Option<Regex> {
    if kind != ParameterType::String {
        regex.breaks("must not be given, only a parameter of type `String` can have a regex");
        return None;
    }
    let pattern = regex.text(0..=usize::MAX)?;
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
    // By itself first: `a)(b` would only become a regex by the parentheses around it.
    let compiled = compile(pattern).and_then(|_| compile(&format!("^(?:{pattern})$")));
    if compiled.is_err() {
        regex.breaks("must be a regular expression, and not too large a one");
    }
    compiled.ok()
}

fn is_whole_number(value: &Value) -> bool {
    let Value::Number(number) = value else { return false };
    !number.to_string().contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests;
