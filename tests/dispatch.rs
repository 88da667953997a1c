//! How started executions come to Step Functions and back, with everything that goes wrong on the way: no execution whose
//! start was answered is lost or run twice, and a final status never changes.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use flowgate::clock::{Clock, SystemClock};
use flowgate::engine::compiler::FunctionNames;
use flowgate::engine::step_functions::{LOST, NOT_DISPATCHED, Pauses, Settings, StepFunctions};
use flowgate::engine::{PublishError, Publisher};
use flowgate::execution::{
    EngineError, Execution, ExecutionKey, ExecutionName, ExecutionStore, Failure, StateEventKind, Status,
};
use flowgate::store::{self, DynamoStore, Endpoint, Patience};
use flowgate::workflow::{Definition, WorkflowName, Workflows, id_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::process::{Process, command};
use crate::support::step_functions::{ROLE, StepFunctions as StandIn};
use crate::support::wire::exchange;
use crate::support::{
    Api, Call, Emulator, Fault, PROJECT, Proxy, RETENTION_DAYS, TestApp, TestClock, fixed_time, publish_samples,
    read_json, root, table, workflow_id,
};

const DEADLINE_SECONDS: u32 = 3_600;

/// The program, a stand-in of Step Functions, and proxies before that and before the storage.
struct Setup {
    straight: Arc<DynamoStore>,
    dynamodb: aws_sdk_dynamodb::Client,
    storage: Proxy,
    clock: Arc<TestClock>,
    step_functions: StandIn,
    proxy: Proxy,
    app: TestApp,
}

impl Setup {
    /// With the state machine of the sample workflow made already.
    async fn new() -> Self {
        let setup = Self::cold().await;
        setup.publish("first").await;
        setup
    }

    /// With nothing made.
    async fn cold() -> Self {
        let emulator = Emulator::start();
        let storage = Proxy::before(&emulator.url()).await;
        let straight = table(&emulator.url(), "flowgate", Patience::LOCAL).await;
        straight.create_table().await.expect("a table");
        publish_samples(straight.clone()).await;
        let dynamodb = store::client(&Endpoint::Local(emulator.url()), Patience::LOCAL).await;
        let clock = Arc::new(TestClock::starting_at(fixed_time()));
        let step_functions = StandIn::new().await;
        let proxy = Proxy::before(step_functions.url()).await;
        let through = table(storage.url(), "flowgate", Patience::LOCAL).await;
        let engine = engine(&through, &clock, proxy.url());
        let app = TestApp::dispatching(through.clone(), through, clock.clone(), engine);
        Self { straight, dynamodb, storage, clock, step_functions, proxy, app }
    }

    /// A way to publish definitions, straight to the storage and to Step Functions.
    fn publisher(&self) -> Publisher {
        let workflows = Arc::new(Workflows::new(self.straight.clone(), self.clock.clone(), 0));
        let engine = engine(&self.straight, &self.clock, self.step_functions.url());
        Publisher::new(workflows, engine, FunctionNames::default())
    }

    /// Makes the sample workflow, with a constant of that value, the present version of itself.
    async fn publish(&self, constant: &str) {
        let mut document = read_json(&root().join("workflows/media-transcode.json"));
        document["constants"]["failure"]["topic"] = constant.into();
        let definition = Definition::parse(&document.to_string()).expect("a definition");
        self.publisher().publish(PROJECT, definition).await.expect("published");
    }

    /// Another process over the same storage, with a way of its own to Step Functions.
    async fn another(&self) -> (TestApp, Proxy) {
        let proxy = Proxy::before(self.step_functions.url()).await;
        let (store, engine) = (self.straight.clone(), engine(&self.straight, &self.clock, proxy.url()));
        (TestApp::dispatching(store.clone(), store, self.clock.clone(), engine), proxy)
    }

    /// Starts an execution of the sample workflow through v2.
    async fn start(&self, name: &str) {
        self.app.send(&Call::start(Api::V2, name).signed()).await.expect_success();
    }

    async fn find(&self, name: &str) -> Execution {
        let name = ExecutionName::parse(name).expect("a valid name");
        let key = ExecutionKey { project_id: PROJECT.into(), workflow_id: workflow_id(), name };
        let found = self.straight.get(&key.record_id(), fixed_time()).await.expect("an answer");
        found.expect("what was accepted is recorded")
    }

    async fn status(&self, name: &str) -> Status {
        self.find(name).await.status
    }

    /// The batch of the stream that has the table's items as they are now.
    async fn stream(&self) -> Value {
        let items =
            self.dynamodb.scan().table_name("flowgate").send().await.expect("the items").items.unwrap_or_default();
        let records = items.iter().enumerate().map(|(number, item)| {
            let image: Value =
                item.iter().filter_map(|(name, value)| Some((name.clone(), attribute(value)?))).collect();
            json!({
                "eventID": format!("{number:032}"), "eventName": "MODIFY", "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {"pk": image["pk"], "sk": image["sk"]}, "NewImage": image,
                    "SequenceNumber": number.to_string(), "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            })
        });
        json!({"Records": records.collect::<Vec<_>>()})
    }

    /// Delivers the stream, and returns how many records are to come again.
    async fn deliver_stream(&self) -> usize {
        failures(&self.app.invoke(&self.stream().await).await).len()
    }

    async fn sweep(&self) {
        self.app.invoke(&sweep()).await;
    }

    /// Starts an execution and hands it over.
    async fn start_running(&self, name: &str) -> String {
        self.start(name).await;
        assert_eq!(self.deliver_stream().await, 0);
        assert_eq!(self.status(name).await, Status::Running);
        let id = self.find(name).await.key.record_id();
        let runs = self.step_functions.runs();
        runs.into_iter().find(|run| run.name.starts_with(id.as_str())).expect("it runs").name
    }

    /// Hands over what is scheduled, and dies after Step Functions has taken it.
    async fn hand_over_and_die(&self) {
        let (app, proxy) = self.another().await;
        proxy.always(Fault::WithholdAnswer);
        let (batch, before) = (self.stream().await, self.step_functions.runs().len());
        tokio::select! {
            answer = app.invoke(&batch) => panic!("it is still waiting: {answer}"),
            () = async {
                while self.step_functions.runs().len() == before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            } => {}
        }
    }
}

fn engine(store: &Arc<DynamoStore>, clock: &Arc<TestClock>, url: &str) -> Arc<StepFunctions> {
    engine_with(store, clock, url, Patience { pause: Duration::from_millis(1), ..Patience::LOCAL })
}

fn engine_with(store: &Arc<DynamoStore>, clock: &Arc<TestClock>, url: &str, patience: Patience) -> Arc<StepFunctions> {
    let settings = Settings {
        endpoint: Endpoint::Local(url.to_owned()),
        patience,
        role: Some(ROLE.to_owned()),
        prefix: "flowgate-".to_owned(),
        deadline_seconds: DEADLINE_SECONDS,
        retention_days: RETENTION_DAYS,
        checks: Pauses::WITH_EVENTS,
    };
    Arc::new(StepFunctions::new(store.clone(), store.clone(), clock.clone(), settings))
}

/// An attribute as the stream has it; `None` for the kinds that no test here needs.
fn attribute(value: &AttributeValue) -> Option<Value> {
    match value {
        AttributeValue::S(text) => Some(json!({"S": text})),
        AttributeValue::N(number) => Some(json!({"N": number})),
        AttributeValue::Bool(flag) => Some(json!({"BOOL": flag})),
        _ => None,
    }
}

fn sweep() -> Value {
    json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
}

/// The sequence numbers of the records that are to come again.
fn failures(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().expect("the answer of a batch");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().expect("a number").to_owned()).collect()
}

#[tokio::test]
async fn what_is_started_through_any_api_runs_and_ends_as_step_functions_says() {
    let setup = Setup::cold().await;
    for api in Api::ALL {
        setup.app.send(&Call::start(api, "run").signed()).await.expect_success();
    }
    assert_eq!(setup.deliver_stream().await, 0);
    let runs = setup.step_functions.runs();
    assert_eq!((runs.len(), setup.step_functions.versions()), (2, vec![1]), "one state machine, made when needed");

    let record = setup.find("run").await;
    assert_eq!(record.status, Status::Running);
    let of_v2 = runs
        .iter()
        .find(|run| run.input.contains("\"headers\":{}") && run.name.contains(record.key.record_id().as_str()));
    let run = of_v2.expect("the execution of v1 and v2, which is the same");
    let input: Value = serde_json::from_str(&run.input).expect("JSON");
    assert_eq!(input, json!({"input": {"video": {"id": "A-1"}}, "headers": {}, "merge": false}));

    setup.app.invoke(&setup.step_functions.event(&run.name)).await;
    let ended = setup.step_functions.succeed(&run.name, "{\"n\": 1.50}");
    for _ in 0..3 {
        setup.app.invoke(&ended).await;
    }
    let ended = setup.find("run").await;
    let ending = ended.ending.clone().expect("it ended");
    assert_eq!(
        (ended.status, ending.output.as_ref().map(|output| output.as_str())),
        (Status::Succeeded, Some("{\"n\": 1.50}"))
    );
    assert_eq!(ending.at.millis(), 1_795_219_202_881);
    setup.deliver_stream().await;
    setup.sweep().await;
    assert_eq!(setup.find("run").await, ended);
    assert_eq!(setup.step_functions.runs().len(), 2);
}

#[tokio::test]
async fn a_start_that_step_functions_does_not_take_is_put_off_and_tried_again() {
    for fault in [
        Fault::Refuse("ThrottlingException"),
        Fault::Refuse("ExecutionLimitExceeded"),
        Fault::Refuse("AccessDeniedException"),
        Fault::Fail,
        Fault::LoseAnswer,
    ] {
        let setup = Setup::new().await;
        setup.start("run").await;
        setup.proxy.always(fault);
        for tries in 1..=3 {
            assert_eq!(setup.deliver_stream().await, 0, "{fault:?}: the record waits, and keeps no other waiting");
            let record = setup.find("run").await;
            assert_eq!((record.status, record.tries), (Status::Scheduled, tries), "{fault:?}");
            setup.proxy.take_operations();
            assert_eq!(setup.deliver_stream().await, 0);
            setup.sweep().await;
            assert_eq!(setup.proxy.take_operations(), [""; 0], "{fault:?}: before its time it is left alone");
            setup.clock.advance_seconds(1 << (tries - 1));
        }
        setup.proxy.heal();
        setup.sweep().await;
        assert_eq!(setup.status("run").await, Status::Running, "{fault:?}");
        assert_eq!(setup.step_functions.run().status, "RUNNING", "{fault:?}: there is one execution of it");
    }
}

#[tokio::test]
async fn an_execution_that_ended_before_its_start_was_noted_is_not_run_again() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.proxy.always(Fault::LoseAnswer);
    setup.deliver_stream().await;
    assert_eq!(setup.status("run").await, Status::Scheduled);
    setup.proxy.heal();
    setup.step_functions.succeed(&setup.step_functions.run().name, "7");
    setup.clock.advance_seconds(60);
    setup.sweep().await;
    let ending = setup.find("run").await.ending.expect("it ended");
    assert_eq!((ending.status, ending.output.expect("an output").as_str()), (Status::Succeeded, "7"));
    setup.step_functions.run();
}

#[tokio::test]
async fn a_process_that_dies_after_the_start_leaves_it_to_the_next() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.hand_over_and_die().await;
    assert_eq!(setup.status("run").await, Status::Scheduled);
    setup.clock.advance_seconds(60);
    setup.sweep().await;
    assert_eq!(setup.status("run").await, Status::Running);
    setup.step_functions.run();
}

