use serde_json::{Map, Value, json};

use super::*;
use crate::workflow::parameters::complete;

/// The smallest definition with one of everything that can be referred to.
fn smallest() -> Value {
    json!({
        "name": "smallest",
        "start": "work",
        "constants": {},
        "functions": [{"name": "work", "operation": "urn:fss:local-1:p:function:default:work:latest"}],
        "retries": [{"name": "short"}],
        "states": [
            {
                "id": "work", "name": "Work", "type": "Operation", "end": false, "transition": "end",
                "actions": [{"function_ref": {"ref_name": "work", "arguments": {}}}],
            },
            {"id": "end", "name": "End", "type": "End", "end": true, "transition": "", "actions": []},
        ],
    })
}

/// The smallest definition with the value at a JSON pointer set; a missing last member is added.
fn with(pointer: &str, value: Value) -> Value {
    let mut definition = smallest();
    let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
    definition.pointer_mut(parent).expect("the parent exists")[member] = value;
    definition
}

fn without(pointer: &str) -> Value {
    let mut definition = smallest();
    let (parent, member) = pointer.rsplit_once('/').expect("a JSON pointer");
    let parent = definition.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent exists");
    parent.remove(member).expect("the member exists");
    definition
}

fn parse(definition: &Value) -> Result<Definition, DefinitionError> {
    Definition::parse(&definition.to_string())
}

#[track_caller]
fn assert_taken(definition: &Value) -> Definition {
    match parse(definition) {
        Ok(definition) => definition,
        Err(error) => panic!("refused: {error}"),
    }
}

#[track_caller]
fn assert_refused(definition: &Value, message: &str) {
    match parse(definition) {
        Ok(_) => panic!("taken, expected: {message}"),
        Err(error) => assert_eq!(error.to_string(), message),
    }
}

/// Asserts that a text of that member may have `most` characters and not one more.
#[track_caller]
fn assert_longest(pointer: &str, path: &str, fewest: usize, most: usize) {
    assert_taken(&with(pointer, json!("x".repeat(most))));
    let message = format!("`{path}` must be {fewest} to {most} characters long, not {}", most + 1);
    assert_refused(&with(pointer, json!("x".repeat(most + 1))), &message);
}

#[test]
fn the_smallest_definition_is_taken_and_runs_in_normal_mode() {
    let definition = assert_taken(&smallest());
    assert_eq!(definition.name().as_str(), "smallest");
    assert_eq!(definition.mode(), Mode::Normal);
    assert!(definition.parameters().is_empty());
}

#[test]
fn the_text_is_canonical_and_rounds_no_number() {
    let spaced = r#"  { "states": [{"type":"End","id":"e","name":"e","end":true,"transition":"","actions":[]}],
        "start": "e", "retries": [], "name": "n", "functions": [], "constants": {"x": 1.50, "big": 1e400} } "#;
    let definition = Definition::parse(spaced).expect("a valid definition");
    assert_eq!(
        definition.text(),
        concat!(
            r#"{"constants":{"big":1e+400,"x":1.50},"functions":[],"name":"n","retries":[],"start":"e","#,
            r#""states":[{"actions":[],"end":true,"id":"e","name":"e","transition":"","type":"End"}]}"#
        )
    );
    assert_eq!(Definition::parse(definition.text()).expect("canonical text parses"), definition);
}

#[test]
fn the_vendors_own_sample_is_taken() {
    let sample = r#"{"name": "workflow_test", "start": "test",
        "functions": [{"name": "test", "operation": "urn:fss:{regin}:c53626012ba84727b938ca8bf03108ef:test:latest"}],
        "states": [
          {"actions": [{"function_ref": {"ref_name": "test", "arguments": {"execution_name": "$.test"}}}],
           "on_errors": [{"error": "$.errorCode == 500", "transition": "end", "retry_ref": "test"}],
           "id": "test", "name": "test", "type": "Operation", "end": false, "transition": "end"},
          {"action_mode": "", "actions": [], "id": "end", "name": "end", "type": "End", "end": true, "transition": "",
           "state_data_filter": {"input": "", "output": ""}}],
        "constants": {}, "retries": [{"name": "test"}]}"#;
    assert!(Definition::parse(sample).is_ok());
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let error = Definition::parse("{\n  \"name\": }").expect_err("not JSON");
    assert_eq!(error.to_string(), "the definition is not JSON (line 2, column 11)");
    assert_refused(&json!([]), "the definition must be an object");
}

