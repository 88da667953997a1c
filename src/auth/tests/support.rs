//! What the tests share: the captures, the credentials they were signed with, and a request that owns its parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::auth::times::{Window, parse_basic, parse_http};
use crate::auth::{Authenticator, Credentials, Error, Family, Incoming, Principal, StaticCredentials, read};
use crate::clock::{FixedClock, Timestamp};

/// The window of the vendor.
pub(super) const WINDOW: u32 = 900;

/// The sample keys of the vendor's public guide, which the captures are signed with (golden/README.md), each once as it is
/// and once with the security token of the captures that have one.
pub(super) const CREDENTIALS: &str = r#"{
  "credentials": [
    {"access_key": "QTWAOYTTINDUT2QVKYUC", "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
     "project_id": "c53626012ba84727b938ca8bf03108ef", "domain_id": "d1"},
    {"access_key": "QTWAOYTTINDUT2QVKYUC", "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
     "project_id": "c53626012ba84727b938ca8bf03108ef", "domain_id": "d1", "security_token": "TEMPTOKEN123"},
    {"access_key": "H4IPJX0TQTHTHEBQQCEC", "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
     "project_id": "p2", "domain_id": "d2"},
    {"access_key": "H4IPJX0TQTHTHEBQQCEC", "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
     "project_id": "p2", "domain_id": "d2", "security_token": "TEMPTOKEN"}
  ],
  "tokens": [{"token": "a-token-of-the-owner", "project_id": "p3", "domain_id": "d3"}]
}"#;

/// A request that owns its parts.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: Method, path: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
                HeaderValue::from_str(value).expect("a header value"),
            );
        }
        Self { method, path: path.to_owned(), query: query.to_owned(), headers: map, body: body.to_vec() }
    }

    pub(super) fn incoming(&self) -> Incoming<'_> {
        Incoming {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
    }

    /// Adds the headers a signer made.
    pub(super) fn with(mut self, added: HeaderMap) -> Self {
        for (name, value) in &added {
            self.headers.insert(name.clone(), value.clone());
        }
        self
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a text")
    }
}

/// One capture, taken apart but not decoded.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    pub(super) name: String,
    pub(super) family: Family,
    pub(super) method: Vec<u8>,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Capture {
    fn read(path: &Path, family: Family) -> Self {
        let bytes = std::fs::read(path).expect("a readable capture");
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut slots);
        let status = parsed.parse(&bytes).expect("a request");
        let httparse::Status::Complete(body_start) = status else {
            panic!("{} is cut off", path.display());
        };
        let target = parsed.path.expect("a target");
        let (target_path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            name: path.strip_prefix(golden_folder()).expect("a capture").display().to_string(),
            family,
            method: parsed.method.expect("a method").into(),
            path: target_path.into(),
            query: query.into(),
            headers: parsed.headers.iter().map(|header| (header.name.into(), header.value.into())).collect(),
            body: bytes[body_start..].to_vec(),
        }
    }

    /// The request as a server gets it; `None` if no HTTP server would take it.
    pub(super) fn request(&self) -> Option<Request> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some(Request {
            method: Method::from_bytes(&self.method).ok()?,
            path: String::from_utf8(self.path.clone()).ok()?,
            query: String::from_utf8(self.query.clone()).ok()?,
            headers,
            body: self.body.clone(),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| std::str::from_utf8(value).expect("a text"))
    }

    /// When it was signed.
    pub(super) fn time(&self) -> Timestamp {
        let own_date = self.header("X-Sdk-Date").and_then(parse_basic);
        own_date.or_else(|| self.header("Date").and_then(parse_http)).expect("a date")
    }
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every capture, in the order of their names.
pub(super) fn captures() -> Vec<Capture> {
    let folders = [
        ("fgv1", Family::FunctionGraph),
        ("fgv2", Family::FunctionGraph),
        ("fgv2_fixed", Family::FunctionGraph),
        ("obs", Family::Obs),
    ];
    let mut captures = Vec::new();
    for (folder, family) in folders {
        let entries = std::fs::read_dir(golden_folder().join(folder)).expect("a folder of captures");
        captures.extend(entries.map(|entry| Capture::read(&entry.expect("an entry").path(), family)));
    }
    captures.sort_by(|left, right| left.name.cmp(&right.name));
    captures
}

pub(super) fn capture(name: &str) -> Capture {
    captures().into_iter().find(|capture| capture.name == name).expect("a capture of this name")
}

/// A service with the given credentials, at a given time.
pub(super) fn authenticator(credentials: &str, now: Timestamp) -> Authenticator {
    let source = Arc::new(StaticCredentials::new(parse(credentials)));
    Authenticator::new(source, Arc::new(FixedClock(now)), WINDOW)
}

/// What the checks alone say to a request, with the captures' credentials and without refreshing or slowing.
pub(super) fn verdict(family: Family, request: &Request, now: Timestamp) -> Result<Principal, Error> {
    thread_local!(static SHARED: Credentials = parse(CREDENTIALS));
    SHARED.with(|credentials| verdict_with(credentials, family, request, now))
}

/// Like [`verdict`], with other credentials.
pub(super) fn verdict_with(
    credentials: &Credentials,
    family: Family,
    request: &Request,
    now: Timestamp,
) -> Result<Principal, Error> {
    let window = Window { now, seconds: WINDOW };
    read(family, &request.incoming(), &window)?.check(credentials, now)
}

pub(super) fn parse(credentials: &str) -> Credentials {
    Credentials::parse(credentials).expect("credentials")
}

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}
