use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;

const PROJECT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
const OTHER_PROJECT: &str = "d0d0cafed0d0cafed0d0cafed0d0cafe";

/// Keeps workflows in memory and counts what it is asked.
#[derive(Default)]
struct CountingStore {
    workflows: Mutex<Vec<Workflow>>,
    reads: AtomicUsize,
    saves: AtomicUsize,
}

impl CountingStore {
    fn read(&self, matches: impl Fn(&Workflow) -> bool) -> Option<Workflow> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.workflows.lock().expect("not poisoned").iter().find(|workflow| matches(workflow)).cloned()
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn saves(&self) -> usize {
        self.saves.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl WorkflowStore for CountingStore {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        Ok(self.read(|workflow| workflow.project_id == project_id && workflow.id == id))
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        Ok(self.read(|workflow| workflow.project_id == project_id && workflow.name == *name))
    }

    async fn save(&self, workflow: &Workflow, _: &str) -> Result<(), StoreError> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        let mut workflows = self.workflows.lock().expect("not poisoned");
        workflows.retain(|known| known.project_id != workflow.project_id || known.id != workflow.id);
        if workflows.iter().any(|known| known.project_id == workflow.project_id && known.name == workflow.name) {
            return Err(StoreError::NameTaken);
        }
        workflows.push(workflow.clone());
        Ok(())
    }

    async fn find_version(&self, _: &str, _: Uuid, _: &MachineId) -> Result<Option<Version>, StoreError> {
        unimplemented!("no test here asks for it")
    }

    async fn note_engine_reference(&self, _: &str, _: Uuid, _: &MachineId, _: &str) -> Result<(), StoreError> {
        unimplemented!("no test here asks for it")
    }
}

/// A clock that moves when it is told to.
struct HandClock(AtomicI64);

impl HandClock {
    fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// One process: its store, clock and workflows.
struct Process {
    store: Arc<CountingStore>,
    clock: Arc<HandClock>,
    workflows: Workflows,
}

impl Process {
    fn new(ttl_seconds: u32) -> Self {
        Self::over(Arc::default(), ttl_seconds)
    }

    /// Another process over the same storage, which remembers nothing yet.
    fn over(store: Arc<CountingStore>, ttl_seconds: u32) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(1_700_000_000_000)));
        let (port, time): (Arc<dyn WorkflowStore>, Arc<dyn Clock>) = (store.clone(), clock.clone());
        Self { store, clock, workflows: Workflows::new(port, time, ttl_seconds) }
    }

    async fn publish(&self, definition: Definition) -> Published {
        self.workflows.publish(PROJECT, definition, "{}").await.expect("the store works").0
    }

    async fn find(&self, reference: &WorkflowRef) -> Option<Arc<Workflow>> {
        self.workflows.find(PROJECT, reference).await.expect("the store works")
    }

    /// How many storage reads finding a workflow costs.
    async fn reads_to_find(&self, reference: &WorkflowRef) -> usize {
        let before = self.store.reads();
        assert!(self.find(reference).await.is_some());
        self.store.reads() - before
    }
}

fn name(text: &str) -> WorkflowName {
    WorkflowName::parse(text).expect("a valid name")
}

fn by_name(text: &str) -> WorkflowRef {
    WorkflowRef::Name(name(text))
}

fn by_id(text: &str) -> WorkflowRef {
    WorkflowRef::Id(id_of(PROJECT, &name(text)))
}

fn definition(name: &str, constant: u32) -> Definition {
    let text = format!(
        r#"{{"name": "{name}", "start": "end", "constants": {{"x": {constant}}}, "functions": [], "retries": [],
            "states": [{{"id": "end", "name": "End", "type": "End", "end": true, "transition": "", "actions": []}}]}}"#
    );
    Definition::parse(&text).expect("a valid definition")
}

/// Storage that holds a workflow of each of these names, and a process that remembers none of them.
async fn process_that_knows_nothing(ttl_seconds: u32, names: &[&str]) -> Process {
    let publisher = Process::new(0);
    for name in names {
        assert_eq!(publisher.publish(definition(name, 1)).await, Published::Created);
    }
    Process::over(publisher.store, ttl_seconds)
}

#[tokio::test]
async fn a_workflow_read_by_name_is_found_by_name_and_id_without_another_read() {
    let process = process_that_knows_nothing(60, &["flow"]).await;
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 0);
    assert_eq!(process.reads_to_find(&by_id("flow")).await, 0);
}

#[tokio::test]
async fn a_workflow_read_by_id_is_found_by_id_and_name_without_another_read() {
    let process = process_that_knows_nothing(60, &["flow"]).await;
    assert_eq!(process.reads_to_find(&by_id("flow")).await, 1);
    assert_eq!(process.reads_to_find(&by_id("flow")).await, 0);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 0);
}

#[tokio::test]
async fn a_workflow_is_forgotten_when_its_time_to_live_is_over() {
    let process = process_that_knows_nothing(60, &["flow"]).await;
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
    process.clock.advance_millis(59_999);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 0);
    process.clock.advance_millis(1);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 0, "the second read counts anew");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_a_workflow_for_longer() {
    let process = process_that_knows_nothing(60, &["flow"]).await;
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
    process.clock.advance_millis(-1);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
}

