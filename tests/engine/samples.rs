//! The bare binary with nothing else running takes every sample to its end, and into its error route.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::send;
use crate::support::process::{DEADLINE, Process, command};
use crate::support::{Api, Call};

/// Asks the v2 API for an execution until it has ended. Returns the nodes that ran, in their order, and the output.
fn wait_for_end(address: SocketAddr, workflow: &str, name: &str) -> (Vec<String>, Value) {
    let begun = Instant::now();
    loop {
        let shown = send(address, &Call::show(Api::V2, workflow, name)).expect_success();
        if shown["status"] != "running" {
            assert_eq!(shown["status"], "success", "{shown}");
            let nodes = shown["node_execution_details"].as_array().expect("nodes").iter();
            let ids = nodes.map(|node| node["node_id"].as_str().expect("an id").to_owned()).collect();
            return (ids, shown["output"].clone());
        }
        assert!(begun.elapsed() < DEADLINE, "{workflow} does not end: {shown}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A document of an error as a route hands it on.
fn thrown(code: u32, error_type: &str, message: &str) -> Value {
    json!({"errorCode": code, "errorType": error_type, "errorMessage": message})
}

#[test]
fn every_sample_runs_to_its_end_and_into_its_error_route_with_nothing_else_installed() {
    let data = tempfile::tempdir().expect("a directory");
    let (process, address) = Process::serve(command(data.path()).env_remove("FLOWGATE_FIXED_TIME"));

    let media = ["videos/demo.mp4", "videos/demo.broken"].map(|object| {
        let started = send(address, &Call::start_obs(object)).expect_success();
        started["execution_name"].as_str().expect("a name").to_owned()
    });
    for (name, object) in [("order-18", "18.json"), ("order-0", "missing.json")] {
        let input = json!({"bucket": "orders", "object": object}).to_string();
        let call = Call::start_v2(&input).in_workflow("order-fanout").header("X-WorkflowRun-ID", name);
        send(address, &call).expect_success();
    }
    for approver in ["team-lead", "board"] {
        let inputs = json!({"amount": 12.50, "approver": approver});
        let input = json!({"bucket": "receipts", "object": "1.pdf", "inputs": inputs}).to_string();
        send(address, &Call::start_v1(approver, &input).in_workflow("expense-approval")).expect_success();
    }

    let transcoded = "transcoded/demo.mp4";
    let thumbnail = json!({
        "bucket": "videos", "object": transcoded, "result": transcoded, "thumbnail": format!("{transcoded}.jpg"),
    });
    let reported =
        json!({"reported": thrown(415, "UnreadableMedia", "the object is no video"), "topic": "media-failures"});
    let confirmed = json!({"confirmed": [
        {"reservation": {"order": "18", "warehouse": "north"}},
        {"shipment": {"order": "18", "carrier": "post"}},
        {"invoice": {"order": "18", "total": 42.5, "currency": "EUR"}},
    ]});
    let cancelled = json!({"cancelled": thrown(404, "OrderMissing", "there is no such order")});
    let paid = json!({"paid": {"amount": 12.5, "currency": "EUR", "to": "none"}});
    let escalated = json!({"escalated": thrown(408, "Undecided", "nobody has decided"), "channel": "approvals"});
    for (workflow, name, nodes, output) in [
        ("media-transcode", media[0].as_str(), &["probe", "transcode", "thumbnail", "end"][..], thumbnail),
        ("media-transcode", media[1].as_str(), &["probe", "report-failure", "end"], reported),
        ("order-fanout", "order-18", &["read-order", "prepare", "confirm", "end"], confirmed),
        ("order-fanout", "order-0", &["read-order", "cancel", "end"], cancelled),
        ("expense-approval", "team-lead", &["ask", "wait", "decide", "pay", "end"], paid),
        ("expense-approval", "board", &["ask", "wait", "decide", "escalate", "end"], escalated),
    ] {
        let (ran, ended) = wait_for_end(address, workflow, name);
        assert_eq!((ran.iter().map(String::as_str).collect::<Vec<_>>(), ended), (nodes.to_vec(), output), "{workflow}");
    }
    assert_eq!(process.stop().status.code(), Some(0));
}
