//! Looking at executions through every API, whichever started them.

use std::sync::Arc;

use flowgate::auth::Credentials;
use flowgate::clock::{Clock, FixedClock, Timestamp};
use flowgate::execution::{Execution, ExecutionStore, StateEvent, StateEventKind, Status};
use flowgate::json::JsonText;
use flowgate::store::Patience;
use serde_json::{Value, json};

use crate::support::{
    Api, Call, Emulator, Fault, PROJECT, Proxy, TestApp, Watched, fixed_time, publish_samples, table, workflow_id,
};

const WORKFLOW: &str = "media-transcode";

/// The names in a list, in its order.
fn names(list: &Value) -> Vec<String> {
    let entries = list["executions"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    let name = |entry: &Value| entry.get("execution_id").or_else(|| entry.get("execution_name")).cloned();
    entries.iter().map(|entry| name(entry).and_then(|name| Some(name.as_str()?.to_owned())).expect("a name")).collect()
}

fn list_all(api: Api) -> Call {
    Call::list(api, WORKFLOW, if api == Api::Obs { "&x-workflow-limit=100" } else { "limit=100" })
}

#[tokio::test]
async fn an_execution_started_through_any_api_is_seen_through_all_of_them() {
    let setup = Watched::new().await;
    let by_obs = setup.ask(&Call::start_obs("a.mp4")).await["execution_name"].as_str().expect("a name").to_owned();
    setup.ask(&Call::start_v1("run-v1", "[1]")).await;
    // v2 itself would not make such an id.
    setup.ask(&Call::start_v1("执行@1", "1")).await;
    setup.ask(&Call::start_v2("{}").header("X-WorkflowRun-ID", "run-v2")).await;
    let expected = ["run-v2", "执行@1", "run-v1", &by_obs].map(str::to_owned);
    for api in Api::ALL {
        assert_eq!(names(&setup.ask(&list_all(api)).await), expected, "{api:?}");
        for name in &expected {
            let shown = setup.ask(&Call::show(api, WORKFLOW, name)).await;
            let shown_name =
                if api == Api::V2 { &shown["execution_id"] } else { &shown["execution_info"]["execution_name"] };
            assert_eq!(*shown_name, **name, "{api:?}");
        }
    }
    let history = setup.ask(&Call::list_history(WORKFLOW, "offset=0&limit=100")).await;
    assert_eq!((&history["total"], &history["size"]), (&json!(4), &json!(4)));
    assert_eq!(names(&history), expected);
    // Other workflows have none of them.
    for api in Api::ALL {
        assert_eq!(names(&setup.ask(&Call::list(api, "order-fanout", "")).await), [""; 0]);
        let answer = setup.send(&Call::show(api, "order-fanout", "run-v2")).await;
        answer.expect_error(api, not_found(api));
    }
}

/// What an API answers about an execution that is not there.
fn not_found(api: Api) -> (u16, &'static str) {
    match api {
        Api::Obs => (404, "NoSuchExecution"),
        Api::V1 => (404, "FGS.2002"),
        Api::V2 => (404, "FSS.0404"),
    }
}

#[tokio::test]
async fn every_status_has_its_word_in_each_api() {
    let setup = Watched::new().await;
    let output: Value = serde_json::from_str("{\"done\": 1.50}").expect("JSON");
    for (status, v2, v2_full, upper) in [
        (Status::Scheduled, "running", "scheduled", "RUNNING"),
        (Status::Running, "running", "running", "RUNNING"),
        (Status::Stopping, "running", "stopping", "RUNNING"),
        (Status::Retrying, "running", "retrying", "RUNNING"),
        (Status::Succeeded, "success", "success", "SUCCESS"),
        (Status::Failed, "fail", "fail", "FAILED"),
        (Status::TimedOut, "timeout", "timeout", "TIMEOUT"),
        (Status::Cancelled, "cancel", "cancel", "ABORTED"),
    ] {
        let name = format!("{status:?}");
        let execution = setup.start(WORKFLOW, &name).await;
        let execution = setup.bring(&execution, status).await;
        assert_eq!(execution.status, status);
        let shown = setup.ask(&Call::show(Api::V2, WORKFLOW, &name)).await;
        assert_eq!(shown["status"], v2);
        assert_eq!(shown.get("end_time").is_some(), status.is_final(), "{shown}");
        assert_eq!(shown.get("output"), (status == Status::Succeeded).then_some(&output));
        for api in [Api::Obs, Api::V1] {
            let info = &setup.ask(&Call::show(api, WORKFLOW, &name)).await["execution_info"];
            assert_eq!(info["execution_state"], upper);
            assert_eq!(info.get("stopped_at").is_some(), status.is_final(), "{info}");
            let output = match status {
                Status::Succeeded => Some("{\"done\": 1.50}"),
                Status::Failed => Some("{\"errorMessage\":\"no more\",\"errorType\":\"Lambda.Unknown\"}"),
                _ => None,
            };
            assert_eq!(info.get("output").and_then(Value::as_str), output, "the text as it was put out");
            let listed = &setup.ask(&list_all(api)).await["executions"][0];
            let word = if api == Api::Obs { "execution_state" } else { "execution_status" };
            assert_eq!((&listed["execution_name"], &listed[word]), (&json!(name), &json!(upper)));
            assert_eq!(listed["stopped_at"] != "", status.is_final());
        }
        let filtered = setup.ask(&Call::list(Api::V2, WORKFLOW, &format!("status={v2}"))).await;
        assert_eq!(
            (&filtered["executions"][0]["execution_id"], &filtered["executions"][0]["status"]),
            (&json!(name), &json!(v2))
        );
        let page = setup.ask(&Call::list_history(WORKFLOW, "offset=0&limit=1")).await;
        assert_eq!(page["executions"][0]["status"], v2_full);
    }
    for (word, count) in [("running", 4), ("success", 1), ("fail", 1), ("timeout", 1), ("cancel", 1)] {
        let filtered = setup.ask(&Call::list(Api::V2, WORKFLOW, &format!("status={word}"))).await;
        assert_eq!(names(&filtered).len(), count, "{word}");
    }
}

/// Starts executions under these names, each later than the one before.
async fn start_all(setup: &Watched, names: std::ops::Range<usize>) {
    for number in names {
        setup.start(WORKFLOW, &format!("run-{number:02}")).await;
    }
}

fn run_names(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| format!("run-{number:02}")).collect()
}