#[tokio::test]
async fn the_event_that_it_runs_does_what_the_dead_process_did_not() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.hand_over_and_die().await;
    setup.app.invoke(&setup.step_functions.event(&setup.step_functions.run().name)).await;
    assert_eq!(setup.status("run").await, Status::Running);
}

#[tokio::test]
async fn two_dispatchers_at_once_run_nothing_twice() {
    let setup = Setup::new().await;
    let names: Vec<String> = (0..20).map(|number| format!("run-{number}")).collect();
    join_all(names.iter().map(|name| setup.start(name))).await;
    let (batch, (other, _proxy)) = (setup.stream().await, setup.another().await);
    setup.clock.advance_seconds(60);
    let (one, two, swept) = (setup.app.invoke(&batch), other.invoke(&batch), sweep());
    let (one, two, _) = tokio::join!(one, two, other.invoke(&swept));
    assert_eq!((failures(&one), failures(&two)), (vec![], vec![]));
    assert_eq!(setup.step_functions.runs().len(), 20);
    for name in names {
        assert_eq!(setup.status(&name).await, Status::Running, "{name}");
    }
}

#[tokio::test]
async fn two_processes_make_one_state_machine() {
    let setup = Setup::cold().await;
    for name in ["one", "two", "three"] {
        setup.start(name).await;
    }
    let (batch, (other, _proxy)) = (setup.stream().await, setup.another().await);
    tokio::join!(setup.app.invoke(&batch), other.invoke(&batch));
    setup.clock.advance_seconds(60);
    setup.sweep().await;
    assert_eq!((setup.step_functions.versions(), setup.step_functions.runs().len()), (vec![1], 3));
}

