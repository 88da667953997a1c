//! `flowgate load`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::app::{self, Stores};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Engine, Store};
use crate::engine::{PublishError, Publisher};
use crate::workflow::{Published, Workflows, files};

/// Publishes each file's definition. A broken file does not keep the others from being loaded.
#[expect(clippy::print_stdout, reason = "progress for the person at the terminal")]
pub(super) async fn run(config: &Config, project_id: &str, paths: &[PathBuf]) -> Result<()> {
    super::start_log(config);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(1..=64).contains(&project_id.len()) || !project_id.chars().all(legal) {
        bail!("--project must have 1 to 64 letters, digits, - and _");
    }
    let place = match &config.store {
        Store::Embedded => format!("the embedded store in {}", config.data_dir.display()),
        Store::StandIn(url) => format!("table {} in {url}", config.table),
        Store::DynamoDb if config.has_endpoint => {
            format!("table {} in the endpoint that AWS_ENDPOINT_URL_DYNAMODB names", config.table)
        }
        Store::DynamoDb => format!("table {} in DynamoDB", config.table),
    };
    println!("loading into {place}");
    if config.engine == Engine::StepFunctions && config.state_machine_role.is_none() {
        println!("the deployed function makes the state machines, each when it is first needed");
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stores = Stores::open(config, &clock).await?;
    let engine = app::publishing_engine(config, &stores, &clock);
    let workflows = Arc::new(Workflows::new(stores.workflows, clock, 0));
    let publisher = Publisher::new(workflows, engine, config.functions.clone());
    let mut failed = 0;
    for path in paths {
        let file = path.display();
        let outcome = match files::read_definition(path) {
            Ok(definition) => {
                let name = definition.name().clone();
                let published = publisher.publish(project_id, definition).await;
                published.map(|(published, _)| (name, published)).map_err(advised)
            }
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok((name, Published::Created)) => println!("{file}: created {name}"),
            Ok((name, Published::Updated)) => println!("{file}: updated {name}"),
            Ok((name, Published::Unchanged)) => println!("{file}: {name} is unchanged"),
            Err(error) => {
                println!("{file}: {error:#}");
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} files were not loaded", paths.len());
    }
    Ok(())
}

/// The error, with a word on whether the same command may succeed a little later.
fn advised(error: PublishError) -> anyhow::Error {
    let is_worth_repeating = error.retryable();
    let error = anyhow::Error::from(error);
    if is_worth_repeating { error.context("not done, and repeating is safe") } else { error }
}