#[tokio::test]
async fn pages_behind_a_marker_neither_repeat_nor_miss_one_while_executions_start() {
    let setup = Watched::new().await;
    start_all(&setup, 0..10).await;
    let mut seen = Vec::new();
    let mut marker = String::new();
    for started in 10.. {
        let page = setup.ask(&Call::list(Api::Obs, WORKFLOW, &format!("&x-workflow-limit=3{marker}"))).await;
        assert_eq!(page["count"], names(&page).len());
        seen.extend(names(&page));
        start_all(&setup, started..started + 1).await;
        match page.get("next_marker") {
            Some(next) => marker = format!("&x-workflow-next-marker={}", next.as_str().expect("a text")),
            None => {
                assert_eq!(page["is_truncated"], false);
                break;
            }
        }
        assert_eq!(page["is_truncated"], true);
    }
    assert_eq!(seen, run_names((0..10).rev()));
}

#[tokio::test]
async fn pages_by_position_are_fixed_by_an_end_time_that_has_passed() {
    let setup = Watched::new().await;
    start_all(&setup, 0..7).await;
    let end = setup.clock.now();
    setup.clock.advance_seconds(2);
    let end = end.iso_millis().replace('T', "%20").split('.').next().expect("seconds").to_owned();
    let mut seen = Vec::new();
    for page in 0..3 {
        let (offset, query) = (page * 3, format!("end_time={end}&limit=3"));
        let listed = setup.ask(&Call::list(Api::V2, WORKFLOW, &format!("{query}&offset={offset}"))).await;
        let counted = setup.ask(&Call::list_history(WORKFLOW, &format!("{query}&offset={offset}"))).await;
        assert_eq!((&counted["total"], names(&counted)), (&json!(7), names(&listed)));
        seen.extend(names(&listed));
        start_all(&setup, 10 + page..11 + page).await;
    }
    assert_eq!(seen, run_names((0..7).rev()));
    // Without one, what starts in between moves the others on: some come twice, and none is missed.
    let mut seen = Vec::new();
    for (start, number) in [(1, 20), (7, 21)] {
        seen.extend(names(&setup.ask(&Call::list(Api::V1, WORKFLOW, &format!("start={start}&limit=6"))).await));
        start_all(&setup, number..number + 1).await;
    }
    let all: Vec<String> = run_names((0..7).chain(10..13).rev());
    assert!(all.iter().all(|name| seen.contains(name)), "{seen:?}");
}

