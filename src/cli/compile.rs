//! `flowgate compile`.

use std::path::Path;

use anyhow::{Context, Result};

use crate::engine::compiler::{FunctionNames, compile};
use crate::workflow::files;

/// Prints the Amazon States Language text of a definition. Fails with all that is wrong with it.
#[expect(clippy::print_stdout, reason = "the text is what was asked for")]
pub(super) fn run(file: &Path, functions: &FunctionNames) -> Result<()> {
    let flow = files::read_definition(file).with_context(|| file.display().to_string())?.into_flow();
    let machine = compile(&flow, functions).with_context(|| file.display().to_string())?;
    println!("{:#}", machine.definition());
    for address in machine.addresses() {
        eprintln!("note: only the embedded engine can call {address}; Step Functions cannot run this");
    }
    Ok(())
}
