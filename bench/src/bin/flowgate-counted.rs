//! flowgate as it is deployed, its allocations counted until it is told to end.

use clap::Parser;
use flowgate::cli::Cli;
use flowgate_bench::allocations::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> anyhow::Result<()> {
    let ended = Cli::parse().run();
    allocations::report();
    ended
}