#[test]
fn every_required_member_is_asked_for() {
    for member in ["name", "start", "constants"] {
        assert_refused(&without(&format!("/{member}")), &format!("`{member}` is missing"));
    }
    assert_refused(&without("/states"), "`states` is missing");
    assert_refused(&without("/retries"), "`retries` is missing");
    assert_refused(
        &without("/functions"),
        "`functions` is missing; \
         `states[0].actions[0].function_ref.ref_name` must name a function of the workflow, `work` is none",
    );
    assert_refused(&without("/functions/0/operation"), "`functions[0].operation` is missing");
    for member in ["name", "type", "end", "actions", "transition"] {
        let message = format!("`states[1].{member}` is missing");
        assert_refused(&without(&format!("/states/1/{member}")), &message);
    }
    assert_refused(&without("/states/0/actions/0/function_ref"), "`states[0].actions[0].function_ref` is missing");
    assert_refused(
        &without("/states/0/actions/0/function_ref/arguments"),
        "`states[0].actions[0].function_ref.arguments` is missing",
    );
}

#[test]
fn every_problem_is_listed_up_to_ten() {
    let mut definition = with("/retries/0/delay", json!(31));
    definition["start"] = json!("nowhere");
    assert_refused(
        &definition,
        "`retries[0].delay` must be a whole number from 1 to 30; \
         `start` must name a state of the workflow, `nowhere` is none",
    );

    let error = parse(&with("/retries", json!(vec![1; 12]))).expect_err("numbers are no policies").to_string();
    assert_eq!(error.matches("must be an object").count(), 10);
    assert!(error.ends_with("`retries[9]` must be an object; and 2 more"), "{error}");
}

#[test]
fn a_null_counts_as_absent_where_a_member_is_optional_only() {
    for pointer in ["/description", "/triggers", "/mode", "/inputs", "/states/0/on_errors", "/retries/0/delay"] {
        assert_taken(&with(pointer, Value::Null));
    }
    assert_refused(&with("/constants", Value::Null), "`constants` must be an object");
}

#[test]
fn members_that_the_schema_does_not_have_are_ignored() {
    assert_taken(&with("/x-vendor-added", json!(1)));
    assert_taken(&with("/states/0/position", json!({"x": 1, "y": 2})));
}

#[test]
fn texts_may_be_as_long_as_the_schema_says_and_no_longer() {
    assert_longest("/description", "description", 1, 512);
    assert_longest("/enterprise_project_id", "enterprise_project_id", 0, 64);
    let operation =
        |length: usize| with("/functions/0/operation", json!(format!("https://{}", "x".repeat(length - 8))));
    assert_taken(&operation(256));
    assert_refused(&operation(257), "`functions[0].operation` must be 0 to 256 characters long, not 257");
    assert_longest("/retries/0/name", "retries[0].name", 1, 256);
    assert_longest("/states/0/name", "states[0].name", 1, 256);
    assert_refused(&with("/description", json!("")), "`description` must be 1 to 512 characters long, not 0");
    assert_refused(&with("/states/0/name", json!("")), "`states[0].name` must be 1 to 256 characters long, not 0");

    for (member, path) in
        [("input", "states[0].state_data_filter.input"), ("output", "states[0].state_data_filter.output")]
    {
        let filter = |length: usize| {
            with("/states/0/state_data_filter", json!({member: format!("$.{}", "x".repeat(length - 2))}))
        };
        assert_taken(&filter(256));
        assert_refused(&filter(257), &format!("`{path}` must be 0 to 256 characters long, not 257"));
    }
}

