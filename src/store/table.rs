//! The table itself. Deployed, template.yaml creates it and the function has no right to; locally it is made at start.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus,
};

use super::DynamoStore;
use super::error::classify;
use crate::workflow::StoreError;

/// The index that lists read.
pub(super) const BY_WORKFLOW: &str = "by_workflow";

/// What the index carries beside its keys: the summary of an execution, not its input. template.yaml says the same.
pub(super) const BY_WORKFLOW_ATTRIBUTES: [&str; 11] = [
    "v",
    "project_id",
    "workflow_id",
    "workflow_name",
    "name",
    "api",
    "status",
    "started_by",
    "started_at",
    "updated_at",
    "expires_at",
];

const POLL: Duration = Duration::from_millis(50);
const POLLS: u32 = 200;

impl DynamoStore {
    /// Creates the table unless it exists, and waits until it can be used, at most ten seconds.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let by_workflow = GlobalSecondaryIndex::builder()
            .index_name(BY_WORKFLOW)
            .key_schema(key("list_pk", KeyType::Hash)?)
            .key_schema(key("list_sk", KeyType::Range)?)
            .projection(
                Projection::builder()
                    .projection_type(ProjectionType::Include)
                    .set_non_key_attributes(Some(BY_WORKFLOW_ATTRIBUTES.map(str::to_owned).to_vec()))
                    .build(),
            )
            .build()
            .map_err(|error| StoreError::Rejected(Box::new(error)))?;
        let mut create = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash)?)
            .key_schema(key("sk", KeyType::Range)?)
            .global_secondary_indexes(by_workflow);
        for name in ["pk", "sk", "list_pk", "list_sk"] {
            create = create.attribute_definitions(string_attribute(name)?);
        }
        match create.send().await {
            Ok(_) => {}
            // Another process was first, now or on an earlier day.
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateTableError::ResourceInUseException(_)) => {}
            Err(error) => return Err(classify(error)),
        }
        self.wait_until_active().await
    }

    async fn wait_until_active(&self) -> Result<(), StoreError> {
        for _ in 0..POLLS {
            let answer = self.client.describe_table().table_name(&self.table).send().await.map_err(classify)?;
            if answer.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(StoreError::Unavailable("the table did not become active".into()))
    }
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, StoreError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .map_err(|error| StoreError::Rejected(Box::new(error)))
}

fn string_attribute(name: &str) -> Result<AttributeDefinition, StoreError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(|error| StoreError::Rejected(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployed_table_has_the_same_keys_and_index() {
        let template = include_str!("../../template.yaml");
        let index = template.split("IndexName: by_workflow").nth(1).expect("the index");
        let listed = index.split("NonKeyAttributes:").nth(1).expect("its attributes");
        let attributes = listed.lines().skip(1).map_while(|line| line.trim().strip_prefix("- "));
        assert_eq!(attributes.collect::<Vec<_>>(), BY_WORKFLOW_ATTRIBUTES);
        for (name, kind) in [("pk", "HASH"), ("sk", "RANGE"), ("list_pk", "HASH"), ("list_sk", "RANGE")] {
            assert!(template.contains(&format!("{{ AttributeName: {name}, KeyType: {kind} }}")), "{name}");
        }
        assert!(template.contains("AttributeName: expires_at"), "the TTL attribute");
    }
}
