//! The wiring: the only place that picks adapters.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use crate::api::Apis;
use crate::auth::{Authenticator, CredentialSource, Credentials, SecretsManagerCredentials, StaticCredentials};
use crate::clock::{Clock, FixedClock, SystemClock};
use crate::config::{self, Config, CredentialsFrom, Gateway, Store};
#[cfg(feature = "embedded")]
use crate::engine::embedded::{EmbeddedEngine, Lambda, Machines, ReachableFunctions, Worker};
use crate::engine::step_functions::{Pauses, Settings};
use crate::engine::{NoEngine, PublishError, Publisher, StepFunctions};
use crate::errors;
use crate::execution::{Dispatch, Engine, ExecutionStore, Executions, Journal, RandomIds};
use crate::gateway::lambda::Jobs;
use crate::store::{self, DynamoStore, Endpoint, Patience};
use crate::workflow::{Published, WorkflowStore, Workflows, files};

/// Everything behind the gateways.
pub struct App {
    /// The APIs, ready to answer.
    pub apis: Apis,
    /// What the function does beside answering calls.
    pub jobs: Jobs,
    /// The credentials, if they are fixed for the life of the process.
    pub credentials: Option<Arc<Credentials>>,
}

/// How long a process that lives on waits between two looks for what is due.
const SWEEP: Duration = Duration::from_secs(10);

/// How long the embedded store waits between two looks for what has expired.
#[cfg(feature = "embedded")]
const EXPIRY: Duration = Duration::from_secs(600);

impl App {
    /// Builds the program the environment asks for. At a local start the table is made and the workflow files are loaded.
    ///
    /// # Errors
    /// What makes it impossible to serve.
    pub async fn build(config: &Config) -> Result<Self> {
        let clock: Arc<dyn Clock> = match config.fixed_time {
            Some(instant) => Arc::new(FixedClock(instant)),
            None => Arc::new(SystemClock),
        };
        let (source, credentials) = credentials(config, clock.clone()).await?;
        let stores = Stores::open(config, &clock).await?;
        let workflows =
            Arc::new(Workflows::new(stores.workflows.clone(), clock.clone(), config.workflow_cache_seconds));
        let (engine, step_functions): (Arc<dyn Engine>, _) = match config.engine {
            #[cfg(feature = "embedded")]
            config::Engine::Embedded => (Arc::new(embedded_engine(config, &stores, &clock).await), None),
            config::Engine::StepFunctions => {
                let engine = Arc::new(step_functions(config, &stores, &clock));
                (engine.clone(), Some(engine))
            }
            _ => (publishing_engine(config, &stores, &clock), None),
        };
        if config.local
            && let Some(credentials) = &credentials
        {
            let publisher = Publisher::new(workflows.clone(), engine.clone(), config.functions.clone());
            load_workflows(config, credentials, &publisher).await?;
        }
        let dispatch = match config.engine {
            config::Engine::None => Dispatch::Never,
            _ if lives_on(config) => Dispatch::InProcess,
            _ => Dispatch::ByStream,
        };
        let executions = Executions::new(
            stores.executions,
            engine,
            clock.clone(),
            Arc::new(RandomIds),
            dispatch,
            config.retention_days,
        );
        // The embedded engine looks for itself.
        if lives_on(config) && config.engine != config::Engine::Embedded {
            tokio::spawn(sweep_on_and_on(executions.clone()));
        }
        let jobs = Jobs::new(executions.clone(), step_functions, clock.clone());
        let authenticator = Authenticator::new(source, clock.clone(), config.signature_window_seconds);
        let apis = Apis::new(authenticator, executions, workflows, clock, &config.region);
        Ok(Self { apis, jobs, credentials })
    }
}

/// Whether the process goes on between calls. A deployed function may be frozen as soon as it has answered, and events come
/// to it; to every other process none come.
fn lives_on(config: &Config) -> bool {
    match config.gateway {
        Gateway::Lambda => config.local,
        Gateway::Http(_) => true,
    }
}

