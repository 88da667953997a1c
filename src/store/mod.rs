//! DynamoDB-compatible storage: the only room, with the wiring, that knows the AWS SDK of it.
//!
//! One table. Its keys:
//!
//! | item | `pk` | `sk` | in index `by_workflow` | in index `by_due` |
//! |---|---|---|---|---|
//! | execution | `execution#` + SHA-256 of project, workflow id and name | `execution` | `list_pk` = `<project>#<workflow id>#<shard>`, `list_sk` = `<start time, 15 digits of ms>#<name>` | while somebody must look after it: `due_pk` = `due#<shard>`, `due_at` = when, in ms |
//! | batch of its journal | the same | `journal#<number, 10 digits>` | no | no |
//! | workflow, by id | `workflow#<project>#id#<id>` | `workflow` | no | no |
//! | workflow, by name | `workflow#<project>#name#<name>` | `workflow` | no | no |
//! | version of a workflow | `workflow#<project>#id#<id>` | `version#<machine id>` | no | no |
//!
//! Hashing spreads starts over all partitions however regular their names are. The shard keeps one busy workflow from
//! heating one partition of the index; a list reads all shards and merges them. A workflow lies whole under both of its
//! keys, written in one transaction, so that looking one up is one read either way.

mod client;
#[cfg(feature = "embedded")]
mod embedded;
mod ending;
mod error;
mod executions;
mod item;
mod journal;
mod stream;
mod table;
mod update;
mod words;
mod workflows;

use aws_sdk_dynamodb::Client;

#[cfg(feature = "embedded")]
pub use embedded::{EmbeddedStore, OpenError};

pub use client::{Endpoint, Patience, client, connection, shared_config};
pub use stream::StreamRecord;

/// The sort key of every execution item.
const EXECUTION_SK: &str = "execution";

/// The table, spoken to through the AWS SDK.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
    list_shards: u8,
}

impl DynamoStore {
    /// Speaks to `table`. `list_shards` (1 or more) may be raised later, never lowered: a list reads this many.
    pub fn new(client: Client, table: String, list_shards: u8) -> Self {
        Self { client, table, list_shards: list_shards.max(1) }
    }
}
