//! JSON a caller sent, kept as the text it arrived in: re-writing it could round a number or reorder an object that the
//! caller will read back later.

use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The members of a JSON object in their original text. Of a repeated member the last one counts.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// Splits a JSON object into its members.
///
/// # Errors
/// The text is not JSON, nests deeper than serde_json's limit of 128 levels, or is not an object.
pub fn members(text: &[u8]) -> Result<Members, Invalid> {
    // Splitting alone would neither bound the depth nor tell "not JSON" from "not an object".
    match serde_json::from_slice::<Value>(text).map_err(|_| Invalid::Syntax)? {
        Value::Object(_) => serde_json::from_slice(text).map_err(|_| Invalid::Syntax),
        _ => Err(Invalid::NotAnObject),
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
        let text = text.trim_ascii();
        let value = serde_json::from_str(text).map_err(|_| Invalid::Syntax)?;
        Ok(Self { text: text.to_owned(), value })
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
    use super::*;

    #[test]
    fn a_number_keeps_its_text() {
        let json = JsonText::parse(" {\"n\": 1E5, \"m\": 12345678901234567890.10} ").expect("valid JSON");
        assert_eq!(json.as_str(), "{\"n\": 1E5, \"m\": 12345678901234567890.10}");
        let members = members(b"{\"n\": 1.50, \"n\": 1.500}").expect("an object");
        assert_eq!(members["n"].get(), "1.500", "the last of a repeated member counts");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(JsonText::parse(&nested(127)).is_ok());
        assert_eq!(JsonText::parse(&nested(129)), Err(Invalid::Syntax));
        let deep_member = format!("{{\"a\":{}}}", nested(100_000));
        assert_eq!(members(deep_member.as_bytes()).err(), Some(Invalid::Syntax));
    }

    #[test]
    fn only_an_object_has_members() {
        for text in ["[]", "3", "null", "\"{}\""] {
            assert_eq!(members(text.as_bytes()).err(), Some(Invalid::NotAnObject), "{text}");
        }
        assert_eq!(members(b"{\"a\":}").err(), Some(Invalid::Syntax));
        assert_eq!(members(&[0xff]).err(), Some(Invalid::Syntax));
    }
}
