//! The flowgate binary.

use std::process::ExitCode;

use clap::Parser;
use flowgate::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
