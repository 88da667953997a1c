//! The rules of the schemes that the captures do not show, one test each.

use http::Method;

use super::support::{CREDENTIALS, Request, WINDOW, at, capture, parse, verdict, verdict_with};
use crate::auth::claim::Claim;
use crate::auth::times::Window;
use crate::auth::{Credential, Error, Family, Scheme, SecretKey, mac, obs, read, sign};
use crate::clock::Timestamp;

const NOW: &str = "2026-11-21T00:00:00Z";
const FG: Family = Family::FunctionGraph;
const FG_KEY: &str = "QTWAOYTTINDUT2QVKYUC";
const OBS_KEY: &str = "H4IPJX0TQTHTHEBQQCEC";

fn now() -> Timestamp {
    at(NOW)
}

/// The capture credential with this key and no security token.
fn credential(access_key: &str) -> Credential {
    parse(CREDENTIALS).with_access_key(access_key).next().expect("a credential").clone()
}

fn signed(scheme: &Scheme, request: Request) -> Request {
    let key = if matches!(scheme, Scheme::SdkHmac | Scheme::Derived { .. }) { FG_KEY } else { OBS_KEY };
    let added = sign(scheme, &request.incoming(), "flowgate.test", &credential(key), now()).expect("it can be signed");
    request.with(added)
}

fn json(method: Method, path: &str, query: &str, body: &[u8]) -> Request {
    Request::new(method, path, query, &[("Content-Type", "application/json")], body)
}

fn derived() -> Scheme {
    Scheme::Derived { region: "cn-north-4".to_owned(), service: "functiongraph".to_owned() }
}

fn aws4() -> Scheme {
    Scheme::Aws4 { region: "cn-north-4".to_owned() }
}

/// Signs a text the way a client would that the code under test knows nothing of.
fn hex_hmac(secret: &str, text: &str) -> String {
    hex::encode(mac::Keying::Sha256.sign(&SecretKey::from(secret), text.as_bytes()))
}

/// A request signed over a canonical request that the test writes out itself.
fn signed_by_hand(request: Request, list: &str, canonical_request: &str) -> Request {
    let hash = mac::sha256_hex(canonical_request.as_bytes());
    let signature =
        hex_hmac("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", &format!("SDK-HMAC-SHA256\n20261121T000000Z\n{hash}"));
    let mut request = request;
    request
        .set("Authorization", &format!("SDK-HMAC-SHA256 Access={FG_KEY}, SignedHeaders={list}, Signature={signature}"));
    request
}

#[test]
fn only_the_date_has_to_be_signed() {
    let body_hash = mac::sha256_hex(b"{}");
    let request = Request::new(Method::POST, "/a", "", &[("X-Sdk-Date", "20261121T000000Z")], b"{}");
    let canonical = format!("POST\n/a/\n\nx-sdk-date:20261121T000000Z\n\nx-sdk-date\n{body_hash}");
    assert!(verdict(FG, &signed_by_hand(request, "x-sdk-date", &canonical), now()).is_ok());
}

#[test]
fn a_date_that_is_not_signed_is_refused() {
    let headers = [("X-Sdk-Date", "20261121T000000Z"), ("Host", "h")];
    let request = Request::new(Method::GET, "/", "", &headers, b"");
    let canonical = format!("GET\n/\n\nhost:h\n\nhost\n{}", mac::sha256_hex(b""));
    let verdict = verdict(FG, &signed_by_hand(request, "host", &canonical), now());
    assert_eq!(verdict, Err(Error::malformed("SignedHeaders", "it lacks `x-sdk-date`")));
}

#[test]
fn an_unsigned_content_hash_header_means_nothing() {
    let mut request = signed(&Scheme::SdkHmac, json(Method::POST, "/a", "", b"{}"));
    request.set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD");
    assert!(verdict(FG, &request, now()).is_ok());
    request.body = b"{ }".to_vec();
    assert_eq!(verdict(FG, &request, now()), Err(Error::WrongSignature));
}

