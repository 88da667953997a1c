//! `POST /v2/workflows/{graph_name}`: "Asynchronously Starting a Workflow by an API".

use std::fmt::Write;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Error;
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, path, start, urn};
use crate::auth::Principal;
use crate::execution::{Options, Origin, Start, StartKey};
use crate::json::{self, JsonText, Members};
use crate::workflow::parameters::InputError;
use crate::workflow::{Parameter, WorkflowName, WorkflowRef, parameters};

const MAX_OBJECT_BYTES: usize = 1024;

/// The answer's body.
#[derive(Serialize)]
struct Answer<'a> {
    execution_urn: String,
    execution_name: &'a str,
    started_at: String,
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
    if !principal.may(start::OPERATION) {
        return Err(Refusal::OperationNotAllowed.into());
    }
    let name = parse_graph_name(graph_name)?;
    let body = Body::parse(&request.body)?;
    let key = match start::idempotency_key(request).map_err(Error::InvalidArgument)? {
        Some(key) => StartKey::Idempotency(key),
        None => StartKey::None,
    };
    let workflow = start::find_workflow(apis, principal, &WorkflowRef::Name(name)).await?;
    let input = body.engine_input(workflow.definition.parameters())?;
    let started = apis
        .executions
        .start(Start {
            workflow,
            key,
            input,
            options: Options::default(),
            origin: Origin::Obs,
            caller: start::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let execution = started.execution;
    let reply = Reply::json(&Answer {
        execution_urn: urn::of_execution(&apis.region, &execution),
        execution_name: execution.key.name.as_str(),
        started_at: execution.started_at.iso_millis(),
    });
    Ok(Reply { execution: Some(execution.key.name.to_string()), ..reply })
}

fn parse_graph_name(segment: &str) -> Result<WorkflowName, Error> {
    let legal = path::decode(segment).filter(|name| urn::is_graph_name(name));
    legal.and_then(|name| WorkflowName::parse(&name).ok()).ok_or_else(|| {
        Error::InvalidArgument(
            "graph_name must begin with a letter or digit and have 1 to 64 letters, digits, underscores and hyphens"
                .into(),
        )
    })
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

    /// What the engine gets: bucket, object, and the inputs with the workflow's defaults filled in. A value the caller gave
    /// keeps its text.
    fn engine_input(&self, declared: &[Parameter]) -> Result<JsonText, Error> {
        let given: Map<String, Value> = self
            .inputs
            .iter()
            .map(|(name, value)| Ok((name.clone(), serde_json::from_str(value.get())?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|_| Error::InvalidArgument("inputs is not valid JSON".into()))?;
        let completed = parameters::complete(declared, given).map_err(|problem| match &problem {
            InputError::Unknown { .. } => Error::UnknownInput(problem.to_string()),
            InputError::Missing { .. } | InputError::Invalid { .. } => Error::InvalidArgument(problem.to_string()),
        })?;
        let mut inputs = String::new();
        for (name, value) in &completed {
            let separator = if inputs.is_empty() { "" } else { "," };
            let given = self.inputs.get(name).map(|raw| raw.get());
            let text = given.map_or_else(|| value.to_string(), str::to_owned);
            write!(inputs, "{separator}{}:{text}", Value::from(name.as_str())).expect("a string takes any text");
        }
        let bucket = Value::from(self.bucket.as_str());
        let object = Value::from(self.object.as_str());
        let text = format!("{{\"bucket\":{bucket},\"object\":{object},\"inputs\":{{{inputs}}}}}");
        JsonText::parse(&text).map_err(|problem| Error::InvalidArgument(format!("inputs {problem}")))
    }
}

fn text_member(members: &Members, name: &str) -> Result<String, Error> {
    let value: &RawValue = members.get(name).ok_or_else(|| Error::InvalidArgument(format!("{name} is missing")))?;
    serde_json::from_str(value.get()).map_err(|_| Error::InvalidArgument(format!("{name} must be a string")))
}
