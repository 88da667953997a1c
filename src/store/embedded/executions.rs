//! Executions in the file.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use uuid::Uuid;

use super::{EmbeddedStore, Failure, corrupt};
use crate::clock::Timestamp;
use crate::execution::{
    Change, Changed, Created, Cursor, Ending, Execution, ExecutionKey, ExecutionName, ExecutionStore,
    Failure as Reason, Fingerprint, Page, RecordId, Status, Summary,
};
use crate::json::JsonText;
use crate::store::ending;
use crate::store::words::{origin_from, origin_text, status_from, status_text};
use crate::workflow::{MachineId, StoreError};

/// Among how many executions expired ones are looked for at a time.
const EXPIRED_PAGE: i64 = 500;

#[async_trait]
impl ExecutionStore for EmbeddedStore {
    async fn create(&self, execution: &Execution, now: Timestamp) -> Result<Created, StoreError> {
        let execution = execution.clone();
        self.write(move |connection| {
            match find(connection, &execution.key.record_id())? {
                Some((_, existing)) if existing.expires_at > now => {
                    let is_own = existing.nonce == execution.nonce;
                    return Ok(if is_own { Created::New } else { Created::Exists(Box::new(existing)) });
                }
                Some((expired, _)) => delete(connection, expired)?,
                None => {}
            }
            insert(connection, &execution)?;
            Ok(Created::New)
        })
        .await
    }

    async fn get(&self, id: &RecordId, now: Timestamp) -> Result<Option<Execution>, StoreError> {
        let id = id.clone();
        self.read(move |connection| Ok(find_live(connection, &id, now)?.map(|(_, execution)| execution))).await
    }

    async fn list(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        cursor: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let project_id = project_id.to_owned();
        let cursor = cursor.cloned();
        self.read(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT project_id, workflow_id, name, workflow_name, api, region, domain_id, status, started_by,
                        started_at, updated_at, ended_at
                 FROM executions
                 WHERE workflow_id = :workflow AND project_id = :project AND expires_at > :now
                   AND (started_at, name) < (:started_at, :name)
                 ORDER BY started_at DESC, name DESC LIMIT :limit",
            )?;
            let (started_at, name) = match &cursor {
                Some(cursor) => (cursor.started_at.millis(), cursor.name.as_str()),
                // Behind every execution.
                None => (i64::MAX, ""),
            };
            let mut rows = query.query(named_params! {
                ":workflow": workflow_id.as_bytes(), ":project": project_id, ":now": now.millis(),
                ":started_at": started_at, ":name": name, ":limit": i64::try_from(limit + 1).unwrap_or(i64::MAX),
            })?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(summary(row)?);
            }
            let more = entries.len() > limit;
            entries.truncate(limit);
            let cursor_of = |entry: &Summary| Cursor { started_at: entry.started_at, name: entry.key.name.clone() };
            let next = if more { entries.last().map(cursor_of) } else { None };
            Ok(Page { entries, next })
        })
        .await
    }

    async fn find_due(&self, now: Timestamp, limit: usize) -> Result<Vec<RecordId>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT id FROM executions WHERE due_at <= ?1 AND expires_at > ?1 ORDER BY due_at, number LIMIT ?2",
            )?;
            let mut rows = query.query(params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut due = Vec::new();
            while let Some(row) = rows.next()? {
                let id: [u8; 32] = row.get("id")?;
                due.push(RecordId::parse(&hex::encode(id)).ok_or_else(|| corrupt("id"))?);
            }
            Ok(due)
        })
        .await
    }

    async fn change(
        &self,
        execution: &Execution,
        change: &Change,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let (execution, change) = (execution.clone(), change.clone());
        self.write(move |connection| {
            let Some((number, current)) = find_live(connection, &execution.key.record_id(), now)? else {
                return Ok(Changed::NotFound);
            };
            let allowed = match change.next_status() {
                Some(next) => current.status.may_become(next),
                None => current.status == execution.status,
            };
            if !allowed || current.attempt != execution.attempt {
                return Ok(Changed::Refused(Box::new(current)));
            }
            let changed = Execution { expires_at, ..changed(&current, &execution, &change, now) };
            update(connection, number, &changed)?;
            Ok(Changed::Done(Box::new(changed)))
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.query_row("SELECT count(*) FROM workflows", [], |_| Ok(()))?)).await
    }
}

/// The execution as a change leaves it. `seen` is what the caller knew of it.
fn changed(current: &Execution, seen: &Execution, change: &Change, now: Timestamp) -> Execution {
    let moved = |status| Execution { status, updated_at: now, tries: 0, ..current.clone() };
    match change {
        Change::Running { check_at } => Execution { due_at: Some(*check_at), ..moved(Status::Running) },
        Change::Stop => Execution { due_at: Some(now), ..moved(Status::Stopping) },
        Change::Retry => {
            Execution { due_at: Some(now), attempt: current.attempt + 1, ending: None, ..moved(Status::Retrying) }
        }
        Change::End(end) => ended(current, end, now),
        Change::Postpone { until } => Execution { due_at: Some(*until), tries: seen.tries + 1, ..current.clone() },
    }
}

