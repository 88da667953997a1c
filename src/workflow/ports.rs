//! What this room asks of storage.

use std::error::Error;

use async_trait::async_trait;
use uuid::Uuid;

use super::{MachineId, Version, Workflow, WorkflowName};

/// Keeps workflows.
///
/// Every method sees the workflows of one project only. A read sees every save that ended before it began.
#[async_trait]
pub trait WorkflowStore: Send + Sync {
    /// Reads a workflow by its id; `None` if the project has none of that id.
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError>;

    /// Reads a workflow by its name; `None` if the project has none of that name.
    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError>;

    /// Writes a workflow under its id and its name, over what its id held before, and the text of its machine beside the
    /// versions it had before, all in one transaction. `machine` MUST be the text that `workflow.machine` is the id of.
    ///
    /// MUST fail with [`StoreError::NameTaken`], and write nothing, if the name belongs to another id of the project.
    async fn save(&self, workflow: &Workflow, machine: &str) -> Result<(), StoreError>;

    /// Reads a version of a workflow; `None` if it never had this one.
    async fn find_version(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
    ) -> Result<Option<Version>, StoreError>;

    /// Notes what the engine calls a version, over what was noted before. The version MUST exist; that is not checked.
    async fn note_engine_reference(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
        reference: &str,
    ) -> Result<(), StoreError>;
}

/// Why storage could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name belongs to another workflow of the project.
    #[error("the workflow's name belongs to another workflow of the project")]
    NameTaken,
    /// What is to be written is larger than the storage takes. Nothing was written.
    #[error("{0} is larger than the storage takes")]
    TooLarge(&'static str),
    /// The storage is asked too much. Nothing was written, unless by an earlier attempt whose answer was lost.
    #[error("the storage takes no more requests for now")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// The storage gave no usable answer; a write may or may not have happened.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The storage says that the call itself is wrong: no such table, no right to it. An operator must help.
    #[error("the storage rejected the call")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored cannot be read. The text says what is wrong with it, naming the attribute.
    #[error("a stored item is damaged: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same call may succeed a little later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unavailable(_) => true,
            Self::NameTaken | Self::TooLarge(_) | Self::Rejected(_) | Self::Corrupt(_) => false,
        }
    }
}
