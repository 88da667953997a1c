//! flowgate: three Huawei-Cloud-compatible "start a workflow" APIs behind any serverless gateway.
//!
//! # The rooms
//!
//! - [`cli`]: the command line; `serve` is what runs.
//! - [`config`]: the environment, read once.
//! - [`app`]: the wiring, the only place that picks adapters.
//! - [`gateway`]: how calls arrive: Lambda events of four front ends, or plain HTTP; and the events that let executions run.
//! - [`api`]: the three APIs, a folder each: which one owns a call, what it asks for, how it refuses.
//! - [`auth`]: who sent a call: the vendor's signature schemes and the credentials behind them.
//! - [`workflow`]: what can be started: definitions, their parameters, the registry.
//! - [`engine`]: what runs a started execution: flows compiled to the Amazon States Language, Step Functions to run them, and
//!   an engine in this process that does the same.
//! - [`execution`]: the domain: an execution and the rule that a key starts it once.
//! - [`store`]: where all that is kept: DynamoDB, and a file for local starts.
//!
//! # The life of a request
//!
//! A gateway makes it an [`api::Request`], untouched. [`api::Apis::answer`] finds the API that owns the path; that API has
//! the signature checked over the raw request, routes to an operation, checks every parameter, looks the workflow up (from
//! memory when warm) and hands an [`execution::Start`] to [`execution::Executions::start`]. One conditional write decides
//! whether it is new, a repeat, or a conflict; then the caller is answered, in the API's own dialect.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
mod errors;
pub mod execution;
pub mod gateway;
pub mod json;
pub mod store;
pub mod workflow;
