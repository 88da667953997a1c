//! The flowgate binary.

use std::process::ExitCode;

use clap::Parser;
use flowgate::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowgate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
