//! How much of the inputs and outputs of nodes an answer shows.

use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Most bytes of values in one answer: with escapes it stays below what Lambda takes (6 MB).
const MOST: usize = 2 * 1024 * 1024;

/// The longest value shown to who did not ask for whole ones, in bytes.
const SHORT: usize = 4096;

/// The beginning of a value that is too long, in bytes at most.
const BEGINNING: usize = 1024;

/// Decides which values are shown whole, in the order in which it is asked.
pub(super) struct Values {
    longest: usize,
    left: usize,
}

impl Values {
    /// Shows values whole, as long as there is room in the answer.
    pub(super) fn whole() -> Self {
        Self { longest: MOST, left: MOST }
    }

    /// Shows only short values whole.
    pub(super) fn short() -> Self {
        Self { longest: SHORT, left: MOST }
    }

    /// A value as JSON text: itself, or an object that says how long it is and how it begins.
    pub(super) fn text(&mut self, value: &Value) -> String {
        let whole = value.to_string();
        if whole.len() <= self.longest && whole.len() <= self.left {
            self.left -= whole.len();
            return whole;
        }
        let end = (0..=BEGINNING).rev().find(|end| whole.is_char_boundary(*end)).unwrap_or_default();
        json!({"flowgate_value_cut": {"bytes": whole.len(), "beginning": &whole[..end]}}).to_string()
    }

    /// The same as JSON.
    pub(super) fn json(&mut self, value: &Value) -> Box<RawValue> {
        RawValue::from_string(self.text(value)).expect("a value is written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_whole_while_there_is_room() {
        let long = Value::from("é".repeat(SHORT));
        let (mut short, mut whole) = (Values::short(), Values::whole());
        assert_eq!(short.text(&json!({"a": 1})), "{\"a\":1}");
        assert!(short.text(&long).starts_with("{\"flowgate_value_cut\":{\"beginning\":\"\\\"éé"));
        assert_eq!(whole.text(&long), long.to_string());
        let huge = Value::from("x".repeat(MOST - 100));
        assert!(whole.text(&huge).contains("flowgate_value_cut"), "the first took its part");
    }
}
