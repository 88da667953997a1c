//! Which kind of event an invocation brings.

use serde::de::{Deserializer, Error, IgnoredAny};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::Event;
use crate::engine::step_functions::StatusChange;
use crate::store::StreamRecord;

/// An event of any kind.
#[derive(Debug)]
pub enum Incoming {
    /// A call, from an HTTP front end.
    Call(Box<Event>),
    /// Changes of the table, from its stream. What cannot be read is an `Err` that says why.
    Stream(Vec<Result<StreamRecord, serde_json::Error>>),
    /// The status of an execution of Step Functions has changed; from EventBridge.
    StatusChange(StatusChange),
    /// It is time to look for what is due; from a schedule.
    Sweep,
}

/// What tells the kinds apart. A call's other members are not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Signs<'a> {
    #[serde(rename = "requestContext")]
    request_context: Option<IgnoredAny>,
    #[serde(rename = "Records", borrow, default)]
    records: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    detail_type: Option<String>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "eventSource")]
    source: String,
}

impl Incoming {
    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let signs: Signs<'_> = serde_json::from_str(text)?;
        if signs.request_context.is_some() {
            return serde_json::from_str(text).map(|event| Self::Call(Box::new(event)));
        }
        if let Some(records) = signs.records.filter(|records| records.iter().all(|record| is_of_a_table(record))) {
            return Ok(Self::Stream(records.iter().map(|record| serde_json::from_str(record.get())).collect()));
        }
        match (signs.detail_type.as_deref(), signs.detail) {
            (Some("Step Functions Execution Status Change"), Some(detail)) => {
                serde_json::from_str(detail.get()).map(Self::StatusChange)
            }
            (Some("Scheduled Event"), _) => Ok(Self::Sweep),
            _ => Err(de::Error::custom(
                "an event of no known kind: no call (`requestContext`), no batch of a table's stream (`Records`), and \
                 neither an execution's status change nor a scheduled event (`detail-type`)",
            )),
        }
    }
}

fn is_of_a_table(record: &RawValue) -> bool {
    serde_json::from_str::<Source>(record.get()).is_ok_and(|record| record.source == "aws:dynamodb")
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(text.get()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_no_known_kind_is_an_error_that_says_so() {
        for text in [
            "{}",
            r#"{"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}"#,
            r#"{"Records": [{"eventSource": "aws:dynamodb"}, {"eventSource": "aws:sqs"}]}"#,
            r#"{"detail-type": "EC2 Instance State-change Notification", "detail": {}}"#,
            r#"{"detail-type": "Step Functions Execution Status Change"}"#,
        ] {
            let error = serde_json::from_str::<Incoming>(text).expect_err(text).to_string();
            assert!(error.contains("an event of no known kind"), "{error}");
        }
        for text in ["[]", "1", "\"a\"", "null"] {
            assert!(serde_json::from_str::<Incoming>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_leaves_the_others_alone() {
        let good = r#"{"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "1"}}"#;
        let bad = r#"{"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": 1}}"#;
        let text = format!(r#"{{"Records": [{bad}, {good}]}}"#);
        let Ok(Incoming::Stream(records)) = serde_json::from_str(&text) else { panic!("a batch") };
        assert_eq!(records.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    }
}
