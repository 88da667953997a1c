//! What the benchmark's programs share.

pub mod allocations;
pub mod floor;
pub mod runtime;
pub mod stand_in;
