//! The tables.

use rusqlite::Connection;

/// The version of the tables, kept in the file.
const VERSION: i64 = 2;

/// An execution's columns are the attributes of its item in the table. Rows lie in the order of the starts, so that a new
/// one is written at the end however many there are; only the index of the ids is written at random places. The writer is
/// alone in its transaction when it sees that an id is free, so no index has to be unique for that.
const TABLES: &str = "
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY,
        id_prefix INTEGER NOT NULL,
        id BLOB NOT NULL,
        project_id TEXT NOT NULL,
        workflow_id BLOB NOT NULL,
        name TEXT NOT NULL,
        workflow_name TEXT NOT NULL,
        machine TEXT NOT NULL,
        region TEXT NOT NULL,
        domain_id TEXT NOT NULL,
        api TEXT NOT NULL,
        is_test INTEGER NOT NULL,
        status TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        ended_at INTEGER,
        output TEXT,
        error TEXT,
        cause TEXT,
        due_at INTEGER,
        tries INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        nonce BLOB NOT NULL,
        merge_parameters INTEGER NOT NULL,
        create_date TEXT,
        started_by TEXT NOT NULL,
        request_id TEXT NOT NULL,
        trace TEXT,
        started_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        journal INTEGER NOT NULL,
        headers TEXT,
        input TEXT NOT NULL
    );
    CREATE INDEX executions_by_id ON executions (id_prefix);
    CREATE INDEX executions_by_workflow ON executions (workflow_id, project_id, started_at, name);
    CREATE INDEX executions_by_due ON executions (due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE journal (
        execution INTEGER NOT NULL,
        position INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        entry TEXT NOT NULL,
        PRIMARY KEY (execution, position)
    ) WITHOUT ROWID;
    CREATE TABLE workflows (
        project_id TEXT NOT NULL,
        id BLOB NOT NULL,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        machine TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (project_id, id),
        UNIQUE (project_id, name)
    ) WITHOUT ROWID;
    CREATE TABLE versions (
        project_id TEXT NOT NULL,
        workflow_id BLOB NOT NULL,
        machine TEXT NOT NULL,
        definition TEXT NOT NULL,
        text TEXT NOT NULL,
        engine_reference TEXT,
        PRIMARY KEY (project_id, workflow_id, machine)
    ) WITHOUT ROWID;
";

/// Makes the connection write as the store promises, and the tables unless they are there. `false` if they are another
/// version's.
pub(super) fn prepare(connection: &mut Connection) -> Result<bool, rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on disk when it returns.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    // In KiB where negative. Enough for the index of the ids of three million executions.
    connection.pragma_update(None, "cache_size", -65_536)?;
    // In pages: the log is copied into the file every 128 MiB. Starts wait for that, and the less often it happens, the
    // fewer pages are copied more than once.
    connection.pragma_update(None, "wal_autocheckpoint", 32_768)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(version == 0 || version == VERSION)
}
