//! What the domain asks of the outside.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Execution, ExecutionKey, ExecutionName, Status};
use crate::clock::Timestamp;
use crate::workflow::StoreError;

/// Where executions are kept.
///
/// Every method compares `expires_at` with `now`: a record past it does not exist, whether or not it was deleted yet.
#[async_trait]
pub trait ExecutionStore: Send + Sync {
    /// Writes a new execution if no live one has its key, and returns the one that has it otherwise. One atomic step: of
    /// any number of concurrent calls with one key, exactly one is answered [`Created::New`].
    ///
    /// A write whose answer was lost and that was sent again MUST still be answered `New`; the nonce tells.
    async fn create(&self, execution: &Execution, now: Timestamp) -> Result<Created, StoreError>;

    /// Reads an execution.
    async fn get(&self, key: &ExecutionKey, now: Timestamp) -> Result<Option<Execution>, StoreError>;

    /// Lists a workflow's executions, newest first, at most `limit` (1 or more) of them, after `cursor`. Executions started
    /// while a list is being paged appear before its first page and move nothing within it.
    async fn list(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        cursor: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError>;

    /// Moves an execution to `next` if its present status allows that ([`Status::may_become`]), in one atomic step. Of any
    /// number of concurrent moves to final statuses, exactly one is answered [`Moved::Done`].
    ///
    /// A move whose answer was lost and that was sent again is answered [`Moved::Refused`] with `next` itself: whoever moved
    /// it, the execution is where the caller wanted it.
    async fn advance(
        &self,
        key: &ExecutionKey,
        next: Status,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Moved, StoreError>;

    /// Proves that the storage can be reached and the table read.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// What became of [`ExecutionStore::create`].
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The execution was written by this call.
    New,
    /// The key was taken, by this execution.
    Exists(Box<Execution>),
}

/// What became of [`ExecutionStore::advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The execution now has the new status.
    Done,
    /// The execution is in this status, from which the move is not allowed.
    Refused(Status),
    /// There is no such execution.
    NotFound,
}

/// The part of an execution that lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its identity.
    pub key: ExecutionKey,
    /// The workflow's name at the time of the start.
    pub workflow_name: String,
    /// Where it stands.
    pub status: Status,
    /// Who started it.
    pub started_by: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

/// The place after an entry of a list: lists go on behind it, newest first, names deciding between equal times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the entry was started.
    pub started_at: Timestamp,
    /// The entry's name.
    pub name: ExecutionName,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, newest first.
    pub entries: Vec<Summary>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// Where new ids come from.
pub trait Ids: Send + Sync {
    /// A new id that nobody can guess.
    fn random(&self) -> Uuid;
}

/// Ids from the operating system's random numbers (UUID version 4).
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn random(&self) -> Uuid {
        Uuid::new_v4()
    }
}
