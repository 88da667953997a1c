//! A call as the gateway room delivers it, the same for every gateway.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use uuid::Uuid;

/// Most bytes a request body may have, after base64 decoding: with its record it stays below DynamoDB's 400 KB for an item.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How long a call may wait for an execution to end where the gateway does not end it before: as long as a flow may take
/// that can be started synchronously.
pub const MAX_PATIENCE: Duration = Duration::from_secs(300);

/// One call. Path, query and body are as the client sent them: nothing is decoded before the signature is checked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, verbatim.
    pub method: Method,
    /// The path the client sent and signed, stage or base path included, without the query.
    pub signed_path: String,
    /// The path below the stage or base path: what the APIs' own paths are compared with.
    pub path: String,
    /// The query without its question mark.
    pub query: String,
    /// Every header, repeated ones too.
    pub headers: HeaderMap,
    /// The body; empty if there is a fault.
    pub body: Bytes,
    /// What is wrong with the delivery itself.
    pub fault: Option<Fault>,
    /// The id the call goes by.
    pub id: RequestId,
    /// The gateway's own id of the call where it has another form, for the log.
    pub gateway_id: Option<String>,
    /// The trace the call belongs to: an X-Ray or W3C trace header.
    pub trace: Option<String>,
    /// How long the gateway waits for the answer.
    pub patience: Duration,
}

impl Request {
    /// The value of a header that may come once; `None` if it is absent.
    ///
    /// # Errors
    /// The header comes more than once or is not UTF-8. The text says so, beginning with the header's name.
    pub(super) fn header(&self, name: &'static str) -> Result<Option<&str>, String> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(format!("header {name} must not be repeated"));
        }
        first
            .map(|value| std::str::from_utf8(value.as_bytes()))
            .transpose()
            .map_err(|_| format!("header {name} must be UTF-8"))
    }
}

/// What makes a delivered call unusable before anything of it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The body is longer than [`MAX_BODY_BYTES`].
    BodyTooLarge,
    /// The gateway says the body is base64, and it is not.
    BodyNotBase64,
    /// The client sent less body than it announced, or took too long.
    BodyIncomplete,
    /// The Host header is no host.
    Host,
    /// X-Forwarded-Proto is neither `http` nor `https`.
    ForwardedProto,
    /// The query has a space, a control character or a non-ASCII byte in it.
    Query,
}

/// A request id: 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Makes a random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Takes over an id from outside if it has the form of a UUID, with or without hyphens.
    pub fn from_gateway(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().filter(|id| !id.is_nil()).map(Self)
    }

    /// 32 lower-case hex digits, the form of the vendor's API gateway.
    pub fn lower(self) -> String {
        self.0.simple().to_string()
    }

    /// 32 upper-case hex digits, the form of OBS.
    pub fn upper(self) -> String {
        format!("{:X}", self.0.simple())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lower())
    }
}
