//! A key starts an execution once, whoever asks how often and through which API.

use std::sync::Arc;

use flowgate::clock::Clock;
use flowgate::execution::{
    Change, Changed, Ending, Execution, ExecutionKey, ExecutionName, ExecutionStore, Origin, Status, Summary,
};
use flowgate::store::DynamoStore;
use flowgate::store::EmbeddedStore;
use flowgate::workflow::{Definition, Workflow, WorkflowStore};
use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Answer, Api, Call, Front, PROJECT, RETENTION_DAYS, TestApp, TestClock, empty_table, fixed_time, publish_samples,
    workflow_id,
};

const RUN_ID: &str = "X-WorkflowRun-ID";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A program over a store of its own, with a clock that never shows the same instant twice: an answer that carries the
/// first start's instant is the first answer.
struct Setup {
    store: Arc<DynamoStore>,
    clock: Arc<TestClock>,
    app: Arc<TestApp>,
}

impl Setup {
    async fn new() -> Self {
        let store = empty_table().await;
        publish_samples(store.clone()).await;
        let clock = Arc::new(TestClock::starting_at(fixed_time()));
        let app = Arc::new(TestApp::process(store.clone(), store.clone(), clock.clone()));
        Self { store, clock, app }
    }

    /// Signs a call and sends it.
    async fn send(&self, call: &Call) -> Answer {
        self.app.send(&call.signed()).await
    }

    async fn executions(&self) -> Vec<Summary> {
        executions(&*self.store, &*self.clock).await
    }

    async fn read(&self, name: &str) -> Execution {
        self.store.get(&key(name).record_id(), self.clock.now()).await.expect("an answer").expect("an execution")
    }
}

async fn executions(store: &dyn ExecutionStore, clock: &dyn Clock) -> Vec<Summary> {
    store.list(PROJECT, workflow_id(), None, 1000, clock.now()).await.expect("a page").entries
}

fn key(name: &str) -> ExecutionKey {
    let name = ExecutionName::parse(name).expect("a valid name");
    ExecutionKey { project_id: PROJECT.into(), workflow_id: workflow_id(), name }
}

