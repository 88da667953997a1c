//! The real binary under a Lambda Runtime API.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::gate::Gate;
use crate::support::process::{Process, as_function, command};
use crate::support::runtime_api::{RuntimeApi, Step};
use crate::support::{Api, Call, Front};

#[test]
fn events_of_every_front_end_are_answered_by_one_process_until_it_is_told_to_end() {
    let (data, runtime_api) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new());
    let function = Process::spawn(as_function(&mut command(data.path()), runtime_api.address));
    assert_eq!(runtime_api.step(), Step::Next, "it starts by asking for an event");
    for api in Api::ALL {
        let call = Call::start(api, "through-every-front-end").signed();
        let answers = Front::ALL.map(|front| runtime_api.invoke(&call.event(front)));
        assert_eq!(answers[0].status, 200, "{api:?}: {:?}", answers[0]);
        for answer in &answers[1..] {
            let same = (answer.status, answer.json()) == (200, answers[0].json());
            assert!(same, "{api:?}: the same start through another front end is the same start: {answer:?}");
        }
        let unsigned = runtime_api.invoke(&Call::start(api, "unsigned").event(Front::Rest));
        assert!(matches!(unsigned.status, 401 | 403), "{unsigned:?}");
    }
    assert_eq!(runtime_api.step(), Step::Next, "it asks for another event after an answer");
    let ended = function.stop();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn an_answer_has_the_shape_its_front_end_reads() {
    let (data, runtime_api) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new());
    let _function = Process::spawn(as_function(&mut command(data.path()), runtime_api.address));
    let call = Call::start(Api::V2, "shapes").signed();
    let raw = |front| {
        let id = runtime_api.send(&call.event(front));
        loop {
            match runtime_api.step() {
                Step::Response(answered, answer) if answered == id => return answer,
                Step::Next | Step::Given(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let content_type = |answer: &Value| {
        let (single, multiple) = (&answer["headers"]["content-type"], &answer["multiValueHeaders"]["content-type"][0]);
        (single.as_str().map(str::to_owned), multiple.as_str().map(str::to_owned))
    };
    let json = || Some("application/json".to_owned());
    assert_eq!(content_type(&raw(Front::Rest)), (None, json()));
    assert_eq!(content_type(&raw(Front::HttpApi)), (json(), None));
    assert_eq!(content_type(&raw(Front::FunctionUrl)), (json(), None));
    let load_balancer = raw(Front::LoadBalancer);
    assert_eq!(content_type(&load_balancer), (json(), json()));
    assert_eq!(load_balancer["statusDescription"], "200 OK");
}

#[test]
fn with_a_concurrency_of_four_four_invocations_run_at_once() {
    let (data, runtime_api, gate) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new(), Gate::new());
    let mut command = command(data.path());
    command.env("AWS_ENDPOINT_URL_DYNAMODB", gate.url()).env("AWS_LAMBDA_MAX_CONCURRENCY", "4");
    let function = Process::spawn(as_function(&mut command, runtime_api.address));
    for _ in 0..4 {
        assert_eq!(runtime_api.step(), Step::Next);
    }
    // Nothing is answered while the storage is kept away, so whoever was given a call is still at it.
    gate.shut();
    for name in ["one", "two", "three", "four"] {
        runtime_api.send(&Call::start(Api::V2, name).signed().event(Front::Rest));
    }
    let first: Vec<Step> = (0..4).map(|_| runtime_api.step()).collect();
    assert!(first.iter().all(|step| matches!(step, Step::Given(_))), "{first:?}");
    gate.open();
    let answers = runtime_api.answers(4);
    assert!(answers.values().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(function.stop().status.code(), Some(0));
}

/// Changes to an event. Each takes a good one and makes it odd.
type Odd = (&'static str, fn(&mut Value));

/// What a front end may pass on from a client, and has to be answered with exactly this status.
const REFUSED: [(Odd, u16); 14] = [
    (("a Host with a space", |event| set_header(event, "host", "bad host")), 400),
    (("a Host with two ports", |event| set_header(event, "host", "a:b:c")), 400),
    (("a Host with a port out of range", |event| set_header(event, "host", "h:99999")), 400),
    (("a Host cut off", |event| set_header(event, "host", "[::1")), 400),
    (("a Host with markup", |event| set_header(event, "host", "<script>")), 400),
    (("a Host with a path", |event| set_header(event, "host", "a/b")), 400),
    (("an empty Host", |event| set_header(event, "host", "")), 400),
    (("a Host that is not ASCII", |event| set_header(event, "host", "bücher.example")), 400),
    (("an empty X-Forwarded-Proto", |event| set_header(event, "x-forwarded-proto", "")), 400),
    (("two protocols", |event| set_header(event, "x-forwarded-proto", "https,http")), 400),
    (("a protocol that is none", |event| set_header(event, "x-forwarded-proto", "ht tp")), 400),
    (("a body that is not base64", |event| event["isBase64Encoded"] = true.into()), 400),
    (("base64 cut off", |event| set_base64(event, "eyJpbnB1dCI6e319eyJ")), 400),
    (("no path", |event| set_path(event, Value::Null)), 404),
];

/// What has to be answered, whatever the status below 500.
const ANSWERED: [Odd; 22] = [
    ("no body member", |event| remove(event, "body")),
    ("a null body", |event| event["body"] = Value::Null),
    ("an empty base64 body", |event| set_base64(event, "")),
    ("null headers", |event| event["headers"] = Value::Null),
    ("null multi-value headers", |event| event["multiValueHeaders"] = Value::Null),
    ("no headers at all", |event| {
        remove(event, "headers");
        remove(event, "multiValueHeaders");
    }),
    ("a null header", |event| set(event, "headers", "x-a", Value::Null)),
    ("null values of a header", |event| set(event, "multiValueHeaders", "x-a", Value::Null)),
    ("a null among the values of a header", |event| set(event, "multiValueHeaders", "x-a", json!([null, "b"]))),
    ("a header that is not ASCII", |event| set_header(event, "x-a", "grüße")),
    ("a header with a line break", |event| set_header(event, "x-a", "b\r\nx-c: d")),
    ("a header name with a space", |event| set_header(event, "x a", "b")),
    ("an Authorization that is not ASCII", |event| set_header(event, "authorization", "OBS schlüssel:x")),
    ("null query parameters", |event| set(event, "queryStringParameters", "a", Value::Null)),
    ("null values of a query parameter", |event| set(event, "multiValueQueryStringParameters", "a", Value::Null)),
    ("a null among the values of a parameter", |event| {
        set(event, "multiValueQueryStringParameters", "a", json!([null, "b"]));
    }),
    ("a null isBase64Encoded", |event| event["isBase64Encoded"] = Value::Null),
    ("no isBase64Encoded", |event| remove(event, "isBase64Encoded")),
    ("a method that is none", |event| set_method(event, "ge t")),
    ("an empty method", |event| set_method(event, "")),
    ("a path without a slash", |event| set_path(event, "v2".into())),
    ("a request id of another form", |event| event["requestContext"]["requestId"] = "JKJaXmPLvHcESHA=".into()),
];

fn set(event: &mut Value, map: &str, name: &str, value: Value) {
    if event[map].is_null() {
        event[map] = json!({});
    }
    event[map][name] = value;
}

fn remove(event: &mut Value, member: &str) {
    event.as_object_mut().expect("an object").remove(member);
}

/// Sets a header in every map of the event, in place of one of that name.
fn set_header(event: &mut Value, name: &str, value: &str) {
    for (map, value) in [("headers", json!(value)), ("multiValueHeaders", json!([value]))] {
        if let Some(headers) = event.get_mut(map).and_then(Value::as_object_mut) {
            headers.retain(|present, _| !present.eq_ignore_ascii_case(name));
            headers.insert(name.to_owned(), value);
        }
    }
}

fn set_base64(event: &mut Value, text: &str) {
    event["isBase64Encoded"] = true.into();
    event["body"] = text.into();
}

fn set_path(event: &mut Value, path: Value) {
    let member = if event.get("rawPath").is_some() { "rawPath" } else { "path" };
    event[member] = path;
}

fn set_method(event: &mut Value, method: &str) {
    match event["requestContext"].get_mut("http") {
        Some(http) => http["method"] = method.into(),
        None => event["httpMethod"] = method.into(),
    }
}

#[test]
fn no_http_event_however_odd_is_an_invocation_that_failed() {
    let (data, runtime_api) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new());
    let mut command = command(data.path());
    // Refusals of one key after another are slow on purpose, so they wait together.
    command.env("AWS_LAMBDA_MAX_CONCURRENCY", "64");
    let function = Process::spawn(as_function(&mut command, runtime_api.address));
    let mut expected = BTreeMap::new();
    for api in Api::ALL {
        for front in Front::ALL {
            let mut send = |(name, change): Odd, status: Option<u16>| {
                let mut event = Call::start(api, "odd").signed().event(front);
                change(&mut event);
                expected
                    .insert(runtime_api.send(&event), (format!("{name} at {api:?} through {front:?}"), api, status));
            };
            REFUSED.into_iter().for_each(|(change, status)| send(change, Some(status)));
            ANSWERED.into_iter().for_each(|change| send(change, None));
        }
        for query in ["a b", "a=\n", "a=ü", "a=\u{0}"] {
            let mut event = Call::start(api, "odd").signed().event(Front::HttpApi);
            event["rawQueryString"] = query.into();
            expected.insert(runtime_api.send(&event), (format!("query {query:?} at {api:?}"), api, Some(400)));
        }
    }
    for (id, answer) in runtime_api.answers(expected.len()) {
        let (case, api, status) = &expected[&id];
        assert!(answer.status < 500, "{case}: {answer:?}");
        assert!(status.is_none_or(|status| status == answer.status), "{case}: {answer:?}");
        if answer.status != 200 {
            answer.error_code((*status == Some(400)).then_some(*api));
        }
    }
    let good = Call::start(Api::V2, "after-all-that").signed();
    assert_eq!(runtime_api.invoke(&good.event(Front::Rest)).status, 200);
    assert_eq!(function.stop().status.code(), Some(0));
}

#[test]
fn an_event_of_no_known_kind_is_an_invocation_that_failed_and_says_why() {
    let (data, runtime_api) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new());
    let function = Process::spawn(as_function(&mut command(data.path()), runtime_api.address));
    for event in [json!({}), json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}), json!([1])] {
        let id = runtime_api.send(&event);
        let (path, body) = loop {
            match runtime_api.step() {
                Step::Other(path, body) => break (path, body),
                Step::Next | Step::Given(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(path, format!("invocation/{id}/error"));
        assert!(event.is_array() || body.contains("an event of no known kind"), "{body}");
    }
    let good = Call::start(Api::V2, "after-all-that").signed();
    assert_eq!(runtime_api.invoke(&good.event(Front::Rest)).status, 200);
    assert_eq!(function.stop().status.code(), Some(0));
}

#[test]
fn an_invocation_that_runs_when_the_process_is_told_to_end_is_answered_first() {
    let (data, runtime_api, gate) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new(), Gate::new());
    let mut command = command(data.path());
    command.env("AWS_ENDPOINT_URL_DYNAMODB", gate.url()).env("AWS_LAMBDA_MAX_CONCURRENCY", "4");
    let mut function = Process::spawn(as_function(&mut command, runtime_api.address));
    for _ in 0..4 {
        assert_eq!(runtime_api.step(), Step::Next);
    }
    gate.shut();
    runtime_api.send(&Call::start(Api::V2, "during").signed().event(Front::Rest));
    assert!(matches!(runtime_api.step(), Step::Given(_)));
    gate.wait_for(1);
    function.terminate();
    gate.open();
    let answers = runtime_api.answers(1);
    assert!(answers.values().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(function.end().status.code(), Some(0));
}
