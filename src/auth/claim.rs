//! What a request claims, and how the claim is held against the credentials.

use std::hint::black_box;

use super::credentials::{Credential, Credentials, SecretKey};
use super::mac::Keying;
use super::{Error, Principal};
use crate::clock::Timestamp;

/// How many secrets a refused signature is at least held against: as many as a key has while it is rotated.
const LEAST_TRIED: usize = 2;

/// What a parser found in a well-formed request whose time is right.
#[derive(Debug)]
pub(super) enum Claim {
    /// A signature made with the secret of an access key.
    Signed(SignedClaim),
    /// The content of `X-Auth-Token`.
    Token(SecretKey),
}

/// The claim of a signed request.
#[derive(Debug)]
pub(super) struct SignedClaim {
    pub(super) access_key: String,
    pub(super) security_token: SecurityToken,
    pub(super) keying: Keying,
    /// The texts the client may have signed; more than one where the wire leaves open what it meant.
    pub(super) strings_to_sign: Vec<Vec<u8>>,
    pub(super) signature: Vec<u8>,
    /// The signed header whose hash is not the body's, if there is one.
    pub(super) payload_mismatch: Option<&'static str>,
}

/// The security token beside the signature of a temporary credential.
#[derive(Debug)]
pub(super) struct SecurityToken {
    /// The header or query parameter it belongs in.
    pub(super) header: &'static str,
    pub(super) value: Option<SecretKey>,
}

impl Claim {
    /// The name under which failed attempts are counted.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Signed(claim) => &claim.access_key,
            Self::Token(_) => Principal::TOKEN_NAME,
        }
    }

    /// Finds the credential that proves the claim.
    pub(super) fn check(&self, credentials: &Credentials, now: Timestamp) -> Result<Principal, Error> {
        match self {
            Self::Signed(claim) => claim.check(credentials, now),
            Self::Token(token) => check_token(token, credentials, now),
        }
    }
}

impl SignedClaim {
    /// Tries every credential that has the access key: a secret under rotation and temporary credentials come in pairs.
    /// An unknown key costs signatures as well, so that its refusal takes the time of any other.
    fn check(&self, credentials: &Credentials, now: Timestamp) -> Result<Principal, Error> {
        let mut refusal = None;
        let mut tried = 0;
        for credential in credentials.with_access_key(&self.access_key) {
            let error = match self.check_one(credential, now) {
                Ok(principal) => return Ok(principal),
                Err(error) => error,
            };
            tried += 1;
            // The refusal of the credential that came closest is the one that tells the caller what to mend.
            if refusal.as_ref().is_none_or(|earlier| closeness(&error) >= closeness(earlier)) {
                refusal = Some(error);
            }
        }
        for _ in tried..LEAST_TRIED {
            black_box(self.is_signed_with(credentials.dummy_secret()));
        }
        Err(refusal.unwrap_or(Error::UnknownKey))
    }

    fn is_signed_with(&self, secret_key: &SecretKey) -> bool {
        let mut matches = false;
        for text in &self.strings_to_sign {
            matches |= self.keying.verify(secret_key, text, &self.signature);
        }
        matches
    }

    /// Checks the signature first: only the owner of the secret key gets to read the refusals after it.
    fn check_one(&self, credential: &Credential, now: Timestamp) -> Result<Principal, Error> {
        if !self.is_signed_with(&credential.secret_key) {
            return Err(Error::WrongSignature);
        }
        let header = self.security_token.header;
        match (&credential.security_token, &self.security_token.value) {
            (None, None) => {}
            (Some(_), None) => return Err(Error::SecurityTokenMissing { header }),
            (None, Some(_)) => return Err(Error::SecurityTokenWrong { header }),
            (Some(expected), Some(given)) if expected.matches(given) => {}
            (Some(_), Some(_)) => return Err(Error::SecurityTokenWrong { header }),
        }
        if credential.grant.has_expired(now) {
            return Err(Error::ExpiredKey);
        }
        if let Some(header) = self.payload_mismatch {
            return Err(Error::PayloadMismatch { header });
        }
        Ok(credential.grant.principal(&credential.access_key))
    }
}

/// How far a credential came before it was refused.
fn closeness(error: &Error) -> u8 {
    match error {
        Error::WrongSignature => 0,
        Error::SecurityTokenMissing { .. } | Error::SecurityTokenWrong { .. } => 1,
        _ => 2,
    }
}

/// Compares with every token, so that the time taken does not tell which one was close.
fn check_token(token: &SecretKey, credentials: &Credentials, now: Timestamp) -> Result<Principal, Error> {
    let mut found = None;
    for candidate in credentials.tokens() {
        if candidate.token.matches(token) {
            found = Some(candidate);
        }
    }
    let candidate = found.ok_or(Error::UnknownToken)?;
    if candidate.grant.has_expired(now) {
        return Err(Error::ExpiredToken);
    }
    Ok(candidate.grant.principal(Principal::TOKEN_NAME))
}

/// Reads an access key id as the clients write it: no character that any of the schemes uses to end it.
pub(super) fn access_key(text: &str) -> Result<String, Error> {
    if !super::credentials::is_access_key(text) {
        return Err(Error::malformed("Authorization", "it lacks an access key, or the access key is no such"));
    }
    Ok(text.to_owned())
}

/// Reads a signature of 64 lower-case hexadecimal digits.
pub(super) fn hex_signature(text: &str) -> Result<Vec<u8>, Error> {
    let has_form = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex::decode(text)
        .ok()
        .filter(|_| has_form)
        .ok_or(Error::malformed("Authorization", "the signature is not 64 lower-case hexadecimal digits"))
}

/// Reads `Name=value` pairs joined by commas, with or without a space after each: exactly those of `names`, in any order.
pub(super) fn pairs<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Result<[&'a str; N], Error> {
    let problem = |text| Error::malformed("Authorization", text);
    let mut values = [None; N];
    for pair in text.split(',') {
        let (name, value) = pair
            .strip_prefix(' ')
            .unwrap_or(pair)
            .split_once('=')
            .ok_or(problem("it is not a list of `Name=value` joined by commas"))?;
        let position = names.iter().position(|known| *known == name).ok_or(problem("it has an unknown member"))?;
        if values[position].replace(value).is_some() {
            return Err(problem("it has a member more than once"));
        }
    }
    let mut complete = [""; N];
    for (slot, value) in complete.iter_mut().zip(values) {
        *slot = value.ok_or(problem("it lacks a member"))?;
    }
    Ok(complete)
}

/// Reads the security token a temporary credential comes with.
pub(super) fn security_token(headers: &http::HeaderMap, header: &'static str) -> Result<SecurityToken, Error> {
    let value = match super::canonical::single_header(headers, header)? {
        Some(value) => Some(text(header, value)?.into()),
        None => None,
    };
    Ok(SecurityToken { header, value })
}

/// A header's value as text.
pub(super) fn text<'a>(header: &'static str, value: &'a http::HeaderValue) -> Result<&'a str, Error> {
    value.to_str().map(str::trim).map_err(|_| Error::malformed(header, "it has characters other than printable ASCII"))
}
