//! `flowgate compile`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::engine::compiler::{FunctionNames, compile};
use crate::workflow::{DefinitionError, files};

/// Prints the Amazon States Language text of a definition. Fails with all that is wrong with it.
pub(super) fn run(file: &Path, functions: &FunctionNames) -> Result<()> {
    let flow = match files::read_flow(file) {
        Ok(flow) => flow,
        // The message of the error itself lists some only: it must fit into an answer or a line of the log.
        Err(DefinitionError::Invalid(problems)) => {
            let problems: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
            bail!("{} is no definition:\n{}", file.display(), problems.join("\n"));
        }
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let machine = compile(&flow, functions).with_context(|| file.display().to_string())?;
    for address in machine.addresses() {
        eprintln!("note: only the embedded engine can call {address}; Step Functions cannot run this");
    }
    // A reader that closes the pipe early is no reason to panic.
    Ok(writeln!(std::io::stdout(), "{:#}", machine.definition())?)
}
