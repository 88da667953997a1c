//! The name that identifies an execution within its workflow.

use std::fmt;

/// Most characters an execution name may have (FunctionGraph v1, "Starting a Workflow Instance").
const MAX_CHARS: usize = 80;

/// A checked execution name: the FunctionGraph v1 rule, the widest of the three APIs. What v2 and OBS produce fits in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExecutionName(String);

/// Why a text is no execution name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Empty, or longer than 80 characters.
    #[error("must have 1 to {MAX_CHARS} characters")]
    Length,
    /// Contains a character of the vendor's blacklist.
    #[error(
        "must not contain white space, control characters or any of < > {{ }} [ ] ? * \" # % \\ ^ | ~ ` $ & , ; : /"
    )]
    Character,
}

impl ExecutionName {
    /// Checks a name: 1 to 80 Unicode characters, none of the characters the vendor's page excludes.
    ///
    /// # Errors
    /// [`InvalidName`] says which of the two rules is broken.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if !(1..=MAX_CHARS).contains(&text.chars().count()) {
            return Err(InvalidName::Length);
        }
        if text.chars().any(is_excluded) {
            return Err(InvalidName::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_excluded(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c)
}

impl fmt::Display for ExecutionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eighty_characters_pass_and_one_more_is_refused() {
        for character in ["a", "值", "😀"] {
            assert!(ExecutionName::parse(&character.repeat(80)).is_ok());
            assert_eq!(ExecutionName::parse(&character.repeat(81)), Err(InvalidName::Length));
        }
        assert_eq!(ExecutionName::parse(""), Err(InvalidName::Length));
    }

    #[test]
    fn every_excluded_character_is_refused_wherever_it_stands() {
        let controls = (0x00..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32);
        for c in "<>{}[]?*\"#%\\^|~`$&,;:/ \t\u{a0}\u{3000}\u{2028}".chars().chain(controls) {
            for text in [format!("{c}"), format!("a{c}b"), format!("ab{c}")] {
                assert_eq!(ExecutionName::parse(&text), Err(InvalidName::Character), "{c:?}");
            }
        }
        for text in ["a.b", "a@b", "(1)", "a=b+c!'", "执行-1", "_"] {
            assert!(ExecutionName::parse(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_kept_and_within_the_rule(text in any::<String>()) {
            if let Ok(name) = ExecutionName::parse(&text) {
                prop_assert_eq!(name.as_str(), text.as_str());
                prop_assert!((1..=80).contains(&text.chars().count()));
                prop_assert!(!text.chars().any(is_excluded));
            }
        }
    }
}
