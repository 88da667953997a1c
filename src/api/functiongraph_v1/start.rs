//! `POST /v1.0/{project_id}/cloud_graphs/{graph_urn}/executions/action` with `action_type` `start` and `test_start`:
//! "Starting a Workflow Instance", "Testing a Workflow".

use serde::Serialize;

use super::{Error, words};
use crate::api::refusal::Refusal;
use crate::api::{Apis, Reply, Request, starting, urn, watching};
use crate::auth::Principal;
use crate::execution::{ExecutionName, Options, Origin, Start, StartKey};
use crate::json::{JsonText, Members};
use crate::workflow::{WorkflowName, WorkflowRef};

/// Most bytes of `executions.input`.
const MAX_INPUT_BYTES: usize = 32_768;

/// The name of a `test_start` in a credential's allow-list and in the log.
const TEST: &str = "test_start";

/// The answer's body.
#[derive(Serialize)]
struct Answer {
    execution_urn: String,
    started_at: String,
}

/// The body's `executions`, checked.
struct Body {
    execution_name: ExecutionName,
    input: JsonText,
}

pub(super) async fn run(
    apis: &Apis,
    request: &Request,
    principal: &Principal,
    name: WorkflowName,
    executions: &Members,
    is_test: bool,
) -> Result<Reply, Error> {
    let operation = if is_test { TEST } else { starting::OPERATION };
    watching::allow(principal, operation)?;
    let body = Body::parse(executions)?;
    // The execution's name is the key of a v1 start; an Idempotency-Key is checked and has nothing to add.
    starting::idempotency_key(request).map_err(Error::InvalidParameter)?;
    let workflow = starting::find_workflow(apis, principal, &WorkflowRef::Name(name)).await?;
    let started = apis
        .executions
        .start(Start {
            workflow,
            key: StartKey::Name(body.execution_name),
            input: body.input,
            sent: None,
            options: Options::default(),
            origin: Origin::FunctionGraphV1,
            is_test,
            region: apis.region.to_string(),
            caller: starting::caller(request, principal),
        })
        .await
        .map_err(Refusal::from)?;
    let execution = started.execution;
    let reply = Reply::json(&Answer {
        execution_urn: urn::of_execution(&execution.summary()),
        started_at: execution.started_at.iso_millis(),
    });
    let replayed = Some(started.replayed);
    Ok(Reply { operation: Some(operation), execution: Some(execution.key.name.to_string()), replayed, ..reply })
}

impl Body {
    fn parse(executions: &Members) -> Result<Self, Error> {
        let name = words::text_member(executions, "execution_name", "executions.execution_name")?;
        let execution_name = ExecutionName::parse(&name).map_err(Error::InvalidExecutionName)?;
        let input =
            executions.get("input").ok_or_else(|| Error::InvalidParameter("executions.input is missing".into()))?;
        // Typed String by the vendor: an object in its place is not converted.
        let text: String = serde_json::from_str(input.get())
            .map_err(|_| Error::InvalidInput("must be a string holding JSON".into()))?;
        if !(1..=MAX_INPUT_BYTES).contains(&text.len()) {
            return Err(Error::InvalidInput(format!("must have 1 to {MAX_INPUT_BYTES} bytes")));
        }
        let input = JsonText::parse(&text).map_err(|problem| Error::InvalidInput(problem.to_string()))?;
        Ok(Self { execution_name, input })
    }
}
