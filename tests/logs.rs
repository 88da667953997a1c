//! What a full run writes to its log: one line per call, and never a secret, a signature or a body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowgate::auth::{Credential, Credentials};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::gate::Gate;
use crate::support::process::{Process, as_function, command};
use crate::support::runtime_api::RuntimeApi;
use crate::support::wire::exchange;
use crate::support::{Answer, Api, Call, Front, PROJECT};

const SECRET_KEY: &str = "marked-secret-key";
const SECURITY_TOKEN: &str = "marked-security-token";
const AUTH_TOKEN: &str = "marked-auth-token";
/// Stands in every body, as a value or a name.
const BODY: &str = "marked-body";

fn credentials() -> String {
    let of = |access_key: &str| json!({"access_key": access_key, "secret_key": SECRET_KEY, "project_id": PROJECT, "domain_id": "d"});
    let mut temporary = of("TEMPORARYKEY");
    temporary["security_token"] = SECURITY_TOKEN.into();
    let token = json!({"token": AUTH_TOKEN, "project_id": PROJECT, "domain_id": "d"});
    json!({"credentials": [of("OWNKEY"), temporary], "tokens": [token]}).to_string()
}

fn credential(access_key: &str) -> Credential {
    let credentials = Credentials::parse(&credentials()).expect("credentials");
    credentials.with_access_key(access_key).next().expect("the key").clone()
}

/// A call, and what the log has to say of it.
struct Sent {
    call: Call,
    target: Target,
    answer: Answer,
    request_id: String,
}

impl Sent {
    fn api(&self) -> Option<&'static str> {
        (self.target != Target::Nothing).then(|| self.call.api.name())
    }

    fn operation(&self) -> Option<&'static str> {
        match (self.target, self.call.api) {
            (Target::Nothing | Target::Api, _) => None,
            // Which action it is stands in the body, and not every refused body can be read.
            (Target::Start, Api::V1) if self.answer.status != 200 => Some("action"),
            (Target::Start, _) => Some("start"),
            (Target::Show, _) => Some("show_execution"),
        }
    }
}

/// What a call's method and path name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Start,
    /// An execution to be shown.
    Show,
    /// Something else of the API.
    Api,
    Nothing,
}

/// Successes and refusals of every kind that need no failure.
fn calls() -> Vec<(Call, Target)> {
    let (own, temporary) = (credential("OWNKEY"), credential("TEMPORARYKEY"));
    let mut calls = Vec::new();
    for api in Api::ALL {
        let good = || Call::start_with(api, "logged", BODY);
        calls.push((good().signed_by(&own), Target::Start));
        calls.push((good().signed_by(&own), Target::Start));
        let through_temporary = Call::start_with(api, "logged-temporary", BODY);
        calls.push((through_temporary.signed_by(&temporary), Target::Start));
        if api != Api::Obs {
            let with_token = Call::start_with(api, "logged-token", BODY).header("X-Auth-Token", AUTH_TOKEN);
            calls.push((with_token, Target::Start));
            calls.push((good().header("X-Auth-Token", "marked-auth-token-of-nobody"), Target::Start));
        }
        calls.push((good(), Target::Start));
        calls.push((good().signed(), Target::Start));
        calls.push((good().signed_by(&own).in_workflow("other"), Target::Start));
        let without_token = good().signed_by(&temporary).header("X-Security-Token", "x");
        calls.push((without_token.header("x-obs-security-token", "x"), Target::Start));
        for body in [
            String::new(),
            BODY.to_owned(),
            json!({BODY: BODY}).to_string(),
            json!({"bucket": BODY, "object": "", "input": BODY, "action_type": BODY}).to_string(),
            json!({"bucket": "b-1", "object": "o", "inputs": {BODY: BODY}, "input": [BODY], "action_type": "start",
                "executions": {"execution_name": format!("{BODY}?"), "input": BODY}})
            .to_string(),
            json!({"bucket": "b-1", "object": "o", "inputs": {"format": BODY}, "input": {}, "action_type": "start",
                "executions": {"execution_name": "n", "input": BODY}})
            .to_string(),
            format!("{BODY}{}", " ".repeat(262_144)),
        ] {
            calls.push((good().body(body).signed_by(&own), Target::Start));
        }
        calls.push((good().header("Idempotency-Key", "").signed_by(&own), Target::Start));
        calls.push((good().header("X-Create-Time", "never").signed_by(&own), Target::Start));
        let conflicting = Call::start_with(api, "logged", &format!("{BODY} of another start"));
        calls.push((conflicting.signed_by(&own), Target::Start));
        calls.push((good().in_workflow("none").signed_by(&own), Target::Start));
        calls.push((Call::show(api, "media-transcode", "logged").signed_by(&own), Target::Show));
        calls.push((Call::show(api, "media-transcode", "nobody").signed_by(&own), Target::Show));
        for (method, path) in [("PATCH", good().path), ("PUT", good().path), ("POST", format!("{}/x", good().path))] {
            let mut other = good();
            (other.method, other.path) = (method.into(), path);
            calls.push((other.signed_by(&own), Target::Api));
        }
    }
    calls.push((Call::new(Api::Obs, "/", BODY), Target::Nothing));
    calls
}