#[tokio::test]
async fn a_state_machine_that_somebody_deleted_is_made_again() {
    for delete in [StandIn::delete_versions, StandIn::delete_machines] {
        let setup = Setup::new().await;
        setup.start_running("before").await;
        delete(&setup.step_functions);
        setup.start("after").await;
        assert_eq!(setup.deliver_stream().await, 0);
        assert_eq!(setup.status("after").await, Status::Running);
        assert_eq!(setup.step_functions.runs().len(), 2);
    }
}

#[tokio::test]
async fn what_ran_before_its_state_machine_was_deleted_is_not_run_again() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.hand_over_and_die().await;
    setup.step_functions.delete_machines();
    setup.clock.advance_seconds(60);
    setup.sweep().await;
    assert_eq!(setup.status("run").await, Status::Running);
    assert_eq!(setup.step_functions.versions(), [0; 0], "nothing had to be made");
}

#[tokio::test]
async fn an_execution_runs_the_version_it_was_started_with() {
    let setup = Setup::new().await;
    setup.start("old").await;
    setup.publish("second").await;
    setup.publish("second").await;
    assert_eq!(setup.step_functions.versions(), [2], "publishing twice makes no third");
    // The process remembers workflows for a while.
    setup.clock.advance_seconds(60);
    setup.start("new").await;
    setup.deliver_stream().await;
    for (name, version) in [("old", ":1"), ("new", ":2")] {
        let id = setup.find(name).await.key.record_id();
        let run = setup.step_functions.runs().into_iter().find(|run| run.name.starts_with(id.as_str()));
        assert!(run.expect("it runs").machine.ends_with(version), "{name}");
    }
}

