//! `flowgate sign`: requests for local use, signed with the local credentials.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use http::uri::Uri;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::api;
use crate::app;
use crate::auth::{Credential, Credentials, Family, Incoming, sign_obs, sign_sdk_hmac};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::Config;
use crate::gateway::below;
use crate::gateway::lambda::Event;

/// Headers that front ends and HTTP libraries add: no client signs them.
const UNSIGNED: [&str; 7] = ["accept", "accept-encoding", "connection", "content-length", "user-agent", "via", "date"];

/// Prints a curl command line for the request, signed for now.
pub(super) fn curl(config: &Config, method: &str, url: &str, data: &str, headers: &[String]) -> Result<()> {
    let credentials = app::local_credentials(&config.credentials)?;
    let line = curl_line(config, first(&credentials)?, method, url, data, headers)?;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Prints an event file with the signature made anew for now.
pub(super) fn event(config: &Config, file: &Path) -> Result<()> {
    let credentials = app::local_credentials(&config.credentials)?;
    let text = std::fs::read_to_string(file).with_context(|| format!("{} could not be read", file.display()))?;
    let signed = sign_event(config, first(&credentials)?, &text)?;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&signed)?)?)
}

/// A curl command line for a signed request, for a POSIX shell.
pub(super) fn curl_line(
    config: &Config,
    credential: &Credential,
    method: &str,
    url: &str,
    data: &str,
    headers: &[String],
) -> Result<String> {
    let uri: Uri = url.parse().context("the URL cannot be read")?;
    let host = uri.authority().context("the URL names no host")?.as_str().to_owned();
    let method = Method::from_bytes(method.as_bytes()).context("the method cannot be read")?;
    let mut given = HeaderMap::new();
    if !data.is_empty() {
        given.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for header in headers {
        let (name, value) = header.split_once(':').context("a header must have the form \"Name: value\"")?;
        given.insert(HeaderName::from_bytes(name.trim().as_bytes())?, HeaderValue::from_str(value.trim())?);
    }
    let incoming = Incoming {
        method: &method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &given,
        body: data.as_bytes(),
    };
    let path = below(uri.path(), &config.base_path);
    let added = sign(config, credential, path, &incoming, &host)?;
    let mut line = format!("curl -sS -X {method} {}", quoted(url));
    for (name, value) in given.iter().chain(&added).filter(|(name, _)| *name != http::header::HOST) {
        line += &format!(" -H {}", quoted(&format!("{name}: {}", value.to_str()?)));
    }
    if !data.is_empty() {
        line += &format!(" --data-raw {}", quoted(data));
    }
    Ok(line)
}

fn sign_event(config: &Config, credential: &Credential, text: &str) -> Result<Value> {
    let mut document: Value = serde_json::from_str(text).context("the event is not JSON")?;
    let event: Event = serde_json::from_value(document.clone()).context("the event is not one of an HTTP front end")?;
    let request = event.into_request(&config.base_path, "", None);
    if let Some(fault) = request.fault {
        bail!("the event cannot be signed: {fault:?}");
    }
    let host = request.headers.get(http::header::HOST).context("the event has no Host header")?.to_str()?.to_owned();
    let mut headers = request.headers.clone();
    for name in request.headers.keys() {
        let text = name.as_str();
        if UNSIGNED.contains(&text) || text.starts_with("x-forwarded-") || text.starts_with("x-amzn-") {
            headers.remove(name);
        }
    }
    let incoming = Incoming {
        method: &request.method,
        path: &request.signed_path,
        query: &request.query,
        headers: &headers,
        body: &request.body,
    };
    let added = sign(config, credential, &request.path, &incoming, &host)?;
    for (name, value) in &added {
        let value = value.to_str()?;
        set_header(&mut document, "headers", name.as_str(), Value::from(value));
        set_header(&mut document, "multiValueHeaders", name.as_str(), Value::from(vec![value]));
    }
    Ok(document)
}

/// Sets a header in one of an event's maps, if the event has that map, in place of one of the same name in any case.
fn set_header(event: &mut Value, map: &str, name: &str, value: Value) {
    let Some(headers) = event.get_mut(map).and_then(Value::as_object_mut) else {
        return;
    };
    let present = headers.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned();
    headers.insert(present.unwrap_or_else(|| name.to_owned()), value);
}

/// Signs the way the vendor's client does for the API that owns `path`, which is what the client sends less stage and base
/// path.
fn sign(
    config: &Config,
    credential: &Credential,
    path: &str,
    incoming: &Incoming<'_>,
    host: &str,
) -> Result<HeaderMap> {
    let at: Timestamp = config.fixed_time.unwrap_or_else(|| SystemClock.now());
    let signed = match api::family_of(path, incoming.query).with_context(|| format!("{path} is a path of no API"))? {
        Family::FunctionGraph => sign_sdk_hmac(incoming, host, credential, at),
        Family::Obs => sign_obs(incoming, host, credential, at),
    };
    signed.map_err(|error| anyhow!("the request cannot be signed: {error}"))
}

fn first(credentials: &Credentials) -> Result<&Credential> {
    credentials.first().context("the credentials have no access key to sign with")
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
