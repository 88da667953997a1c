//! Credentials from AWS Secrets Manager: the only file of the room that knows the AWS SDK.
//!
//! 1. The secret is fetched on first use, again once its time to live is over, and on demand when a request was turned down
//!    that a rotation could explain.
//! 2. At most one fetch runs at a time, and at most one starts every [`LEAST_SECONDS`] ([`LEAST_SECONDS_AT_FIRST`] as long
//!    as none has succeeded), whatever strangers send.
//! 3. A fetch that fails is logged, and the credentials of the last one stay in use.
//! 4. A secret that cannot be read, has no credentials, or has the sample pair counts as a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;

use super::credentials::{CredentialSource, Credentials, Unavailable};
use crate::clock::{Clock, Timestamp};
use crate::errors;

const LEAST_SECONDS: i64 = 10;
const LEAST_SECONDS_AT_FIRST: i64 = 1;

/// How long a fetch may take, the SDK's own repetitions included.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the credentials in one secret.
pub struct SecretsManagerCredentials {
    client: Client,
    secret_id: String,
    ttl_seconds: u32,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held while a fetch runs.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    current: Option<Arc<Credentials>>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

impl SecretsManagerCredentials {
    /// Serves the secret `secret_id`, fetched anew every `ttl_seconds`. Nothing is fetched yet; a caller that wants to know
    /// early whether it works asks for a [snapshot](CredentialSource::snapshot).
    pub fn new(client: Client, secret_id: impl Into<String>, ttl_seconds: u32, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            secret_id: secret_id.into(),
            ttl_seconds,
            clock,
            state: Mutex::new(State::default()),
            flight: tokio::sync::Mutex::new(()),
        }
    }

    /// The state is in order between any two statements, so a panic elsewhere does no harm to it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> State {
        self.lock().clone()
    }

    fn has_passed(&self, since: Option<Timestamp>, seconds: i64) -> bool {
        since.is_none_or(|since| self.clock.now() >= since.plus_seconds(seconds))
    }

    /// Fetches unless a fetch was tried a moment ago. The caller holds the flight.
    async fn fetch_if_due(&self) {
        let started_at = self.clock.now();
        {
            let mut state = self.lock();
            let least = if state.current.is_some() { LEAST_SECONDS } else { LEAST_SECONDS_AT_FIRST };
            if !self.has_passed(state.tried_at, least) {
                return;
            }
            // Noted before the fetch: one that is given up because its caller hung up counts as well.
            state.tried_at = Some(started_at);
        }
        let fetched = self.fetch().await;
        let mut state = self.lock();
        match fetched {
            Ok(credentials) => {
                state.current = Some(Arc::new(credentials));
                state.fetched_at = Some(started_at);
            }
            Err(cause) => tracing::error!(
                cause,
                in_use = state.current.is_some(),
                "credentials could not be fetched from Secrets Manager; those in use, if any, stay in use"
            ),
        }
    }

    /// Fetches and reads the secret; the error is for the log.
    pub(super) async fn fetch(&self) -> Result<Credentials, String> {
        let call = self.client.get_secret_value().secret_id(&self.secret_id).send();
        let output = tokio::time::timeout(FETCH_TIMEOUT, call)
            .await
            .map_err(|_| format!("no answer within {} seconds", FETCH_TIMEOUT.as_secs()))?
            .map_err(|error| errors::chain(&error))?;
        let text = output.secret_string().ok_or("the secret is binary, not text")?;
        let credentials = Credentials::parse(text).map_err(|error| error.to_string())?;
        if credentials.is_empty() {
            return Err("the secret has neither credentials nor tokens".to_owned());
        }
        if credentials.contains_sample() {
            return Err("the secret has the sample pair, or a half of it, and both are public".to_owned());
        }
        Ok(credentials)
    }
}

#[async_trait]
impl CredentialSource for SecretsManagerCredentials {
    async fn snapshot(&self) -> Result<Arc<Credentials>, Unavailable> {
        let is_fresh = |state: &State| !self.has_passed(state.fetched_at, i64::from(self.ttl_seconds));
        let state = self.state();
        match state.current {
            Some(current) if is_fresh(&state) => return Ok(current),
            Some(_) => {
                // Whoever finds a fetch under way goes on with what is there.
                if let Ok(_flight) = self.flight.try_lock() {
                    self.fetch_if_due().await;
                }
            }
            None => {
                let _flight = self.flight.lock().await;
                if self.state().current.is_none() {
                    self.fetch_if_due().await;
                }
            }
        }
        self.state().current.ok_or(Unavailable)
    }

    async fn refresh(&self, seen: &Arc<Credentials>) -> Option<Arc<Credentials>> {
        let newer = |state: State| state.current.filter(|current| !Arc::ptr_eq(current, seen));
        if let Some(current) = newer(self.state()) {
            return Some(current);
        }
        let _flight = self.flight.lock().await;
        if let Some(current) = newer(self.state()) {
            return Some(current);
        }
        self.fetch_if_due().await;
        newer(self.state())
    }
}
