//! Errors as the log has them.

use std::error::Error;

/// An error and everything that caused it, in one line. The SDK's own way to show this adds `Debug` output, which may hold
/// the body of an answer, and so a secret.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
