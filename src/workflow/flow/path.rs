//! JSONPath as the vendor's definitions use it.
//!
//! The vendor's table of operators has `$`, `.`, `[index]`, `[start:end]` and `[?(filter)]`; `['name']` and `[*]` are taken
//! too, because every JSONPath has them. A path is rewritten, not only passed on: names that are no plain identifiers go
//! into brackets, so that the interpreters, whose JSONPath dialects differ there, read them alike.

use std::fmt;

use serde_json::Value;

/// A path into a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Name(String),
    Index(u32),
    All,
    /// What stands between the brackets of a slice.
    Slice(String),
    /// What stands between `[?(` and `)]`.
    Filter(String),
}

/// Why a text is no path; the message says what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `$`.
    #[error("must be a JSONPath, which begins with `$`")]
    NoRoot,
    /// What follows the `$` is none of the operators.
    #[error("must be a JSONPath of `.name`, `['name']`, `[0]`, `[*]`, `[0:2]` and `[?(@.name == 1)]` only")]
    Operator,
    /// A path ends, and something else follows.
    #[error("must be a JSONPath and nothing else")]
    Trailing,
}

impl Path {
    /// Reads a text that is a path and nothing else.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        match Self::prefix_of(text)? {
            (path, "") => Ok(path),
            _ => Err(PathError::Trailing),
        }
    }

    /// Reads the path that a text begins with, and returns what follows it.
    pub(super) fn prefix_of(text: &str) -> Result<(Self, &str), PathError> {
        let mut rest = text.strip_prefix('$').ok_or(PathError::NoRoot)?;
        let mut segments = Vec::new();
        loop {
            let (segment, after) = if let Some(after) = rest.strip_prefix('.') {
                dotted(after).ok_or(PathError::Operator)?
            } else if let Some(after) = rest.strip_prefix('[') {
                bracketed(after).ok_or(PathError::Operator)?
            } else {
                break;
            };
            segments.push(segment);
            rest = after;
        }
        Ok((Self { segments }, rest))
    }

    /// `$`, the whole document.
    pub(super) fn root() -> Self {
        Self { segments: Vec::new() }
    }

    /// Whether it is `$`, the whole document.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether it can lead to one place at most. Choices can look at nothing else.
    pub fn is_single(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Name(_) | Segment::Index(_)))
    }

    /// The names of a path that consists of names only.
    pub(super) fn names(&self) -> Option<Vec<&str>> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Name(name) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The path as text, in a document in which its root is found at `root`.
    pub fn under(&self, root: &str) -> String {
        let mut text = root.to_owned();
        for segment in &self.segments {
            match segment {
                Segment::Name(name) if is_identifier(name) => text.extend([".", name]),
                Segment::Name(name) => text.extend(["['", name, "']"]),
                Segment::Index(index) => text.extend(["[", &index.to_string(), "]"]),
                Segment::All => text.push_str("[*]"),
                Segment::Slice(slice) => text.extend(["[", slice, "]"]),
                Segment::Filter(filter) => text.extend(["[?(", filter, ")]"]),
            }
        }
        text
    }

    /// What it leads to; `None` if that is nothing, or if it is not a single path.
    pub(super) fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(document, |value, segment| match segment {
            Segment::Name(name) => value.get(name),
            Segment::Index(index) => value.get(usize::try_from(*index).ok()?),
            Segment::All | Segment::Slice(_) | Segment::Filter(_) => None,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.under("$"))
    }
}

/// Whether every JSONPath dialect takes the name after a dot.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn dotted(text: &str) -> Option<(Segment, &str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Some((Segment::All, rest));
    }
    // The vendor's parser ends a name where an operator of its expressions begins.
    let ends = |c: char| c.is_whitespace() || c.is_control() || r#".[]()'",:;?*@$|&=!<>\"#.contains(c);
    let (name, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    (!name.is_empty()).then(|| (Segment::Name(name.to_owned()), rest))
}