#[tokio::test]
async fn after_the_deadline_an_execution_fails_with_the_reason() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.proxy.always(Fault::Refuse("AccessDeniedException"));
    setup.deliver_stream().await;
    setup.clock.advance_seconds(i64::from(DEADLINE_SECONDS));
    setup.sweep().await;
    let ended = setup.find("run").await;
    let cause = "Step Functions answered AccessDeniedException".to_owned();
    let failure = Some(Failure { error: NOT_DISPATCHED.to_owned(), cause });
    assert_eq!((ended.status, ended.ending.clone().expect("it ended").failure), (Status::Failed, failure));
    setup.proxy.heal();
    setup.deliver_stream().await;
    setup.sweep().await;
    assert_eq!(setup.find("run").await, ended);
    assert_eq!(setup.step_functions.runs().len(), 0);
}

#[tokio::test]
async fn what_was_taken_after_all_does_not_fail_at_the_deadline() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.hand_over_and_die().await;
    setup.clock.advance_seconds(i64::from(DEADLINE_SECONDS));
    setup.proxy.once(Fault::Refuse("AccessDeniedException"));
    setup.deliver_stream().await;
    assert_eq!(setup.proxy.take_operations()[..2], ["StartExecution", "DescribeExecution"]);
    assert_eq!(setup.status("run").await, Status::Running);
    assert_eq!(setup.step_functions.run().status, "RUNNING");
}

#[tokio::test]
async fn events_out_of_order_late_and_doubled_change_nothing_that_is_final() {
    let setup = Setup::new().await;
    setup.start("run").await;
    let batch = setup.stream().await;
    setup.hand_over_and_die().await;
    let name = setup.step_functions.run().name;
    let running = setup.step_functions.event(&name);
    let ended = setup.step_functions.fail(&name, "FAILED", "Flowgate.NodeFailed", "{\"errorCode\":500}");
    setup.app.invoke(&ended).await;
    let record = setup.find("run").await;
    let failure = record.ending.clone().expect("it ended").failure.expect("a failure");
    assert_eq!((record.status, failure.error.as_str()), (Status::Failed, "Flowgate.NodeFailed"));
    assert_eq!(failure.cause, "{\"errorCode\":500}");
    for event in [&running, &batch, &ended, &batch, &running, &sweep()] {
        setup.app.invoke(event).await;
        assert_eq!(setup.find("run").await, record);
    }
    setup.step_functions.run();
}

/// What the second attempt of an execution is called, by the name of the first.
fn second_attempt(first: &str) -> String {
    format!("{}-2", first.strip_suffix("-1").expect("the first attempt"))
}

#[tokio::test]
async fn events_of_others_change_nothing() {
    let setup = Setup::new().await;
    let name = setup.start_running("run").await;
    let record = setup.find("run").await;
    let ended = setup.step_functions.succeed(&name, "1");
    let id = record.key.record_id();
    let strangers = [
        "by-hand".to_owned(),
        format!("{}-00000000000-1", id.as_str()),
        second_attempt(&name),
        format!("{}-00000000000-1", "0".repeat(64)),
    ];
    for stranger in strangers {
        let mut event = ended.clone();
        event["detail"]["name"] = stranger.clone().into();
        setup.app.invoke(&event).await;
        assert_eq!(setup.find("run").await, record, "{stranger}");
    }
    let mut event = ended.clone();
    event["detail"]["status"] = "PENDING_REDRIVE".into();
    setup.app.invoke(&event).await;
    assert_eq!(setup.find("run").await, record);
}

#[tokio::test]
async fn what_an_event_leaves_out_is_asked_for() {
    let setup = Setup::new().await;
    let name = setup.start_running("cut").await;
    let mut event = setup.step_functions.succeed(&name, "[1.0]");
    event["detail"]["output"] = Value::Null;
    event["detail"]["outputDetails"]["included"] = false.into();
    setup.app.invoke(&event).await;
    let ending = setup.find("cut").await.ending.expect("it ended");
    assert_eq!((ending.status, ending.output.expect("an output").as_str()), (Status::Succeeded, "[1.0]"));

    let name = setup.start_running("silent").await;
    let mut event = setup.step_functions.fail(&name, "FAILED", "States.Runtime", "no such path");
    event["detail"]["error"] = Value::Null;
    setup.proxy.take_operations();
    setup.app.invoke(&event).await;
    assert_eq!(setup.proxy.take_operations(), ["DescribeExecution"]);
    let failure = setup.find("silent").await.ending.expect("it ended").failure.expect("a failure");
    assert_eq!(failure, Failure { error: "States.Runtime".into(), cause: "no such path".into() });

    for (key, status, expected) in
        [("late", "TIMED_OUT", Status::TimedOut), ("stopped-by-hand", "ABORTED", Status::Cancelled)]
    {
        let name = setup.start_running(key).await;
        setup.app.invoke(&setup.step_functions.fail(&name, status, "States.Timeout", "")).await;
        assert_eq!(setup.status(key).await, expected);
    }
}

