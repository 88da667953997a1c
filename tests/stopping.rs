//! Stopping executions, having them tried again, trial starts, and starts that are waited for.

use flowgate::clock::Clock;
use flowgate::execution::{Ending, ExecutionStore, Failure, StateEvent, StateEventKind, Status};
use flowgate::json::JsonText;
use serde_json::{Value, json};

use crate::support::{Api, Call, PROJECT, TestApp, Watched, id_in_project};

const WORKFLOW: &str = "media-transcode";
/// The sample in EXPRESS mode.
const EXPRESS: &str = "order-fanout";

/// The APIs that can stop an execution.
const STOPPING: [Api; 2] = [Api::V1, Api::V2];
/// The APIs that can have one tried again.
const RETRYING: [Api; 2] = [Api::Obs, Api::V2];

const ENDED: [(Api, (u16, &str)); 2] = [(Api::V1, (409, "FGS.2022")), (Api::V2, (409, "FSS.0409"))];

#[tokio::test]
async fn an_execution_that_has_not_ended_is_stopped_and_stopping_it_again_changes_nothing() {
    let setup = Watched::new().await;
    for api in STOPPING {
        for status in [Status::Scheduled, Status::Running, Status::Stopping, Status::Retrying] {
            let name = format!("{api:?}-{status:?}");
            let execution = setup.start(WORKFLOW, &name).await;
            setup.bring(&execution, status).await;
            let mut answers = Vec::new();
            for _ in 0..2 {
                let answer = setup.send(&Call::stop(api, WORKFLOW, &name)).await;
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                answers.push(answer.body);
            }
            let stopped = setup.read(WORKFLOW, &name).await;
            if status == Status::Stopping {
                // That wish was recorded before; its engine has to be reminded by a sweep.
                assert_eq!(stopped.status, Status::Stopping);
                continue;
            }
            let ending = stopped.ending.as_ref().expect("it ended");
            assert_eq!(stopped.status, Status::Cancelled, "{name}");
            let expected = match api {
                Api::V1 => json!({"stopped_at": ending.at.iso_millis()}).to_string(),
                _ => String::new(),
            };
            assert_eq!(answers, [expected.clone(), expected], "{name}");
        }
    }
}

#[tokio::test]
async fn an_execution_that_has_ended_by_itself_is_not_stopped() {
    let setup = Watched::new().await;
    for status in [Status::Succeeded, Status::Failed, Status::TimedOut] {
        let name = format!("{status:?}");
        let execution = setup.start(WORKFLOW, &name).await;
        let ended = setup.bring(&execution, status).await;
        for (api, expected) in ENDED {
            setup.send(&Call::stop(api, WORKFLOW, &name)).await.expect_error(api, expected);
        }
        assert_eq!(setup.read(WORKFLOW, &name).await, ended, "nothing of it has changed");
    }
    for (api, expected) in [(Api::V1, (404, "FGS.2002")), (Api::V2, (404, "FSS.0404"))] {
        setup.send(&Call::stop(api, WORKFLOW, "nobody")).await.expect_error(api, expected);
    }
}

