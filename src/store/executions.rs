//! Executions in the table.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::classify;
use super::item::{Item, Reader, Writer, corrupt, number, text};
use super::table::BY_WORKFLOW;
use super::{DynamoStore, EXECUTION_SK};
use crate::clock::Timestamp;
use crate::execution::{
    Created, Cursor, Execution, ExecutionKey, ExecutionName, ExecutionStore, Fingerprint, Moved, Origin, Page, Status,
    Summary,
};
use crate::json::JsonText;
use crate::workflow::StoreError;

#[async_trait]
impl ExecutionStore for DynamoStore {
    async fn create(&self, execution: &Execution, now: Timestamp) -> Result<Created, StoreError> {
        let outcome = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(execution, self.list_shards)))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", number(now.seconds()))
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .await;
        let error = match outcome {
            Ok(_) => return Ok(Created::New),
            Err(error) => error,
        };
        let Some(PutItemError::ConditionalCheckFailedException(taken)) = error.as_service_error() else {
            return Err(classify(error));
        };
        let existing = from_item(taken.item().ok_or_else(|| corrupt("pk"))?)?;
        // The SDK sends a put again when no answer came. If the first one had arrived, this is our own record.
        if existing.nonce == execution.nonce { Ok(Created::New) } else { Ok(Created::Exists(Box::new(existing))) }
    }

    async fn get(&self, key: &ExecutionKey, now: Timestamp) -> Result<Option<Execution>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(partition_key(key)))
            .key("sk", text(EXECUTION_SK))
            .consistent_read(true)
            .send()
            .await
            .map_err(classify)?;
        let execution = answer.item().map(from_item).transpose()?;
        Ok(execution.filter(|execution| execution.expires_at > now))
    }

    async fn list(
        &self,
        project_id: &str,
        workflow_id: Uuid,
        cursor: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let shards = (0..self.list_shards).map(|shard| {
            let list_pk = list_partition(project_id, workflow_id, shard);
            self.list_shard(list_pk, cursor, limit + 1, now)
        });
        let mut entries: Vec<Summary> = try_join_all(shards).await?.into_iter().flatten().collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(cursor_of(entry)));
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = if more { entries.last().map(cursor_of) } else { None };
        Ok(Page { entries, next })
    }

    async fn advance(
        &self,
        key: &ExecutionKey,
        next: Status,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Moved, StoreError> {
        let sources = Status::sources_of(next);
        let placeholders: Vec<String> = (0..sources.len()).map(|i| format!(":from{i}")).collect();
        if sources.is_empty() {
            let current = self.get(key, now).await?;
            return Ok(current.map_or(Moved::NotFound, |execution| Moved::Refused(execution.status)));
        }
        let condition = format!("attribute_exists(pk) AND expires_at > :now AND #s IN ({})", placeholders.join(", "));
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(partition_key(key)))
            .key("sk", text(EXECUTION_SK))
            .update_expression("SET #s = :next, updated_at = :updated, expires_at = :expires")
            .condition_expression(condition)
            // "status" is a reserved word of the expression language.
            .expression_attribute_names("#s", "status")
            .expression_attribute_values(":next", text(status_text(next)))
            .expression_attribute_values(":updated", number(now.millis()))
            .expression_attribute_values(":expires", number(expires_at.seconds()))
            .expression_attribute_values(":now", number(now.seconds()))
            .return_values_on_condition_check_failure(AllOld);
        for (placeholder, from) in placeholders.into_iter().zip(sources) {
            update = update.expression_attribute_values(placeholder, text(status_text(from)));
        }
        let Err(error) = update.send().await else {
            return Ok(Moved::Done);
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(classify(error));
        };
        match refused.item() {
            None => Ok(Moved::NotFound),
            Some(item) => {
                let current = from_item(item)?;
                Ok(if current.expires_at > now { Moved::Refused(current.status) } else { Moved::NotFound })
            }
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let read = self.client.get_item().table_name(&self.table).key("pk", text("ping")).key("sk", text("ping"));
        read.send().await.map(drop).map_err(classify)
    }
}

