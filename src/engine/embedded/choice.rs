//! The rules of Choice states.

use serde_json::{Number, Value};

use super::failure::Failure;
use super::machine::Fields;
use super::path::{Documents, Path};

/// A rule, which holds or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Path, Test),
}

/// What is asked of one value. A value of another type than the operator is about does not pass.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    IsPresent(bool),
    IsNull(bool),
    BooleanEquals(bool),
    NumericEquals(f64),
    NumericLessThan(f64),
    NumericLessThanEquals(f64),
    NumericGreaterThan(f64),
    NumericGreaterThanEquals(f64),
    StringEquals(String),
    /// The pieces between the asterisks, which stand for any text.
    StringMatches(Vec<String>),
}

impl Rule {
    /// Takes a rule out of the fields that hold it, and leaves the others.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(fields: &mut Fields) -> Result<Self, String> {
        for (name, rule) in [("And", Self::And as fn(Vec<Self>) -> Self), ("Or", Self::Or)] {
            if let Some(parts) = fields.list(name)? {
                let parts = parts.into_iter().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
                return if parts.is_empty() { Err(format!("`{name}` is empty")) } else { Ok(rule(parts)) };
            }
        }
        if let Some(part) = fields.take("Not") {
            return Ok(Self::Not(Box::new(Self::parse(part)?)));
        }
        let variable = Path::parse(&fields.text("Variable")?)?;
        if !variable.is_single() {
            return Err(format!("`{}` leads to more than one place", variable.text()));
        }
        Ok(Self::Test(variable, Test::take(fields)?))
    }

    fn parse(value: Value) -> Result<Self, String> {
        let mut fields = Fields::of(value)?;
        let rule = Self::take(&mut fields)?;
        fields.end()?;
        Ok(rule)
    }

    /// Whether the rule holds. The first part of an `And` or `Or` that decides it is the last that is looked at.
    ///
    /// # Errors
    /// `States.Runtime` when the path of a test leads to nothing, unless that is what is asked.
    pub(super) fn holds(&self, documents: Documents<'_>) -> Result<bool, Failure> {
        match self {
            Self::And(parts) => {
                for part in parts {
                    if !part.holds(documents)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(parts) => {
                for part in parts {
                    if part.holds(documents)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(part) => part.holds(documents).map(|holds| !holds),
            Self::Test(variable, Test::IsPresent(expected)) => Ok(variable.place(documents).is_some() == *expected),
            Self::Test(variable, test) => {
                let nothing = || Failure::runtime(format!("the path `{}` leads to nothing", variable.text()));
                Ok(test.passes(variable.place(documents).ok_or_else(nothing)?))
            }
        }
    }
}

impl Test {
    fn take(fields: &mut Fields) -> Result<Self, String> {
        let (operator, operand) = fields.any().ok_or("a rule has no operator")?;
        let numeric = |test: fn(f64) -> Self, operand: &Value| operand.as_number().map(|number| test(size(number)));
        let test = match operator.as_str() {
            "IsPresent" => operand.as_bool().map(Self::IsPresent),
            "IsNull" => operand.as_bool().map(Self::IsNull),
            "BooleanEquals" => operand.as_bool().map(Self::BooleanEquals),
            "NumericEquals" => numeric(Self::NumericEquals, &operand),
            "NumericLessThan" => numeric(Self::NumericLessThan, &operand),
            "NumericLessThanEquals" => numeric(Self::NumericLessThanEquals, &operand),
            "NumericGreaterThan" => numeric(Self::NumericGreaterThan, &operand),
            "NumericGreaterThanEquals" => numeric(Self::NumericGreaterThanEquals, &operand),
            "StringEquals" => operand.as_str().map(|text| Self::StringEquals(text.to_owned())),
            "StringMatches" => operand
                .as_str()
                .filter(|pattern| !pattern.contains('\\'))
                .map(|pattern| Self::StringMatches(pattern.split('*').map(str::to_owned).collect())),
            _ => None,
        };
        test.ok_or_else(|| {
            format!("`{operator}` is no operator that this engine knows, or has a value it does not take")
        })
    }

    fn passes(&self, value: &Value) -> bool {
        let number = value.as_number().map(size);
        match self {
            Self::IsPresent(expected) => *expected,
            Self::IsNull(expected) => value.is_null() == *expected,
            Self::BooleanEquals(expected) => value.as_bool() == Some(*expected),
            Self::NumericEquals(expected) => number.is_some_and(|number| number == *expected),
            Self::NumericLessThan(limit) => number.is_some_and(|number| number < *limit),
            Self::NumericLessThanEquals(limit) => number.is_some_and(|number| number <= *limit),
            Self::NumericGreaterThan(limit) => number.is_some_and(|number| number > *limit),
            Self::NumericGreaterThanEquals(limit) => number.is_some_and(|number| number >= *limit),
            Self::StringEquals(expected) => value.as_str() == Some(expected),
            Self::StringMatches(pieces) => value.as_str().is_some_and(|text| matches(text, pieces)),
        }
    }
}

/// A number as a double: the States Language promises no comparison that is finer.
/// <https://states-language.net/#choice-state>
fn size(number: &Number) -> f64 {
    number.as_str().parse().expect("a JSON number is a number, and one beyond a double is infinite")
}

/// Whether a text is the pieces in their order with anything in between.
fn matches(text: &str, pieces: &[String]) -> bool {
    let [first, between @ .., last] = pieces else {
        return pieces.iter().all(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in between {
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::value;

    fn holds(rule: Value, document: &Value) -> Result<bool, String> {
        let documents = Documents { input: document, execution_input: document };
        Rule::parse(rule)?.holds(documents).map_err(|failure| failure.error)
    }

    #[test]
    fn each_operator_passes_values_of_its_type_only() {
        let huge = value(r#"{"x": 1e999}"#).expect("JSON");
        for (operator, operand, value, expected) in [
            ("IsNull", json!(true), json!(null), true),
            ("IsNull", json!(false), json!(0), true),
            ("BooleanEquals", json!(true), json!(true), true),
            ("BooleanEquals", json!(false), json!(null), false),
            ("NumericEquals", json!(1), value("1.0").expect("JSON"), true),
            ("NumericEquals", json!(1), json!("1"), false),
            ("NumericLessThan", json!(3), json!(2.5), true),
            ("NumericLessThan", json!(3), json!(3), false),
            ("NumericLessThanEquals", json!(3), json!(3), true),
            ("NumericGreaterThan", json!(-1), json!(0), true),
            ("NumericGreaterThan", json!(9e300), huge["x"].clone(), true),
            ("NumericGreaterThanEquals", json!(3), json!(2), false),
            ("NumericGreaterThanEquals", json!(3), json!([4]), false),
            ("StringEquals", json!("a"), json!("a"), true),
            ("StringEquals", json!("1"), json!(1), false),
            ("StringMatches", json!("{*}"), json!("{\"a\": 1}"), true),
            ("StringMatches", json!("{*}"), json!("{"), false),
            ("StringMatches", json!("{*"), json!("{"), true),
            ("StringMatches", json!("{*"), json!(" {"), false),
            ("StringMatches", json!("a*b*b"), json!("aXb"), false),
            ("StringMatches", json!("a*b*b"), json!("abXb"), true),
            ("StringMatches", json!("*"), json!(""), true),
            ("StringMatches", json!("*"), json!({}), false),
        ] {
            let document = json!({"x": value});
            assert_eq!(
                holds(json!({"Variable": "$.x", operator: operand}), &document),
                Ok(expected),
                "{operator} {document}"
            );
        }
    }

    #[test]
    fn a_path_that_leads_to_nothing_fails_unless_presence_is_asked() {
        let document = json!({"x": 1});
        let present = |path: &str, expected: bool| json!({"Variable": path, "IsPresent": expected});
        assert_eq!(holds(present("$.y", true), &document), Ok(false));
        assert_eq!(holds(present("$.y", false), &document), Ok(true));
        assert_eq!(holds(present("$.x", true), &document), Ok(true));
        let missing = json!({"Variable": "$.y", "IsNull": true});
        assert_eq!(holds(missing.clone(), &document), Err(Failure::RUNTIME.to_owned()));
        let guarded = json!({"And": [present("$.y", true), missing]});
        assert_eq!(holds(guarded.clone(), &document), Ok(false));
        assert_eq!(holds(json!({"Not": guarded}), &document), Ok(true));
        let decided = json!({"Or": [present("$.y", false), missing]});
        assert_eq!(holds(decided, &document), Ok(true));
        assert_eq!(holds(json!({"Or": [present("$.y", true), missing]}), &document), Err(Failure::RUNTIME.to_owned()));
    }

    #[test]
    fn what_the_compiler_does_not_write_is_refused() {
        for rule in [
            json!({"And": []}),
            json!({"Variable": "$.x"}),
            json!({"Variable": "$.x", "StringLessThan": "a"}),
            json!({"Variable": "$.x", "StringMatches": "\\*"}),
            json!({"Variable": "$.x", "NumericEquals": "1"}),
            json!({"Variable": "$.x", "IsNull": true, "IsPresent": true}),
            json!({"Variable": "$.x[*]", "IsNull": true}),
            json!({"Not": {"Variable": "$.x", "IsNull": true, "Next": "y"}}),
            json!("x"),
        ] {
            assert!(Rule::parse(rule.clone()).is_err(), "{rule}");
        }
    }
}
