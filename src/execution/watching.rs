//! Looking at executions.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Cursor, EngineError, Execution, ExecutionKey, ExecutionName, Executions, Page, StateEvent, Status, Summary,
};
use crate::clock::Timestamp;
use crate::workflow::StoreError;

/// How many executions one call looks through.
pub const MAX_LOOKED_THROUGH: usize = 100_000;

/// How many entries are read at a time where what is wanted lies among others.
const STRIDE: usize = 1000;

/// How long is waited between two looks at an execution that is to end: the first pause, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// Which executions of a workflow are wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those that were started then or later.
    pub from: Option<Timestamp>,
    /// Those that were started then or earlier.
    pub to: Option<Timestamp>,
    /// Those that are in one of these statuses.
    pub statuses: Option<Vec<Status>>,
    /// Those whose names begin so.
    pub name_prefix: Option<String>,
}

/// A part of a list, by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The entries, newest first.
    pub entries: Vec<Summary>,
    /// How many executions of the selection were seen: all there are, up to [`MAX_LOOKED_THROUGH`], if they were to be counted.
    pub seen: usize,
}

/// Why a part of a list cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It begins or ends behind more executions than one call looks through.
    #[error("the list is longer than what one call looks through")]
    TooLong,
    /// The storage refused or failed.
    #[error("the executions could not be listed")]
    Store(#[from] StoreError),
}

impl Selection {
    /// The place in the list, newest first, at which the selection begins.
    fn beginning(&self) -> Option<Cursor> {
        let after = Timestamp::from_millis(self.to?.millis().saturating_add(1));
        // Lists go on behind a cursor, and no name is smaller than this one.
        let name = ExecutionName::parse("!").expect("an exclamation mark is allowed in a name");
        Some(Cursor { started_at: after, name })
    }

    fn takes(&self, entry: &Summary) -> bool {
        self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&entry.status))
            && self.name_prefix.as_ref().is_none_or(|prefix| entry.key.name.as_str().starts_with(prefix))
    }
}

impl Executions {
    /// Finds an execution; `None` if there is none, or it was forgotten.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn find(&self, key: &ExecutionKey) -> Result<Option<Execution>, StoreError> {
        self.store.get(&key.record_id(), self.clock.now()).await
    }

    /// Lists a workflow's executions, newest first, at most `limit` (1 or more) of them, after `cursor`. A list that is
    /// paged stays as it is while new executions start.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn list(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.list(project_id, workflow_id, cursor, limit, self.clock.now()).await
    }

    /// Lists the executions of a selection by position: at most `limit` of them, behind the `offset` newest. Executions that
    /// start later move the positions of all others, unless `selection.to` has passed. With `count` the rest of the selection
    /// is counted.
    ///
    /// # Errors
    /// [`ListError::TooLong`] when more than [`MAX_LOOKED_THROUGH`] executions would have to be read to find the entries.
    pub async fn slice(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        selection: &Selection,
        (offset, limit): (usize, usize),
        count: bool,
    ) -> Result<Slice, ListError> {
        let end = offset.saturating_add(limit);
        let mut slice = Slice { entries: Vec::new(), seen: 0 };
        let mut cursor = selection.beginning();
        let mut read = 0;
        loop {
            let is_found = slice.seen >= end;
            if is_found && !count {
                return Ok(slice);
            }
            if read >= MAX_LOOKED_THROUGH {
                return if is_found { Ok(slice) } else { Err(ListError::TooLong) };
            }
            let selects = count || selection.statuses.is_some() || selection.name_prefix.is_some();
            let wanted = if selects { STRIDE } else { (end - slice.seen).min(STRIDE) };
            let page = self.list(project_id, workflow_id, cursor.as_ref(), wanted).await?;
            read += page.entries.len();
            for entry in page.entries {
                if selection.from.is_some_and(|from| entry.started_at < from) {
                    return Ok(slice);
                }
                if selection.takes(&entry) {
                    if (offset..end).contains(&slice.seen) {
                        slice.entries.push(entry);
                    }
                    slice.seen += 1;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(slice);
            }
        }
    }

    /// What happened in an execution so far, all attempts.
    ///
    /// # Errors
    /// What the engine said.
    pub async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        self.engine.history(execution).await
    }

    /// Waits until an execution has ended, at most that long, and returns its record as it then is.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn wait(&self, execution: Execution, at_most: Duration) -> Result<Execution, StoreError> {
        let end = tokio::time::Instant::now() + at_most;
        let [mut pause, longest] = PAUSES;
        let id = execution.key.record_id();
        let mut current = execution;
        while !current.status.is_final() && tokio::time::Instant::now() + pause < end {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
            self.attend(&id).await;
            match self.store.get(&id, self.clock.now()).await? {
                Some(found) => current = found,
                None => break,
            }
        }
        Ok(current)
    }
}
