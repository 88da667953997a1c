//! The order of refusal, the window, expiry, slowing, and what a refusal may say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use super::support::{CREDENTIALS, Capture, Request, at, authenticator, capture, parse, verdict, verdict_with};
use crate::auth::{Authenticator, Credentials, Error, Family, Principal, Scheme, StaticCredentials, sign};
use crate::clock::{FixedClock, Timestamp};

/// A capture of each scheme.
fn one_of_each() -> Vec<(Capture, Request)> {
    let names = ["fgv2/start_objects.req", "obs/start.req", "obs/start_sig_v2.req", "obs/start_sig_v4.req"];
    let captures = names.into_iter().map(capture);
    captures.map(|capture| (capture.clone(), capture.request().expect("a request"))).collect()
}

#[test]
fn the_window_includes_its_edges_and_nothing_beyond() {
    for (capture, request) in one_of_each() {
        let signed_at = capture.time();
        let after = |millis: i64| {
            let now = Timestamp::from_millis(signed_at.millis() + millis);
            verdict(capture.family, &request, now).map(|principal| principal.domain_id)
        };
        for inside in [-900_000, -899_999, 0, 899_999, 900_000] {
            assert!(after(inside).is_ok(), "{}: {inside}", capture.name);
        }
        for (outside, seconds) in [(-900_001, 901), (900_001, -901), (901_000, -901), (1_000_000_000, -1_000_000)] {
            assert_eq!(after(outside), Err(Error::Skewed { seconds }), "{}: {outside}", capture.name);
        }
    }
}

#[test]
fn an_operator_can_narrow_the_window() {
    let (capture, request) = one_of_each().swap_remove(0);
    let source = Arc::new(StaticCredentials::new(parse(CREDENTIALS)));
    let verdict_after = |seconds| {
        let clock = Arc::new(FixedClock(capture.time().plus_seconds(seconds)));
        let authenticator = Authenticator::new(Arc::clone(&source) as _, clock, 60);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(authenticator.authenticate(capture.family, &request.incoming()))
    };
    assert!(verdict_after(60).is_ok());
    assert_eq!(verdict_after(61), Err(Error::Skewed { seconds: -61 }));
}

/// Each step mends what the one before was refused for, so the refusals come in the order of decisions.md.
#[test]
fn refusals_come_in_their_order() {
    for (capture, complete) in one_of_each() {
        let date = if capture.family == Family::Obs { "Date" } else { "X-Sdk-Date" };
        let own_key = if capture.family == Family::Obs { "H4IPJX0TQTHTHEBQQCEC" } else { "QTWAOYTTINDUT2QVKYUC" };
        let authorization = complete.header("Authorization").to_owned();
        let unknown_key = authorization.replace(own_key, "UNKNOWN");
        let far = capture.time().plus_seconds(10_000);
        let check = |request: &Request, now| verdict(capture.family, request, now).expect_err("it is refused");

        let mut request = complete.clone();
        request.headers.remove("Authorization");
        request.headers.remove(date);
        assert!(matches!(check(&request, far), Error::MissingCredentials { .. }), "{}", capture.name);
        request.set("Authorization", "nothing of the kind");
        assert!(matches!(check(&request, far), Error::Malformed { .. }), "{}", capture.name);
        request.set("Authorization", &unknown_key);
        assert!(matches!(check(&request, far), Error::DateMissing { .. }), "{}", capture.name);
        request.set(if date == "Date" { "Date" } else { "X-Sdk-Date" }, "yesterday");
        assert!(matches!(check(&request, far), Error::DateMalformed { .. }), "{}", capture.name);
        request = complete.clone();
        request.set("Authorization", &unknown_key);
        assert!(matches!(check(&request, far), Error::Skewed { .. }), "{}", capture.name);
        assert_eq!(check(&request, capture.time()), Error::UnknownKey, "{}", capture.name);
        request = complete.clone();
        request.path.push('x');
        assert_eq!(check(&request, capture.time()), Error::WrongSignature, "{}", capture.name);
    }
}

