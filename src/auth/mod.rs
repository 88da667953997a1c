//! Who sent a request: every signature the vendor's clients make, verified over the request as it arrived.
//!
//! [`Authenticator::authenticate`] refuses in this order: no credentials, scheme not well formed, no date, date outside the
//! window, key unknown, signature wrong. Then, for the owner of the right secret only: security token, expiry, hash of the
//! body. There is no switch that turns it off.
//!
//! A file per scheme (`sdk_hmac`, `obs`, `aws4`, `token`), each with the same steps: parse the header, canonical form,
//! string to sign. They make a `Claim`, which is held against the credentials in one place for all. The room does not know
//! which gateway or API a request belongs to, beyond the [`Family`] of schemes; only `secrets_manager` knows the AWS SDK,
//! and only `mac` the cryptography.
//!
//! A captured request can be sent again within the window: these schemes have no nonce, and two equal starts within a
//! second are legitimate. A narrower window, and the keys that make a start unique, are the protection. A signed OBS URL
//! can be sent again until it expires.
//!
//! Not served, since no workflow client makes them: AWS4 signatures in a URL, and the SM3, SM2 and ECDSA schemes of
//! signing.md 4.3.

mod aws4;
mod canonical;
mod claim;
mod credentials;
mod error;
mod mac;
mod obs;
mod sdk_hmac;
mod secrets_manager;
mod sign;
mod slowing;
#[cfg(test)]
mod tests;
mod times;
mod token;

use std::sync::Arc;

use http::{HeaderMap, Method};

use self::claim::Claim;
use self::slowing::Slowing;
use self::times::Window;
use crate::clock::{Clock, Timestamp};

pub use self::credentials::{
    Credential, CredentialSource, Credentials, Grant, ParseError, SecretKey, StaticCredentials, TokenCredential,
    Unavailable,
};
pub use self::error::Error;
pub use self::secrets_manager::SecretsManagerCredentials;
pub use self::sign::{Scheme, sign, sign_obs, sign_sdk_hmac};

/// The longest `Authorization` header, which is many times what any client sends.
const MAX_AUTHORIZATION: usize = 4 * 1024;

/// The longest path and the longest query that are looked at.
const MAX_TARGET: usize = 16 * 1024;

/// What the signature is checked over: the request as it arrived, nothing decoded.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// As the client sent it; upper and lower case are not the same.
    pub method: &'a Method,
    /// The path the client sent, percent-encoded as on the wire, with whatever a gateway cuts off before its own routing.
    /// Where a gateway hands over the path decoded, that.
    pub path: &'a str,
    /// The query as on the wire, without the `?`; empty if there is none.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The raw bytes.
    pub body: &'a [u8],
}

/// Which schemes a request may be signed with; each API of the vendor has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `OBS`, `AWS` and `AWS4-HMAC-SHA256` headers, and signed URLs.
    Obs,
    /// `SDK-HMAC-SHA256` and `V11-HMAC-SHA256` headers, and `X-Auth-Token`.
    FunctionGraph,
}

/// Who sent a request and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The access key, or [`Principal::TOKEN_NAME`]; never a secret.
    pub name: String,
    /// The project whose workflows and executions it reaches, and no other's.
    pub project_id: String,
    /// The account.
    pub domain_id: String,
    /// The names of the workflows it may use; all if `None`.
    pub workflows: Option<Vec<String>>,
    /// The operations it may call, such as `start`; all if `None`.
    pub operations: Option<Vec<String>>,
}

impl Principal {
    /// The name of whoever came with a token: the token itself is a secret.
    pub const TOKEN_NAME: &'static str = "token";

    /// Whether it may call an operation.
    pub fn may(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == operation))
    }

    /// Whether it may use a workflow of its project.
    pub fn may_use_workflow(&self, name: &str) -> bool {
        self.workflows.as_ref().is_none_or(|allowed| allowed.iter().any(|allowed| allowed == name))
    }
}

/// Verifies requests.
pub struct Authenticator {
    credentials: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    window_seconds: u32,
    slowing: Slowing,
}

