//! Sweeping: the engine is reminded of every record that is due.

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{Executions, RecordId};
use crate::workflow::StoreError;

/// How many due records are asked for at once.
const PAGE: usize = 100;

/// How many of them the engine sees to at the same time.
const AT_ONCE: usize = 10;

impl Executions {
    /// Has the engine see to every record that is due, until none is left or `end` has come, and returns how many that
    /// were. Records that are still due after they were seen to are left to the next sweep.
    ///
    /// # Errors
    /// The storage did not say which records are due.
    pub async fn sweep(&self, end: Instant) -> Result<usize, StoreError> {
        let mut seen: Vec<RecordId> = Vec::new();
        loop {
            let due = self.store.find_due(self.clock.now(), seen.len() + PAGE).await?;
            let new: Vec<RecordId> = due.into_iter().filter(|id| !seen.contains(id)).collect();
            if new.is_empty() {
                return Ok(seen.len());
            }
            let mut attended =
                stream::iter(new.clone()).map(|id| async move { self.attend(&id).await }).buffer_unordered(AT_ONCE);
            loop {
                match tokio::time::timeout_at(end, attended.next()).await {
                    Ok(Some(())) => {}
                    Ok(None) => break,
                    Err(_) => return Ok(seen.len()),
                }
            }
            drop(attended);
            seen.extend(new);
        }
    }
}