#[tokio::test]
async fn a_lost_event_loses_nothing() {
    let setup = Setup::new().await;
    let name = setup.start_running("run").await;
    setup.proxy.take_operations();
    setup.sweep().await;
    assert_eq!(setup.proxy.take_operations(), [""; 0], "it is not asked after yet");
    for _ in 0..2 {
        setup.clock.advance_seconds(3_600);
        setup.sweep().await;
        assert_eq!(setup.proxy.take_operations(), ["DescribeExecution"]);
        assert_eq!(setup.status("run").await, Status::Running);
    }
    setup.step_functions.succeed(&name, "null");
    setup.clock.advance_seconds(3_600);
    setup.sweep().await;
    assert_eq!(setup.status("run").await, Status::Succeeded);
}

#[tokio::test]
async fn an_execution_that_step_functions_has_forgotten_fails() {
    let setup = Setup::new().await;
    setup.start_running("run").await;
    setup.step_functions.forget_executions();
    setup.clock.advance_seconds(3_600);
    setup.sweep().await;
    let failure = setup.find("run").await.ending.expect("it ended").failure.expect("a failure");
    assert_eq!(failure.error, LOST);
}

#[tokio::test]
async fn one_that_was_never_handed_over_is_stopped_at_once() {
    let setup = Setup::new().await;
    setup.start("run").await;
    let batch = setup.stream().await;
    let stopped = setup.app.executions.stop(&setup.find("run").await).await.expect("stopped");
    assert_eq!(stopped.status, Status::Cancelled);
    setup.app.invoke(&batch).await;
    assert_eq!(setup.find("run").await, stopped);
    assert_eq!(setup.step_functions.runs().len(), 0);
}

#[tokio::test]
async fn a_stop_reaches_step_functions_however_often_it_fails() {
    let setup = Setup::new().await;
    setup.start_running("run").await;
    setup.proxy.always(Fault::Refuse("ThrottlingException"));
    let stopped = setup.app.executions.stop(&setup.find("run").await).await.expect("noted");
    assert_eq!(stopped.status, Status::Stopping);
    setup.clock.advance_seconds(i64::from(DEADLINE_SECONDS));
    setup.sweep().await;
    assert_eq!(setup.status("run").await, Status::Stopping, "there is no deadline for a stop");
    setup.proxy.heal();
    setup.clock.advance_seconds(3_600);
    setup.sweep().await;
    assert_eq!(setup.status("run").await, Status::Cancelled);
    assert_eq!(setup.step_functions.run().status, "ABORTED");
}

#[tokio::test]
async fn a_stop_between_the_start_and_its_note_stops_what_was_started() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.hand_over_and_die().await;
    let stopped = setup.app.executions.stop(&setup.find("run").await).await.expect("stopped");
    assert_eq!(stopped.status, Status::Cancelled);
    assert_eq!(setup.step_functions.run().status, "ABORTED");
}

#[tokio::test]
async fn a_stop_while_a_process_waits_for_the_answer_to_its_start_stops_what_was_started() {
    let setup = Setup::new().await;
    setup.start("run").await;
    let (batch, proxy) = (setup.stream().await, Proxy::before(setup.step_functions.url()).await);
    let hasty = Patience { attempt: Duration::from_millis(500), ..Patience::LOCAL };
    let store = setup.straight.clone();
    let engine = engine_with(&store, &setup.clock, proxy.url(), hasty);
    let slow = TestApp::dispatching(store.clone(), store, setup.clock.clone(), engine);
    proxy.once(Fault::WithholdAnswer);
    let stop = async {
        while setup.step_functions.runs().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        setup.app.executions.stop(&setup.find("run").await).await.expect("stopped")
    };
    let (answer, stopped) = tokio::join!(slow.invoke(&batch), stop);
    assert_eq!((failures(&answer), stopped.status), (vec![], Status::Cancelled));
    assert_eq!(setup.find("run").await, stopped);
    assert_eq!(setup.step_functions.run().status, "ABORTED");
}

#[tokio::test]
async fn a_process_whose_start_comes_after_the_stop_stops_it_itself() {
    let setup = Setup::new().await;
    setup.start("run").await;
    setup.step_functions.hold_starts(true);
    let batch = setup.stream().await;
    let (other, _proxy) = setup.another().await;
    let stop = async {
        setup.step_functions.start_waits().await;
        let stopped = other.executions.stop(&setup.find("run").await).await.expect("stopped");
        setup.step_functions.hold_starts(false);
        stopped
    };
    let (answer, stopped) = tokio::join!(setup.app.invoke(&batch), stop);
    assert_eq!((failures(&answer), stopped.status), (vec![], Status::Cancelled));
    assert_eq!(setup.step_functions.run().status, "ABORTED");
    assert_eq!(setup.find("run").await, stopped);
}

