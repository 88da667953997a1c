//! The real binary on a port, spoken to in bytes: what clients and proxies really send, and the ends of a process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::gate::Gate;
use crate::support::mutation::{Random, mutate_bytes};
use crate::support::process::{Process, command};
use crate::support::wire::{Wire, exchange};
use crate::support::{Api, Call, HOST, PROJECT, root};

/// The largest body that is read.
const LIMIT: usize = 262_144;

/// A running server over a store of its own.
struct Server {
    process: Process,
    address: SocketAddr,
    _data: TempDir,
}

impl Server {
    fn new(variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let (process, address) = Process::serve(command(data.path()).envs(variables.iter().copied()));
        Self { process, address, _data: data }
    }
}

/// A signed start of exactly `length` bytes of body.
fn of_length(api: Api, length: usize) -> Call {
    let around =
        json!({"input": {"a": ""}, "bucket": "demo-bucket", "object": "a", "action_type": "start", "executions":
        {"execution_name": "long-in-v1", "input": "{}"}})
        .to_string();
    let body = around.replacen("\"a\":\"\"", &format!("\"a\":\"{}\"", "x".repeat(length - around.len())), 1);
    assert_eq!(body.len(), length);
    Call::start(api, "long").body(body).signed()
}

#[test]
fn the_vendors_captures_are_answered_in_their_dialect_in_one_write_or_two() {
    let server = Server::new(&[]);
    for (folder, api) in [("obs", Api::Obs), ("fgv1", Api::V1), ("fgv2", Api::V2)] {
        let folder: PathBuf = root().join("tests/golden").join(folder);
        for file in folder.read_dir().expect("captures").map(|entry| entry.expect("an entry").path()) {
            let bytes = std::fs::read(&file).expect("a capture");
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an end of the headers") + 4;
            let closes = bytes[..end].windows(17).any(|text| text.eq_ignore_ascii_case(b"connection: close"));
            let mut wire = Wire::connect(server.address);
            wire.send(&bytes[..end]);
            wire.send(&bytes[end..]);
            let in_two = wire.answer();
            // Signed with a key that is none of the server's.
            assert!(matches!(in_two.status, 401 | 403), "{}: {in_two:?}", file.display());
            in_two.error_code(api);
            if closes {
                assert!(wire.is_closed(), "{}", file.display());
            } else {
                wire.send(&bytes);
                assert_eq!(wire.answer().status, in_two.status, "{} again, on the same connection", file.display());
            }
        }
    }
}

