//! Paths: split first, decode after, so that an encoded slash never becomes a separator.

use std::borrow::Cow;

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