#[tokio::test]
async fn lists_are_of_the_last_three_days_unless_told_otherwise() {
    let setup = Watched::new().await;
    setup.start(WORKFLOW, "old").await;
    setup.clock.advance_seconds(4 * 86_400);
    let now = setup.clock.now();
    let send = async |call: Call| {
        let answer = setup.app.send(&call.signed_at(now)).await;
        names(&answer.expect_success())
    };
    setup.app.send(&Call::start_v1("new", "1").signed_at(now)).await.expect_success();
    let day = |days: i64| now.plus_seconds(days * 86_400).iso_millis()[..19].replace('T', "%20");
    let list = |query: String| Call::list(Api::V2, WORKFLOW, &query);
    assert_eq!(send(list(String::new())).await, ["new"]);
    assert_eq!(send(list(format!("start_time={}", day(-5)))).await, ["old"]);
    assert_eq!(send(list(format!("end_time={}", day(-2)))).await, ["old"]);
    assert_eq!(send(list(format!("start_time={}&end_time={}", day(-5), day(1)))).await, ["new", "old"]);
    assert_eq!(send(Call::list_history(WORKFLOW, "offset=0&limit=10")).await, ["new"]);
    // The other APIs know no window.
    assert_eq!(send(Call::list(Api::V1, WORKFLOW, "")).await, ["new", "old"]);
    assert_eq!(send(Call::list(Api::Obs, WORKFLOW, "")).await, ["new", "old"]);
}

#[tokio::test]
async fn a_part_of_a_list_begins_and_ends_where_it_is_told() {
    let setup = Watched::new().await;
    start_all(&setup, 0..12).await;
    for (api, query, expected) in [
        (Api::V2, "limit=2", run_names((10..12).rev())),
        (Api::V2, "limit=2&offset=-5", run_names((10..12).rev())),
        (Api::V2, "limit=500&offset=10", run_names((0..2).rev())),
        (Api::V2, "limit=0", vec![]),
        (Api::V2, "offset=12", vec![]),
        (Api::V1, "", run_names((2..12).rev())),
        (Api::V1, "start=11&limit=1000", run_names((0..2).rev())),
        (Api::V1, "name=run-1", run_names((10..12).rev())),
        (Api::V1, "name=run-0&start=10", run_names(0..1)),
        (Api::V1, "name=none", vec![]),
        (Api::Obs, "", run_names((2..12).rev())),
        (Api::Obs, "&x-workflow-limit=1000", run_names((0..12).rev())),
    ] {
        assert_eq!(names(&setup.ask(&Call::list(api, WORKFLOW, query)).await), expected, "{api:?} {query}");
    }
    let urn = format!("execution_urn=urn:fgs:r:{PROJECT}:execution:{WORKFLOW}");
    for (query, expected) in [
        (format!("{urn}:run-03:d"), run_names(3..4)),
        (format!("{urn}:run-03:d&start=2"), vec![]),
        (format!("{urn}:nobody:d"), vec![]),
    ] {
        assert_eq!(names(&setup.ask(&Call::list(Api::V1, WORKFLOW, &query)).await), expected, "{query}");
    }
}

