//! What the tests have in common.

mod answer;
mod call;
mod clock;
mod emulator;
pub mod engine;
pub mod gate;
pub mod mutation;
pub mod process;
mod proxy;
pub mod runtime_api;
pub mod secrets_manager;
pub mod step_functions;
pub mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowgate::api::Apis;
use flowgate::auth::{Authenticator, Credentials, StaticCredentials};
use flowgate::clock::{Clock, FixedClock, Timestamp};
use flowgate::engine::compiler::{FunctionNames, compile};
use flowgate::engine::{NoEngine, StepFunctions};
use flowgate::execution::{Dispatch, Engine, ExecutionStore, Executions, RandomIds};
use flowgate::gateway::lambda::{Failed, Function, Jobs};
use flowgate::store::{self, DynamoStore, Endpoint, Patience};
use flowgate::workflow::{WorkflowStore, Workflows, files};
use lambda_http::{Context, LambdaEvent};
use serde_json::Value;

pub use answer::Answer;
pub use call::{Api, Call, Front, HOST, id_in_project, workflow_id};
pub use clock::TestClock;
pub use emulator::Emulator;
pub use engine::Watched;
pub use proxy::{Fault, Proxy};

/// The project of the sample credentials.
pub const PROJECT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// Lambda's id of every invocation that [`TestApp::invoke`] makes.
const INVOCATION_ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The instant at which the event files are signed.
pub fn fixed_time() -> Timestamp {
    let text = std::fs::read_to_string(root().join("events/clock.txt")).expect("events/clock.txt");
    Timestamp::parse(text.trim()).expect("an RFC 3339 time")
}

/// Reads a JSON file.
pub fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How long [`TestApp`] keeps an execution.
pub const RETENTION_DAYS: u32 = 90;

/// Stores the sample workflows for [`PROJECT`].
pub async fn publish_samples(store: Arc<dyn WorkflowStore>) {
    let workflows = Workflows::new(store, Arc::new(FixedClock(fixed_time())), 0);
    for (path, definition) in files::read_definitions(&root().join("workflows")).expect("the samples") {
        let definition = definition.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let machine = compile(definition.flow(), &FunctionNames::default()).expect("a sample compiles").text();
        workflows.publish(PROJECT, definition, &machine).await.expect("a stored workflow");
    }
}

/// A table of the DynamoDB at `url`, whether it is there yet or not.
pub async fn table(url: &str, name: &str, patience: Patience) -> Arc<DynamoStore> {
    let client = store::client(&Endpoint::Local(url.to_owned()), patience).await;
    Arc::new(DynamoStore::new(client, name.into(), 2))
}

/// An empty table in an emulator of its own.
pub async fn empty_table() -> Arc<DynamoStore> {
    let emulator = Emulator::start();
    let table = table(&emulator.url(), "flowgate", Patience::LOCAL).await;
    table.create_table().await.expect("a table");
    table
}

/// The program as the function runs it: sample credentials, sample workflows, and the clock of the event files.
pub struct TestApp {
    function: Function,
    /// When Lambda would end an invocation, in milliseconds since the Unix epoch.
    deadline: u64,
    pub executions: Executions,
}

impl TestApp {
    /// Over a table of its own.
    pub async fn new() -> Self {
        let store = empty_table().await;
        Self::over(store.clone(), store).await
    }

    /// Over stores of the test's own.
    pub async fn over(executions: Arc<dyn ExecutionStore>, workflows: Arc<dyn WorkflowStore>) -> Self {
        publish_samples(workflows.clone()).await;
        Self::process(executions, workflows, Arc::new(FixedClock(fixed_time())))
    }

    /// A process that has just begun over what is stored already: it remembers nothing.
    pub fn process(
        executions: Arc<dyn ExecutionStore>,
        workflows: Arc<dyn WorkflowStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let engine = Arc::new(NoEngine::new(executions.clone(), clock.clone()));
        Self::with_engine(executions, workflows, clock, engine, Credentials::sample())
    }

    /// The same with Step Functions as its engine.
    pub fn dispatching(
        executions: Arc<dyn ExecutionStore>,
        workflows: Arc<dyn WorkflowStore>,
        clock: Arc<dyn Clock>,
        engine: Arc<StepFunctions>,
    ) -> Self {
        Self::running(executions, workflows, clock, engine.clone(), Some(engine), Credentials::sample())
    }

    /// The same with an engine and credentials of the test's own.
    pub fn with_engine(
        executions: Arc<dyn ExecutionStore>,
        workflows: Arc<dyn WorkflowStore>,
        clock: Arc<dyn Clock>,
        engine: Arc<dyn Engine>,
        credentials: Credentials,
    ) -> Self {
        Self::running(executions, workflows, clock, engine, None, credentials)
    }

    fn running(
        executions: Arc<dyn ExecutionStore>,
        workflows: Arc<dyn WorkflowStore>,
        clock: Arc<dyn Clock>,
        engine: Arc<dyn Engine>,
        step_functions: Option<Arc<StepFunctions>>,
        credentials: Credentials,
    ) -> Self {
        let workflows = Arc::new(Workflows::new(workflows, clock.clone(), 30));
        let ids = Arc::new(RandomIds);
        let executions = Executions::new(executions, engine, clock.clone(), ids, Dispatch::ByStream, RETENTION_DAYS);
        let credentials = Arc::new(StaticCredentials::new(credentials));
        let authenticator = Authenticator::new(credentials, clock.clone(), 900);
        let jobs = Jobs::new(executions.clone(), step_functions, clock.clone());
        let apis = Apis::new(authenticator, executions.clone(), workflows, clock, "local-1");
        let deadline = u64::try_from(Timestamp::MAX.millis()).expect("after 1970");
        Self { function: Function::new(apis, "", jobs), deadline, executions }
    }

    /// The same, where Lambda ends an invocation at once.
    pub fn in_haste(self) -> Self {
        Self { deadline: 0, ..self }
    }

    /// Sends a call as it is through a REST API and reads the answer.
    pub async fn send(&self, call: &Call) -> Answer {
        Answer::from_lambda(&self.invoke(&call.event(Front::Rest)).await)
    }

    /// Sends an event, as Lambda would, and returns the answer its sender gets. Panics if the invocation fails.
    pub async fn invoke(&self, event: &Value) -> Value {
        self.try_invoke(event).await.unwrap_or_else(|error| panic!("{error}: {event}"))
    }

    /// The same with an invocation that may fail.
    pub async fn try_invoke(&self, event: &Value) -> Result<Value, Failed> {
        let payload = serde_json::from_value(event.clone()).expect("an event of a known kind");
        let mut context = Context::default();
        context.request_id = INVOCATION_ID.into();
        context.deadline = self.deadline;
        let answer = self.function.invoke(LambdaEvent::new(payload, context)).await?;
        Ok(serde_json::to_value(answer).expect("an answer is JSON"))
    }
}