/// The execution as its end leaves it.
pub(super) fn ended(current: &Execution, end: &Ending, now: Timestamp) -> Execution {
    Execution {
        status: end.status,
        ending: Some(ending::cut(current, end)),
        due_at: None,
        tries: 0,
        updated_at: now,
        ..current.clone()
    }
}

/// Deletes what has expired of the next page of executions, and returns where the page after it begins if that was any.
pub(super) fn delete_expired_page(
    connection: &Connection,
    after: i64,
    now: Timestamp,
) -> Result<Option<i64>, rusqlite::Error> {
    let page: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT number, expires_at FROM executions WHERE number > ?1 ORDER BY number LIMIT ?2")?
        .query_map(params![after, EXPIRED_PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut is_any_expired = false;
    for (number, _) in page.iter().filter(|(_, expires_at)| *expires_at <= now.millis()) {
        delete(connection, *number)?;
        is_any_expired = true;
    }
    Ok(page.last().filter(|_| is_any_expired).map(|(last, _)| *last))
}

fn delete(connection: &Connection, number: i64) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("DELETE FROM journal WHERE execution = ?1")?.execute([number])?;
    connection.prepare_cached("DELETE FROM executions WHERE number = ?1")?.execute([number])?;
    Ok(())
}

fn id_bytes(id: &RecordId) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(id.as_str(), &mut bytes).expect("a record's id is made of 64 hex digits");
    bytes
}

/// What an id is looked up by: its first eight bytes. The index of them is a third of one of whole ids, and every start
/// writes a page of it that no other start of its transaction is likely to write.
fn prefix(id: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *id;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Writes an execution whose id is free.
fn insert(connection: &Connection, execution: &Execution) -> Result<(), rusqlite::Error> {
    let key = &execution.key;
    let ending = execution.ending.as_ref();
    let failure = ending.and_then(|ending| ending.failure.as_ref());
    let mut insert = connection.prepare_cached(
        "INSERT INTO executions (id_prefix, id, project_id, workflow_id, name, workflow_name, machine, region, domain_id, api,
             is_test, status, attempt, ended_at, output, error, cause, due_at, tries, fingerprint, nonce,
             merge_parameters, create_date, started_by, request_id, trace, started_at, updated_at, expires_at, fence,
             journal, headers, input)
         VALUES (:id_prefix, :id, :project_id, :workflow_id, :name, :workflow_name, :machine, :region, :domain_id, :api,
             :is_test, :status, :attempt, :ended_at, :output, :error, :cause, :due_at, :tries, :fingerprint, :nonce,
             :merge_parameters, :create_date, :started_by, :request_id, :trace, :started_at, :updated_at, :expires_at, 0,
             0, :headers, :input)",
    )?;
    let id = id_bytes(&key.record_id());
    insert.execute(named_params! {
        ":id_prefix": prefix(&id),
        ":id": id,
        ":project_id": key.project_id,
        ":workflow_id": key.workflow_id.as_bytes(),
        ":name": key.name.as_str(),
        ":workflow_name": execution.workflow_name,
        ":machine": execution.machine.as_str(),
        ":region": execution.region,
        ":domain_id": execution.domain_id,
        ":api": origin_text(execution.origin),
        ":is_test": execution.is_test,
        ":status": status_text(execution.status),
        ":attempt": execution.attempt,
        ":ended_at": ending.map(|ending| ending.at.millis()),
        ":output": ending.and_then(|ending| ending.output.as_ref()).map(JsonText::as_str),
        ":error": failure.map(|failure| failure.error.as_str()),
        ":cause": failure.map(|failure| failure.cause.as_str()),
        ":due_at": execution.due_at.map(Timestamp::millis),
        ":tries": execution.tries,
        ":fingerprint": execution.fingerprint.as_str(),
        ":nonce": execution.nonce.as_bytes(),
        ":merge_parameters": execution.merge_parameters,
        ":create_date": execution.create_date,
        ":started_by": execution.started_by,
        ":request_id": execution.request_id,
        ":trace": execution.trace,
        ":started_at": execution.started_at.millis(),
        ":updated_at": execution.updated_at.millis(),
        ":expires_at": execution.expires_at.millis(),
        ":headers": execution.headers.as_ref().map(JsonText::as_str),
        ":input": execution.input.as_str(),
    })?;
    Ok(())
}