fn event(at: Timestamp, state: &str, kind: StateEventKind) -> StateEvent {
    StateEvent { at, attempt: 1, state: state.into(), kind }
}

fn document(value: Value) -> JsonText {
    JsonText::parse(&value.to_string()).expect("JSON")
}

/// A probe that succeeded, and a transcoding that goes on. `seen` is what the probe put out.
fn tell(setup: &Watched, execution: &Execution, seen: &Value) {
    let at = |seconds| execution.started_at.plus_seconds(seconds);
    let before = json!({"input": {"n": 1}, "merge": false});
    let after = json!({"input": seen, "merge": false});
    setup.engine.tell(
        execution.key.record_id(),
        vec![
            event(at(1), "flow.begin", StateEventKind::Entered(document(before.clone()))),
            event(at(2), "probe", StateEventKind::Entered(document(before))),
            event(at(3), "transcode", StateEventKind::Entered(document(after))),
        ],
    );
}

#[tokio::test]
async fn the_nodes_of_an_execution_are_shown_in_each_apis_words() {
    let setup = Watched::new().await;
    let execution = setup.start(WORKFLOW, "run").await;
    let execution = setup.bring(&execution, Status::Running).await;
    tell(&setup, &execution, &json!({"size": 7}));
    let millis = |seconds| execution.started_at.plus_seconds(seconds).millis();
    let iso = |seconds| execution.started_at.plus_seconds(seconds).iso_millis();

    let shown = setup.ask(&Call::show(Api::V2, WORKFLOW, "run")).await;
    let [probe, transcode] = [0, 1].map(|index| &shown["node_execution_details"][index]);
    assert_eq!(shown["node_execution_details"].as_array().map(Vec::len), Some(2));
    assert_eq!((&probe["node_id"], &probe["execution_id"]), (&json!("probe"), &json!("run")));
    assert!(probe["node_name"].as_str().is_some_and(|name| !name.is_empty()), "{probe}");
    assert_eq!(
        probe["executions"],
        json!([{"status": "success", "input": {"n": 1}, "output": {"size": 7}, "begin_time": millis(2), "end_time": millis(3)}])
    );
    assert_eq!(transcode["executions"], json!([{"status": "running", "input": {"size": 7}, "begin_time": millis(3)}]));

    for (api, kind) in [(Api::Obs, "type"), (Api::V1, "TYPE")] {
        let info = setup.ask(&Call::show(api, WORKFLOW, "run")).await["execution_info"].take();
        assert_eq!((&info["start_state"], &info["isTest"]), (&json!("probe"), &json!(false)));
        assert_eq!(info.get("execution_type").is_some(), api == Api::Obs);
        assert_eq!(info["input"], "{\"n\":1}");
        let states = &info["state_map"];
        assert_eq!(
            states["probe"],
            json!({"state_name": "probe", "status": "SUCCESS", kind: "OPERATION", "input": "{\"n\":1}",
                "output": "{\"size\":7}", "started_at": iso(2), "stopped_at": iso(3)})
        );
        assert_eq!(
            states["transcode"],
            json!({"state_name": "transcode", "status": "RUNNING", kind: "OPERATION", "input": "{\"size\":7}",
                "started_at": iso(3)})
        );
        assert_eq!(states["end"], json!({"state_name": "end", "status": "NOTRUNNING", kind: "END"}));
    }
}

