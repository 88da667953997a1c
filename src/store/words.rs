//! The words that statuses and origins are stored by.

use crate::execution::{Origin, Status};

pub(super) fn status_text(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "scheduled",
        Status::Running => "running",
        Status::Stopping => "stopping",
        Status::Retrying => "retrying",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::TimedOut => "timed_out",
        Status::Cancelled => "cancelled",
    }
}

pub(super) fn status_from(text: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_text(*status) == text)
}

pub(super) fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Obs => "obs",
        Origin::FunctionGraphV1 => "functiongraph_v1",
        Origin::FunctionGraphV2 => "functiongraph_v2",
    }
}

pub(super) fn origin_from(text: &str) -> Option<Origin> {
    [Origin::Obs, Origin::FunctionGraphV1, Origin::FunctionGraphV2]
        .into_iter()
        .find(|origin| origin_text(*origin) == text)
}
