//! The engine with functions of the test's own, in the test's process: what no function behind an address can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flowgate::clock::SystemClock;
use flowgate::engine::compiler::FunctionNames;
use flowgate::engine::embedded::{EmbeddedEngine, Failure, Functions, Machines, Worker};
use flowgate::engine::{NoEngine, Publisher};
use flowgate::execution::{
    Caller, Dispatch, Execution, Executions, Options, Origin, RandomIds, Start, StartKey, Status,
};
use flowgate::json::JsonText;
use flowgate::store::EmbeddedStore;
use flowgate::workflow::{Definition, Workflow, Workflows};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::PROJECT;
use crate::support::process::DEADLINE;

/// How many executions the engine has in memory at once.
const PLACES: usize = 8;

/// Counts the calls that run at the same time, and panics if it is told to.
#[derive(Default)]
struct Observed {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Functions for Observed {
    async fn call(&self, _: &str, payload: &Value, _: bool) -> Result<Value, Failure> {
        assert!(payload["panic"] != true, "the function panics, as the test wants");
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(json!({"done": true}))
    }
}

struct Setup {
    executions: Executions,
    workflow: Arc<Workflow>,
    functions: Arc<Observed>,
    _data: TempDir,
}

impl Setup {
    async fn new() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SystemClock);
        let store = Arc::new(EmbeddedStore::open(data.path()).expect("a store"));
        let functions = Arc::new(Observed::default());
        let worker = Worker {
            executions: store.clone(),
            journal: store.clone(),
            workflows: store.clone(),
            functions: functions.clone(),
            clock: clock.clone(),
            ids: Arc::new(RandomIds),
            lease_seconds: 10,
            retention_days: 1,
            machines: Machines::default(),
        };
        let engine = Arc::new(EmbeddedEngine::start(worker, PLACES));
        let workflows = Arc::new(Workflows::new(store.clone(), clock.clone(), 0));
        let no_engine = Arc::new(NoEngine::new(store.clone(), clock.clone()));
        let publisher = Publisher::new(workflows, no_engine, FunctionNames::default());
        let definition = json!({
            "name": "one-call", "start": "call", "constants": {}, "retries": [],
            "functions": [{"name": "work", "operation": "urn:fss:local-1:p:work"}],
            "states": [
                {"id": "call", "name": "Call", "type": "Operation", "end": false, "transition": "end", "actions": [
                    {"function_ref": {"ref_name": "work", "invoke_mode": "synchronize", "arguments": {"panic": "$.panic"}}}
                ]},
                {"id": "end", "name": "End", "type": "End", "end": true, "transition": "", "actions": []},
            ],
        });
        let definition = Definition::parse(&definition.to_string()).expect("a definition");
        let (_, workflow) = publisher.publish(PROJECT, definition).await.expect("a published workflow");
        let executions = Executions::new(store, engine, clock, Arc::new(RandomIds), Dispatch::InProcess, 1);
        Self { executions, workflow, functions, _data: data }
    }

    async fn start(&self, panics: bool) -> Execution {
        let start = Start {
            workflow: self.workflow.clone(),
            key: StartKey::None,
            input: JsonText::parse(&json!({"panic": panics}).to_string()).expect("JSON"),
            sent: None,
            options: Options::default(),
            origin: Origin::FunctionGraphV2,
            is_test: false,
            region: "local-1".into(),
            caller: Caller { name: "somebody".into(), domain_id: "d".into(), request_id: "r".into(), trace: None },
        };
        self.executions.start(start).await.expect("a start").execution
    }

    async fn end_of(&self, execution: Execution) -> Execution {
        let ended = self.executions.wait(execution, DEADLINE).await.expect("an answer");
        assert!(ended.status.is_final(), "{ended:?}");
        ended
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_run_fails_its_execution_and_no_other() {
    let setup = Setup::new().await;
    let [broken, whole] = [setup.start(true).await, setup.start(false).await];
    let ended = setup.end_of(broken).await;
    let failure = ended.ending.and_then(|ending| ending.failure).expect("a reason");
    assert_eq!((ended.status, failure.error.as_str()), (Status::Failed, "Flowgate.Unrunnable"));
    assert_eq!(setup.end_of(whole).await.status, Status::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_executions_than_the_queue_takes_run_a_few_at_a_time_until_all_have() {
    let setup = Setup::new().await;
    let mut started = Vec::new();
    for _ in 0..1500 {
        started.push(setup.start(false).await);
    }
    for execution in started {
        assert_eq!(setup.end_of(execution).await.status, Status::Succeeded);
    }
    let most = setup.functions.most.load(Ordering::SeqCst);
    assert!((2..=PLACES).contains(&most), "{most} at once");
}
