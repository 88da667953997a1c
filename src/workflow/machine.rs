//! The compiled form of a definition, as this room knows it: a text, known by its digest.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Definition;

/// What identifies a compiled version of a workflow: the SHA-256 of its text, as 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MachineId(String);

impl MachineId {
    /// The id of a text.
    pub fn of(text: &str) -> Self {
        Self(hex::encode(Sha256::digest(text)))
    }

    /// Takes over an id that was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a workflow: what an execution runs that was started while it was the present one. It never changes, but for
/// what the engine notes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The definition.
    pub definition: Definition,
    /// The compiled text that engines run.
    pub machine: String,
    /// What the engine calls it, if the engine keeps it: the ARN of a state machine's version.
    pub engine_reference: Option<String>,
}
