//! Who may call: access keys, tokens, and where they come from.
//!
//! The format is JSON:
//!
//! ```json
//! {
//!   "credentials": [{
//!     "access_key": "...", "secret_key": "...", "project_id": "...", "domain_id": "...",
//!     "security_token": "...", "expires_at": "2027-01-01T00:00:00Z",
//!     "workflows": ["media-transcode"], "operations": ["start"]
//!   }],
//!   "tokens": [{ "token": "...", "project_id": "...", "domain_id": "..." }]
//! }
//! ```
//!
//! `security_token`, `expires_at`, `workflows` and `operations` may be left out, and so may either list. Tokens take the
//! last three as well. An unknown or repeated member is an error, for a misspelt `workflows` would otherwise let its
//! owner use them all. No error shows a value.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Principal, mac};
use crate::clock::Timestamp;

/// The pair that works on laptops only (decisions.md, "Local defaults").
const SAMPLE: &str = r#"{"credentials": [{
    "access_key": "FLOWGATELOCALKEY0001",
    "secret_key": "flowgate-local-secret-key-for-laptops-only",
    "project_id": "c0ffee00c0ffee00c0ffee00c0ffee00",
    "domain_id": "d0d0cafed0d0cafed0d0cafed0d0cafe"
}]}"#;

/// A secret key or a token: a text that logs and answers must not show. `Debug` leaves it out.
#[derive(Clone)]
pub struct SecretKey(String);

impl SecretKey {
    /// The text itself. Whoever asks for it keeps it out of logs, answers and errors.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether two are the same, in a time that depends on their lengths only.
    pub(super) fn matches(&self, other: &Self) -> bool {
        mac::same(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl From<&str> for SecretKey {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for SecretKey {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// What a credential or a token lets its owner do, and until when.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The project its workflows belong to.
    pub project_id: String,
    /// The account, which ends an execution's URN.
    pub domain_id: String,
    /// From this instant on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The names of the workflows it is for; all if `None`.
    pub workflows: Option<Vec<String>>,
    /// The operations it is for; all if `None`.
    pub operations: Option<Vec<String>>,
}

impl Grant {
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    pub(super) fn principal(&self, name: &str) -> Principal {
        Principal {
            name: name.to_owned(),
            project_id: self.project_id.clone(),
            domain_id: self.domain_id.clone(),
            workflows: self.workflows.clone(),
            operations: self.operations.clone(),
        }
    }
}

/// An access key and its secret.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The public half.
    pub access_key: String,
    /// The half that signs.
    pub secret_key: SecretKey,
    /// What a temporary credential's requests carry beside the signature.
    pub security_token: Option<SecretKey>,
    /// What it is good for.
    pub grant: Grant,
}

/// A token for `X-Auth-Token`.
#[derive(Debug, Clone)]
pub struct TokenCredential {
    /// The whole content of the header.
    pub token: SecretKey,
    /// What it is good for.
    pub grant: Grant,
}

/// All credentials at one moment.
#[derive(Debug, Clone)]
pub struct Credentials {
    keys: Vec<Credential>,
    tokens: Vec<TokenCredential>,
    dummy_secret: SecretKey,
}

impl Credentials {
    /// Reads the format the module describes.
    pub fn parse(json: &str) -> Result<Self, ParseError> {
        // The derived reader would take `[]` for an object without members.
        if !json.trim_start().starts_with('{') {
            return Err(ParseError::Syntax { line: 1, column: 1 });
        }
        let document: Document = serde_json::from_str(json)
            .map_err(|error| ParseError::Syntax { line: error.line(), column: error.column() })?;
        let mut keys = Vec::new();
        for (index, members) in document.credentials.into_iter().enumerate() {
            let mut entry = Entry { list: "credentials", index, members: members.0 };
            keys.push(Credential {
                access_key: entry.required("access_key", |text| is_access_key(text).then(|| text.to_owned()))?,
                secret_key: entry.required("secret_key", secret)?,
                security_token: entry.optional("security_token", secret)?,
                grant: entry.grant()?,
            });
            entry.finish()?;
        }
        let mut tokens = Vec::new();
        for (index, members) in document.tokens.into_iter().enumerate() {
            let mut entry = Entry { list: "tokens", index, members: members.0 };
            tokens.push(TokenCredential { token: entry.required("token", secret)?, grant: entry.grant()? });
            entry.finish()?;
        }
        let dummy_secret = "a secret of common length, which nothing is signed with".into();
        Ok(Self { keys, tokens, dummy_secret })
    }

    /// The pair that works on laptops: public, so it is refused wherever the service is deployed.
    pub fn sample() -> Self {
        Self::parse(SAMPLE).expect("the sample is of the form this module reads")
    }

    /// The first credential, if there is one: what `flowgate sign` signs with unless told otherwise.
    pub fn first(&self) -> Option<&Credential> {
        self.keys.first()
    }

    /// Whether either half of the sample pair is among them: both are public.
    pub fn contains_sample(&self) -> bool {
        let sample = Self::sample();
        self.keys.iter().any(|credential| {
            sample.keys.iter().any(|public| {
                public.access_key == credential.access_key || public.secret_key.matches(&credential.secret_key)
            })
        })
    }

    /// Whether nobody at all could be let in.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tokens.is_empty()
    }

    /// The projects that somebody has credentials for.
    pub fn projects(&self) -> BTreeSet<&str> {
        let grants = self.keys.iter().map(|key| &key.grant).chain(self.tokens.iter().map(|token| &token.grant));
        grants.map(|grant| grant.project_id.as_str()).collect()
    }

    /// Every credential with this access key.
    pub fn with_access_key<'a>(&'a self, access_key: &'a str) -> impl Iterator<Item = &'a Credential> {
        self.keys.iter().filter(move |credential| credential.access_key == access_key)
    }

    /// Every token.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenCredential> {
        self.tokens.iter()
    }

    /// What requests of unknown keys are verified with, to take the time of any other.
    pub(super) fn dummy_secret(&self) -> &SecretKey {
        &self.dummy_secret
    }
}

/// Whether a text can be an access key: printable, of sane length, without what ends one in an `Authorization` header.
pub(super) fn is_access_key(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'/' | b':' | b';' | b'='))
}

