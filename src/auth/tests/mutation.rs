//! Every bit of every capture: what is signed cannot be changed, what is not can.
//!
//! Two flips give the same request by the scheme's own definition and have to be accepted: the case of a letter in a
//! header's name, which HTTP does not distinguish, and for FunctionGraph the case of a hexadecimal digit in an escape of the
//! path or query, which are decoded before they are signed. There is no other exception.

use percent_encoding::percent_decode;

use super::support::{Capture, captures, verdict};
use crate::auth::Family;

/// What flipping a bit has to lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Refused,
    Accepted,
}

#[derive(Default)]
struct Tally {
    refused: usize,
    accepted: usize,
    /// Requests no HTTP server would hand over.
    not_http: usize,
}

impl Tally {
    fn check(&mut self, original: &Capture, changed: &Capture, expected: Expected, what: &str) {
        let Some(request) = changed.request() else {
            self.not_http += 1;
            return;
        };
        let verdict = verdict(changed.family, &request, original.time());
        match (&verdict, expected) {
            (Ok(_), Expected::Accepted) => self.accepted += 1,
            (Err(_), Expected::Refused) => self.refused += 1,
            _ => panic!("{}: {what}: expected {expected:?}, got {verdict:?}, {changed:?}", original.name),
        }
    }
}

/// Calls `change` with a copy of `bytes` for each bit, in which that bit is the other way round.
fn each_flip(bytes: &[u8], mut change: impl FnMut(Vec<u8>)) {
    for position in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[position / 8] ^= 1 << (position % 8);
        change(flipped);
    }
}

fn differs_in_case_of_escape_only(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right) && percent_decode(left).eq(percent_decode(right))
}

/// The names of the headers the capture's signature covers, told from the scheme's description and not by the code under
/// test.
fn signed_headers(capture: &Capture) -> Vec<String> {
    let authorization = capture.header("Authorization").expect("a signature");
    let mut signed: Vec<String> = match authorization.split_once("SignedHeaders=") {
        Some((_, rest)) => {
            let list = rest.split(',').next().expect("a list");
            list.split(';').map(str::to_owned).collect()
        }
        None => {
            let names = capture.headers.iter().map(|(name, _)| String::from_utf8_lossy(name).to_ascii_lowercase());
            names.filter(|name| name.starts_with("x-obs-") || ["content-type", "date"].contains(&&name[..])).collect()
        }
    };
    signed.push("authorization".to_owned());
    signed
}

/// A test per folder, so that they run side by side.
fn check_folder(folder: &str) {
    let mut tally = Tally::default();
    for capture in captures() {
        if capture.name.starts_with(folder) && capture.header("Authorization").is_some() {
            check_target(&mut tally, &capture);
            check_headers(&mut tally, &capture);
            check_body(&mut tally, &capture);
        }
    }
    eprintln!("{folder} refused {}, accepted {}, not HTTP {}", tally.refused, tally.accepted, tally.not_http);
    assert!(tally.refused > 10_000 && tally.accepted > 1_000, "the test has lost its captures");
}

#[test]
fn no_signed_bit_of_functiongraph_v1_can_be_flipped_and_every_other_can() {
    check_folder("fgv1/");
}

#[test]
fn no_signed_bit_of_functiongraph_v2_can_be_flipped_and_every_other_can() {
    check_folder("fgv2/");
}

#[test]
fn no_signed_bit_of_functiongraph_v2_at_a_fixed_time_can_be_flipped_and_every_other_can() {
    check_folder("fgv2_fixed/");
}

#[test]
fn no_signed_bit_of_obs_can_be_flipped_and_every_other_can() {
    check_folder("obs/");
}

fn check_target(tally: &mut Tally, capture: &Capture) {
    each_flip(&capture.method, |method| {
        let changed = Capture { method, ..capture.clone() };
        tally.check(capture, &changed, Expected::Refused, "method");
    });
    let expected = |changed: &[u8], original: &[u8]| {
        if capture.family == Family::FunctionGraph && differs_in_case_of_escape_only(changed, original) {
            Expected::Accepted
        } else {
            Expected::Refused
        }
    };
    each_flip(&capture.path, |path| {
        let expected = expected(&path, &capture.path);
        tally.check(capture, &Capture { path, ..capture.clone() }, expected, "path");
    });
    each_flip(&capture.query, |query| {
        let expected = expected(&query, &capture.query);
        tally.check(capture, &Capture { query, ..capture.clone() }, expected, "query");
    });
}

fn check_headers(tally: &mut Tally, capture: &Capture) {
    let signed = signed_headers(capture);
    for (position, (name, value)) in capture.headers.iter().enumerate() {
        let is_signed = signed.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(name));
        let what = String::from_utf8_lossy(name).into_owned();
        each_flip(name, |flipped| {
            let is_same = flipped.eq_ignore_ascii_case(name);
            let expected = if is_signed && !is_same { Expected::Refused } else { Expected::Accepted };
            let mut changed = capture.clone();
            changed.headers[position].0 = flipped;
            tally.check(capture, &changed, expected, &what);
        });
        each_flip(value, |flipped| {
            let mut changed = capture.clone();
            changed.headers[position].1 = flipped;
            let expected = if is_signed { Expected::Refused } else { Expected::Accepted };
            tally.check(capture, &changed, expected, &what);
        });
    }
}

fn check_body(tally: &mut Tally, capture: &Capture) {
    let takes_body_out = capture.header("X-Sdk-Content-Sha256") == Some("UNSIGNED-PAYLOAD");
    let covers_body = capture.family == Family::FunctionGraph && !takes_body_out;
    let expected = if covers_body { Expected::Refused } else { Expected::Accepted };
    each_flip(&capture.body, |body| {
        tally.check(capture, &Capture { body, ..capture.clone() }, expected, "body");
    });
    let mut body = capture.body.clone();
    body.push(b' ');
    tally.check(capture, &Capture { body, ..capture.clone() }, expected, "a longer body");
}