impl Authenticator {
    /// Makes one that admits requests signed at most `window_seconds` ago or ahead.
    pub fn new(credentials: Arc<dyn CredentialSource>, clock: Arc<dyn Clock>, window_seconds: u32) -> Self {
        let slowing = Slowing::new(Arc::clone(&clock));
        Self { credentials, clock, window_seconds, slowing }
    }

    /// Finds out who sent a request, or why that cannot be told.
    pub async fn authenticate(&self, family: Family, request: &Incoming<'_>) -> Result<Principal, Error> {
        let now = self.clock.now();
        let claim = read(family, request, &Window { now, seconds: self.window_seconds })?;
        let verdict = self.check(&claim, now).await;
        if verdict.as_ref().is_err_and(Error::is_failed_proof) {
            self.slowing.wait(claim.name()).await;
        }
        verdict
    }

    /// Checks against the credentials at hand and, if a rotation could explain the refusal, once more against newer ones.
    /// Unknown keys and wrong signatures take this same way.
    async fn check(&self, claim: &Claim, now: Timestamp) -> Result<Principal, Error> {
        let at_hand = self.credentials.snapshot().await.map_err(|Unavailable| Error::Unavailable)?;
        let verdict = claim.check(&at_hand, now);
        if !verdict.as_ref().is_err_and(Error::is_failed_proof) {
            return verdict;
        }
        match self.credentials.refresh(&at_hand).await {
            Some(newer) => claim.check(&newer, now),
            None => verdict,
        }
    }
}

/// Reads what a request claims. Refuses what is not well formed and what is not of this time.
fn read(family: Family, request: &Incoming<'_>, window: &Window) -> Result<Claim, Error> {
    let problem = |text| Error::malformed("Authorization", text);
    let authorization = canonical::single_header(request.headers, "Authorization")?;
    let has_sane_length = authorization.is_none_or(|value| value.len() <= MAX_AUTHORIZATION);
    if !has_sane_length || request.path.len() > MAX_TARGET || request.query.len() > MAX_TARGET {
        return Err(Error::malformed("request", "the path, the query or `Authorization` is too long"));
    }
    let Some(value) = authorization else {
        return read_unsigned(family, request, window);
    };
    let (scheme, rest) = claim::text("Authorization", value)?
        .split_once(' ')
        .ok_or(problem("it is not a scheme, a space and the scheme's members"))?;
    let claim = match (family, scheme) {
        (Family::FunctionGraph, sdk_hmac::PLAIN) => sdk_hmac::read(request, sdk_hmac::PLAIN, rest, window)?,
        (Family::FunctionGraph, sdk_hmac::DERIVED) => sdk_hmac::read(request, sdk_hmac::DERIVED, rest, window)?,
        (Family::FunctionGraph, _) => return Err(problem("the scheme is none of SDK-HMAC-SHA256, V11-HMAC-SHA256")),
        (Family::Obs, scheme) if scheme == obs::OBS.scheme => obs::read_header(request, &obs::OBS, rest, window)?,
        (Family::Obs, scheme) if scheme == obs::AWS.scheme => obs::read_header(request, &obs::AWS, rest, window)?,
        (Family::Obs, aws4::SCHEME) => aws4::read(request, rest, window)?,
        (Family::Obs, _) => return Err(problem("the scheme is none of OBS, AWS, AWS4-HMAC-SHA256")),
    };
    Ok(Claim::Signed(claim))
}

/// Reads the forms that need no `Authorization`.
fn read_unsigned(family: Family, request: &Incoming<'_>, window: &Window) -> Result<Claim, Error> {
    match family {
        Family::FunctionGraph => token::read(request)?.map(Claim::Token).ok_or(Error::MissingCredentials {
            expected: "the request has neither `Authorization` nor `X-Auth-Token`",
        }),
        Family::Obs => obs::read_url(request, window)?
            .map(Claim::Signed)
            .ok_or(Error::MissingCredentials { expected: "the request has neither `Authorization` nor a signed URL" }),
    }
}
