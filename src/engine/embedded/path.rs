//! Paths into documents.
//!
//! AWS reads them by the rules of the Java library Jayway JsonPath. A path of names and indexes leads to one place and must
//! find something. With the first `[*]`, slice or filter it leads to any number of places, and what is found is an array,
//! an empty one too; the names and indexes before it must still find something, and a slice an array. That part is left to
//! a library that follows RFC 9535.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::failure::Failure;

/// How deep parentheses may lie within each other in a filter: the library's parser calls itself for each.
const MAX_PARENTHESES: usize = 32;

/// Where documents come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Documents<'a> {
    /// `$`
    pub(super) input: &'a Value,
    /// `$$.Execution.Input`
    pub(super) execution_input: &'a Value,
}

/// A path to read from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    text: String,
    root: Root,
    steps: Vec<Step>,
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Root {
    Document,
    ExecutionInput,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

/// What follows the names and indexes at the beginning.
#[derive(Debug, Clone, PartialEq)]
struct Rest {
    first: Several,
    path: JsonPath,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Several {
    All,
    Slice,
    Filter,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is no path that this engine knows");
        let (root, mut rest) = if let Some(rest) = text.strip_prefix("$$.Execution.Input") {
            (Root::ExecutionInput, rest)
        } else {
            (Root::Document, text.strip_prefix('$').ok_or_else(refused)?)
        };
        let mut steps = Vec::new();
        while let Some((step, after)) = step(rest) {
            steps.push(step);
            rest = after;
        }
        let rest = if rest.is_empty() { None } else { Some(Rest::parse(rest).ok_or_else(refused)?) };
        Ok(Self { text: text.to_owned(), root, steps, rest })
    }

    /// What the path leads to.
    ///
    /// # Errors
    /// `States.Runtime` when that is nothing.
    pub(super) fn find(&self, documents: Documents<'_>) -> Result<Value, Failure> {
        let nothing = || Failure::runtime(format!("the path `{}` leads to nothing", self.text));
        let place = self.place(documents).ok_or_else(nothing)?;
        match &self.rest {
            None => Ok(place.clone()),
            Some(rest) => rest.find(place).ok_or_else(nothing),
        }
    }

    /// The one place that the path leads to, if there is one. Of a path to several places it is where their search begins.
    pub(super) fn place<'a>(&self, documents: Documents<'a>) -> Option<&'a Value> {
        let root = match self.root {
            Root::Document => documents.input,
            Root::ExecutionInput => documents.execution_input,
        };
        self.steps.iter().try_fold(root, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })
    }

    /// Whether it leads to one place at most.
    pub(super) fn is_single(&self) -> bool {
        self.rest.is_none()
    }

    /// The path as text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The names of a path from `$` that consists of names only.
    fn into_names(self) -> Option<Vec<String>> {
        let names = self.steps.into_iter().map(|step| match step {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        });
        names.collect::<Option<_>>().filter(|_| self.root == Root::Document && self.rest.is_none())
    }
}

impl Rest {
    fn parse(text: &str) -> Option<Self> {
        let first = if text.starts_with("[*]") {
            Several::All
        } else if text.starts_with("[?(") {
            Several::Filter
        } else if text.starts_with('[') {
            Several::Slice
        } else {
            return None;
        };
        let (mut depth, mut deepest) = (0_usize, 0);
        for c in text.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        if deepest > MAX_PARENTHESES {
            return None;
        }
        Some(Self { first, path: JsonPath::parse(&format!("${text}")).ok()? })
    }

    fn find(&self, place: &Value) -> Option<Value> {
        let found = |document: &Value| Value::Array(self.path.query(document).all().into_iter().cloned().collect());
        match (self.first, place) {
            (Several::All, _) | (_, Value::Array(_)) => Some(found(place)),
            // Jayway asks the object itself, where the RFC would ask its members.
            (Several::Filter, Value::Object(_)) => Some(found(&Value::Array(vec![place.clone()]))),
            (Several::Slice | Several::Filter, _) => None,
        }
    }
}

/// The name or index that a text begins with, and what follows it.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(after) = text.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        return (!name.is_empty()).then(|| (Step::Name(name.to_owned()), rest));
    }
    if let Some(after) = text.strip_prefix("['") {
        let (name, rest) = after.split_once("']")?;
        return Some((Step::Name(name.to_owned()), rest));
    }
    let (index, rest) = text.strip_prefix('[')?.split_once(']')?;
    let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    Some((Step::Index(index.parse().ok().filter(|_| is_index)?), rest))
}

/// Where a state's result goes in the document it got: a `ResultPath`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ResultPath {
    /// Nowhere: the output is the input.
    Discard,
    /// To this place, given by names; none of them means that the result is the output.
    At(Vec<String>),
}

