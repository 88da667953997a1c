//! The same storage served inside this process, so that there is one storage code path: an emulator of DynamoDB over a
//! SQLite file (or memory), spoken to through the AWS SDK on a loopback port of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use dynoxide::Database;

/// A running embedded store. It ends with the process.
#[derive(Debug)]
pub struct Embedded {
    address: SocketAddr,
}

/// Why the embedded store did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The loopback port or a thread could not be had.
    #[error("the embedded store could not start")]
    Io(#[from] std::io::Error),
    /// The data directory or the database file could not be opened.
    #[error("the embedded store's file or folder `{path}` could not be opened (FLOWGATE_DATA_DIR): {reason}")]
    Open {
        /// The file or folder.
        path: String,
        /// What the database said.
        reason: String,
    },
}

impl Embedded {
    /// Serves the file `store.db` in `data_dir`, which is created if need be. Every write is flushed to disk before it is
    /// answered. Two processes may serve one file.
    ///
    /// # Errors
    /// The directory, the file or a port could not be had.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(data_dir)
            .map_err(|error| Error::Open { path: data_dir.display().to_string(), reason: error.to_string() })?;
        let path = data_dir.join("store.db").to_string_lossy().into_owned();
        let database = Database::new(&path).map_err(|error| Error::Open { path, reason: error.to_string() })?;
        Self::serve(database)
    }

    /// Serves an empty store in memory, for tests.
    ///
    /// # Errors
    /// No port could be had.
    pub fn in_memory() -> Result<Self, Error> {
        let opened = Database::memory();
        Self::serve(opened.map_err(|error| Error::Open { path: ":memory:".into(), reason: error.to_string() })?)
    }

    /// The URL the SDK reaches it at.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The emulator blocks on SQLite, so it gets a thread and a runtime of its own and cannot hold up requests.
    fn serve(database: Database) -> Result<Self, Error> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("embedded-store".into()).spawn(move || {
            runtime.block_on(async {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        let forever = std::future::pending();
                        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, forever).await {
                            tracing::error!(error = %error, "the embedded store stopped");
                        }
                    }
                    Err(error) => tracing::error!(error = %error, "the embedded store could not listen"),
                }
            });
        })?;
        Ok(Self { address })
    }
}