#[tokio::test]
async fn what_starts_after_its_record_has_ended_is_stopped() {
    let setup = Setup::new().await;
    let machine = setup.start_running("other").await;
    let machine = setup.step_functions.runs().into_iter().find(|run| run.name == machine).expect("it runs").machine;
    setup.start("run").await;
    let stopped = setup.app.executions.stop(&setup.find("run").await).await.expect("stopped");
    // A process that had found it scheduled, and that died after this.
    let name = format!("{}-{}-1", stopped.key.record_id().as_str(), &stopped.nonce.simple().to_string()[..11]);
    let settings = store::connection(&Endpoint::Local(setup.step_functions.url().to_owned())).await;
    let start = aws_sdk_sfn::Client::new(&settings).start_execution().state_machine_arn(machine);
    start.name(&name).input("{}").send().await.expect("started");
    setup.app.invoke(&setup.step_functions.event(&name)).await;
    assert_eq!(setup.find("run").await, stopped);
    let run = setup.step_functions.runs().into_iter().find(|run| run.name == name);
    assert_eq!(run.expect("it was started").status, "ABORTED");
}

#[tokio::test]
async fn a_stop_that_races_the_end_leaves_one_final_status() {
    let setup = Setup::new().await;
    for number in 0..20 {
        let key = format!("run-{number}");
        let name = setup.start_running(&key).await;
        let record = setup.find(&key).await;
        let ended = async {
            let event = setup.step_functions.succeed(&name, "1");
            setup.app.invoke(&event).await;
            event
        };
        let (stopped, event) = if number % 2 == 0 {
            tokio::join!(setup.app.executions.stop(&record), ended)
        } else {
            let (event, stopped) = tokio::join!(ended, setup.app.executions.stop(&record));
            (stopped, event)
        };
        let ended = setup.find(&key).await;
        assert!(matches!(ended.status, Status::Succeeded | Status::Cancelled), "{ended:?} after {stopped:?}");
        let batch = setup.stream().await;
        for event in [&event, &batch, &sweep()] {
            setup.app.invoke(event).await;
        }
        assert_eq!(setup.find(&key).await, ended);
    }
}

#[tokio::test]
async fn a_retry_begins_where_the_last_attempt_ended() {
    let setup = Setup::new().await;
    let first = setup.start_running("run").await;
    setup.step_functions.pass_through(
        &first,
        &[
            ("flow.begin", json!(1)),
            ("probe", json!({"n": 1})),
            ("probe.call", json!(2)),
            ("transcode", json!({"n": 2})),
            ("transcode.call", json!(3)),
            ("transcode.failed", json!(4)),
        ],
    );
    let failed = setup.step_functions.fail(&first, "FAILED", "Flowgate.NodeFailed", "{}");
    setup.app.invoke(&failed).await;
    let retried = setup.app.executions.retry(&setup.find("run").await).await.expect("retried");
    assert_eq!((retried.status, retried.attempt), (Status::Running, 2), "handed over at once");

    let second = setup.step_functions.runs().into_iter().find(|run| run.name != first).expect("a second execution");
    assert_eq!(second.name, second_attempt(&first));
    let input: Value = serde_json::from_str(&second.input).expect("JSON");
    assert_eq!(
        input,
        json!({
            "input": {"video": {"id": "A-1"}}, "headers": {}, "merge": false,
            "at": {"node": "transcode", "input": {"n": 2}},
        })
    );
    setup.app.invoke(&failed).await;
    assert_eq!(setup.find("run").await, retried, "the first attempt has no more say");

    setup.step_functions.pass_through(&second.name, &[("transcode", json!({"n": 2})), ("end", json!(3))]);
    setup.app.invoke(&setup.step_functions.succeed(&second.name, "3")).await;
    let ended = setup.find("run").await;
    assert_eq!(ended.status, Status::Succeeded);
    let history = setup.app.executions.history(&ended).await.expect("a history");
    let entered = history.iter().filter(|event| matches!(event.kind, StateEventKind::Entered(_)));
    let entered: Vec<(u32, &str)> = entered.map(|event| (event.attempt, event.state.as_str())).collect();
    let [_, _, _, _, _, (1, "transcode.failed"), (2, "transcode"), (2, "end")] = entered[..] else {
        panic!("{entered:?}")
    };
    assert_eq!(history.len(), 16, "each was left, too");
}

#[tokio::test]
async fn a_retry_of_what_never_began_begins_at_the_start() {
    let setup = Setup::new().await;
    setup.start("run").await;
    let stopped = setup.app.executions.stop(&setup.find("run").await).await.expect("stopped");
    let retried = setup.app.executions.retry(&stopped).await.expect("retried");
    assert_eq!((retried.status, retried.attempt), (Status::Running, 2));
    assert!(!setup.step_functions.run().input.contains("\"at\""), "{:?}", setup.step_functions.run());
}