#[test]
fn names_and_ids_may_be_as_long_as_the_schema_says_and_no_longer() {
    let named = |length: usize| {
        let mut definition = smallest();
        definition["name"] = json!("n".repeat(length));
        definition
    };
    assert_taken(&named(64));
    assert_refused(
        &named(65),
        "`name` must be 1 to 64 characters, each a letter, a digit, one of `_-.()`, or in U+4E00 to U+9FA5",
    );

    let first_state = |length: usize| {
        let mut definition = with("/states/0/id", json!("s".repeat(length)));
        definition["start"] = json!("s".repeat(length));
        definition
    };
    assert_taken(&first_state(64));
    assert_refused(&first_state(65), "`states[0].id` must be 0 to 64 characters long, not 65");

    let function = |length: usize| {
        let mut definition = with("/functions/0/name", json!("f".repeat(length)));
        definition["states"][0]["actions"][0]["function_ref"]["ref_name"] = json!("f".repeat(length));
        definition
    };
    assert_taken(&function(256));
    assert_refused(
        &function(257),
        "`functions[0].name` must be 0 to 256 characters long, not 257; \
         `states[0].actions[0].function_ref.ref_name` must be 0 to 256 characters long, not 257",
    );
}

#[test]
fn descriptions_and_names_are_of_the_vendors_character_class() {
    assert_taken(&with("/description", json!("Transcodes_a_video-(流)")));
    for (pointer, path) in
        [("/description", "description"), ("/states/0/name", "states[0].name"), ("/retries/0/name", "retries[0].name")]
    {
        assert_refused(
            &with(pointer, json!("a space")),
            &format!("`{path}` must consist of letters, digits, `_`, `-`, `.`, `(`, `)` and U+4E00 to U+9FA5"),
        );
    }
}

#[test]
fn numbers_are_held_to_their_limits() {
    for (member, most) in [("delay", 30), ("max_attempts", 8)] {
        let retry = |value: Value| with(&format!("/retries/0/{member}"), value);
        let message = format!("`retries[0].{member}` must be a whole number from 1 to {most}");
        assert_taken(&retry(json!(1)));
        assert_taken(&retry(json!(most)));
        for refused in [json!(0), json!(most + 1), json!(1.0), json!("1"), json!(-1)] {
            assert_refused(&retry(refused), &message);
        }
    }
}

#[test]
fn a_definition_has_at_most_100_functions_and_200_retries() {
    let functions = |count: usize| {
        let more = (1..count).map(|index| json!({"name": format!("f{index}"), "operation": "https://example.com"}));
        let first = smallest()["functions"][0].clone();
        with("/functions", std::iter::once(first).chain(more).collect())
    };
    assert_taken(&functions(100));
    assert_refused(&functions(101), "`functions` must have 0 to 100 entries, not 101");

    let retries =
        |count: usize| with("/retries", (0..count).map(|index| json!({"name": format!("r{index}")})).collect());
    assert_taken(&retries(200));
    assert_refused(&retries(201), "`retries` must have 0 to 200 entries, not 201");
}

#[test]
fn names_of_functions_and_retries_are_unique() {
    let function = smallest()["functions"][0].clone();
    assert_refused(
        &with("/functions", json!([function, function])),
        "`functions[1].name` must be unique, `functions[0].name` is `work` too",
    );
    assert_refused(
        &with("/retries", json!([{"name": "a"}, {"name": "b"}, {"name": "a"}])),
        "`retries[2].name` must be unique, `retries[0].name` is `a` too",
    );
}

#[test]
fn express_mode_needs_its_configuration() {
    let mut definition = with("/mode", json!("EXPRESS"));
    assert_refused(&definition, "`express_config` is missing");
    for level in ["ALL", "ERROR", "NONE"] {
        definition["express_config"] = json!({"log_level": level});
        assert_eq!(assert_taken(&definition).mode(), Mode::Express);
    }
    definition["express_config"] = json!({"log_level": "DEBUG"});
    assert_refused(&definition, "`express_config.log_level` must be one of `ALL`, `ERROR`, `NONE`");
    assert_refused(&with("/mode", json!("express")), "`mode` must be one of `NORMAL`, `EXPRESS`");
}

