//! The commands a person types.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::process::{Ended, Process, as_function, command};
use crate::support::runtime_api::RuntimeApi;
use crate::support::wire::exchange;
use crate::support::{Api, Call, HOST, PROJECT, read_json, root};

fn run(command: &mut Command) -> Ended {
    Process::spawn(command).end()
}

fn flowgate(data_dir: &Path, arguments: &[&str]) -> Ended {
    run(command(data_dir).args(arguments))
}

#[test]
fn help_and_version_are_there_whatever_the_environment() {
    let data = tempfile::tempdir().expect("a directory");
    let help = run(command(data.path()).env("PORT", "no port").arg("--help"));
    assert_eq!(help.status.code(), Some(0), "{help:?}");
    for command in ["serve", "load", "sign"] {
        assert!(help.stdout.contains(command), "{help:?}");
    }
    let version = run(command(data.path()).env("PORT", "no port").arg("--version"));
    assert_eq!(version.stdout, format!("flowgate {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.status.code(), Some(0));
    let unknown = flowgate(data.path(), &["fly"]);
    assert!(unknown.status.code() == Some(2) && unknown.stderr.contains("fly"), "{unknown:?}");
    let unusable = run(command(data.path()).env("PORT", "no port"));
    assert!(unusable.status.code() == Some(1) && unusable.stderr.contains("PORT"), "{unusable:?}");
}

/// A definition with one state, under a name of its own.
fn definition(name: &str) -> Value {
    let end = json!({"id": "end", "name": "End", "type": "End", "end": true, "transition": "", "actions": []});
    json!({"name": name, "start": "end", "constants": {}, "functions": [], "retries": [], "states": [end]})
}

#[test]
fn load_publishes_every_good_file_and_names_what_is_wrong_with_the_others() {
    let (data, files) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (process, address) = Process::serve(&mut command(data.path()));
    let write = |name: &str, content: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, content).expect("a written file");
        path.to_str().expect("a path that is text").to_owned()
    };
    let mut broken = definition("broken");
    broken["start"] = Value::Null;
    let paths = [
        write("1-no-json.json", "{"),
        write("2-broken.json", &broken.to_string()),
        write("3-good.json", &definition("loaded-later").to_string()),
        files.path().join("4-missing.json").to_str().expect("a path that is text").to_owned(),
    ];
    let arguments = |paths: &[String]| {
        ["load", "--project", PROJECT].into_iter().map(str::to_owned).chain(paths.iter().cloned()).collect::<Vec<_>>()
    };
    let load = |paths: &[String]| run(command(data.path()).env("FLOWGATE_STORE", "embedded").args(arguments(paths)));

    let call = |key: &str| Call::start(Api::V2, key).in_workflow("loaded-later").signed();
    let start = |key: &str| exchange(address, &call(key).bytes());
    assert_eq!(start("too-early").status, 404);
    let some = load(&paths);
    assert_eq!(some.status.code(), Some(1), "{some:?}");
    let line = |path: &str| some.stdout.lines().find(|line| line.contains(path)).expect("a line per file").to_owned();
    assert!(line(&paths[0]).contains("not JSON"), "{some:?}");
    assert!(line(&paths[1]).contains("`start`"), "{some:?}");
    assert!(line(&paths[2]).contains("created loaded-later"), "{some:?}");
    assert!(line(&paths[3]).contains("cannot be read"), "{some:?}");
    assert!(some.stderr.contains("3 of 4 files were not loaded"), "{some:?}");
    assert_eq!(start("now").status, 200, "the server that runs over the same store knows it");

    let again = load(&paths[2..3]);
    assert!(again.status.code() == Some(0) && again.stdout.contains("unchanged"), "{again:?}");
    let mut changed = definition("loaded-later");
    changed["description"] = "Ends_at_once".into();
    write("3-good.json", &changed.to_string());
    let update = load(&paths[2..3]);
    assert!(update.status.code() == Some(0) && update.stdout.contains("updated loaded-later"), "{update:?}");
    assert_eq!(process.stop().status.code(), Some(0));
}

