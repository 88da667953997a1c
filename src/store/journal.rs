//! The journal of the embedded engine in the table: batches of entries below the execution's own key.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue::AllNew;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use super::error::classify;
use super::executions::{from_item, partition_key};
use super::item::{Item, Reader, Writer, corrupt, number, text};
use super::update::Update;
use super::words::status_text;
use super::{DynamoStore, EXECUTION_SK};
use crate::clock::Timestamp;
use crate::execution::{Appended, Claim, Execution, Journal, JournalEntry, RecordId, Status, Then};
use crate::workflow::StoreError;

/// The sort keys of the journal begin with this, and go on with the number of the batch.
const BATCH_SK: &str = "journal#";

/// How much text one batch holds before another is begun, in bytes: an item holds 400 KB, an entry has below 300,000.
const BATCH_BYTES: usize = 60_000;

/// How much longer than its execution's record a batch lives. The record's life is prolonged by every change, a batch is
/// never written again, and an execution without its journal could not go on.
const LONGER_SECONDS: i64 = 400 * 86_400;

#[async_trait]
impl Journal for DynamoStore {
    async fn claim(&self, id: &RecordId, now: Timestamp, until: Timestamp) -> Result<Option<Claim>, StoreError> {
        let Some(item) = self.read_item(id).await? else { return Ok(None) };
        let seen = from_item(&item)?;
        let is_due = seen.due_at.is_some_and(|due_at| due_at <= now);
        if seen.status.is_final() || seen.expires_at <= now || !is_due {
            return Ok(None);
        }
        let fence = Reader::new(&item)?.number("fence")?;
        let mut update = Update::of_live(now)
            .when("status", text(status_text(seen.status)))
            // Somebody else may have claimed it and lost it again since it was read.
            .when("fence", number(fence))
            .when_at_most("due_at", number(now.millis()));
        update.set("fence", number(fence + 1));
        self.set_due(&mut update, &seen.key.name, Some(until));
        if matches!(seen.status, Status::Scheduled | Status::Retrying) {
            update.set("status", text(status_text(Status::Running)));
            update.set("updated_at", number(now.millis()));
            update.set("tries", number(0));
        }
        match self.update_execution(id, &update).await? {
            Some(item) => claim_from(&item).map(Some),
            None => Ok(None),
        }
    }

    async fn append(
        &self,
        claim: &mut Claim,
        entries: &[JournalEntry],
        then: &Then,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Appended, StoreError> {
        let id = claim.execution.key.record_id();
        let batches = batches(&id, claim.length, entries, expires_at.plus_seconds(LONGER_SECONDS));
        let length = claim.length + batches.len() as u64;
        let update = self.update_after(claim, length, then, now, expires_at);
        let is_written = if batches.is_empty() {
            self.update_execution(&id, &update).await?.is_some()
        } else {
            self.write_batches(&id, &update, batches).await?
        };
        if is_written || self.was_written(&id, claim, length, then).await? {
            claim.length = length;
            Ok(Appended::Done)
        } else {
            Ok(Appended::Lost)
        }
    }

    async fn entries(&self, id: &RecordId) -> Result<Vec<JournalEntry>, StoreError> {
        let mut entries = Vec::new();
        let (mut resume, mut batch) = (None, 0);
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :batch)")
                .expression_attribute_values(":pk", text(partition_key(id)))
                .expression_attribute_values(":batch", text(BATCH_SK))
                .consistent_read(true)
                .set_exclusive_start_key(resume)
                .send()
                .await
                .map_err(classify)?;
            for item in answer.items() {
                let read = Reader::new(item)?;
                if read.text("sk")? != batch_sort_key(batch) {
                    return Err(StoreError::Corrupt(format!("batch {batch} of a journal is missing")));
                }
                let attempt = read.count("attempt")?;
                let texts: Vec<Box<serde_json::value::RawValue>> =
                    read.parsed("entries", |text| serde_json::from_str(text).ok())?;
                entries.extend(texts.into_iter().map(|text| JournalEntry { attempt, text: text.get().to_owned() }));
                batch += 1;
            }
            resume = answer.last_evaluated_key().cloned();
            if resume.is_none() {
                return Ok(entries);
            }
        }
    }
}