#[test]
fn triggers_are_of_a_known_type_and_obs_triggers_have_a_configuration() {
    let config = json!({"bucket": "b", "events": ["ObjectCreated:Put"], "prefix": "p", "suffix": "s"});
    assert_taken(&with(
        "/triggers",
        json!([
            {"trigger_name": "new", "trigger_type": "OBS", "enabled": false, "trigger_config": config},
            {"trigger_name": "daily", "trigger_type": "FLOWTIMER", "trigger_config": {"cron": "0 0 * * *"}},
        ]),
    ));
    for (trigger, message) in [
        (json!({"trigger_name": "t"}), "`triggers[0].trigger_type` is missing"),
        (json!({"trigger_name": "t", "trigger_type": "OBS"}), "`triggers[0].trigger_config` is missing"),
        (
            json!({"trigger_name": "t", "trigger_type": "KAFKA"}),
            "`triggers[0].trigger_type` must be one of `FLOWTIMER`, `SMN`, `APIG`, `APIG_DE`, `OBS`",
        ),
        (
            json!({"trigger_name": "t", "trigger_type": "SMN", "enabled": "yes"}),
            "`triggers[0].enabled` must be true or false",
        ),
        (
            json!({"trigger_name": "", "trigger_type": "SMN"}),
            "`triggers[0].trigger_name` must be 1 to 256 characters long, not 0",
        ),
        (
            json!({"trigger_name": "t", "trigger_type": "OBS", "trigger_config":
                {"bucket": "b".repeat(65), "events": [], "prefix": "", "suffix": 1}}),
            "`triggers[0].trigger_config.bucket` must be 1 to 64 characters long, not 65; \
             `triggers[0].trigger_config.prefix` must be 1 to 64 characters long, not 0; \
             `triggers[0].trigger_config.suffix` must be a string; \
             `triggers[0].trigger_config.events` must have 1 to 64 entries, not 0",
        ),
    ] {
        assert_refused(&with("/triggers", json!([trigger])), message);
    }
    let many = |count| with("/triggers", json!(vec![json!({"trigger_name": "t", "trigger_type": "SMN"}); count]));
    assert_taken(&many(200));
    assert_refused(&many(201), "`triggers` must have 0 to 200 entries, not 201");
}

#[test]
fn a_definition_of_65536_bytes_is_taken_and_one_byte_more_refused() {
    let empty = with("/constants", json!({"filler": ""})).to_string().len();
    let filled = |bytes: usize| with("/constants", json!({"filler": "x".repeat(bytes - empty)}));

    assert_eq!(assert_taken(&filled(65_536)).text().len(), 65_536);
    assert_refused(&filled(65_537), "the definition must be at most 65536 bytes without white space, not 65537");

    let indented = format!("{}{}", " ".repeat(1000), filled(65_536));
    assert!(Definition::parse(&indented).is_ok(), "white space does not count");
}

#[test]
fn parameters_are_read_in_their_order() {
    let definition = assert_taken(&with(
        "/inputs",
        json!([{"parameter_name": "width", "type": "Integer"}, {"parameter_name": "format", "type": "string"}]),
    ));
    let names: Vec<&str> = definition.parameters().iter().map(Parameter::name).collect();
    assert_eq!(names, ["width", "format"]);
}

#[test]
fn the_samples_are_definitions_and_their_files_are_named_after_them() {
    let samples = [
        ("media-transcode", include_str!("../../../workflows/media-transcode.json")),
        ("expense-approval", include_str!("../../../workflows/expense-approval.json")),
        ("order-fanout", include_str!("../../../workflows/order-fanout.json")),
    ];
    for (name, text) in samples {
        let definition = Definition::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(definition.name().as_str(), name);
        let required = definition.parameters().iter().filter(|parameter| parameter.default().is_none()).count();
        assert_eq!(required, usize::from(name == "expense-approval"), "{name}");
    }
}

#[test]
fn the_media_sample_can_be_started_without_inputs() {
    let text = include_str!("../../../workflows/media-transcode.json");
    let definition = Definition::parse(text).expect("a valid sample");
    let completed = complete(definition.parameters(), Map::new()).expect("every parameter has a default");
    assert_eq!(completed.len(), definition.parameters().len());
    assert_eq!(completed["format"], "mp4");
}
