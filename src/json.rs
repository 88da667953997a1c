//! JSON a caller sent, kept as the text it arrived in: re-writing it could round a number or reorder an object that the
//! caller will read back later.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The members of a JSON object in their original text. Of a repeated member the last one counts.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// How many arrays and objects may lie within each other.
const MAX_DEPTH: usize = 128;

/// What JSON calls white space.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Splits a JSON object into its members, which are not looked into.
///
/// # Errors
/// The text is not JSON, has a member that nests more than 128 deep, or is not an object.
pub fn members(text: &[u8]) -> Result<Members, Invalid> {
    let text = std::str::from_utf8(text).map_err(|_| Invalid::Syntax)?.trim_matches(WHITE_SPACE);
    if depth(text) > MAX_DEPTH + 1 {
        return Err(Invalid::Syntax);
    }
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|_| Invalid::Syntax);
    }
    serde_json::from_str::<&RawValue>(text).map_err(|_| Invalid::Syntax)?;
    Err(Invalid::NotAnObject)
}

/// How deep the arrays and objects of a JSON text lie within each other.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads any JSON value, nested at most 128 deep.
///
/// serde_json's own reading of a [`Value`] is not safe for a caller's text once numbers keep theirs: an object with a member
/// `$serde_json::private::Number` becomes a number, and one with `...RawValue` is parsed again with a fresh limit of depth,
/// until the stack is used up. So containers are split here, and only their leaves are left to serde_json.
///
/// # Errors
/// [`Invalid::Syntax`] when the text is not JSON or nests too deeply.
pub fn value(text: &str) -> Result<Value, Invalid> {
    value_within(text, MAX_DEPTH)
}

/// Reads a JSON value that this program wrote, nested at most 512 deep: what a caller and a definition sent may be put into
/// each other.
///
/// # Errors
/// As [`value`].
pub fn own_value(text: &str) -> Result<Value, Invalid> {
    value_within(text, 4 * MAX_DEPTH)
}

fn value_within(text: &str, depth: usize) -> Result<Value, Invalid> {
    let text = text.trim_matches(WHITE_SPACE);
    let leaf = |value: Result<Value, serde_json::Error>| value.map_err(|_| Invalid::Syntax);
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth == 0 => Err(Invalid::Syntax),
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|_| Invalid::Syntax)?;
            let members = members.into_iter().map(|(name, raw)| Ok((name, value_within(raw.get(), depth - 1)?)));
            members.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Invalid::Syntax)?;
            let elements = elements.into_iter().map(|raw| value_within(raw.get(), depth - 1));
            elements.collect::<Result<_, _>>().map(Value::Array)
        }
        Some(b'"') => leaf(serde_json::from_str(text).map(Value::String)),
        Some(b't' | b'f') => leaf(serde_json::from_str(text).map(Value::Bool)),
        Some(b'n') => leaf(serde_json::from_str::<()>(text).map(|()| Value::Null)),
        _ => leaf(serde_json::from_str::<Number>(text).map(Value::Number)),
    }
}

/// Why a text is not the JSON that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not JSON, or nested too deeply to be read.
    #[error("is not valid JSON")]
    Syntax,
    /// JSON, but another kind of value than an object.
    #[error("must be a JSON object")]
    NotAnObject,
}

/// A JSON value as text, with its parsed form beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonText {
    text: String,
    value: Value,
}

impl JsonText {
    /// Reads any JSON value.
    ///
    /// # Errors
    /// [`Invalid::Syntax`] when the text is not JSON or nests too deeply.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim_matches(WHITE_SPACE);
        Ok(Self { text: text.to_owned(), value: value(text)? })
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// As [`JsonText::parse`], and [`Invalid::NotAnObject`] for any other kind of value.
    pub fn parse_object(text: &str) -> Result<Self, Invalid> {
        let json = Self::parse(text)?;
        if json.value.is_object() { Ok(json) } else { Err(Invalid::NotAnObject) }
    }

    /// The text as the caller wrote it, without surrounding white space.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed value. Its text form is canonical: keys sorted, no white space.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_keeps_its_text() {
        let json = JsonText::parse(" {\"n\": 1E5, \"m\": 12345678901234567890.10} ").expect("valid JSON");
        assert_eq!(json.as_str(), "{\"n\": 1E5, \"m\": 12345678901234567890.10}");
        let members = members(b"{\"n\": 1.50, \"n\": 1.500}").expect("an object");
        assert_eq!(members["n"].get(), "1.500", "the last of a repeated member counts");
    }

    #[test]
    fn values_nest_at_most_128_deep() {
        let lists = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        for nested in [lists, objects] {
            assert!(JsonText::parse(&nested(128)).is_ok());
            assert_eq!(JsonText::parse(&nested(129)), Err(Invalid::Syntax));
            assert_eq!(JsonText::parse(&nested(30_000)), Err(Invalid::Syntax));
        }
        for (levels, expected) in [(128, true), (129, false), (100_000, false)] {
            let object = format!("{{\"a\":\"\\\\\\\"[[[\",\"b\":[],\"c\":{}}}", lists(levels));
            assert_eq!(members(object.as_bytes()).is_ok(), expected, "{levels}");
        }
        assert_eq!(members(lists(200).as_bytes()).err(), Some(Invalid::Syntax));
    }

    #[test]
    fn what_serde_json_keeps_for_itself_is_an_ordinary_member() {
        for private in ["Number", "RawValue"] {
            let text = format!("{{\"$serde_json::private::{private}\":\"1\"}}");
            let json = JsonText::parse_object(&text).expect("an object");
            assert_eq!(json.value().to_string(), text);
            assert_ne!(json.value(), JsonText::parse("1").expect("a number").value());
        }
        let mut layers = String::from("1");
        for _ in 0..40 {
            let inner = Value::from("[".repeat(100) + &layers + &"]".repeat(100));
            layers = format!("{{\"$serde_json::private::RawValue\":{inner}}}");
            if layers.len() > 200_000 {
                break;
            }
        }
        assert!(JsonText::parse(&layers).is_ok());
    }

    #[test]
    fn only_an_object_has_members() {
        for text in ["[]", "3", "null", "\"{}\""] {
            assert_eq!(members(text.as_bytes()).err(), Some(Invalid::NotAnObject), "{text}");
        }
        assert_eq!(members(b"{\"a\":}").err(), Some(Invalid::Syntax));
        assert_eq!(members(&[0xff]).err(), Some(Invalid::Syntax));
    }

    proptest! {
        #[test]
        fn what_is_json_and_what_it_says_is_as_serde_json_has_it(text in "[\\[\\]{}:,\"a1e.+ \t\\\\u0-]{0,24}") {
            let expected = serde_json::from_str::<Value>(&text).ok();
            prop_assert_eq!(value(&text).ok(), expected);
        }
    }
}
