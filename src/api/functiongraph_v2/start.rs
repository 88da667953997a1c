//! `POST /v2/{project_id}/fgs/workflows/{workflow_id}/executions`: "Executing a Function Flow Asynchronously".

use serde::Serialize;
use time::macros::format_description;
use time::{Date, Duration};

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, starting, watching};
use crate::auth::Principal;
use crate::clock::Timestamp;
use crate::execution::{ExecutionName, Options, Origin, Start, StartKey};
use crate::json::{self, JsonText, Members};

/// Most characters of an execution id in the vendor's schema.
const MAX_RUN_ID_CHARS: usize = 64;

/// The answer's body.
#[derive(Serialize)]
struct Answer<'a> {
    execution_id: &'a str,
}

/// The request's headers, checked.
struct Headers {
    create_date: Option<String>,
    run_id: Option<ExecutionName>,
    merge_parameters: bool,
}

/// The request's body, checked.
pub(super) struct Body {
    pub(super) input: JsonText,
    pub(super) headers: Option<JsonText>,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    workflow_id: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, starting::OPERATION)?;
    let reference = words::parse_workflow_id(workflow_id, &principal.project_id)?;
    let headers = Headers::parse(request, apis.clock.now())?;
    let idempotency_key = starting::idempotency_key(request).map_err(Error::Invalid)?;
    let body = Body::parse(&request.body)?;
    let reference = reference.ok_or(Refusal::WorkflowNotFound)?;
    let workflow = starting::find_workflow(apis, principal, &reference).await?;
    let key = match (headers.run_id, idempotency_key) {
        (Some(run_id), _) => StartKey::Name(run_id),
        (None, Some(key)) => StartKey::Idempotency(key),
        (None, None) => StartKey::None,
    };
    let started = apis
        .executions
        .start(Start {
            workflow,
            key,
            input: body.input,
            sent: None,
            options: Options {
                headers: body.headers,
                merge_parameters: headers.merge_parameters,
                create_date: headers.create_date,
            },
            origin: Origin::FunctionGraphV2,
            is_test: false,
            region: apis.region.to_string(),
            caller: starting::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let name = started.execution.key.name;
    let reply = Reply::json(&Answer { execution_id: name.as_str() });
    Ok(Reply { execution: Some(name.to_string()), replayed: Some(started.replayed), ..reply })
}

impl Headers {
    fn parse(request: &Request, now: Timestamp) -> Result<Self, Error> {
        let given = |name| -> Result<_, Error> {
            Ok(request.header(name).map_err(Error::Invalid)?.filter(|value| !value.is_empty()))
        };
        let create_date = given("x-create-time")?.map(|value| parse_create_date(value, now)).transpose()?;
        let run_id = given("x-workflowrun-id")?.map(parse_run_id).transpose()?;
        let merge_parameters = match given("x-workflowrun-mergefnparameters")? {
            None => false,
            Some(value) if value.eq_ignore_ascii_case("true") => true,
            Some(value) if value.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                return Err(Error::Invalid("header X-WorkflowRun-MergeFnParameters must be true or false".into()));
            }
        };
        Ok(Self { create_date, run_id, merge_parameters })
    }
}

fn parse_create_date(value: &str, now: Timestamp) -> Result<String, Error> {
    let date = Date::parse(value, format_description!("[year]-[month]-[day]"))
        .ok()
        .filter(|_| value.len() == "yyyy-MM-dd".len() && value.starts_with(|c: char| c.is_ascii_digit()))
        .ok_or_else(|| Error::Invalid("header X-Create-Time must have the form yyyy-MM-dd".into()))?;
    // Callers write their own calendar's date, and the vendor's regions are hours ahead of UTC: a date is in the future when
    // it has begun nowhere on Earth yet (UTC+14 is the first to begin one).
    let latest = now.date_time().saturating_add(Duration::hours(14)).date();
    if date > latest {
        return Err(Error::Invalid("header X-Create-Time must not be in the future".into()));
    }
    Ok(value.to_owned())
}

fn parse_run_id(value: &str) -> Result<ExecutionName, Error> {
    let legal = value.len() <= MAX_RUN_ID_CHARS && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    Some(value).filter(|_| legal).and_then(|value| ExecutionName::parse(value).ok()).ok_or_else(|| {
        Error::Invalid(format!("header X-WorkflowRun-ID must have 1 to {MAX_RUN_ID_CHARS} letters, digits and hyphens"))
    })
}

impl Body {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::Invalid("the request body is empty".into()));
        }
        let members = json::members(body).map_err(|problem| Error::Invalid(format!("the request body {problem}")))?;
        let input = object_member(&members, "input")?.ok_or_else(|| Error::Invalid("input is missing".into()))?;
        let headers = object_member(&members, "headers")?;
        Ok(Self { input, headers })
    }
}

/// Reads a member that is an object, or a string holding one: the documents print the first form, the vendor's sample
/// programs send the second. Null is absent.
fn object_member(members: &Members, name: &str) -> Result<Option<JsonText>, Error> {
    let Some(raw) = members.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null") else {
        return Ok(None);
    };
    let held: Option<String> = serde_json::from_str(raw).ok();
    JsonText::parse_object(held.as_deref().unwrap_or(raw))
        .map(Some)
        .map_err(|_| Error::Invalid(format!("{name} must be a JSON object, or a string holding one")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_date_is_in_the_future_when_it_has_begun_nowhere_on_earth() {
        let at = |text| Timestamp::parse(text).expect("a valid time");
        assert!(parse_create_date("2026-11-21", at("2026-11-21T00:00:00Z")).is_ok());
        assert!(parse_create_date("2026-11-22", at("2026-11-21T09:59:59Z")).is_err());
        assert!(parse_create_date("2026-11-22", at("2026-11-21T10:00:00Z")).is_ok());
        assert!(parse_create_date("9999-12-31", Timestamp::MAX).is_ok());
    }

    #[test]
    fn a_create_date_has_one_form() {
        let now = Timestamp::parse("2026-11-21T00:00:00Z").expect("a valid time");
        for bad in
            ["2026-1-1", "20261120", "2026-02-30", "2026-11-20T00:00:00Z", "+2026-01-1", "yyyy-MM-dd", " 2026-11-20"]
        {
            assert!(parse_create_date(bad, now).is_err(), "{bad}");
        }
        assert!(parse_create_date("2024-02-29", now).is_ok());
    }

    #[test]
    fn a_run_id_has_at_most_64_letters_digits_and_hyphens() {
        assert!(parse_run_id(&"a".repeat(64)).is_ok());
        for bad in ["a".repeat(65), "a_b".into(), "a.b".into(), "é".into(), " a".into()] {
            assert!(parse_run_id(&bad).is_err(), "{bad}");
        }
    }
}