impl ResultPath {
    /// Reads a reference path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let names = Path::parse(text)?.into_names();
        names.map(Self::At).ok_or_else(|| format!("`{text}` is not a path of names"))
    }

    /// Puts a result in its place in the document; objects on the way to it are made.
    ///
    /// # Errors
    /// `States.ResultPathMatchFailure` when something else than an object is on the way.
    pub(super) fn put(&self, mut document: Value, result: Value) -> Result<Value, Failure> {
        let Self::At(names) = self else { return Ok(document) };
        let mut place = &mut document;
        for name in names {
            let Value::Object(members) = place else {
                let cause = format!("there is no object to hold `{name}` of the path `$.{}`", names.join("."));
                return Err(Failure::new("States.ResultPathMatchFailure", cause));
            };
            place = members.entry(name.as_str()).or_insert_with(|| Value::Object(serde_json::Map::new()));
        }
        *place = result;
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn find(path: &str, document: &Value) -> Result<Value, String> {
        let execution_input = json!({"input": {"from": "start"}});
        let documents = Documents { input: document, execution_input: &execution_input };
        Path::parse(path)?.find(documents).map_err(|failure| failure.error)
    }

    #[test]
    fn names_and_indexes_lead_to_one_place() {
        let document = json!({"a": [{"b c": 1.50}], "n": null});
        for (path, found) in [
            ("$", document.clone()),
            ("$.a[0]['b c']", document["a"][0]["b c"].clone()),
            ("$.n", Value::Null),
            ("$$.Execution.Input.input.from", json!("start")),
        ] {
            assert_eq!(find(path, &document), Ok(found), "{path}");
        }
        for path in ["$.b", "$.a[1]", "$.a.b", "$.n.x", "$$.Execution.Input.x"] {
            assert_eq!(find(path, &document), Err(Failure::RUNTIME.to_owned()), "{path}");
        }
    }

    #[test]
    fn several_places_are_an_array() {
        let document = json!({"a": [{"ok": true, "n": 1}, {"ok": false, "n": 2}, 3], "o": {"ok": true}, "s": "text"});
        for (path, found) in [
            ("$.a[*].n", json!([1, 2])),
            ("$.a[?(@.ok == true)]", json!([{"ok": true, "n": 1}])),
            ("$.a[?(@.n > 1 && (@.ok == false))].n", json!([2])),
            ("$.a[?(@.n > 5)]", json!([])),
            ("$.a[1:3]", json!([{"ok": false, "n": 2}, 3])),
            ("$.a[-1:]", json!([3])),
            ("$.o[?(@.ok == true)]", json!([{"ok": true}])),
            ("$.o[*]", json!([true])),
            ("$.s[*]", json!([])),
        ] {
            assert_eq!(find(path, &document), Ok(found), "{path}");
        }
        for path in ["$.missing[*]", "$.o[0:1]", "$.s[?(@.a == 1)]", "$.a[7][*]"] {
            assert_eq!(find(path, &document), Err(Failure::RUNTIME.to_owned()), "{path}");
        }
    }

    #[test]
    fn what_the_compiler_does_not_write_is_refused() {
        let deep = format!("$.a[?({}@.b == 1{})]", "(".repeat(60_000), ")".repeat(60_000));
        for path in ["", "a", "$.", "$..a", "$.a-b", "$[", "$$.State.Name", "$$", "$[?(@.a =~ /x/)]", deep.as_str()] {
            assert!(Path::parse(path).is_err(), "{path:.40}");
        }
        for path in ["$[0]", "$.a[*]", "$$.Execution.Input"] {
            assert!(ResultPath::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_result_is_put_where_the_path_leads() {
        let put = |path: &str, document: Value| {
            let put = ResultPath::parse(path).expect("a path").put(document, json!(1));
            put.map_err(|failure| failure.error)
        };
        assert_eq!(put("$", json!({"a": 2})), Ok(json!(1)));
        assert_eq!(put("$.a", json!({"a": 2, "b": 3})), Ok(json!({"a": 1, "b": 3})));
        assert_eq!(put("$.x.y['z z']", json!({"x": {"k": 0}})), Ok(json!({"x": {"k": 0, "y": {"z z": 1}}})));
        for document in [json!({"a": null}), json!({"a": [1]}), json!("text")] {
            assert_eq!(put("$.a.b", document), Err("States.ResultPathMatchFailure".to_owned()));
        }
        assert_eq!(ResultPath::Discard.put(json!([0]), json!(1)), Ok(json!([0])));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\$?\\$?[.\\[\\]a-c'*?(@$):0-2 |=流\\\\-]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                let document = json!({"a": [{"b": 1}], "b": {"c": [0, 1, 2]}});
                let _ = path.find(Documents { input: &document, execution_input: &document });
            }
        }
    }
}
