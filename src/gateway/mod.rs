//! How calls arrive: the only room that knows API Gateway, function URLs, load balancers and plain HTTP.

pub mod http;
pub mod lambda;

use ::http::uri::Authority;
use ::http::{HeaderMap, HeaderName};

use crate::api::Fault;

/// Longest trace header that is kept; a W3C `traceparent` has 55 characters, an X-Ray header about 100.
const MAX_TRACE_BYTES: usize = 256;

/// What is wrong with the headers a front end wrote or passed on, if anything. Behind lambda_http these would be panics.
fn header_fault(headers: &HeaderMap) -> Option<Fault> {
    let every = |name: HeaderName, legal: fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(legal))
    };
    if !every(::http::header::HOST, is_host) {
        return Some(Fault::Host);
    }
    if !every(HeaderName::from_static("x-forwarded-proto"), |value| matches!(value, "http" | "https")) {
        return Some(Fault::ForwardedProto);
    }
    None
}

fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let names_a_port = authority.as_str().len() > authority.host().len();
    !authority.host().is_empty() && !text.contains('@') && (!names_a_port || authority.port_u16().is_some())
}

/// What may stand in a query as it is on the wire: printable ASCII without the space.
fn is_query(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Takes a configured base path (`/base`, or empty) off the front of a path, at a segment's end only.
fn below<'a>(path: &'a str, base: &str) -> &'a str {
    match path.strip_prefix(base) {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// The trace a call belongs to: W3C before X-Ray, since the client made the first and the front end the second.
fn trace(headers: &HeaderMap, xray: Option<&str>) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    header("traceparent")
        .or_else(|| header("x-amzn-trace-id"))
        .or(xray)
        .filter(|trace| !trace.is_empty() && trace.len() <= MAX_TRACE_BYTES)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_address_with_at_most_a_port() {
        for host in ["example.com", "127.0.0.1:8080", "[::1]", "[::1]:80", "a-b.execute-api.us-east-1.amazonaws.com"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "bad host", "a:b:c", "h:99999", "[::1", "<script>", "a/b", "user@host", "h:", "h:x"] {
            assert!(!is_host(host), "{host}");
        }
    }

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
        assert_eq!(trace(&headers, None), None);
    }
}