/// The engine that the configuration names, for a command that runs no executions itself.
pub fn publishing_engine(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> Arc<dyn Engine> {
    match config.engine {
        config::Engine::StepFunctions => Arc::new(step_functions(config, stores, clock)),
        config::Engine::Embedded | config::Engine::None => {
            Arc::new(NoEngine::new(stores.executions.clone(), clock.clone()))
        }
    }
}

/// Step Functions. Nothing is asked of it yet.
fn step_functions(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> StepFunctions {
    let settings = Settings {
        endpoint: config.step_functions_stand_in.clone().map_or(Endpoint::Default, Endpoint::Local),
        patience: if config.local { Patience::LOCAL } else { Patience::DEPLOYED },
        role: config.state_machine_role.clone(),
        prefix: config.state_machine_prefix.clone(),
        deadline_seconds: config.dispatch_deadline_seconds,
        retention_days: config.retention_days,
        checks: if lives_on(config) { Pauses::WITHOUT_EVENTS } else { Pauses::WITH_EVENTS },
    };
    StepFunctions::new(stores.executions.clone(), stores.workflows.clone(), clock.clone(), settings)
}

/// The engine in this process. It begins to run what is due.
#[cfg(feature = "embedded")]
async fn embedded_engine(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> EmbeddedEngine {
    let lambda = match &config.lambda {
        config::Lambda::None => None,
        config::Lambda::StandIn(url) => Some(Lambda::stand_in(url)),
        config::Lambda::Aws => Some(Lambda::of_settings().await),
    };
    let worker = Worker {
        executions: stores.executions.clone(),
        journal: stores.journal.clone(),
        workflows: stores.workflows.clone(),
        functions: Arc::new(ReachableFunctions::new(lambda, config.has_sample_functions)),
        clock: clock.clone(),
        ids: Arc::new(RandomIds),
        lease_seconds: config.lease_seconds,
        retention_days: config.retention_days,
        machines: Machines::default(),
    };
    EmbeddedEngine::start(worker, config.engine_concurrency as usize)
}

/// Looks for what is due as long as the process lives.
async fn sweep_on_and_on(executions: Executions) {
    loop {
        if let Err(error) = executions.sweep(Instant::now() + SWEEP).await {
            tracing::warn!(error = errors::chain(&error), "what is due could not be looked for");
        }
        tokio::time::sleep(SWEEP).await;
    }
}

/// Deletes what has expired in the embedded store as long as the process lives.
#[cfg(feature = "embedded")]
async fn expire_on_and_on(store: store::EmbeddedStore, clock: Arc<dyn Clock>) {
    loop {
        if let Err(error) = store.delete_expired(clock.now()).await {
            tracing::warn!(error = errors::chain(&error), "what has expired could not be deleted");
        }
        tokio::time::sleep(EXPIRY).await;
    }
}

async fn credentials(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<dyn CredentialSource>, Option<Arc<Credentials>>)> {
    let credentials = match &config.credentials {
        CredentialsFrom::SecretsManager(id) => {
            let client = aws_sdk_secretsmanager::Client::new(store::shared_config().await);
            let source = SecretsManagerCredentials::new(client, id, config.credentials_ttl_seconds, clock);
            // Fetched now, while a cold start has processor time to spare. If it fails, calls are answered with a 503 and
            // the fetch is tried again.
            let _ = source.snapshot().await;
            return Ok((Arc::new(source), None));
        }
        local => local_credentials(local)?,
    };
    if credentials.is_empty() {
        bail!("there are no credentials, so nobody could be let in");
    }
    if credentials.contains_sample() {
        if !config.local {
            bail!("the sample credentials are public and for local use only");
        }
        tracing::warn!("the sample credentials are in use, which everybody knows");
    }
    let source = Arc::new(StaticCredentials::new(credentials.clone()));
    Ok((source, Some(Arc::new(credentials))))
}

/// Reads credentials that lie on this machine.
///
/// # Errors
/// They cannot be read, or lie in AWS Secrets Manager.
pub fn local_credentials(from: &CredentialsFrom) -> Result<Credentials> {
    match from {
        CredentialsFrom::SecretsManager(_) => {
            bail!("this is for local use: set FLOWGATE_CREDENTIALS_FILE, not FLOWGATE_CREDENTIALS_SECRET")
        }
        CredentialsFrom::File(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("FLOWGATE_CREDENTIALS_FILE {} could not be read", path.display()))?;
            Credentials::parse(&text).context("FLOWGATE_CREDENTIALS_FILE cannot be used")
        }
        CredentialsFrom::Text(text) => Credentials::parse(text).context("FLOWGATE_CREDENTIALS cannot be used"),
        CredentialsFrom::Sample => Ok(Credentials::sample()),
    }
}

/// The storage, as each room that uses it knows it.
pub struct Stores {
    /// Keeps executions.
    pub executions: Arc<dyn ExecutionStore>,
    /// Keeps workflows.
    pub workflows: Arc<dyn WorkflowStore>,
    /// Keeps what happened in executions that run in this process.
    pub journal: Arc<dyn Journal>,
}

impl Stores {
    /// Opens the storage that the configuration names. A table is created if it is a local one that does not exist yet.
    ///
    /// # Errors
    /// The embedded store could not be opened, or the table could not be created.
    #[cfg_attr(not(feature = "embedded"), expect(unused_variables, reason = "a table expires its items by itself"))]
    pub async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self> {
        let endpoint = match &config.store {
            #[cfg(feature = "embedded")]
            Store::Embedded => {
                let store = store::EmbeddedStore::open(&config.data_dir)?;
                tokio::spawn(expire_on_and_on(store.clone(), clock.clone()));
                return Ok(Self::over(store));
            }
            #[cfg(not(feature = "embedded"))]
            Store::Embedded => bail!("this build was made without the embedded store"),
            Store::StandIn(url) => Endpoint::Local(url.clone()),
            Store::DynamoDb => Endpoint::Default,
        };
        let patience = if config.local { Patience::LOCAL } else { Patience::DEPLOYED };
        let client = store::client(&endpoint, patience).await;
        let table = DynamoStore::new(client, config.table.clone(), config.list_shards);
        // A table of AWS's own is template.yaml's to create.
        if config.local && (config.store != Store::DynamoDb || config.has_endpoint) {
            table.create_table().await.context("the table could not be created")?;
        }
        Ok(Self::over(table))
    }

    fn over(store: impl ExecutionStore + WorkflowStore + Journal + 'static) -> Self {
        let store = Arc::new(store);
        Self { executions: store.clone(), workflows: store.clone(), journal: store }
    }
}

/// Loads every definition file for every project that has credentials. A broken file is reported and left out.
async fn load_workflows(config: &Config, credentials: &Credentials, publisher: &Publisher) -> Result<()> {
    let dir = config.workflows_dir.display();
    if !config.workflows_dir.is_dir() {
        tracing::warn!(%dir, "there is no such folder of workflows (FLOWGATE_WORKFLOWS_DIR)");
    }
    let definitions =
        files::read_definitions(&config.workflows_dir).with_context(|| format!("{dir} could not be read"))?;
    for (path, definition) in definitions {
        let file = path.display();
        let definition = match definition {
            Ok(definition) => definition,
            Err(error) => {
                tracing::error!(file = %file, error = %error, "a workflow file is broken and was left out");
                continue;
            }
        };
        for project_id in credentials.projects() {
            let name = definition.name().clone();
            match publisher.publish(project_id, definition.clone()).await.map(|(published, _)| published) {
                Ok(Published::Unchanged) => tracing::debug!(file = %file, workflow = %name, "workflow unchanged"),
                Ok(Published::Created) => tracing::info!(file = %file, workflow = %name, "workflow created"),
                Ok(Published::Updated) => tracing::info!(file = %file, workflow = %name, "workflow updated"),
                Err(error @ PublishError::Compile(_)) => {
                    tracing::error!(file = %file, error = %error, "a workflow cannot be compiled and was left out");
                }
                Err(error @ PublishError::Engine(_)) => {
                    let error = errors::chain(&error);
                    tracing::error!(file = %file, error, "a workflow was loaded, but the engine does not take it");
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("workflow {name} of {file} could not be published"));
                }
            }
        }
    }
    Ok(())
}
