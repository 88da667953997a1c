//! The calls of Step Functions.

use std::error::Error;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Builder;
use aws_sdk_sfn::config::retry::RetryPartition;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, StateMachineType};
use tokio::sync::OnceCell;

use super::history::document;
use super::names::machine_arn;
use crate::clock::Timestamp;
use crate::execution::{Ending, Failure, Status};
use crate::store::{self, Endpoint, Patience};

/// Speaks to Step Functions. The client is built at the first call: a start through HTTP makes none.
pub(super) struct Calls {
    endpoint: Endpoint,
    patience: Patience,
    client: OnceCell<Client>,
}

/// A call that was not answered with success.
#[derive(Debug, thiserror::Error)]
#[error("Step Functions {}", match code { Some(code) => format!("answered {code}"), None => "did not answer".to_owned() })]
pub(super) struct CallError {
    /// What it means.
    pub(super) meaning: Meaning,
    /// The error's name.
    code: Option<String>,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// What a failure of a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// There is an execution of that name already.
    Taken,
    /// There is no such state machine, version or execution.
    Missing,
    /// The input or name is wrong, and will stay so.
    Unfit,
    /// It is asked too much, busy with what was asked before, or out of reach. What was asked may have happened.
    Unavailable,
    /// Something is wrong that an operator can mend: rights, the role, a limit, the definition.
    Refused,
}

fn failed<E, R>(error: SdkError<E, R>) -> CallError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().map(str::to_owned);
    let meaning = match code.as_deref() {
        Some("ExecutionAlreadyExists") => Meaning::Taken,
        Some("StateMachineDoesNotExist" | "ExecutionDoesNotExist" | "ResourceNotFound") => Meaning::Missing,
        Some("InvalidExecutionInput" | "InvalidName") => Meaning::Unfit,
        // `AlreadyExists` is how the second of two that create it at once may learn of the first.
        Some(
            "ThrottlingException"
            | "ExecutionLimitExceeded"
            | "KmsThrottlingException"
            | "ServiceUnavailable"
            | "InternalFailure"
            | "InternalServerError"
            | "ConflictException"
            | "StateMachineDeleting"
            | "StateMachineAlreadyExists",
        )
        | None => Meaning::Unavailable,
        Some(_) => Meaning::Refused,
    };
    // What is wrong with an input may be said by repeating it, and this ends up in a log.
    let repeats_input = meaning == Meaning::Unfit || code.as_deref() == Some("ValidationException");
    let source = if repeats_input { "the words are left out".into() } else { error.into() };
    CallError { meaning, code, source }
}

impl Calls {
    pub(super) fn new(endpoint: Endpoint, patience: Patience) -> Self {
        Self { endpoint, patience, client: OnceCell::new() }
    }

    async fn client(&self) -> &Client {
        let build = || async {
            let mut builder = Builder::from(&store::connection(&self.endpoint).await)
                .timeout_config(self.patience.timeouts())
                .retry_config(self.patience.retries());
            if let Endpoint::Local(url) = &self.endpoint {
                builder = builder.retry_partition(RetryPartition::new(url.clone()));
            }
            Client::from_conf(builder.build())
        };
        self.client.get_or_init(build).await
    }

