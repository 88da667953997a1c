//! Workflows in the table.

use std::io::{Read, Write};

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use uuid::Uuid;

use super::DynamoStore;
use super::error::classify;
use super::item::{FORMAT_VERSION, Item, Reader, Writer, corrupt, number, text};
use crate::workflow::{Definition, MachineId, StoreError, Version, Workflow, WorkflowName, WorkflowStore};

/// The sort key of every workflow item.
const WORKFLOW_SK: &str = "workflow";

/// The longest compressed machine, in bytes: with its definition of at most 64 KiB it must fit into an item of 400 KB.
const MAX_MACHINE_BYTES: usize = 300_000;

/// The longest text that is taken out of storage: no machine is longer.
const MAX_TEXT_BYTES: u64 = 2_000_000;

#[async_trait]
impl WorkflowStore for DynamoStore {
    async fn find_by_id(&self, project_id: &str, id: Uuid) -> Result<Option<Workflow>, StoreError> {
        self.read_workflow(id_key(project_id, id)).await
    }

    async fn find_by_name(&self, project_id: &str, name: &WorkflowName) -> Result<Option<Workflow>, StoreError> {
        self.read_workflow(name_key(project_id, name)).await
    }

    async fn save(&self, workflow: &Workflow, machine: &str) -> Result<(), StoreError> {
        let version = self.put_version(workflow, machine)?;
        let by_id = self.put_under(id_key(&workflow.project_id, workflow.id), workflow)?;
        let by_name = self.put_under(name_key(&workflow.project_id, &workflow.name), workflow)?;
        let write = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(by_id).build())
            .transact_items(TransactWriteItem::builder().put(by_name).build())
            .transact_items(TransactWriteItem::builder().update(version).build());
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

    async fn find_version(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
    ) -> Result<Option<Version>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(id_key(project_id, id)))
            .key("sk", text(version_sort_key(machine)))
            .consistent_read(true)
            .send()
            .await
            .map_err(classify)?;
        answer.item().map(version_from_item).transpose()
    }

    async fn note_engine_reference(
        &self,
        project_id: &str,
        id: Uuid,
        machine: &MachineId,
        reference: &str,
    ) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(id_key(project_id, id)))
            .key("sk", text(version_sort_key(machine)))
            .update_expression("SET engine_reference = :reference")
            .expression_attribute_values(":reference", text(reference));
        update.send().await.map(drop).map_err(classify)
    }
}

impl DynamoStore {
    /// A write of a version that leaves alone what an engine noted about it.
    fn put_version(&self, workflow: &Workflow, machine: &str) -> Result<Update, StoreError> {
        let compressed = compress(machine);
        if compressed.len() > MAX_MACHINE_BYTES {
            return Err(StoreError::TooLarge("the compiled workflow"));
        }
        Update::builder()
            .table_name(&self.table)
            .key("pk", text(id_key(&workflow.project_id, workflow.id)))
            .key("sk", text(version_sort_key(&workflow.machine)))
            .update_expression("SET v = :v, #definition = :definition, machine = :machine")
            // A reserved word of the expression language.
            .expression_attribute_names("#definition", "definition")
            .expression_attribute_values(":v", number(i64::from(FORMAT_VERSION)))
            .expression_attribute_values(":definition", text(workflow.definition.text()))
            .expression_attribute_values(":machine", AttributeValue::B(Blob::new(compressed)))
            .build()
            .map_err(|error| StoreError::Rejected(Box::new(error)))
    }

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
        .text("machine", workflow.machine.as_str())
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
        machine: MachineId::from_stored(read.text("machine")?.to_owned()),
        created_at: read.millis("created_at")?,
        updated_at: read.millis("updated_at")?,
    })
}

fn version_sort_key(machine: &MachineId) -> String {
    format!("version#{machine}")
}

fn version_from_item(item: &Item) -> Result<Version, StoreError> {
    let read = Reader::new(item)?;
    Ok(Version {
        definition: read.parsed("definition", |text| Definition::parse(text).ok())?,
        machine: read.bytes("machine").map(decompress)?.ok_or_else(|| corrupt("machine"))?,
        engine_reference: read.optional_text("engine_reference")?.map(str::to_owned),
    })
}

/// A machine's text may have a million bytes, more than an item holds; it repeats itself a lot.
fn compress(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes every write")
}

fn decompress(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    DeflateDecoder::new(bytes).take(MAX_TEXT_BYTES).read_to_string(&mut text).ok().map(|_| text)
}
