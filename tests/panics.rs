//! A panic in the middle of a call ends that call, with an answer like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use flowgate::store::DynamoStore;
use flowgate::workflow::{StoreError, Workflow, WorkflowName, WorkflowStore};
use uuid::Uuid;

use crate::support::{Api, Call, TestApp, embedded_store};

/// A store that panics when a workflow is looked up, while it is told to.
struct Fragile {
    store: Arc<DynamoStore>,
    breaks: AtomicBool,
}

#[async_trait]
impl WorkflowStore for Fragile {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        assert!(!self.breaks.load(Ordering::SeqCst), "as the test wants");
        self.store.find_by_id(project_id, id).await
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        assert!(!self.breaks.load(Ordering::SeqCst), "as the test wants");
        self.store.find_by_name(project_id, name).await
    }

    async fn save(&self, workflow: &Workflow) -> Result<(), StoreError> {
        self.store.save(workflow).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_an_answer_in_the_dialect_with_the_request_id_where_the_client_looks() {
    for (api, code) in [(Api::Obs, "InternalError"), (Api::V1, "FGS.0007"), (Api::V2, "FGS.3002")] {
        let store = embedded_store().await;
        let fragile = Arc::new(Fragile { store: store.clone(), breaks: AtomicBool::new(false) });
        let app = TestApp::over(store, fragile.clone()).await;
        // A workflow that is not remembered from being published.
        let call = Call::start(api, "panicking").in_workflow("unknown").signed();
        for (breaks, status) in [(true, 500), (false, 404)] {
            fragile.breaks.store(breaks, Ordering::SeqCst);
            let answer = app.send(&call).await;
            assert_eq!(answer.status, status, "{answer:?}");
            let found = answer.error_code(api);
            assert!(!breaks || (found == code && !answer.body.contains("panic")), "{answer:?}");
        }
    }
}
