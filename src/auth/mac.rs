//! Hashes and keyed hashes: the only file of the room that calls the cryptography crates.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::SecretKey;

/// How a scheme turns a secret key into the key of its signature, and which keyed hash it signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keying {
    /// HMAC-SHA1 with the secret key itself (`OBS`, `AWS`).
    Sha1,
    /// HMAC-SHA256 with the secret key itself (`SDK-HMAC-SHA256`).
    Sha256,
    /// HMAC-SHA256 with the hexadecimal text of an HKDF-SHA256 over the secret key (`V11-HMAC-SHA256`).
    Derived {
        /// The salt of the HKDF.
        access_key: String,
        /// `date/region/service`, the info of the HKDF.
        info: String,
    },
    /// HMAC-SHA256 with a key derived in four steps (`AWS4-HMAC-SHA256`).
    Aws4 {
        /// `yyyymmdd`.
        date: String,
        /// May be empty: the vendor's client signs so when no region is configured.
        region: String,
    },
}

impl Keying {
    /// Makes the signature of `text`.
    pub(super) fn sign(&self, secret_key: &SecretKey, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => keyed::<Hmac<Sha1>>(&self.key(secret_key), text).finalize().into_bytes().to_vec(),
            Self::Sha256 | Self::Derived { .. } | Self::Aws4 { .. } => {
                hmac_sha256(&self.key(secret_key), text).to_vec()
            }
        }
    }

    /// Whether `signature` is that of `text`, found out in a time that does not depend on where the two differ.
    pub(super) fn verify(&self, secret_key: &SecretKey, text: &[u8], signature: &[u8]) -> bool {
        same(&self.sign(secret_key, text), signature)
    }

    fn key(&self, secret_key: &SecretKey) -> Vec<u8> {
        let secret = secret_key.reveal().as_bytes();
        match self {
            Self::Sha1 | Self::Sha256 => secret.to_vec(),
            Self::Derived { access_key, info } => {
                let extracted = hmac_sha256(access_key.as_bytes(), secret);
                let expanded = hmac_sha256(&extracted, &[info.as_bytes(), &[1]].concat());
                hex::encode(expanded).into_bytes()
            }
            Self::Aws4 { date, region } => {
                let by_date = hmac_sha256(&[b"AWS4", secret].concat(), date.as_bytes());
                let by_region = hmac_sha256(&by_date, region.as_bytes());
                let by_service = hmac_sha256(&by_region, b"s3");
                hmac_sha256(&by_service, b"aws4_request").to_vec()
            }
        }
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The MD5 hash that `Content-MD5` holds: a checksum that a signature covers, not a secret's keeper.
pub(super) fn md5(data: &[u8]) -> Vec<u8> {
    Md5::digest(data).to_vec()
}

/// The SHA-256 of `data` in lower-case hexadecimal digits.
pub(super) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    keyed::<Hmac<Sha256>>(key, data).finalize().into_bytes().into()
}

fn keyed<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> M {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac
}
