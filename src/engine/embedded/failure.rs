//! Errors of the States Language: a name and a cause.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a state or a function failed, in the States Language's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name of the error, such as `States.Timeout`. A function's error has the name that the function gave it.
    #[serde(rename = "e")]
    pub error: String,
    /// What a person should know, or for an error that a function threw, what it sent.
    #[serde(rename = "c")]
    pub cause: String,
}

/// The most that a state may put out, be given or get from a function, in bytes of JSON.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const MAX_BYTES: usize = 262_144;

impl Failure {
    /// `States.Runtime`: the machine asks for something that is not there. No state catches it.
    pub(super) const RUNTIME: &'static str = "States.Runtime";

    /// `States.DataLimitExceeded`: a document is too large. No state catches it.
    pub(super) const DATA_LIMIT: &'static str = "States.DataLimitExceeded";

    /// `States.Timeout`: a function did not answer in time.
    pub const TIMEOUT: &'static str = "States.Timeout";

    /// A failure of this name.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    pub(super) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(Self::RUNTIME, cause)
    }

    pub(super) fn intrinsic(cause: impl Into<String>) -> Self {
        Self::new("States.IntrinsicFailure", cause)
    }

    /// The failure, with the state it happened in named in its cause.
    pub(super) fn within(self, state: &str) -> Self {
        Self { cause: format!("state `{state}`: {}", self.cause), ..self }
    }
}

/// Checks that a document is not larger than a state may handle.
///
/// # Errors
/// `States.DataLimitExceeded`.
pub(super) fn within_limit(document: &Value) -> Result<(), Failure> {
    let bytes = bytes(document);
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    let cause = format!("a document of {bytes} bytes is larger than the limit of {MAX_BYTES} bytes");
    Err(Failure::new(Failure::DATA_LIMIT, cause))
}

/// The length of a document as JSON without white space, in bytes.
pub(super) fn bytes(document: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, document).expect("a JSON value can be written, and counting does not fail");
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_measured_in_bytes_of_its_text() {
        assert_eq!(bytes(&json!({"a": "流", "b": [1, null]})), r#"{"a":"流","b":[1,null]}"#.len());
        let limit = |characters: usize| within_limit(&"x".repeat(characters).into());
        assert_eq!(limit(MAX_BYTES - 2), Ok(()));
        assert_eq!(limit(MAX_BYTES - 1).map_err(|failure| failure.error), Err("States.DataLimitExceeded".to_owned()));
    }
}
