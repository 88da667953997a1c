//! The name of a workflow, and the character class that the vendor's CreateWorkflow schema uses for every name.

use std::fmt;

/// The name of a workflow: 1 to 64 of the characters that the vendor's CreateWorkflow schema allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowName(String);

/// A name that is no workflow name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {} characters, each a letter, a digit, one of `_-.()`, or in U+4E00 to U+9FA5",
    WorkflowName::MAX_CHARACTERS
)]
pub struct NameError;

impl WorkflowName {
    /// The longest name, in characters.
    pub const MAX_CHARACTERS: usize = 64;

    /// Reads a name; fails unless it has 1 to 64 characters, all of the vendor's name class.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let length_is_right = (1..=Self::MAX_CHARACTERS).contains(&text.chars().count());
        if length_is_right && text.chars().all(is_name_character) { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkflowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the vendor's CreateWorkflow schema allows `character` in a name or description:
/// `[_a-zA-Z0-9().-]|[\u4e00-\u9fa5]`. A space is not among them.
pub(super) fn is_name_character(character: char) -> bool {
    matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '(' | ')' | '.' | '-' | '\u{4e00}'..='\u{9fa5}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_of_64_characters_is_taken_and_of_65_refused() {
        assert_eq!(WorkflowName::parse(&"a".repeat(64)).map(|name| name.as_str().len()), Ok(64));
        assert_eq!(WorkflowName::parse(&"a".repeat(65)), Err(NameError));
        assert_eq!(WorkflowName::parse(""), Err(NameError));
    }

    #[test]
    fn length_counts_characters_and_not_bytes() {
        assert!(WorkflowName::parse(&"流".repeat(64)).is_ok());
        assert!(WorkflowName::parse(&"流".repeat(65)).is_err());
    }

    #[test]
    fn the_class_ends_where_the_vendors_pattern_ends() {
        for allowed in ["_", "(", ")", ".", "-", "\u{4e00}", "\u{9fa5}", "A.b-(1)_流"] {
            assert!(WorkflowName::parse(allowed).is_ok(), "{allowed:?}");
        }
        for refused in [" ", "a b", "a/b", "a:b", "\u{4dff}", "\u{9fa6}", "é", "a\n", "\0"] {
            assert!(WorkflowName::parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn the_refusal_names_the_whole_rule() {
        assert_eq!(
            NameError.to_string(),
            "must be 1 to 64 characters, each a letter, a digit, one of `_-.()`, or in U+4E00 to U+9FA5"
        );
    }

    proptest! {
        #[test]
        fn every_text_of_the_vendors_pattern_is_a_name(text in "([_a-zA-Z0-9().-]|[\u{4e00}-\u{9fa5}]){1,64}") {
            prop_assert_eq!(WorkflowName::parse(&text).expect("the pattern matches").to_string(), text);
        }

        #[test]
        fn no_other_text_is_a_name(text in any::<String>()) {
            let pattern = regex_lite::Regex::new(r"^([_a-zA-Z0-9().-]|[\x{4e00}-\x{9fa5}]){1,64}$").expect("compiles");
            prop_assert_eq!(WorkflowName::parse(&text).is_ok(), pattern.is_match(&text));
        }
    }
}
