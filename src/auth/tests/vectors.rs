//! The vectors of signing.md 4.2 and of the vendor's OBS client, stage by stage.

use http::Method;
use serde_json::Value;

use super::support::{Request, WINDOW, at};
use crate::auth::canonical::{self, SignedHeaders};
use crate::auth::claim::{Claim, SignedClaim};
use crate::auth::times::Window;
use crate::auth::{Family, SecretKey, mac, read, sdk_hmac};
use crate::clock::Timestamp;

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const GO_TIME: &str = "2006-01-02T15:04:05Z";

/// The claim a signer and the server have in common, whatever the signature.
fn claim(family: Family, request: &Request, now: Timestamp) -> SignedClaim {
    match read(family, &request.incoming(), &Window { now, seconds: WINDOW }) {
        Ok(Claim::Signed(claim)) => claim,
        other => panic!("no signed claim: {other:?}"),
    }
}

fn sts(claim: &SignedClaim) -> &str {
    std::str::from_utf8(&claim.strings_to_sign[0]).expect("a text")
}

fn signature(claim: &SignedClaim, secret: &str) -> String {
    hex::encode(claim.keying.sign(&SecretKey::from(secret), &claim.strings_to_sign[0]))
}

fn go_request(method: Method, query: &str, body: &[u8], authorization: &str) -> Request {
    let authorization = authorization.replace("ZEROS", ZEROS);
    Request::new(method, "/path", query, &[("X-Sdk-Date", "20060102T150405Z"), ("Authorization", &authorization)], body)
}

#[test]
fn the_worked_example_of_the_vendors_guide_matches_at_every_stage() {
    let list = "content-type;host;x-sdk-date";
    let request = Request::new(
        Method::GET,
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        &[
            ("Content-Type", "application/json"),
            ("Host", "service.region.example.com"),
            ("X-Sdk-Date", "20191115T033655Z"),
            (
                "Authorization",
                &format!("SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders={list}, Signature={ZEROS}"),
            ),
        ],
        b"",
    );
    let signed = SignedHeaders::find(list, &request.headers).expect("the headers are there");
    let canonical_request = sdk_hmac::canonical_request(&request.incoming(), &signed, &mac::sha256_hex(b""));
    let hash = "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a";
    assert_eq!(mac::sha256_hex(&canonical_request), hash);

    let claim = claim(Family::FunctionGraph, &request, at("2019-11-15T03:36:55Z"));
    assert_eq!(sts(&claim), format!("SDK-HMAC-SHA256\n20191115T033655Z\n{hash}"));
    assert_eq!(
        signature(&claim, "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"),
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    );
}

#[test]
fn the_vectors_of_the_vendors_go_signer_match() {
    let plain = "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-sdk-date, Signature=ZEROS";
    let derived = "V11-HMAC-SHA256 Credential=AccessKey/20060102/test-region-1/demo, SignedHeaders=x-sdk-date, \
                   Signature=ZEROS";
    let body = b"{\"Name\":\"test\",\"Id\":1}\n";
    for (method, query, body, authorization, expected) in [
        (Method::GET, "limit=1", &b""[..], plain, "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624"),
        (Method::POST, "key=value", body, plain, "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59"),
        (Method::GET, "limit=1", b"", derived, "8fd3610508884bb19718317797c7378716a94bc740d97502e569322e366341cc"),
        (Method::POST, "key=value", body, derived, "4112f88b92d82dd1e1b7dd142f1e99e4f1762c42ca8fe0968b3045120870a903"),
    ] {
        let request = go_request(method, query, body, authorization);
        let claim = claim(Family::FunctionGraph, &request, at(GO_TIME));
        assert_eq!(signature(&claim, "SecretKey"), expected, "{authorization} {query}");
    }
}

#[test]
fn a_derived_string_to_sign_has_the_scope_in_a_line_of_its_own() {
    let derived = "V11-HMAC-SHA256 Credential=AccessKey/20060102/test-region-1/demo, SignedHeaders=x-sdk-date, \
                   Signature=ZEROS";
    let request = go_request(Method::GET, "limit=1", b"", derived);
    let claim = claim(Family::FunctionGraph, &request, at(GO_TIME));
    let before_hash = "V11-HMAC-SHA256\n20060102T150405Z\n20060102/test-region-1/demo\n";
    assert!(sts(&claim).starts_with(before_hash), "{}", sts(&claim));
}

#[test]
fn the_query_vector_of_the_vendors_go_signer_matches() {
    let wire = "test=%E4%B8%80+%28%26%3D%3F%21%23%25.*%29&multi=3&path=/tmp/123&limit=1&multi=1&enable=true&multi=2";
    assert_eq!(
        canonical::query(wire),
        "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&\
         test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
    );
    assert_eq!(canonical::query("b&a=&a&c=1"), "a=&a=&b=&c=1", "a parameter without a value gets a `=`");
}

#[test]
fn the_vectors_of_the_vendors_obs_client_match() {
    let text = include_str!("../../../tests/golden/obs_fixed_vectors.json");
    let document: Value = serde_json::from_str(text).expect("JSON");
    let secret = SecretKey::from(document["sk"].as_str().expect("a secret"));
    for vector in document["vectors"].as_array().expect("vectors") {
        let name = vector["name"].as_str().expect("a name");
        let bucket = vector["bucket"].as_str().map(|bucket| format!("{bucket}/")).unwrap_or_default();
        let path = format!("/{bucket}{}", vector["key"].as_str().unwrap_or_default());
        let arguments = vector["args"].as_object().into_iter().flatten().map(|(key, value)| match value {
            Value::Null => key.clone(),
            Value::String(value) => format!("{key}={value}"),
            value => format!("{key}={value}"),
        });
        let query = arguments.collect::<Vec<_>>().join("&");
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (key, value) in vector["headers"].as_object().expect("headers") {
            headers.push((key, value.as_str().expect("a text")));
        }
        let authorization = vector["authorization"].as_str().expect("a header");
        headers.push(("Authorization", authorization));
        let method = Method::from_bytes(vector["method"].as_str().expect("a method").as_bytes()).expect("a method");
        let request = Request::new(method, &path, &query, &headers, b"");

        let claim = claim(Family::Obs, &request, at("2020-08-27T12:38:10Z"));
        assert_eq!(sts(&claim), vector["string_to_sign"], "{name}");
        assert_eq!(claim.strings_to_sign.len(), 1, "{name}");
        assert!(claim.keying.verify(&secret, &claim.strings_to_sign[0], &claim.signature), "{name}");
    }
}
