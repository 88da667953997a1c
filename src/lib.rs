//! flowgate: three Huawei-Cloud-compatible "start a workflow" APIs behind any serverless gateway.

pub mod auth;
pub mod clock;
pub mod workflow;
