//! What the operations of this API have in common.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use time::PrimitiveDateTime;
use time::macros::format_description;
use uuid::Uuid;

use super::Error;
use crate::api::refusal::Refusal;
use crate::api::{Apis, path, starting, urn, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::execution::{Execution, ExecutionName, ListError, MAX_LOOKED_THROUGH, Selection, Status, Summary};
use crate::json::JsonText;
use crate::workflow::{Workflow, WorkflowName, WorkflowRef};

/// Most characters of `workflow_id` in the vendor's schema.
const MAX_WORKFLOW_ID_CHARS: usize = 512;
/// `48aff955-ea10-4ffd-b426-190bc192dc14`.
const UUID_CHARS: usize = 36;
/// Most characters of `created_by` in the vendor's schema.
const MAX_CREATED_BY_CHARS: usize = 32;
/// What a list spans of which only one end is given, or none.
const WINDOW_SECONDS: i64 = 3 * 86_400;

/// The vendor's FlowExecutionBrief and FlowExecutionBriefV2.
#[derive(Serialize)]
pub(super) struct Brief {
    workflow_id: String,
    workflow_urn: String,
    execution_id: String,
    status: &'static str,
    begin_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<String>,
    last_update_time: String,
    created_by: String,
}

impl Brief {
    /// An execution, with its status in the words of one of the two.
    pub(super) fn of(execution: &Summary, status: fn(Status) -> &'static str) -> Self {
        Self {
            workflow_id: execution.key.workflow_id.to_string(),
            workflow_urn: urn::of_workflow(execution),
            execution_id: execution.key.name.to_string(),
            status: status(execution.status),
            begin_time: execution.started_at.iso_seconds(),
            end_time: execution.ended_at.map(Timestamp::iso_seconds),
            last_update_time: execution.updated_at.iso_seconds(),
            created_by: execution.started_by.chars().take(MAX_CREATED_BY_CHARS).collect(),
        }
    }
}

/// The five statuses that most of the vendor's schemas know.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Scheduled | Status::Running | Status::Stopping | Status::Retrying => "running",
        Status::Succeeded => "success",
        Status::Failed => "fail",
        Status::TimedOut => "timeout",
        Status::Cancelled => "cancel",
    }
}

/// The statuses of FlowExecutionBriefV2. Its `recovered` is the only one that no execution has here.
pub(super) fn full_status(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "scheduled",
        Status::Stopping => "stopping",
        Status::Retrying => "retrying",
        Status::Running | Status::Succeeded | Status::Failed | Status::TimedOut | Status::Cancelled => {
            self::status(status)
        }
    }
}

/// JSON that a caller or a function sent, as it was sent.
pub(super) fn raw(json: &JsonText) -> Box<RawValue> {
    RawValue::from_string(json.as_str().to_owned()).expect("it was read as JSON")
}

/// Reads the id of a workflow: a UUID, the vendor's workflow URN, or our plain name. `None` for a legal text that can be no
/// workflow of the caller's, so that another project's workflow looks like one that does not exist.
pub(super) fn parse_workflow_id(segment: &str, own_project: &str) -> Result<Option<WorkflowRef>, Error> {
    let decoded = path::decode(segment)
        .filter(|id| (1..=MAX_WORKFLOW_ID_CHARS).contains(&id.chars().count()))
        .ok_or_else(|| Error::Invalid(format!("workflow_id must have 1 to {MAX_WORKFLOW_ID_CHARS} characters")))?;
    // Only the form with hyphens is an id; 32 hex digits could be a name.
    if decoded.len() == UUID_CHARS
        && let Ok(id) = Uuid::try_parse(&decoded)
    {
        return Ok(Some(WorkflowRef::Id(id)));
    }
    let name = match urn::parse_workflow(&decoded) {
        Some((project_id, name)) if project_id == own_project => name,
        Some(_) => return Ok(None),
        None => &decoded,
    };
    Ok(WorkflowName::parse(name).ok().map(WorkflowRef::Name))
}

/// The workflow that the path's segment names.
pub(super) async fn find_workflow(
    apis: &Apis,
    principal: &Principal,
    workflow_id: &str,
) -> Result<Arc<Workflow>, Error> {
    let reference = parse_workflow_id(workflow_id, &principal.project_id)?.ok_or(Refusal::WorkflowNotFound)?;
    Ok(starting::find_workflow(apis, principal, &reference).await?)
}

/// The execution that the path's segments name.
pub(super) async fn find_execution(
    apis: &Apis,
    principal: &Principal,
    workflow_id: &str,
    execution_id: &str,
) -> Result<Execution, Error> {
    parse_workflow_id(workflow_id, &principal.project_id)?;
    // The vendor's ids have at most 64 characters, but executions that other APIs named are shown here as well.
    let name = ExecutionName::parse(&path::decode(execution_id).unwrap_or_default())
        .map_err(|problem| Error::Invalid(format!("execution_id {problem}")))?;
    let workflow = find_workflow(apis, principal, workflow_id).await?;
    Ok(watching::find_execution(apis, &workflow, name).await?)
}