fn bracketed(text: &str) -> Option<(Segment, &str)> {
    if let Some(inner) = text.strip_prefix("?(") {
        let end = end_of_filter(inner)?;
        return Some((Segment::Filter(inner[..end].to_owned()), inner[end + 1..].strip_prefix(']')?));
    }
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (name, rest) = text[1..].split_once(quote)?;
        let plain = !name.is_empty() && !name.chars().any(|c| c.is_control() || matches!(c, '\'' | '"' | '\\'));
        return plain.then(|| Some((Segment::Name(name.to_owned()), rest.strip_prefix(']')?)))?;
    }
    let (inner, rest) = text.split_once(']')?;
    let segment = if inner == "*" {
        Segment::All
    } else if let Some((start, end)) = inner.split_once(':') {
        let is_bound = |bound: &str| bound.is_empty() || bound.parse::<i32>().is_ok_and(|n| n.to_string() == bound);
        (is_bound(start) && is_bound(end)).then(|| Segment::Slice(inner.to_owned()))?
    } else {
        Segment::Index(inner.parse().ok().filter(|index: &u32| index.to_string() == inner)?)
    };
    Some((segment, rest))
}

/// Where the parenthesis closes that the text is inside of. A filter looks at the current item, never at the root, whose
/// place changes in compilation.
fn end_of_filter(text: &str) -> Option<usize> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (index, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if c.is_control() || c == '\\' => return None,
            _ if quoted => {}
            '$' | '"' => return None,
            '(' => depth += 1,
            ')' if depth == 0 => return (index > 0).then_some(index),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operator_of_the_vendor_is_read() {
        for (text, written) in [
            ("$", "$"),
            ("$.a.b[0].c", "$.a.b[0].c"),
            ("$['a']", "$.a"),
            ("$.some-name", "$['some-name']"),
            ("$[\"a b\"].流", "$['a b']['流']"),
            ("$.fruits[*]", "$.fruits[*]"),
            ("$.fruits.*", "$.fruits[*]"),
            ("$.fruits[1:3]", "$.fruits[1:3]"),
            ("$.fruits[-2:]", "$.fruits[-2:]"),
            ("$.vegetables[?(@.veggieLike == true)].veggieName", "$.vegetables[?(@.veggieLike == true)].veggieName"),
            ("$.a[?((@.b == ')') && @.c > 1)]", "$.a[?((@.b == ')') && @.c > 1)]"),
        ] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "a", "@.a"] {
            assert_eq!(Path::parse(text), Err(PathError::NoRoot), "{text}");
        }
        for text in
            ["$.", "$..a", "$.a.", "$[", "$[a]", "$[01]", "$['']", "$['a", "$[?(@.a == $.b)]", "$[?()]", "$[1:b]"]
        {
            assert_eq!(Path::parse(text), Err(PathError::Operator), "{text}");
        }
        for text in ["$a", "$.a ", "$.a b", "$ .a"] {
            assert_eq!(Path::parse(text), Err(PathError::Trailing), "{text}");
        }
    }

    #[test]
    fn only_names_and_indexes_lead_to_one_place() {
        for (text, single) in [("$.a[0]['b c']", true), ("$.a[*]", false), ("$[0:1]", false), ("$[?(@.a)]", false)] {
            assert_eq!(Path::parse(text).map(|path| path.is_single()), Ok(single), "{text}");
        }
    }

    #[test]
    fn a_path_finds_its_value() {
        let document = json!({"a": [{"b c": 1}]});
        let find = |text| Path::parse(text).expect("a path").find(&document).cloned();
        assert_eq!(find("$.a[0]['b c']"), Some(json!(1)));
        assert_eq!(find("$.a[1]"), None);
        assert_eq!(find("$.a[*]"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_it_reads_is_written_and_read_again(text in "\\$?[.\\[\\]a-c'*?(@$):0-2 |=流\\\\-]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Path::parse(&text);
        }
    }
}
