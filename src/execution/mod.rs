//! The domain: an execution, the rule that a key starts it once, and what is asked of storage and engines. Knows no HTTP and
//! no AWS.

mod fingerprint;
mod history;
mod name;
mod ports;
mod record;
mod service;
mod status;
mod steering;
mod sweeping;
mod watching;

pub use fingerprint::Fingerprint;
pub use history::{StateEvent, StateEventKind};
pub use name::{ExecutionName, InvalidName};
pub use ports::{
    Appended, Change, Changed, Claim, Created, Cursor, Engine, EngineError, ExecutionStore, Ids, Journal, JournalEntry,
    Page, RandomIds, Summary, Then,
};
pub use record::{Ending, Execution, ExecutionKey, Failure, Origin, RecordId};
pub use service::{Caller, Dispatch, Error, Executions, MAX_INPUT_BYTES, Options, Start, StartKey, Started};
pub use status::Status;
pub use steering::SteeringError;
pub use watching::{ListError, MAX_LOOKED_THROUGH, Selection, Slice};
