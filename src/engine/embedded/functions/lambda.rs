//! Functions behind Lambda's Invoke: AWS's own, or what `cargo lambda watch` and emulators serve.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Credentials;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::Builder;
use serde_json::Value;

use super::MAX_ANSWER_BYTES;
use crate::engine::embedded::Failure;
use crate::json;
use crate::store::shared_config;

/// Lambda.
pub struct Lambda {
    client: Client,
}

impl Lambda {
    /// Where the SDK's own settings say: AWS, or `AWS_ENDPOINT_URL_LAMBDA`.
    pub async fn of_settings() -> Self {
        Self::with(aws_sdk_lambda::config::Builder::from(shared_config().await))
    }

    /// A server that stands in for Lambda and does not care who asks.
    pub fn stand_in(url: &str) -> Self {
        Self::with(
            aws_sdk_lambda::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(Builder::new().build_http())
                .endpoint_url(url)
                .region(Region::from_static("local-1"))
                .credentials_provider(Credentials::new("local", "local", None, None, "flowgate-local")),
        )
    }

    fn with(config: aws_sdk_lambda::config::Builder) -> Self {
        // A call is repeated where the machine says so, and nowhere else. It takes as long as the machine lets it.
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(TimeoutConfig::disabled());
        Self { client: Client::from_conf(config.build()) }
    }

    /// Calls a function by its name or ARN. See [`super::Functions::call`].
    pub(super) async fn call(&self, name: &str, payload: &Value, asynchronous: bool) -> Result<Value, Failure> {
        let invocation = if asynchronous { InvocationType::Event } else { InvocationType::RequestResponse };
        let payload = Blob::new(payload.to_string());
        let invoke = self.client.invoke().function_name(name).invocation_type(invocation).payload(payload);
        let answer = invoke.send().await.map_err(|error| {
            // Step Functions calls what Lambda says `Lambda.` and its code, and everything before that by this name.
            let name = error.code().map_or("Lambda.SdkClientException".to_owned(), |code| format!("Lambda.{code}"));
            Failure::new(name, DisplayErrorContext(error).to_string())
        })?;
        if asynchronous {
            return Ok(Value::Null);
        }
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_some() {
            return Err(thrown(&String::from_utf8_lossy(&body)));
        }
        returned(&body)
    }
}

/// What a function returned. No bytes are null, as where a runtime returns nothing.
pub(super) fn returned(body: &[u8]) -> Result<Value, Failure> {
    if body.len() > MAX_ANSWER_BYTES {
        let cause = format!("the function returned {} bytes", body.len());
        return Err(Failure::new("States.DataLimitExceeded", cause));
    }
    let text = std::str::from_utf8(body).ok().map(str::trim);
    match text {
        Some("") => Ok(Value::Null),
        Some(text) => json::value(text).map_err(|_| Failure::new("Lambda.Unknown", "the function did not return JSON")),
        None => Err(Failure::new("Lambda.Unknown", "the function did not return UTF-8")),
    }
}

/// What a function threw: the error has the name that the function gave it, and the whole payload is the cause.
fn thrown(payload: &str) -> Failure {
    let payload_value = json::value(payload).ok();
    let error_type = payload_value.as_ref().and_then(|value| value.get("errorType")).and_then(Value::as_str);
    Failure::new(error_type.filter(|name| !name.is_empty()).unwrap_or("Lambda.Unknown"), payload)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_thrown_has_the_functions_own_name_and_payload() {
        let payload = r#"{"errorMessage":"no","errorType":"OrderMissing","errorCode":404}"#;
        assert_eq!(thrown(payload), Failure::new("OrderMissing", payload));
        for odd in ["", "oops", "[]", r#"{"errorType":7}"#, r#"{"errorType":""}"#] {
            assert_eq!(thrown(odd), Failure::new("Lambda.Unknown", odd));
        }
    }

    #[test]
    fn what_is_returned_is_json_or_nothing() {
        assert_eq!(returned(b" {\"a\": 1.50} "), Ok(json::value(r#"{"a":1.50}"#).expect("JSON")));
        assert_eq!(returned(b""), Ok(json!(null)));
        for bad in [b"oops".as_slice(), b"\xff", &vec![b' '; MAX_ANSWER_BYTES + 1]] {
            assert!(returned(bad).is_err());
        }
    }
}
