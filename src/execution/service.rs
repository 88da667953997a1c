//! The executions, and starting one, once per key.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    Created, Engine, Execution, ExecutionKey, ExecutionName, ExecutionStore, Fingerprint, Ids, Origin, RecordId, Status,
};
use crate::clock::{Clock, Timestamp};
use crate::errors;
use crate::json::JsonText;
use crate::workflow::{StoreError, Workflow};

/// Most bytes of what the engine is started with, the envelope around the input included: what Step Functions accepts
/// (256 KiB).
pub const MAX_INPUT_BYTES: usize = 256 * 1024;

const SECONDS_PER_DAY: i64 = 86_400;

/// How long a new record is left to the table's stream before a sweep takes it up as well.
const STREAM_SECONDS: i64 = 60;

/// What an API hands over once a start request passed every check of its own.
#[derive(Debug, Clone)]
pub struct Start {
    /// The workflow to run.
    pub workflow: Arc<Workflow>,
    /// What the start is known by.
    pub key: StartKey,
    /// What the engine gets.
    pub input: JsonText,
    /// What the caller sent, if the input was completed with defaults. A repeat is judged on it: the defaults may have
    /// changed since.
    pub sent: Option<JsonText>,
    /// What only FunctionGraph v2 callers can ask for.
    pub options: Options,
    /// The API the start came through.
    pub origin: Origin,
    /// Whether it is FunctionGraph v1's `test_start`.
    pub is_test: bool,
    /// The region in the execution's URN.
    pub region: String,
    /// Who asks, and in which request.
    pub caller: Caller,
}

/// What FunctionGraph v2 callers can ask for beside the input.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The `headers` of the body.
    pub headers: Option<JsonText>,
    /// Whether outputs are merged over the next input (`X-WorkflowRun-MergeFnParameters`).
    pub merge_parameters: bool,
    /// `X-Create-Time`, `yyyy-MM-dd`.
    pub create_date: Option<String>,
}

/// Who asks for a start, and in which request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The principal's name.
    pub name: String,
    /// The principal's domain.
    pub domain_id: String,
    /// The request's id.
    pub request_id: String,
    /// The request's trace header.
    pub trace: Option<String>,
}

/// What makes a start unique within its workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartKey {
    /// The caller named the execution.
    Name(ExecutionName),
    /// The caller sent an `Idempotency-Key`: the name follows from it, so that one conditional write decides here too.
    Idempotency(String),
    /// The caller named nothing: each call is a new execution.
    None,
}

/// A start that was accepted, now or before.
#[derive(Debug, Clone)]
pub struct Started {
    /// The record, as it was first written.
    pub execution: Execution,
    /// Whether an earlier request had started it already.
    pub replayed: bool,
}

/// Why a start was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key belongs to an execution that a different request started.
    #[error("execution `{name}` was started by a different request")]
    Conflict {
        /// The name that is taken.
        name: ExecutionName,
    },
    /// The input is larger than the engine accepts.
    #[error("the engine would get {bytes} bytes, and takes {MAX_INPUT_BYTES}")]
    InputTooLarge {
        /// The size it has.
        bytes: usize,
    },
    /// The storage refused or failed.
    #[error("the execution could not be recorded")]
    Store(#[from] StoreError),
}

/// How the engine learns of a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// The table's stream brings it to this program.
    ByStream,
    /// This process tells the engine.
    InProcess,
}

/// The executions: starts them, keeps their records, and has the engine see to them.
#[derive(Clone)]
pub struct Executions {
    pub(super) store: Arc<dyn ExecutionStore>,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    dispatch: Dispatch,
    retention_days: u32,
}

impl Executions {
    /// Puts the domain on top of its ports. A record is kept for `retention_days` after its last change.
    pub fn new(
        store: Arc<dyn ExecutionStore>,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        dispatch: Dispatch,
        retention_days: u32,
    ) -> Self {
        Self { store, engine, clock, ids, dispatch, retention_days }
    }

    /// Starts an execution, or finds the one that the same request started before. When this returns, the record is
    /// durable; the first answer's values are in it. What the engine makes of it is no part of the answer.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the key belongs to a different request. After [`Error::Store`] the start may or may not
    /// have been recorded; repeating it under a key of the caller's own is safe.
    pub async fn start(&self, start: Start) -> Result<Started, Error> {
        let execution = self.new_execution(start);
        let bytes = execution.engine_input(None).len();
        if bytes > MAX_INPUT_BYTES {
            return Err(Error::InputTooLarge { bytes });
        }
        match self.store.create(&execution, execution.started_at).await? {
            Created::New => {
                if self.dispatch == Dispatch::InProcess {
                    let (executions, id) = (self.clone(), execution.key.record_id());
                    tokio::spawn(async move { executions.attend(&id).await });
                }
                Ok(Started { execution, replayed: false })
            }
            Created::Exists(first) if first.fingerprint == execution.fingerprint => {
                Ok(Started { execution: *first, replayed: true })
            }
            Created::Exists(first) => Err(Error::Conflict { name: first.key.name }),
        }
    }

    /// Whether the storage can be reached.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Has the engine see to a record. If that fails, a sweep does it again.
    pub(super) async fn attend(&self, id: &RecordId) {
        if let Err(error) = self.engine.attend(id).await {
            tracing::warn!(record = id.as_str(), error = %errors::chain(&error), "a record waits for the next sweep");
        }
    }

    /// When a record that changes now may be forgotten.
    pub(super) fn expires_at(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(i64::from(self.retention_days) * SECONDS_PER_DAY)
    }

    fn new_execution(&self, start: Start) -> Execution {
        let now = self.clock.now();
        let (workflow, options) = (&start.workflow, &start.options);
        let sent = start.sent.as_ref().unwrap_or(&start.input);
        Execution {
            fingerprint: Fingerprint::of(
                workflow.id,
                sent,
                options.headers.as_ref(),
                options.merge_parameters,
                start.is_test,
            ),
            key: ExecutionKey {
                project_id: workflow.project_id.clone(),
                workflow_id: workflow.id,
                name: self.name_for(&start),
            },
            workflow_name: workflow.name.as_str().to_owned(),
            machine: workflow.machine.clone(),
            region: start.region,
            domain_id: start.caller.domain_id,
            origin: start.origin,
            is_test: start.is_test,
            status: Status::Scheduled,
            attempt: 1,
            ending: None,
            due_at: Some(match self.dispatch {
                Dispatch::ByStream => now.plus_seconds(STREAM_SECONDS),
                Dispatch::InProcess => now,
            }),
            tries: 0,
            input: start.input,
            headers: start.options.headers,
            merge_parameters: start.options.merge_parameters,
            create_date: start.options.create_date,
            nonce: self.ids.random(),
            started_by: start.caller.name,
            request_id: start.caller.request_id,
            trace: start.caller.trace,
            started_at: now,
            updated_at: now,
            expires_at: self.expires_at(now),
        }
    }

    fn name_for(&self, start: &Start) -> ExecutionName {
        let id = match &start.key {
            StartKey::Name(name) => return name.clone(),
            StartKey::Idempotency(key) => Uuid::new_v5(&start.workflow.id, key.as_bytes()),
            StartKey::None => self.ids.random(),
        };
        // The forms of the vendor's samples: a v2 execution id is a UUID with hyphens, an OBS execution name is hex.
        let text = match start.origin {
            Origin::Obs => id.simple().to_string(),
            Origin::FunctionGraphV1 | Origin::FunctionGraphV2 => id.hyphenated().to_string(),
        };
        ExecutionName::parse(&text).expect("hex digits and hyphens are allowed in a name")
    }
}
