//! What makes two starts the same request.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::json::JsonText;

/// A digest of everything that decides what an execution does: its workflow, input, headers, merge flag, and whether it is a test. Two starts
/// under one key are repeats of each other exactly when their fingerprints are equal. It is taken over the parsed request,
/// so key order, white space and the string-or-object form of a member do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a start.
    pub fn of(
        workflow_id: Uuid,
        input: &JsonText,
        headers: Option<&JsonText>,
        merge_parameters: bool,
        is_test: bool,
    ) -> Self {
        let headers = headers.map(JsonText::value).filter(|value| value.as_object().is_some_and(|map| !map.is_empty()));
        // An array separates its members unambiguously, so no two different starts share one text.
        let canonical = serde_json::json!([workflow_id.to_string(), input.value(), headers, merge_parameters, is_test]);
        Self(hex::encode(Sha256::digest(canonical.to_string())))
    }

    /// Takes over a fingerprint that was stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The fingerprint as 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(input: &str, headers: Option<&str>, merge: bool) -> Fingerprint {
        let json = |text: &str| JsonText::parse(text).expect("valid JSON");
        Fingerprint::of(Uuid::nil(), &json(input), headers.map(json).as_ref(), merge, false)
    }

    #[test]
    fn form_does_not_matter() {
        assert_eq!(of("{\"a\":1,\"b\":[2,{}]}", None, false), of("{ \"b\" : [2, {} ],\n\"a\":1 }", None, false));
        assert_eq!(of("{\"a\":\"\\u0041\\/\"}", None, false), of("{\"a\":\"A/\"}", None, false));
        assert_eq!(of("{}", Some("{}"), false), of("{}", None, false), "no headers and empty headers are the same");
    }

    #[test]
    fn content_matters() {
        let base = of("{\"a\":1}", None, false);
        assert_ne!(base, of("{\"a\":1.0}", None, false), "a number is judged by its text");
        assert_ne!(base, of("{\"a\":\"1\"}", None, false));
        assert_ne!(base, of("{\"a\":1,\"b\":null}", None, false));
        assert_ne!(base, of("{\"a\":1}", Some("{\"tenantId\":\"user1\"}"), false));
        assert_ne!(base, of("{\"a\":1}", None, true));
        assert_ne!(
            base,
            Fingerprint::of(Uuid::max(), &JsonText::parse("{\"a\":1}").expect("valid JSON"), None, false, false),
            "another workflow"
        );
        assert_ne!(
            base,
            Fingerprint::of(Uuid::nil(), &JsonText::parse("{\"a\":1}").expect("valid JSON"), None, false, true),
            "a test"
        );
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn equal_values_and_only_they_have_equal_fingerprints(a in json(), b in json()) {
            let (compact, pretty) = (a.to_string(), serde_json::to_string_pretty(&a).expect("a value is writable"));
            prop_assert_eq!(of(&compact, None, false), of(&pretty, None, false));
            prop_assert_eq!(a == b, of(&compact, None, false) == of(&b.to_string(), None, false));
        }
    }
}