    /// Makes `definition` the definition of the state machine of that name, creating it if need be, and returns the ARN of
    /// its version. Doing it twice makes no second version.
    ///
    /// The update comes first: Step Functions answers a repeated creation with what the first one made, which may be another
    /// version by now.
    pub(super) async fn publish(&self, name: &str, definition: &str, role: &str) -> Result<String, CallError> {
        let client = self.client().await;
        let region = client.config().region().map(ToString::to_string).unwrap_or_default();
        let Some(machine) = machine_arn(role, &region, name) else {
            // What Step Functions would say as well.
            let (code, source) = (Some("InvalidArn".to_owned()), "the role has no ARN of IAM's".into());
            return Err(CallError { meaning: Meaning::Refused, code, source });
        };
        let update = client
            .update_state_machine()
            .state_machine_arn(&machine)
            .definition(definition)
            .role_arn(role)
            .publish(true);
        match update.send().await.map_err(failed) {
            Ok(updated) => return Ok(updated.state_machine_version_arn.unwrap_or(machine)),
            Err(error) if error.meaning != Meaning::Missing => return Err(error),
            Err(_) => {}
        }
        let create = client
            .create_state_machine()
            .name(name)
            .r#type(StateMachineType::Standard)
            .definition(definition)
            .role_arn(role)
            .publish(true);
        let created = create.send().await.map_err(failed)?;
        // Only stand-ins of AWS know no versions.
        Ok(created.state_machine_version_arn.unwrap_or(created.state_machine_arn))
    }

    /// Starts an execution. While one of the same name and input runs, that is a success as well.
    pub(super) async fn start(&self, machine: &str, name: &str, input: &str) -> Result<(), CallError> {
        let start = self.client().await.start_execution().state_machine_arn(machine).name(name).input(input);
        start.send().await.map(drop).map_err(failed)
    }

    /// Stops an execution; one that has ended stays as it is.
    pub(super) async fn stop(&self, execution: &str) -> Result<(), CallError> {
        let stop = self.client().await.stop_execution().execution_arn(execution);
        stop.send().await.map(drop).map_err(failed)
    }

    /// How an execution ended; `None` while it runs.
    pub(super) async fn ending(&self, execution: &str) -> Result<Option<Ending>, CallError> {
        let describe = self.client().await.describe_execution().execution_arn(execution);
        Ok(ending_of(&describe.send().await.map_err(failed)?))
    }

    /// The next events of an execution's history, in order of time or from the last one back, with the token of the page
    /// after them.
    pub(super) async fn history(
        &self,
        execution: &str,
        backwards: bool,
        page: Option<String>,
    ) -> Result<(Vec<HistoryEvent>, Option<String>), CallError> {
        let read = self
            .client()
            .await
            .get_execution_history()
            .execution_arn(execution)
            .reverse_order(backwards)
            .max_results(1000)
            .set_next_token(page);
        let answer = read.send().await.map_err(failed)?;
        Ok((answer.events, answer.next_token))
    }
}

fn ending_of(described: &DescribeExecutionOutput) -> Option<Ending> {
    let status = match described.status() {
        ExecutionStatus::Succeeded => Status::Succeeded,
        ExecutionStatus::Failed => Status::Failed,
        ExecutionStatus::TimedOut => Status::TimedOut,
        ExecutionStatus::Aborted => Status::Cancelled,
        // RUNNING, and PENDING_REDRIVE, which comes back to it.
        _ => return None,
    };
    let error = described.error().map(str::to_owned);
    Some(Ending {
        status,
        at: timestamp(described.stop_date().unwrap_or(described.start_date())),
        output: (status == Status::Succeeded).then(|| document(described.output())),
        failure: error.map(|error| Failure { error, cause: described.cause().unwrap_or_default().to_owned() }),
    })
}

pub(super) fn timestamp(at: &DateTime) -> Timestamp {
    Timestamp::from_millis(at.to_millis().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::error::ErrorMetadata;
    use aws_sdk_sfn::operation::start_execution::StartExecutionError;

    use super::*;

    #[test]
    fn what_is_said_of_an_input_is_not_kept() {
        for (code, is_kept) in
            [("AccessDeniedException", true), ("InvalidExecutionInput", false), ("ValidationException", false)]
        {
            let said = ErrorMetadata::builder().code(code).message("Value hush-hush at 'input'").build();
            let error = failed(SdkError::service_error(StartExecutionError::generic(said), ()));
            assert_eq!(format!("{error:?}").contains("hush-hush"), is_kept, "{code}");
            assert!(error.to_string().contains(code), "{error}");
        }
    }
}
