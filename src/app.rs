//! The wiring: the only place that picks adapters.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::api::Apis;
use crate::auth::{Authenticator, CredentialSource, Credentials, SecretsManagerCredentials, StaticCredentials};
use crate::clock::{Clock, FixedClock, SystemClock, Timestamp};
use crate::config::{self, Config, CredentialsFrom, Gateway, Store};
#[cfg(feature = "embedded")]
use crate::engine::embedded::{EmbeddedEngine, Lambda, Machines, ReachableFunctions, Worker};
use crate::engine::{NoEngine, PublishError, Publisher};
use crate::execution::{Dispatch, Engine, ExecutionStore, Executions, Journal, RandomIds};
use crate::store::{self, DynamoStore, Endpoint, Patience};
use crate::workflow::{Published, WorkflowStore, Workflows, files};

/// Everything behind the gateways.
pub struct App {
    /// The APIs, ready to answer.
    pub apis: Apis,
    /// The credentials, if they are fixed for the life of the process.
    pub credentials: Option<Arc<Credentials>>,
}

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
        let stores = Stores::open(config, clock.now()).await?;
        let workflows =
            Arc::new(Workflows::new(stores.workflows.clone(), clock.clone(), config.workflow_cache_seconds));
        let engine = running_engine(config, &stores, &clock).await;
        if config.local
            && let Some(credentials) = &credentials
        {
            let publisher = Publisher::new(workflows.clone(), engine.clone(), config.functions.clone());
            load_workflows(config, credentials, &publisher).await?;
        }
        // A deployed function may be frozen as soon as it has answered; every other process lives on.
        let dispatch = match config.gateway {
            Gateway::Lambda if !config.local => Dispatch::ByStream,
            Gateway::Lambda | Gateway::Http(_) => Dispatch::InProcess,
        };
        let executions = Executions::new(
            stores.executions,
            engine,
            clock.clone(),
            Arc::new(RandomIds),
            dispatch,
            config.retention_days,
        );
        let authenticator = Authenticator::new(source, clock.clone(), config.signature_window_seconds);
        let apis = Apis::new(authenticator, executions, workflows, clock, &config.region);
        Ok(Self { apis, credentials })
    }
}

/// The engine that the configuration names, for a command that runs no executions itself.
pub fn publishing_engine(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> Arc<dyn Engine> {
    match config.engine {
        config::Engine::Embedded | config::Engine::StepFunctions | config::Engine::None => {
            Arc::new(NoEngine::new(stores.executions.clone(), clock.clone()))
        }
    }
}

/// The engine that the configuration names. The embedded one begins to run what is due.
async fn running_engine(config: &Config, stores: &Stores, clock: &Arc<dyn Clock>) -> Arc<dyn Engine> {
    match config.engine {
        #[cfg(feature = "embedded")]
        config::Engine::Embedded => {
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
            Arc::new(EmbeddedEngine::start(worker, config.engine_concurrency as usize))
        }
        _ => publishing_engine(config, stores, clock),
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
    pub async fn open(config: &Config, now: Timestamp) -> Result<Self> {
        let endpoint = match &config.store {
            #[cfg(feature = "embedded")]
            Store::Embedded => return Ok(Self::over(store::EmbeddedStore::open(&config.data_dir, now)?)),
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
                Err(error) => {
                    return Err(error).with_context(|| format!("workflow {name} of {file} could not be published"));
                }
            }
        }
    }
    Ok(())
}
