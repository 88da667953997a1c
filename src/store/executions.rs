//! Executions in the table.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue::AllNew;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld;
use futures_util::future::try_join_all;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::classify;
use super::item::{Item, Reader, Writer, corrupt, number, text};
use super::table::{BY_DUE, BY_WORKFLOW};
use super::update::Update;
use super::words::{origin_from, origin_text, status_from, status_text};
use super::{DynamoStore, EXECUTION_SK, ending};
use crate::clock::Timestamp;
use crate::execution::{
    Change, Changed, Created, Cursor, Ending, Execution, ExecutionKey, ExecutionName, ExecutionStore, Failure,
    Fingerprint, Page, RecordId, Status, Summary,
};
use crate::json::JsonText;
use crate::workflow::{MachineId, StoreError};

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

    async fn get(&self, id: &RecordId, now: Timestamp) -> Result<Option<Execution>, StoreError> {
        let item = self.read_item(id).await?;
        let execution = item.as_ref().map(from_item).transpose()?;
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

    async fn find_due(&self, now: Timestamp, limit: usize) -> Result<Vec<RecordId>, StoreError> {
        let shards = (0..self.list_shards).map(|shard| self.find_due_in_shard(shard, limit, now));
        let mut due: Vec<(i64, RecordId)> = try_join_all(shards).await?.into_iter().flatten().collect();
        due.sort_unstable();
        due.truncate(limit);
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    async fn change(
        &self,
        execution: &Execution,
        change: &Change,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let update = self.update_for(execution, change, now, expires_at);
        let outcome = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(partition_key(&execution.key.record_id())))
            .key("sk", text(EXECUTION_SK))
            .update_expression(update.expression())
            .condition_expression(update.condition())
            .set_expression_attribute_names(Some(update.names()))
            .set_expression_attribute_values(Some(update.values()))
            .return_values(AllNew)
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .await;
        let error = match outcome {
            Ok(changed) => {
                let item = changed.attributes().ok_or_else(|| corrupt("pk"))?;
                return Ok(Changed::Done(Box::new(from_item(item)?)));
            }
            Err(error) => error,
        };
        let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(classify(error));
        };
        let current = refused.item().map(from_item).transpose()?;
        Ok(match current.filter(|current| current.expires_at > now) {
            Some(current) => Changed::Refused(Box::new(current)),
            None => Changed::NotFound,
        })
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

    /// The records of one shard that are due, the longest due first, at most `limit`.
    async fn find_due_in_shard(
        &self,
        shard: u8,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<(i64, RecordId)>, StoreError> {
        let mut due = Vec::new();
        let mut resume: Option<Item> = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(BY_DUE)
                .key_condition_expression("due_pk = :pk AND due_at <= :due")
                .limit(i32::try_from(limit - due.len()).unwrap_or(i32::MAX))
                .filter_expression("expires_at > :now")
                .expression_attribute_values(":pk", text(due_partition(shard)))
                .expression_attribute_values(":due", number(now.millis()))
                .expression_attribute_values(":now", number(now.seconds()))
                .set_exclusive_start_key(resume)
                .send()
                .await
                .map_err(classify)?;
            for item in answer.items() {
                let read = Reader::new(item)?;
                due.push((read.number("due_at")?, read.parsed("pk", record_id_from)?));
            }
            resume = answer.last_evaluated_key().cloned();
            if due.len() >= limit || resume.is_none() {
                return Ok(due);
            }
        }
    }

    /// The item of an execution as it is now.
    pub(super) async fn read_item(&self, id: &RecordId) -> Result<Option<Item>, StoreError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", text(partition_key(id)))
            .key("sk", text(EXECUTION_SK))
            .consistent_read(true);
        Ok(read.send().await.map_err(classify)?.item)
    }

    fn update_for(&self, execution: &Execution, change: &Change, now: Timestamp, expires_at: Timestamp) -> Update {
        let mut update = Update::of_live(now).when("attempt", number(i64::from(execution.attempt)));
        update.set("expires_at", number(expires_at.seconds()));
        let Some(next) = change.next_status() else {
            let Change::Postpone { until } = change else { unreachable!("every other change leads to a status") };
            update = update.when("status", text(status_text(execution.status)));
            update.set("tries", number(i64::from(execution.tries) + 1));
            self.set_due(&mut update, &execution.key.name, Some(*until));
            return update;
        };
        update = update.when_any("status", Status::sources_of(next).into_iter().map(|from| text(status_text(from))));
        update.set("updated_at", number(now.millis()));
        update.set("tries", number(0));
        let due_at = match change {
            Change::Running { check_at } => Some(*check_at),
            Change::Stop | Change::Retry => Some(now),
            Change::End(_) | Change::Postpone { .. } => None,
        };
        match change {
            Change::End(ending) => self.set_ending(&mut update, execution, ending),
            Change::Retry => {
                update.set("status", text(status_text(next)));
                update.set("attempt", number(i64::from(execution.attempt) + 1));
                ENDING_ATTRIBUTES.iter().for_each(|name| update.remove(name));
            }
            Change::Running { .. } | Change::Stop | Change::Postpone { .. } => {
                update.set("status", text(status_text(next)));
            }
        }
        self.set_due(&mut update, &execution.key.name, due_at);
        update
    }

    /// Sets when somebody must look after a record; never takes it out of the index.
    pub(super) fn set_due(&self, update: &mut Update, name: &ExecutionName, due_at: Option<Timestamp>) {
        match due_at {
            Some(due_at) => {
                update.set("due_pk", text(due_partition(shard_of(name, self.list_shards))));
                update.set("due_at", number(due_at.millis()));
            }
            None => {
                update.remove("due_pk");
                update.remove("due_at");
            }
        }
    }

    /// Sets how an execution ended. What would make the item too large is cut.
    pub(super) fn set_ending(&self, update: &mut Update, execution: &Execution, ending: &Ending) {
        let ending = ending::cut(execution, ending);
        update.set("status", text(status_text(ending.status)));
        update.set("ended_at", number(ending.at.millis()));
        if let Some(output) = &ending.output {
            update.set("output", text(output.as_str()));
        }
        if let Some(failure) = ending.failure {
            update.set("error", text(failure.error));
            update.set("cause", text(failure.cause));
        }
    }
}

