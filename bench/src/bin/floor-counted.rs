//! The floor, its allocations counted until it is told to end.

use flowgate_bench::allocations::{self, Counting};
use flowgate_bench::runtime;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), lambda_http::Error> {
    runtime::of_environment()?.block_on(run())
}

async fn run() -> Result<(), lambda_http::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => allocations::report(),
        ended = flowgate_bench::floor::run() => ended?,
    }
    Ok(())
}
