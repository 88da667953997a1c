//! How calls arrive: the only room that knows API Gateway, function URLs, load balancers and plain HTTP.

pub mod http;
pub mod lambda;

use ::http::HeaderMap;

/// Longest trace header that is kept; a W3C `traceparent` has 55 characters, an X-Ray header about 100.
const MAX_TRACE_BYTES: usize = 256;

/// What may stand in a query as it is on the wire: printable ASCII without the space.
fn is_query(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes a configured base path (`/base`, or empty) off the front of a path, at a segment's end only.
pub(crate) fn below<'a>(path: &'a str, base: &str) -> &'a str {
    match path.strip_prefix(base) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// The trace a call belongs to: W3C before X-Ray, since the client made the first and the front end the second.
fn trace(headers: &HeaderMap, xray: Option<&str>) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    [header("traceparent"), header("x-amzn-trace-id"), xray]
        .into_iter()
        .flatten()
        .find(|trace| (1..=MAX_TRACE_BYTES).contains(&trace.len()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_ends_where_a_segment_ends() {
        assert_eq!(below("/prod/v2/a", "/prod"), "/v2/a");
        assert_eq!(below("/production/v2", "/prod"), "/production/v2");
        assert_eq!(below("/v2/a", ""), "/v2/a");
        assert_eq!(below("/prod", "/prod"), "/prod");
    }

    #[test]
    fn the_clients_trace_counts_before_the_front_ends() {
        let mut headers = HeaderMap::new();
        assert_eq!(trace(&headers, None), None);
        assert_eq!(trace(&headers, Some("Root=1-a")).as_deref(), Some("Root=1-a"));
        headers.insert("x-amzn-trace-id", "Root=1-b".parse().expect("a header value"));
        assert_eq!(trace(&headers, Some("Root=1-a")).as_deref(), Some("Root=1-b"));
        headers
            .insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("a value"));
        assert!(trace(&headers, None).expect("a trace").starts_with("00-"));
        headers.insert("traceparent", "x".repeat(257).parse().expect("a header value"));
        assert_eq!(trace(&headers, None).as_deref(), Some("Root=1-b"), "one that is too long does not count");
    }
}
