//! Workflows: what can be started.
//!
//! A workflow is a named [`Definition`] in a project. Definitions come from files ([`files`]) or from callers, are checked
//! as a whole when they come in ([`Definition::parse`]) and mean a [`flow::Flow`], are kept by a [`WorkflowStore`], and are looked up through
//! [`Workflows`], which remembers them for a while. A start through OBS has its inputs checked against the workflow's
//! parameters ([`parameters::complete`]).
//!
//! This room knows no HTTP and no storage product.

mod definition;
pub mod files;
pub mod flow;
mod machine;
mod members;
mod name;
mod number;
pub mod parameters;
mod ports;
mod registry;

use uuid::Uuid;

use crate::clock::Timestamp;

pub use definition::{Definition, DefinitionError, Mode};
pub use machine::{MachineId, Version};
pub use members::Problem;
pub use name::{NameError, WorkflowName};
pub use parameters::{InputError, Parameter, ParameterType};
pub use ports::{StoreError, WorkflowStore};
pub use registry::{Published, WorkflowRef, Workflows};

/// A workflow of a project, which all three APIs can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// What FunctionGraph v2 addresses it by; never changes.
    pub id: Uuid,
    /// The project it belongs to. Ids and names mean nothing outside their project.
    pub project_id: String,
    /// What OBS and FunctionGraph v1 address it by; unique in the project.
    pub name: WorkflowName,
    /// What a start runs.
    pub definition: Definition,
    /// The compiled form of the definition: engines run its text, which the store keeps as a [`Version`].
    pub machine: MachineId,
    /// When it was first published.
    pub created_at: Timestamp,
    /// When its definition last changed.
    pub updated_at: Timestamp,
}

/// The id of a workflow that is loaded from a file: a UUIDv5 of project and name, so that it is the same everywhere.
pub fn id_of(project_id: &str, name: &WorkflowName) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("flowgate:{project_id}:{name}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_loaded_workflow_follows_from_project_and_name_alone() {
        let name = WorkflowName::parse("media-transcode").expect("a valid name");
        let id = id_of("c0ffee00c0ffee00c0ffee00c0ffee00", &name);

        assert_eq!(id.get_version_num(), 5);
        assert_eq!(id, id_of("c0ffee00c0ffee00c0ffee00c0ffee00", &name));
        assert_ne!(id, id_of("d0d0cafed0d0cafed0d0cafed0d0cafe", &name));
    }
}
