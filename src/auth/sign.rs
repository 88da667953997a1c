//! The client's side: makes the headers that [`Authenticator`](super::Authenticator) verifies, for `flowgate sign` and for
//! tests.
//!
//! The request is first given a signature of zeros and read by the verifying side, which says what has to be signed. So
//! there is one canonical form in this program; the vendor's captures in the tests hold it to the vendor's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};

use super::claim::Claim;
use super::credentials::Credential;
use super::times::{self, Window};
use super::{Error, Family, Incoming, aws4, mac, obs, sdk_hmac};
use crate::clock::Timestamp;

/// How to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `SDK-HMAC-SHA256`, for FunctionGraph.
    SdkHmac,
    /// `V11-HMAC-SHA256`, for FunctionGraph, with a key for one region and service.
    Derived {
        /// Any name without a `/`.
        region: String,
        /// Any name without a `/`.
        service: String,
    },
    /// `OBS`.
    Obs,
    /// `AWS`, for OBS, which the vendor's client has as `v2`.
    Aws,
    /// `AWS4-HMAC-SHA256`, for OBS, which the vendor's client has as `v4`.
    Aws4 {
        /// Any name without a `/`; may be empty.
        region: String,
    },
}

/// Signs for FunctionGraph; see [`sign`].
pub fn sign_sdk_hmac(
    request: &Incoming<'_>,
    host: &str,
    credential: &Credential,
    at: Timestamp,
) -> Result<HeaderMap, Error> {
    sign(&Scheme::SdkHmac, request, host, credential, at)
}

/// Signs for OBS; see [`sign`].
pub fn sign_obs(
    request: &Incoming<'_>,
    host: &str,
    credential: &Credential,
    at: Timestamp,
) -> Result<HeaderMap, Error> {
    sign(&Scheme::Obs, request, host, credential, at)
}

/// Makes the headers to set on `request` so that it is signed: `Authorization`, `Host`, the time, and the security token if
/// the credential has one. Where the scheme lets the signer choose, all headers of the request are signed, and the body.
///
/// Fails with what the verifying side would say of the request, such as a header given twice.
pub fn sign(
    scheme: &Scheme,
    request: &Incoming<'_>,
    host: &str,
    credential: &Credential,
    at: Timestamp,
) -> Result<HeaderMap, Error> {
    let at = Timestamp::from_seconds(at.seconds());
    let mut added = HeaderMap::new();
    added.insert(HOST, header_value("Host", host)?);
    let (family, date, date_text, security_token) = match scheme {
        Scheme::SdkHmac | Scheme::Derived { .. } => {
            (Family::FunctionGraph, sdk_hmac::DATE, times::format_basic(at), sdk_hmac::SECURITY_TOKEN)
        }
        Scheme::Obs => (Family::Obs, "Date", times::format_http(at), obs::OBS.security_token),
        Scheme::Aws => (Family::Obs, "Date", times::format_http(at), obs::AWS.security_token),
        Scheme::Aws4 { .. } => (Family::Obs, "x-amz-date", times::format_basic(at), aws4::SECURITY_TOKEN),
    };
    added.insert(header_name(date)?, header_value(date, &date_text)?);
    if let Some(token) = &credential.security_token {
        added.insert(header_name(security_token)?, header_value(security_token, token.reveal())?);
    }
    if matches!(scheme, Scheme::Aws4 { .. }) {
        let hash = mac::sha256_hex(request.body);
        added.insert(header_name(aws4::CONTENT_HASH)?, header_value(aws4::CONTENT_HASH, &hash)?);
    }

    let mut headers = request.headers.clone();
    headers.remove(AUTHORIZATION);
    for (name, value) in &added {
        headers.insert(name.clone(), value.clone());
    }
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let list = names.join(";");

    let placeholder = authorization(scheme, credential, &date_text, &list, &[0; 32])?;
    headers.insert(AUTHORIZATION, placeholder);
    let incoming = Incoming { headers: &headers, ..*request };
    let Claim::Signed(claim) = super::read(family, &incoming, &Window { now: at, seconds: 0 })? else {
        return Err(Error::malformed("Authorization", "a token is not signed"));
    };
    let string_to_sign = claim.strings_to_sign.first().map(Vec::as_slice).unwrap_or_default();
    let signature = claim.keying.sign(&credential.secret_key, string_to_sign);
    added.insert(AUTHORIZATION, authorization(scheme, credential, &date_text, &list, &signature)?);
    Ok(added)
}

/// Writes the `Authorization` header. The OBS schemes' signatures are 20 bytes long, all others' 32.
fn authorization(
    scheme: &Scheme,
    credential: &Credential,
    date: &str,
    list: &str,
    signature: &[u8],
) -> Result<HeaderValue, Error> {
    let key = &credential.access_key;
    let day = date.get(..8).unwrap_or_default();
    let rest = format!("SignedHeaders={list}, Signature={}", hex::encode(signature));
    let text = match scheme {
        Scheme::SdkHmac => format!("{} Access={key}, {rest}", sdk_hmac::PLAIN),
        Scheme::Derived { region, service } => {
            format!("{} Credential={key}/{day}/{region}/{service}, {rest}", sdk_hmac::DERIVED)
        }
        Scheme::Obs => format!("{} {key}:{}", obs::OBS.scheme, STANDARD.encode(&signature[..20])),
        Scheme::Aws => format!("{} {key}:{}", obs::AWS.scheme, STANDARD.encode(&signature[..20])),
        Scheme::Aws4 { region } => format!("{} Credential={key}/{day}/{region}/s3/aws4_request, {rest}", aws4::SCHEME),
    };
    header_value("Authorization", &text)
}

fn header_name(name: &'static str) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::malformed(name, "it is not a header's name"))
}

fn header_value(header: &'static str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::malformed(header, "it has characters a header cannot carry"))
}
