//! Workflows in the file.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{EmbeddedStore, Failure, corrupt};
use crate::clock::Timestamp;
use crate::workflow::{Definition, MachineId, StoreError, Version, Workflow, WorkflowName, WorkflowStore};

#[async_trait]
impl WorkflowStore for EmbeddedStore {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        let project_id = project_id.to_owned();
        self.read(move |connection| {
            let mut query = connection.prepare_cached("SELECT * FROM workflows WHERE project_id = ?1 AND id = ?2")?;
            let mut rows = query.query(params![project_id, id.as_bytes()])?;
            rows.next()?.map(from_row).transpose()
        })
        .await
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        let (project_id, name) = (project_id.to_owned(), name.clone());
        self.read(move |connection| {
            let mut query = connection.prepare_cached("SELECT * FROM workflows WHERE project_id = ?1 AND name = ?2")?;
            let mut rows = query.query(params![project_id, name.as_str()])?;
            rows.next()?.map(from_row).transpose()
        })
        .await
    }

    async fn save(&self, workflow: &Workflow, machine: &str) -> Result<(), StoreError> {
        let (workflow, machine) = (workflow.clone(), machine.to_owned());
        self.write(move |connection| save(connection, &workflow, &machine)).await
    }

    async fn find_version(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
    ) -> Result<Option<Version>, StoreError> {
        let (project_id, machine) = (project_id.to_owned(), machine.clone());
        self.read(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT definition, text, engine_reference FROM versions
                 WHERE project_id = ?1 AND workflow_id = ?2 AND machine = ?3",
            )?;
            let mut rows = query.query(params![project_id, id.as_bytes(), machine.as_str()])?;
            let version = |row: &Row<'_>| {
                Ok(Version {
                    definition: definition(row)?,
                    machine: row.get("text")?,
                    engine_reference: row.get("engine_reference")?,
                })
            };
            rows.next()?.map(version).transpose()
        })
        .await
    }

    async fn note_engine_reference(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
        reference: &str,
    ) -> Result<(), StoreError> {
        let (project_id, machine, reference) = (project_id.to_owned(), machine.clone(), reference.to_owned());
        self.write(move |connection| {
            let mut update = connection.prepare_cached(
                "UPDATE versions SET engine_reference = ?4
                 WHERE project_id = ?1 AND workflow_id = ?2 AND machine = ?3",
            )?;
            update.execute(params![project_id, id.as_bytes(), machine.as_str(), reference])?;
            Ok(())
        })
        .await
    }
}

fn save(connection: &Connection, workflow: &Workflow, machine: &str) -> Result<(), Failure> {
    let (project_id, id, name) = (&workflow.project_id, workflow.id.as_bytes(), workflow.name.as_str());
    let owner: Option<[u8; 16]> = connection
        .prepare_cached("SELECT id FROM workflows WHERE project_id = ?1 AND name = ?2")?
        .query_row(params![project_id, name], |row| row.get(0))
        .optional()?;
    if owner.is_some_and(|owner| owner != *id) {
        return Err(StoreError::NameTaken.into());
    }
    let definition = workflow.definition.text();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO workflows (project_id, id, name, definition, machine, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            project_id,
            id,
            name,
            definition,
            workflow.machine.as_str(),
            workflow.created_at.millis(),
            workflow.updated_at.millis(),
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO versions (project_id, workflow_id, machine, definition, text) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET definition = excluded.definition, text = excluded.text",
        )?
        .execute(params![project_id, id, workflow.machine.as_str(), definition, machine])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<Workflow, Failure> {
    let name: String = row.get("name")?;
    Ok(Workflow {
        id: Uuid::from_bytes(row.get("id")?),
        project_id: row.get("project_id")?,
        name: WorkflowName::parse(&name).map_err(|_| corrupt("name"))?,
        definition: definition(row)?,
        machine: MachineId::from_stored(row.get("machine")?),
        created_at: Timestamp::from_millis(row.get("created_at")?),
        updated_at: Timestamp::from_millis(row.get("updated_at")?),
    })
}

fn definition(row: &Row<'_>) -> Result<Definition, Failure> {
    let text: String = row.get("definition")?;
    Ok(Definition::parse(&text).map_err(|_| corrupt("definition"))?)
}