#[test]
fn a_signed_content_hash_has_to_be_the_bodys() {
    let hash = mac::sha256_hex(b"{}");
    let headers = [("X-Sdk-Content-Sha256", hash.as_str())];
    let request = Request::new(Method::POST, "/a", "", &headers, b"{}");
    let mut request = signed(&Scheme::SdkHmac, request);
    assert!(verdict(FG, &request, now()).is_ok());
    request.body = b"{ }".to_vec();
    let mismatch = Error::PayloadMismatch { header: "X-Sdk-Content-Sha256" };
    assert_eq!(verdict(FG, &request, now()), Err(mismatch));
}

#[test]
fn an_unsigned_payload_without_a_body_may_be_signed_either_way() {
    let headers = [("X-Sdk-Date", "20261121T000000Z"), ("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD")];
    let list = "x-sdk-content-sha256;x-sdk-date";
    for (hash, body, is_accepted) in [
        ("UNSIGNED-PAYLOAD".to_owned(), &b""[..], true),
        (mac::sha256_hex(b""), b"", true),
        ("UNSIGNED-PAYLOAD".to_owned(), b"x", true),
        (mac::sha256_hex(b""), b"x", false),
    ] {
        let canonical =
            format!("GET\n/\n\nx-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:20261121T000000Z\n\n{list}\n{hash}");
        let request = Request::new(Method::GET, "/", "", &headers, body);
        let verdict = verdict(FG, &signed_by_hand(request, list, &canonical), now());
        assert_eq!(verdict.is_ok(), is_accepted, "{hash} {body:?}");
    }
}

#[test]
fn the_order_and_the_escapes_of_a_functiongraph_query_do_not_matter() {
    let mut request = signed(&Scheme::SdkHmac, json(Method::GET, "/a", "b=2&a=x%20y&a=&c", b""));
    for query in ["b=2&a=x%20y&a=&c", "c=&a=x+y&a&b=%32", "&&a=&c&b=2&a=x%20y"] {
        request.query = query.to_owned();
        assert!(verdict(FG, &request, now()).is_ok(), "{query}");
    }
    for query in ["b=2&a=x%20y&a=", "b=2&a=x%20y&c", "b=2&a=x%20y&a=&c=1", ""] {
        request.query = query.to_owned();
        assert_eq!(verdict(FG, &request, now()), Err(Error::WrongSignature), "{query}");
    }
}

#[test]
fn a_functiongraph_path_may_have_a_percent_sign_that_is_no_escape() {
    let mut request = signed(&Scheme::SdkHmac, json(Method::GET, "/100%25/a%zz", "", b""));
    for path in ["/100%25/a%zz", "/100%/a%25zz", "/100%/a%zz"] {
        request.path = path.to_owned();
        assert!(verdict(FG, &request, now()).is_ok(), "{path}");
    }
}

#[test]
fn the_method_is_not_made_upper_case() {
    let mut request = signed(&Scheme::SdkHmac, json(Method::POST, "/a", "", b""));
    request.method = Method::from_bytes(b"post").expect("a method");
    assert_eq!(verdict(FG, &request, now()), Err(Error::WrongSignature));
}

#[test]
fn a_listed_header_must_be_there_once_and_be_listed_once() {
    let lacking = || json(Method::GET, "/a", "", b"");
    for (list, headers) in [
        ("x-sdk-date;x-other", &[][..]),
        ("x-sdk-date;x-twice", &[("X-Twice", "1"), ("X-Twice", "1")][..]),
        ("x-sdk-date;x-sdk-date", &[][..]),
        ("X-Sdk-Date", &[][..]),
        ("x-sdk-date;", &[][..]),
        ("", &[][..]),
    ] {
        let mut all = vec![("X-Sdk-Date", "20261121T000000Z")];
        all.extend_from_slice(headers);
        let request = Request::new(Method::GET, "/a", "", &all, b"");
        let verdict = verdict(FG, &signed_by_hand(request, list, ""), now());
        assert!(matches!(verdict, Err(Error::Malformed { part: "SignedHeaders", .. })), "{list}: {verdict:?}");
    }
    assert!(verdict(FG, &signed(&Scheme::SdkHmac, lacking()), now()).is_ok());
}

