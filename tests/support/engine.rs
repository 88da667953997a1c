//! An engine that does what a test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flowgate::clock::Clock;
use flowgate::execution::{
    Change, Changed, Ending, Engine, EngineError, Execution, ExecutionStore, RecordId, StateEvent, Status,
};
use flowgate::workflow::{StoreError, Workflow};

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

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
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
        let (ending, ignores_stops) = (self.script().ending.clone(), self.script().ignores_stops);
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
