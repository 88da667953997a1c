//! Executions that really run: the built binary, functions that the tests serve, and the file that is left behind.

mod crashes;
mod functions;
mod in_process;
mod invoking;
mod retrying;
mod samples;
mod sharing;
mod sleeping;
mod stopping;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowgate::clock::{Clock, SystemClock, Timestamp};
use flowgate::engine::embedded::{Entry, Event, Machine, Outcome, Run};
use flowgate::execution::{Execution, ExecutionKey, ExecutionName, ExecutionStore, Journal, RecordId, Status};
use flowgate::store::EmbeddedStore;
use flowgate::workflow::WorkflowStore;
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::{DEADLINE, Process, command};
use crate::support::wire::exchange;
use crate::support::{Answer, Call, PROJECT, id_in_project};

/// Statuses that nothing follows, as the file has them.
const FINAL: &str = "('succeeded', 'failed', 'timed_out', 'cancelled')";

/// Where processes keep their data and find their workflows.
struct Place {
    data: TempDir,
    workflows: TempDir,
    lease_seconds: u32,
}

impl Place {
    fn new(lease_seconds: u32, definitions: &[Value]) -> Self {
        let [data, workflows] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        for definition in definitions {
            let name = definition["name"].as_str().expect("a name");
            let path = workflows.path().join(format!("{name}.json"));
            std::fs::write(path, definition.to_string()).expect("a written file");
        }
        Self { data, workflows, lease_seconds }
    }

    /// The binary at the present time, with the workflows of this place.
    fn command(&self) -> Command {
        let mut command = command(self.data.path());
        command
            .env_remove("FLOWGATE_FIXED_TIME")
            .env("FLOWGATE_WORKFLOWS_DIR", self.workflows.path())
            .env("FLOWGATE_LEASE_SECONDS", self.lease_seconds.to_string())
            .env("FLOWGATE_ENGINE_CONCURRENCY", "256")
            .env("FLOWGATE_LOG", "warn");
        command
    }

    fn serve(&self) -> (Process, SocketAddr) {
        Process::serve(&mut self.command())
    }

    fn ledger(&self) -> Ledger {
        let connection = Connection::open(self.data.path().join("flowgate.db")).expect("the file");
        connection.busy_timeout(DEADLINE).expect("a setting");
        Ledger(connection)
    }
}

/// The file, read beside the processes that write it.
struct Ledger(Connection);

/// What an execution's row says of its end.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    status: String,
    output: Option<String>,
    started_at: i64,
    ended_at: Option<i64>,
    fence: u64,
}

impl Ledger {
    fn row(&self, id: &RecordId) -> Option<Row> {
        let query = "SELECT status, output, started_at, ended_at, fence FROM executions WHERE id = ?1";
        let id = hex::decode(id.as_str()).expect("hex digits");
        let row = self.0.query_row(query, [id], |row| {
            Ok(Row {
                status: row.get("status")?,
                output: row.get("output")?,
                started_at: row.get("started_at")?,
                ended_at: row.get("ended_at")?,
                fence: row.get("fence")?,
            })
        });
        row.optional().expect("a row")
    }

    /// Whether nobody is writing, not even a process that is paused.
    fn is_free(&self) -> bool {
        self.0.busy_timeout(Duration::from_millis(100)).expect("a setting");
        self.0.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok()
    }

    fn count(&self, condition: &str) -> usize {
        let query = format!("SELECT count(*) FROM executions WHERE {condition}");
        self.0.query_row(&query, [], |row| row.get(0)).expect("a number")
    }

    /// Waits until no execution is unfinished.
    fn wait_until_all_ended(&self) {
        self.wait_until(&format!("status NOT IN {FINAL}"), 0);
    }

    /// Waits until that many executions satisfy a condition. The wait is given up when nothing has happened for too long.
    fn wait_until(&self, condition: &str, wanted: usize) {
        let mut seen = (self.count(condition), Instant::now());
        while seen.0 != wanted {
            std::thread::sleep(Duration::from_millis(50));
            let count = self.count(condition);
            if count != seen.0 {
                seen = (count, Instant::now());
            }
            assert!(seen.1.elapsed() < DEADLINE, "{count} executions are {condition}, not {wanted}");
        }
    }