#[test]
fn a_capture_signed_with_a_known_key_is_let_in() {
    let key = json!({"access_key": "QTWAOYTTINDUT2QVKYUC", "secret_key": "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        "project_id": "c53626012ba84727b938ca8bf03108ef", "domain_id": "d1"});
    let credentials = json!({"credentials": [key]}).to_string();
    let fixed = ("FLOWGATE_FIXED_TIME", "2026-11-20T21:48:01Z");
    let server = Server::new(&[("FLOWGATE_CREDENTIALS", &credentials), fixed]);
    let capture = std::fs::read(root().join("tests/golden/fgv2/start_objects.req")).expect("a capture");
    let answer = exchange(server.address, &capture);
    answer.expect_error(Api::V2, (404, "FGS.5002"));
}

#[test]
fn a_connection_carries_any_number_of_starts() {
    let server = Server::new(&[]);
    let mut wire = Wire::connect(server.address);
    for api in Api::ALL {
        let call = Call::start(api, "keep-alive").signed();
        let first = {
            wire.send(&call.bytes());
            wire.answer()
        };
        assert_eq!(first.status, 200, "{first:?}");
        wire.send(&call.head());
        wire.send(&call.body);
        assert_eq!(wire.answer().json(), first.json(), "the same start again, in two writes");
    }
    wire.send(&Call::start(Api::V2, "last").header("Connection", "close").signed().bytes());
    assert_eq!(wire.answer().status, 200);
    assert!(wire.is_closed());
}

#[test]
fn two_requests_sent_at_once_are_answered_in_their_order() {
    let server = Server::new(&[]);
    let (first, second) = (Call::start(Api::V2, "first").signed(), Call::start(Api::V2, "second").signed());
    let mut wire = Wire::connect(server.address);
    wire.send(&[first.bytes(), second.bytes()].concat());
    assert_eq!(wire.answer().json(), json!({"execution_id": "first"}));
    assert_eq!(wire.answer().json(), json!({"execution_id": "second"}));
}

#[test]
fn a_path_means_the_same_however_much_of_it_is_percent_encoded() {
    let server = Server::new(&[]);
    let mut answers = Vec::new();
    for urn in [
        format!("urn:fgs:local-1:{PROJECT}:graph:order-fanout"),
        format!("urn%3Afgs%3Alocal-1%3A{PROJECT}%3Agraph%3Aorder-fanout"),
        format!("urn%3afgs%3alocal-1%3a{PROJECT}%3agraph%3aorder%2Dfanout"),
    ] {
        let mut call = Call::start(Api::V1, "encoded");
        call.path = format!("/v1.0/{PROJECT}/cloud_graphs/{urn}/executions/action");
        let answer = exchange(server.address, &call.signed().bytes());
        assert_eq!(answer.status, 200, "{urn}: {answer:?}");
        answers.push(answer.json());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let mut slash = Call::start(Api::Obs, "encoded");
    slash.path = "/v2/workflows/media%2Ftranscode".into();
    let answer = exchange(server.address, &slash.signed().bytes());
    answer.expect_error(Api::Obs, (400, "InvalidArgument"));
}

#[test]
fn a_target_in_absolute_form_is_the_same_request() {
    let server = Server::new(&[]);
    let call = Call::start(Api::V2, "absolute").signed();
    let text = String::from_utf8(call.bytes()).expect("a text");
    let answer = exchange(server.address, text.replacen("POST /", &format!("POST http://{HOST}/"), 1).as_bytes());
    assert_eq!((answer.status, answer.json()), (200, json!({"execution_id": "absolute"})));
}

#[test]
fn a_chunked_body_is_a_body() {
    let server = Server::new(&[]);
    for api in Api::ALL {
        let call = Call::start(api, "chunked").signed();
        let (first, second) = call.body.split_at(7);
        let mut wire = Wire::connect(server.address);
        wire.send(&call.head_with("Transfer-Encoding: chunked\r\n"));
        for chunk in [first, second] {
            wire.send(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        wire.send(b"0\r\n\r\n");
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "{api:?}: {answer:?}");
        wire.send(&call.bytes());
        assert_eq!(wire.answer().json(), answer.json(), "the same start with an announced length");
    }
}

#[test]
fn who_asks_whether_to_send_the_body_is_told_to_go_on() {
    let server = Server::new(&[]);
    let call = Call::start(Api::V2, "expect").header("Expect", "100-continue").signed();
    let mut wire = Wire::connect(server.address);
    wire.send(&call.head());
    assert_eq!(wire.head().0.status, 100);
    wire.send(&call.body);
    assert_eq!(wire.answer().status, 200);
}

#[test]
fn who_asks_whether_to_send_a_body_that_is_too_large_is_told_not_to() {
    let server = Server::new(&[]);
    for api in Api::ALL {
        let call = Call::start(api, "expect").header("Expect", "100-continue").signed();
        let mut wire = Wire::connect(server.address);
        wire.send(&call.head_with(&format!("Content-Length: {}\r\n", LIMIT + 1)));
        let answer = wire.answer();
        answer.expect_error(api, too_large(api));
    }
}

fn too_large(api: Api) -> (u16, &'static str) {
    match api {
        Api::Obs => (400, "EntityTooLarge"),
        Api::V1 => (413, "FGS.4109"),
        Api::V2 => (413, "FSS.0413"),
    }
}

#[test]
fn the_largest_body_passes_and_one_byte_more_is_refused() {
    let server = Server::new(&[]);
    for api in Api::ALL {
        let fits = exchange(server.address, &of_length(api, LIMIT).bytes());
        let is_too_large = |answer: &str| answer == too_large(api).1;
        assert!(fits.status == 200 || !is_too_large(&fits.error_code(api)), "{api:?}: {fits:?}");
        let over = exchange(server.address, &of_length(api, LIMIT + 1).bytes());
        over.expect_error(api, too_large(api));
    }
    let fits = exchange(server.address, &of_length(Api::V2, LIMIT).bytes());
    assert_eq!(fits.json(), json!({"execution_id": "long"}), "all of it was read, kept and compared");
}

#[test]
fn a_client_that_sends_everything_first_reads_why_its_body_is_refused() {
    let server = Server::new(&[]);
    let body = vec![b' '; 20 * 1024 * 1024];
    for api in Api::ALL {
        let call = Call::start(api, "huge").signed().body(body.clone());
        let mut wire = Wire::connect(server.address);
        wire.send(&call.head());
        wire.send(&call.body);
        let answer = wire.answer();
        answer.expect_error(api, too_large(api));
        wire.send(&Call::start(api, "after-a-huge-one").signed().bytes());
        assert_eq!(wire.answer().status, 200, "the connection is good for another");
    }
}

#[test]
fn a_body_cut_short_is_refused_in_the_dialect() {
    let server = Server::new(&[]);
    for (api, code) in [(Api::Obs, "IncompleteBody"), (Api::V1, "FGS.0009"), (Api::V2, "FGS.3002")] {
        let call = Call::start(api, "cut-short").signed();
        let mut wire = Wire::connect(server.address);
        wire.send(&call.head());
        wire.send(&call.body[..10]);
        wire.finish();
        let answer = wire.answer();
        answer.expect_error(api, (400, code));
    }
    // Nothing was started: the same keys are free for another input.
    for api in Api::ALL {
        let other = exchange(server.address, &Call::start_with(api, "cut-short", "B-2").signed().bytes());
        assert_eq!(other.status, 200, "{other:?}");
    }
}

#[test]
fn other_methods_are_refused_in_the_dialect_and_head_has_no_body() {
    let server = Server::new(&[]);
    for api in Api::ALL {
        let with_method = |method: &str| {
            let mut call = Call::start(api, "method");
            call.method = method.into();
            call.signed()
        };
        for method in ["OPTIONS", "PATCH", "BREW"] {
            let answer = exchange(server.address, &with_method(method).bytes());
            assert_eq!(answer.status, 405, "{method}: {answer:?}");
            assert!(answer.header("allow").contains("POST"), "{answer:?}");
            answer.error_code(api);
        }
        let mut wire = Wire::connect(server.address);
        wire.send(&with_method("HEAD").bytes());
        let (answer, length) = wire.head();
        assert!(answer.status == 405 && length > 0, "{answer:?}");
        wire.send(&Call::start(api, "after-head").signed().bytes());
        assert_eq!(wire.answer().status, 200, "no body came between the answers");
    }
    let answer = exchange(server.address, format!("OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
    answer.expect_error(None, (404, "APIGW.0101"));
}

#[test]
fn it_is_ready_as_long_as_its_storage_can_be_reached_and_alive_all_the_time() {
    let mut gate = Gate::new();
    let server = Server::new(&[("AWS_ENDPOINT_URL_DYNAMODB", &gate.url())]);
    let get = |path: &str| {
        let answer = exchange(server.address, format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
        (answer.status, answer.body)
    };
    assert_eq!(get("/healthz"), (200, "ok".to_owned()));
    assert_eq!(get("/readyz"), (200, "ready".to_owned()));
    gate.take_down();
    // A verdict holds for a moment, since anybody may ask.
    while get("/readyz").0 != 503 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(get("/healthz"), (200, "ok".to_owned()));
    for (api, code) in [(Api::Obs, "ServiceUnavailable"), (Api::V1, "FGS.0015"), (Api::V2, "FSS.0503")] {
        let answer = exchange(server.address, &Call::start(api, "no-storage").signed().bytes());
        answer.expect_error(api, (503, code));
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    }
}

#[test]
fn without_its_storage_it_does_not_start_and_says_so() {
    let (data, mut gate) = (tempfile::tempdir().expect("a directory"), Gate::new());
    gate.take_down();
    let ended = Process::spawn(command(data.path()).env("AWS_ENDPOINT_URL_DYNAMODB", gate.url())).end();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the table could not be created"), "{ended:?}");
}

#[test]
fn a_start_that_runs_when_the_process_is_told_to_end_is_answered_first() {
    let gate = Gate::new();
    let mut server = Server::new(&[("AWS_ENDPOINT_URL_DYNAMODB", &gate.url())]);
    let mut idle = Wire::connect(server.address);
    idle.send(&Call::start(Api::V2, "before").signed().bytes());
    assert_eq!(idle.answer().status, 200);
    gate.shut();
    let mut running = Wire::connect(server.address);
    running.send(&Call::start(Api::V2, "during").signed().bytes());
    gate.wait_for(1);
    server.process.terminate();
    assert!(idle.is_closed(), "who waits for nothing is sent away at once");
    gate.open();
    assert_eq!(running.answer().json(), json!({"execution_id": "during"}));
    assert!(running.is_closed());
    assert_eq!(server.process.end().status.code(), Some(0));
}

#[test]
fn bytes_that_are_no_request_harm_nobody() {
    let server = Server::new(&[]);
    let send = |index: usize| {
        let call = Call::start(Api::ALL[index % 3], "garbled").signed();
        let random = &mut Random::new(index as u64);
        let mut head = call.head();
        (0..=index % 4).for_each(|_| mutate_bytes(&mut head, random));
        let mut wire = Wire::connect(server.address);
        // The server may hang up as soon as it has seen enough.
        if wire.try_send(&[head, call.body].concat()).is_some() {
            wire.try_finish();
        }
        if let Some(answer) = wire.try_answer() {
            assert!(answer.status < 500 || answer.status == 501, "{index}: {answer:?}");
        }
    };
    // Side by side, because a wrong signature waits a while for its refusal.
    std::thread::scope(|scope| {
        (0..30).for_each(|worker| {
            scope.spawn(move || (0..20).for_each(|number| send(worker * 20 + number)));
        });
    });
    let good = exchange(server.address, &Call::start(Api::V2, "after-all-that").signed().bytes());
    assert_eq!(good.status, 200, "{good:?}");
    let ended = server.process.stop();
    assert!(ended.status.code() == Some(0) && !ended.stderr.contains("panicked"), "{ended:?}");
}
