//! When newer credentials are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::support::{CREDENTIALS, Request, WINDOW, capture, parse};
use crate::auth::{Authenticator, CredentialSource, Credentials, Error, Principal, Unavailable};
use crate::clock::FixedClock;

/// A source that counts how often it is asked.
struct Counting {
    at_hand: Option<Arc<Credentials>>,
    newer: Option<Arc<Credentials>>,
    refreshes: AtomicUsize,
}

impl Counting {
    fn new(at_hand: Option<&str>, newer: Option<&str>) -> Arc<Self> {
        let read = |text: Option<&str>| text.map(|text| Arc::new(parse(text)));
        Arc::new(Self { at_hand: read(at_hand), newer: read(newer), refreshes: AtomicUsize::new(0) })
    }

    fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CredentialSource for Counting {
    async fn snapshot(&self) -> Result<Arc<Credentials>, Unavailable> {
        self.at_hand.clone().ok_or(Unavailable)
    }

    async fn refresh(&self, _seen: &Arc<Credentials>) -> Option<Arc<Credentials>> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        self.newer.clone()
    }
}

async fn verdict(source: &Arc<Counting>, change: impl FnOnce(&mut Request)) -> Result<Principal, Error> {
    let capture = capture("fgv2/start_objects.req");
    let mut request = capture.request().expect("a request");
    change(&mut request);
    let clock = Arc::new(FixedClock(capture.time()));
    let authenticator = Authenticator::new(Arc::clone(source) as _, clock, WINDOW);
    authenticator.authenticate(capture.family, &request.incoming()).await
}

#[tokio::test]
async fn a_right_signature_asks_for_nothing() {
    let source = Counting::new(Some(CREDENTIALS), None);
    assert!(verdict(&source, |_| {}).await.is_ok());
    assert_eq!(source.refreshes(), 0);
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_signature_ask_once() {
    let source = Counting::new(Some("{}"), Some("{}"));
    assert_eq!(verdict(&source, |_| {}).await, Err(Error::UnknownKey));
    assert_eq!(source.refreshes(), 1);

    let source = Counting::new(Some(CREDENTIALS), Some(CREDENTIALS));
    assert_eq!(verdict(&source, |request| request.body.clear()).await, Err(Error::WrongSignature));
    assert_eq!(source.refreshes(), 1);
}

#[tokio::test]
async fn what_is_refused_before_the_key_asks_for_nothing() {
    let source = Counting::new(Some(CREDENTIALS), None);
    assert!(verdict(&source, |request| request.set("X-Sdk-Date", "20200101T000000Z")).await.is_err());
    assert_eq!(source.refreshes(), 0);
}

#[tokio::test]
async fn a_rotated_key_is_let_in_with_the_newer_credentials() {
    let rotated = CREDENTIALS.replace("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "the-secret-before");
    for at_hand in ["{}", &rotated] {
        let source = Counting::new(Some(at_hand), Some(CREDENTIALS));
        assert!(verdict(&source, |_| {}).await.is_ok());
        assert_eq!(source.refreshes(), 1);
    }
}

#[tokio::test]
async fn without_credentials_nobody_is_let_in() {
    let source = Counting::new(None, None);
    assert_eq!(verdict(&source, |_| {}).await, Err(Error::Unavailable));
}
