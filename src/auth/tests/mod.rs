//! Tests of the room. `support` has the captures and the credentials they were made with.

mod golden;
mod support;