fn cursor_of(entry: &Summary) -> Cursor {
    Cursor { started_at: entry.started_at, name: entry.key.name.clone() }
}

pub(super) fn partition_key(id: &RecordId) -> String {
    format!("execution#{}", id.as_str())
}

pub(super) fn record_id_from(partition_key: &str) -> Option<RecordId> {
    partition_key.strip_prefix("execution#").and_then(RecordId::parse)
}

fn due_partition(shard: u8) -> String {
    format!("due#{shard}")
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
    let due_pk = execution.due_at.map(|_| due_partition(shard_of(&key.name, shards)));
    let ending = execution.ending.as_ref();
    let failure = ending.and_then(|ending| ending.failure.as_ref());
    Writer::new(partition_key(&key.record_id()), EXECUTION_SK)
        .text("list_pk", list_pk)
        .text("list_sk", list_sort_key(execution.started_at, &key.name))
        .text("project_id", &key.project_id)
        .text("workflow_id", key.workflow_id.to_string())
        .text("workflow_name", &execution.workflow_name)
        .text("name", key.name.as_str())
        .text("machine", execution.machine.as_str())
        .text("region", &execution.region)
        .text("domain_id", &execution.domain_id)
        .text("api", origin_text(execution.origin))
        .flag("is_test", execution.is_test)
        .text("status", status_text(execution.status))
        .number("attempt", i64::from(execution.attempt))
        .optional_text("due_pk", due_pk.as_deref())
        .optional_number("due_at", execution.due_at.map(Timestamp::millis))
        .number("tries", i64::from(execution.tries))
        // What the journal counts; see `claim` and `append`.
        .number("fence", 0)
        .number("journal", 0)
        .optional_number("ended_at", ending.map(|ending| ending.at.millis()))
        .optional_text("output", ending.and_then(|ending| ending.output.as_ref()).map(JsonText::as_str))
        .optional_text("error", failure.map(|failure| failure.error.as_str()))
        .optional_text("cause", failure.map(|failure| failure.cause.as_str()))
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

pub(super) fn from_item(item: &Item) -> Result<Execution, StoreError> {
    let read = Reader::new(item)?;
    let json = |name, text: &str| JsonText::parse(text).map_err(|_| corrupt(name));
    let status = read.parsed("status", status_from)?;
    Ok(Execution {
        key: key_from(&read)?,
        workflow_name: read.text("workflow_name")?.to_owned(),
        machine: MachineId::from_stored(read.text("machine")?.to_owned()),
        region: read.text("region")?.to_owned(),
        domain_id: read.text("domain_id")?.to_owned(),
        origin: read.parsed("api", origin_from)?,
        is_test: read.flag("is_test")?,
        status,
        attempt: read.count("attempt")?,
        ending: if status.is_final() { Some(ending_from(&read, status)?) } else { None },
        due_at: read.optional_number("due_at")?.map(Timestamp::from_millis),
        tries: read.count("tries")?,
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

fn ending_from(read: &Reader<'_>, status: Status) -> Result<Ending, StoreError> {
    let output = read.optional_text("output")?;
    let error = read.optional_text("error")?;
    Ok(Ending {
        status,
        at: read.millis("ended_at")?,
        output: output.map(|text| JsonText::parse(text).map_err(|_| corrupt("output"))).transpose()?,
        failure: match error {
            Some(error) => Some(Failure { error: error.to_owned(), cause: read.text("cause")?.to_owned() }),
            None => None,
        },
    })
}

/// The attributes that only an execution that has ended has.
const ENDING_ATTRIBUTES: [&str; 4] = ["ended_at", "output", "error", "cause"];

fn summary_from_item(item: &Item) -> Result<Summary, StoreError> {
    let read = Reader::new(item)?;
    Ok(Summary {
        key: key_from(&read)?,
        workflow_name: read.text("workflow_name")?.to_owned(),
        origin: read.parsed("api", origin_from)?,
        region: read.text("region")?.to_owned(),
        domain_id: read.text("domain_id")?.to_owned(),
        status: read.parsed("status", status_from)?,
        started_by: read.text("started_by")?.to_owned(),
        started_at: read.millis("started_at")?,
        updated_at: read.millis("updated_at")?,
        ended_at: read.optional_number("ended_at")?.map(Timestamp::from_millis),
    })
}

fn key_from(read: &Reader<'_>) -> Result<ExecutionKey, StoreError> {
    Ok(ExecutionKey {
        project_id: read.text("project_id")?.to_owned(),
        workflow_id: read.uuid("workflow_id")?,
        name: read.parsed("name", |text| ExecutionName::parse(text).ok())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Origin;

    fn execution(name: &str) -> Execution {
        let input = JsonText::parse("{\"n\": 1.50}").expect("valid JSON");
        Execution {
            key: ExecutionKey {
                project_id: "p".into(),
                workflow_id: Uuid::from_u128(7),
                name: ExecutionName::parse(name).expect("a valid name"),
            },
            workflow_name: "media-transcode".into(),
            machine: MachineId::of("{}"),
            region: "local-1".into(),
            domain_id: "d".into(),
            origin: Origin::FunctionGraphV2,
            is_test: true,
            status: Status::Failed,
            attempt: 2,
            ending: Some(Ending {
                status: Status::Failed,
                at: Timestamp::from_millis(1_795_219_200_456),
                output: None,
                failure: Some(Failure { error: "e".into(), cause: "c".into() }),
            }),
            due_at: Some(Timestamp::from_millis(1_795_219_200_789)),
            tries: 3,
            fingerprint: Fingerprint::of(Uuid::from_u128(7), &input, None, true, true),
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
        let ending = Ending {
            status: Status::Succeeded,
            at: full.updated_at,
            output: Some(JsonText::parse("[1.0]").expect("valid JSON")),
            failure: None,
        };
        let succeeded = Execution { status: Status::Succeeded, ending: Some(ending), due_at: None, ..full.clone() };
        assert_eq!(from_item(&to_item(&succeeded, 8)).expect("a readable item"), succeeded);
        let bare = Execution {
            headers: None,
            create_date: None,
            trace: None,
            status: Status::Scheduled,
            ending: None,
            due_at: None,
            ..full
        };
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
    fn the_list_key_sorts_by_time_then_name() {
        let name = |text: &str| ExecutionName::parse(text).expect("a valid name");
        let early = list_sort_key(Timestamp::from_millis(999), &name("z"));
        let late = list_sort_key(Timestamp::from_millis(1000), &name("a"));
        assert!(early < late && late < list_sort_key(Timestamp::from_millis(1000), &name("b")));
    }
}
