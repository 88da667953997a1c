//! Which failures of the SDK are whose.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::workflow::StoreError;

/// Classifies a failed call that no special answer of the operation explains.
pub(super) fn classify<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some(
            "ThrottlingException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "TransactionInProgressException",
        ) => StoreError::Throttled(Box::new(error)),
        // The table or the rights to it are missing: repeating the call will not help, an operator must.
        Some(
            "ResourceNotFoundException"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "ValidationException",
        ) => StoreError::Rejected(Box::new(error)),
        _ => StoreError::Unavailable(Box::new(error)),
    }
}
