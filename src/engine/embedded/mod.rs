//! The embedded engine: runs compiled machines inside this process.
//!
//! [`Machine`] is the parsed text, and [`Run`] the run of one execution: pure state that is told the time and the results of
//! function calls, and says what to write down, what to call and how long to wait. What it writes down, a list of
//! [`Entry`], is all that is needed to go on in another process.
//!
//! It knows the subset of the States Language that the compiler's documentation ([`super::compiler`]) lists and refuses any
//! other text. What that documentation leaves open is as AWS documents it:
//! <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html>.

mod choice;
mod entry;
mod failure;
mod functions;
mod history;
mod machine;
mod path;
mod run;
mod runner;
mod template;
mod worker;

pub use entry::{BranchId, Entry, Event};
pub use failure::Failure;
pub use functions::{Functions, Lambda, ReachableFunctions, samples};
pub use machine::{Machine, ParseError};
pub use run::{Call, MAX_ENTRIES, Outcome, Pending, Progress, ReplayError, Run};
pub use runner::EmbeddedEngine;
pub use worker::{Machines, Worker};
