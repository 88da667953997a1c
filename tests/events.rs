//! Every event file through the real handler: event in, whole answer out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex_lite::Regex;
use serde_json::Value;

use crate::support::{TestApp, read_json, root};

/// The folders of `events/`: the three APIs, calls that belong to none of them, and what is no call.
const FOLDERS: [&str; 5] = ["engine", "functiongraph_v1", "functiongraph_v2", "gateway", "obs"];

/// The front ends that every operation has a successful event for, by the ending of the case's name.
const FRONT_ENDS: [&str; 5] = ["", "_rest_base64", "_http_api", "_function_url", "_alb"];

struct Case {
    event: PathBuf,
    response: PathBuf,
    /// An event or a list of them that have to come first, for instance the start that a conflict conflicts with.
    before: Option<PathBuf>,
}

/// The cases of all folders. Panics if a file in them belongs to no case.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for folder in FOLDERS.map(|name| root().join("events").join(name)) {
        let files: BTreeSet<PathBuf> =
            folder.read_dir().expect("a folder of events").map(|entry| entry.expect("an entry").path()).collect();
        let mut used = BTreeSet::new();
        for event in files.iter().filter(|path| is_event(path)) {
            let beside = |ending: &str| event.with_extension(ending);
            let (response, before) = (beside("response.json"), beside("before.json"));
            assert!(files.contains(&response), "{} has no answer beside it", event.display());
            used.extend([event.clone(), response.clone()]);
            let before = files.contains(&before).then_some(before);
            used.extend(before.clone());
            cases.push(Case { event: event.clone(), response, before });
        }
        let unused: Vec<_> = files.difference(&used).collect();
        assert!(unused.is_empty(), "files that no test uses: {unused:?}");
    }
    cases
}

fn is_event(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.matches('.').count() == 1 && name.ends_with(".json")
}

/// Compares an answer with what is expected, in which `{{uuid}}`, `{{hex32}}` and `{{HEX32}}` stand for generated ids.
fn matches(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => {
            let pattern = regex_lite::escape(expected)
                .replace(r"\{\{uuid\}\}", "[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
                .replace(r"\{\{hex32\}\}", "[0-9a-f]{32}")
                .replace(r"\{\{HEX32\}\}", "[0-9A-F]{32}");
            Regex::new(&format!("^(?s:{pattern})$")).expect("a valid pattern").is_match(actual)
        }
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(e, a)| matches(e, a))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(name, e)| actual.get(name).is_some_and(|a| matches(e, a)))
        }
        _ => expected == actual,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_gets_the_answer_beside_it() {
    let app = TestApp::new().await;
    let mut failures = Vec::new();
    for case in cases() {
        if let Some(before) = &case.before {
            let events = match read_json(before) {
                Value::Array(events) => events,
                event => vec![event],
            };
            for event in events {
                let answer = app.invoke(&event).await;
                assert_eq!(answer["statusCode"], 200, "{}: {answer}", before.display());
            }
        }
        let (expected, actual) = (read_json(&case.response), app.invoke(&read_json(&case.event)).await);
        if !matches(&expected, &actual) {
            let name = case.event.strip_prefix(root()).unwrap_or(&case.event).display();
            failures.push(format!("{name}\n  expected {expected}\n  actual   {actual}"));
        }
    }
    assert!(failures.is_empty(), "{} cases differ:\n{}", failures.len(), failures.join("\n"));
}

/// Each API's folder has a file per operation, so that a new operation without events is noticed here.
#[test]
fn every_operation_has_a_successful_event_per_front_end() {
    for api in ["functiongraph_v1", "functiongraph_v2", "obs"] {
        let files = root().join("src/api").join(api).read_dir().expect("an API's folder");
        let stems = files.map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_os_string());
        let operations: Vec<_> = stems.filter(|stem| stem != "mod" && stem != "error" && stem != "words").collect();
        assert!(!operations.is_empty(), "{api}");
        for operation in operations {
            let operation = operation.to_str().expect("a name in ASCII");
            for front_end in FRONT_ENDS {
                let name = format!("events/{api}/{operation}{front_end}.response.json");
                assert_eq!(read_json(&root().join(&name))["statusCode"], 200, "{name}");
            }
        }
    }
}

#[test]
fn a_difference_is_noticed() {
    let expected = serde_json::json!({"a": "id {{uuid}}.", "b": [1]});
    let good = serde_json::json!({"a": "id 48aff955-ea10-4ffd-b426-190bc192dc14.", "b": [1]});
    assert!(matches(&expected, &good));
    for bad in [
        serde_json::json!({"a": "id 48aff955-ea10-4ffd-b426-190bc192dc14!", "b": [1]}),
        serde_json::json!({"a": "id 48aff955.", "b": [1]}),
        serde_json::json!({"a": "id 48aff955-ea10-4ffd-b426-190bc192dc14.", "b": [1, 2]}),
        serde_json::json!({"a": "id 48aff955-ea10-4ffd-b426-190bc192dc14.", "b": [1], "c": null}),
    ] {
        assert!(!matches(&expected, &bad), "{bad}");
    }
}