#[tokio::test]
async fn a_poison_record_keeps_no_other_waiting() {
    let setup = Setup::new().await;
    for name in ["good", "damaged"] {
        setup.start(name).await;
    }
    let damaged = setup.find("damaged").await.key.record_id();
    let update = setup.dynamodb.update_item().table_name("flowgate").update_expression("REMOVE machine");
    let (pk, sk) = (format!("execution#{}", damaged.as_str()), "execution");
    let update = update.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk.into()));
    update.send().await.expect("damaged");
    let mut batch = setup.stream().await;
    let records = batch["Records"].as_array_mut().expect("records");
    let image = |status: Value| json!({"pk": {"S": "execution#1"}, "sk": {"S": "execution"}, "status": status});
    for dynamodb in [
        json!({}),
        json!({"SequenceNumber": "90", "NewImage": image(json!({"S": "asleep"}))}),
        json!({"SequenceNumber": "91", "NewImage": image(json!({"S": "scheduled"}))}),
        json!({"SequenceNumber": "92", "NewImage": image(json!({"N": "1"}))}),
        json!({"SequenceNumber": "93", "NewImage": {"pk": {"S": "x"}}}),
    ] {
        records.insert(0, json!({"eventSource": "aws:dynamodb", "dynamodb": dynamodb}));
    }
    assert_eq!(failures(&setup.app.invoke(&batch).await), [""; 0]);
    assert_eq!(setup.status("good").await, Status::Running);
    setup.step_functions.run();
}

#[tokio::test]
async fn a_storage_that_fails_has_the_event_come_again() {
    let setup = Setup::new().await;
    for name in ["one", "two"] {
        setup.start(name).await;
    }
    let name = setup.start_running("three").await;
    setup.start("four").await;
    let (batch, ended) = (setup.stream().await, setup.step_functions.succeed(&name, "1"));
    setup.storage.always(Fault::Fail);
    assert_eq!(failures(&setup.app.invoke(&batch).await).len(), 1, "the one that waits");
    for event in [&ended, &sweep()] {
        let failed = setup.app.try_invoke(event).await.expect_err("the storage fails");
        assert_eq!(failed.to_string(), "the storage failed");
    }
    setup.storage.heal();
    for event in [&batch, &ended] {
        setup.app.invoke(event).await;
    }
    assert_eq!((setup.status("three").await, setup.status("four").await), (Status::Succeeded, Status::Running));
}

#[tokio::test]
async fn a_storage_that_loses_its_answers_loses_no_execution() {
    let setup = Setup::new().await;
    setup.start("run").await;
    let batch = setup.stream().await;
    setup.storage.always(Fault::LoseAnswer);
    setup.app.invoke(&batch).await;
    setup.storage.heal();
    setup.app.invoke(&batch).await;
    assert_eq!(setup.status("run").await, Status::Running);
    setup.step_functions.run();
}

#[tokio::test]
async fn a_workflow_that_calls_addresses_is_refused_and_what_was_started_fails_at_once() {
    let setup = Setup::new().await;
    let mut document = read_json(&root().join("tests/golden/flows/v2-http.json"));
    document["name"] = "media-transcode".into();
    let definition = Definition::parse(&document.to_string()).expect("a definition");
    let refused = setup.publisher().publish(PROJECT, definition).await.expect_err("Step Functions cannot run it");
    let PublishError::Engine(EngineError::Rejected(reason)) = refused else { panic!("{refused:?}") };
    assert_eq!(reason.to_string(), "Step Functions calls no addresses, and the workflow has https://example.com/work");
    setup.start("run").await;
    setup.deliver_stream().await;
    let failure = setup.find("run").await.ending.expect("it ended").failure.expect("a failure");
    assert_eq!(failure.error, NOT_DISPATCHED);
}

