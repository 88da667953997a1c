//! The command line.

mod compile;
mod load;
mod serve;
mod sign;

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::config::{Config, LogFormat};
use crate::engine::compiler::FunctionNames;

/// Serves the Huawei-Cloud-compatible workflow start APIs: as a Lambda function where AWS_LAMBDA_RUNTIME_API is set, else
/// as plain HTTP on $PORT. See README.md for the environment variables.
#[derive(Debug, Parser)]
#[command(name = "flowgate", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the APIs (the default)
    Serve,
    /// Load workflow definitions into the table that FLOWGATE_TABLE names: AWS's, unless FLOWGATE_STORE=embedded or
    /// AWS_ENDPOINT_URL_DYNAMODB says otherwise
    Load(LoadArgs),
    /// Print a workflow definition as Amazon States Language, the text that engines run
    Compile(CompileArgs),
    /// Sign a request with local credentials
    #[command(subcommand)]
    Sign(SignCommand),
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// Definition files (the FunctionGraph v2 form, with `inputs` for the parameters)
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The project the workflows belong to
    #[arg(long)]
    project: String,
}

#[derive(Debug, Args)]
struct CompileArgs {
    /// The definition: FunctionGraph v2, FunctionGraph v1 or OBS, told apart by their shape
    file: PathBuf,
    /// Which Lambda function a function URN means: text with {region}, {project}, {package}, {name} and {version}
    #[arg(long, value_name = "TEMPLATE", default_value_t, value_parser = FunctionNames::parse)]
    functions: FunctionNames,
}

#[derive(Debug, Subcommand)]
enum SignCommand {
    /// Print an event file, signed anew for now
    Event {
        /// The event, as a gateway sends it
        file: PathBuf,
    },
    /// Print a curl command line for a signed request
    Curl {
        /// The method, such as POST
        method: String,
        /// The whole URL
        url: String,
        /// The request's body
        #[arg(long, default_value = "")]
        data: String,
        /// A further header, such as "X-WorkflowRun-ID: run-1"; may be repeated
        #[arg(long = "header")]
        headers: Vec<String>,
    },
}

impl Cli {
    /// Carries out the command.
    ///
    /// # Errors
    /// What made it impossible, for the terminal or the log.
    pub fn run(self) -> Result<()> {
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => {
                let config = Config::from_env()?;
                runtime(&config)?.block_on(serve::run(&config))
            }
            Command::Load(args) => {
                let config = Config::from_env_for_deployed_table()?;
                runtime(&config)?.block_on(load::run(&config, &args.project, &args.files))
            }
            Command::Compile(args) => compile::run(&args.file, &args.functions),
            Command::Sign(SignCommand::Event { file }) => sign::event(&Config::from_env()?, &file),
            Command::Sign(SignCommand::Curl { method, url, data, headers }) => {
                sign::curl(&Config::from_env()?, &method, &url, &data, &headers)
            }
        }
    }
}

/// The runtime of a process that serves, or works on a table. Calls that come one by one need no other thread, neither to
/// start nor to hand them to.
fn runtime(config: &Config) -> Result<Runtime> {
    let mut builder = if config.one_by_one { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build().context("the runtime cannot be started")
}

/// Starts the log on standard error: one JSON object a line where machines read it, plain lines for people.
///
/// The level asked for is that of our own lines. Libraries write whole events, bodies and headers at the lower levels, so
/// they get to warn and no more.
fn start_log(config: &Config) {
    let levels =
        Targets::new().with_default(config.log_level.min(LevelFilter::WARN)).with_target("flowgate", config.log_level);
    let log = tracing_subscriber::fmt()
        .with_max_level(config.log_level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().with(levels).init();
        }
        LogFormat::Text => log.finish().with(levels).init(),
    }
    // A panic ends one request, whose line in the log says so; this one says where. Its text may hold what a caller sent.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(location = panic.location().map(ToString::to_string), "panicked");
    }));
}
