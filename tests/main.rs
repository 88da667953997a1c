//! The integration tests: one binary, a module per subject. Everything goes through the real entrance: an event in and an
//! answer out, or the built binary.

mod events;
mod support;