/// Writes what can change of an execution.
pub(super) fn update(connection: &Connection, number: i64, execution: &Execution) -> Result<(), rusqlite::Error> {
    let ending = execution.ending.as_ref();
    let failure = ending.and_then(|ending| ending.failure.as_ref());
    let mut update = connection.prepare_cached(
        "UPDATE executions SET status = :status, attempt = :attempt, ended_at = :ended_at, output = :output,
             error = :error, cause = :cause, due_at = :due_at, tries = :tries, updated_at = :updated_at,
             expires_at = :expires_at
         WHERE number = :number",
    )?;
    update.execute(named_params! {
        ":number": number,
        ":status": status_text(execution.status),
        ":attempt": execution.attempt,
        ":ended_at": ending.map(|ending| ending.at.millis()),
        ":output": ending.and_then(|ending| ending.output.as_ref()).map(JsonText::as_str),
        ":error": failure.map(|failure| failure.error.as_str()),
        ":cause": failure.map(|failure| failure.cause.as_str()),
        ":due_at": execution.due_at.map(Timestamp::millis),
        ":tries": execution.tries,
        ":updated_at": execution.updated_at.millis(),
        ":expires_at": execution.expires_at.millis(),
    })?;
    Ok(())
}

/// Finds an execution that has not expired, and the number of its row.
pub(super) fn find_live(
    connection: &Connection,
    id: &RecordId,
    now: Timestamp,
) -> Result<Option<(i64, Execution)>, Failure> {
    Ok(find(connection, id)?.filter(|(_, execution)| execution.expires_at > now))
}

fn find(connection: &Connection, id: &RecordId) -> Result<Option<(i64, Execution)>, Failure> {
    let id = id_bytes(id);
    let mut query = connection.prepare_cached("SELECT * FROM executions WHERE id_prefix = ?1 AND id = ?2")?;
    let mut rows = query.query(params![prefix(&id), id])?;
    rows.next()?.map(|row| Ok((row.get("number")?, from_row(row)?))).transpose()
}

/// The number of an execution's row.
pub(super) fn number_of(connection: &Connection, id: &RecordId) -> Result<Option<i64>, rusqlite::Error> {
    let id = id_bytes(id);
    let mut query = connection.prepare_cached("SELECT number FROM executions WHERE id_prefix = ?1 AND id = ?2")?;
    query.query_row(params![prefix(&id), id], |row| row.get(0)).optional()
}

fn from_row(row: &Row<'_>) -> Result<Execution, Failure> {
    let status = word(row, "status", status_from)?;
    Ok(Execution {
        key: key_from(row)?,
        workflow_name: row.get("workflow_name")?,
        machine: MachineId::from_stored(row.get("machine")?),
        region: row.get("region")?,
        domain_id: row.get("domain_id")?,
        origin: word(row, "api", origin_from)?,
        is_test: row.get("is_test")?,
        status,
        attempt: row.get("attempt")?,
        input: json(row, "input")?.ok_or_else(|| corrupt("input"))?,
        headers: json(row, "headers")?,
        merge_parameters: row.get("merge_parameters")?,
        create_date: row.get("create_date")?,
        ending: if status.is_final() { Some(ending_from(row, status)?) } else { None },
        due_at: row.get::<_, Option<i64>>("due_at")?.map(Timestamp::from_millis),
        tries: row.get("tries")?,
        fingerprint: Fingerprint::from_stored(row.get("fingerprint")?),
        nonce: Uuid::from_bytes(row.get("nonce")?),
        started_by: row.get("started_by")?,
        request_id: row.get("request_id")?,
        trace: row.get("trace")?,
        started_at: time(row, "started_at")?,
        updated_at: time(row, "updated_at")?,
        expires_at: time(row, "expires_at")?,
    })
}

fn ending_from(row: &Row<'_>, status: Status) -> Result<Ending, Failure> {
    let error: Option<String> = row.get("error")?;
    let failure = error.map(|error| Ok::<_, rusqlite::Error>(Reason { error, cause: row.get("cause")? }));
    Ok(Ending { status, at: time(row, "ended_at")?, output: json(row, "output")?, failure: failure.transpose()? })
}

fn summary(row: &Row<'_>) -> Result<Summary, Failure> {
    Ok(Summary {
        key: key_from(row)?,
        workflow_name: row.get("workflow_name")?,
        origin: word(row, "api", origin_from)?,
        region: row.get("region")?,
        domain_id: row.get("domain_id")?,
        status: word(row, "status", status_from)?,
        started_by: row.get("started_by")?,
        started_at: time(row, "started_at")?,
        updated_at: time(row, "updated_at")?,
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(Timestamp::from_millis),
    })
}

fn key_from(row: &Row<'_>) -> Result<ExecutionKey, Failure> {
    Ok(ExecutionKey {
        project_id: row.get("project_id")?,
        workflow_id: Uuid::from_bytes(row.get("workflow_id")?),
        name: word(row, "name", |text| ExecutionName::parse(text).ok())?,
    })
}

fn time(row: &Row<'_>, column: &str) -> Result<Timestamp, rusqlite::Error> {
    row.get(column).map(Timestamp::from_millis)
}

fn word<T>(row: &Row<'_>, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Failure> {
    let text: String = row.get(column)?;
    Ok(parse(&text).ok_or_else(|| corrupt(column))?)
}

fn json(row: &Row<'_>, column: &str) -> Result<Option<JsonText>, Failure> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| JsonText::parse(&text).map_err(|_| corrupt(column))).transpose()?)
}
