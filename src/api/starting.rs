//! What the start operations of the APIs have in common.

use std::sync::Arc;

use super::refusal::Refusal;
use super::{Apis, Request};
use crate::auth::Principal;
use crate::execution::Caller;
use crate::workflow::{Workflow, WorkflowRef};

/// The operation's name in a credential's allow-list and in the log.
pub(super) const OPERATION: &str = "start";

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const MAX_IDEMPOTENCY_KEY: usize = 128;

/// Who asks, as the record will say.
pub(super) fn caller(request: &Request, principal: &Principal) -> Caller {
    Caller {
        name: principal.name.clone(),
        domain_id: principal.domain_id.clone(),
        request_id: request.id.lower(),
        trace: request.trace.clone(),
    }
}

/// Finds a workflow of the principal's project. One that the principal may not use looks like one that does not exist.
pub(super) async fn find_workflow(
    apis: &Apis,
    principal: &Principal,
    reference: &WorkflowRef,
) -> Result<Arc<Workflow>, Refusal> {
    let workflow = apis.workflows.find(&principal.project_id, reference).await?;
    workflow.filter(|workflow| principal.may_use_workflow(workflow.name.as_str())).ok_or(Refusal::WorkflowNotFound)
}

/// The `Idempotency-Key` header, flowgate's extension: 1 to 128 printable ASCII characters.
///
/// # Errors
/// A sentence that names the header and the rule it breaks.
pub(super) fn idempotency_key(request: &Request) -> Result<Option<String>, String> {
    let Some(key) = request.header(IDEMPOTENCY_KEY)? else {
        return Ok(None);
    };
    let printable = key.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if printable && (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) {
        Ok(Some(key.to_owned()))
    } else {
        Err(format!("header Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters"))
    }
}
