//! `AWS4-HMAC-SHA256`, which the vendor's OBS client has as `signature='v4'` (obs.md 1.7).
//!
//! In the order in which they refuse:
//!
//! 1. `Authorization` is `AWS4-HMAC-SHA256 Credential=<key>/<yyyymmdd>/<region>/s3/aws4_request,SignedHeaders=<a;b>,`
//!    `Signature=<hex>`, with or without spaces after the commas. The region may be any, and empty.
//! 2. `x-amz-date`, or without it `Date`, is there, once, and is a time: the former of the form `yyyymmddThhmmssZ`, the
//!    latter such as `Thu, 27 Aug 2020 12:38:10 GMT`. The vendor's client sends the latter only.
//! 3. Every header of `SignedHeaders` is there, once, and the one with the time is among them.
//! 4. The credential's day is the time's.
//! 5. The time lies within the window.
//! 6. The signature is that of the canonical request: the method, the path as the client sent it, the query sorted, the
//!    signed headers as listed, the hash of the body.
//! 7. If `x-amz-content-sha256` is signed, its value stands in for that hash; other than `UNSIGNED-PAYLOAD`, which is what
//!    the vendor's client sends, it has to be the hash. If it is not signed it means nothing.
//! 8. `x-amz-security-token` is there exactly if the credential is a temporary one, and is that credential's.

use super::canonical::{self, Payload, SignedHeaders};
use super::claim::{self, SignedClaim};
use super::mac::{self, Keying};
use super::times::{self, Window};
use super::{Error, Incoming};
use crate::clock::Timestamp;

/// What the header starts with.
pub(super) const SCHEME: &str = "AWS4-HMAC-SHA256";

pub(super) const SECURITY_TOKEN: &str = "x-amz-security-token";
pub(super) const CONTENT_HASH: &str = "x-amz-content-sha256";
const OWN_DATE: &str = "x-amz-date";
const PLAIN_DATE: &str = "Date";

/// Reads the claim of a request whose `Authorization` is the scheme followed by `members`.
pub(super) fn read(request: &Incoming<'_>, members: &str, window: &Window) -> Result<SignedClaim, Error> {
    let [credential, list, signature] = claim::pairs(members, ["Credential", "SignedHeaders", "Signature"])?;
    let (access_key, scope) = credential.split_once('/').ok_or(BAD_SCOPE)?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [day, region, "s3", "aws4_request"] = parts[..] else {
        return Err(BAD_SCOPE);
    };
    let access_key = claim::access_key(access_key)?;
    let signature = claim::hex_signature(signature)?;

    let (header, signed_at) = signing_time(request)?;
    let signed = SignedHeaders::find(list, request.headers)?;
    if !signed.contains(&header.to_ascii_lowercase()) {
        return Err(Error::malformed("SignedHeaders", "it lacks the header with the time"));
    }
    let date = times::format_basic(signed_at);
    if day != &date[..8] {
        return Err(BAD_SCOPE);
    }
    let security_token = claim::security_token(request.headers, SECURITY_TOKEN)?;
    window.admit(signed_at)?;

    let payload = Payload::read(request, &signed, CONTENT_HASH);
    let strings_to_sign = canonical::wire_paths(request.path)
        .iter()
        .map(|path| canonical::request(request, path, &signed, payload.line()))
        .map(|canonical_request| [SCHEME, &date, scope, &mac::sha256_hex(&canonical_request)].join("\n").into_bytes())
        .collect();
    Ok(SignedClaim {
        access_key,
        security_token,
        keying: Keying::Aws4 { date: day.to_owned(), region: region.to_owned() },
        strings_to_sign,
        signature,
        payload_mismatch: matches!(payload, Payload::Mismatch(_)).then_some(CONTENT_HASH),
    })
}

const BAD_SCOPE: Error = Error::Malformed {
    part: "Authorization",
    problem: "the credential is not `<access key>/<yyyymmdd>/<region>/s3/aws4_request` with the day of the date header",
};

/// The time of the request and the header it is from.
fn signing_time(request: &Incoming<'_>) -> Result<(&'static str, Timestamp), Error> {
    let own_date = canonical::single_header(request.headers, OWN_DATE)?;
    let plain_date = canonical::single_header(request.headers, PLAIN_DATE)?;
    let (header, time, form) = match (own_date, plain_date) {
        (Some(value), _) => (OWN_DATE, times::parse_basic(claim::text(OWN_DATE, value)?), times::BASIC_FORM),
        (None, Some(value)) => (PLAIN_DATE, times::parse_http(claim::text(PLAIN_DATE, value)?), times::HTTP_FORM),
        (None, None) => return Err(Error::DateMissing { header: PLAIN_DATE }),
    };
    Ok((header, time.ok_or(Error::DateMalformed { header, form })?))
}
