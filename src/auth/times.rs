//! The two ways clients write the time, and the window it must lie in.

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::Error;
use crate::clock::Timestamp;

/// An example of the form `X-Sdk-Date` and `x-amz-date` have.
pub(super) const BASIC_FORM: &str = "20191115T033655Z";

/// An example of the form `Date` and `x-obs-date` have.
pub(super) const HTTP_FORM: &str = "Thu, 27 Aug 2020 12:38:10 GMT";

/// The span of time a signature is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) now: Timestamp,
    pub(super) seconds: u32,
}

impl Window {
    /// Admits a signing time that is at most the window away from now, either way.
    pub(super) fn admit(&self, signed_at: Timestamp) -> Result<(), Error> {
        let ahead_millis = signed_at.millis() - self.now.millis();
        if ahead_millis.abs() <= i64::from(self.seconds) * 1000 {
            return Ok(());
        }
        Err(Error::Skewed { seconds: ahead_millis.signum() * whole_seconds_up(ahead_millis.abs()) })
    }

    /// Admits a time until which a signature is good. There is no limit to how far ahead it may be: the vendor sets none,
    /// and whoever can sign can as well sign again.
    pub(super) fn admit_until(&self, expires: Timestamp) -> Result<(), Error> {
        let over_millis = self.now.millis() - expires.millis();
        if over_millis <= 0 {
            return Ok(());
        }
        Err(Error::UrlExpired { seconds: whole_seconds_up(over_millis) })
    }
}

fn whole_seconds_up(millis: i64) -> i64 {
    (millis + 999) / 1000
}

/// Reads `yyyymmddThhmmssZ`, UTC; nothing else.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let has_form = text.len() == BASIC_FORM.len()
        && text.bytes().zip(BASIC_FORM.bytes()).all(|(have, like)| match like {
            b'T' | b'Z' => have == like,
            _ => have.is_ascii_digit(),
        });
    if !has_form {
        return None;
    }
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, format).ok().map(|at| at.assume_utc().into())
}

/// Writes `yyyymmddThhmmssZ`.
pub(super) fn format_basic(at: Timestamp) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    at.date_time().format(format).expect("every field of the format exists in a date-time")
}

/// Reads `Thu, 27 Aug 2020 12:38:10 GMT`, or with `+0000` in place of `GMT`; both are in the vendor's documents. The name
/// of the weekday is not compared with the date, for the documents' own samples have it wrong.
pub(super) fn parse_http(text: &str) -> Option<Timestamp> {
    let (weekday, rest) = text.split_once(", ")?;
    let date = rest.strip_suffix(" GMT").or_else(|| rest.strip_suffix(" +0000"))?;
    let weekday_has_form = weekday.len() == 3 && weekday.bytes().all(|byte| byte.is_ascii_alphabetic());
    let date_has_form = date.len() == "27 Aug 2020 12:38:10".len();
    if !weekday_has_form || !date_has_form {
        return None;
    }
    let format = format_description!("[day] [month repr:short] [year] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(date, format).ok().map(|at| at.assume_utc().into())
}

/// Writes `Thu, 27 Aug 2020 12:38:10 GMT`.
pub(super) fn format_http(at: Timestamp) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    at.date_time().format(format).expect("every field of the format exists in a date-time")
}

/// Reads whole seconds since the Unix epoch, as `Expires` has them.
pub(super) fn parse_epoch(text: &str) -> Option<Timestamp> {
    let has_form = (1..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| has_form)?;
    OffsetDateTime::from_unix_timestamp(seconds).ok().map(Timestamp::from)
}
