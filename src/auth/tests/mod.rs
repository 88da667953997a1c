//! Tests of the room. `support` has the captures and the credentials they were made with.

//mod credentials;
mod golden;
mod mutation;
//mod properties;
//mod refusals;
//mod refresh;
//mod schemes;
//mod secrets_manager;
mod support;
mod vectors;
