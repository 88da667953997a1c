use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Reads declarations; the error lists the problems.
fn declare(inputs: &Value) -> Result<Vec<Parameter>, Vec<String>> {
    let found = RefCell::default();
    let body = json!({ "inputs": inputs });
    let field = Field::root(&body, &found).object().expect("an object").required("inputs").expect("given");
    let parameters = declared_parameters(&field);
    let problems: Vec<String> = found.into_inner().iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(parameters) } else { Err(problems) }
}

/// The declaration of a parameter `p` with a member set.
fn with(kind: &str, member: &str, value: Value) -> Value {
    json!({"parameter_name": "p", "type": kind, member: value})
}

#[track_caller]
fn assert_declared(declaration: Value) {
    if let Err(problems) = declare(&json!([declaration])) {
        panic!("refused: {problems:?}");
    }
}

#[track_caller]
fn assert_undeclarable(declaration: Value, message: &str) {
    assert_eq!(declare(&json!([declaration])).expect_err("a problem"), [message]);
}

/// What completing `given` gives for parameters declared like that, or the error's text.
fn completed(declarations: Value, given: Value) -> Result<Value, String> {
    let parameters = declare(&declarations).expect("valid declarations");
    let Value::Object(given) = given else { panic!("inputs are an object") };
    complete(&parameters, given).map(Value::Object).map_err(|error| error.to_string())
}

/// Whether a parameter `p` of that type and constraints takes a value: the error is the rule that it breaks.
fn taken(kind: &str, constraints: Value, value: Value) -> Result<(), String> {
    let outcome = completed(json!([with(kind, "constraints", constraints)]), json!({ "p": value }));
    outcome.map(|_| ()).map_err(|error| error.strip_prefix("`inputs.p` ").expect("the parameter's name").to_owned())
}

