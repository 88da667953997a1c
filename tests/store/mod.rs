//! The contract of the store's ports, over everything that keeps it: the embedded store, and the table in every
//! implementation of DynamoDB at hand (an emulator always, and the server that `FLOWGATE_TEST_DYNAMODB_ENDPOINT` names).

mod executions;
mod faults;
mod journal;
mod lists;
mod workflows;

use std::sync::Arc;

use flowgate::clock::Timestamp;
use flowgate::execution::{
    Change, Ending, Execution, ExecutionKey, ExecutionName, ExecutionStore, Fingerprint, Journal, Origin, Status,
};
use flowgate::json::JsonText;
use flowgate::store::{self, DynamoStore, EmbeddedStore, Endpoint, Patience};
use flowgate::workflow::{Definition, MachineId, Workflow, WorkflowName, WorkflowStore};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{Emulator, PROJECT, Proxy, fixed_time, read_json, root};

const ENDPOINT: &str = "FLOWGATE_TEST_DYNAMODB_ENDPOINT";

/// An implementation of DynamoDB. Every table a test asks for is new, so tests share a server without meeting.
struct Server {
    url: String,
}

/// Everything that is stored.
trait Store: ExecutionStore + WorkflowStore + Journal {}

impl<T: ExecutionStore + WorkflowStore + Journal> Store for T {}

/// Where empty stores come from.
enum Place {
    File(TempDir),
    Server(Server),
}

impl Place {
    /// A new store.
    async fn store(&self, list_shards: u8) -> Arc<dyn Store> {
        match self {
            Self::File(folder) => {
                let folder = folder.path().join(Uuid::new_v4().to_string());
                Arc::new(EmbeddedStore::open(&folder).expect("an embedded store"))
            }
            Self::Server(server) => server.table(list_shards).await,
        }
    }
}

/// Runs a test over each kind of store. When one fails, the last line printed names it.
async fn on_each_store(test: impl AsyncFn(Place)) {
    eprintln!("over the embedded store");
    test(Place::File(tempfile::tempdir().expect("a folder"))).await;
    on_each_server(async |server| test(Place::Server(server)).await).await;
}

/// Runs a test over each server. When one fails, the last line printed names it.
async fn on_each_server(test: impl AsyncFn(Server)) {
    let emulator = Emulator::start();
    eprintln!("over the emulator");
    test(Server { url: emulator.url() }).await;
    if let Ok(url) = std::env::var(ENDPOINT) {
        eprintln!("over {url}");
        test(Server { url }).await;
    }
}

impl Server {
    /// A new table.
    async fn table(&self, list_shards: u8) -> Arc<dyn Store> {
        let table = DynamoStore::new(client(&self.url, Patience::LOCAL).await, table_name(), list_shards);
        table.create_table().await.expect("a table");
        Arc::new(table)
    }

    /// Two ways to one new table: straight, and through a proxy.
    async fn proxied_table(&self, patience: Patience) -> (Arc<dyn Store>, Proxy, Arc<dyn Store>) {
        let proxy = Proxy::before(&self.url).await;
        let name = table_name();
        let straight = DynamoStore::new(client(&self.url, Patience::LOCAL).await, name.clone(), 1);
        straight.create_table().await.expect("a table");
        let through = DynamoStore::new(client(proxy.url(), patience).await, name, 1);
        (Arc::new(straight), proxy, Arc::new(through))
    }

    /// A new table, seen by a process with so many list shards and by one with so many more.
    async fn table_with_shards(&self, before: u8, after: u8) -> (Arc<dyn Store>, Arc<dyn Store>) {
        let (client, name) = (client(&self.url, Patience::LOCAL).await, table_name());
        let first = DynamoStore::new(client.clone(), name.clone(), before);
        first.create_table().await.expect("a table");
        (Arc::new(first), Arc::new(DynamoStore::new(client, name, after)))
    }

    /// A table that was never made.
    async fn absent_table(&self, url: &str, list_shards: u8, patience: Patience) -> Arc<dyn Store> {
        Arc::new(DynamoStore::new(client(url, patience).await, table_name(), list_shards))
    }
}

async fn client(url: &str, patience: Patience) -> aws_sdk_dynamodb::Client {
    store::client(&Endpoint::Local(url.to_owned()), patience).await
}

fn table_name() -> String {
    format!("flowgate-{}", Uuid::new_v4())
}

fn json(text: &str) -> JsonText {
    JsonText::parse(text).expect("valid JSON")
}

fn name(text: &str) -> ExecutionName {
    ExecutionName::parse(text).expect("a valid name")
}

fn key(text: &str) -> ExecutionKey {
    ExecutionKey { project_id: PROJECT.into(), workflow_id: Uuid::from_u128(7), name: name(text) }
}

/// An execution with every optional field empty, started now and kept for a day. Each has a nonce of its own.
fn execution(text: &str) -> Execution {
    let input = json("{}");
    Execution {
        fingerprint: Fingerprint::of(Uuid::from_u128(7), &input, None, false, false),
        key: key(text),
        workflow_name: "media-transcode".into(),
        machine: MachineId::of("{}"),
        region: "local-1".into(),
        domain_id: "d0d0cafed0d0cafed0d0cafed0d0cafe".into(),
        origin: Origin::Obs,
        is_test: false,
        status: Status::Scheduled,
        attempt: 1,
        ending: None,
        due_at: None,
        tries: 0,
        input,
        headers: None,
        merge_parameters: false,
        create_date: None,
        nonce: Uuid::new_v4(),
        started_by: "FLOWGATELOCALKEY0001".into(),
        request_id: "8476a536e9f411e897392dfe598c3fcd".into(),
        trace: None,
        started_at: now(),
        updated_at: now(),
        expires_at: now().plus_seconds(86_400),
    }
}

/// The same in that status, and as it would then be.
fn in_status(text: &str, status: Status) -> Execution {
    let ending = Ending { status, at: now(), output: None, failure: None };
    Execution { status, ending: status.is_final().then_some(ending), ..execution(text) }
}

/// The change that leads to a status; none leads to `Scheduled`.
fn change_to(status: Status, at: Timestamp) -> Option<Change> {
    match status {
        Status::Scheduled => None,
        Status::Running => Some(Change::Running { check_at: at.plus_seconds(600) }),
        Status::Stopping => Some(Change::Stop),
        Status::Retrying => Some(Change::Retry),
        Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            Some(Change::End(Ending { status, at, output: None, failure: None }))
        }
    }
}

/// The sample definition under another name, with a description to tell versions apart.
fn definition(name: &str, description: &str) -> Definition {
    let mut document = read_json(&root().join("workflows/media-transcode.json"));
    document["name"] = name.into();
    document["description"] = description.into();
    Definition::parse(&document.to_string()).expect("a valid definition")
}

/// What stands for a compiled workflow.
const MACHINE: &str = "{\"States\":{}}";

/// The sample workflow under another id and name.
fn workflow(id: u128, name: &str) -> Workflow {
    Workflow {
        id: Uuid::from_u128(id),
        project_id: PROJECT.into(),
        name: WorkflowName::parse(name).expect("a valid name"),
        definition: definition(name, "first"),
        machine: MachineId::of(MACHINE),
        created_at: now(),
        updated_at: now(),
    }
}

/// The present of the tests.
fn now() -> Timestamp {
    fixed_time()
}
