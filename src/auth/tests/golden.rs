//! What the vendor's clients sent verifies, and the vectors the vendor printed match at every stage.

use super::support::{captures, verdict};
use crate::auth::Error;

#[tokio::test]
async fn every_capture_verifies_at_its_own_time() {
    let captures = captures();
    assert_eq!(captures.len(), 48, "a capture is missing");
    for capture in &captures {
        let request = capture.request().expect("a valid request");
        let verdict = verdict(capture.family, &request, capture.time()).await;
        if capture.name == "obs/start_anonymous.req" {
            assert!(matches!(verdict, Err(Error::MissingCredentials { .. })), "{}: {verdict:?}", capture.name);
            continue;
        }
        let expected = if capture.name.starts_with("obs") { "H4IPJX0TQTHTHEBQQCEC" } else { "QTWAOYTTINDUT2QVKYUC" };
        assert_eq!(verdict.map(|principal| principal.name).as_deref(), Ok(expected), "{}", capture.name);
    }
}
