//! `X-Auth-Token`, which FunctionGraph accepts in place of a signature (signing.md 4.3).
//!
//! 1. There is no `Authorization`; where there is one, the signature decides and this header means nothing.
//! 2. The header is there once, and is text of a length a token can have.
//! 3. It is one of the tokens of the credentials, and that token's time is not over.
//!
//! Nothing else of the request is covered, not even its time: whoever has the token is let in.

use super::credentials::SecretKey;
use super::{Error, Incoming, canonical, claim};

const HEADER: &str = "X-Auth-Token";

/// The vendor's tokens are signed documents of several thousand characters.
const MAX_LENGTH: usize = 32 * 1024;

/// Reads the token; `None` if the request has none.
pub(super) fn read(request: &Incoming<'_>) -> Result<Option<SecretKey>, Error> {
    let Some(value) = canonical::single_header(request.headers, HEADER)? else {
        return Ok(None);
    };
    let token = claim::text(HEADER, value)?;
    if token.is_empty() || token.len() > MAX_LENGTH {
        return Err(Error::malformed(HEADER, "it is empty or too long"));
    }
    Ok(Some(token.into()))
}