fn from_text(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn the_name_of_a_parameter_is_1_to_20_lower_case_letters_digits_and_hyphens() {
    let named = |name: &str| json!({"parameter_name": name, "type": "String"});
    assert_declared(named("a"));
    assert_declared(named("resize-outbucket-0-9"));
    assert_undeclarable(named(""), "`inputs[0].parameter_name` must be 1 to 20 characters long, not 0");
    assert_undeclarable(
        named("resize-outbucket-0-91"),
        "`inputs[0].parameter_name` must be 1 to 20 characters long, not 21",
    );
    for refused in ["Width", "out_path", "a b", "ä"] {
        assert_undeclarable(
            named(refused),
            "`inputs[0].parameter_name` must consist of lower-case letters, digits and `-`",
        );
    }
}

#[test]
fn at_most_60_parameters_of_different_names_are_declared() {
    let numbered = |count: usize| -> Value {
        (0..count).map(|index| json!({"parameter_name": format!("p{index}"), "type": "String"})).collect()
    };
    assert_eq!(declare(&numbered(60)).expect("valid declarations").len(), 60);
    assert_eq!(declare(&numbered(61)).expect_err("too many"), ["`inputs` must have 0 to 60 entries, not 61"]);

    let twice = with("String", "label", json!("once"));
    assert_eq!(
        declare(&json!([twice, twice])).expect_err("not unique"),
        ["`inputs[1].parameter_name` must be unique, `inputs[0].parameter_name` is `p` too"]
    );
}

#[test]
fn a_type_is_known_in_any_case() {
    for (word, kind) in
        [("string", ParameterType::String), ("FLOAT", ParameterType::Float), ("Map", ParameterType::Map)]
    {
        let parameters = declare(&json!([{"parameter_name": "p", "type": word}])).expect("a valid declaration");
        assert_eq!(parameters[0].kind(), kind);
    }
    assert_undeclarable(
        json!({"parameter_name": "p", "type": "Number"}),
        "`inputs[0].type` must be one of `String`, `Integer`, `Float`, `Boolean`, `List`, `Map`",
    );
}

#[test]
fn a_declaration_has_a_name_and_a_type_and_no_unknown_members() {
    assert_undeclarable(json!({"type": "String"}), "`inputs[0].parameter_name` is missing");
    assert_undeclarable(json!({"parameter_name": "p"}), "`inputs[0].type` is missing");
    assert_undeclarable(
        with("String", "defualt", json!("x")),
        "`inputs[0]` has the unknown member `defualt`, known are \
         parameter_name, type, description, default, label, constraints, invisible",
    );
    assert_undeclarable(
        with("String", "constraints", json!({"validvalues": []})),
        "`inputs[0].constraints` has the unknown member `validvalues`, known are \
         equal, valid_values, regex, invalid_values",
    );
}

#[test]
fn texts_about_a_parameter_are_held_to_their_limits() {
    for (member, most) in [("description", 256), ("label", 64)] {
        assert_declared(with("String", member, json!("x".repeat(most))));
        assert_undeclarable(
            with("String", member, json!("x".repeat(most + 1))),
            &format!("`inputs[0].{member}` must be 0 to {most} characters long, not {}", most + 1),
        );
    }
}

#[test]
fn a_default_obeys_the_type_and_the_constraints_of_its_parameter() {
    assert_undeclarable(
        with("Integer", "default", json!("720")),
        "`inputs[0].default` must be a number without fraction and exponent",
    );
    assert_undeclarable(
        json!({"parameter_name": "p", "type": "Integer", "default": 500, "constraints": {"valid_values": [360, 720]}}),
        "`inputs[0].default` must be one of `360`, `720`",
    );
}

#[test]
fn the_values_of_constraints_are_of_the_parameters_type() {
    assert_undeclarable(
        with("Boolean", "constraints", json!({"equal": "true"})),
        "`inputs[0].constraints.equal` must be true or false",
    );
    assert_undeclarable(
        with("List", "constraints", json!({"valid_values": [[], {}]})),
        "`inputs[0].constraints.valid_values[1]` must be an array",
    );
    assert_undeclarable(
        with("Map", "constraints", json!({"invalid_values": [1]})),
        "`inputs[0].constraints.invalid_values[0]` must be an object",
    );
    assert_undeclarable(
        with("String", "constraints", json!({"valid_values": []})),
        "`inputs[0].constraints.valid_values` must have 1 or more entries, not 0",
    );
}

#[test]
fn a_regex_compiles_by_itself_and_belongs_to_a_string() {
    for refused in ["(", "a)(b", "(?x) a # ", "((a{1000}){1000}){1000}"] {
        assert_undeclarable(
            with("String", "constraints", json!({"regex": refused})),
            "`inputs[0].constraints.regex` must be a regular expression, and not too large a one",
        );
    }
    assert_undeclarable(
        with("Integer", "constraints", json!({"regex": "[0-9]"})),
        "`inputs[0].constraints.regex` must not be given, only a parameter of type `String` can have a regex",
    );
}

#[test]
fn a_value_is_of_its_parameters_type() {
    for (kind, valid, invalid, rule) in [
        ("String", r#"["", "流", "1"]"#, r#"[1, true, null, [], {}]"#, "must be a string"),
        (
            "Integer",
            "[0, -1, 123456789012345678901234567890]",
            r#"[1.0, 1e2, "1", null]"#,
            "must be a number without fraction and exponent",
        ),
        ("Float", "[0, 1, 0.5, -1e400]", r#"["0.5", null, true]"#, "must be a number"),
        ("Boolean", "[true, false]", r#"["true", 0, null]"#, "must be true or false"),
        ("List", r#"[[], [1, "a"]]"#, r#"[{}, "[]", null]"#, "must be an array"),
        ("Map", r#"[{}, {"a": 1}]"#, r#"[[], "{}", null]"#, "must be an object"),
    ] {
        for value in from_text(valid).as_array().expect("an array") {
            assert_eq!(taken(kind, json!({}), value.clone()), Ok(()), "{kind} {value}");
        }
        for value in from_text(invalid).as_array().expect("an array") {
            assert_eq!(taken(kind, json!({}), value.clone()), Err(rule.to_owned()), "{kind} {value}");
        }
    }
}

#[test]
fn every_constraint_that_is_given_must_hold() {
    let constraints = json!({"valid_values": ["a1", "b1", "c"], "regex": "[a-z][0-9]", "invalid_values": ["b1"]});
    let outcome = |value: &str| taken("String", constraints.clone(), json!(value));
    assert_eq!(outcome("a1"), Ok(()));
    assert_eq!(outcome("b1"), Err(r#"must be none of `"b1"`"#.to_owned()));
    assert_eq!(outcome("c"), Err("must match the constraint `regex` as a whole".to_owned()));
    assert_eq!(outcome("d1"), Err(r#"must be one of `"a1"`, `"b1"`, `"c"`"#.to_owned()));
    assert_eq!(taken("Boolean", json!({"equal": true}), json!(false)), Err("must equal `true`".to_owned()));
}

#[test]
fn constraints_compare_numbers_by_value() {
    assert_eq!(taken("Float", json!({"equal": 1}), from_text("1.0")), Ok(()));
    assert_eq!(taken("Float", json!({"valid_values": [0.25, 0.5]}), from_text("5e-1")), Ok(()));
    assert_eq!(taken("Float", json!({"invalid_values": [0]}), from_text("0.0")), Err("must be none of `0`".to_owned()));
    assert_eq!(taken("Map", json!({"equal": {"a": [1]}}), from_text(r#"{"a": [1.0]}"#)), Ok(()));
}

#[test]
fn a_regex_matches_the_whole_value() {
    for (regex, matched, unmatched) in
        [("[a-z]+", "abc", "abc1"), ("a|ab", "ab", "abb"), ("", "", "x"), ("^a$", "a", "a\n"), ("(?m)^a$", "a", "a\na")]
    {
        let constraints = json!({ "regex": regex });
        assert_eq!(taken("String", constraints.clone(), json!(matched)), Ok(()), "{regex}");
        assert!(taken("String", constraints, json!(unmatched)).is_err(), "{regex}");
    }
}

#[test]
fn defaults_are_filled_in_and_given_values_win() {
    let declarations = json!([
        {"parameter_name": "format", "type": "String", "default": "mp4"},
        {"parameter_name": "height", "type": "Integer", "default": 720},
    ]);
    assert_eq!(completed(declarations.clone(), json!({"height": 1080})), Ok(json!({"format": "mp4", "height": 1080})));
    assert_eq!(completed(declarations, json!({})), Ok(json!({"format": "mp4", "height": 720})));
}

#[test]
fn a_parameter_without_default_must_be_given() {
    assert_eq!(
        completed(json!([{"parameter_name": "amount", "type": "Float"}]), json!({})),
        Err("`inputs.amount` must be given, because the parameter has no default".to_owned())
    );
    let null_default = json!([{"parameter_name": "amount", "type": "Float", "default": null}]);
    assert!(completed(null_default, json!({})).is_err(), "null is no default");
}

#[test]
fn a_name_that_is_no_parameter_is_refused() {
    let declarations = json!([{"parameter_name": "format", "type": "String", "default": "mp4"}]);
    assert_eq!(
        completed(declarations.clone(), json!({"format": "mp4", "Format": "mp4"})),
        Err("`inputs` must only have parameters of the workflow, `Format` is none".to_owned())
    );
    assert_eq!(
        completed(declarations, json!({ "\n".repeat(1000): 1 })),
        Err(format!("`inputs` must only have parameters of the workflow, `{}…` is none", "\\n".repeat(64)))
    );
}

#[test]
fn a_refusal_does_not_show_what_an_invisible_parameter_may_be() {
    let declarations = json!([
        {"parameter_name": "pin", "type": "String", "invisible": true, "constraints": {"equal": "secret"}}
    ]);
    assert_eq!(
        completed(declarations, json!({"pin": "guess"})),
        Err("`inputs.pin` must equal the constraint `equal`".to_owned())
    );
}

#[test]
fn a_refusal_does_not_list_endless_values() {
    let values: Vec<String> = (0..100).map(|index| format!("value-{index}")).collect();
    assert_eq!(
        taken("String", json!({"valid_values": values}), json!("x")),
        Err("must be one of the constraint `valid_values`".to_owned())
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A parameter of each type, with a default of its own except for the last.
fn one_of_each() -> Vec<Parameter> {
    declare(&json!([
        {"parameter_name": "a", "type": "String", "default": "x", "constraints": {"regex": "[a-z]*"}},
        {"parameter_name": "b", "type": "Integer", "default": 1, "constraints": {"invalid_values": [0]}},
        {"parameter_name": "c", "type": "Float", "default": 0.5},
        {"parameter_name": "d", "type": "Boolean", "default": true},
        {"parameter_name": "e", "type": "List", "default": []},
        {"parameter_name": "f", "type": "Map", "default": {}},
        {"parameter_name": "g", "type": "Float"},
    ]))
    .expect("valid declarations")
}

fn fitting_inputs() -> impl Strategy<Value = Map<String, Value>> {
    let optional = (
        prop::option::of("[a-z]{0,5}".prop_map(Value::from)),
        prop::option::of((1..i64::MAX).prop_map(Value::from)),
        prop::option::of((-1e9..1e9f64).prop_map(Value::from)),
        prop::option::of(any::<bool>().prop_map(Value::from)),
        prop::option::of(prop::collection::vec(any_value(), 0..3).prop_map(Value::from)),
    );
    (optional, any::<i32>()).prop_map(|((a, b, c, d, e), g)| {
        let given = [("a", a), ("b", b), ("c", c), ("d", d), ("e", e), ("g", Some(Value::from(g)))];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

proptest! {
    #[test]
    fn completing_never_panics_and_refuses_or_completes(
        given in prop::collection::btree_map("[a-h]", any_value(), 0..8)
    ) {
        let given: Map<String, Value> = given.into_iter().collect();
        match complete(&one_of_each(), given.clone()) {
            Ok(completed) => prop_assert!(given.iter().all(|(name, value)| completed.get(name) == Some(value))),
            Err(error) => prop_assert!(error.to_string().starts_with("`inputs")),
        }
    }

    #[test]
    fn completed_inputs_have_every_parameter_and_are_complete(given in fitting_inputs()) {
        let parameters = one_of_each();
        let completed = complete(&parameters, given.clone()).expect("the inputs fit");
        for parameter in &parameters {
            let expected = given.get(parameter.name()).or(parameter.default());
            prop_assert_eq!(completed.get(parameter.name()), expected);
        }
        prop_assert_eq!(complete(&parameters, completed.clone()), Ok(completed));
    }

    #[test]
    fn declaring_never_panics(inputs in any_value(), constraint in any_value(), regex in ".{0,12}") {
        let constraints = json!({"equal": constraint, "valid_values": constraint, "regex": regex});
        let _ = declare(&inputs);
        let _ = declare(&json!([with("String", "constraints", constraints)]));
    }
}
