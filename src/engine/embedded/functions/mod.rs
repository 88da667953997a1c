//! What a machine's calls call: a Lambda function, an `http(s)` address, or a sample that is compiled in.

mod http;
mod lambda;
pub mod samples;

use async_trait::async_trait;
use serde_json::Value;

use super::Failure;

pub use lambda::Lambda;

/// The longest answer that is read, in bytes: what Lambda's Invoke answers at most. A state takes less, and says so.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;

/// Calls functions.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Calls a function with a payload and returns what it returns; an `asynchronous` call is only handed over, and what it
    /// returns says nothing. How long that may take is the caller's to decide: dropping the future gives the call up.
    ///
    /// # Errors
    /// What the function threw, or why it could not be called, under the names that Step Functions has for it.
    async fn call(&self, name: &str, payload: &Value, asynchronous: bool) -> Result<Value, Failure>;
}

/// The functions that the embedded engine reaches.
pub struct ReachableFunctions {
    http: http::Client,
    lambda: Option<Lambda>,
    has_samples: bool,
}

impl ReachableFunctions {
    /// Calls addresses; `lambda` for functions by name; and before that, if `has_samples`, the functions of the sample
    /// workflows in this process.
    pub fn new(lambda: Option<Lambda>, has_samples: bool) -> Self {
        Self { http: http::Client::new(), lambda, has_samples }
    }
}

#[async_trait]
impl Functions for ReachableFunctions {
    async fn call(&self, name: &str, payload: &Value, asynchronous: bool) -> Result<Value, Failure> {
        if name.starts_with("http://") || name.starts_with("https://") {
            return self.http.call(name, payload).await;
        }
        if self.has_samples
            && let Some(outcome) = samples::call(name, payload)
        {
            return outcome;
        }
        match &self.lambda {
            Some(lambda) => lambda.call(name, payload, asynchronous).await,
            None => Err(Failure::new(
                "Lambda.ResourceNotFoundException",
                format!(
                    "there is no function `{name}`: it is none of the samples, and neither AWS_ENDPOINT_URL_LAMBDA nor AWS \
                     credentials say where Lambda is"
                ),
            )),
        }
    }
}
