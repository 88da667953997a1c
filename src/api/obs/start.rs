//! `POST /v2/workflows/{graph_name}`: "Asynchronously Starting a Workflow by an API".

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, path, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{Options, Origin, Start, StartKey};
use crate::json::{self, JsonText, Members};
use crate::workflow::parameters::InputError;
use crate::workflow::{Parameter, WorkflowRef, parameters};

const MAX_OBJECT_BYTES: usize = 1024;

/// The answer's body.
#[derive(Serialize)]
struct Answer<'a> {
    execution_urn: String,
    execution_name: &'a str,
    started_at: String,
}

/// What the engine gets.
#[derive(Serialize)]
struct EngineInput<'a> {
    bucket: &'a str,
    object: &'a str,
    inputs: &'a Members,
}

/// The request's body, checked.
struct Body {
    bucket: String,
    object: String,
    /// The values as the caller wrote them.
    inputs: Members,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    graph_name: &str,
) -> Result<Reply, Error> {
    watching::allow(principal, starting::OPERATION)?;
    let name = words::parse_graph_name(&path::decode(graph_name).unwrap_or_default())?;
    let body = Body::parse(&request.body)?;
    let key = match starting::idempotency_key(request).map_err(Error::InvalidArgument)? {
        Some(key) => StartKey::Idempotency(key),
        None => StartKey::None,
    };
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(name)).await?;
    let input = body.to_json(&body.completed(workflow.definition.parameters())?)?;
    let sent = body.to_json(&body.inputs)?;
    let started = apis
        .executions
        .start(Start {
            workflow,
            key,
            input,
            sent: Some(sent),
            options: Options::default(),
            origin: Origin::Obs,
            is_test: false,
            region: apis.region.to_string(),
            caller: starting::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let execution = started.execution;
    let reply = Reply::json(&Answer {
        execution_urn: urn::of_execution(&execution.summary()),
        execution_name: execution.key.name.as_str(),
        started_at: execution.started_at.iso_millis(),
    });
    Ok(Reply { execution: Some(execution.key.name.to_string()), replayed: Some(started.replayed), ..reply })
}

impl Body {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::InvalidRequestBody("the request has no body".into()));
        }
        let members =
            json::members(body).map_err(|problem| Error::InvalidRequestBody(format!("the request body {problem}")))?;
        let bucket = text_member(&members, "bucket")?;
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(legal) {
            return Err(Error::InvalidArgument(
                "bucket must have 3 to 63 lower-case letters, digits, dots and hyphens".into(),
            ));
        }
        let object = text_member(&members, "object")?;
        if !(1..=MAX_OBJECT_BYTES).contains(&object.len()) {
            return Err(Error::InvalidArgument(format!("object must have 1 to {MAX_OBJECT_BYTES} bytes of UTF-8")));
        }
        // The OBS SDK sends null when its caller gave no inputs.
        let inputs = match members.get("inputs").filter(|inputs| inputs.get() != "null") {
            None => Members::new(),
            Some(inputs) => json::members(inputs.get().as_bytes())
                .map_err(|problem| Error::InvalidArgument(format!("inputs {problem}")))?,
        };
        Ok(Self { bucket, object, inputs })
    }

    /// The inputs completed with the workflow's defaults. A value the caller gave keeps its text.
    fn completed(&self, declared: &[Parameter]) -> Result<Members, Error> {
        let given: Map<String, Value> = self
            .inputs
            .iter()
            .map(|(name, raw)| Ok((name.clone(), json::value(raw.get())?)))
            .collect::<Result<_, json::Invalid>>()
            .map_err(|problem| Error::InvalidArgument(format!("inputs {problem}")))?;
        let completed = parameters::complete(declared, given).map_err(|problem| match &problem {
            InputError::Unknown { .. } => Error::UnknownInput(problem.to_string()),
            InputError::Missing { .. } | InputError::Invalid { .. } => Error::InvalidArgument(problem.to_string()),
        })?;
        let raw = |(name, value): (String, Value)| {
            let text = match self.inputs.get(&name) {
                Some(given) => given.clone(),
                None => to_raw_value(&value).expect("a JSON value is writable"),
            };
            (name, text)
        };
        Ok(completed.into_iter().map(raw).collect())
    }

    /// The request as JSON, with these inputs: what the engine gets, or what a repeat is compared with.
    fn to_json(&self, inputs: &Members) -> Result<JsonText, Error> {
        let request = EngineInput { bucket: &self.bucket, object: &self.object, inputs };
        let text = serde_json::to_string(&request).expect("strings and JSON texts are writable");
        JsonText::parse(&text).map_err(|problem| Error::InvalidArgument(format!("inputs {problem}")))
    }
}

fn text_member(members: &Members, name: &str) -> Result<String, Error> {
    let value: &RawValue = members.get(name).ok_or_else(|| Error::InvalidArgument(format!("{name} is missing")))?;
    serde_json::from_str(value.get()).map_err(|_| Error::InvalidArgument(format!("{name} must be a string")))
}
