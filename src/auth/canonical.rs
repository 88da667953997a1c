//! Canonical text: what client and server both make of a request, so that both sign the same bytes.
//!
//! Everything here works on bytes and accepts any input; a `%` that starts no escape stands for itself.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::{Error, Incoming, mac};

/// The hash line of a request whose body is not signed.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Percent-encodes all but `A-Z a-z 0-9 - _ . ~`, the way every signer of the vendor does.
pub(super) fn encode(text: &[u8]) -> String {
    percent_encode(text, RESERVED).to_string()
}

/// Like [`encode`], but leaves `/` alone.
pub(super) fn encode_path(path: &[u8]) -> String {
    percent_encode(path, RESERVED_IN_PATH).to_string()
}

/// The canonical path of `SDK-HMAC-SHA256` and `V11-HMAC-SHA256` (signing.md 4.1, rule 2): decoded, encoded again, and
/// closed with a `/`. Clients differ in what they encode on the wire, and some gateways hand over the path decoded; all of
/// them agree on this form.
pub(super) fn decoded_path(path: &str) -> String {
    let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
    let mut encoded = encode_path(&decoded);
    if !encoded.ends_with('/') {
        encoded.push('/');
    }
    encoded
}

/// The paths an OBS client may have signed when `path` arrived: the path as it is and, for gateways that decode it before
/// they hand it over, the same encoded as the vendor's client encodes keys (obs.md 1.7).
///
/// A path with characters that cannot be on the wire was certainly decoded. It is not offered as it is, since a decoded
/// `?` would let a part of the path pass for a sub-resource.
pub(super) fn wire_paths(path: &str) -> Vec<String> {
    let encoded = encode_path(path.as_bytes());
    let can_be_on_the_wire = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#');
    if !can_be_on_the_wire || path == encoded {
        return vec![encoded];
    }
    vec![path.to_owned(), encoded]
}

/// One parameter of a query, decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    pub(super) name: Vec<u8>,
    /// `None` where the parameter stands without a `=`.
    pub(super) value: Option<Vec<u8>>,
}

/// Splits a raw query and decodes its parts. A `+` is a space, as Go's and Node's HTTP libraries write it; a literal plus
/// arrives as `%2B` from every client of the vendor.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = Parameter> + '_ {
    query.split('&').filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => Parameter { name: decode_query(name), value: Some(decode_query(value)) },
        None => Parameter { name: decode_query(part), value: None },
    })
}

fn decode_query(part: &str) -> Vec<u8> {
    let spaced = part.replace('+', " ");
    percent_decode_str(&spaced).collect()
}

/// The canonical query of `SDK-HMAC-SHA256`, `V11-HMAC-SHA256` (signing.md 4.1, rule 3) and `AWS4-HMAC-SHA256`: sorted by
/// decoded name, then by decoded value, each with a `=`.
pub(super) fn query(query: &str) -> String {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> =
        parameters(query).map(|parameter| (parameter.name, parameter.value.unwrap_or_default())).collect();
    pairs.sort();
    let encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    encoded.join("&")
}

/// The one header called `name`. Twice the same header is refused: client and server could each mean another one.
pub(super) fn single_header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(Error::malformed(name, "the header is given more than once")),
        None => Ok(first),
    }
}

/// The headers a `SignedHeaders` list names, in its order.
#[derive(Debug)]
pub(super) struct SignedHeaders<'a> {
    list: &'a str,
    headers: Vec<(&'a str, &'a HeaderValue)>,
}

impl<'a> SignedHeaders<'a> {
    /// Looks up each name of `list`. Refuses names that are not in lower case, that are repeated (else a short list could
    /// make the server hash a long text many times over), that the request does not have, or has twice.
    pub(super) fn find(list: &'a str, headers: &'a HeaderMap) -> Result<Self, Error> {
        let problem = |text| Error::malformed("SignedHeaders", text);
        let mut found: Vec<(&str, &HeaderValue)> = Vec::new();
        for name in list.split(';') {
            if name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_graphic() || byte.is_ascii_uppercase()) {
                return Err(problem("it is a list of header names in lower case, joined by `;`"));
            }
            if found.iter().any(|(earlier, _)| *earlier == name) {
                return Err(problem("a header is listed more than once"));
            }
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => return Err(problem("the request lacks a header that is listed")),
                (Some(_), Some(_)) => return Err(problem("the request has a listed header more than once")),
                (Some(value), None) => found.push((name, value)),
            }
        }
        Ok(Self { list, headers: found })
    }

    /// Whether the list names a header.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of a header, if the list names it.
    pub(super) fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(listed, _)| *listed == name).map(|(_, value)| value.as_bytes().trim_ascii())
    }
}

/// The canonical request that `SDK-HMAC-SHA256`, `V11-HMAC-SHA256` (signing.md 4.1) and `AWS4-HMAC-SHA256` have in common.
/// The method is taken as it is: upper case is what a client sends, not what a server makes of it.
pub(super) fn request(request: &Incoming<'_>, path: &str, signed: &SignedHeaders<'_>, body_hash: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for line in [request.method.as_str(), path, &query(request.query)] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for (name, value) in &signed.headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value.as_bytes().trim_ascii());
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(signed.list.as_bytes());
    text.push(b'\n');
    text.extend_from_slice(body_hash.as_bytes());
    text
}

/// What a request says about its body's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// The hash the signature has to cover is the body's.
    Hashed(String),
    /// A signed header takes the body out of the signature.
    Unsigned,
    /// A signed header gives this hash, and the body has another.
    Mismatch(String),
}

impl Payload {
    /// Reads the header `name`. It counts only if it is signed; else the body's own hash is what has to be signed, so that
    /// nobody on the way can take the body out of the signature.
    pub(super) fn read(request: &Incoming<'_>, signed: &SignedHeaders<'_>, name: &str) -> Self {
        let real = mac::sha256_hex(request.body);
        match signed.value(name) {
            None => Self::Hashed(real),
            Some(given) if given == UNSIGNED_PAYLOAD.as_bytes() => Self::Unsigned,
            Some(given) if given == real.as_bytes() => Self::Hashed(real),
            Some(given) => Self::Mismatch(String::from_utf8_lossy(given).into_owned()),
        }
    }

    /// The hash line of the canonical request.
    pub(super) fn line(&self) -> &str {
        match self {
            Self::Hashed(hash) | Self::Mismatch(hash) => hash,
            Self::Unsigned => UNSIGNED_PAYLOAD,
        }
    }
}
