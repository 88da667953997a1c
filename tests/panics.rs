//! A panic in the middle of a call ends that call, with an answer like any other, and the next call is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use flowgate::clock::{FixedClock, Timestamp};
use flowgate::execution::{Change, Changed, Created, Cursor, Execution, ExecutionStore, Page, RecordId};
use flowgate::store::DynamoStore;
use flowgate::workflow::{MachineId, StoreError, Version, Workflow, WorkflowName, WorkflowStore};
use uuid::Uuid;

use crate::support::{Api, Call, TestApp, empty_table, fixed_time, publish_samples};

/// A store that panics when it is told to, once: where a workflow is looked up, or an execution written.
struct Fragile {
    store: Arc<DynamoStore>,
    panics: AtomicBool,
}

impl Fragile {
    fn break_if_told(&self) {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "the store panics, as the test wants");
    }
}

#[async_trait]
impl ExecutionStore for Fragile {
    async fn create(&self, execution: &Execution, now: Timestamp) -> Result<Created, StoreError> {
        self.break_if_told();
        self.store.create(execution, now).await
    }

    async fn get(&self, _: &RecordId, _: Timestamp) -> Result<Option<Execution>, StoreError> {
        unimplemented!("no start asks for it")
    }

    async fn list(&self, _: &str, _: Uuid, _: Option<&Cursor>, _: usize, _: Timestamp) -> Result<Page, StoreError> {
        unimplemented!("no start asks for it")
    }

    async fn find_due(&self, _: Timestamp, _: usize) -> Result<Vec<RecordId>, StoreError> {
        unimplemented!("no start asks for it")
    }

    async fn change(&self, _: &Execution, _: &Change, _: Timestamp, _: Timestamp) -> Result<Changed, StoreError> {
        unimplemented!("no start asks for it")
    }

    async fn ping(&self) -> Result<(), StoreError> {
        unimplemented!("no start asks for it")
    }
}

#[async_trait]
impl WorkflowStore for Fragile {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        self.break_if_told();
        self.store.find_by_id(project_id, id).await
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        self.break_if_told();
        self.store.find_by_name(project_id, name).await
    }

    async fn save(&self, workflow: &Workflow, machine: &str) -> Result<(), StoreError> {
        self.store.save(workflow, machine).await
    }

    async fn find_version(&self, _: &str, _: Uuid, _: &MachineId) -> Result<Option<Version>, StoreError> {
        unimplemented!("no start asks for it")
    }

    async fn note_engine_reference(&self, _: &str, _: Uuid, _: &MachineId, _: &str) -> Result<(), StoreError> {
        unimplemented!("no start asks for it")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_answer_in_the_dialect_and_the_next_call_is_served() {
    let store = empty_table().await;
    publish_samples(store.clone()).await;
    for (api, code) in [(Api::Obs, "InternalError"), (Api::V1, "FGS.0007"), (Api::V2, "FGS.3002")] {
        let fragile = Arc::new(Fragile { store: store.clone(), panics: AtomicBool::new(false) });
        let app = TestApp::process(fragile.clone(), fragile.clone(), Arc::new(FixedClock(fixed_time())));
        let (start, unknown) =
            (Call::start(api, "run").signed(), Call::start(api, "run").in_workflow("unknown").signed());
        // The first panic comes while the workflow is looked up, the second while the execution is written, and the third
        // while a workflow is looked up that is not there.
        for (call, status) in [(&start, 200), (&start, 200), (&unknown, 404)] {
            fragile.panics.store(true, Ordering::SeqCst);
            let answer = app.send(call).await;
            answer.expect_error(api, (500, code));
            assert!(!answer.body.contains("panic"), "{answer:?}");
            let next = app.send(call).await;
            assert_eq!(next.status, status, "{next:?}");
            if status == 404 {
                next.error_code(api);
            }
        }
    }
}
