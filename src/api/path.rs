//! Paths: split first, decode after, so that an encoded slash never becomes a separator.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use percent_encoding::percent_decode_str;

/// The segments between the slashes of a path, still percent-encoded. A path that does not begin with a slash has none.
pub(super) fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix('/').map(|rest| rest.split('/').collect()).unwrap_or_default()
}

/// Percent-decodes one segment or parameter; `None` if what comes out is not UTF-8.
pub(super) fn decode(segment: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(segment).decode_utf8().ok()
}

/// Whether a query has a parameter of this name, with or without a value. Names are compared decoded, as they are signed.
pub(super) fn has_parameter(query: &str, name: &str) -> bool {
    let mut names = query.split('&').filter_map(|pair| pair.split('=').next());
    names.any(|encoded| decode(encoded).as_deref() == Some(name))
}

/// The decoded value of a query's parameter. One without a value, or with an empty one, is as good as absent.
///
/// # Errors
/// It comes more than once or is not UTF-8. The text says so, beginning with the parameter's name.
pub(super) fn parameter(query: &str, name: &str) -> Result<Option<String>, String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(encoded, _)| decode(encoded).as_deref() == Some(name)).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(format!("{name} must not be repeated"));
    }
    let value = first.map(|value| decode(value).ok_or_else(|| format!("{name} must be UTF-8"))).transpose()?;
    Ok(value.filter(|value| !value.is_empty()).map(Cow::into_owned))
}

/// The same for a whole number.
///
/// # Errors
/// As [`parameter`], and a number outside `range` or no number at all.
pub(super) fn number(query: &str, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, String> {
    let Some(text) = parameter(query, name)? else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (least, most) = (range.start(), range.end());
    number.map(Some).ok_or_else(|| format!("{name} must be a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_encoded_slash_is_no_separator() {
        assert_eq!(segments("/v2/a%2Fb/"), ["v2", "a%2Fb", ""]);
        assert_eq!(decode("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(segments("v2/a"), Vec::<&str>::new());
        assert_eq!(decode("%ff"), None);
        assert_eq!(decode("100%").as_deref(), Some("100%"), "a lone per cent sign stands for itself");
    }

    #[test]
    fn a_parameter_is_found_however_its_name_is_written() {
        for query in ["x-workflow-create", "a=1&x-workflow-create=", "x%2Dworkflow-create=1"] {
            assert!(has_parameter(query, "x-workflow-create"), "{query}");
        }
        assert!(!has_parameter("y=x-workflow-create&x-workflow-creates", "x-workflow-create"));
    }

    #[test]
    fn a_parameter_has_one_value() {
        assert_eq!(parameter("a=1&b=x%20y%3Az", "b"), Ok(Some("x y:z".into())));
        for query in ["", "a", "a=", "b=1"] {
            assert_eq!(parameter(query, "a"), Ok(None), "{query}");
        }
        assert_eq!(parameter("a=1&%61=1", "a"), Err("a must not be repeated".into()));
        assert_eq!(parameter("a=%ff", "a"), Err("a must be UTF-8".into()));
        assert_eq!(number("n=-5", "n", -5..=7), Ok(Some(-5)));
        assert_eq!(number("m=1", "n", 1..=7), Ok(None));
        for bad in ["n=0", "n=8", "n=1.5", "n=x", "n=99999999999999999999", "n= 1"] {
            assert_eq!(number(bad, "n", 1..=7), Err("n must be a whole number from 1 to 7".into()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            let decoded = decode(&encoded);
            prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
            let path = format!("/{encoded}/x");
            prop_assert_eq!(segments(&path), [encoded.as_str(), "x"]);
        }

        #[test]
        fn no_segment_makes_decoding_panic(text in any::<String>()) {
            let _ = decode(&text);
        }
    }
}