/// Why a text is not a list of credentials; it names the place, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, not the two lists, or a list has an element that is not an object.
    #[error(
        "the credentials are not `{{\"credentials\": [{{..}}], \"tokens\": [{{..}}]}}` (line {line}, column {column})"
    )]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A member of an entry is missing, unknown, repeated, or of the wrong form.
    #[error("`{list}[{index}]`: member `{member}` is {problem}")]
    Member {
        /// `credentials` or `tokens`.
        list: &'static str,
        /// Counted from 0.
        index: usize,
        /// The member's name.
        member: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    credentials: Vec<Members>,
    #[serde(default)]
    tokens: Vec<Members>,
}

/// The members of a JSON object, repeated ones included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// An entry of which members are taken one after the other; what is left at the end is unknown or repeated.
struct Entry {
    list: &'static str,
    index: usize,
    members: Vec<(String, Value)>,
}

impl Entry {
    fn required<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ParseError> {
        self.optional(name, read)?.ok_or_else(|| self.error(name, "missing"))
    }

    fn optional<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ParseError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let read = value.as_str().and_then(read);
        read.map(Some).ok_or_else(|| self.error(name, "not of the form it should have"))
    }

    fn names(&mut self, name: &str) -> Result<Option<Vec<String>>, ParseError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let names =
            value.as_array().and_then(|values| values.iter().map(|value| value.as_str().map(str::to_owned)).collect());
        names.map(Some).ok_or_else(|| self.error(name, "not a list of strings"))
    }

    fn grant(&mut self) -> Result<Grant, ParseError> {
        Ok(Grant {
            project_id: self.required("project_id", identifier)?,
            domain_id: self.required("domain_id", identifier)?,
            expires_at: self.optional("expires_at", Timestamp::parse)?,
            workflows: self.names("workflows")?,
            operations: self.names("operations")?,
        })
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(position).1)
    }

    fn finish(self) -> Result<(), ParseError> {
        match self.members.first() {
            Some((member, _)) => Err(self.error(member, "unknown or repeated")),
            None => Ok(()),
        }
    }

    fn error(&self, member: &str, problem: &'static str) -> ParseError {
        ParseError::Member { list: self.list, index: self.index, member: member.to_owned(), problem }
    }
}

fn secret(text: &str) -> Option<SecretKey> {
    (!text.is_empty()).then(|| text.into())
}

/// A project or account id, as decisions.md allows it in a path.
fn identifier(text: &str) -> Option<String> {
    let has_form = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    has_form.then(|| text.to_owned())
}

/// The credentials cannot be had at the moment, and never could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credentials could not be read")]
pub struct Unavailable;

/// Where credentials come from.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// The credentials to check a request against. A source that loses contact goes on with those it had; it MUST fail
    /// only if it never had any.
    async fn snapshot(&self) -> Result<Arc<Credentials>, Unavailable>;

    /// Looks for credentials newer than `seen`, which turned a request down. `None` MUST come at once if there are none or
    /// if the source looked a moment ago: strangers can cause this call as often as they like.
    async fn refresh(&self, seen: &Arc<Credentials>) -> Option<Arc<Credentials>>;
}

/// Credentials that stay as they were read at start: from a file, the environment, or the sample.
#[derive(Debug)]
pub struct StaticCredentials(Arc<Credentials>);

impl StaticCredentials {
    /// Serves these credentials from now on.
    pub fn new(credentials: Credentials) -> Self {
        Self(Arc::new(credentials))
    }
}

#[async_trait]
impl CredentialSource for StaticCredentials {
    async fn snapshot(&self) -> Result<Arc<Credentials>, Unavailable> {
        Ok(Arc::clone(&self.0))
    }

    async fn refresh(&self, _seen: &Arc<Credentials>) -> Option<Arc<Credentials>> {
        None
    }
}
