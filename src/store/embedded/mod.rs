//! The storage of a local start: one SQLite file, with the same ports and the same contract as the table.
//!
//! Everything that waits to be written is written together: a thread of its own takes whatever calls have come in, carries
//! them out in one transaction, and answers them all when that is on disk. So a write costs a share of a flush, and nothing
//! is answered before it is durable. Reads have a thread of their own and see every write that was answered.
//!
//! Two processes may serve one file; SQLite's locks keep their transactions apart.

mod executions;
mod journal;
mod schema;
mod workflows;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

use crate::clock::Timestamp;
use crate::workflow::StoreError;

/// How long a transaction waits for another process's. The longest flush of a busy disk is far below.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How many calls may wait for a thread before whoever calls has to wait as well.
const QUEUE: usize = 4096;

/// How many calls one transaction carries out at most, so that the first of them is not kept waiting for long.
const BATCH: usize = 512;

/// An open store. It is closed when the last clone is dropped and what it had accepted is done.
#[derive(Debug, Clone)]
pub struct EmbeddedStore {
    writer: SyncSender<Box<dyn Call>>,
    reader: SyncSender<Box<dyn Call>>,
}

/// Why the embedded store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder could not be made.
    #[error("the data directory `{}` could not be made (FLOWGATE_DATA_DIR)", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be opened, or is none of ours.
    #[error("the embedded store's file `{}` could not be opened (FLOWGATE_DATA_DIR)", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// The file was written by another version of flowgate.
    #[error("the embedded store's file `{}` was written by another version of flowgate: take another FLOWGATE_DATA_DIR, or remove it", .path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
    },
    /// A thread could not be had.
    #[error("the embedded store could not start")]
    Thread(#[from] std::io::Error),
}

impl EmbeddedStore {
    /// Opens the file `flowgate.db` in `data_dir`, and makes both if need be.
    ///
    /// # Errors
    /// The folder, the file or a thread could not be had, or the file is of another version.
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        std::fs::create_dir_all(data_dir).map_err(|source| OpenError::Folder { path: data_dir.to_owned(), source })?;
        let path = data_dir.join("flowgate.db");
        let failed = |source| OpenError::File { path: path.clone(), source };
        let mut connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        if !schema::prepare(&mut connection).map_err(failed)? {
            return Err(OpenError::OtherVersion { path });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read_only = Connection::open_with_flags(&path, flags).map_err(failed)?;
        read_only.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        for connection in [&connection, &read_only] {
            connection.set_prepared_statement_cache_capacity(64);
        }
        Ok(Self {
            writer: thread("store-writer", connection, write)?,
            reader: thread("store-reader", read_only, read)?,
        })
    }

    /// Deletes the oldest executions until a page of them has none that has expired by `now`: they expire in about the order
    /// of their starts. Each page is a write of its own, so that others need not wait for all of it.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn delete_expired(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut page = Some(0);
        while let Some(after) = page {
            page = self.write(move |connection| Ok(executions::delete_expired_page(connection, after, now)?)).await?;
        }
        Ok(())
    }

    /// Carries out `work` in a transaction, together with what else is to be written, and returns when it is on disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        hand_over(&self.writer, work).await
    }

    /// Carries out `work`, which reads only.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        hand_over(&self.reader, work).await
    }
}

