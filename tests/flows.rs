//! Definitions and what they compile to: `golden/flows/<name>.json` and `<name>.asl.json`, and the samples likewise.
//!
//! `UPDATE_GOLDEN=1 cargo test flows` writes the compiled files anew; look at the difference before it is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use flowgate::engine::compiler::{FunctionNames, compile};
use flowgate::workflow::files;
use flowgate::workflow::flow::Flow;
use proptest::prelude::*;
use serde_json::{Value, json};
use winterbaume_sfn_asl_eval::{ValidateOptions, validate};

use crate::support::{read_json, root};

/// Each definition, and the file that holds what it compiles to.
fn flows() -> Vec<(PathBuf, PathBuf)> {
    let golden = root().join("tests/golden/flows");
    let mut flows = Vec::new();
    for directory in [&golden, &root().join("workflows")] {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            if let Some(stem) = name.strip_suffix(".json").filter(|stem| !stem.ends_with(".asl")) {
                flows.push((path, golden.join(format!("{stem}.asl.json"))));
            }
        }
    }
    flows.sort();
    flows
}

fn compiled(definition: &Path) -> Value {
    let flow = files::read_flow(definition).unwrap_or_else(|error| panic!("{}: {error}", definition.display()));
    let machine = compile(&flow, &FunctionNames::default());
    machine.unwrap_or_else(|error| panic!("{}: {error}", definition.display())).definition().clone()
}

#[test]
fn every_flow_compiles_to_its_golden_text() {
    let flows = flows();
    assert!(flows.len() >= 28, "the goldens were found");
    for (definition, golden) in flows {
        let text = format!("{:#}\n", compiled(&definition));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).expect("a written file");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(text == expected, "{} does not compile to {}", definition.display(), golden.display());
    }
}

#[test]
fn an_independent_validator_finds_nothing() {
    for (_, golden) in flows() {
        let result = validate(&read_json(&golden).to_string(), &ValidateOptions::default());
        assert!(result.valid, "{}: {:?}", golden.display(), result.diagnostics);
    }
}

#[test]
fn machines_keep_the_rules_that_validators_leave_out() {
    for (_, golden) in flows() {
        let machine = read_json(&golden);
        let mut names = BTreeSet::new();
        check_states(&machine, &mut names, &golden.display().to_string());
    }
}

/// Every transition leads to a state of the same scope, every state is reached, every name is unique and short enough, and
/// no state has a field outside the subset that the compiler's documentation promises to interpreters.
fn check_states(scope: &Value, names: &mut BTreeSet<String>, file: &str) {
    let states = scope["States"].as_object().unwrap_or_else(|| panic!("{file}: no states"));
    let fields = BTreeMap::from([
        ("Choice", &["Choices", "Default"][..]),
        ("Fail", &["Error", "CausePath"]),
        ("Parallel", &["Branches", "Next", "ResultPath", "ResultSelector"]),
        ("Pass", &["End", "InputPath", "Next", "Parameters", "Result", "ResultPath"]),
        (
            "Task",
            &["Catch", "Next", "Parameters", "Resource", "ResultPath", "ResultSelector", "Retry", "TimeoutSeconds"],
        ),
        ("Wait", &["Next", "Seconds"]),
    ]);
    let mut reached = BTreeSet::from([scope["StartAt"].as_str().expect("StartAt").to_owned()]);
    for (name, state) in states {
        assert!(names.insert(name.clone()), "{file}: {name} is there twice");
        assert!((1..=80).contains(&name.chars().count()), "{file}: the name {name} is too long");
        let known = fields[state["Type"].as_str().expect("a type")];
        for field in state.as_object().expect("a state").keys() {
            assert!(field == "Type" || known.contains(&field.as_str()), "{file}: {name} has {field}");
        }
        let ways = [&state["Next"], &state["Default"]].into_iter();
        let routes = ["Choices", "Catch"].iter().filter_map(|field| state[*field].as_array()).flatten();
        reached.extend(ways.chain(routes.map(|route| &route["Next"])).filter_map(Value::as_str).map(str::to_owned));
        for branch in state["Branches"].as_array().into_iter().flatten() {
            check_states(branch, names, file);
        }
    }
    let existing: BTreeSet<String> = states.keys().cloned().collect();
    assert_eq!(reached, existing, "{file}: transitions and states differ");
}

