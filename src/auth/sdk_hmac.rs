//! `SDK-HMAC-SHA256` and `V11-HMAC-SHA256`, what FunctionGraph clients sign with (signing.md 4.1 and 4.3).
//!
//! In the order in which they refuse:
//!
//! 1. `Authorization` is `SDK-HMAC-SHA256 Access=<key>, SignedHeaders=<a;b>, Signature=<hex>`, or the same with
//!    `V11-HMAC-SHA256 Credential=<key>/<yyyymmdd>/<region>/<service>`. The space after a comma may be left out.
//! 2. `X-Sdk-Date` is there, once, and is a time of the form `yyyymmddThhmmssZ`.
//! 3. Every header of `SignedHeaders` is there, once, and `X-Sdk-Date` is among them: the time that is checked is the one
//!    that was signed. No other header has to be signed; Go's client signs nothing else.
//! 4. The time lies within the window, and for `V11` on the day of the credential.
//! 5. The signature is that of the canonical request: the method as it is, the path decoded and encoded again with a
//!    closing `/`, the query sorted, the signed headers as listed, the hash of the body as received.
//!    So two requests that differ only in how path or query are escaped are one request to this scheme.
//! 6. If `X-Sdk-Content-Sha256` is signed, its value stands in for that hash; other than `UNSIGNED-PAYLOAD` it has to be
//!    the hash. If it is not signed it means nothing.
//! 7. `X-Security-Token` is there exactly if the credential is a temporary one, and is that credential's.

use super::canonical::{self, Payload, SignedHeaders};
use super::claim::{self, SignedClaim};
use super::mac::{self, Keying};
use super::times::{self, Window};
use super::{Error, Incoming};

/// What the header starts with when the key itself signs.
pub(super) const PLAIN: &str = "SDK-HMAC-SHA256";

/// What the header starts with when a key derived for a day, a region and a service signs.
pub(super) const DERIVED: &str = "V11-HMAC-SHA256";

pub(super) const DATE: &str = "X-Sdk-Date";
pub(super) const SECURITY_TOKEN: &str = "X-Security-Token";
const CONTENT_HASH: &str = "X-Sdk-Content-Sha256";

/// The `Authorization` header, taken apart.
#[derive(Debug)]
struct Authorization<'a> {
    algorithm: &'static str,
    access_key: String,
    /// `yyyymmdd/region/service`, for the derived scheme.
    info: Option<&'a str>,
    signed_headers: &'a str,
    signature: Vec<u8>,
}

impl<'a> Authorization<'a> {
    fn parse(algorithm: &'static str, members: &'a str) -> Result<Self, Error> {
        let key_member = if algorithm == DERIVED { "Credential" } else { "Access" };
        let [key, signed_headers, signature] = claim::pairs(members, [key_member, "SignedHeaders", "Signature"])?;
        let (access_key, info) = match algorithm {
            DERIVED => key.split_once('/').map(|(access_key, info)| (access_key, Some(info))).ok_or(BAD_SCOPE)?,
            _ => (key, None),
        };
        let signature = claim::hex_signature(signature)?;
        Ok(Self { algorithm, access_key: claim::access_key(access_key)?, info, signed_headers, signature })
    }

    fn keying(&self) -> Keying {
        match self.info {
            None => Keying::Sha256,
            Some(info) => Keying::Derived { access_key: self.access_key.clone(), info: info.to_owned() },
        }
    }
}

const BAD_SCOPE: Error = Error::Malformed {
    part: "Authorization",
    problem: "the credential is not `<access key>/<yyyymmdd>/<region>/<service>` with the day of `X-Sdk-Date`",
};

/// Reads the claim of a request whose `Authorization` is `algorithm` followed by `members`.
pub(super) fn read(
    request: &Incoming<'_>,
    algorithm: &'static str,
    members: &str,
    window: &Window,
) -> Result<SignedClaim, Error> {
    let authorization = Authorization::parse(algorithm, members)?;
    let header = canonical::single_header(request.headers, DATE)?.ok_or(Error::DateMissing { header: DATE })?;
    let date = claim::text(DATE, header)?;
    let signed_at = times::parse_basic(date).ok_or(Error::DateMalformed { header: DATE, form: times::BASIC_FORM })?;
    let signed = SignedHeaders::find(authorization.signed_headers, request.headers)?;
    if !signed.contains("x-sdk-date") {
        return Err(Error::malformed("SignedHeaders", "it lacks `x-sdk-date`"));
    }
    let has_own_scope = authorization.info.is_none_or(|info| is_scope_of_day(info, &date[..8]));
    if !has_own_scope {
        return Err(BAD_SCOPE);
    }
    let security_token = claim::security_token(request.headers, SECURITY_TOKEN)?;
    window.admit(signed_at)?;

    let payload = Payload::read(request, &signed, "x-sdk-content-sha256");
    let mut body_hashes = vec![payload.line().to_owned()];
    if payload == Payload::Unsigned && request.body.is_empty() {
        // The Python client says UNSIGNED-PAYLOAD for a content type that is not JSON, but signs the empty hash if there
        // is no body.
        body_hashes.push(mac::sha256_hex(b""));
    }
    let strings_to_sign = body_hashes
        .iter()
        .map(|body_hash| string_to_sign(&authorization, date, &canonical_request(request, &signed, body_hash)))
        .collect();
    Ok(SignedClaim {
        keying: authorization.keying(),
        access_key: authorization.access_key,
        security_token,
        strings_to_sign,
        signature: authorization.signature,
        payload_mismatch: matches!(payload, Payload::Mismatch(_)).then_some(CONTENT_HASH),
    })
}

/// Whether `info` is `day/region/service`.
fn is_scope_of_day(info: &str, day: &str) -> bool {
    let parts: Vec<&str> = info.split('/').collect();
    matches!(parts[..], [date, region, service] if date == day && !region.is_empty() && !service.is_empty())
}

pub(super) fn canonical_request(request: &Incoming<'_>, signed: &SignedHeaders<'_>, body_hash: &str) -> Vec<u8> {
    canonical::request(request, &canonical::decoded_path(request.path), signed, body_hash)
}

fn string_to_sign(authorization: &Authorization<'_>, date: &str, canonical_request: &[u8]) -> Vec<u8> {
    let mut lines = vec![authorization.algorithm, date];
    lines.extend(authorization.info);
    let hash = mac::sha256_hex(canonical_request);
    lines.push(&hash);
    lines.join("\n").into_bytes()
}
