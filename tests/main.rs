//! The integration tests: one binary, a module per subject. Everything goes through the real entrance: an event in and an
//! answer out, or the built binary.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod events;
mod flows;
mod support;
