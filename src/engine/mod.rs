//! Running flows: what every engine has in common.
//!
//! A flow is compiled to the Amazon States Language ([`compiler`]), and that text is what runs, wherever it runs.

pub mod compiler;
#[cfg(feature = "embedded")]
pub mod embedded;
