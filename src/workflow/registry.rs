//! Finds workflows for the APIs, and publishes definitions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{Definition, MachineId, StoreError, Version, Workflow, WorkflowName, WorkflowStore, id_of};
use crate::clock::{Clock, Timestamp};

/// How many workflows one process remembers. With definitions of at most 64 KiB that is some tens of megabytes at the
/// very worst, which the smallest deployed function has to spare, and a search from one end to the other stays short.
const REMEMBERED_WORKFLOWS: usize = 256;

/// What a caller names a workflow by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowRef {
    /// FunctionGraph v2 addresses workflows by id.
    Id(Uuid),
    /// OBS and FunctionGraph v1 address workflows by name.
    Name(WorkflowName),
}

/// What publishing a definition did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The project had no workflow of this name.
    Created,
    /// The workflow of this name had another definition.
    Updated,
    /// The workflow of this name has this definition already; nothing was written.
    Unchanged,
}

/// The workflows of all projects: storage, and what this process remembers of it.
pub struct Workflows {
    store: Arc<dyn WorkflowStore>,
    clock: Arc<dyn Clock>,
    ttl_millis: i64,
    /// In the order of reading, which is also the order of expiry.
    remembered: Mutex<VecDeque<Remembered>>,
}

struct Remembered {
    workflow: Arc<Workflow>,
    read_at: Timestamp,
}

impl Workflows {
    /// Serves workflows from `store`, remembering each for `ttl_seconds` after it was read; 0 remembers none.
    pub fn new(store: Arc<dyn WorkflowStore>, clock: Arc<dyn Clock>, ttl_seconds: u32) -> Self {
        Self { store, clock, ttl_millis: i64::from(ttl_seconds) * 1000, remembered: Mutex::default() }
    }

    /// Finds a workflow of a project; `None` if there is none.
    ///
    /// A remembered workflow costs no storage read, whether it was read by id or by name; any other costs one. Only what
    /// exists is remembered, so that a workflow can be started as soon as it is published. A change made by another
    /// process is seen after the time to live at the latest.
    pub async fn find(&self, project_id: &str, reference: &WorkflowRef) -> Result<Option<Arc<Workflow>>, StoreError> {
        let now = self.clock.now();
        if let Some(workflow) = self.recall(project_id, reference, now) {
            return Ok(Some(workflow));
        }
        let found = match reference {
            WorkflowRef::Id(id) => self.store.find_by_id(project_id, *id).await?,
            WorkflowRef::Name(name) => self.store.find_by_name(project_id, name).await?,
        };
        Ok(found.map(|workflow| self.remember(workflow, now)))
    }

    /// Makes `definition`, whose compiled text is `machine`, the definition of the project's workflow of that name, creating
    /// the workflow if need be. Returns the workflow with what was done.
    ///
    /// Publishing the same again writes nothing. An update keeps the workflow's id and time of creation; a new
    /// workflow gets the id of [`id_of`]. Repeating after an error is safe.
    pub async fn publish(
        &self,
        project_id: &str,
        definition: Definition,
        machine: &str,
    ) -> Result<(Published, Arc<Workflow>), StoreError> {
        let machine_id = MachineId::of(machine);
        let name = definition.name().clone();
        let now = self.clock.now();
        let existing = match self.store.find_by_name(project_id, &name).await {
            // What cannot be read, because the rules were others when it was written, is what a publication mends.
            Err(StoreError::Corrupt(_)) => None,
            found => found?,
        };

        let (published, id, created_at) = match existing {
            Some(existing) if existing.definition == definition && existing.machine == machine_id => {
                return Ok((Published::Unchanged, self.remember(existing, now)));
            }
            Some(existing) => (Published::Updated, existing.id, existing.created_at),
            None => (Published::Created, id_of(project_id, &name), now),
        };
        let workflow = Workflow {
            id,
            project_id: project_id.to_owned(),
            name,
            definition,
            machine: machine_id,
            created_at,
            updated_at: now,
        };
        self.store.save(&workflow, machine).await?;
        Ok((published, self.remember(workflow, now)))
    }

    /// Finds a version of a workflow: what an execution runs, and what it says of its nodes. One storage read.
    pub async fn find_version(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
    ) -> Result<Option<Version>, StoreError> {
        self.store.find_version(project_id, id, machine).await
    }

    fn recall(&self, project_id: &str, reference: &WorkflowRef, now: Timestamp) -> Option<Arc<Workflow>> {
        let remembered = self.remembered();
        let entry = remembered.iter().find(|entry| {
            entry.workflow.project_id == project_id
                && match reference {
                    WorkflowRef::Id(id) => entry.workflow.id == *id,
                    WorkflowRef::Name(name) => entry.workflow.name == *name,
                }
        })?;
        let age_millis = now.millis() - entry.read_at.millis();
        (0..self.ttl_millis).contains(&age_millis).then(|| Arc::clone(&entry.workflow))
    }

    fn remember(&self, workflow: Workflow, read_at: Timestamp) -> Arc<Workflow> {
        let workflow = Arc::new(workflow);
        if self.ttl_millis == 0 {
            return workflow;
        }
        let mut remembered = self.remembered();
        remembered.retain(|entry| {
            let known = &entry.workflow;
            known.project_id != workflow.project_id || (known.id != workflow.id && known.name != workflow.name)
        });
        if remembered.len() == REMEMBERED_WORKFLOWS {
            remembered.pop_front();
        }
        remembered.push_back(Remembered { workflow: Arc::clone(&workflow), read_at });
        workflow
    }

    fn remembered(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        // A thread that panicked here left a queue of whole entries, which is still good to use.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
