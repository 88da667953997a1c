//! The domain: an execution, the rule that a key starts it once, and what is asked of storage. Knows no HTTP and no AWS.

mod fingerprint;
mod name;
mod ports;
mod service;
mod status;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::json::JsonText;

pub use fingerprint::Fingerprint;
pub use name::{ExecutionName, InvalidName};
pub use ports::{Created, Cursor, ExecutionStore, Ids, Moved, Page, RandomIds, Summary};
pub use service::{Caller, Error, Executions, MAX_INPUT_BYTES, Options, Start, StartKey, Started};
pub use status::Status;

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
    /// The region and the caller's domain, as they appear in the execution's URN.
    pub region: String,
    /// See `region`.
    pub domain_id: String,
    /// The API that started it.
    pub origin: Origin,
    /// Where it stands.
    pub status: Status,
    /// What the engine gets as input.
    pub input: JsonText,
    /// The `headers` of a FunctionGraph v2 start.
    pub headers: Option<JsonText>,
    /// Whether a node's output is merged over the next node's input (`X-WorkflowRun-MergeFnParameters`).
    pub merge_parameters: bool,
    /// `X-Create-Time` of a FunctionGraph v2 start, `yyyy-MM-dd`.
    pub create_date: Option<String>,
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
