//! What the fuzz targets share: a request made of the lines of the input, and a service that nobody can sign for.

use std::sync::{Arc, LazyLock};

use flowgate::auth::{Authenticator, Credentials, Error, Family, Incoming, StaticCredentials};
use flowgate::clock::{FixedClock, Timestamp};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Its access keys are those of the seeds; its secrets are not, so whatever is let in is a forgery.
const CREDENTIALS: &str = r#"{
  "credentials": [
    {"access_key": "QTWAOYTTINDUT2QVKYUC", "secret_key": "nobody signs with this", "project_id": "p", "domain_id": "d"},
    {"access_key": "H4IPJX0TQTHTHEBQQCEC", "secret_key": "nobody signs with this", "project_id": "p", "domain_id": "d"}
  ],
  "tokens": [{"token": "nobody has this", "project_id": "p", "domain_id": "d"}]
}"#;

static SOURCE: LazyLock<Arc<StaticCredentials>> = LazyLock::new(|| {
    let credentials = Credentials::parse(CREDENTIALS).expect("the credentials above are well formed");
    Arc::new(StaticCredentials::new(credentials))
});

/// Checks one input: the lines of its head are the path, the query, and headers as `name: value`; after an empty line comes
/// the body. Lines that cannot be a header are left out, as an HTTP server would never hand them over.
///
/// The window spans a century, so that inputs get past it.
///
/// # Panics
///
/// If the request is let in, or the answer is not the same the second time.
pub fn check(family: Family, input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let path = lines.next().unwrap_or_default();
    let query = lines.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let request = Incoming { method: &Method::POST, path, query, headers: &headers, body: body.as_bytes() };
    let first = verdict(family, &request);
    assert_eq!(first, verdict(family, &request), "the verdict depends on more than the request");
}

fn verdict(family: Family, request: &Incoming<'_>) -> Error {
    let now = Timestamp::parse("2026-11-20T21:49:46Z").expect("a time");
    // A new service each time: one that remembers failures would wait before it refuses.
    let service = Authenticator::new(SOURCE.clone(), Arc::new(FixedClock(now)), u32::MAX);
    let verdict = service.authenticate(family, request).now_or_never().expect("nothing to wait for");
    let error = verdict.expect_err("a request nobody signed was let in");
    assert!(!error.to_string().contains("nobody"), "the refusal shows a secret");
    error
}