#[tokio::test]
async fn the_history_of_v1_is_told_newest_first_in_its_shapes() {
    let setup = Watched::new().await;
    let execution = setup.start(WORKFLOW, "run").await;
    tell(&setup, &execution, &json!(7));
    let execution = setup.bring(&execution, Status::Succeeded).await;
    let show = |query: &str| Call {
        query: query.into(),
        path: Call::show(Api::V1, WORKFLOW, "run").path + "/history",
        ..Call::show(Api::V1, WORKFLOW, "run")
    };
    let body = setup.ask(&show("")).await;
    let iso = |seconds| execution.started_at.plus_seconds(seconds).iso_millis();
    let ended = execution.ending.as_ref().expect("an ending").at.iso_millis();
    let all = json!([
        {"type": "Execution End", "output": "{\"done\": 1.50}", "status": "SUCCESS", "stopped_at": ended},
        {"type": "State End", "state_name": "transcode", "output": "{\"done\":1.50}", "status": "SUCCESS", "stopped_at": ended},
        {"type": "State Start", "state_name": "transcode", "input": "7", "started_at": iso(3)},
        {"type": "State End", "state_name": "probe", "output": "7", "status": "SUCCESS", "stopped_at": iso(3)},
        {"type": "State Start", "state_name": "probe", "input": "{\"n\":1}", "started_at": iso(2)},
        {"type": "Execution Start", "execution_name": "run", "input": "{\"n\":1}", "started_at": iso(0)},
    ]);
    assert_eq!(body, json!({"count": 6, "state_history": all}));
    let part = setup.ask(&show("start=2&limit=2")).await;
    assert_eq!(part, json!({"count": 2, "state_history": [all[1], all[2]]}));
}

#[tokio::test]
async fn long_values_of_nodes_are_whole_for_those_who_ask() {
    let setup = Watched::new().await;
    let execution = setup.start(WORKFLOW, "run").await;
    let execution = setup.bring(&execution, Status::Running).await;
    let long = json!("x".repeat(5000));
    tell(&setup, &execution, &long);
    let show = Call::show(Api::V2, WORKFLOW, "run");
    let output =
        async |call: &Call| setup.ask(call).await["node_execution_details"][0]["executions"][0]["output"].take();
    const HEADER: &str = "X-Get-Workflow-Full-History-Data";
    for whole in ["True", "true", "TRUE"] {
        assert_eq!(output(&show.clone().header(HEADER, whole)).await, long, "{whole}");
    }
    for call in [show.clone(), show.clone().header(HEADER, "False"), show.header(HEADER, "")] {
        let cut = output(&call).await;
        assert_eq!(cut["flowgate_value_cut"]["bytes"], 5002, "{cut}");
    }
}

#[tokio::test]
async fn an_execution_shows_the_workflow_as_it_runs_it() {
    let setup = Watched::new().await;
    let execution = setup.start(WORKFLOW, "run").await;
    let urn = Call::show(Api::V1, WORKFLOW, "run").path.replace("/executions/", "/graph_detail/");
    let shown = setup.ask(&Call::get(Api::V1, &urn, "")).await;
    assert_eq!((&shown["name"], &shown["definition"]["start"]), (&json!(WORKFLOW), &json!("probe")));
    assert_eq!(shown["graph_urn"], format!("urn:fgs:local-1:{PROJECT}:graph:{WORKFLOW}"));
    assert_eq!(execution.workflow_name, WORKFLOW);
}

