//! Why a request was not let in.

/// A refusal. `Display` is what the caller may read: it names a header or an amount, never a computed signature, a string
/// to sign or a secret, and it tells apart only what the vendor's own codes tell apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request carries nothing that says who sent it.
    #[error("no credentials: {expected}")]
    MissingCredentials {
        /// What the API would have accepted.
        expected: &'static str,
    },
    /// A part of the request that the signature needs cannot be read.
    #[error("malformed `{part}`: {problem}")]
    Malformed {
        /// The header or query parameter, or the part of the request.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The header that carries the time is not there.
    #[error("missing header `{header}`")]
    DateMissing {
        /// The header the scheme takes the time from.
        header: &'static str,
    },
    /// The header that carries the time does not hold one.
    #[error("header `{header}` is not a time of the form `{form}`")]
    DateMalformed {
        /// The header the scheme takes the time from.
        header: &'static str,
        /// An example of the form the scheme demands.
        form: &'static str,
    },
    /// The request was signed too long ago, or too far in the future.
    #[error("the request's time is {amount} seconds {direction} the service's", amount = seconds.unsigned_abs(),
        direction = if *seconds < 0 { "behind" } else { "ahead of" })]
    Skewed {
        /// The request's time minus the service's, rounded away from zero.
        seconds: i64,
    },
    /// The `Expires` time of a signed URL is over.
    #[error("the signed URL expired {seconds} seconds ago")]
    UrlExpired {
        /// How long ago, rounded up.
        seconds: i64,
    },
    /// No credential has the access key.
    #[error("unknown access key")]
    UnknownKey,
    /// The signature is right, but the credential's time is over.
    #[error("the access key has expired")]
    ExpiredKey,
    /// The signature is not the one the access key's owner would have made for this request.
    #[error("the signature does not match the request")]
    WrongSignature,
    /// The signature is right, but the credential is a temporary one and its token is not there.
    #[error("missing security token `{header}`")]
    SecurityTokenMissing {
        /// The header the token belongs in.
        header: &'static str,
    },
    /// The signature is right, but the security token beside it is not the credential's.
    #[error("wrong security token `{header}`")]
    SecurityTokenWrong {
        /// The header the token came in.
        header: &'static str,
    },
    /// The signature is right, but the hash it covers is not the body's.
    #[error("header `{header}` is not the hash of the body")]
    PayloadMismatch {
        /// The header with the hash.
        header: &'static str,
    },
    /// No token is the one in `X-Auth-Token`.
    #[error("unknown token in `X-Auth-Token`")]
    UnknownToken,
    /// The token's time is over.
    #[error("the token in `X-Auth-Token` has expired")]
    ExpiredToken,
    /// The credentials could not be read, so nobody can be let in; worth repeating.
    #[error("credentials cannot be checked at the moment")]
    Unavailable,
}

impl Error {
    /// Shorthand for the most frequent refusal of the parsers.
    pub(super) fn malformed(part: &'static str, problem: &'static str) -> Self {
        Self::Malformed { part, problem }
    }

    /// Whether the proof failed, so that newer credentials could turn this refusal into a welcome, and repeating it has to
    /// get slower. Refusals that only the owner of the right secret gets to see are not among them.
    pub(super) fn is_failed_proof(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongSignature | Self::UnknownToken)
    }
}
