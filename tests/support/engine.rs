//! An engine that does what a test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use flowgate::auth::Credentials;
use flowgate::clock::Clock;
use flowgate::execution::{
    Change, Changed, Ending, Engine, EngineError, Execution, ExecutionKey, ExecutionName, ExecutionStore, Failure,
    RecordId, StateEvent, Status,
};
use flowgate::json::JsonText;
use flowgate::store::DynamoStore;
use flowgate::workflow::{StoreError, Workflow};
use serde_json::Value;

use super::{Answer, Call, PROJECT, TestApp, TestClock, empty_table, fixed_time, id_in_project, publish_samples};

/// A program over a store of its own whose engine does what the test says.
pub struct Watched {
    pub store: Arc<DynamoStore>,
    pub clock: Arc<TestClock>,
    pub engine: Arc<ScriptedEngine>,
    pub app: TestApp,
}

impl Watched {
    pub async fn new() -> Self {
        Self::for_callers(Credentials::sample()).await
    }

    /// With credentials of the test's own.
    pub async fn for_callers(credentials: Credentials) -> Self {
        let store = empty_table().await;
        publish_samples(store.clone()).await;
        let clock = Arc::new(TestClock::starting_at(fixed_time()));
        let engine = Arc::new(ScriptedEngine::new(store.clone(), clock.clone()));
        let app = TestApp::with_engine(store.clone(), store.clone(), clock.clone(), engine.clone(), credentials);
        Self { store, clock, engine, app }
    }

    /// Signs a call and sends it.
    pub async fn send(&self, call: &Call) -> Answer {
        self.app.send(&call.signed()).await
    }

    /// Signs a call, sends it, and returns the body of its success.
    pub async fn ask(&self, call: &Call) -> Value {
        self.send(call).await.expect_success()
    }

    /// Starts an execution of a sample workflow under a name.
    pub async fn start(&self, workflow: &str, name: &str) -> Execution {
        self.ask(&Call::start_v1(name, "{\"n\":1}").in_workflow(workflow)).await;
        self.read(workflow, name).await
    }

    /// The record of an execution.
    pub async fn read(&self, workflow: &str, name: &str) -> Execution {
        let name = ExecutionName::parse(name).expect("a valid name");
        let key = ExecutionKey { project_id: PROJECT.into(), workflow_id: id_in_project(workflow), name };
        let found = self.store.get(&key.record_id(), self.clock.now()).await.expect("an answer");
        found.expect("an execution")
    }

    /// Brings an execution that has just been started into a status.
    pub async fn bring(&self, execution: &Execution, status: Status) -> Execution {
        let ended = |status| {
            let output = JsonText::parse("{\"done\": 1.50}").expect("JSON");
            let failure = Failure { error: "Lambda.Unknown".into(), cause: "no more".into() };
            Change::End(Ending {
                status,
                at: self.clock.now(),
                output: (status == Status::Succeeded).then_some(output),
                failure: (status == Status::Failed).then_some(failure),
            })
        };
        let changes = match status {
            Status::Scheduled => vec![],
            Status::Running => vec![Change::Running { check_at: self.clock.now().plus_seconds(60) }],
            Status::Stopping => vec![Change::Stop],
            Status::Retrying => vec![ended(Status::Failed), Change::Retry],
            status => vec![ended(status)],
        };
        let mut execution = execution.clone();
        for change in changes {
            execution = self.engine.change(&execution, change).await;
        }
        execution
    }
}

/// Runs executions by changing their records, and tells of them what it was given to tell.
pub struct ScriptedEngine {
    store: Arc<dyn ExecutionStore>,
    clock: Arc<dyn Clock>,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    histories: HashMap<RecordId, Vec<StateEvent>>,
    /// How every execution ends that is attended to; none does without it.
    ending: Option<Ending>,
    /// Whether what is to be stopped is left so.
    ignores_stops: bool,
    fails: bool,
}

impl ScriptedEngine {
    pub fn new(store: Arc<dyn ExecutionStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, script: Mutex::default() }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("a lock")
    }

    /// Sets what happened in an execution.
    pub fn tell(&self, id: RecordId, history: Vec<StateEvent>) {
        self.script().histories.insert(id, history);
    }

    /// Lets every execution end so that is attended to from now on.
    pub fn end_all(&self, ending: Ending) {
        self.script().ending = Some(ending);
    }

    /// Leaves what is to be stopped as it is.
    pub fn ignore_stops(&self) {
        self.script().ignores_stops = true;
    }

    /// Cannot be reached any more.
    pub fn fail(&self) {
        self.script().fails = true;
    }

    /// Changes a record.
    pub async fn change(&self, execution: &Execution, change: Change) -> Execution {
        let now = self.clock.now();
        match self.store.change(execution, &change, now, execution.expires_at).await.expect("an answer") {
            Changed::Done(changed) => *changed,
            other => panic!("{change:?} got {other:?}"),
        }
    }
}

#[async_trait]
impl Engine for ScriptedEngine {
    async fn publish(&self, _: &Workflow) -> Result<(), EngineError> {
        Ok(())
    }

    async fn attend(&self, id: &RecordId) -> Result<(), StoreError> {
        let Some(execution) = self.store.get(id, self.clock.now()).await? else { return Ok(()) };
        let (ending, ignores_stops) = {
            let script = self.script();
            (script.ending.clone(), script.ignores_stops)
        };
        if execution.status == Status::Stopping && !ignores_stops {
            let ending = Ending { status: Status::Cancelled, at: self.clock.now(), output: None, failure: None };
            self.change(&execution, Change::End(ending)).await;
        } else if !execution.status.is_final()
            && execution.status != Status::Stopping
            && let Some(ending) = ending
        {
            self.change(&execution, Change::End(ending)).await;
        }
        Ok(())
    }

    async fn history(&self, execution: &Execution) -> Result<Vec<StateEvent>, EngineError> {
        let script = self.script();
        if script.fails {
            return Err(EngineError::Unavailable("the engine cannot be reached, as the test wants".into()));
        }
        Ok(script.histories.get(&execution.key.record_id()).cloned().unwrap_or_default())
    }
}
