//! The record of one started execution.

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ExecutionName, Fingerprint, Status, Summary};
use crate::clock::Timestamp;
use crate::json::JsonText;
use crate::workflow::MachineId;

/// What identifies an execution, whichever API speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExecutionKey {
    /// The project the execution belongs to.
    pub project_id: String,
    /// The workflow it runs.
    pub workflow_id: Uuid,
    /// Its name within the workflow; FunctionGraph v2 calls it the execution id.
    pub name: ExecutionName,
}

/// The record's own id: the SHA-256 of the execution's key, as 64 lower-case hex digits. Storage and engines know an
/// execution by it, because they take neither every character nor every length of a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(String);

impl ExecutionKey {
    /// The id of the record that has this key.
    pub fn record_id(&self) -> RecordId {
        let mut hash = Sha256::new();
        // Lengths stand before the parts, so no two keys share one text.
        for part in [self.project_id.as_str(), &self.workflow_id.to_string(), self.name.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        RecordId(hex::encode(hash.finalize()))
    }
}

impl RecordId {
    /// Reads an id; `None` for anything but 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        legal.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The API through which an execution was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The OBS workflow API.
    Obs,
    /// The FunctionGraph v1 API.
    FunctionGraphV1,
    /// The FunctionGraph v2 API.
    FunctionGraphV2,
}

/// The record of one started execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Its identity.
    pub key: ExecutionKey,
    /// The workflow's name at the time of the start, as it appears in the execution's URN.
    pub workflow_name: String,
    /// The compiled version of the workflow that it runs, whatever becomes of the workflow later.
    pub machine: MachineId,
    /// The region and the caller's domain, as they appear in the execution's URN.
    pub region: String,
    /// See `region`.
    pub domain_id: String,
    /// The API that started it.
    pub origin: Origin,
    /// Whether it is a FunctionGraph v1 `test_start`.
    pub is_test: bool,
    /// Where it stands.
    pub status: Status,
    /// Which attempt this is: 1, and one more for each time a caller had it retried.
    pub attempt: u32,
    /// What the engine gets as input.
    pub input: JsonText,
    /// The `headers` of a FunctionGraph v2 start.
    pub headers: Option<JsonText>,
    /// Whether a node's output is merged over the next node's input (`X-WorkflowRun-MergeFnParameters`).
    pub merge_parameters: bool,
    /// `X-Create-Time` of a FunctionGraph v2 start, `yyyy-MM-dd`.
    pub create_date: Option<String>,
    /// How the attempt ended, once it has.
    pub ending: Option<Ending>,
    /// When somebody must look after it: the engine has not taken it yet, or should have reported by then, or a lease
    /// runs out. `None` where there is nothing to look after.
    pub due_at: Option<Timestamp>,
    /// How often it was tried in vain to hand it to the engine in its present status.
    pub tries: u32,
    /// What makes a repeated start the same start.
    pub fingerprint: Fingerprint,
    /// Tells the one write that made the record from every other attempt.
    pub nonce: Uuid,
    /// Who started it: the name of the principal.
    pub started_by: String,
    /// The request that started it.
    pub request_id: String,
    /// The trace the starting request belonged to: an X-Ray or W3C trace header, as it came.
    pub trace: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// When the record may be forgotten.
    pub expires_at: Timestamp,
}

impl Execution {
    /// What lists show of it.
    pub fn summary(&self) -> Summary {
        Summary {
            key: self.key.clone(),
            workflow_name: self.workflow_name.clone(),
            origin: self.origin,
            region: self.region.clone(),
            domain_id: self.domain_id.clone(),
            status: self.status,
            started_by: self.started_by.clone(),
            started_at: self.started_at,
            updated_at: self.updated_at,
            ended_at: self.ending.as_ref().map(|ending| ending.at),
        }
    }
}

impl Execution {
    /// What the engine starts the execution's machine with, as text; the module `engine::compiler` says what is in it. A
    /// retry begins at a node, which is given with the text of its input.
    pub fn engine_input(&self, at: Option<(&str, &str)>) -> String {
        let headers = self.headers.as_ref().map_or("{}", JsonText::as_str);
        let (input, merge) = (self.input.as_str(), self.merge_parameters);
        let at = at.map(|(node, input)| format!(",\"at\":{{\"node\":{},\"input\":{input}}}", Value::from(node)));
        let at = at.unwrap_or_default();
        format!("{{\"input\":{input},\"headers\":{headers},\"merge\":{merge}{at}}}")
    }
}

/// How an attempt of an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// The final status.
    pub status: Status,
    /// When that was.
    pub at: Timestamp,
    /// What a succeeded execution put out.
    pub output: Option<JsonText>,
    /// Why an execution did not succeed, where there is more to say than its status does.
    pub failure: Option<Failure>,
}

/// Why an execution did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's name, such as `Flowgate.NodeFailed`.
    pub error: String,
    /// What the engine or the function said of it; of a failed node the error document, as JSON.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_where_a_part_ends_have_different_ids() {
        let id = |project: &str, name: &str| {
            let name = ExecutionName::parse(name).expect("a valid name");
            ExecutionKey { project_id: project.into(), workflow_id: Uuid::nil(), name }.record_id()
        };
        assert_ne!(id("p", "a"), id("p", "b"));
        assert_ne!(id("p1", "a"), id("p", "1a"));
        assert_eq!(RecordId::parse(id("p", "a").as_str()), Some(id("p", "a")));
        for bad in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(RecordId::parse(bad), None, "{bad}");
        }
    }
}
