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
pub(super) const BY_WORKFLOW_ATTRIBUTES: [&str; 14] = [
    "v",
    "project_id",
    "workflow_id",
    "workflow_name",
    "name",
    "region",
    "domain_id",
    "api",
    "status",
    "started_by",
    "started_at",
    "updated_at",
    "ended_at",
    "expires_at",
];

/// The index of the records that somebody must look after. Only they have its keys.
pub(super) const BY_DUE: &str = "by_due";

/// What that index carries beside its keys. template.yaml says the same.
pub(super) const BY_DUE_ATTRIBUTES: [&str; 2] = ["v", "expires_at"];

const POLL: Duration = Duration::from_millis(50);
const POLLS: u32 = 200;

impl DynamoStore {
    /// Creates the table unless it exists, and waits until it can be used, at most ten seconds.
    ///
    /// # Errors
    /// What the storage said.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let by_workflow = index(BY_WORKFLOW, ["list_pk", "list_sk"], &BY_WORKFLOW_ATTRIBUTES)?;
        let by_due = index(BY_DUE, ["due_pk", "due_at"], &BY_DUE_ATTRIBUTES)?;
        let mut create = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash)?)
            .key_schema(key("sk", KeyType::Range)?)
            .global_secondary_indexes(by_workflow)
            .global_secondary_indexes(by_due)
            .attribute_definitions(attribute("due_at", ScalarAttributeType::N)?);
        for name in ["pk", "sk", "list_pk", "list_sk", "due_pk"] {
            create = create.attribute_definitions(attribute(name, ScalarAttributeType::S)?);
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
            let table = answer.table();
            if table.and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                let indexes = table.map_or(&[][..], |table| table.global_secondary_indexes());
                if indexes.iter().any(|index| index.index_name() == Some(BY_DUE)) {
                    return Ok(());
                }
                let advice =
                    "the table was made by an earlier version and has no index `by_due`: take another, or remove it";
                return Err(StoreError::Rejected(advice.into()));
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

fn index(name: &str, [hash, range]: [&str; 2], attributes: &[&str]) -> Result<GlobalSecondaryIndex, StoreError> {
    let attributes = attributes.iter().map(|&name| name.to_owned()).collect();
    let projection =
        Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(attributes));
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(key(hash, KeyType::Hash)?)
        .key_schema(key(range, KeyType::Range)?)
        .projection(projection.build())
        .build()
        .map_err(|error| StoreError::Rejected(Box::new(error)))
}

fn attribute(name: &str, kind: ScalarAttributeType) -> Result<AttributeDefinition, StoreError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .map_err(|error| StoreError::Rejected(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployed_table_has_the_same_keys_and_indexes() {
        let template = include_str!("../../template.yaml");
        for (name, expected) in [(BY_WORKFLOW, BY_WORKFLOW_ATTRIBUTES.as_slice()), (BY_DUE, &BY_DUE_ATTRIBUTES)] {
            let index = template.split(&format!("IndexName: {name}\n")).nth(1).expect("the index");
            let listed = index.split("NonKeyAttributes:").nth(1).expect("its attributes");
            let attributes = listed.lines().skip(1).map_while(|line| line.trim().strip_prefix("- "));
            let attributes: Vec<&str> = attributes.take_while(|line| !line.contains(':')).collect();
            assert_eq!(attributes, expected, "{name}");
        }
        for (name, kind) in [
            ("pk", "HASH"),
            ("sk", "RANGE"),
            ("list_pk", "HASH"),
            ("list_sk", "RANGE"),
            ("due_pk", "HASH"),
            ("due_at", "RANGE"),
        ] {
            assert!(template.contains(&format!("{{ AttributeName: {name}, KeyType: {kind} }}")), "{name}");
        }
        assert!(template.contains("AttributeName: expires_at"), "the TTL attribute");
    }
}