impl DynamoStore {
    /// The newest live entries of one shard behind `cursor`, at most `limit`.
    async fn list_shard(
        &self,
        list_pk: String,
        cursor: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Summary>, StoreError> {
        let mut entries = Vec::new();
        let mut resume: Option<Item> = None;
        loop {
            let wanted = limit - entries.len();
            let mut query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_WORKFLOW)
                .scan_index_forward(false)
                .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
                .filter_expression("expires_at > :now")
                .expression_attribute_values(":now", number(now.seconds()))
                .expression_attribute_values(":pk", text(&list_pk))
                .set_exclusive_start_key(resume);
            query = match cursor {
                None => query.key_condition_expression("list_pk = :pk"),
                Some(cursor) => query
                    .key_condition_expression("list_pk = :pk AND list_sk < :after")
                    .expression_attribute_values(":after", text(list_sort_key(cursor.started_at, &cursor.name))),
            };
            let answer = query.send().await.map_err(classify)?;
            for item in answer.items() {
                entries.push(summary_from_item(item)?);
            }
            resume = answer.last_evaluated_key().cloned();
            if entries.len() >= limit || resume.is_none() {
                return Ok(entries);
            }
        }
    }
}

fn cursor_of(entry: &Summary) -> Cursor {
    Cursor { started_at: entry.started_at, name: entry.key.name.clone() }
}

/// The partition of an execution. Lengths stand before the parts, so no two keys share one text.
fn partition_key(key: &ExecutionKey) -> String {
    let mut hash = Sha256::new();
    for part in [key.project_id.as_str(), &key.workflow_id.to_string(), key.name.as_str()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    format!("execution#{}", hex::encode(hash.finalize()))
}

fn list_partition(project_id: &str, workflow_id: Uuid, shard: u8) -> String {
    format!("{project_id}#{workflow_id}#{shard}")
}

fn list_sort_key(started_at: Timestamp, name: &ExecutionName) -> String {
    format!("{:015}#{name}", started_at.millis().max(0))
}

fn shard_of(name: &ExecutionName, shards: u8) -> u8 {
    Sha256::digest(name.as_str())[0] % shards
}

fn to_item(execution: &Execution, shards: u8) -> Item {
    let key = &execution.key;
    let list_pk = list_partition(&key.project_id, key.workflow_id, shard_of(&key.name, shards));
    Writer::new(partition_key(key), EXECUTION_SK)
        .text("list_pk", list_pk)
        .text("list_sk", list_sort_key(execution.started_at, &key.name))
        .text("project_id", &key.project_id)
        .text("workflow_id", key.workflow_id.to_string())
        .text("workflow_name", &execution.workflow_name)
        .text("name", key.name.as_str())
        .text("region", &execution.region)
        .text("domain_id", &execution.domain_id)
        .text("api", origin_text(execution.origin))
        .text("status", status_text(execution.status))
        .text("input", execution.input.as_str())
        .optional_text("headers", execution.headers.as_ref().map(JsonText::as_str))
        .flag("merge_parameters", execution.merge_parameters)
        .optional_text("create_date", execution.create_date.as_deref())
        .text("fingerprint", execution.fingerprint.as_str())
        .text("nonce", execution.nonce.simple().to_string())
        .text("started_by", &execution.started_by)
        .text("request_id", &execution.request_id)
        .optional_text("trace", execution.trace.as_deref())
        .number("started_at", execution.started_at.millis())
        .number("updated_at", execution.updated_at.millis())
        // The table's TTL attribute: DynamoDB wants seconds.
        .number("expires_at", execution.expires_at.seconds())
        .finish()
}

fn from_item(item: &Item) -> Result<Execution, StoreError> {
    let read = Reader::new(item)?;
    let json = |name, text: &str| JsonText::parse(text).map_err(|_| corrupt(name));
    Ok(Execution {
        key: key_from(&read)?,
        workflow_name: read.text("workflow_name")?.to_owned(),
        region: read.text("region")?.to_owned(),
        domain_id: read.text("domain_id")?.to_owned(),
        origin: read.parsed("api", origin_from)?,
        status: read.parsed("status", status_from)?,
        input: json("input", read.text("input")?)?,
        headers: read.optional_text("headers")?.map(|text| json("headers", text)).transpose()?,
        merge_parameters: read.flag("merge_parameters")?,
        create_date: read.optional_text("create_date")?.map(str::to_owned),
        fingerprint: Fingerprint::from_stored(read.text("fingerprint")?.to_owned()),
        nonce: read.uuid("nonce")?,
        started_by: read.text("started_by")?.to_owned(),
        request_id: read.text("request_id")?.to_owned(),
        trace: read.optional_text("trace")?.map(str::to_owned),
        started_at: read.millis("started_at")?,
        updated_at: read.millis("updated_at")?,
        expires_at: read.seconds("expires_at")?,
    })
}

fn summary_from_item(item: &Item) -> Result<Summary, StoreError> {
    let read = Reader::new(item)?;
    Ok(Summary {
        key: key_from(&read)?,
        workflow_name: read.text("workflow_name")?.to_owned(),
        status: read.parsed("status", status_from)?,
        started_by: read.text("started_by")?.to_owned(),
        started_at: read.millis("started_at")?,
        updated_at: read.millis("updated_at")?,
    })
}

fn key_from(read: &Reader<'_>) -> Result<ExecutionKey, StoreError> {
    Ok(ExecutionKey {
        project_id: read.text("project_id")?.to_owned(),
        workflow_id: read.uuid("workflow_id")?,
        name: read.parsed("name", |text| ExecutionName::parse(text).ok())?,
    })
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "scheduled",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::TimedOut => "timed_out",
        Status::Cancelled => "cancelled",
    }
}