#[test]
fn a_derived_credential_is_for_its_day_and_scope() {
    let request = signed(&derived(), json(Method::POST, "/a", "", b"{}"));
    assert!(verdict(FG, &request, now()).is_ok());
    let authorization = request.header("Authorization").to_owned();
    for (from, to, expected) in [
        ("/20261121/", "/20261120/", "malformed"),
        ("/20261121/", "/", "malformed"),
        ("cn-north-4", "", "malformed"),
        ("cn-north-4", "cn-north-5", "the signature does not match"),
        ("functiongraph", "obs", "the signature does not match"),
        ("V11-HMAC-SHA256", "SDK-HMAC-SHA256", "malformed"),
    ] {
        let mut changed = request.clone();
        changed.set("Authorization", &authorization.replace(from, to));
        let refusal = verdict(FG, &changed, now()).expect_err("it is refused").to_string();
        assert!(refusal.starts_with(expected), "{from} -> {to}: {refusal}");
    }
}

#[test]
fn spaces_after_commas_are_optional() {
    for (scheme, family) in [(Scheme::SdkHmac, FG), (derived(), FG), (aws4(), Family::Obs)] {
        let mut request = signed(&scheme, json(Method::POST, "/a", "", b"{}"));
        let dense = request.header("Authorization").replace(", ", ",");
        request.set("Authorization", &dense);
        assert!(verdict(family, &request, now()).is_ok(), "{scheme:?}");
        request.set("Authorization", &dense.replace(',', ",  "));
        assert!(matches!(verdict(family, &request, now()), Err(Error::Malformed { .. })), "{scheme:?}");
    }
}

#[test]
fn each_family_knows_its_own_schemes_only() {
    for (scheme, family) in
        [(Scheme::SdkHmac, Family::Obs), (derived(), Family::Obs), (Scheme::Obs, FG), (Scheme::Aws, FG), (aws4(), FG)]
    {
        let request = signed(&scheme, json(Method::POST, "/a", "", b"{}"));
        let verdict = verdict(family, &request, now());
        assert!(matches!(verdict, Err(Error::Malformed { part: "Authorization", .. })), "{scheme:?}: {verdict:?}");
    }
}

#[test]
fn x_obs_date_wins_over_date() {
    let mut request = signed(&Scheme::Obs, json(Method::POST, "/v2/workflows/w", "", b"{}"));
    let signature_over = |request: &Request| {
        let Ok(Claim::Signed(claim)) = read(Family::Obs, &request.incoming(), &window()) else {
            panic!("no signed claim");
        };
        let secret = credential(OBS_KEY).secret_key;
        base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            claim.keying.sign(&secret, &claim.strings_to_sign[0]),
        )
    };
    request.set("x-obs-date", "Sat, 21 Nov 2026 00:00:00 +0000");
    request.set("Date", "Sat, 21 Nov 2020 00:00:00 GMT");
    assert_eq!(verdict(Family::Obs, &request, now()), Err(Error::WrongSignature));
    let signature = signature_over(&request);
    request.set("Authorization", &format!("OBS {OBS_KEY}:{signature}"));
    assert!(verdict(Family::Obs, &request, now()).is_ok());
    request.set("Date", "whatever a proxy makes of it");
    assert!(verdict(Family::Obs, &request, now()).is_ok(), "a date that is not used is not signed");
    request.set("x-obs-date", "Sat, 21 Nov 2020 00:00:00 GMT");
    assert!(matches!(verdict(Family::Obs, &request, now()), Err(Error::Skewed { .. })));
    request.headers.remove("x-obs-date");
    request.headers.remove("Date");
    assert_eq!(verdict(Family::Obs, &request, now()), Err(Error::DateMissing { header: "Date" }));
}

