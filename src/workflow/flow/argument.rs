//! What a function is given: a tree of constants and of places in the data.
//!
//! The vendor's rule for a text in `arguments` is `<JSONPath> | <constant or $CONST path>`, with strings in single quotes;
//! its samples have texts that are neither, such as `cn-north-7`, and those stand for themselves. Decided here:
//!
//! - `$CONST` paths are looked up when the definition is read: one that leads nowhere is refused. Behind a `|` the spelling
//!   `$.constants...` of the vendor's OpenAPI example means the same.
//! - A path with a fallback leads to one place. A value that is there counts even if it is null.
//! - A path without a fallback that leads nowhere fails the execution when it gets there; `on_errors` does not see it.
//! - A text that begins with `$` is a path and refused if it is none. Arrays hold constants only.
//! - The name of an argument does not end in `.$`, which the States Language reads as a path.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::path::Path;
use crate::workflow::members::Field;

/// What a function is given, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A value.
    Constant(Value),
    /// What is found in the data.
    Found(Source),
    /// What is found in the data, or else a value.
    FoundOr(Source, Value),
    /// An object, member by member.
    Object(BTreeMap<String, Argument>),
}

/// A place in the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which document.
    pub document: Document,
    /// Where in it.
    pub path: Path,
}

/// A document that arguments can be taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The input of the state, or what the action before it put out.
    Input,
    /// The input of the whole execution.
    Start,
}

/// Reads an argument of the v2 form.
pub(super) fn argument(field: &Field<'_>, constants: &Value) -> Option<Argument> {
    match field.value() {
        Value::Object(_) => object(field, |member| argument(member, constants)),
        Value::Array(_) => array(field, constants),
        Value::String(text) => text_argument(text, constants).map_err(|rule| field.breaks(rule)).ok(),
        value => Some(Argument::Constant(value.clone())),
    }
}

/// Reads an object, each member by `read`. It is a constant if everything in it is.
pub(super) fn object(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<Argument>) -> Option<Argument> {
    let mut members = BTreeMap::new();
    let mut is_complete = true;
    for (name, member) in field.object()?.all() {
        if name.ends_with(".$") {
            member.breaks("must have a name that does not end in `.$`");
        }
        match read(&member) {
            Some(argument) => _ = members.insert(name.to_owned(), argument),
            None => is_complete = false,
        }
    }
    if !is_complete {
        return None;
    }
    let constants: Option<Map<String, Value>> = members
        .iter()
        .map(|(name, member)| match member {
            Argument::Constant(value) => Some((name.clone(), value.clone())),
            Argument::Found(_) | Argument::FoundOr(..) | Argument::Object(_) => None,
        })
        .collect();
    Some(constants.map_or(Argument::Object(members), |constants| Argument::Constant(Value::Object(constants))))
}

fn array(field: &Field<'_>, constants: &Value) -> Option<Argument> {
    let constant = |entry: &Field<'_>| match argument(entry, constants)? {
        Argument::Constant(value) => Some(value),
        Argument::Found(_) | Argument::FoundOr(..) | Argument::Object(_) => {
            entry.breaks("must be a constant, like everything in an array");
            None
        }
    };
    let values: Vec<Option<Value>> = field.entries(0..=usize::MAX)?.iter().map(constant).collect();
    values.into_iter().collect::<Option<Vec<Value>>>().map(|values| Argument::Constant(Value::Array(values)))
}

/// Reads the text of an argument; the error is the rule that it breaks.
fn text_argument(text: &str, constants: &Value) -> Result<Argument, String> {
    let text = text.trim();
    if let Some(path) = text.strip_prefix("$CONST") {
        return constant_at(path, constants).map(Argument::Constant);
    }
    if !text.starts_with('$') {
        let unquoted = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(text);
        return Ok(Argument::Constant(Value::String(unquoted.to_owned())));
    }
    let (path, rest) = Path::prefix_of(text).map_err(|error| error.to_string())?;
    let source = Source { document: Document::Input, path };
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(Argument::Found(source));
    }
    let fallback = rest.strip_prefix('|').ok_or("must be a JSONPath, and `|` with a fallback or nothing after it")?;
    if !source.path.is_single() {
        return Err("must be a JSONPath of names and indexes only, because it has a fallback".to_owned());
    }
    Ok(Argument::FoundOr(source, fallback_of(fallback.trim(), constants)?))
}

fn fallback_of(text: &str, constants: &Value) -> Result<Value, String> {
    if let Some(path) = text.strip_prefix("$CONST").or_else(|| text.strip_prefix("$.constants")) {
        return constant_at(path, constants);
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'').filter(|inner| !inner.contains('\''));
        return inner
            .map(|inner| Value::String(inner.to_owned()))
            .ok_or_else(|| "must have a fallback string that ends with its single quote".to_owned());
    }
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "null" | "nil" => Ok(Value::Null),
        number => serde_json::from_str::<Number>(number).map(Value::Number).map_err(|_| {
            "must have as fallback a number, `true`, `false`, `null`, a string in single quotes, or a `$CONST` path"
                .to_owned()
        }),
    }
}

/// The constant to which the rest of a `$CONST` path leads.
fn constant_at(rest: &str, constants: &Value) -> Result<Value, String> {
    let path = Path::parse(&format!("${rest}")).map_err(|error| format!("{error} (after `$CONST`)"))?;
    match path.find(constants) {
        Some(value) if names_are_plain(value) => Ok(value.clone()),
        Some(_) => Err("must lead to a constant without names that end in `.$`".to_owned()),
        None => Err(format!("must lead to a constant of the workflow, `$CONST{}` is none", path.under(""))),
    }
}

