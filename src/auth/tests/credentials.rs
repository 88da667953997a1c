//! The format of the credentials.

use super::support::parse;
use crate::auth::{Credentials, ParseError};

const ENTRY: &str = r#""access_key": "AK", "secret_key": "SECRETVALUE", "project_id": "p", "domain_id": "d""#;

fn error(json: &str) -> String {
    Credentials::parse(json).expect_err("it is refused").to_string()
}

#[test]
fn every_member_is_read() {
    let credentials = parse(
        r#"{"credentials": [{"access_key": "AK", "secret_key": "SK", "project_id": "p", "domain_id": "d",
            "security_token": "ST", "expires_at": "2027-01-01T00:00:00Z", "workflows": ["a", "b"], "operations": []}],
            "tokens": [{"token": "T", "project_id": "p", "domain_id": "d", "operations": ["start"]}]}"#,
    );
    let key = credentials.first().expect("a credential");
    assert_eq!((key.access_key.as_str(), key.secret_key.reveal()), ("AK", "SK"));
    assert_eq!(key.security_token.as_ref().expect("a token").reveal(), "ST");
    assert_eq!((key.grant.project_id.as_str(), key.grant.domain_id.as_str()), ("p", "d"));
    assert_eq!(key.grant.expires_at.expect("a time").iso_millis(), "2027-01-01T00:00:00.000Z");
    assert_eq!(key.grant.workflows.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(key.grant.operations.as_deref(), Some(&[][..]));
    let token = credentials.tokens().next().expect("a token");
    assert_eq!(token.token.reveal(), "T");
    assert_eq!((&token.grant.workflows, &token.grant.expires_at), (&None, &None));
}

#[test]
fn the_sample_is_the_documented_pair() {
    let sample = Credentials::sample();
    let pair = sample.first().expect("a credential");
    assert_eq!(pair.access_key, "FLOWGATELOCALKEY0001");
    assert_eq!(pair.secret_key.reveal(), "flowgate-local-secret-key-for-laptops-only");
    assert_eq!(pair.grant.project_id, "c0ffee00c0ffee00c0ffee00c0ffee00");
    assert_eq!(pair.grant.domain_id, "d0d0cafed0d0cafed0d0cafed0d0cafe");
    assert!(sample.contains_sample() && !sample.is_empty());
}

#[test]
fn the_sample_and_emptiness_are_found() {
    assert!(parse("{}").is_empty());
    assert!(parse(r#"{"credentials": [], "tokens": []}"#).is_empty());
    let other = parse(&format!("{{\"credentials\": [{{{ENTRY}}}]}}"));
    assert!(!other.is_empty() && !other.contains_sample());
    let other_secret = ENTRY.replace("AK", "FLOWGATELOCALKEY0001");
    assert!(parse(&format!("{{\"credentials\": [{{{other_secret}}}]}}")).contains_sample());
    let sample_secret = ENTRY.replace("SECRETVALUE", "flowgate-local-secret-key-for-laptops-only");
    assert!(parse(&format!("{{\"credentials\": [{{{sample_secret}}}]}}")).contains_sample());
}

#[test]
fn errors_name_the_entry_and_the_member_and_never_a_value() {
    for (from, to, member, problem) in [
        ("\"AK\"", "5", "access_key", "not of the form it should have"),
        ("\"AK\"", "\"A K\"", "access_key", "not of the form it should have"),
        ("\"AK\"", "\"A/K\"", "access_key", "not of the form it should have"),
        ("\"AK\"", "\"\"", "access_key", "not of the form it should have"),
        ("\"SECRETVALUE\"", "\"\"", "secret_key", "not of the form it should have"),
        ("\"SECRETVALUE\"", "[\"SECRETVALUE\"]", "secret_key", "not of the form it should have"),
        ("secret_key", "secret_kye", "secret_key", "missing"),
        ("\"p\"", "\"p/q\"", "project_id", "not of the form it should have"),
        ("\"d\"", "\"d\", \"workflow\": []", "workflow", "unknown or repeated"),
        ("\"d\"", "\"d\", \"domain_id\": \"e\"", "domain_id", "unknown or repeated"),
        ("\"d\"", "\"d\", \"workflows\": \"a\"", "workflows", "not a list of strings"),
        ("\"d\"", "\"d\", \"workflows\": null", "workflows", "not a list of strings"),
        ("\"d\"", "\"d\", \"operations\": [1]", "operations", "not a list of strings"),
        ("\"d\"", "\"d\", \"expires_at\": \"soon\"", "expires_at", "not of the form it should have"),
        ("\"d\"", "\"d\", \"security_token\": \"\"", "security_token", "not of the form it should have"),
    ] {
        let json = format!("{{\"credentials\": [{{{ENTRY}}}, {{{}}}]}}", ENTRY.replace(from, to));
        let text = error(&json);
        assert_eq!(text, format!("`credentials[1]`: member `{member}` is {problem}"));
    }
    assert_eq!(error(r#"{"tokens": [{}]}"#), "`tokens[0]`: member `token` is missing");
}

#[test]
fn errors_of_syntax_give_the_place_only() {
    for json in [
        "",
        "[]",
        "SECRETVALUE",
        "\"SECRETVALUE\"",
        r#"{"credentials": "SECRETVALUE"}"#,
        r#"{"credentials": ["SECRETVALUE"]}"#,
        r#"{"credential": []}"#,
        r#"{"credentials": [], "credentials": []}"#,
        r#"{"credentials": [] SECRETVALUE"#,
    ] {
        let error = Credentials::parse(json).expect_err("it is refused");
        assert!(matches!(error, ParseError::Syntax { .. }), "{json}: {error}");
        assert!(!error.to_string().contains("SECRET"), "{json}: {error}");
    }
}