/// A v2 definition of a few states in a row, each of any kind, with error routes that skip some of them.
fn any_definition() -> impl Strategy<Value = Value> {
    let argument = prop::sample::select(vec![
        json!("$"),
        json!("$.a.b[0]"),
        json!("$.a-b | 'x'"),
        json!("$.a-b | $CONST.c"),
        json!("$CONST.c"),
        json!({"deep": {"a": "$.a | 1", "b": true}}),
        json!(null),
    ]);
    let action = prop::collection::btree_map("[a-c]", argument, 0..3)
        .prop_map(|arguments| json!({"function_ref": {"ref_name": "work", "arguments": arguments}}));
    let expression = prop::sample::select(vec![
        "",
        "$.errorCode == '*'",
        "$.errorCode == 500 || $.errorCode != nil && $.a-b.c[0] < 1.5",
        "($.a == 'x' || $.a == true) && $.b >= -1",
    ]);
    let route = (expression, any::<bool>(), 0..4_usize);
    let filter = prop::option::of(prop::sample::select(vec!["", "$", "$.a", "$.a[?(@.b == 1)].c", "$[0:2]"]));
    let state = (
        0..4_u8,
        any::<bool>(),
        prop::collection::vec(action, 1..4),
        prop::collection::vec(route, 0..3),
        (filter.clone(), filter),
    );
    (prop::collection::vec(state, 1..6), any::<bool>()).prop_map(|(states, has_end)| {
        let count = states.len();
        let last = if has_end { format!("s{count}") } else { String::new() };
        let id = |index: usize| if index < count { format!("s{index}") } else { last.clone() };
        let mut written = Vec::new();
        for (index, (kind, parallel, actions, routes, (input, output))) in states.into_iter().enumerate() {
            let routes: Vec<Value> = routes
                .into_iter()
                .map(|(error, retries, skipped)| {
                    let to = if skipped == 0 { String::new() } else { id(index + skipped) };
                    json!({"error": error, "retry_ref": if retries { "r" } else { "" }, "transition": to})
                })
                .collect();
            let next = id(index + 1);
            written.push(json!({
                "id": id(index), "name": "n", "type": if kind == 0 { "Sleep" } else { "Operation" }, "duration": 0.5,
                "action_mode": if parallel { "parallel" } else { "sequential" }, "actions": actions, "on_errors": routes,
                "state_data_filter": {"input": input, "output": output}, "transition": next, "end": next.is_empty(),
            }));
        }
        if has_end {
            written.push(json!({
                "id": last, "name": "n", "type": "End", "actions": [], "end": true, "transition": "",
            }));
        }
        json!({
            "name": "any", "start": "s0", "constants": {"c": [1]}, "retries": [{"name": "r"}],
            "functions": [{"name": "work", "operation": "urn:fss:r:p:work"}], "states": written,
        })
    })
}

proptest! {
    #[test]
    fn whatever_is_a_definition_compiles_to_a_sound_machine(definition in any_definition()) {
        let flow = Flow::parse(&definition.to_string()).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let machine = compile(&flow, &FunctionNames::default()).expect("it is small");
        check_states(machine.definition(), &mut BTreeSet::new(), &definition.to_string());
        prop_assert!(validate(&machine.text(), &ValidateOptions::default()).valid);
    }
}

/// The built program.
fn flowgate(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flowgate"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn compile_prints_the_text() {
    let (code, text, log) = flowgate(&["compile", "workflows/order-fanout.json"]);
    assert_eq!((code, log.as_str()), (Some(0), ""));
    let golden = root().join("tests/golden/flows/order-fanout.asl.json");
    assert_eq!(text, std::fs::read_to_string(golden).expect("a golden file"));
}

#[test]
fn compile_resolves_functions_by_the_template() {
    let (code, text, _) = flowgate(&["compile", "workflows/order-fanout.json", "--functions", "dev-{package}-{name}"]);
    assert_eq!(code, Some(0));
    assert!(text.contains(r#""FunctionName": "dev-default-order-cancel""#), "{text}");
    let (code, _, log) = flowgate(&["compile", "workflows/order-fanout.json", "--functions", "{nam}"]);
    assert_eq!(code, Some(2));
    assert!(log.contains("the template `{nam}` must be text and any of {region}"), "{log}");
}

#[test]
fn compile_lists_every_problem_and_fails() {
    let broken = tempfile::NamedTempFile::with_suffix(".json").expect("a temporary file");
    let states = |count: usize| -> String {
        let state = |index: usize| format!(r#""s{index}":{{"type":"DELAY","time-delay":0,"next-state":"none"}}"#);
        (0..count).map(state).collect::<Vec<String>>().join(",")
    };
    std::fs::write(broken.path(), format!(r#"{{"states":{{{}}}}}"#, states(12))).expect("a written file");
    let (code, text, log) = flowgate(&["compile", broken.path().to_str().expect("UTF-8")]);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    for index in 0..12 {
        assert!(log.contains(&format!("`states.s{index}.time-delay` must be a whole number from 1 to 86400")), "{log}");
        assert!(log.contains(&format!("`states.s{index}.next-state` must name a state of the workflow")), "{log}");
    }
}

#[test]
fn compile_says_what_only_the_embedded_engine_can_call() {
    let (code, text, log) = flowgate(&["compile", "tests/golden/flows/v2-http.json"]);
    assert_eq!(code, Some(0));
    assert!(text.contains(r#""FunctionName": "https://example.com/work""#), "{text}");
    assert_eq!(
        log,
        "note: only the embedded engine can call https://example.com/work; Step Functions cannot run this\n"
    );
}
