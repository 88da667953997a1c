//! Reads the members of a JSON document, knowing where each stands, and collects every rule that one of them breaks.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::ptr;

use serde_json::{Map, Value};

use super::name::is_name_character;

/// How much of a text from outside a message repeats, in characters.
const QUOTED_CHARACTERS: usize = 64;

/// A rule that a definition breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the offending value stands, such as `states[2].transition`; empty for the document itself.
    pub path: String,
    /// The rule, as what the value must be.
    pub rule: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "the definition {}", self.rule)
        } else {
            write!(f, "`{}` {}", self.path, self.rule)
        }
    }
}

/// Where readers leave the problems they find.
pub(super) type Problems = RefCell<Vec<Problem>>;

/// A value and where it stands.
///
/// The readers return what they read and `None` after noting a problem. A text that breaks a rule of length or characters
/// is returned all the same, so that it can still be referred to and one mistake is not reported twice.
#[derive(Clone)]
pub(super) struct Field<'a> {
    path: String,
    value: &'a Value,
    problems: &'a Problems,
}

/// An object and where it stands.
pub(super) struct Object<'a> {
    path: String,
    members: &'a Map<String, Value>,
    problems: &'a Problems,
}

impl<'a> Field<'a> {
    /// The document itself.
    pub(super) fn root(value: &'a Value, problems: &'a Problems) -> Self {
        Self { path: String::new(), value, problems }
    }

    /// The value as it is.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// Notes that the value breaks `rule`.
    pub(super) fn breaks(&self, rule: impl Into<String>) {
        note(self.problems, self.path.clone(), rule.into());
    }

    /// Reads an object.
    pub(super) fn object(&self) -> Option<Object<'a>> {
        let Value::Object(members) = self.value else {
            self.breaks("must be an object");
            return None;
        };
        Some(Object { path: self.path.clone(), members, problems: self.problems })
    }

    /// Reads an array of that many entries. A wrong count is noted and the entries are returned all the same.
    pub(super) fn entries(&self, count: RangeInclusive<usize>) -> Option<Vec<Field<'a>>> {
        let Value::Array(values) = self.value else {
            self.breaks("must be an array");
            return None;
        };
        if !count.contains(&values.len()) {
            self.breaks(format!("must have {} entries, not {}", span(&count), values.len()));
        }
        let entry = |(index, value)| Field { path: format!("{}[{index}]", self.path), value, problems: self.problems };
        Some(values.iter().enumerate().map(entry).collect())
    }

    /// Reads a string of that many characters.
    pub(super) fn text(&self, length: RangeInclusive<usize>) -> Option<&'a str> {
        let Value::String(text) = self.value else {
            self.breaks("must be a string");
            return None;
        };
        let characters = text.chars().count();
        if !length.contains(&characters) {
            self.breaks(format!("must be {} characters long, not {characters}", span(&length)));
        }
        Some(text)
    }

    /// Reads a string of that many characters, all of the vendor's name class.
    pub(super) fn name(&self, length: RangeInclusive<usize>) -> Option<&'a str> {
        let text = self.text(length)?;
        if !text.chars().all(is_name_character) {
            self.breaks("must consist of letters, digits, `_`, `-`, `.`, `(`, `)` and U+4E00 to U+9FA5");
        }
        Some(text)
    }

    /// Reads a string that is one of a fixed set, and returns what it stands for.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let chosen = choices.iter().find(|(word, _)| self.value.as_str() == Some(word));
        if chosen.is_none() {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            let one_of = if words.len() > 1 { "one of " } else { "" };
            self.breaks(format!("must be {one_of}{}", words.join(", ")));
        }
        chosen.map(|(_, meaning)| *meaning)
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.breaks("must be true or false");
        }
        boolean
    }

    /// Reads a number written without fraction and exponent.
    pub(super) fn whole_number(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let number = self.value.as_i64().filter(|number| range.contains(number));
        if number.is_none() {
            self.breaks(format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// Reads a number.
    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = self.value.as_f64().filter(|number| range.contains(number));
        if number.is_none() {
            self.breaks(format!("must be a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// Checks that the value is the name of something that exists; `what` is its kind, such as `a state`.
    pub(super) fn names(&self, what: &str, text: &str, existing: &HashSet<&str>) {
        if !existing.contains(text) {
            self.breaks(format!("must name {what} of the workflow, {} is none", quoted(text)));
        }
    }
}

impl<'a> Object<'a> {
    /// The member of that name, noting its absence.
    pub(super) fn required(&self, name: &str) -> Option<Field<'a>> {
        let member = self.members.get(name).map(|value| self.member(name, value));
        if member.is_none() {
            note(self.problems, self.path_of(name), "is missing".to_owned());
        }
        member
    }

    /// The member of that name. `null` counts as absent: generated clients send it for what was not set.
    pub(super) fn optional(&self, name: &str) -> Option<Field<'a>> {
        self.members.get(name).filter(|value| !value.is_null()).map(|value| self.member(name, value))
    }

    /// All members, in the order of their names.
    pub(super) fn all(&self) -> Vec<(&'a str, Field<'a>)> {
        self.members.iter().map(|(name, value)| (name.as_str(), self.member(name, value))).collect()
    }

    /// Refuses members of any other name.
    pub(super) fn has_only(&self, known: &[&str]) {
        for name in self.members.keys().filter(|name| !known.contains(&name.as_str())) {
            let rule = format!("has the unknown member {}, known are {}", quoted(name), known.join(", "));
            note(self.problems, self.path.clone(), rule);
        }
    }

    fn member(&self, name: &str, value: &'a Value) -> Field<'a> {
        Field { path: self.path_of(name), value, problems: self.problems }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn note(problems: &Problems, path: String, rule: String) {
    problems.borrow_mut().push(Problem { path, rule });
}

/// The texts of `fields`, noting each that an earlier field has already.
pub(super) fn distinct_texts<'a>(fields: &[Field<'a>]) -> HashSet<&'a str> {
    let mut owners: HashMap<&str, &Field<'_>> = HashMap::new();
    for field in fields {
        let Some(text) = field.value.as_str() else { continue };
        let owner = *owners.entry(text).or_insert(field);
        if !ptr::eq(owner, field) {
            field.breaks(format!("must be unique, `{}` is {} too", owner.path, quoted(text)));
        }
    }
    owners.into_keys().collect()
}

/// A range of counts in words.
fn span(range: &RangeInclusive<usize>) -> String {
    if *range.end() == usize::MAX {
        format!("{} or more", range.start())
    } else {
        format!("{} to {}", range.start(), range.end())
    }
}

/// A text from outside as a message may repeat it: in backticks, on one line, and not endless.
pub(super) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED_CHARACTERS).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{rest}`", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_short_and_on_one_line() {
        assert_eq!(quoted("thumbnail"), "`thumbnail`");
        assert_eq!(quoted("a\nb\0"), r"`a\nb\0`");
        assert_eq!(quoted(&"x".repeat(64)), format!("`{}`", "x".repeat(64)));
        assert_eq!(quoted(&"x".repeat(65)), format!("`{}…`", "x".repeat(64)));
    }
}