/// A start through each API, and by each kind of key, under the same text as key.
fn keyed_starts(key: &str) -> [(&'static str, Call); 4] {
    [
        ("v1 by name", Call::start_v1(key, "{\"n\":1}")),
        ("v2 by run id", Call::start_v2("{\"n\":2}").header(RUN_ID, &format!("{key}-v2"))),
        ("v2 by idempotency key", Call::start_v2("{\"n\":3}").header(IDEMPOTENCY_KEY, key)),
        ("OBS by idempotency key", Call::start_obs("a.mp4").header(IDEMPOTENCY_KEY, key)),
    ]
}

fn name_in(answer: &Answer) -> String {
    let body = answer.expect_success();
    let name = body.get("execution_id").or_else(|| body.get("execution_name"));
    name.and_then(Value::as_str).expect("a name").to_owned()
}

/// Sends a call to each of the programs at the same time, and asserts that all answer it with the same success.
async fn all_get_one_answer(apps: impl Iterator<Item = Arc<TestApp>>, kind: &str, call: &Call) {
    let call = call.signed();
    let answers = join_all(apps.map(|app| {
        let call = call.clone();
        tokio::spawn(async move { app.send(&call).await })
    }))
    .await;
    let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.expect("no panic")).collect();
    answers[0].expect_success();
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &answers[0].body), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_concurrent_starts_one_is_made_and_all_get_its_answer() {
    let setup = Setup::new().await;
    for (count, (kind, call)) in keyed_starts("run").into_iter().enumerate() {
        all_get_one_answer((0..64).map(|_| setup.app.clone()), kind, &call).await;
        assert_eq!(setup.executions().await.len(), count + 1, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_over_one_file_make_one_execution_of_a_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut processes = Vec::new();
    for n in 0..2 {
        let store = Arc::new(EmbeddedStore::open(folder.path()).expect("the embedded store"));
        publish_samples(store.clone()).await;
        let clock = Arc::new(TestClock::starting_at(fixed_time().plus_seconds(60 * n)));
        let app = Arc::new(TestApp::process(store.clone(), store.clone(), clock));
        processes.push((app, store));
    }
    let (_, store) = &processes[0];
    for (count, (kind, call)) in keyed_starts("run").into_iter().enumerate() {
        all_get_one_answer((0..32).map(|n| processes[n % 2].0.clone()), kind, &call).await;
        let clock = TestClock::starting_at(fixed_time().plus_seconds(120));
        assert_eq!(executions(&**store, &clock).await.len(), count + 1, "{kind}");
    }
}

#[tokio::test]
async fn a_different_request_under_the_same_key_is_a_conflict() {
    let setup = Setup::new().await;
    let obs = |body: Value| Call::start_obs("").body(body.to_string()).header(IDEMPOTENCY_KEY, "run");
    let v2 = |body: Value| Call::start_v2("").body(body.to_string()).header(RUN_ID, "run-v2");
    let v2_by_key = |input: &str| Call::start_v2(input).header(IDEMPOTENCY_KEY, "run");
    for (_, call) in keyed_starts("run") {
        setup.send(&call).await.expect_success();
    }
    let before = setup.executions().await;
    for (call, code) in [
        (Call::start_v1("run", "{\"n\":\"1\"}"), "FGS.4106"),
        (Call::start_v1("run", "{\"n\":1.0}"), "FGS.4106"),
        (Call::start_v1("run", "{\"n\":1,\"m\":null}"), "FGS.4106"),
        (v2(json!({"input": {"n": 3}})), "FSS.0409"),
        (v2(json!({"input": {"n": 2}, "headers": {"tenantId": "user1"}})), "FSS.0409"),
        (v2(json!({"input": {"n": 2}})).header("X-WorkflowRun-MergeFnParameters", "true"), "FSS.0409"),
        (v2_by_key("{\"n\":4}"), "FSS.0409"),
        (obs(json!({"bucket": "videos", "object": "b.mp4"})), "OperationAborted"),
        (obs(json!({"bucket": "movies", "object": "a.mp4"})), "OperationAborted"),
        (obs(json!({"bucket": "videos", "object": "a.mp4", "inputs": {"height": 1080}})), "OperationAborted"),
    ] {
        setup.send(&call).await.expect_error(call.api, (409, code));
    }
    assert_eq!(setup.executions().await, before);
    for (kind, call) in keyed_starts("run") {
        assert_eq!(setup.send(&call).await.status, 200, "the first request is still a repeat: {kind}");
    }
}

#[tokio::test]
async fn the_form_of_a_request_does_not_matter() {
    let setup = Setup::new().await;
    let v1 = |input: &str| Call::start_v1("run", input);
    let v2 = |body: &str| Call::start_v2("").body(body).header(RUN_ID, "run-v2");
    let obs = |body: &str| Call::start_obs("").body(body).header(IDEMPOTENCY_KEY, "run");
    let forms = [
        vec![
            v1(r#"{"a":1,"b":["x",{"c":null}]}"#),
            v1("\n{ \"b\" : [ \"x\", {\"c\": null} ],\t\"a\": 1 }\n"),
            v1(r#"{"a":2,"b":["\u0078",{"c":null}],"a":1}"#),
        ],
        vec![
            v2(r#"{"input":{"a":1,"b":{}},"headers":{"tenantId":"u","x":1}}"#),
            v2("{ \"headers\" : {\"x\": 1, \"tenantId\": \"u\"}, \"input\": { \"b\": {}, \"a\": 1 } }"),
            v2(r#"{"input":"{\"b\":{},\"a\":1}","headers":"{\"tenantId\":\"u\",\"x\":1}"}"#),
            v2(r#"{"input":{"a":1,"b":{}},"headers":"{\"x\":1,\"tenantId\":\"u\"}","unknown":true}"#),
            v2(r#"{"input":{"a":1,"b":{}},"headers":{"tenantId":"u","x":1}}"#)
                .header("X-WorkflowRun-MergeFnParameters", "FALSE"),
        ],
        vec![
            v2(r#"{"input":{}}"#).header("X-Create-Time", "").header(IDEMPOTENCY_KEY, "k"),
            v2(r#"{"input":"{}","headers":null}"#),
            v2(r#"{"input":" { } ","headers":{}}"#),
        ]
        .into_iter()
        .map(|call| call.header(RUN_ID, "run-v2-empty"))
        .collect(),
        vec![
            obs(r#"{"bucket":"videos","object":"a/b.mp4"}"#),
            obs("{ \"object\" : \"a\\/b.mp4\", \"inputs\": null, \"bucket\":\"videos\" }"),
            obs(r#"{"inputs":{},"bucket":"videos","object":"a/b.mp4"}"#),
        ],
    ];
    for (count, calls) in forms.into_iter().enumerate() {
        let first = setup.send(&calls[0]).await;
        first.expect_success();
        for call in &calls {
            assert_eq!(setup.send(call).await.body, first.body);
            let other_gateway = Answer::from_lambda(&setup.app.invoke(&call.signed().event(Front::HttpApi)).await);
            assert_eq!((other_gateway.status, other_gateway.body), (200, first.body.clone()));
        }
        assert_eq!(setup.executions().await.len(), count + 1);
    }
}

#[tokio::test]
async fn an_apis_own_key_wins_over_the_idempotency_key() {
    let setup = Setup::new().await;
    let v1 = |name: &str| Call::start_v1(name, "{}").header(IDEMPOTENCY_KEY, "k");
    for name in ["v1-a", "v1-b"] {
        setup.send(&v1(name)).await.expect_success();
        assert_eq!(setup.read(name).await.origin, Origin::FunctionGraphV1);
    }
    let v2 = || Call::start_v2("{}").header(IDEMPOTENCY_KEY, "k");
    for id in ["v2-a", "v2-b"] {
        assert_eq!(name_in(&setup.send(&v2().header(RUN_ID, id)).await), id);
    }
    let by_idempotency_key = name_in(&setup.send(&v2()).await);
    assert_eq!(name_in(&setup.send(&v2().header(RUN_ID, "")).await), by_idempotency_key, "an empty id is none");
    assert_eq!(setup.executions().await.len(), 5);
}

#[tokio::test]
async fn starts_without_a_key_are_each_their_own() {
    let setup = Setup::new().await;
    let (mut v2, mut obs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        v2.push(name_in(&setup.send(&Call::start_v2("{}")).await));
        obs.push(name_in(&setup.send(&Call::start_obs("a.mp4")).await));
    }
    for name in &v2 {
        assert_eq!(Uuid::parse_str(name).expect("a UUID").get_version_num(), 4);
        assert_eq!(name.len(), 36);
    }
    for name in &obs {
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{name}");
    }
    assert_eq!(setup.executions().await.len(), 6);
}

#[tokio::test]
async fn a_key_means_nothing_in_another_workflow() {
    let setup = Setup::new().await;
    let call = Call::start_v2("{}").header(IDEMPOTENCY_KEY, "k");
    let other = call.clone().in_workflow("order-fanout");
    assert_ne!(name_in(&setup.send(&call).await), name_in(&setup.send(&other).await));
    let call = Call::start_v2("{}").header(RUN_ID, "run");
    let other = Call::start_v2("{\"n\":1}").header(RUN_ID, "run").in_workflow("order-fanout");
    assert_eq!(name_in(&setup.send(&call).await), name_in(&setup.send(&other).await));
}

#[tokio::test]
async fn the_first_answer_is_given_again_later_and_whatever_became_of_the_execution() {
    let setup = Setup::new().await;
    for (kind, call) in keyed_starts("run") {
        let first = setup.send(&call).await;
        first.expect_success();
        let started = setup.executions().await.remove(0);
        let ending = Ending { status: Status::Succeeded, at: started.started_at, output: None, failure: None };
        let changes = [Change::Running { check_at: started.started_at }, Change::End(ending)];
        for (status, change) in [Status::Running, Status::Succeeded].into_iter().zip(changes) {
            setup.clock.advance_seconds(60);
            let now = setup.clock.now();
            let record = setup.read(started.key.name.as_str()).await;
            let changed = setup.store.change(&record, &change, now, now.plus_seconds(86_400)).await;
            assert!(matches!(changed, Ok(Changed::Done(_))), "{kind}: {changed:?}");

            let again = setup.send(&call).await;
            assert_eq!((again.status, &again.body), (200, &first.body), "{kind}, {status:?}");
            let record = setup.read(started.key.name.as_str()).await;
            assert_eq!((record.status, record.started_at), (status, started.started_at), "{kind}");
        }
    }
    assert_eq!(setup.executions().await.len(), 4);
}

#[tokio::test]
async fn a_key_is_free_again_once_its_execution_has_expired() {
    let setup = Setup::new().await;
    let first = setup.send(&Call::start_v1("run", "{}")).await.expect_success();
    setup.clock.advance_seconds(i64::from(RETENTION_DAYS) * 86_400 - 60);
    let late = |input| Call::start_v1("run", input).signed_at(setup.clock.now());
    assert_eq!(setup.app.send(&late("{}")).await.expect_success(), first, "a minute before");
    setup.clock.advance_seconds(60);
    let second = setup.app.send(&late("{\"n\":1}")).await.expect_success();
    assert_eq!(second["execution_urn"], first["execution_urn"]);
    assert_ne!(second["started_at"], first["started_at"]);
}

#[tokio::test]
async fn an_execution_is_the_same_in_both_functiongraph_apis() {
    let setup = Setup::new().await;
    let v1 = |name: &str, input: &str| Call::start_v1(name, input);
    let v2 = |id: &str, input: &str| Call::start_v2(input).header(RUN_ID, id);

    let first = setup.send(&v1("run-1", "{\"n\":1}")).await.expect_success();
    assert_eq!(setup.send(&v2("run-1", "{\"n\":1}")).await.expect_success(), json!({"execution_id": "run-1"}));
    setup.send(&v2("run-1", "{\"n\":2}")).await.expect_error(Api::V2, (409, "FSS.0409"));
    assert_eq!(setup.send(&v1("run-1", "{\"n\":1}")).await.expect_success(), first);
    assert_eq!(setup.read("run-1").await.origin, Origin::FunctionGraphV1);

    setup.send(&v2("run-2", "{\"n\":1}")).await.expect_success();
    let started_at = setup.read("run-2").await.started_at.iso_millis();
    let again = setup.send(&v1("run-2", "{\"n\":1}")).await.expect_success();
    let urn = format!("urn:fgs:local-1:{PROJECT}:execution:media-transcode:run-2:d0d0cafed0d0cafed0d0cafed0d0cafe");
    assert_eq!(again, json!({"execution_urn": urn, "started_at": started_at}));
    setup.send(&v1("run-2", "{\"n\":2}")).await.expect_error(Api::V1, (409, "FGS.4106"));
    assert_eq!(setup.executions().await.len(), 2);
}

#[tokio::test]
async fn a_repeat_is_the_same_start_after_the_workflows_defaults_have_changed() {
    let setup = Setup::new().await;
    let call = Call::start_obs("a.mp4").header(IDEMPOTENCY_KEY, "run");
    let first = setup.send(&call).await;
    first.expect_success();
    let old = setup.store.find_by_id(PROJECT, workflow_id()).await.expect("an answer").expect("the sample");
    let text = old.definition.text().replace("\"default\":\"mp4\"", "\"default\":\"webm\"");
    assert_ne!(text, old.definition.text());
    let definition = Definition::parse(&text).expect("a definition");
    setup.store.save(&Workflow { definition, ..old }, "{}").await.expect("a saved workflow");
    let later = TestApp::process(setup.store.clone(), setup.store.clone(), setup.clock.clone());
    assert_eq!(later.send(&call.signed()).await.body, first.body);
}
