//! What happened in an execution, as both engines tell it.

use crate::clock::Timestamp;
use crate::json::JsonText;

/// Something that happened to a state of the machine, branches of parallel ones included.
#[derive(Debug, Clone, PartialEq)]
pub struct StateEvent {
    /// When.
    pub at: Timestamp,
    /// In which attempt of the execution.
    pub attempt: u32,
    /// The state's name in the machine. Where it is the id of a state of the flow, a node of the flow begins.
    pub state: String,
    /// What happened.
    pub kind: StateEventKind,
}

/// What can happen to a state.
#[derive(Debug, Clone, PartialEq)]
pub enum StateEventKind {
    /// It began, with this document. For a state of the flow `input` in it is the node's input.
    Entered(JsonText),
    /// It ended with this document. A state that failed the execution never does.
    Left(JsonText),
}

impl StateEventKind {
    /// The document that the state began or ended with.
    pub fn document(&self) -> &JsonText {
        match self {
            Self::Entered(document) | Self::Left(document) => document,
        }
    }
}
