//! The source in Secrets Manager, against a server of canned answers.

use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials as AwsCredentials, Region};
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::auth::{CredentialSource, Credentials, SecretsManagerCredentials};
use crate::clock::{Clock, Timestamp};

const TTL: u32 = 300;

/// A clock the test turns.
struct Turned(AtomicI64);

impl Turned {
    fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

/// Secrets Manager as far as the source sees it: one secret, or an error if there is none.
#[derive(Default)]
struct Fake {
    /// Status and body.
    canned: Mutex<(u16, String)>,
    calls: AtomicUsize,
}

impl Fake {
    fn set(&self, secret: Option<&str>) {
        let (status, body) = match secret {
            Some(secret) => (200, serde_json::json!({"Name": "flowgate", "SecretString": secret})),
            None => (400, serde_json::json!({"__type": "ResourceNotFoundException", "Message": "no such secret"})),
        };
        self.set_answer(status, &body.to_string());
    }

    fn set_answer(&self, status: u16, body: &str) {
        *self.canned.lock().expect("the lock") = (status, body.to_owned());
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn answer(&self) -> http::Response<Full<Bytes>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (status, body) = self.canned.lock().expect("the lock").clone();
        let answer = http::Response::builder().status(status).header("Content-Type", "application/x-amz-json-1.1");
        answer.body(Full::new(Bytes::from(body))).expect("an answer")
    }
}

struct Setting {
    fake: Arc<Fake>,
    clock: Arc<Turned>,
    source: SecretsManagerCredentials,
}

async fn setting(secret: Option<&str>) -> Setting {
    let fake = Arc::new(Fake::default());
    fake.set(secret);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let served = Arc::clone(&fake);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let fake = Arc::clone(&served);
            let service = service_fn(move |_| {
                let answer = fake.answer();
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("local-1"))
        .endpoint_url(endpoint)
        .credentials_provider(AwsCredentials::new("test", "test", None, None, "test"))
        .build();
    let clock = Arc::new(Turned(AtomicI64::new(1_000_000)));
    let source = SecretsManagerCredentials::new(Client::from_conf(config), "flowgate", TTL, Arc::clone(&clock) as _);
    Setting { fake, clock, source }
}

fn secret(access_key: &str) -> String {
    format!(
        r#"{{"credentials": [{{"access_key": "{access_key}", "secret_key": "S", "project_id": "p", "domain_id": "d"}}]}}"#
    )
}

fn key(credentials: &Credentials) -> &str {
    &credentials.first().expect("a credential").access_key
}

#[tokio::test]
async fn the_secret_is_fetched_once_and_again_after_its_time_to_live() {
    let Setting { fake, clock, source } = setting(Some(&secret("A"))).await;
    assert_eq!(fake.calls(), 0, "nothing is fetched before it is needed");
    for _ in 0..3 {
        assert_eq!(key(&source.snapshot().await.expect("credentials")), "A");
    }
    assert_eq!(fake.calls(), 1);
    fake.set(Some(&secret("B")));
    clock.turn(i64::from(TTL) - 1);
    assert_eq!(key(&source.snapshot().await.expect("credentials")), "A");
    clock.turn(1);
    assert_eq!(key(&source.snapshot().await.expect("credentials")), "B");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn a_rotation_is_seen_on_demand_at_most_once_in_ten_seconds() {
    let Setting { fake, clock, source } = setting(Some(&secret("A"))).await;
    let seen = source.snapshot().await.expect("credentials");
    fake.set(Some(&secret("B")));
    clock.turn(9);
    assert!(source.refresh(&seen).await.is_none(), "it looked a moment ago");
    assert_eq!(fake.calls(), 1);
    clock.turn(1);
    let newer = source.refresh(&seen).await.expect("newer credentials");
    assert_eq!(key(&newer), "B");
    assert!(source.refresh(&newer).await.is_none());
    assert_eq!(key(&source.refresh(&seen).await.expect("what another request fetched")), "B");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn concurrent_refreshes_share_one_fetch() {
    let Setting { fake, clock, source } = setting(Some(&secret("A"))).await;
    let seen = source.snapshot().await.expect("credentials");
    fake.set(Some(&secret("B")));
    clock.turn(10);
    let refreshes = futures_util::future::join_all((0..20).map(|_| source.refresh(&seen))).await;
    assert!(refreshes.iter().all(|newer| newer.as_ref().is_some_and(|newer| key(newer) == "B")));
    assert_eq!(fake.calls(), 2);
}

#[tokio::test]
async fn credentials_that_went_stale_stay_in_use_while_fetching_fails() {
    let Setting { fake, clock, source } = setting(Some(&secret("A"))).await;
    let seen = source.snapshot().await.expect("credentials");
    let unusable = [None, Some("not JSON"), Some("{}"), Some("{\"credentials\": []}")];
    let sample = secret("FLOWGATELOCALKEY0001");
    for broken in unusable.into_iter().chain([Some(sample.as_str())]) {
        fake.set(broken);
        clock.turn(i64::from(TTL));
        let before = fake.calls();
        assert_eq!(key(&source.snapshot().await.expect("the old credentials")), "A", "{broken:?}");
        assert!(source.refresh(&seen).await.is_none(), "{broken:?}");
        assert_eq!(fake.calls(), before + 1, "{broken:?}: a failure is not repeated at once");
    }
    fake.set(Some(&secret("C")));
    clock.turn(10);
    assert_eq!(key(&source.snapshot().await.expect("credentials")), "C");
}

#[tokio::test]
async fn without_any_success_the_source_is_unavailable_and_recovers() {
    let Setting { fake, clock, source } = setting(None).await;
    assert!(source.snapshot().await.is_err());
    assert!(source.snapshot().await.is_err());
    assert_eq!(fake.calls(), 1, "a failure is not repeated at once");
    fake.set(Some(&secret("FLOWGATELOCALKEY0001")));
    clock.turn(1);
    assert!(source.snapshot().await.is_err(), "the sample pair is refused");
    fake.set(Some(&secret("A")));
    clock.turn(1);
    assert_eq!(key(&source.snapshot().await.expect("credentials")), "A");
}

#[tokio::test]
async fn what_is_logged_of_a_failure_does_not_show_the_secret() {
    let Setting { fake, source, .. } = setting(None).await;
    let with_typo = secret("A").replace("secret_key", "secret_kye").replace("\"S\"", "\"SECRETVALUE\"");
    let answers = [
        (200, r#"{"Name": "flowgate", "SecretString": "SECRETVALUE"#.to_owned()),
        (200, serde_json::json!({"SecretString": "SECRETVALUE"}).to_string()),
        (200, serde_json::json!({"SecretString": with_typo}).to_string()),
        (418, r#"{"SecretString": "SECRETVALUE"}"#.to_owned()),
    ];
    for (status, body) in answers {
        fake.set_answer(status, &body);
        let cause = source.fetch().await.expect_err("it cannot be read");
        assert!(!cause.is_empty() && !cause.contains("SECRETVALUE"), "{cause}");
    }
    fake.set(None);
    let cause = source.fetch().await.expect_err("there is no secret");
    assert!(cause.contains("no such secret"), "{cause}");
}
