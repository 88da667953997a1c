//! `OBS <key>:<signature>` and `AWS <key>:<signature>`, and the same signatures in a URL (obs.md 1.7).
//!
//! The two differ in nothing but the prefix of the headers that are signed, `x-obs-` or `x-amz-`. In the order in which
//! they refuse:
//!
//! 1. `Authorization` is the scheme's name, a space, the access key, a colon and the Base64 of 20 bytes. In a URL they
//!    are the parameters `AccessKeyId` (`AWSAccessKeyId`) and `Signature`, each once, beside `Expires`.
//! 2. `x-obs-date` (`x-amz-date`), or without it `Date`, is there, once, and is a time such as
//!    `Thu, 27 Aug 2020 12:38:10 GMT`. In a URL, `Expires` is a number of seconds since 1970.
//! 3. No signed parameter has a `&` in its value. The signed text holds values decoded, so `a=1%26b=2` and `a=1&b=2`
//!    would have the same signature.
//! 4. The time lies within the window; in a URL it is not over. The vendor sets no limit to how far ahead it is.
//! 5. The signature is that of method, `Content-MD5`, `Content-Type`, date, the headers with the prefix, the path as the
//!    client sent it, and the parameters that are sub-resources. A signed text has an empty date if `x-obs-date` is
//!    there, for that is among the headers then.
//! 6. `x-obs-security-token` (`x-amz-security-token`; in a URL a parameter of that name) is there exactly if the
//!    credential is a temporary one, and is that credential's.
//!
//! The body is covered if the client sends its hash as `Content-MD5`, and else it is not:
//!
//! 7. `Content-MD5`, if it is there, is that of the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::canonical::{self, Parameter};
use super::claim::{self, SecurityToken, SignedClaim};
use super::mac::{self, Keying};
use super::times::{self, Window};
use super::{Error, Incoming};

const DATE_NAME: &str = "Date";
const CONTENT_MD5: &str = "Content-MD5";

/// The names that differ between the scheme's two forms.
#[derive(Debug)]
pub(super) struct Dialect {
    /// What the header starts with.
    pub(super) scheme: &'static str,
    prefix: &'static str,
    pub(super) date: &'static str,
    pub(super) security_token: &'static str,
    pub(super) url_access_key: &'static str,
}

/// The vendor's own form.
pub(super) const OBS: Dialect = Dialect {
    scheme: "OBS",
    prefix: "x-obs-",
    date: "x-obs-date",
    security_token: "x-obs-security-token",
    url_access_key: "AccessKeyId",
};

/// The older form, which the vendor's client has as `signature='v2'`.
pub(super) const AWS: Dialect = Dialect {
    scheme: "AWS",
    prefix: "x-amz-",
    date: "x-amz-date",
    security_token: "x-amz-security-token",
    url_access_key: "AWSAccessKeyId",
};

/// The parameters that are signed, apart from those with the dialect's prefix: the list of the vendor's Python and Node
/// clients, of which the workflow names are not in the vendor's documents.
const SUB_RESOURCES: &[&str] = &[
    "acl",
    "append",
    "backtosource",
    "bucketstatus",
    "cors",
    "delete",
    "deletebucket",
    "directcoldaccess",
    "dispolicy",
    "encryption",
    "fileinterface",
    "inventory",
    "length",
    "lifecycle",
    "location",
    "logging",
    "metadata",
    "modify",
    "name",
    "notification",
    "object-lock",
    "obsalias",
    "obsbucketalias",
    "obscompresspolicy",
    "obsworkflowtriggerpolicy",
    "partnumber",
    "policy",
    "policystatus",
    "position",
    "publicaccessblock",
    "quota",
    "rename",
    "replication",
    "requestpayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "storageclass",
    "storageinfo",
    "storagepolicy",
    "tagging",
    "torrent",
    "truncate",
    "uploadid",
    "uploads",
    "versionid",
    "versioning",
    "versions",
    "website",
    "x-image-process",
    "x-image-save-bucket",
    "x-image-save-object",
    "x-obs-accesslabel",
    "x-oss-process",
    "x-workflow-execution-state",
    "x-workflow-execution-type",
    "x-workflow-graph-name",
    "x-workflow-limit",
    "x-workflow-next-marker",
    "x-workflow-prefix",
    "x-workflow-start",
    "x-workflow-template-name",
];

/// Reads the claim of a request whose `Authorization` is the dialect's scheme followed by `credential`.
pub(super) fn read_header(
    request: &Incoming<'_>,
    dialect: &'static Dialect,
    credential: &str,
    window: &Window,
) -> Result<SignedClaim, Error> {
    let (access_key, signature) = credential
        .split_once(':')
        .ok_or(Error::malformed("Authorization", "it is not `<access key>:<signature>` after the scheme"))?;
    let access_key = claim::access_key(access_key)?;
    let signature = base64_signature("Authorization", signature)?;

    let own_date = canonical::single_header(request.headers, dialect.date)?;
    let plain_date = canonical::single_header(request.headers, DATE_NAME)?;
    let (header, value) = match (own_date, plain_date) {
        (Some(value), _) => (dialect.date, value),
        (None, Some(value)) => (DATE_NAME, value),
        (None, None) => return Err(Error::DateMissing { header: DATE_NAME }),
    };
    let date = claim::text(header, value)?;
    let signed_at = times::parse_http(date).ok_or(Error::DateMalformed { header, form: times::HTTP_FORM })?;
    let sub_resources = sub_resources(request.query, dialect)?;
    let security_token = claim::security_token(request.headers, dialect.security_token)?;
    window.admit(signed_at)?;

    let date_line = if own_date.is_some() { "" } else { date };
    let strings_to_sign = strings_to_sign(request, dialect, date_line, &sub_resources)?;
    claim(request, access_key, security_token, strings_to_sign, signature)
}

