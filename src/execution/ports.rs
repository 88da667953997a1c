//! What the domain asks of the outside.

use async_trait::async_trait;
use uuid::Uuid;

use super::{Ending, Execution, ExecutionKey, ExecutionName, RecordId, StateEvent, Status};
use crate::clock::Timestamp;
use crate::workflow::{StoreError, Workflow};

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

    /// Reads an execution. A read sees every write that ended before it began.
    async fn get(&self, id: &RecordId, now: Timestamp) -> Result<Option<Execution>, StoreError>;

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

    /// The records whose `due_at` has come, at most `limit` (1 or more) of them, the longest due first. May be behind the
    /// last writes by a moment; whoever acts on it must read the record first.
    async fn find_due(&self, now: Timestamp, limit: usize) -> Result<Vec<RecordId>, StoreError>;

    /// Changes an execution if its attempt is still the one in `execution` and its present status allows the change, in one
    /// atomic step. Of any number of concurrent changes to final statuses of one attempt, exactly one is answered
    /// [`Changed::Done`]. The record then lives until `expires_at`.
    ///
    /// A change whose answer was lost and that was sent again is answered [`Changed::Refused`] with a record in which it has
    /// happened: whoever did it, the execution is where the caller wanted it.
    async fn change(
        &self,
        execution: &Execution,
        change: &Change,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Changed, StoreError>;

    /// Proves that the storage can be reached and the table read.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A change of an execution, see [`Status::may_become`] for when each is allowed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The engine has it. If it has not reported by `check_at`, it is asked.
    Running {
        /// When it becomes due again.
        check_at: Timestamp,
    },
    /// A caller wants it stopped. It is due at once.
    Stop,
    /// A caller wants it retried: the next attempt begins and is due at once, and the ending of the last one is forgotten.
    Retry,
    /// It ended.
    End(Ending),
    /// Its status stays as it is in the record given; it becomes due again at that time, and one more try was in vain.
    Postpone {
        /// When it becomes due again.
        until: Timestamp,
    },
}

impl Change {
    /// The status that the change leads to; `None` where it leads to none.
    pub fn next_status(&self) -> Option<Status> {
        match self {
            Self::Running { .. } => Some(Status::Running),
            Self::Stop => Some(Status::Stopping),
            Self::Retry => Some(Status::Retrying),
            Self::End(ending) => Some(ending.status),
            Self::Postpone { .. } => None,
        }
    }
}

/// What became of [`ExecutionStore::change`].
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// It was done; this is the record now.
    Done(Box<Execution>),
    /// The record is as it is here, and does not allow the change.
    Refused(Box<Execution>),
    /// There is no such execution.
    NotFound,
}

/// What became of [`ExecutionStore::create`].
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The execution was written by this call.
    New,
    /// The key was taken, by this execution.
    Exists(Box<Execution>),
}

/// The part of an execution that lists show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its identity.
    pub key: ExecutionKey,
    /// The workflow's name at the time of the start.
    pub workflow_name: String,
    /// The API that started it.
    pub origin: super::Origin,
    /// The region and the caller's domain, as they appear in the execution's URN.
    pub region: String,
    /// See `region`.
    pub domain_id: String,
    /// Where it stands.
    pub status: Status,
    /// Who started it.
    pub started_by: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
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

/// What runs executions.
///
/// A record in storage is the promise that an execution will run; an engine keeps it. Whatever reminds it of a record (the
/// start itself, the table's stream, a sweep) only says "look": what is to be done is in the record.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Makes ready to run the present version of a workflow. Repeating it is safe; a version that was never published is
    /// made ready when it is first needed.
    ///
    /// # Errors
    /// The engine refused the workflow, or cannot be reached.
    async fn publish(&self, workflow: &Workflow) -> Result<(), EngineError>;

    /// Sees to a record: hands a scheduled execution over, stops one that is to be stopped, asks after one that should have
    /// reported. Calling it too often, too late, twice at once or for a record that needs nothing does no harm. A failure of
    /// the engine is no error here: the record is due again a little later.
    ///
    /// # Errors
    /// The storage did not say what the record needs, or did not keep what became of it.
    async fn attend(&self, id: &RecordId) -> Result<(), StoreError>;

    /// What happened in the execution so far, all attempts, in the order of events. Of a long execution the values in later
    /// documents may be left out, and of a very long one the last events.
    ///
    /// # Errors
    /// The engine cannot be reached.
    async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError>;
}

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It is asked too much, or gives no usable answer; the same call may succeed a little later.
    #[error("the engine is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It says that the call itself is wrong: no right to it, no such thing, a definition it does not take.
    #[error("the engine rejected the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The storage failed.
    #[error("the storage failed")]
    Store(#[from] StoreError),
}

/// The journal of executions that an engine inside the process runs: who runs one, and what happened so far.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Takes an execution to run it, until the lease ends at `until`; nobody else gets it before. `None` if it has ended,
    /// is not due yet (somebody else has it, or it sleeps), or does not exist.
    ///
    /// A scheduled or retrying execution becomes running by this; one that is to be stopped stays so.
    async fn claim(&self, id: &RecordId, now: Timestamp, until: Timestamp) -> Result<Option<Claim>, StoreError>;

    /// Writes entries behind the last one and does with the execution what `then` says, all in one atomic step. The claim
    /// holds the new length afterwards.
    ///
    /// MUST write nothing and answer [`Appended::Lost`] if somebody else has taken the execution since, a caller wants it
    /// stopped and the claim does not know it yet, or it has ended. An append whose answer was lost and that was sent again
    /// is answered [`Appended::Done`].
    async fn append(
        &self,
        claim: &mut Claim,
        entries: &[JournalEntry],
        then: &Then,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Appended, StoreError>;

    /// Every entry of an execution, all attempts, in order.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if there is a gap.
    async fn entries(&self, id: &RecordId) -> Result<Vec<JournalEntry>, StoreError>;
}

/// An execution that is this process's to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The record, as it was when it was claimed.
    pub execution: Execution,
    /// Which claim of the execution this is; a later one makes it void.
    pub fence: u64,
    /// How long the journal is, in the store's own measure.
    pub length: u64,
}

/// One entry of the journal: JSON that only the engine reads, below 300,000 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The attempt it belongs to.
    pub attempt: u32,
    /// The entry.
    pub text: String,
}

/// What becomes of an execution after entries were written.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// It stays with this process, whose lease now ends at that time.
    Keep {
        /// The end of the lease.
        until: Timestamp,
    },
    /// Nobody has it, and it is due again at that time.
    Sleep {
        /// When it is due.
        until: Timestamp,
    },
    /// It ended.
    End(Ending),
}

/// What became of [`Journal::append`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Everything is written.
    Done,
    /// Nothing is written: the claim is void.
    Lost,
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
