//! The floor, its allocations counted until it is told to end.

use flowgate_bench::allocations::{self, Counting};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => allocations::report(),
        ended = flowgate_bench::floor::run() => ended?,
    }
    Ok(())
}
