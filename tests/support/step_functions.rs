//! A stand-in for AWS Step Functions: it keeps state machines and executions as AWS documents, and runs nothing. Tests say
//! what becomes of an execution. Faults are a [`super::Proxy`]'s to make.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The role the state machines of tests have; the region of the SDK's made-up settings goes with it.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/flowgate";

const ACCOUNT: &str = "arn:aws:states:local-1:000000000000";

/// How many events a page of a history has: few, so that there are several pages.
const PAGE: usize = 3;

/// The server. It ends with the test's runtime.
pub struct StepFunctions {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether starts wait.
    is_held: bool,
    /// How many do.
    waiting: usize,
    machines: BTreeMap<String, Machine>,
    executions: BTreeMap<String, Run>,
}

#[derive(Default)]
struct Machine {
    definition: String,
    /// By number, from 1 on; `None` where one was deleted.
    versions: Vec<Option<String>>,
}

/// An execution.
#[derive(Debug, Clone)]
pub struct Run {
    pub name: String,
    /// The ARN it was started on.
    pub machine: String,
    pub input: String,
    pub status: &'static str,
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
    /// Its history, oldest first.
    pub events: Vec<Value>,
}

type Outcome = Result<Value, &'static str>;

impl StepFunctions {
    /// Serves on a port of its own.
    pub async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(answer(&shared, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, state }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }

    /// Lets starts wait from now on, or no longer.
    pub fn hold_starts(&self, hold: bool) {
        self.state().is_held = hold;
    }

    /// Waits until a start waits.
    pub async fn start_waits(&self) {
        while self.state().waiting == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every execution there ever was, by name.
    pub fn runs(&self) -> Vec<Run> {
        self.state().executions.values().cloned().collect()
    }

    /// The one execution there is.
    #[track_caller]
    pub fn run(&self) -> Run {
        let [run] = &self.runs()[..] else { panic!("{:?}", self.runs()) };
        run.clone()
    }

    /// How many versions each state machine was given.
    pub fn versions(&self) -> Vec<usize> {
        self.state().machines.values().map(|machine| machine.versions.len()).collect()
    }

    /// Deletes every version of every state machine; the machines stay.
    pub fn delete_versions(&self) {
        self.state()
            .machines
            .values_mut()
            .flat_map(|machine| &mut machine.versions)
            .for_each(|version| *version = None);
    }

    /// Deletes every state machine. Its executions can still be asked for.
    pub fn delete_machines(&self) {
        self.state().machines.clear();
    }

    /// Forgets every execution.
    pub fn forget_executions(&self) {
        self.state().executions.clear();
    }

    /// Enters and leaves states of an execution, in that order: names with what `input` is there.
    pub fn pass_through(&self, name: &str, states: &[(&str, Value)]) {
        let mut state = self.state();
        let run = state.executions.get_mut(name).expect("an execution");
        for (state, input) in states {
            let document = json!({"input": input, "merge": false}).to_string();
            for (kind, member, content) in [
                ("PassStateEntered", "stateEnteredEventDetails", json!({"name": state, "input": document})),
                (
                    "TaskScheduled",
                    "taskScheduledEventDetails",
                    json!({"resourceType": "lambda", "resource": "invoke",
                    "region": "local-1", "parameters": "{}"}),
                ),
                ("PassStateExited", "stateExitedEventDetails", json!({"name": state, "output": document})),
            ] {
                let id = run.events.len() + 1;
                let timestamp = 1_795_219_200 + id;
                run.events.push(
                    json!({"id": id, "previousEventId": id - 1, "timestamp": timestamp, "type": kind, member: content}),
                );
            }
        }
    }

    /// Lets an execution end, unless it has, and returns the event that says how it ended.
    pub fn succeed(&self, name: &str, output: &str) -> Value {
        self.end(name, "SUCCEEDED", Some(output), None)
    }

    /// The same with an error.
    pub fn fail(&self, name: &str, status: &'static str, error: &str, cause: &str) -> Value {
        self.end(name, status, None, Some((error, cause)))
    }

    fn end(&self, name: &str, status: &'static str, output: Option<&str>, failure: Option<(&str, &str)>) -> Value {
        let mut state = self.state();
        let run = state.executions.get_mut(name).expect("an execution");
        if run.status == "RUNNING" {
            run.status = status;
            run.output = output.map(str::to_owned);
            run.error = failure.map(|(error, _)| error.to_owned());
            run.cause = failure.map(|(_, cause)| cause.to_owned());
        }
        run.event()
    }

    /// The event that an execution is as it is now.
    pub fn event(&self, name: &str) -> Value {
        self.state().executions[name].event()
    }
}

impl Run {
    fn arn(&self) -> String {
        let machine = self.machine.split(':').nth(6).expect("a name");
        format!("{ACCOUNT}:execution:{machine}:{}", self.name)
    }

