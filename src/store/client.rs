//! The SDK client: one per process, built at cold start.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// Where the storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// What the SDK's own settings say: AWS, or `AWS_ENDPOINT_URL_DYNAMODB`.
    Default,
    /// A compatible server that does not care who asks, such as the embedded store.
    Local(String),
}

/// A put takes milliseconds; an attempt that takes this long is lost, and sending it again is safe (see the nonce).
const ATTEMPT: Duration = Duration::from_secs(2);
/// All attempts together stay below the function's own time limit, so that the caller gets an answer and not a cut.
const OPERATION: Duration = Duration::from_secs(7);
const CONNECT: Duration = Duration::from_secs(1);

/// Builds the client. Only an endpoint that is AWS's needs the shared settings, so that a local start looks nothing up.
pub async fn client(endpoint: &Endpoint) -> Client {
    let builder = match endpoint {
        Endpoint::Default => aws_sdk_dynamodb::config::Builder::from(&shared_config().await),
        Endpoint::Local(url) => aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(url)
            .region(Region::from_static("local-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "flowgate-local")),
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let config = builder.timeout_config(timeouts).retry_config(RetryConfig::standard().with_max_attempts(3));
    Client::from_conf(config.build())
}

/// The settings every SDK client shares. The TLS stack is rustls on ring: aws-lc's first use costs about 21 ms of CPU per
/// process, which is most of a cold start.
pub async fn shared_config() -> aws_config::SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await
}
