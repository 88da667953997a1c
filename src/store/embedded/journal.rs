//! The journal in the file.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::executions::{ended, find_live, number_of, update};
use super::{EmbeddedStore, Failure};
use crate::clock::Timestamp;
use crate::execution::{Appended, Claim, Execution, Journal, JournalEntry, RecordId, Status, Then};
use crate::workflow::StoreError;

#[async_trait]
impl Journal for EmbeddedStore {
    async fn claim(&self, id: &RecordId, now: Timestamp, until: Timestamp) -> Result<Option<Claim>, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            let Some((number, seen)) = find_live(connection, &id, now)? else { return Ok(None) };
            if seen.status.is_final() || seen.due_at.is_none_or(|due_at| due_at > now) {
                return Ok(None);
            }
            let execution = match seen.status {
                Status::Scheduled | Status::Retrying => {
                    Execution { status: Status::Running, updated_at: now, tries: 0, due_at: Some(until), ..seen }
                }
                _ => Execution { due_at: Some(until), ..seen },
            };
            update(connection, number, &execution)?;
            let mut claim = connection
                .prepare_cached("UPDATE executions SET fence = fence + 1 WHERE number = ?1 RETURNING fence, journal")?;
            let (fence, length) = claim.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Some(Claim { execution, fence, length }))
        })
        .await
    }

    async fn append(
        &self,
        claim: &mut Claim,
        entries: &[JournalEntry],
        then: &Then,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let (held, entries, then) = (claim.clone(), entries.to_vec(), then.clone());
        let length = self
            .write(move |connection| {
                let Some((number, current)) = find_live(connection, &held.execution.key.record_id(), now)? else {
                    return Ok(None);
                };
                if !holds(connection, number, &held, &current)? {
                    return Ok(None);
                }
                let mut insert = connection.prepare_cached(
                    "INSERT INTO journal (execution, position, attempt, entry) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let mut length = held.length;
                for JournalEntry { attempt, text } in &entries {
                    insert.execute(params![number, length, attempt, text])?;
                    length += 1;
                }
                let after = match &then {
                    Then::Keep { until } | Then::Sleep { until } => Execution { due_at: Some(*until), ..current },
                    Then::End(ending) => ended(&current, ending, now),
                };
                update(connection, number, &Execution { expires_at, ..after })?;
                connection
                    .prepare_cached("UPDATE executions SET journal = ?2 WHERE number = ?1")?
                    .execute(params![number, length])?;
                Ok(Some(length))
            })
            .await?;
        Ok(match length {
            Some(length) => {
                claim.length = length;
                Appended::Done
            }
            None => Appended::Lost,
        })
    }

    async fn entries(&self, id: &RecordId) -> Result<Vec<JournalEntry>, StoreError> {
        let id = id.clone();
        self.read(move |connection| {
            let Some(number) = number_of(connection, &id)? else { return Ok(Vec::new()) };
            let mut query = connection.prepare_cached(
                "SELECT position, attempt, entry FROM journal WHERE execution = ?1 ORDER BY position",
            )?;
            let mut rows = query.query([number])?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                if row.get::<_, usize>("position")? != entries.len() {
                    let gap = format!("entry {} of a journal is missing", entries.len());
                    return Err(StoreError::Corrupt(gap).into());
                }
                entries.push(JournalEntry { attempt: row.get("attempt")?, text: row.get("entry")? });
            }
            Ok(entries)
        })
        .await
    }
}

/// Whether a claim is still good: nobody else has taken the execution, and its status is the one the claim knows.
fn holds(connection: &Connection, number: i64, claim: &Claim, current: &Execution) -> Result<bool, Failure> {
    let mut query = connection.prepare_cached("SELECT fence FROM executions WHERE number = ?1")?;
    let fence: Option<u64> = query.query_row([number], |row| row.get(0)).optional()?;
    let (held, now) = (&claim.execution, current);
    Ok(fence == Some(claim.fence) && now.status == held.status && now.attempt == held.attempt)
}
