//! What the vendor's clients sent verifies.

use super::support::{CREDENTIALS, authenticator, capture, captures};
use crate::auth::Error;

#[tokio::test]
async fn every_capture_verifies_at_its_own_time() {
    let captures = captures();
    assert_eq!(captures.len(), 48, "a capture is missing");
    for capture in &captures {
        let request = capture.request().expect("a valid request");
        let authenticator = authenticator(CREDENTIALS, capture.time());
        let verdict = authenticator.authenticate(capture.family, &request.incoming()).await;
        if capture.name == "obs/start_anonymous.req" {
            assert!(matches!(verdict, Err(Error::MissingCredentials { .. })), "{}: {verdict:?}", capture.name);
            continue;
        }
        let expected = if capture.name.starts_with("obs") { "H4IPJX0TQTHTHEBQQCEC" } else { "QTWAOYTTINDUT2QVKYUC" };
        assert_eq!(verdict.map(|principal| principal.name).as_deref(), Ok(expected), "{}", capture.name);
    }
}

/// AWS HTTP APIs hand over the path percent-decoded.
#[tokio::test]
async fn captures_verify_behind_a_gateway_that_decodes_the_path() {
    for (name, decoded) in [
        ("obs/start_odd_name.req", "/v2/workflows/a b:c~d+e"),
        (
            "fgv1/start.req",
            "/v1.0/9800716a0c604a8690963103a85754f0/cloud_graphs/urn:fgs:cn-north-1:9800716a0c604a8690963103a85754f0:graph:\
             workflow-8f84/executions/action",
        ),
        (
            "fgv2/start_seed_sample_verbatim_no_workflow_id.req",
            "/v2/c53626012ba84727b938ca8bf03108ef/fgs/workflows/{workflow_id}/executions",
        ),
    ] {
        let capture = capture(name);
        let mut request = capture.request().expect("a valid request");
        request.path = decoded.to_owned();
        let authenticator = authenticator(CREDENTIALS, capture.time());
        let verdict = authenticator.authenticate(capture.family, &request.incoming()).await;
        assert!(verdict.is_ok(), "{name}: {verdict:?}");
    }
}
