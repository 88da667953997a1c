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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::FixedClock;
    use crate::execution::{Change, Changed, Created, Dispatch, Engine, ExecutionStore, Origin, RandomIds, RecordId};
    use crate::workflow::Workflow;

    /// A store of that many executions, each started a millisecond before the one above it; every tenth has failed.
    struct Endless(i64);

    impl Endless {
        fn entry(index: i64) -> Summary {
            let name = ExecutionName::parse(&format!("{:07}", 9_999_999 - index)).expect("a valid name");
            Summary {
                key: ExecutionKey { project_id: "p".into(), workflow_id: Uuid::nil(), name },
                workflow_name: "w".into(),
                origin: Origin::Obs,
                region: "r".into(),
                domain_id: "d".into(),
                status: if index % 10 == 0 { Status::Failed } else { Status::Succeeded },
                started_by: "s".into(),
                started_at: Timestamp::from_millis(1_000_000 - index),
                updated_at: Timestamp::from_millis(1_000_000),
                ended_at: None,
            }
        }
    }

    #[async_trait]
    impl ExecutionStore for Endless {
        async fn create(&self, _: &Execution, _: Timestamp) -> Result<Created, StoreError> {
            unimplemented!("no test here asks for it")
        }

        async fn get(&self, _: &RecordId, _: Timestamp) -> Result<Option<Execution>, StoreError> {
            unimplemented!("no test here asks for it")
        }

        async fn list(
            &self,
            _: &str,
            _: Uuid,
            cursor: Option<&Cursor>,
            limit: usize,
            _: Timestamp,
        ) -> Result<Page, StoreError> {
            let behind = |index: &i64| {
                let entry = Self::entry(*index);
                cursor.is_none_or(|cursor| Cursor { started_at: entry.started_at, name: entry.key.name } < *cursor)
            };
            let first = cursor.map_or(0, |cursor| (1_000_000 - cursor.started_at.millis()).max(0));
            let indices: Vec<i64> = (first..self.0).filter(behind).take(limit).collect();
            let last = indices.last().filter(|last| **last + 1 < self.0).map(|last| Self::entry(*last));
            let next = last.map(|last| Cursor { started_at: last.started_at, name: last.key.name });
            Ok(Page { entries: indices.into_iter().map(Self::entry).collect(), next })
        }

        async fn find_due(&self, _: Timestamp, _: usize) -> Result<Vec<RecordId>, StoreError> {
            unimplemented!("no test here asks for it")
        }

        async fn change(&self, _: &Execution, _: &Change, _: Timestamp, _: Timestamp) -> Result<Changed, StoreError> {
            unimplemented!("no test here asks for it")
        }

        async fn ping(&self) -> Result<(), StoreError> {
            unimplemented!("no test here asks for it")
        }
    }

    #[async_trait]
    impl Engine for Endless {
        async fn publish(&self, _: &Workflow) -> Result<(), EngineError> {
            unimplemented!("no test here asks for it")
        }

        async fn attend(&self, _: &RecordId) -> Result<(), StoreError> {
            unimplemented!("no test here asks for it")
        }

        async fn history(&self, _: &Execution) -> Result<Vec<StateEvent>, EngineError> {
            unimplemented!("no test here asks for it")
        }
    }

    async fn slice(count: i64, selection: &Selection, part: (usize, usize), counts: bool) -> Result<Slice, ListError> {
        let (store, clock) = (Arc::new(Endless(count)), Arc::new(FixedClock(Timestamp::from_millis(2_000_000))));
        let executions = Executions::new(store.clone(), store, clock, Arc::new(RandomIds), Dispatch::ByStream, 1);
        executions.slice("p", Uuid::nil(), selection, part, counts).await
    }

    #[tokio::test]
    async fn no_call_looks_through_more_than_it_may() {
        let all = Selection::default();
        let most = i64::try_from(MAX_LOOKED_THROUGH).expect("a number");
        let counted = slice(most + 5000, &all, (0, 2), true).await.expect("the beginning");
        assert_eq!((counted.entries.len(), counted.seen), (2, MAX_LOOKED_THROUGH), "it is not counted to its end");
        let refused = slice(most + 5000, &all, (MAX_LOOKED_THROUGH, 1), false).await;
        assert!(matches!(refused, Err(ListError::TooLong)), "{refused:?}");
        let none = Selection { name_prefix: Some("x".into()), ..all.clone() };
        let refused = slice(most + 5000, &none, (0, 1), false).await;
        assert!(matches!(refused, Err(ListError::TooLong)), "{refused:?}");
        assert_eq!(slice(most, &none, (0, 1), false).await.expect("an empty list").entries, []);
    }

    #[tokio::test]
    async fn a_selection_begins_and_ends_with_its_times() {
        let at = Timestamp::from_millis;
        let selection = Selection { from: Some(at(999_990)), to: Some(at(999_995)), ..Selection::default() };
        let found = slice(5000, &selection, (0, 100), true).await.expect("a list");
        let times: Vec<i64> = found.entries.iter().map(|entry| entry.started_at.millis()).collect();
        assert_eq!((times, found.seen), ((999_990..=999_995).rev().collect(), 6));
        let failed = Selection { statuses: Some(vec![Status::Failed]), ..Selection::default() };
        let found = slice(5000, &failed, (100, 3), true).await.expect("a list");
        let times: Vec<i64> = found.entries.iter().map(|entry| entry.started_at.millis()).collect();
        assert_eq!((times, found.seen), (vec![999_000, 998_990, 998_980], 500));
    }
}
