//! What is written down of a run.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::failure::Failure;
use crate::clock::Timestamp;
use crate::json;

/// Which branch of a run: at each Parallel state on the way to it, the number of the branch from 0. Empty is the machine
/// itself.
pub type BranchId = Vec<u16>;

/// One line of a journal: something happened to a state, and need not be found out again.
///
/// Its text is JSON with short names. It is read with [`serde_json::from_str`]; from a [`Value`] it cannot be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The branch that the state belongs to.
    #[serde(rename = "b", default, skip_serializing_if = "Vec::is_empty")]
    pub branch: BranchId,
    /// The name of the state.
    #[serde(rename = "s")]
    pub state: String,
    /// When it happened.
    #[serde(rename = "t", with = "millis")]
    pub at: Timestamp,
    /// What happened.
    #[serde(rename = "e")]
    pub event: Event,
}

/// What happened to a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It ended. The output is its input, with the result where the state's `ResultPath` says.
    #[serde(rename = "done")]
    Done {
        /// The result; none where the output is the input.
        #[serde(rename = "r", default, skip_serializing_if = "Option::is_none", with = "result")]
        result: Option<Value>,
        /// The state that follows; none at the end of a branch.
        #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    /// It failed, and one of its catchers leads on. The output is its input, with a document of the failure where the
    /// catcher's `ResultPath` says.
    #[serde(rename = "caught")]
    Caught {
        /// The number of the catcher, from 0.
        #[serde(rename = "i")]
        catcher: usize,
        /// What was caught.
        #[serde(rename = "f")]
        failure: Failure,
    },
    /// It waits until then.
    #[serde(rename = "waits")]
    Waits {
        /// When it goes on.
        #[serde(rename = "u", with = "millis")]
        until: Timestamp,
    },
    /// Its call failed and is repeated then.
    #[serde(rename = "repeats")]
    Repeats {
        /// When the call is repeated.
        #[serde(rename = "u", with = "millis")]
        until: Timestamp,
        /// Why the last one failed.
        #[serde(rename = "f")]
        failure: Failure,
    },
    /// It failed, and the execution with it.
    #[serde(rename = "failed")]
    Failed {
        /// Why.
        #[serde(rename = "f")]
        failure: Failure,
    },
    /// The time of the execution was up.
    #[serde(rename = "late")]
    TimedOut,
}

impl Event {
    /// Whether the state is left by it, for another one or at the end of its branch.
    pub(super) fn ends_state(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Caught { .. } => true,
            Self::Waits { .. } | Self::Repeats { .. } | Self::Failed { .. } | Self::TimedOut => false,
        }
    }
}

mod millis {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

/// Results come from functions: `json` says why they are not left to serde_json.
mod result {
    use serde::de::Error;

    use super::{Deserialize, Deserializer, RawValue, Serialize, Serializer, Value, json};

    pub(super) fn serialize<S: Serializer>(result: &Option<Value>, serializer: S) -> Result<S::Ok, S::Error> {
        result.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        json::own_value(text.get()).map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(event: Event) -> String {
        let entry = Entry { branch: Vec::new(), state: "s".to_owned(), at: Timestamp::from_millis(5), event };
        let text = serde_json::to_string(&entry).expect("an entry is written");
        assert_eq!(serde_json::from_str::<Entry>(&text).expect("what was written is read"), entry);
        text
    }

    #[test]
    fn an_entry_is_short_and_says_everything() {
        let failure = || Failure::new("E", "why");
        let until = Timestamp::from_millis(7);
        for (event, text) in [
            (Event::Done { result: None, next: None }, r#"{"done":{}}"#),
            (Event::Done { result: Some(Value::Null), next: Some("n".to_owned()) }, r#"{"done":{"r":null,"n":"n"}}"#),
            (Event::Caught { catcher: 1, failure: failure() }, r#"{"caught":{"i":1,"f":{"e":"E","c":"why"}}}"#),
            (Event::Waits { until }, r#"{"waits":{"u":7}}"#),
            (Event::Repeats { until, failure: failure() }, r#"{"repeats":{"u":7,"f":{"e":"E","c":"why"}}}"#),
            (Event::Failed { failure: failure() }, r#"{"failed":{"f":{"e":"E","c":"why"}}}"#),
            (Event::TimedOut, r#""late""#),
        ] {
            assert_eq!(written(event), format!(r#"{{"s":"s","t":5,"e":{text}}}"#));
        }
    }

    #[test]
    fn a_function_cannot_send_what_serde_json_would_mistake() {
        for text in [r#"{"$serde_json::private::Number":"1"}"#, r#"{"$serde_json::private::RawValue":"[1]"}"#, "1.50"] {
            let result = json::value(text).expect("JSON");
            assert_eq!(result.to_string(), text);
            assert!(written(Event::Done { result: Some(result), next: None }).contains(text));
        }
    }

    #[test]
    fn what_a_function_may_send_is_read_again_however_it_was_wrapped() {
        let deep = json::value(&("[".repeat(128) + &"]".repeat(128))).expect("as deep as it may be");
        let wrapped = (0..200).fold(deep, |inner, _| Value::Array(vec![inner]));
        written(Event::Done { result: Some(wrapped), next: None });
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = serde_json::from_str::<Entry>(&text);
        }
    }
}