/// Sends the calls, then takes the storage away and sends one more to each API.
fn run(mut gate: Gate, send: impl Fn(&Call, &str) -> Answer) -> Vec<Sent> {
    let send = |(call, target): (Call, Target)| {
        let request_id = Uuid::new_v4().simple().to_string();
        let answer = send(&call, &request_id);
        // As the caller is shown it: OBS writes it in capitals.
        let request_id = answer.header("x-request-id").to_owned();
        Sent { call, target, answer, request_id }
    };
    let mut sent: Vec<Sent> = calls().into_iter().map(send).collect();
    gate.take_down();
    for api in Api::ALL {
        let call = Call::start_with(api, "logged-failure", BODY).signed_by(&credential("OWNKEY"));
        sent.push(send((call, Target::Start)));
    }
    let statuses: Vec<u16> = sent.iter().map(|sent| sent.answer.status).collect();
    for status in [200, 400, 401, 403, 404, 405, 409, 413, 501, 503] {
        assert!(statuses.contains(&status), "no call was answered {status}: {statuses:?}");
    }
    sent
}

/// Everything of the calls and the credentials that must not be read in a log.
fn assert_nothing_leaked(log: &str, sent: &[Sent]) {
    let mut secrets: Vec<String> = [SECRET_KEY, SECURITY_TOKEN, AUTH_TOKEN, BODY].map(str::to_owned).to_vec();
    // What the storage client sends is signed, too.
    secrets.extend(["Signature=", "Credential=", "Access=", "SignedHeaders", "panicked"].map(str::to_owned));
    for Sent { call, .. } in sent {
        for (name, value) in &call.headers {
            if name.eq_ignore_ascii_case("authorization") {
                secrets.push(value.clone());
                secrets.extend(value.rsplit(['=', ':']).find(|part| part.len() > 20).map(str::to_owned));
            }
        }
        if call.body.len() > 40 {
            secrets.push(STANDARD.encode(&call.body[..39]));
        }
    }
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret} is in the log: {}", line.unwrap_or_default());
    }
}

