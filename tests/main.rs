//! The integration tests: one binary, a module per subject. Everything goes through the real entrance: an event in and an
//! answer out, or the built binary.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]

mod cli;
mod deployed;
mod dispatch;
mod durability;
mod events;
mod faults;
mod flows;
mod lambda;
mod logs;
mod malformed;
mod panics;
mod plain_http;
mod starting_twice;
mod stopping;
mod store;
mod support;
mod watching;