fn names_are_plain(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().all(|(name, member)| !name.ends_with(".$") && names_are_plain(member)),
        Value::Array(entries) => entries.iter().all(names_are_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn constants() -> Value {
        json!({"a": {"b": [1.50, "x"]}, "bad": {"x.$": 1}})
    }

    fn read(value: &Value) -> Result<Argument, Vec<String>> {
        let problems = RefCell::default();
        let argument = argument(&Field::root(value, &problems), &constants());
        let problems: Vec<String> = problems.into_inner().iter().map(ToString::to_string).collect();
        match argument {
            Some(argument) if problems.is_empty() => Ok(argument),
            _ => Err(problems),
        }
    }

    fn input(path: &str) -> Source {
        Source { document: Document::Input, path: Path::parse(path).expect("a path") }
    }

    #[test]
    fn a_text_is_a_path_a_fallback_or_itself() {
        for (text, expected) in [
            ("$", Argument::Found(input("$"))),
            ("$.a.b[0].c", Argument::Found(input("$.a.b[0].c"))),
            ("$.a[?(@.b == '|')]", Argument::Found(input("$.a[?(@.b == '|')]"))),
            ("$.a | 'team-lead'", Argument::FoundOr(input("$.a"), json!("team-lead"))),
            ("$.a|''", Argument::FoundOr(input("$.a"), json!(""))),
            ("$.a | 'x | y'", Argument::FoundOr(input("$.a"), json!("x | y"))),
            ("$.a | false", Argument::FoundOr(input("$.a"), json!(false))),
            ("$.a | null", Argument::FoundOr(input("$.a"), Value::Null)),
            ("$.a | $CONST.a.b[1]", Argument::FoundOr(input("$.a"), json!("x"))),
            ("$.a | $.constants.a.b[1]", Argument::FoundOr(input("$.a"), json!("x"))),
            ("$CONST.a.b[1]", Argument::Constant(json!("x"))),
            ("$CONST.a", Argument::Constant(constants()["a"].clone())),
            ("cn-north-7", Argument::Constant(json!("cn-north-7"))),
            ("'quoted'", Argument::Constant(json!("quoted"))),
            ("", Argument::Constant(json!(""))),
        ] {
            assert_eq!(read(&json!(text)), Ok(expected), "{text}");
        }
        match read(&json!("$.a | 1.50")) {
            Ok(Argument::FoundOr(_, Value::Number(number))) => assert_eq!(number.to_string(), "1.50"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn objects_are_read_all_the_way_down() {
        let expected = BTreeMap::from([
            ("deep".to_owned(), Argument::Object(BTreeMap::from([("a".to_owned(), Argument::Found(input("$.a")))]))),
            ("fixed".to_owned(), Argument::Constant(json!({"n": 1, "s": "x"}))),
        ]);
        assert_eq!(
            read(&json!({"deep": {"a": "$.a"}, "fixed": {"n": 1, "s": "$CONST.a.b[1]"}})),
            Ok(Argument::Object(expected))
        );
        assert_eq!(read(&json!(["$CONST.a.b[1]", 1])), Ok(Argument::Constant(json!(["x", 1]))));
    }

    #[test]
    fn every_broken_rule_is_named() {
        for (value, message) in [
            (json!({"a": "$a"}), "`a` must be a JSONPath, and `|` with a fallback or nothing after it"),
            (
                json!({"a": "$..a"}),
                "`a` must be a JSONPath of `.name`, `['name']`, `[0]`, `[*]`, `[0:2]` and `[?(@.name == 1)]` only",
            ),
            (json!({"a": "$CONST.c"}), "`a` must lead to a constant of the workflow, `$CONST.c` is none"),
            (json!({"a": "$.a | $CONST.c"}), "`a` must lead to a constant of the workflow, `$CONST.c` is none"),
            (json!({"a": "$CONST.bad"}), "`a` must lead to a constant without names that end in `.$`"),
            (
                json!({"a": "$.a | apple"}),
                "`a` must have as fallback a number, `true`, `false`, `null`, a string in single quotes, or a `$CONST` path",
            ),
            (json!({"a": "$.a | 'x"}), "`a` must have a fallback string that ends with its single quote"),
            (json!({"a": "$.a[*] | 1"}), "`a` must be a JSONPath of names and indexes only, because it has a fallback"),
            (json!({"a": ["$.b"]}), "`a[0]` must be a constant, like everything in an array"),
            (json!({"a.$": 1}), "`a.$` must have a name that does not end in `.$`"),
        ] {
            assert_eq!(read(&value), Err(vec![message.to_owned()]), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\$(CONST)?)?[.a-b\\[\\]0-1'|$ ?(@)-]{0,20}") {
            let _ = read(&Value::String(text));
        }

        #[test]
        fn a_fallback_is_read_as_it_is_written(text in "[^']{0,10}", number in any::<i64>()) {
            prop_assert_eq!(
                read(&json!(format!("$.a | '{text}'"))),
                Ok(Argument::FoundOr(input("$.a"), Value::String(text)))
            );
            prop_assert_eq!(read(&json!(format!("$.a|{number}"))), Ok(Argument::FoundOr(input("$.a"), json!(number))));
        }
    }
}