fn assert_json_lines(log: &str, sent: &[Sent]) {
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .filter(|line: &Value| line["message"] == "call answered")
        .collect();
    assert_eq!(lines.len(), sent.len());
    for sent in sent {
        let line = lines.iter().find(|line| line["request_id"].as_str().is_some_and(|id| id == sent.request_id));
        let line = line.unwrap_or_else(|| panic!("no line for {:?}: {:?}", sent.call, sent.answer));
        let status = sent.answer.status;
        let expected = json!({"api": sent.api(), "operation": sent.operation(), "status": status,
            "code": (status != 200).then(|| sent.answer.error_code(None)),
            "level": match status { 200 => "INFO", 400..500 => "WARN", _ => "ERROR" }});
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(line.get(name).unwrap_or(&Value::Null), value, "{name} in {line} of {:?}", sent.call);
        }
        assert!(line["duration_ms"].as_f64().is_some_and(|milliseconds| milliseconds >= 0.0), "{line}");
        let execution = line["execution"].as_str().unwrap_or_default();
        assert_eq!(!execution.is_empty(), status == 200 || status == 409, "{line}");
        assert!(status != 200 || sent.answer.body.contains(execution), "{line}: {:?}", sent.answer);
    }
}

fn assert_text_lines(log: &str, sent: &[Sent]) {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("call answered")).collect();
    assert_eq!(lines.len(), sent.len());
    for sent in sent {
        let line = lines.iter().find(|line| line.contains(&sent.request_id)).expect("a line");
        let fields = [
            sent.api().map(|api| format!("api=\"{api}\"")),
            sent.operation().map(|operation| format!("operation=\"{operation}\"")),
            Some(format!("status={}", sent.answer.status)),
            (sent.answer.status != 200).then(|| format!("code=\"{}\"", sent.answer.error_code(None))),
            (sent.answer.status == 200).then(|| "execution=\"".to_owned()),
            Some("duration_ms=".to_owned()),
        ];
        for field in fields.into_iter().flatten() {
            assert!(line.contains(&field), "no {field} in {line}");
        }
    }
}

fn assert_log(format: &str, log: &str, sent: &[Sent]) {
    assert_nothing_leaked(log, sent);
    match format {
        "json" => assert_json_lines(log, sent),
        _ => assert_text_lines(log, sent),
    }
}

#[test]
fn a_full_run_over_http_logs_a_line_per_call_and_no_secret_at_the_lowest_level() {
    for format in ["json", "text"] {
        let (data, gate) = (tempfile::tempdir().expect("a directory"), Gate::new());
        let mut command = command(data.path());
        command.env("FLOWGATE_LOG", "trace").env("FLOWGATE_LOG_FORMAT", format);
        command.env("FLOWGATE_CREDENTIALS", credentials()).env("AWS_ENDPOINT_URL_DYNAMODB", gate.url());
        let (process, address) = Process::serve(&mut command);
        let sent = run(gate, |call, id| exchange(address, &call.clone().header("X-Request-ID", id).bytes()));
        let ended = process.stop();
        assert_log(format, &ended.stderr, &sent);
        assert_nothing_leaked(&ended.stdout, &sent);
    }
}

#[test]
fn a_full_run_of_the_function_logs_a_line_per_call_and_no_secret_at_the_lowest_level() {
    for (format, front) in [("json", Front::Rest), ("text", Front::HttpApi)] {
        let (data, gate, runtime_api) = (tempfile::tempdir().expect("a directory"), Gate::new(), RuntimeApi::new());
        let mut command = command(data.path());
        command.env("FLOWGATE_LOG", "trace").env("FLOWGATE_LOG_FORMAT", format);
        command.env("FLOWGATE_CREDENTIALS", credentials()).env("AWS_ENDPOINT_URL_DYNAMODB", gate.url());
        let process = Process::spawn(as_function(&mut command, runtime_api.address));
        let sent = run(gate, |call, id| {
            let mut event = call.event(front);
            event["requestContext"]["requestId"] = id.into();
            if call.body.len() % 2 == 0 {
                event["isBase64Encoded"] = true.into();
                event["body"] = STANDARD.encode(&call.body).into();
            }
            runtime_api.invoke(&event)
        });
        let ended = process.stop();
        assert_log(format, &ended.stderr, &sent);
        assert_nothing_leaked(&ended.stdout, &sent);
    }
}