    /// Waits for the end of one execution.
    fn wait_for(&self, id: &RecordId) -> Row {
        let begun = Instant::now();
        loop {
            match self.row(id) {
                Some(row) if FINAL.contains(&format!("'{}'", row.status)) => return row,
                other => assert!(begun.elapsed() < DEADLINE, "it does not end: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn record_id(workflow: &str, name: &str) -> RecordId {
    let name = ExecutionName::parse(name).expect("a name");
    ExecutionKey { project_id: PROJECT.into(), workflow_id: id_in_project(workflow), name }.record_id()
}

/// A start through FunctionGraph v1, whose run has the execution's name.
fn start(workflow: &str, name: &str) -> Call {
    Call::start_v1(name, &json!({"run": name, "trail": []}).to_string()).in_workflow(workflow)
}

/// Signs a call now and sends it.
fn send(address: SocketAddr, call: &Call) -> Answer {
    exchange(address, &signed(call))
}

fn signed(call: &Call) -> Vec<u8> {
    call.signed_at(SystemClock.now()).bytes()
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// A definition of states that follow each other as they are listed.
fn definition(name: &str, functions: &Value, states: &[Value]) -> Value {
    let mut states = states.to_vec();
    states.push(json!({"id": "end", "name": "end", "type": "End", "end": true, "actions": []}));
    let ids: Vec<Value> = states.iter().map(|state| state["id"].clone()).collect();
    for (state, next) in states.iter_mut().zip(ids[1..].iter().cloned().chain([json!("")])) {
        state["transition"] = next;
    }
    let retries = json!([{"name": "thrice", "delay": 1, "max_attempts": 3}]);
    json!({"name": name, "start": ids[0], "constants": {}, "functions": functions, "retries": retries, "states": states})
}

/// A state that calls functions, in the given order of actions. `run` and `trail` lead to what each is told.
fn calls(id: &str, mode: &str, functions: &[&str], (run, trail): (&str, &str)) -> Value {
    let action = |name: &&str| json!({"function_ref": {"ref_name": name, "arguments": {"run": run, "trail": trail}}});
    let actions: Vec<Value> = functions.iter().map(action).collect();
    json!({"id": id, "name": id, "type": "Operation", "action_mode": mode, "actions": actions, "end": false})
}

/// What a function is told after one that is part of the trail.
const HANDED_ON: (&str, &str) = ("$.run", "$.trail");

/// The same state, which repeats what fails with a 500.
fn repeated(mut state: Value) -> Value {
    state["on_errors"] = json!([{"error": "$.errorCode == 500", "retry_ref": "thrice"}]);
    state
}

fn sleeps(id: &str, seconds: u32) -> Value {
    json!({"id": id, "name": id, "type": "Sleep", "duration": seconds, "actions": [], "end": false})
}

/// What is stored of an execution that has ended.
struct Ended {
    execution: Execution,
    entries: Vec<Entry>,
    /// The function that each Task of its machine calls.
    tasks: BTreeMap<String, String>,
}

/// Reads every execution of the workflows, which no process runs any more, and checks that each has ended, that its journal
/// has no gap, and that the journal tells by itself how it ended.
fn examine(place: &Place, workflows: &[&str]) -> BTreeMap<String, Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = EmbeddedStore::open(place.data.path()).expect("the store");
        let mut all = BTreeMap::new();
        for workflow in workflows {
            let page = store.list(PROJECT, id_in_project(workflow), None, 1_000_000, now()).await.expect("a list");
            for summary in page.entries {
                let ended = examine_one(&store, &summary.key).await;
                all.insert(summary.key.name.to_string(), ended);
            }
        }
        all
    })
}

async fn examine_one(store: &EmbeddedStore, key: &ExecutionKey) -> Ended {
    let id = key.record_id();
    let execution = store.get(&id, now()).await.expect("an answer").expect("a record");
    assert!(execution.status.is_final(), "{execution:?}");
    // This fails where a position is missing.
    let journal = store.entries(&id).await.expect("a journal without a gap");
    let entries: Vec<Entry> =
        journal.iter().map(|entry| serde_json::from_str(&entry.text).expect("an entry")).collect();
    let version = store.find_version(PROJECT, key.workflow_id, &execution.machine).await.expect("an answer");
    let text = version.expect("the version").machine;
    if execution.attempt == 1 {
        let machine = Arc::new(Machine::parse(&text).expect("a machine"));
        let input = json!({"input": execution.input.value(), "headers": {}, "merge": false});
        // This fails where an entry is doubled, or follows the one that ended the run.
        let run = Run::resume(machine, input, execution.started_at, entries.iter().cloned());
        let run = run.unwrap_or_else(|error| panic!("{key:?}: {error}"));
        let ending = execution.ending.as_ref().expect("an ended execution has an ending");
        let failure = ending.failure.as_ref().map(|failure| (failure.error.as_str(), failure.cause.as_str()));
        match (ending.status, run.outcome()) {
            (Status::Succeeded, Some(Outcome::Succeeded(output))) => {
                assert_eq!(ending.output.as_ref().map(|output| output.value()), Some(output), "{key:?}");
            }
            (Status::Failed, Some(Outcome::Failed(told))) => {
                assert_eq!(failure, Some((told.error.as_str(), told.cause.as_str())), "{key:?}");
            }
            (Status::Cancelled, None) => {}
            (status, told) => panic!("{key:?} is {status:?}, but its journal says {told:?}"),
        }
    }
    let mut tasks = BTreeMap::new();
    find_tasks(&serde_json::from_str(&text).expect("a machine is JSON"), &mut tasks);
    Ended { execution, entries, tasks }
}

/// Notes which function each Task calls: the last segment of its address.
fn find_tasks(scope: &Value, tasks: &mut BTreeMap<String, String>) {
    for (name, state) in scope["States"].as_object().expect("states") {
        if let Some(address) = state["Parameters"]["FunctionName"].as_str() {
            tasks.insert(name.clone(), address.rsplit('/').next().unwrap_or_default().to_owned());
        }
        for branch in state["Branches"].as_array().into_iter().flatten() {
            find_tasks(branch, tasks);
        }
    }
}

impl Ended {
    fn output(&self) -> Option<&Value> {
        self.execution.ending.as_ref().and_then(|ending| ending.output.as_ref()).map(|output| output.value())
    }

    /// The times at which results of a function were written down, whether it answered or failed.
    fn results_of(&self, function: &str) -> Vec<Timestamp> {
        let is_call = |entry: &&Entry| self.tasks.get(&entry.state).is_some_and(|called| called == function);
        let is_result =
            |entry: &&Entry| matches!(entry.event, Event::Done { .. } | Event::Caught { .. } | Event::Failed { .. });
        self.entries.iter().filter(is_call).filter(is_result).map(|entry| entry.at).collect()
    }
}