fn status_from(text: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_text(*status) == text)
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Obs => "obs",
        Origin::FunctionGraphV1 => "functiongraph_v1",
        Origin::FunctionGraphV2 => "functiongraph_v2",
    }
}

fn origin_from(text: &str) -> Option<Origin> {
    [Origin::Obs, Origin::FunctionGraphV1, Origin::FunctionGraphV2]
        .into_iter()
        .find(|origin| origin_text(*origin) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(name: &str) -> Execution {
        let input = JsonText::parse("{\"n\": 1.50}").expect("valid JSON");
        Execution {
            key: ExecutionKey {
                project_id: "p".into(),
                workflow_id: Uuid::from_u128(7),
                name: ExecutionName::parse(name).expect("a valid name"),
            },
            workflow_name: "media-transcode".into(),
            region: "local-1".into(),
            domain_id: "d".into(),
            origin: Origin::FunctionGraphV2,
            status: Status::Scheduled,
            fingerprint: Fingerprint::of(Uuid::from_u128(7), &input, None, true),
            headers: Some(JsonText::parse("{\"tenantId\":\"user1\"}").expect("valid JSON")),
            input,
            merge_parameters: true,
            create_date: Some("2026-11-20".into()),
            nonce: Uuid::from_u128(9),
            started_by: "FLOWGATELOCALKEY0001".into(),
            request_id: "r".into(),
            trace: Some("Root=1-5759e988-bd862e3fe1be46a994272793".into()),
            started_at: Timestamp::from_millis(1_795_219_200_123),
            updated_at: Timestamp::from_millis(1_795_219_200_456),
            expires_at: Timestamp::from_seconds(1_795_300_000),
        }
    }

    #[test]
    fn a_record_survives_the_round_trip() {
        let full = execution("run-1");
        assert_eq!(from_item(&to_item(&full, 8)).expect("a readable item"), full);
        let bare = Execution { headers: None, create_date: None, trace: None, ..full };
        assert_eq!(from_item(&to_item(&bare, 1)).expect("a readable item"), bare);
    }

    #[test]
    fn a_bad_item_is_an_error_that_names_the_attribute() {
        for (attribute, bad) in [
            ("status", text("paused")),
            ("started_at", text("yesterday")),
            ("nonce", text("not-a-uuid")),
            ("input", text("{")),
            ("name", text("a/b")),
            ("v", number(2)),
        ] {
            let mut item = to_item(&execution("run-1"), 1);
            item.insert(attribute.to_owned(), bad);
            let error = from_item(&item).expect_err("the item is broken");
            assert!(error.to_string().contains(&format!("`{attribute}`")), "{error}");
            item.remove(attribute);
            assert!(from_item(&item).is_err(), "{attribute} is missing");
        }
    }

    #[test]
    fn keys_with_shifted_parts_lie_apart() {
        let key = |project: &str, name: &str| ExecutionKey {
            project_id: project.into(),
            workflow_id: Uuid::nil(),
            name: ExecutionName::parse(name).expect("a valid name"),
        };
        assert_ne!(partition_key(&key("ab", "c")), partition_key(&key("a", "bc")));
        assert_eq!(partition_key(&key("a", "b")), partition_key(&key("a", "b")));
    }

    #[test]
    fn the_list_key_sorts_by_time_then_name() {
        let name = |text: &str| ExecutionName::parse(text).expect("a valid name");
        let early = list_sort_key(Timestamp::from_millis(999), &name("z"));
        let late = list_sort_key(Timestamp::from_millis(1000), &name("a"));
        assert!(early < late && late < list_sort_key(Timestamp::from_millis(1000), &name("b")));
    }
}
