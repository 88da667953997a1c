//! Running flows.
//!
//! A flow is compiled to the Amazon States Language ([`compiler`]), and that text is what runs, wherever it runs.
//! [`Publisher`] is how a definition becomes something that can be started.

pub mod compiler;
#[cfg(feature = "embedded")]
pub mod embedded;
mod none;
mod publisher;

pub use none::NoEngine;
pub use publisher::{PublishError, Publisher};