#[tokio::test]
async fn a_time_to_live_of_zero_remembers_nothing() {
    let process = process_that_knows_nothing(0, &["flow"]).await;
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 1);
}

#[tokio::test]
async fn a_workflow_can_be_found_as_soon_as_another_process_publishes_it() {
    let process = Process::new(60);
    assert_eq!(process.find(&by_name("flow")).await, None);
    let publisher = Process::over(process.store.clone(), 0);
    publisher.publish(definition("flow", 1)).await;
    assert!(process.find(&by_name("flow")).await.is_some());
}

#[tokio::test]
async fn the_oldest_of_too_many_workflows_is_forgotten() {
    let names: Vec<String> = (0..=REMEMBERED_WORKFLOWS).map(|index| format!("flow-{index}")).collect();
    let process = process_that_knows_nothing(60, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for name in &names {
        process.find(&by_name(name)).await;
    }
    assert_eq!(process.reads_to_find(&by_name(&names[1])).await, 0);
    assert_eq!(process.reads_to_find(&by_name(&names[0])).await, 1);
    assert_eq!(process.workflows.remembered().len(), REMEMBERED_WORKFLOWS);
}

#[tokio::test]
async fn publishing_twice_writes_once() {
    let process = Process::new(60);
    assert_eq!(process.publish(definition("flow", 1)).await, Published::Created);
    assert_eq!(process.publish(definition("flow", 1)).await, Published::Unchanged);
    assert_eq!(process.store.saves(), 1);
}

#[tokio::test]
async fn an_update_keeps_the_id_and_the_time_of_creation() {
    let process = Process::new(60);
    process.publish(definition("flow", 1)).await;
    let created = process.find(&by_name("flow")).await.expect("published");
    assert_eq!(created.id, id_of(PROJECT, &name("flow")));
    assert_eq!(created.created_at, created.updated_at);

    process.clock.advance_millis(5_000);
    assert_eq!(process.publish(definition("flow", 2)).await, Published::Updated);
    let updated = process.find(&by_name("flow")).await.expect("published");
    assert_eq!((updated.id, updated.created_at), (created.id, created.created_at));
    assert_eq!(updated.updated_at, created.updated_at.plus_seconds(5));
    assert_eq!(updated.definition, definition("flow", 2));
}

#[tokio::test]
async fn an_update_keeps_an_id_that_does_not_follow_from_the_name() {
    let process = Process::new(0);
    let id = Uuid::from_u128(7);
    let (created_at, updated_at) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
    let (name, definition_before) = (name("flow"), definition("flow", 1));
    let workflow = Workflow {
        id,
        project_id: PROJECT.to_owned(),
        name,
        definition: definition_before,
        machine: MachineId::of("{}"),
        created_at,
        updated_at,
    };
    process.store.save(&workflow, "{}").await.expect("the store works");

    assert_eq!(process.publish(definition("flow", 2)).await, Published::Updated);
    let updated = process.find(&WorkflowRef::Id(id)).await.expect("still there");
    assert_eq!((updated.created_at, &updated.definition), (created_at, &definition("flow", 2)));
}

#[tokio::test]
async fn the_same_definition_compiled_otherwise_is_an_update() {
    let process = Process::new(0);
    process.publish(definition("flow", 1)).await;
    let recompiled = process.workflows.publish(PROJECT, definition("flow", 1), "{ }").await.expect("the store works");
    assert_eq!((recompiled.0, &recompiled.1.machine), (Published::Updated, &MachineId::of("{ }")));
}

#[tokio::test]
async fn what_was_just_published_is_found_without_a_read_and_in_its_new_form() {
    let process = Process::new(60);
    process.publish(definition("flow", 1)).await;
    assert_eq!(process.reads_to_find(&by_id("flow")).await, 0);
    process.publish(definition("flow", 2)).await;
    assert_eq!(process.reads_to_find(&by_name("flow")).await, 0);
    assert_eq!(process.find(&by_id("flow")).await.expect("published").definition, definition("flow", 2));
}

#[tokio::test]
async fn a_workflow_of_one_project_does_not_exist_in_another() {
    let process = Process::new(60);
    process.publish(definition("flow", 1)).await;
    for reference in [by_name("flow"), by_id("flow")] {
        assert!(process.find(&reference).await.is_some());
        assert_eq!(process.workflows.find(OTHER_PROJECT, &reference).await.expect("the store works"), None);
    }
    let published = process.workflows.publish(OTHER_PROJECT, definition("flow", 9), "{}").await;
    assert_eq!(published.expect("the store works").0, Published::Created);
    assert_eq!(process.find(&by_name("flow")).await.expect("its own").definition, definition("flow", 1));
}

#[test]
fn only_a_busy_or_silent_storage_is_worth_asking_again() {
    assert!(StoreError::Throttled("slow down".into()).retryable());
    assert!(StoreError::Unavailable("timeout".into()).retryable());
    assert!(!StoreError::NameTaken.retryable());
    assert!(!StoreError::Corrupt("`definition` is missing".to_owned()).retryable());
}
