//! Properties over generated input: no parser panics, whatever is signed verifies, canonical forms are canonical.

use http::{HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::support::{CREDENTIALS, Request, at, parse, verdict};
use crate::auth::times::{self, Window};
use crate::auth::{Credentials, Error, Family, Scheme, canonical, read, sign};
use crate::clock::Timestamp;

const NOW: &str = "2026-11-21T00:00:00Z";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Text that is likely to get somewhere: pieces of well-formed headers, broken up and mixed with anything.
fn nearly_authorization() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "SDK-HMAC-SHA256 ",
            "V11-HMAC-SHA256 ",
            "AWS4-HMAC-SHA256 ",
            "OBS ",
            "AWS ",
            "Access=AK",
            "Credential=AK",
            "/20261121",
            "/",
            "/s3/aws4_request",
            ", ",
            ",",
            "SignedHeaders=",
            "x-sdk-date",
            "host;x-sdk-date",
            ";",
            "date",
            "Signature=",
            ZEROS,
            "=",
            ":",
            "AK:",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            " ",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn nearly_query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "AccessKeyId=",
            "AWSAccessKeyId=AK",
            "Expires=",
            "1900000000",
            "Signature=",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D",
            "&",
            "=",
            "%",
            "%2",
            "%2B",
            "%ff",
            "+",
            "x-obs-security-token",
            "x-workflow-prefix",
            "acl",
            "AK",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn nearly_date() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{8}T[0-9]{6}Z",
        "[A-Z][a-z]{2}, [0-9]{2} (Jan|Feb|Nov|Dez) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|\\+0000|UTC)",
        "\\PC{0,32}",
    ]
}

fn scheme() -> impl Strategy<Value = (Scheme, Family, &'static str)> {
    let (fg, obs) = ("QTWAOYTTINDUT2QVKYUC", "H4IPJX0TQTHTHEBQQCEC");
    prop_oneof![
        Just((Scheme::SdkHmac, Family::FunctionGraph, fg)),
        ("[a-z0-9-]{1,12}", "[a-z]{1,12}")
            .prop_map(move |(region, service)| { (Scheme::Derived { region, service }, Family::FunctionGraph, fg) }),
        Just((Scheme::Obs, Family::Obs, obs)),
        Just((Scheme::Aws, Family::Obs, obs)),
        "[a-z0-9-]{0,12}".prop_map(move |region| (Scheme::Aws4 { region }, Family::Obs, obs)),
    ]
}

/// A path as a client encodes it: each part of any text.
fn path() -> impl Strategy<Value = String> {
    vec("\\PC{0,8}", 0..5).prop_map(|parts| canonical::encode_path(format!("/{}", parts.join("/")).as_bytes()))
}

/// A query as a client encodes it. The OBS schemes cannot sign a `&` within a value, so there is none.
fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![select(vec!["acl", "x-workflow-limit", "x-obs-a"]).prop_map(str::to_owned), "\\PC{1,6}"];
    let pair = (name, proptest::option::of("[^&\\pC]{0,6}")).prop_map(|(name, value)| {
        let name = canonical::encode(name.as_bytes());
        value.map_or(name.clone(), |value| format!("{name}={}", canonical::encode(value.as_bytes())))
    });
    vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

fn request() -> impl Strategy<Value = Request> {
    let method = select(vec![Method::GET, Method::POST, Method::PUT, Method::DELETE]);
    let headers = proptest::collection::btree_map("x-(obs|amz|meta)-[a-z]{1,6}", "[ !-~\u{e9}\u{503c}]{0,12}", 0..4);
    (method, path(), query(), headers, vec(any::<u8>(), 0..40)).prop_map(|(method, path, query, headers, body)| {
        let mut request = Request::new(method, &path, &query, &[("Content-Type", "application/json")], &body);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        for reserved in ["x-amz-date", "x-obs-date"] {
            request.headers.remove(reserved);
        }
        request
    })
}