#[tokio::test]
async fn a_stop_that_the_engine_has_not_carried_out_is_durable_and_shown() {
    let setup = Watched::new().await;
    setup.engine.ignore_stops();
    for api in STOPPING {
        let name = format!("{api:?}");
        let execution = setup.start(WORKFLOW, &name).await;
        setup.bring(&execution, Status::Running).await;
        let answer = setup.send(&Call::stop(api, WORKFLOW, &name)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let stopping = setup.read(WORKFLOW, &name).await;
        assert_eq!(stopping.status, Status::Stopping);
        if api == Api::V1 {
            assert_eq!(answer.json()["stopped_at"], stopping.updated_at.iso_millis());
        }
        let due = setup.store.find_due(setup.clock.now(), 10).await.expect("an answer");
        assert!(due.contains(&stopping.key.record_id()), "a sweep carries it out");
        let page = setup.ask(&Call::list_history(WORKFLOW, "offset=0&limit=1")).await;
        assert_eq!(page["executions"][0]["status"], "stopping");
    }
}

#[tokio::test]
async fn what_did_not_succeed_is_tried_again() {
    let setup = Watched::new().await;
    for api in RETRYING {
        for status in [Status::Failed, Status::TimedOut, Status::Cancelled] {
            let name = format!("{api:?}-{status:?}");
            let execution = setup.start(WORKFLOW, &name).await;
            setup.bring(&execution, status).await;
            for _ in 0..2 {
                let answer = setup.send(&Call::retry(api, WORKFLOW, &name)).await;
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                let retried = setup.read(WORKFLOW, &name).await;
                assert_eq!((retried.status, retried.attempt, &retried.ending), (Status::Retrying, 2, &None), "{name}");
                if api == Api::Obs {
                    let urn = format!("urn:fgs:local-1:{PROJECT}:execution:{WORKFLOW}:{name}:{}", retried.domain_id);
                    let at = retried.updated_at.iso_millis();
                    assert_eq!(answer.json(), json!({"execution_urn": urn, "execution_name": name, "restored_at": at}));
                } else {
                    assert_eq!(answer.body, "");
                }
            }
        }
    }
}

#[tokio::test]
async fn what_succeeded_or_has_not_ended_is_not_tried_again() {
    let setup = Watched::new().await;
    for status in [Status::Scheduled, Status::Running, Status::Stopping, Status::Succeeded] {
        let name = format!("{status:?}");
        let execution = setup.start(WORKFLOW, &name).await;
        let before = setup.bring(&execution, status).await;
        for (api, code) in [(Api::Obs, "OperationAborted"), (Api::V2, "FSS.0409")] {
            setup.send(&Call::retry(api, WORKFLOW, &name)).await.expect_error(api, (409, code));
        }
        assert_eq!(setup.read(WORKFLOW, &name).await, before);
    }
    for (api, code) in [(Api::Obs, "NoSuchExecution"), (Api::V2, "FSS.0404")] {
        setup.send(&Call::retry(api, WORKFLOW, "nobody")).await.expect_error(api, (404, code));
    }
}

/// The call as a test.
fn test(start: Call) -> Call {
    let body = String::from_utf8(start.body.clone()).expect("text");
    start.body(body.replace("\"start\"", "\"test_start\""))
}

#[tokio::test]
async fn a_test_is_an_execution_that_says_so_and_no_repeat_of_a_start() {
    let setup = Watched::new().await;
    let first = setup.ask(&test(Call::start_v1("trial", "1"))).await;
    assert_eq!(setup.ask(&test(Call::start_v1("trial", " 1 "))).await, first, "the first answer again");
    setup.send(&Call::start_v1("trial", "1")).await.expect_error(Api::V1, (409, "FGS.4106"));
    setup.ask(&Call::start_v1("real", "1")).await;
    setup.send(&test(Call::start_v1("real", "1"))).await.expect_error(Api::V1, (409, "FGS.4106"));
    for (name, is_test) in [("trial", true), ("real", false)] {
        assert_eq!(setup.read(WORKFLOW, name).await.is_test, is_test);
        for api in [Api::Obs, Api::V1] {
            let shown = setup.ask(&Call::show(api, WORKFLOW, name)).await;
            assert_eq!(shown["execution_info"]["isTest"], is_test, "{api:?}");
        }
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn ending(setup: &Watched, status: Status, output: Option<&str>, cause: Option<&str>) -> Ending {
    Ending {
        status,
        at: setup.clock.now(),
        output: output.map(|text| JsonText::parse(text).expect("JSON")),
        failure: cause.map(|cause| Failure { error: "Flowgate.NodeFailed".into(), cause: cause.into() }),
    }
}

#[tokio::test]
async fn a_synchronous_start_is_answered_with_the_end() {
    for (status, output, cause, word, shown, errors) in [
        (Status::Succeeded, Some("{\"a\": 1.50}"), None, "success", json("{\"a\": 1.50}"), vec![]),
        (Status::Succeeded, Some("7"), None, "success", json!(7), vec![]),
        (Status::Failed, None, Some("{\"errorCode\":404}"), "fail", json!({}), vec!["{\"errorCode\":404}"]),
        (Status::TimedOut, None, None, "timeout", json!({}), vec![]),
        (Status::Cancelled, None, None, "fail", json!({}), vec!["the execution was stopped"]),
    ] {
        let setup = Watched::new().await;
        setup.engine.end_all(ending(&setup, status, output, cause));
        let body = setup.ask(&Call::start_sync(EXPRESS, "{\"bucket\":\"b\"}")).await;
        let name = body["execution_id"].as_str().expect("an id");
        let execution = setup.read(EXPRESS, name).await;
        let ended = execution.ending.as_ref().expect("it ended").at.iso_seconds();
        let errors: Vec<Value> = errors
            .into_iter()
            .map(|text| json!({"error_message": text, "begin_time": execution.started_at.iso_seconds(), "end_time": ended}))
            .collect();
        assert_eq!(
            body,
            json!({"execution_id": name, "status": word, "output": shown, "errors": errors,
                "begin_time": execution.started_at.iso_seconds(), "end_time": ended})
        );
    }
}

#[tokio::test]
async fn the_errors_of_a_synchronous_start_name_the_nodes() {
    let setup = Watched::new().await;
    setup.engine.end_all(ending(&setup, Status::Failed, None, Some("{\"errorCode\":404}")));
    let key = "order 1";
    let start = Call::start_sync(EXPRESS, "{}").header("Idempotency-Key", key);
    let first = setup.ask(&start).await;
    let execution = setup.read(EXPRESS, first["execution_id"].as_str().expect("an id")).await;
    let document = JsonText::parse("{\"input\":{},\"merge\":false}").expect("JSON");
    let entered = StateEventKind::Entered(document);
    setup.engine.tell(
        execution.key.record_id(),
        vec![StateEvent { at: execution.started_at, attempt: 1, state: "read-order".into(), kind: entered }],
    );
    let again = setup.ask(&start).await;
    assert_eq!(again["execution_id"], first["execution_id"], "the same start");
    assert_eq!(
        (&again["errors"][0]["node_id"], again["errors"].as_array().map(Vec::len)),
        (&json!("read-order"), Some(1))
    );
    // How it ended is worth more than in which node.
    setup.engine.fail();
    assert_eq!(setup.ask(&start).await, first);
}

#[tokio::test]
async fn a_synchronous_start_that_takes_too_long_goes_on() {
    let setup = Watched::new().await;
    let Watched { store, clock, engine, app } = setup;
    let app: TestApp = app.in_haste();
    let answer = app.send(&Call::start_sync(EXPRESS, "{}").signed()).await;
    answer.expect_error(Api::V2, (504, "FSS.0504"));
    let page = store.list(PROJECT, id_in_project(EXPRESS), None, 10, clock.now()).await.expect("a page");
    let [entry] = page.entries.as_slice() else { panic!("{page:?}") };
    assert!(!entry.status.is_final());
    assert!(answer.body.contains(entry.key.name.as_str()), "{answer:?}");
    drop(engine);
}

#[tokio::test]
async fn only_an_express_flow_can_be_waited_for() {
    let setup = Watched::new().await;
    let answer = setup.send(&Call::start_sync(WORKFLOW, "{}")).await;
    answer.expect_error(Api::V2, (400, "FGS.3002"));
    assert!(answer.body.contains("EXPRESS"), "{answer:?}");
    assert_eq!(setup.ask(&Call::list(Api::V2, WORKFLOW, "")).await, json!({"executions": []}), "nothing was started");
}