fn window() -> Window {
    Window { now: now(), seconds: WINDOW }
}

#[test]
fn the_parameters_the_vendor_does_not_list_are_not_signed_in_obs() {
    let mut request = signed(&Scheme::Obs, json(Method::POST, "/v2/workflows/w", "x-workflow-create", b"{}"));
    request.query = "anything=else".to_owned();
    assert!(verdict(Family::Obs, &request, now()).is_ok());
    for query in ["x-workflow-prefix", "x-obs-anything=1", "ACL"] {
        request.query = query.to_owned();
        assert_eq!(verdict(Family::Obs, &request, now()), Err(Error::WrongSignature), "{query}");
    }
}

#[test]
fn a_signed_parameter_cannot_be_split_in_two() {
    let query = "x-workflow-limit=5&x-workflow-start=1";
    let mut request = signed(&Scheme::Obs, json(Method::GET, "/v2/workflows/w", query, b""));
    request.query = "x-workflow-limit=5%26x-workflow-start=1".to_owned();
    assert!(matches!(verdict(Family::Obs, &request, now()), Err(Error::Malformed { part: "query", .. })));
}

#[test]
fn a_decoded_path_cannot_pass_for_a_sub_resource() {
    let mut request = signed(&Scheme::Obs, json(Method::GET, "/v2/workflows/w", "x-workflow-prefix", b""));
    assert!(verdict(Family::Obs, &request, now()).is_ok());
    request.path = "/v2/workflows/w?x-workflow-prefix".to_owned();
    request.query = String::new();
    assert_eq!(verdict(Family::Obs, &request, now()), Err(Error::WrongSignature));
}