fn signed((scheme, _, key): &(Scheme, Family, &str), request: Request) -> Request {
    let credentials = parse(CREDENTIALS);
    let credential = credentials.with_access_key(key).next().expect("a credential");
    let added = sign(scheme, &request.incoming(), "flowgate.test", credential, at(NOW)).expect("it can be signed");
    request.with(added)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_makes_a_parser_panic(
        authorization in proptest::option::of(nearly_authorization()),
        query in nearly_query(),
        path in "\\PC{0,20}",
        dates in (nearly_date(), nearly_date()),
        body in vec(any::<u8>(), 0..8),
    ) {
        let mut request = Request::new(Method::POST, &path, &query, &[("Host", "h")], &body);
        let values = [("authorization", authorization), ("x-sdk-date", Some(dates.0.clone())), ("date", Some(dates.1)),
            ("x-amz-date", Some(dates.0))];
        for (name, value) in values {
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                request.headers.insert(name, value);
            }
        }
        for family in [Family::Obs, Family::FunctionGraph] {
            // A window of a century, so that what follows the check of the time is reached.
            let window = Window { now: at(NOW), seconds: u32::MAX };
            if let Ok(claim) = read(family, &request.incoming(), &window) {
                let refusal = claim.check(&parse(CREDENTIALS), at(NOW));
                prop_assert!(refusal.is_err());
            }
        }
    }

    #[test]
    fn what_is_signed_verifies(scheme in scheme(), request in request()) {
        let request = signed(&scheme, request);
        let verdict = verdict(scheme.1, &request, at(NOW));
        prop_assert!(verdict.is_ok(), "{verdict:?} {request:?}");
    }

    #[test]
    fn what_is_signed_verifies_behind_a_gateway_that_decodes(scheme in scheme(), request in request()) {
        let mut request = signed(&scheme, request);
        let decoded = percent_encoding::percent_decode_str(&request.path).decode_utf8_lossy().into_owned();
        // FunctionGraph's canonical path is decoded once more, so that a `%` in it may begin an escape.
        prop_assume!(scheme.1 == Family::Obs || !decoded.contains('%'));
        request.path = decoded;
        let verdict = verdict(scheme.1, &request, at(NOW));
        prop_assert!(verdict.is_ok(), "{verdict:?} {request:?}");
    }

    #[test]
    fn another_path_or_method_or_body_does_not_verify(scheme in scheme(), request in request(), more in "[a-z]{1,4}") {
        let request = signed(&scheme, request);
        let mut changed = request.clone();
        changed.path.push_str(&more);
        prop_assert_eq!(verdict(scheme.1, &changed, at(NOW)), Err(Error::WrongSignature));
        changed = request.clone();
        changed.method = Method::PATCH;
        prop_assert_eq!(verdict(scheme.1, &changed, at(NOW)), Err(Error::WrongSignature));
        changed = request;
        changed.body.extend_from_slice(more.as_bytes());
        let covers_body = !matches!(scheme.0, Scheme::Obs | Scheme::Aws);
        prop_assert_eq!(verdict(scheme.1, &changed, at(NOW)).is_err(), covers_body);
    }

    #[test]
    fn canonical_forms_are_their_own_canonical_form(query in nearly_query(), path in "\\PC{0,20}") {
        let canonical_query = canonical::query(&query);
        prop_assert_eq!(canonical::query(&canonical_query), canonical_query);
        let canonical_path = canonical::decoded_path(&path);
        prop_assert_eq!(canonical::decoded_path(&canonical_path), canonical_path.clone());
        prop_assert!(canonical_path.ends_with('/'));
    }

    #[test]
    fn the_order_of_a_query_does_not_change_its_canonical_form(mut parts in vec("[a-c](=[0-9%+]{0,3})?", 0..6)) {
        let before = canonical::query(&parts.join("&"));
        parts.reverse();
        prop_assert_eq!(canonical::query(&parts.join("&")), before);
    }

    #[test]
    fn times_are_read_as_they_are_written(seconds in 0i64..253_402_300_800) {
        let at = Timestamp::from_seconds(seconds);
        prop_assert_eq!(times::parse_basic(&times::format_basic(at)), Some(at));
        prop_assert_eq!(times::parse_http(&times::format_http(at)), Some(at));
        prop_assert_eq!(times::parse_epoch(&seconds.to_string()), (seconds <= 99_999_999_999).then_some(at));
    }

    #[test]
    fn no_text_makes_a_reader_of_times_or_credentials_panic(text in "\\PC{0,40}", date in nearly_date()) {
        for text in [&text, &date] {
            let _ = (times::parse_basic(text), times::parse_http(text), times::parse_epoch(text));
        }
        let is_empty_object = text.trim() == "{}";
        prop_assert_eq!(Credentials::parse(&text).is_ok(), is_empty_object);
    }
}