/// Reads the claim of a request that has no `Authorization`; `None` if its query holds no signature either.
pub(super) fn read_url(request: &Incoming<'_>, window: &Window) -> Result<Option<SignedClaim>, Error> {
    let is_named = |parameter: &Parameter, name: &str| parameter.name == name.as_bytes();
    let dialect = [&OBS, &AWS]
        .into_iter()
        .find(|dialect| canonical::parameters(request.query).any(|part| is_named(&part, dialect.url_access_key)));
    let Some(dialect) = dialect else {
        return Ok(None);
    };
    let single = |name: &'static str| -> Result<Option<String>, Error> {
        let mut values = canonical::parameters(request.query).filter(|parameter| is_named(parameter, name));
        let (first, second) = (values.next(), values.next());
        if second.is_some() {
            return Err(Error::malformed(name, "the parameter is given more than once"));
        }
        first
            .map(|parameter| String::from_utf8(parameter.value.unwrap_or_default()))
            .transpose()
            .map_err(|_| Error::malformed(name, "it is not UTF-8"))
    };
    let missing = |name| Error::malformed(name, "the parameter is missing");

    let access_key = single(dialect.url_access_key)?.unwrap_or_default();
    let access_key = claim::access_key(&access_key)?;
    let signature = base64_signature("Signature", &single("Signature")?.ok_or(missing("Signature"))?)?;
    let date_line = single("Expires")?.ok_or(Error::DateMissing { header: "Expires" })?;
    let expires =
        times::parse_epoch(&date_line).ok_or(Error::DateMalformed { header: "Expires", form: "1598531890" })?;
    let sub_resources = sub_resources(request.query, dialect)?;
    let security_token = match single(dialect.security_token)? {
        Some(value) => SecurityToken { header: dialect.security_token, value: Some(value.into()) },
        None => claim::security_token(request.headers, dialect.security_token)?,
    };
    window.admit_until(expires)?;

    let strings_to_sign = strings_to_sign(request, dialect, &date_line, &sub_resources)?;
    claim(request, access_key, security_token, strings_to_sign, signature).map(Some)
}

fn claim(
    request: &Incoming<'_>,
    access_key: String,
    security_token: SecurityToken,
    strings_to_sign: Vec<Vec<u8>>,
    signature: Vec<u8>,
) -> Result<SignedClaim, Error> {
    let content_md5 = canonical::single_header(request.headers, CONTENT_MD5)?;
    let is_of_the_body = |hash: &HeaderValue| STANDARD.encode(mac::md5(request.body)) == *hash;
    let payload_mismatch = content_md5.is_some_and(|hash| !is_of_the_body(hash)).then_some(CONTENT_MD5);
    let keying = Keying::Sha1;
    Ok(SignedClaim { access_key, security_token, keying, strings_to_sign, signature, payload_mismatch })
}

/// Decodes a Base64 text; one with spare bits set, which another encoder would have written differently, is refused.
fn base64_signature(part: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    STANDARD
        .decode(text)
        .ok()
        .filter(|signature| signature.len() == 20)
        .ok_or(Error::malformed(part, "the signature is not the Base64 of 20 bytes"))
}

/// The text after `?` in the canonical resource, with the `?`; empty if no parameter is a sub-resource.
fn sub_resources(query: &str, dialect: &Dialect) -> Result<Vec<u8>, Error> {
    let mut listed: Vec<Parameter> = canonical::parameters(query)
        .filter(|parameter| {
            let name = parameter.name.to_ascii_lowercase();
            name.starts_with(dialect.prefix.as_bytes()) || SUB_RESOURCES.iter().any(|known| known.as_bytes() == name)
        })
        .collect();
    listed.sort_by(|left, right| left.name.cmp(&right.name));

    let mut text = Vec::new();
    for (position, Parameter { name, value }) in listed.iter().enumerate() {
        text.push(if position == 0 { b'?' } else { b'&' });
        text.extend_from_slice(canonical::encode_path(name).as_bytes());
        let Some(value) = value else { continue };
        if value.contains(&b'&') {
            return Err(Error::malformed("query", "a signed parameter has a `&` in its value"));
        }
        text.push(b'=');
        text.extend_from_slice(value);
    }
    Ok(text)
}

fn strings_to_sign(
    request: &Incoming<'_>,
    dialect: &Dialect,
    date_line: &str,
    sub_resources: &[u8],
) -> Result<Vec<Vec<u8>>, Error> {
    let mut before_path = Vec::new();
    let header = |name: &'static str| -> Result<&[u8], Error> {
        let value = canonical::single_header(request.headers, name)?;
        Ok(value.map_or(b"", |value| value.as_bytes().trim_ascii()))
    };
    for line in
        [request.method.as_str().as_bytes(), header("Content-MD5")?, header("Content-Type")?, date_line.as_bytes()]
    {
        before_path.extend_from_slice(line);
        before_path.push(b'\n');
    }
    let mut names: Vec<&str> =
        request.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with(dialect.prefix)).collect();
    names.sort_unstable();
    for name in names {
        let values: Vec<&[u8]> =
            request.headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
        before_path.extend_from_slice(name.as_bytes());
        before_path.push(b':');
        before_path.extend_from_slice(&values.join(&b","[..]));
        before_path.push(b'\n');
    }
    let paths = canonical::wire_paths(request.path);
    Ok(paths.iter().map(|path| [&before_path, path.as_bytes(), sub_resources].concat()).collect())
}