/// Whoever loads into a deployed table must not fill a file on the laptop instead.
#[test]
fn load_goes_to_aws_unless_it_is_told_otherwise() {
    let data = tempfile::tempdir().expect("a directory");
    let sample = root().join("workflows/order-fanout.json");
    let load = run(command(data.path()).args(["load", "--project", PROJECT]).arg(&sample).envs([
        ("AWS_REGION", "eu-west-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("FLOWGATE_TABLE", "workflows"),
    ]));
    assert_eq!(load.status.code(), Some(1), "there are no credentials for AWS here: {load:?}");
    assert!(load.stdout.contains("loading into table workflows in DynamoDB"), "{load:?}");
    assert_eq!(std::fs::read_dir(data.path()).expect("a directory").count(), 0, "nothing was written here");
}

/// What a shell makes of a command line that calls curl, without curl: its arguments.
fn arguments_of_curl(line: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{line}");
    let ended = run(Command::new("sh").args(["-c", &script]));
    assert!(ended.status.success(), "{ended:?}");
    // The process helper ends the text with a line break.
    let text = ended.stdout.trim_end_matches('\n').trim_end_matches('\0').to_owned();
    text.split('\0').map(str::to_owned).collect()
}

/// The request curl would send.
fn request_of_curl(arguments: &[String], host: &str) -> Vec<u8> {
    let (mut method, mut target, mut lines, mut body) = ("", "", String::new(), "");
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value").as_str();
        match argument.as_str() {
            "-sS" => {}
            "-X" => method = value(),
            "-H" => lines += &format!("{}\r\n", value()),
            "--data-raw" => body = value(),
            url => target = url.strip_prefix(&format!("http://{host}")).expect("the host"),
        }
    }
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len()).into()
}

#[test]
fn the_server_accepts_what_sign_curl_prints() {
    let data = tempfile::tempdir().expect("a directory");
    let (process, address) = Process::serve(&mut command(data.path()));
    let obs =
        (format!("http://{HOST}/v2/workflows/media-transcode"), r#"{"bucket":"b-1","object":"it's \"$HOME\" `x`"}"#);
    let v1 = (
        format!(
            "http://{HOST}/v1.0/{PROJECT}/cloud_graphs/urn:fgs:local-1:{PROJECT}:graph:order-fanout/executions/action"
        ),
        r#"{"action_type":"start","executions":{"execution_name":"signed","input":"{}"}}"#,
    );
    let v2 = (
        format!("http://{HOST}/v2/{PROJECT}/fgs/workflows/order-fanout/executions?a=1&b=it%27s"),
        r#"{"input":{"a":"it's"}}"#,
    );
    for (url, body) in [obs, v1, v2] {
        let header = "X-WorkflowRun-ID: signed-by-hand";
        let signed = flowgate(data.path(), &["sign", "curl", "POST", &url, "--data", body, "--header", header]);
        assert_eq!(signed.status.code(), Some(0), "{signed:?}");
        let arguments = arguments_of_curl(&signed.stdout);
        assert!(arguments.contains(&url) && arguments.contains(&body.to_owned()), "{arguments:?}");
        let request = request_of_curl(&arguments, HOST);
        let answer = exchange(address, &request);
        assert_eq!(answer.status, 200, "{}: {answer:?}", signed.stdout);
        let tampered = String::from_utf8(request).expect("a text").replacen("POST /", "PUT /", 1);
        assert!(matches!(exchange(address, tampered.as_bytes()).status, 401 | 403), "the signature was needed");
    }
    let unusable = flowgate(data.path(), &["sign", "curl", "POST", "/no/host"]);
    assert!(unusable.status.code() == Some(1) && unusable.stderr.contains("host"), "{unusable:?}");
    assert_eq!(process.stop().status.code(), Some(0));
}

#[test]
fn the_server_accepts_the_line_that_its_start_prints() {
    let data = tempfile::tempdir().expect("a directory");
    let (mut process, address) = Process::serve(&mut command(data.path()));
    let line = process.line_with("curl -");
    let host = address.to_string();
    let answer = exchange(address, &request_of_curl(&arguments_of_curl(line.trim()), &host));
    assert_eq!(answer.status, 200, "{line}: {answer:?}");
    assert_eq!(process.stop().status.code(), Some(0));
}

#[test]
fn the_function_accepts_an_event_signed_anew() {
    // A month after the event files were signed.
    const LATER: &str = "2026-12-21T00:00:00Z";
    let (data, runtime_api) = (tempfile::tempdir().expect("a directory"), RuntimeApi::new());
    let mut function = command(data.path());
    let _function = Process::spawn(as_function(function.env("FLOWGATE_FIXED_TIME", LATER), runtime_api.address));
    for api in Api::ALL {
        for case in ["start", "start_http_api", "start_function_url", "start_alb", "start_rest_base64"] {
            let path = root().join("events").join(api.name()).join(format!("{case}.json"));
            assert!(matches!(runtime_api.invoke(&read_json(&path)).status, 401 | 403), "{} is stale", path.display());
            let text = path.to_str().expect("a path that is text");
            let signed = run(command(data.path()).env("FLOWGATE_FIXED_TIME", LATER).args(["sign", "event", text]));
            assert_eq!(signed.status.code(), Some(0), "{signed:?}");
            let event = serde_json::from_str(&signed.stdout).expect("an event");
            let answer = runtime_api.invoke(&event);
            assert_eq!(answer.status, 200, "{}: {answer:?}", path.display());
        }
    }
    let odd = data.path().join("odd.json");
    std::fs::write(&odd, "{\"Records\": []}").expect("a written file");
    let refused = flowgate(data.path(), &["sign", "event", odd.to_str().expect("a path that is text")]);
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("HTTP front end"), "{refused:?}");
}