#[test]
fn a_header_that_counts_may_not_come_twice() {
    for (capture, request) in one_of_each() {
        for name in ["Authorization", "Date", "X-Sdk-Date", "Content-Type"] {
            let Some(value) = request.headers.get(name) else { continue };
            let mut changed = request.clone();
            changed.headers.append(name, value.clone());
            let verdict = verdict(capture.family, &changed, capture.time());
            assert!(matches!(verdict, Err(Error::Malformed { .. })), "{}: {name}: {verdict:?}", capture.name);
        }
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    for (capture, request) in one_of_each() {
        let long = "a".repeat(20_000);
        let mut by_path = request.clone();
        by_path.path.push_str(&long);
        let mut by_query = request.clone();
        by_query.query.push_str(&long);
        let mut by_header = request.clone();
        by_header.set("Authorization", &format!("{}{long}", request.header("Authorization")));
        for changed in [by_path, by_query, by_header] {
            let verdict = verdict(capture.family, &changed, capture.time());
            assert!(matches!(verdict, Err(Error::Malformed { part: "request", .. })), "{}", capture.name);
        }
    }
}

#[test]
fn an_expired_key_is_told_so_only_to_its_owner() {
    let (capture, mut request) = one_of_each().swap_remove(0);
    let ends = |end: &str| {
        let own = "\"project_id\": \"c53626012ba84727b938ca8bf03108ef\"";
        parse(&CREDENTIALS.replace(own, &format!("{own}, \"expires_at\": \"{end}\"")))
    };
    let in_time = ends("2026-11-20T21:48:02Z");
    let too_late = ends("2026-11-20T21:48:01Z");
    assert!(verdict_with(&in_time, capture.family, &request, capture.time()).is_ok());
    assert_eq!(verdict_with(&too_late, capture.family, &request, capture.time()), Err(Error::ExpiredKey));
    request.path.push('x');
    assert_eq!(verdict_with(&too_late, capture.family, &request, capture.time()), Err(Error::WrongSignature));
}

#[test]
fn an_expired_token_is_refused() {
    let credentials = parse(
        r#"{"tokens": [{"token": "t", "project_id": "p", "domain_id": "d", "expires_at": "2026-11-21T00:00:00Z"}]}"#,
    );
    let request = Request::new(Method::GET, "/", "", &[("X-Auth-Token", "t")], b"");
    let check = |now| verdict_with(&credentials, Family::FunctionGraph, &request, at(now));
    assert!(check("2026-11-20T23:59:59Z").is_ok());
    assert_eq!(check("2026-11-21T00:00:00Z"), Err(Error::ExpiredToken));
}

#[test]
fn both_secrets_of_a_key_under_rotation_are_good() {
    let (capture, request) = one_of_each().swap_remove(0);
    let own = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc";
    let old_first = parse(&CREDENTIALS.replacen(own, "the-old-secret", 1).replace("TEMPTOKEN123\"", "T\""));
    let verdict_of = |credentials: &Credentials| verdict_with(credentials, capture.family, &request, capture.time());
    assert_eq!(verdict_of(&old_first), Err(Error::SecurityTokenMissing { header: "X-Security-Token" }));
    let entry = CREDENTIALS.find("{\"access_key\"").expect("an entry");
    let mut both = CREDENTIALS.to_owned();
    both.insert_str(
        entry,
        r#"{"access_key": "QTWAOYTTINDUT2QVKYUC", "secret_key": "new", "project_id": "p", "domain_id": "d"},"#,
    );
    assert!(verdict_of(&parse(&both)).is_ok());
}

#[test]
fn a_principal_may_do_what_its_lists_allow() {
    let everything = Principal {
        name: "AK".to_owned(),
        project_id: "p".to_owned(),
        domain_id: "d".to_owned(),
        workflows: None,
        operations: None,
    };
    assert!(everything.may("start") && everything.may_use_workflow("w"));
    let little = Principal {
        workflows: Some(vec!["w".to_owned()]),
        operations: Some(vec!["start".to_owned()]),
        ..everything.clone()
    };
    assert!(little.may("start") && !little.may("stop") && !little.may("Start"));
    assert!(little.may_use_workflow("w") && !little.may_use_workflow("W"));
    let nothing = Principal { workflows: Some(vec![]), operations: Some(vec![]), ..everything };
    assert!(!nothing.may("start") && !nothing.may_use_workflow("w"));
}

/// The amounts are told, the keys are not.
#[test]
fn a_refusal_names_headers_and_amounts_only() {
    for (error, text) in [
        (Error::Skewed { seconds: -901 }, "the request's time is 901 seconds behind the service's"),
        (Error::Skewed { seconds: 5000 }, "the request's time is 5000 seconds ahead of the service's"),
        (Error::DateMissing { header: "X-Sdk-Date" }, "missing header `X-Sdk-Date`"),
        (Error::UrlExpired { seconds: 3 }, "the signed URL expired 3 seconds ago"),
        (Error::UnknownKey, "unknown access key"),
        (Error::WrongSignature, "the signature does not match the request"),
        (Error::malformed("Authorization", "it lacks a member"), "malformed `Authorization`: it lacks a member"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[tokio::test]
async fn repeated_failures_are_slowed_and_a_right_signature_is_not() {
    let (capture, request) = one_of_each().swap_remove(0);
    let authenticator = authenticator(CREDENTIALS, capture.time());
    for key in ["QTWAOYTTINDUT2QVKYUC", "UNKNOWN"] {
        let authorization = request.header("Authorization").replace("QTWAOYTTINDUT2QVKYUC", key);
        let mut wrong = request.clone();
        wrong.set("Authorization", &authorization);
        wrong.path.push('x');
        let mut taken = Vec::new();
        for _ in 0..5 {
            let start = Instant::now();
            let verdict = authenticator.authenticate(capture.family, &wrong.incoming()).await;
            assert!(verdict.is_err());
            taken.push(start.elapsed());
        }
        assert!(taken[3] >= Duration::from_millis(25) && taken[4] >= Duration::from_millis(50), "{key}: {taken:?}");
    }
    let start = Instant::now();
    assert!(authenticator.authenticate(capture.family, &request.incoming()).await.is_ok());
    assert!(start.elapsed() < Duration::from_millis(25), "the owner had to wait");
}

#[test]
fn no_debug_output_shows_a_secret() {
    let credentials = parse(CREDENTIALS);
    let signer = credentials.first().expect("a credential");
    let request = Request::new(Method::GET, "/", "", &[("X-Auth-Token", "a-token-of-the-owner")], b"");
    let added = sign(&Scheme::SdkHmac, &request.incoming(), "h", signer, at("2026-11-21T00:00:00Z"));
    assert!(added.is_ok());
    let shown = format!("{credentials:?} {signer:?} {:?}", signer.secret_key);
    assert!(shown.contains("QTWAOYTTINDUT2QVKYUC"));
    for secret in ["MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "TEMPTOKEN", "a-token-of-the-owner", "common length"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}