#[tokio::test]
async fn what_a_principal_may_not_see_looks_as_if_it_was_not_there() {
    let key = |name: &str, further: Value| {
        let mut entry = json!({"access_key": name, "secret_key": format!("secret-of-{name}"), "project_id": PROJECT,
            "domain_id": "d"});
        entry.as_object_mut().expect("an object").extend(further.as_object().cloned().unwrap_or_default());
        entry
    };
    let other_project = "0ddba110ddba110ddba110ddba110ddb";
    let credentials = json!({"credentials": [
        key("ALLPOWERFULKEY000001", json!({})),
        key("ORDERSONLYKEY0000001", json!({"workflows": ["order-fanout"]})),
        key("STARTSONLYKEY0000001", json!({"operations": ["start"]})),
        key("OTHERPROJECTKEY00001", json!({"project_id": other_project})),
    ]});
    let credentials = Credentials::parse(&credentials.to_string()).expect("credentials");
    let setup = Watched::for_callers(credentials.clone()).await;
    let by = |name: &str| credentials.with_access_key(name).next().expect("the key").clone();
    let owner = by("ALLPOWERFULKEY000001");
    setup.app.send(&Call::start_v1("run", "1").signed_by(&owner)).await.expect_success();
    for api in Api::ALL {
        let mut calls = vec![Call::show(api, WORKFLOW, "run"), Call::list(api, WORKFLOW, "")];
        if api != Api::Obs {
            calls.push(Call::stop(api, WORKFLOW, "run"));
        }
        if api != Api::V1 {
            calls.push(Call::retry(api, WORKFLOW, "run"));
        }
        if api == Api::V2 {
            calls.push(Call::list_history(WORKFLOW, "offset=0&limit=1"));
            calls.push(Call::start_sync(WORKFLOW, "{}"));
        }
        for call in calls {
            let (no_workflow, foreign, forbidden) = match api {
                Api::Obs => ((404, "NoSuchWorkflow"), (404, "NoSuchWorkflow"), (403, "AccessDenied")),
                Api::V1 => ((404, "FGS.1011"), (403, "FGS.0004"), (403, "FGS.0004")),
                Api::V2 => ((404, "FGS.5002"), (403, "APIGW.0302"), (403, "APIGW.0302")),
            };
            for (key, expected) in [
                ("ORDERSONLYKEY0000001", no_workflow),
                ("OTHERPROJECTKEY00001", foreign),
                ("STARTSONLYKEY0000001", forbidden),
            ] {
                let answer = setup.app.send(&call.signed_by(&by(key))).await;
                answer.expect_error(api, expected);
                assert!(!answer.body.contains("run-"), "{answer:?}");
            }
        }
    }
    let page = setup.store.list(PROJECT, workflow_id(), None, 10, setup.clock.now()).await.expect("a page");
    let [only] = page.entries.as_slice() else { panic!("{page:?}") };
    assert_eq!(only.status, Status::Scheduled, "nobody stopped it, and nothing else was started");
}

#[tokio::test]
async fn without_the_engine_nodes_cannot_be_shown_but_lists_can() {
    let setup = Watched::new().await;
    let execution = setup.start(WORKFLOW, "run").await;
    setup.engine.fail();
    for api in Api::ALL {
        // What was not handed over has no history to ask for.
        setup.ask(&Call::show(api, WORKFLOW, "run")).await;
    }
    setup.bring(&execution, Status::Running).await;
    for (api, code) in [(Api::Obs, "ServiceUnavailable"), (Api::V1, "FGS.0015"), (Api::V2, "FSS.0503")] {
        let answer = setup.send(&Call::show(api, WORKFLOW, "run")).await;
        answer.expect_error(api, (503, code));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(names(&setup.ask(&Call::list(api, WORKFLOW, "")).await), ["run"]);
    }
}

#[tokio::test]
async fn without_the_storage_callers_are_told_to_come_back() {
    let emulator = Emulator::start();
    let proxy = Proxy::before(&emulator.url()).await;
    let straight = table(&emulator.url(), "flowgate", Patience::LOCAL).await;
    straight.create_table().await.expect("a table");
    publish_samples(straight).await;
    let through = table(proxy.url(), "flowgate", Patience::LOCAL).await;
    let app = TestApp::process(through.clone(), through, Arc::new(FixedClock(fixed_time())));
    app.send(&Call::start_v1("run", "1").signed()).await.expect_success();
    for (fault, codes) in [
        (Fault::Fail, [(503, "ServiceUnavailable"), (503, "FGS.0015"), (503, "FSS.0503")]),
        (Fault::Refuse("ThrottlingException"), [(503, "SlowDown"), (429, "FSS.0429"), (429, "FSS.0429")]),
    ] {
        proxy.always(fault);
        for (api, code) in Api::ALL.into_iter().zip(codes) {
            let mut calls = vec![Call::show(api, WORKFLOW, "run"), Call::list(api, WORKFLOW, "")];
            calls.extend((api != Api::Obs).then(|| Call::stop(api, WORKFLOW, "run")));
            calls.extend((api != Api::V1).then(|| Call::retry(api, WORKFLOW, "run")));
            for call in calls {
                let answer = app.send(&call.signed()).await;
                answer.expect_error(api, code);
                assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
            }
        }
        proxy.heal();
    }
}
