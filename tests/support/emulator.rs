//! DynamoDB, emulated inside the test's process and spoken to through the AWS SDK on a loopback port of its own.

use std::net::{Ipv4Addr, SocketAddr};

use dynoxide::Database;

/// A running emulator with empty storage in memory. It ends with the process.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
}

impl Emulator {
    /// Starts one. It blocks on its database, so it gets a thread and a runtime of its own and cannot hold up requests.
    pub fn start() -> Self {
        let database = Database::memory().expect("a database in memory");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let forever = std::future::pending();
                dynoxide::server::serve_with_shutdown(listener, database, forever).await.expect("a server");
            });
        });
        Self { address }
    }

    /// The URL the SDK reaches it at.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