    /// The event of EventBridge.
    fn event(&self) -> Value {
        let ended = self.status != "RUNNING";
        json!({
            "version": "0", "id": "315c1398-40ff-a850-213b-158f73e60175", "account": "000000000000", "region": "local-1",
            "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
            "time": "2026-11-21T00:00:02Z", "resources": [self.arn()],
            "detail": {
                "executionArn": self.arn(), "name": self.name, "status": self.status, "stateMachineArn": self.machine,
                "startDate": 1_795_219_200_847_i64, "stopDate": ended.then_some(1_795_219_202_881_i64),
                "input": self.input, "inputDetails": {"included": true}, "output": self.output,
                "outputDetails": self.output.as_ref().map(|_| json!({"included": true})),
                "error": self.error, "cause": self.cause,
            },
        })
    }
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let target = request.headers()["x-amz-target"].to_str().expect("a text").to_owned();
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("a request is JSON");
    if target.ends_with(".StartExecution") {
        let is_held = |change: isize| {
            let mut state = state.lock().expect("nothing panics while it holds the lock");
            state.waiting = state.waiting.saturating_add_signed(change);
            state.is_held
        };
        is_held(1);
        while is_held(0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        is_held(-1);
    }
    let outcome = {
        let mut state = state.lock().expect("nothing panics while it holds the lock");
        match target.strip_prefix("AWSStepFunctions.").expect("an operation of Step Functions") {
            "CreateStateMachine" => state.create(&body),
            "UpdateStateMachine" => state.update(&body),
            "StartExecution" => state.start(&body),
            "StopExecution" => state.stop(&body),
            "DescribeExecution" => state.describe(&body),
            "GetExecutionHistory" => state.history(&body),
            other => panic!("{other} is not served here"),
        }
    };
    let (status, body) = match outcome {
        Ok(answer) => (StatusCode::OK, answer),
        Err(code) => (StatusCode::BAD_REQUEST, json!({"__type": code, "message": "refused"})),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0".parse().expect("a header value"));
    response
}

fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member].as_str().unwrap_or_else(|| panic!("no {member} in {body}"))
}

impl Machine {
    /// Publishes its definition, unless it is published already.
    fn publish(&mut self) -> usize {
        let known = self.versions.iter().position(|version| version.as_ref() == Some(&self.definition));
        known.map_or_else(
            || {
                self.versions.push(Some(self.definition.clone()));
                self.versions.len()
            },
            |index| index + 1,
        )
    }
}

impl State {
    fn create(&mut self, body: &Value) -> Outcome {
        let (name, definition) = (text(body, "name"), text(body, "definition"));
        assert_eq!((text(body, "type"), text(body, "roleArn"), &body["publish"]), ("STANDARD", ROLE, &json!(true)));
        assert!(name.len() <= 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
        let machine = self.machines.entry(name.to_owned()).or_default();
        if !machine.versions.is_empty() && machine.definition != definition {
            return Err("StateMachineAlreadyExists");
        }
        machine.definition = definition.to_owned();
        let (arn, version) = (format!("{ACCOUNT}:stateMachine:{name}"), machine.publish());
        Ok(
            json!({"creationDate": 1_795_219_200, "stateMachineArn": arn, "stateMachineVersionArn": format!("{arn}:{version}")}),
        )
    }

    fn update(&mut self, body: &Value) -> Outcome {
        let arn = text(body, "stateMachineArn");
        let name = arn.strip_prefix(&format!("{ACCOUNT}:stateMachine:")).ok_or("InvalidArn")?;
        let machine = self.machines.get_mut(name).ok_or("StateMachineDoesNotExist")?;
        machine.definition = text(body, "definition").to_owned();
        let version = machine.publish();
        Ok(json!({"updateDate": 1_795_219_200, "stateMachineVersionArn": format!("{arn}:{version}")}))
    }

    fn start(&mut self, body: &Value) -> Outcome {
        let (machine, name, input) = (text(body, "stateMachineArn"), text(body, "name"), text(body, "input"));
        assert!(name.len() <= 80, "{name}");
        let [_, _, _, _, _, _, machine_name, version] = machine.split(':').collect::<Vec<_>>()[..] else {
            panic!("{machine} is no version")
        };
        let version: usize = version.parse().expect("a number");
        let versions = self.machines.get(machine_name).map(|machine| &machine.versions);
        let definition = versions.and_then(|versions| versions.get(version - 1)).and_then(Option::as_ref);
        definition.ok_or("StateMachineDoesNotExist")?;
        match self.executions.get(name) {
            Some(run) if run.status != "RUNNING" || run.input != input => return Err("ExecutionAlreadyExists"),
            Some(_) => {}
            None => {
                let run = Run {
                    name: name.to_owned(),
                    machine: machine.to_owned(),
                    input: input.to_owned(),
                    status: "RUNNING",
                    output: None,
                    error: None,
                    cause: None,
                    events: Vec::new(),
                };
                self.executions.insert(name.to_owned(), run);
            }
        }
        let run = &self.executions[name];
        Ok(json!({"executionArn": run.arn(), "startDate": 1_795_219_200}))
    }

    fn found(&mut self, body: &Value) -> Result<&mut Run, &'static str> {
        let arn = text(body, "executionArn");
        self.executions.values_mut().find(|run| run.arn() == arn).ok_or("ExecutionDoesNotExist")
    }

    fn stop(&mut self, body: &Value) -> Outcome {
        let run = self.found(body)?;
        if run.status == "RUNNING" {
            run.status = "ABORTED";
        }
        Ok(json!({"stopDate": 1_795_219_202}))
    }

    fn describe(&mut self, body: &Value) -> Outcome {
        let run = self.found(body)?;
        let stop = (run.status != "RUNNING").then_some(1_795_219_202.881);
        Ok(json!({
            "executionArn": run.arn(), "stateMachineArn": run.machine, "name": run.name, "status": run.status,
            "startDate": 1_795_219_200.847, "stopDate": stop, "input": run.input, "output": run.output,
            "error": run.error, "cause": run.cause,
        }))
    }

    fn history(&mut self, body: &Value) -> Outcome {
        let mut events = self.found(body)?.events.clone();
        if body["reverseOrder"] == true {
            events.reverse();
        }
        let from: usize = body["nextToken"].as_str().map_or(0, |token| token.parse().expect("our own token"));
        let next = (from + PAGE < events.len()).then(|| (from + PAGE).to_string());
        let page: Vec<Value> = events.into_iter().skip(from).take(PAGE).collect();
        Ok(json!({"events": page, "nextToken": next}))
    }
}