impl DynamoStore {
    /// What an append changes in the execution's own item.
    fn update_after(&self, claim: &Claim, length: u64, then: &Then, now: Timestamp, expires_at: Timestamp) -> Update {
        let Execution { key, status, attempt, .. } = &claim.execution;
        let mut update = Update::of_live(now)
            .when("fence", number(claim.fence.cast_signed()))
            .when("attempt", number(i64::from(*attempt)))
            .when("status", text(status_text(*status)));
        update.set("journal", number(length.cast_signed()));
        update.set("expires_at", number(expires_at.seconds()));
        match then {
            Then::Keep { until } | Then::Sleep { until } => self.set_due(&mut update, &key.name, Some(*until)),
            Then::End(ending) => {
                update.set("updated_at", number(now.millis()));
                self.set_ending(&mut update, &claim.execution, ending);
                self.set_due(&mut update, &key.name, None);
            }
        }
        update
    }

    /// Updates an execution's item and returns it, or `None` where the condition does not hold.
    async fn update_execution(&self, id: &RecordId, update: &Update) -> Result<Option<Item>, StoreError> {
        let outcome = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(partition_key(id)))
            .key("sk", text(EXECUTION_SK))
            .update_expression(update.expression())
            .condition_expression(update.condition())
            .set_expression_attribute_names(Some(update.names()))
            .set_expression_attribute_values(Some(update.values()))
            .return_values(AllNew)
            .send()
            .await;
        match outcome {
            Ok(updated) => updated.attributes.ok_or_else(|| corrupt("pk")).map(Some),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(classify(error)),
            },
        }
    }

    /// Updates an execution's item and writes batches, or nothing where the condition does not hold.
    async fn write_batches(&self, id: &RecordId, update: &Update, batches: Vec<Item>) -> Result<bool, StoreError> {
        let rejected = |error: aws_sdk_dynamodb::error::BuildError| StoreError::Rejected(Box::new(error));
        let execution = aws_sdk_dynamodb::types::Update::builder()
            .table_name(&self.table)
            .key("pk", text(partition_key(id)))
            .key("sk", text(EXECUTION_SK))
            .update_expression(update.expression())
            .condition_expression(update.condition())
            .set_expression_attribute_names(Some(update.names()))
            .set_expression_attribute_values(Some(update.values()))
            .build()
            .map_err(rejected)?;
        let mut write =
            self.client.transact_write_items().transact_items(TransactWriteItem::builder().update(execution).build());
        for batch in batches {
            let put = Put::builder().table_name(&self.table).set_item(Some(batch)).build().map_err(rejected)?;
            write = write.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let Err(error) = write.send().await else { return Ok(true) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let reasons = cancelled.cancellation_reasons();
            if reasons.iter().any(|reason| reason.code() == Some("ConditionalCheckFailed")) {
                return Ok(false);
            }
            return Err(StoreError::Throttled(Box::new(error)));
        }
        Err(classify(error))
    }

    /// Whether an append that was refused is one that had been carried out: the SDK repeats a call whose answer was lost.
    async fn was_written(&self, id: &RecordId, claim: &Claim, length: u64, then: &Then) -> Result<bool, StoreError> {
        let Some(item) = self.read_item(id).await? else { return Ok(false) };
        let now = claim_from(&item)?;
        let is_ours =
            now.fence == claim.fence && now.length == length && now.execution.attempt == claim.execution.attempt;
        Ok(is_ours
            && match then {
                // Without a new batch nothing tells a renewal that was carried out from one that was not.
                Then::Keep { .. } | Then::Sleep { .. } => {
                    length > claim.length && now.execution.status == claim.execution.status
                }
                Then::End(ending) => now.execution.status == ending.status,
            })
    }
}

fn claim_from(item: &Item) -> Result<Claim, StoreError> {
    let read = Reader::new(item)?;
    let count = |name| u64::try_from(read.number(name)?).map_err(|_| corrupt(name));
    Ok(Claim { execution: from_item(item)?, fence: count("fence")?, length: count("journal")? })
}

fn batch_sort_key(number: u64) -> String {
    format!("{BATCH_SK}{number:010}")
}

/// The items that hold entries, the first of them with that number.
fn batches(id: &RecordId, first: u64, entries: &[JournalEntry], expires_at: Timestamp) -> Vec<Item> {
    let mut grouped: Vec<(u32, Vec<&str>)> = Vec::new();
    let mut bytes = 0;
    for JournalEntry { attempt, text } in entries {
        bytes += text.len();
        match grouped.last_mut() {
            Some((of, texts)) if of == attempt && bytes <= BATCH_BYTES => texts.push(text),
            _ => {
                bytes = text.len();
                grouped.push((*attempt, vec![text]));
            }
        }
    }
    let items = grouped.into_iter().zip(first..).map(|((attempt, texts), batch)| {
        Writer::new(partition_key(id), &batch_sort_key(batch))
            .number("attempt", i64::from(attempt))
            .text("entries", format!("[{}]", texts.join(",")))
            .number("expires_at", expires_at.seconds())
            .finish()
    });
    items.collect()
}