/// Why a call failed: by the database, or by what is or is to be stored.
#[derive(Debug)]
enum Failure {
    Database(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The error for a column that holds what this version does not understand.
fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column `{column}`"))
}

/// A call that waits for a thread. It is carried out once, or once more alone if the transaction it was part of failed. One
/// that fails by itself ([`Failure::Store`]) has written nothing: the transaction goes on.
trait Call: Send {
    /// Carries it out. An error is one of the database, and ends the transaction.
    fn run(&mut self, connection: &Connection) -> Result<(), rusqlite::Error>;
    /// Hands the result over.
    fn answer(self: Box<Self>);
    /// Hands a failure over.
    fn fail(self: Box<Self>, reason: &rusqlite::Error);
}

struct Pending<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Call for Pending<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, Failure> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        self.result = Some(match (self.work)(connection) {
            Ok(value) => Ok(value),
            Err(Failure::Store(error)) => Err(error),
            Err(Failure::Database(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>) {
        if let Some(result) = self.result {
            // Whoever asked may be gone.
            let _ = self.reply.send(result);
        }
    }

    fn fail(self: Box<Self>, reason: &rusqlite::Error) {
        let _ = self.reply.send(Err(StoreError::Unavailable(reason.to_string().into())));
    }
}

async fn hand_over<T: Send + 'static>(
    thread: &SyncSender<Box<dyn Call>>,
    work: impl FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
) -> Result<T, StoreError> {
    let gone = || StoreError::Unavailable("the embedded store has stopped".into());
    let (reply, answer) = oneshot::channel();
    let mut call: Box<dyn Call> = Box::new(Pending { work, result: None, reply });
    while let Err(refused) = thread.try_send(call) {
        call = match refused {
            std::sync::mpsc::TrySendError::Full(call) => call,
            std::sync::mpsc::TrySendError::Disconnected(_) => return Err(gone()),
        };
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    answer.await.unwrap_or_else(|_| Err(gone()))
}

fn thread(
    name: &str,
    connection: Connection,
    serve: fn(Connection, &Receiver<Box<dyn Call>>),
) -> Result<SyncSender<Box<dyn Call>>, std::io::Error> {
    let (sender, calls) = sync_channel(QUEUE);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || serve(connection, &calls))?;
    Ok(sender)
}

/// Reads for as long as somebody may ask.
fn read(connection: Connection, calls: &Receiver<Box<dyn Call>>) {
    for mut call in calls {
        match call.run(&connection) {
            Ok(()) => call.answer(),
            Err(error) => call.fail(&error),
        }
    }
}

/// Writes for as long as somebody may ask: all that waits, in one transaction.
fn write(mut connection: Connection, calls: &Receiver<Box<dyn Call>>) {
    while let Ok(first) = calls.recv() {
        let mut batch = vec![first];
        batch.extend(calls.try_iter().take(BATCH - 1));
        match commit(&mut connection, &mut batch) {
            Ok(()) => batch.into_iter().for_each(Call::answer),
            // The file is locked or the disk is full: it is for the next call as well.
            Err(Uncommitted::File(error)) => batch.into_iter().for_each(|call| call.fail(&error)),
            // One call must not fail the others: each once more, by itself.
            Err(Uncommitted::Call(_)) => {
                for call in batch {
                    let mut alone = [call];
                    let outcome = commit(&mut connection, &mut alone);
                    let [call] = alone;
                    match outcome {
                        Ok(()) => call.answer(),
                        Err(Uncommitted::File(error) | Uncommitted::Call(error)) => call.fail(&error),
                    }
                }
            }
        }
    }
}

/// Why a transaction was not committed: it could not begin or end, or one of its calls failed.
enum Uncommitted {
    File(rusqlite::Error),
    Call(rusqlite::Error),
}

fn commit(connection: &mut Connection, batch: &mut [Box<dyn Call>]) -> Result<(), Uncommitted> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Uncommitted::File)?;
    for call in batch.iter_mut() {
        call.run(&transaction).map_err(Uncommitted::Call)?;
    }
    transaction.commit().map_err(Uncommitted::File)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_version_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || EmbeddedStore::open(folder.path());
        drop(open().expect("a new file"));
        let version = |pragma: &str| -> i64 {
            let connection = Connection::open(folder.path().join("flowgate.db")).expect("the file");
            connection.query_row(pragma, [], |row| row.get(0)).unwrap_or_default()
        };
        version("PRAGMA user_version = 99");
        let refused = open().expect_err("refused").to_string();
        assert!(refused.contains("another version") && refused.contains("FLOWGATE_DATA_DIR"), "{refused}");
        assert_eq!(version("PRAGMA user_version"), 99);
    }

    #[tokio::test]
    async fn a_call_that_the_database_refuses_does_not_fail_the_others_of_its_transaction() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = EmbeddedStore::open(folder.path()).expect("a store");
        let put = |text: &'static str| {
            store.write(move |connection| Ok(connection.execute("INSERT INTO journal VALUES (1, ?1, 1, 'x')", [text])?))
        };
        // All three wait for the thread, which takes them together; one is a duplicate.
        let outcomes = futures_util::join!(put("1"), put("1"), put("2"));
        let refused = [&outcomes.0, &outcomes.1, &outcomes.2].into_iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(refused, 1, "{outcomes:?}");
        let count = store.read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(count.await.expect("an answer"), 2);
    }
}
