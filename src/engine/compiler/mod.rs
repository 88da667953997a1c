//! The compiler: a flow as text of the Amazon States Language.

mod call;
mod functions;
mod machine;
mod names;
mod rules;

use serde_json::{Value, json};

pub use functions::{FunctionNames, NameError, TemplateError};
pub use machine::NODE_FAILED;

use machine::Compiler;

use crate::workflow::Mode;
use crate::workflow::flow::Flow;

/// The longest definition that Step Functions takes, in bytes.
pub const MAX_BYTES: usize = 1_048_576;

/// How long an EXPRESS execution may take: the vendor says that its flows are for less than five minutes, and Step
/// Functions ends its own after five.
const EXPRESS_TIMEOUT_SECONDS: u32 = 300;

/// A compiled flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    definition: Value,
    addresses: Vec<String>,
}

/// Why a flow cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Functions have no name that Lambda would take: the state and what is wrong, for each.
    #[error("{}", listed(.0))]
    FunctionNames(Vec<(String, NameError)>),
    /// The text is longer than Step Functions takes.
    #[error("the compiled workflow must be at most {MAX_BYTES} bytes long, not {bytes}")]
    TooLarge {
        /// The length of the text, in bytes.
        bytes: usize,
    },
}

/// Compiles a flow.
pub fn compile(flow: &Flow, functions: &FunctionNames) -> Result<Machine, CompileError> {
    let mut compiler = Compiler::new(flow, functions);
    let states = compiler.states(flow);
    if !compiler.refused.is_empty() {
        return Err(CompileError::FunctionNames(compiler.refused));
    }
    let mut definition = json!({
        "Comment": "Compiled by flowgate",
        "QueryLanguage": "JSONPath",
        "StartAt": flow.start(),
        "States": states,
    });
    if flow.mode() == Mode::Express {
        definition["TimeoutSeconds"] = EXPRESS_TIMEOUT_SECONDS.into();
    }
    let machine = Machine { definition, addresses: compiler.addresses.into_iter().collect() };
    let bytes = machine.text().len();
    if bytes > MAX_BYTES { Err(CompileError::TooLarge { bytes }) } else { Ok(machine) }
}

impl Machine {
    /// The text that is run: no white space, members sorted by name.
    pub fn text(&self) -> String {
        self.definition.to_string()
    }

    /// The text as JSON.
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// The `http(s)` addresses that it calls, sorted. Where there are any, Step Functions cannot run it.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }
}

fn listed(refused: &[(String, NameError)]) -> String {
    let lines: Vec<String> = refused.iter().map(|(state, error)| format!("state `{state}`: {error}")).collect();
    lines.join("; ")
}
