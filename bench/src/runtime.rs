//! The threads of the bare programs.

use tokio::runtime::{Builder, Runtime};

/// The runtime that `#[tokio::main]` makes, with a thread for each processor, or, where `ONE_THREAD` is set, one without.
///
/// # Errors
/// The system has none to give.
pub fn of_environment() -> std::io::Result<Runtime> {
    let one_thread = std::env::var_os("ONE_THREAD").is_some();
    let mut builder = if one_thread { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}