/// The executions that a list's `start_time` and `end_time` ask for: the last three days, or three days from the one that is
/// given. Both ends are in it, the whole second of the end too, for these times are shown in whole seconds.
pub(super) fn parse_window(query: &str, now: Timestamp) -> Result<Selection, String> {
    let given = |name| path::parameter(query, name)?.map(|text| parse_time(name, &text)).transpose();
    let (from, to) = match (given("start_time")?, given("end_time")?) {
        (Some(from), Some(to)) if from > to => return Err("start_time must not be later than end_time".into()),
        (Some(from), Some(to)) => (from, Some(to)),
        (Some(from), None) => (from, Some(from.plus_seconds(WINDOW_SECONDS))),
        (None, Some(to)) => (to.plus_seconds(-WINDOW_SECONDS), Some(to)),
        (None, None) => (now.plus_seconds(-WINDOW_SECONDS), None),
    };
    let to = to.map(|to| Timestamp::from_millis(to.millis() + 999));
    Ok(Selection { from: Some(from), to, ..Selection::default() })
}

fn parse_time(name: &str, text: &str) -> Result<Timestamp, String> {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(text, format)
        .ok()
        .filter(|_| text.len() == "YYYY-MM-DD hh:mm:ss".len())
        .map(|time| time.assume_utc().into())
        .ok_or_else(|| format!("{name} must have the form YYYY-MM-DD hh:mm:ss"))
}

/// What a caller reads whose list cannot be had.
pub(super) fn refuse_list(error: ListError) -> Error {
    match error {
        ListError::TooLong => Error::Invalid(format!(
            "start_time and end_time must span less, for more than {MAX_LOOKED_THROUGH} executions lie before the end of \
             this page"
        )),
        ListError::Store(error) => Refusal::from(error).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_spans_three_days_unless_it_is_given() {
        let at = |text| Timestamp::parse(text).expect("a valid time");
        let window = |query: &str| {
            let window = parse_window(query, at("2026-11-21T12:00:00.500Z")).expect("a window");
            (window.from.expect("a beginning").iso_millis(), window.to.map(Timestamp::iso_millis))
        };
        assert_eq!(window(""), ("2026-11-18T12:00:00.500Z".into(), None));
        assert_eq!(
            window("start_time=2026-11-01%2001:00:11"),
            ("2026-11-01T01:00:11.000Z".into(), Some("2026-11-04T01:00:11.999Z".into()))
        );
        assert_eq!(
            window("end_time=2026-11-04%2001%3A00%3A11"),
            ("2026-11-01T01:00:11.000Z".into(), Some("2026-11-04T01:00:11.999Z".into()))
        );
        assert_eq!(
            window("end_time=2026-11-04%2001:00:11&start_time=2026-11-04%2001:00:11"),
            ("2026-11-04T01:00:11.000Z".into(), Some("2026-11-04T01:00:11.999Z".into()))
        );
        for (bad, name) in [
            ("start_time=2026-11-01", "start_time"),
            ("end_time=2026-11-01T00:00:00", "end_time"),
            ("end_time=2026-02-30%2000:00:00", "end_time"),
            ("end_time=2026-01-01%2000:00:00&end_time=", "end_time"),
            ("start_time=2026-01-02%2000:00:00&end_time=2026-01-01%2000:00:00", "start_time"),
        ] {
            let problem = parse_window(bad, Timestamp::MAX).expect_err(bad);
            assert!(problem.starts_with(name), "{problem}");
        }
    }

    #[test]
    fn a_workflow_id_is_a_uuid_a_urn_or_a_name() {
        let parse = |text: &str| parse_workflow_id(text, "p").expect("a legal id");
        assert!(matches!(parse("48aff955-ea10-4ffd-b426-190bc192dc14"), Some(WorkflowRef::Id(_))));
        assert!(matches!(parse("urn%3Afss%3Ar%3Ap%3Aworkflow%3Adefault%3Aa%3Alatest"), Some(WorkflowRef::Name(_))));
        assert!(matches!(parse("media-transcode"), Some(WorkflowRef::Name(_))));
        assert!(matches!(parse("48aff955ea104ffdb426190bc192dc14"), Some(WorkflowRef::Name(_))));
        assert!(parse("urn:fss:r:other:workflow:default:a:latest").is_none(), "another project's");
        assert!(parse("%7Bworkflow_id%7D").is_none(), "the SDK's template, sent when no id was set");
        assert!(parse_workflow_id("", "p").is_err());
        assert!(parse_workflow_id("%ff", "p").is_err());
        assert!(parse_workflow_id(&"a".repeat(513), "p").is_err());
        assert!(parse_workflow_id(&"%E5%80%BC".repeat(512), "p").is_ok(), "the limit counts characters");
    }
}