#[tokio::test]
async fn every_event_that_is_no_call_is_dealt_with() {
    let setup = Setup::new().await;
    setup.start_running("run").await;
    let record = setup.find("run").await;
    let folder = root().join("events/engine");
    let files = folder.read_dir().expect("a folder of events").map(|entry| entry.expect("an entry").path());
    for path in files.filter(|path| !path.to_string_lossy().ends_with(".response.json")) {
        let answer = setup.app.invoke(&read_json(&path)).await;
        assert_eq!(answer, read_json(&path.with_extension("response.json")), "{}", path.display());
    }
    assert_eq!(setup.find("run").await, record, "they are about others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_no_events_come_to_finds_out_by_itself() {
    let (data, step_functions) = (tempfile::tempdir().expect("a directory"), StandIn::new().await);
    let emulator = Emulator::start();
    let mut command = command(data.path());
    command
        .env_remove("FLOWGATE_FIXED_TIME")
        .env("FLOWGATE_ENGINE", "stepfunctions")
        .env("FLOWGATE_STATE_MACHINE_ROLE", ROLE)
        .env("AWS_ENDPOINT_URL_SFN", step_functions.url())
        .env("AWS_ENDPOINT_URL_DYNAMODB", emulator.url());
    let (_process, address) = Process::serve(&mut command);
    let answer = exchange(address, &Call::start(Api::V2, "run").signed_at(SystemClock.now()).bytes());
    answer.expect_success();
    let name = loop {
        if let [run] = &step_functions.runs()[..] {
            break run.name.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    step_functions.succeed(&name, "\"done\"");
    let store = table(&emulator.url(), "flowgate", Patience::LOCAL).await;
    let key = ExecutionKey {
        project_id: PROJECT.into(),
        workflow_id: workflow_id(),
        name: ExecutionName::parse("run").expect("a valid name"),
    };
    let ending = loop {
        let record = store.get(&key.record_id(), SystemClock.now()).await.expect("an answer").expect("a record");
        if let Some(ending) = record.ending {
            break ending;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((ending.status, ending.output.expect("an output").as_str()), (Status::Succeeded, "\"done\""));
}

/// What names a second implementation of Step Functions, one that runs state machines. `make test-store` does.
const ENDPOINT: &str = "FLOWGATE_TEST_STEP_FUNCTIONS_ENDPOINT";

/// A flow that naps, then calls a function that does not exist, then ends.
const NAP_AND_CALL: &str = r#"{"name": "nap-and-call", "start": "nap", "constants": {}, "retries": [],
    "functions": [{"name": "f", "operation": "urn:fss:r:p:no-such-function"}],
    "states": [
        {"id": "nap", "name": "nap", "type": "Sleep", "duration": 1, "actions": [], "end": false, "transition": "work"},
        {"id": "work", "name": "work", "type": "Operation", "end": false, "transition": "end",
            "actions": [{"function_ref": {"ref_name": "f", "arguments": {"n": "$.n"}}}]},
        {"id": "end", "name": "end", "type": "End", "end": true, "transition": "", "actions": []}]}"#;

/// A flow that naps, then ends.
fn nap(name: &str, seconds: u32) -> String {
    json!({
        "name": name, "start": "nap", "constants": {}, "retries": [], "functions": [{"name": "f", "operation": "urn:fss:r:p:f"}],
        "states": [
            {"id": "nap", "name": "nap", "type": "Sleep", "duration": seconds, "actions": [], "end": false, "transition": "end"},
            {"id": "end", "name": "end", "type": "End", "end": true, "transition": "", "actions": []},
        ],
    })
    .to_string()
}

#[tokio::test]
async fn a_second_implementation_runs_stops_and_retries_what_is_started() {
    let Ok(url) = std::env::var(ENDPOINT) else { return };
    let store = table(&Emulator::start().url(), "flowgate", Patience::LOCAL).await;
    store.create_table().await.expect("a table");
    let clock = Arc::new(TestClock::starting_at(fixed_time()));
    let engine = engine(&store, &clock, &url);
    let app = TestApp::dispatching(store.clone(), store.clone(), clock.clone(), engine.clone());
    let workflows = Arc::new(Workflows::new(store.clone(), clock.clone(), 0));
    let publisher = Publisher::new(workflows, engine, FunctionNames::default());
    for text in [&nap("short", 2), &nap("short", 1), &nap("short", 1), &nap("long", 3_600), NAP_AND_CALL] {
        publisher.publish(PROJECT, Definition::parse(text).expect("a definition")).await.expect("published");
    }
    let mut keys = Vec::new();
    for name in ["short", "long", "nap-and-call"] {
        let call = Call::start_v2("{\"n\":1.50}").in_workflow(name).header("X-WorkflowRun-ID", "run");
        app.send(&call.signed()).await.expect_success();
        let workflow_id = id_of(PROJECT, &WorkflowName::parse(name).expect("a valid name"));
        let name = ExecutionName::parse("run").expect("a valid name");
        keys.push(ExecutionKey { project_id: PROJECT.into(), workflow_id, name });
    }
    let find = async |key: &ExecutionKey| app.executions.find(key).await.expect("an answer").expect("a record");
    let ended = async |key: &ExecutionKey| loop {
        clock.advance_seconds(3_600);
        app.invoke(&sweep()).await;
        let record = find(key).await;
        if record.status.is_final() {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let entered = async |record: &Execution| {
        let history = app.executions.history(record).await.expect("a history");
        let entered = history.into_iter().filter(|event| matches!(event.kind, StateEventKind::Entered(_)));
        entered.map(|event| format!("{}:{}", event.attempt, event.state)).collect::<Vec<_>>()
    };

    let succeeded = ended(&keys[0]).await;
    let output = succeeded.ending.as_ref().and_then(|ending| ending.output.as_ref()).expect("an output");
    assert_eq!((succeeded.status, output.value().to_string().contains("1.5")), (Status::Succeeded, true));
    assert_eq!(entered(&succeeded).await, ["1:flow.begin", "1:nap", "1:end"]);

    let stopped = app.executions.stop(&find(&keys[1]).await).await.expect("stopped");
    assert_eq!(stopped.status, Status::Cancelled);

    let failed = ended(&keys[2]).await;
    assert_eq!(failed.status, Status::Failed);
    app.executions.retry(&failed).await.expect("retried");
    let failed = ended(&keys[2]).await;
    assert_eq!((failed.status, failed.attempt), (Status::Failed, 2));
    let entered = entered(&failed).await;
    let second: Vec<&str> = entered.iter().filter_map(|state| state.strip_prefix("2:")).collect();
    assert!(second.contains(&"work") && !second.contains(&"nap"), "{entered:?}");
}
