//! The SDK client: one per process, built at cold start.

use std::sync::LazyLock;
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::OnceCell;

/// Where the storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// What the SDK's own settings say: AWS, or `AWS_ENDPOINT_URL_DYNAMODB`.
    Default,
    /// A compatible server that does not care who asks.
    Local(String),
}

/// How long a call of the storage may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until an attempt is given up; sending it again is safe (see the nonce).
    pub attempt: Duration,
    /// Until the call is given up, all attempts and pauses included.
    pub operation: Duration,
    /// The longest pause before the second attempt; before the third it is twice as long.
    pub pause: Duration,
}

impl Patience {
    /// For a deployed function. A put takes milliseconds, so an attempt of two seconds is lost. Three of them with their
    /// pauses stay below the function's own time limit, so that the caller gets an answer and not a cut.
    pub const DEPLOYED: Self = Self {
        connect: Duration::from_secs(1),
        attempt: Duration::from_secs(2),
        operation: Duration::from_secs(7),
        pause: Duration::from_millis(50),
    };

    /// For a laptop that may be compiling, or a CI machine with more tests than cores: slow is not broken there.
    pub const LOCAL: Self = Self {
        connect: Duration::from_secs(10),
        attempt: Duration::from_secs(20),
        operation: Duration::from_secs(60),
        pause: Duration::from_millis(50),
    };

    /// The limits of time as the SDK has them.
    pub fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    /// The repetitions as the SDK has them.
    pub fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(self.pause)
    }
}

const ATTEMPTS: u32 = 3;

/// Builds the client.
pub async fn client(endpoint: &Endpoint, patience: Patience) -> Client {
    let mut builder = aws_sdk_dynamodb::config::Builder::from(&connection(endpoint).await);
    if let Endpoint::Local(url) = endpoint {
        // The SDK stops retrying when much fails, and counts that per partition; servers must not share one.
        builder = builder.retry_partition(RetryPartition::new(url.clone()));
    }
    Client::from_conf(builder.timeout_config(patience.timeouts()).retry_config(patience.retries()).build())
}

/// The settings of a client that speaks to `endpoint`. Only one that is AWS's needs the shared ones, so that a local start
/// looks nothing up.
pub async fn connection(endpoint: &Endpoint) -> SdkConfig {
    match endpoint {
        Endpoint::Default => shared_config().await.clone(),
        Endpoint::Local(url) => SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(url)
            .region(Region::from_static("local-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "local",
                "local",
                None,
                None,
                "flowgate-local",
            )))
            .build(),
    }
}

/// The settings every SDK client of the process shares, looked up once.
///
/// Credentials and region are taken from the environment where it has them, as it does on Lambda. That is where the SDK's
/// chains look first, but they build a client for every further place before.
pub async fn shared_config() -> &'static SdkConfig {
    static SHARED: OnceCell<SdkConfig> = OnceCell::const_new();
    let load = || {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let mut settings = aws_config::defaults(BehaviorVersion::latest()).http_client(Https);
        if is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY") {
            settings = settings.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        if is_set("AWS_REGION") {
            settings = settings.region(EnvironmentVariableRegionProvider::new());
        }
        settings.load()
    };
    SHARED.get_or_init(load).await
}

/// The HTTPS client of every SDK client. The TLS stack is rustls on ring: aws-lc's first use costs about 21 ms of CPU per
/// process.
///
/// The SDK asks an HTTP client to check itself whenever a client is built, and its own then makes a connector only to throw
/// it away, which reads all the certificates of the machine. This one has no such check.
#[derive(Debug)]
struct Https;

impl HttpClient for Https {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        static SHARED: LazyLock<SharedHttpClient> =
            LazyLock::new(|| Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https());
        SHARED.http_connector(settings, components)
    }
}
