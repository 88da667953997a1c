//! The table's stream, as DynamoDB hands it on.

use serde::Deserialize;

use super::EXECUTION_SK;
use super::executions::record_id_from;
use super::words::status_from;
use crate::execution::{RecordId, Status};

/// A change of one item, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct StreamRecord {
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    /// What the item is now; none where it was deleted.
    #[serde(default)]
    new_image: Option<Image>,
}

#[derive(Debug, Deserialize)]
struct Image {
    pk: Text,
    sk: Text,
    /// Only executions have one.
    #[serde(default)]
    status: Option<Text>,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

impl StreamRecord {
    /// What the stream is read on from, if this record could not be dealt with.
    pub fn sequence_number(&self) -> &str {
        &self.dynamodb.sequence_number
    }

    /// The execution that an engine must see to after this change; `None` if there is nothing to see to.
    ///
    /// # Errors
    /// The name of the attribute that means nothing.
    pub fn to_attend(&self) -> Result<Option<RecordId>, &'static str> {
        let Some(image) = self.dynamodb.new_image.as_ref().filter(|image| image.sk.text == EXECUTION_SK) else {
            return Ok(None);
        };
        let status = image.status.as_ref().and_then(|status| status_from(&status.text)).ok_or("status")?;
        let id = record_id_from(&image.pk.text).ok_or("pk")?;
        let is_waiting = matches!(status, Status::Scheduled | Status::Retrying | Status::Stopping);
        Ok(is_waiting.then_some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> StreamRecord {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    fn image(pk: &str, sk: &str, status: &str) -> StreamRecord {
        record(&format!(
            r#"{{"eventID": "1", "eventName": "MODIFY", "dynamodb": {{"SequenceNumber": "42", "Keys": {{}},
                "NewImage": {{"pk": {{"S": "{pk}"}}, "sk": {{"S": "{sk}"}}, "status": {{"S": "{status}"}}}}}}}}"#
        ))
    }

    #[test]
    fn only_executions_that_wait_for_the_engine_are_to_be_attended() {
        let id = "0123456789abcdef".repeat(4);
        let pk = format!("execution#{id}");
        for status in ["scheduled", "retrying", "stopping"] {
            let found = image(&pk, "execution", status).to_attend();
            assert_eq!(found, Ok(RecordId::parse(&id)), "{status}");
        }
        for status in ["running", "succeeded", "failed", "timed_out", "cancelled"] {
            assert_eq!(image(&pk, "execution", status).to_attend(), Ok(None), "{status}");
        }
        assert_eq!(image("workflow#p#id#1", "workflow", "scheduled").to_attend(), Ok(None));
        let deleted = record(r#"{"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "42"}}"#);
        assert_eq!((deleted.to_attend(), deleted.sequence_number()), (Ok(None), "42"));
    }

    #[test]
    fn an_execution_that_cannot_be_read_is_an_error() {
        assert_eq!(image("execution#1", "execution", "scheduled").to_attend(), Err("pk"));
        assert_eq!(image("execution#1", "execution", "asleep").to_attend(), Err("status"));
    }
}
