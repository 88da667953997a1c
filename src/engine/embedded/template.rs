//! Templates: `Parameters` and `ResultSelector`, and the intrinsic functions in them.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::failure::Failure;
use super::path::{Documents, Path};
use crate::json;

/// A document with places to fill in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Template {
    /// As it is.
    Literal(Value),
    /// A member whose name ends in `.$`.
    Found(Expression),
    /// An object, its members without the `.$`.
    Object(BTreeMap<String, Template>),
}

/// A path, or an intrinsic function.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Path(Path),
    Literal(Value),
    Call(Intrinsic, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intrinsic {
    JsonMerge,
    StringToJson,
    JsonToString,
    MathAdd,
    Array,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(value: Value) -> Result<Self, String> {
        let Value::Object(members) = value else { return Ok(Self::Literal(value)) };
        let mut read = BTreeMap::new();
        for (name, value) in members {
            match name.strip_suffix(".$") {
                None => read.insert(name, Self::parse(value)?),
                Some(plain) => {
                    let text = value.as_str().ok_or_else(|| format!("`{name}` must be a text"))?;
                    read.insert(plain.to_owned(), Self::Found(Expression::parse(text)?))
                }
            };
        }
        Ok(Self::Object(read))
    }

    /// The document with everything filled in.
    ///
    /// # Errors
    /// `States.Runtime` where a path leads to nothing, `States.IntrinsicFailure` where a function cannot do its work.
    pub(super) fn fill(&self, documents: Documents<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Found(expression) => expression.evaluate(documents),
            Self::Object(members) => {
                let members = members.iter().map(|(name, member)| Ok((name.clone(), member.fill(documents)?)));
                members.collect::<Result<_, Failure>>().map(Value::Object)
            }
        }
    }
}

impl Expression {
    /// Reads a path or a call of an intrinsic function.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no function that this engine knows");
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path);
        }
        let Some((function, arguments)) = text.split_once('(') else {
            return json::value(text).map(Self::Literal).map_err(|_| refused());
        };
        let arguments = arguments.strip_suffix(')').ok_or_else(refused)?;
        let (intrinsic, expected) = match function {
            "States.JsonMerge" => (Intrinsic::JsonMerge, Some(3)),
            "States.StringToJson" => (Intrinsic::StringToJson, Some(1)),
            "States.JsonToString" => (Intrinsic::JsonToString, Some(1)),
            "States.MathAdd" => (Intrinsic::MathAdd, Some(2)),
            "States.Array" => (Intrinsic::Array, None),
            _ => return Err(refused()),
        };
        let arguments = split(arguments).into_iter().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if expected.is_some_and(|expected| expected != arguments.len()) {
            return Err(refused());
        }
        Ok(Self::Call(intrinsic, arguments))
    }

    /// What the path leads to, or what the function returns.
    ///
    /// # Errors
    /// As [`Template::fill`].
    pub(super) fn evaluate(&self, documents: Documents<'_>) -> Result<Value, Failure> {
        match self {
            Self::Path(path) => path.find(documents),
            Self::Literal(value) => Ok(value.clone()),
            Self::Call(intrinsic, arguments) => {
                let arguments = arguments.iter().map(|argument| argument.evaluate(documents));
                intrinsic.apply(arguments.collect::<Result<_, _>>()?)
            }
        }
    }
}

impl Intrinsic {
    fn apply(self, arguments: Vec<Value>) -> Result<Value, Failure> {
        match (self, arguments.as_slice()) {
            (Self::Array, _) => Ok(Value::Array(arguments)),
            (Self::JsonMerge, [Value::Object(one), Value::Object(other), Value::Bool(false)]) => {
                let members = one.iter().chain(other);
                Ok(Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()))
            }
            (Self::JsonToString, [value]) => Ok(Value::String(value.to_string())),
            (Self::StringToJson, [Value::String(text)]) => json::value(text)
                .map_err(|_| Failure::intrinsic("States.StringToJson was given a text that is not JSON")),
            (Self::MathAdd, [Value::Number(one), Value::Number(other)]) => sum(one, other).ok_or_else(|| {
                Failure::intrinsic("States.MathAdd was given no whole numbers, or their sum is too large")
            }),
            _ => Err(Failure::intrinsic(format!("States.{self:?} was given values that it does not take"))),
        }
    }
}

fn sum(one: &Number, other: &Number) -> Option<Value> {
    one.as_i64()?.checked_add(other.as_i64()?).map(Value::from)
}

/// The arguments of a function, which commas separate.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: Value, document: &Value) -> Result<Value, String> {
        let documents = Documents { input: document, execution_input: document };
        Template::parse(template)?.fill(documents).map_err(|failure| failure.error)
    }

    #[test]
    fn a_template_is_filled_in_at_any_depth_but_not_inside_arrays() {
        let document = json!({"a": {"b": 2}});
        let template = json!({"x.$": "$.a.b", "y": {"z.$": "$.a", "k": "$.a"}, "l": [{"m.$": "$.a"}], "n": 1});
        let filled = json!({"x": 2, "y": {"z": {"b": 2}, "k": "$.a"}, "l": [{"m.$": "$.a"}], "n": 1});
        assert_eq!(fill(template, &document), Ok(filled));
        assert_eq!(fill(json!({"x.$": "$.c"}), &document), Err(Failure::RUNTIME.to_owned()));
    }

    #[test]
    fn intrinsics_do_what_aws_documents() {
        let number = json::value("1.50").expect("JSON");
        let document = json!({"a": {"k": 1, "l": 2}, "b": {"k": {"n": 3}}, "text": "{\"k\": 9}", "n": 41, "d": number});
        for (text, result) in [
            ("States.JsonMerge($.a, $.b, false)", json!({"k": {"n": 3}, "l": 2})),
            ("States.JsonMerge($.a, States.StringToJson($.text), false)", json!({"k": 9, "l": 2})),
            ("States.JsonToString($.a)", json!("{\"k\":1,\"l\":2}")),
            ("States.JsonToString($.d)", json!("1.50")),
            ("States.MathAdd($.n, 1)", json!(42)),
            ("States.MathAdd($.n, -1)", json!(40)),
            ("States.Array($.n, $.text)", json!([41, "{\"k\": 9}"])),
            ("States.Array($.n)", json!([41])),
        ] {
            assert_eq!(fill(json!({"x.$": text}), &document), Ok(json!({"x": result})), "{text}");
        }
        for text in [
            "States.JsonMerge($.a, $.n, false)",
            "States.JsonMerge($.a, $.b, true)",
            "States.StringToJson($.a)",
            "States.MathAdd($.text, 1)",
            "States.MathAdd($.d, 1)",
            "States.MathAdd($.n, 9223372036854775807)",
        ] {
            assert_eq!(fill(json!({"x.$": text}), &document), Err("States.IntrinsicFailure".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_the_compiler_does_not_write_is_refused() {
        for text in
            ["", "States.UUID()", "States.MathAdd($.a)", "States.Array($.a", "a.b", "States.JsonMerge($.a,, $.b)"]
        {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        assert!(Template::parse(json!({"x.$": 1})).is_err());
    }
}