#[test]
fn repeated_obs_headers_are_signed_joined_by_commas() {
    let headers = [("x-obs-meta-b", " 1 "), ("x-obs-meta-a", "2"), ("X-Obs-Meta-B", "3")];
    let request = Request::new(Method::POST, "/a", "", &headers, b"");
    let mut request = request;
    request.set("Date", "Sat, 21 Nov 2026 00:00:00 GMT");
    request.set("Authorization", &format!("OBS {OBS_KEY}:AAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let Ok(Claim::Signed(claim)) = read(Family::Obs, &request.incoming(), &window()) else {
        panic!("no signed claim");
    };
    let expected = "POST\n\n\nSat, 21 Nov 2026 00:00:00 GMT\nx-obs-meta-a:2\nx-obs-meta-b:1,3\n/a";
    assert_eq!(claim.strings_to_sign, [expected.as_bytes()]);
}

#[test]
fn the_base64_of_a_signature_has_one_spelling() {
    let request = capture("obs/start.req").request().expect("a request");
    let at = at("2026-11-20T21:49:46Z");
    let authorization = request.header("Authorization").to_owned();
    assert!(authorization.ends_with("aU="), "the last digit but one has two spare bits");
    for other in ["aV=", "aW=", "aX=", "aU", "aU==", "aU= ", "aU=\t"] {
        let mut changed = request.clone();
        changed.set("Authorization", &authorization.replace("aU=", other));
        let verdict = verdict(Family::Obs, &changed, at);
        let is_trimmed = other.ends_with([' ', '\t']);
        assert_eq!(verdict.is_ok(), is_trimmed, "{other:?}: HTTP drops spaces at the end of a value");
    }
}

#[test]
fn the_aws4_time_has_to_be_signed_and_on_the_credentials_day() {
    let request = signed(&aws4(), json(Method::POST, "/a", "b=%2F&a", b"{}"));
    assert!(verdict(Family::Obs, &request, now()).is_ok());
    let authorization = request.header("Authorization").to_owned();
    for (from, to) in [
        (";x-amz-date", ""),
        ("/20261121/", "/20261122/"),
        ("/s3/", "/ec2/"),
        ("/aws4_request", "/aws4"),
        ("/cn-north-4/s3/aws4_request", ""),
    ] {
        let mut changed = request.clone();
        changed.set("Authorization", &authorization.replace(from, to));
        let verdict = verdict(Family::Obs, &changed, now());
        assert!(matches!(verdict, Err(Error::Malformed { .. })), "{from} -> {to}: {verdict:?}");
    }
    let mut changed = request;
    changed.body = b"{ }".to_vec();
    let mismatch = Error::PayloadMismatch { header: "x-amz-content-sha256" };
    assert_eq!(verdict(Family::Obs, &changed, now()), Err(mismatch));
}

#[test]
fn a_body_whose_hash_was_signed_cannot_be_exchanged() {
    for scheme in [Scheme::Obs, Scheme::Aws] {
        let mut request = json(Method::POST, "/a", "", b"{}");
        request.set("Content-MD5", "mZFLkyvTelC5g8XnyQrpOw==");
        let mut request = signed(&scheme, request);
        assert!(verdict(Family::Obs, &request, now()).is_ok());
        request.body = b"{ }".to_vec();
        let mismatch = Error::PayloadMismatch { header: "Content-MD5" };
        assert_eq!(verdict(Family::Obs, &request, now()), Err(mismatch));
    }
}

/// Makes a signed URL of a request by asking the verifying side what to sign.
fn signed_url(mut request: Request, dialect: &obs::Dialect, expires: i64) -> Request {
    let joint = if request.query.is_empty() { "" } else { "&" };
    let own = format!("{}{joint}{}={OBS_KEY}&Expires={expires}", request.query, dialect.url_access_key);
    request.query = format!("{own}&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D");
    let early = Window { now: Timestamp::MIN, seconds: WINDOW };
    let Ok(Claim::Signed(claim)) = read(Family::Obs, &request.incoming(), &early) else {
        panic!("no signed claim");
    };
    let signature = claim.keying.sign(&credential(OBS_KEY).secret_key, &claim.strings_to_sign[0]);
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
    request.query = format!("{own}&Signature={}", crate::auth::canonical::encode(signature.as_bytes()));
    request
}

#[test]
fn a_signed_url_is_good_until_it_expires() {
    for dialect in [&obs::OBS, &obs::AWS] {
        let plain = json(Method::GET, "/v2/workflows/w", "x-workflow-prefix", b"");
        let request = signed_url(plain, dialect, now().seconds());
        assert!(verdict(Family::Obs, &request, now()).is_ok());
        assert!(verdict(Family::Obs, &request, at("2000-01-01T00:00:00Z")).is_ok(), "any time ahead will do");
        let late = Timestamp::from_millis(now().millis() + 1);
        assert_eq!(verdict(Family::Obs, &request, late), Err(Error::UrlExpired { seconds: 1 }));

        let mut changed = request.clone();
        changed.query = request.query.replace("Expires=1", "Expires=2");
        assert_eq!(verdict(Family::Obs, &changed, now()), Err(Error::WrongSignature));
        changed.query = request.query.replace("x-workflow-prefix&", "");
        assert_eq!(verdict(Family::Obs, &changed, now()), Err(Error::WrongSignature));
        changed.query = format!("{}&Expires=1", request.query);
        let twice = Error::malformed("Expires", "the parameter is given more than once");
        assert_eq!(verdict(Family::Obs, &changed, now()), Err(twice));
        changed.query = request.query.replace("Expires", "Expired");
        assert_eq!(verdict(Family::Obs, &changed, now()), Err(Error::DateMissing { header: "Expires" }));
    }
}

/// The string to sign of the vendor's `createSignedUrl`, written out.
#[test]
fn a_signed_url_has_its_expiry_in_place_of_the_date() {
    let query = "AccessKeyId=AK&Expires=1598531890&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&x-obs-security-token=t%2Fk";
    let request = Request::new(Method::GET, "/v2/workflows/w", query, &[("x-obs-date", "ignored")], b"");
    let early = Window { now: Timestamp::MIN, seconds: WINDOW };
    let Ok(Claim::Signed(claim)) = read(Family::Obs, &request.incoming(), &early) else {
        panic!("no signed claim");
    };
    let expected = "GET\n\n\n1598531890\nx-obs-date:ignored\n/v2/workflows/w?x-obs-security-token=t/k";
    assert_eq!(claim.strings_to_sign, [expected.as_bytes()]);
    assert_eq!(claim.security_token.value.as_ref().map(SecretKey::reveal), Some("t/k"));
}

#[test]
fn a_temporary_credential_needs_its_own_token() {
    let temporary = parse(&CREDENTIALS.replace("TEMPTOKEN123", "T").replace("TEMPTOKEN", "T"));
    for scheme in [Scheme::SdkHmac, derived(), Scheme::Obs, Scheme::Aws, aws4()] {
        let is_fg = matches!(scheme, Scheme::SdkHmac | Scheme::Derived { .. });
        let (family, key) = if is_fg { (FG, FG_KEY) } else { (Family::Obs, OBS_KEY) };
        let only_temporary = parse(
            r#"{"credentials": [{"access_key": "KEY", "project_id": "p", "domain_id": "d", "security_token": "T",
                "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"}]}"#
                .replace("KEY", key)
                .as_str(),
        );
        let sign_as = |token: Option<&str>| {
            let request = json(Method::POST, "/a", "", b"{}");
            let signer = Credential { security_token: token.map(SecretKey::from), ..credential(key) };
            let added = sign(&scheme, &request.incoming(), "h", &signer, now()).expect("it can be signed");
            request.with(added)
        };
        let check = |credentials, token| verdict_with(credentials, family, &sign_as(token), now());
        assert!(check(&temporary, Some("T")).is_ok(), "{scheme:?}");
        assert!(check(&temporary, None).is_ok(), "{scheme:?}: the permanent credential has no token");
        assert!(matches!(check(&only_temporary, None), Err(Error::SecurityTokenMissing { .. })), "{scheme:?}");
        for wrong in ["X", "", "TT"] {
            let verdict = check(&only_temporary, Some(wrong));
            assert!(matches!(verdict, Err(Error::SecurityTokenWrong { .. })), "{scheme:?}: {verdict:?}");
        }
        let mut changed = sign_as(Some("T"));
        for header in ["X-Security-Token", "x-obs-security-token", "x-amz-security-token"] {
            if changed.headers.contains_key(header) {
                changed.set(header, "X");
            }
        }
        assert_eq!(verdict_with(&only_temporary, family, &changed, now()), Err(Error::WrongSignature), "{scheme:?}");
    }
}

#[test]
fn a_token_counts_only_without_a_signature() {
    let mut request = json(Method::POST, "/a", "", b"{}");
    request.set("X-Auth-Token", "a-token-of-the-owner");
    let principal = verdict(FG, &request, now()).expect("the token is known");
    assert_eq!((principal.name.as_str(), principal.project_id.as_str()), ("token", "p3"));
    assert!(matches!(verdict(Family::Obs, &request, now()), Err(Error::MissingCredentials { .. })));

    let mut signed = signed(&Scheme::SdkHmac, request.clone());
    assert_eq!(verdict(FG, &signed, now()).map(|principal| principal.name).as_deref(), Ok(FG_KEY));
    signed.body.clear();
    assert_eq!(verdict(FG, &signed, now()), Err(Error::WrongSignature));

    request.set("X-Auth-Token", "a-token-of-the-owneR");
    assert_eq!(verdict(FG, &request, now()), Err(Error::UnknownToken));
    request.set("X-Auth-Token", "");
    assert!(matches!(verdict(FG, &request, now()), Err(Error::Malformed { .. })));
}
