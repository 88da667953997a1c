//! Tests of the room. `support` has the captures and the credentials they were made with.

mod credentials;
mod golden;
mod mutation;
mod properties;
mod refresh;
mod refusals;
mod schemes;
mod secrets_manager;
mod support;
mod vectors;
