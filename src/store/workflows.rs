//! Workflows in the table.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use uuid::Uuid;

use super::DynamoStore;
use super::error::classify;
use super::item::{Item, Reader, Writer, text};
use crate::workflow::{Definition, StoreError, Workflow, WorkflowName, WorkflowStore};

/// The sort key of every workflow item.
const WORKFLOW_SK: &str = "workflow";

#[async_trait]
impl WorkflowStore for DynamoStore {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        self.read_workflow(id_key(project_id, id)).await
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        self.read_workflow(name_key(project_id, name)).await
    }

    async fn save(&self, workflow: &Workflow) -> Result<(), StoreError> {
        let by_id = self.put_under(id_key(&workflow.project_id, workflow.id), workflow)?;
        let by_name = self.put_under(name_key(&workflow.project_id, &workflow.name), workflow)?;
        let write = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(by_id).build())
            .transact_items(TransactWriteItem::builder().put(by_name).build());
        let Err(error) = write.send().await else {
            return Ok(());
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let codes: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
            if codes.contains(&"ConditionalCheckFailed") {
                return Err(StoreError::NameTaken);
            }
            if codes.contains(&"TransactionConflict") || codes.contains(&"ThrottlingError") {
                return Err(StoreError::Throttled(Box::new(error)));
            }
        }
        Err(classify(error))
    }
}

impl DynamoStore {
    async fn read_workflow(&self, pk: String) -> Result<Option<Workflow>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(pk))
            .key("sk", text(WORKFLOW_SK))
            .consistent_read(true)
            .send()
            .await
            .map_err(classify)?;
        answer.item().map(from_item).transpose()
    }

    /// A write of the workflow under one of its keys. It fails if the key belongs to another workflow: a name that is taken.
    fn put_under(&self, pk: String, workflow: &Workflow) -> Result<Put, StoreError> {
        Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_item(pk, workflow)))
            .condition_expression("attribute_not_exists(pk) OR workflow_id = :id")
            .expression_attribute_values(":id", text(workflow.id.to_string()))
            .build()
            .map_err(|error| StoreError::Rejected(Box::new(error)))
    }
}

fn id_key(project_id: &str, id: Uuid) -> String {
    format!("workflow#{project_id}#id#{id}")
}

fn name_key(project_id: &str, name: &WorkflowName) -> String {
    format!("workflow#{project_id}#name#{name}")
}

fn to_item(pk: String, workflow: &Workflow) -> Item {
    Writer::new(pk, WORKFLOW_SK)
        .text("project_id", &workflow.project_id)
        .text("workflow_id", workflow.id.to_string())
        .text("name", workflow.name.as_str())
        .text("definition", workflow.definition.text())
        .number("created_at", workflow.created_at.millis())
        .number("updated_at", workflow.updated_at.millis())
        .finish()
}

fn from_item(item: &Item) -> Result<Workflow, StoreError> {
    let read = Reader::new(item)?;
    Ok(Workflow {
        id: read.uuid("workflow_id")?,
        project_id: read.text("project_id")?.to_owned(),
        name: read.parsed("name", |text| WorkflowName::parse(text).ok())?,
        definition: read.parsed("definition", |text| Definition::parse(text).ok())?,
        created_at: read.millis("created_at")?,
        updated_at: read.millis("updated_at")?,
    })
}
