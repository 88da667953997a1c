//! Running flows.
//!
//! A flow is compiled to the Amazon States Language ([`compiler`]), and that text is what runs, wherever it runs.
//! [`Publisher`] is how a definition becomes something that can be started, and [`nodes()`] tells what became of an execution
//! in the flow's own words. Deployed, [`StepFunctions`] runs it; locally this process does ([`embedded`]).

pub mod compiler;
#[cfg(feature = "embedded")]
pub mod embedded;
mod history;
mod nodes;
mod none;
mod publisher;
pub mod step_functions;

pub use nodes::{Call, Node, Run, error_document, nodes};
pub use none::NoEngine;
pub use publisher::{PublishError, Publisher};
pub use step_functions::StepFunctions;
