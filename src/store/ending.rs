//! How much of an ending is kept: an item of the table holds 400 KB, and the embedded store does not behave otherwise.

use serde_json::json;

use crate::execution::{Ending, Execution, Failure};
use crate::json::JsonText;

/// The largest item that DynamoDB takes, in bytes.
const MAX_ITEM_BYTES: usize = 400 * 1024;

/// What an execution's item needs beside its input, headers, output and the cause of its failure, in bytes: names of
/// attributes, and values of at most some hundred characters each.
const OTHER_BYTES: usize = 16 * 1024;

/// The ending as it is stored: what would make the execution's item too large is cut, and says so.
pub(super) fn cut(execution: &Execution, ending: &Ending) -> Ending {
    let headers = execution.headers.as_ref().map_or(0, |headers| headers.as_str().len());
    let room = MAX_ITEM_BYTES.saturating_sub(OTHER_BYTES + execution.input.as_str().len() + headers);
    Ending {
        status: ending.status,
        at: ending.at,
        output: ending.output.as_ref().map(|output| output_within(room, output)),
        failure: ending.failure.as_ref().map(|failure| Failure {
            error: beginning_of(&failure.error, OTHER_BYTES / 4).to_owned(),
            cause: beginning_of(&failure.cause, room).to_owned(),
        }),
    }
}

/// An output whole, or where that is too long an object that says so and shows how it began.
fn output_within(room: usize, output: &JsonText) -> JsonText {
    let whole = output.as_str();
    if whole.len() <= room {
        return output.clone();
    }
    // Within a JSON string at most every byte becomes two.
    let beginning = beginning_of(whole, room.saturating_sub(200) / 2);
    let cut = json!({"flowgate_output_cut": {"bytes": whole.len(), "beginning": beginning}});
    JsonText::parse(&cut.to_string()).expect("an object of a number and a text is JSON")
}

/// The first characters of a text, at most that many bytes.
fn beginning_of(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
