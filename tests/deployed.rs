//! The binary where others can reach it: what it refuses to start with, and that it serves as deployed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use flowgate::auth::Credentials;
use serde_json::json;

use crate::support::gate::Gate;
use crate::support::process::{Ended, Process, as_function, command};
use crate::support::runtime_api::RuntimeApi;
use crate::support::{Api, Call, Front, root, secrets_manager};

/// Nobody listens there: the binary must have given up before it asks.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Runs the binary as AWS Lambda starts it, or on a port that others can reach, and expects it to give up.
fn refused(place: Place, variables: &[(&str, &str)]) -> Ended {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = command(data.path());
    command.env_remove("FLOWGATE_FIXED_TIME").env("AWS_REGION", "local-1");
    place.set_up(&mut command);
    command.envs(variables.iter().copied());
    let ended = Process::spawn(&mut command).end();
    assert!(!ended.status.success() && ended.status.code().is_some(), "{place:?} {variables:?}: {ended:?}");
    assert_eq!(ended.stdout, "", "{place:?} {variables:?}");
    assert_eq!(data.path().read_dir().expect("a directory").count(), 0, "it gave up before it wrote anything");
    ended
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Lambda,
    OpenPort,
}

impl Place {
    const ALL: [Self; 2] = [Self::Lambda, Self::OpenPort];

    fn set_up(self, command: &mut Command) {
        match self {
            Self::Lambda => as_function(command, NOWHERE).env("LAMBDA_TASK_ROOT", "/var/task"),
            Self::OpenPort => command.env("FLOWGATE_BIND", "0.0.0.0"),
        };
    }
}

fn credentials(access_key: &str) -> String {
    let one = json!({"access_key": access_key, "secret_key": "hush-hush", "project_id": "p", "domain_id": "d"});
    json!({"credentials": [one]}).to_string()
}

#[test]
fn without_credentials_it_does_not_start_and_says_which_variable_to_set() {
    for place in Place::ALL {
        let ended = refused(place, &[]);
        assert!(ended.stderr.contains("FLOWGATE_CREDENTIALS_SECRET"), "{ended:?}");
    }
}

#[test]
fn with_credentials_that_let_nobody_in_it_does_not_start() {
    for place in Place::ALL {
        let ended = refused(place, &[("FLOWGATE_CREDENTIALS", "{}")]);
        assert!(ended.stderr.contains("no credentials"), "{ended:?}");
    }
}

#[test]
fn with_the_sample_key_it_does_not_start_wherever_the_key_comes_from() {
    let sample = credentials(&Credentials::sample().first().expect("the sample pair").access_key);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &sample).expect("a written file");
    let path = file.path().to_str().expect("a path that is text");
    for place in Place::ALL {
        for (variable, value) in [("FLOWGATE_CREDENTIALS", sample.as_str()), ("FLOWGATE_CREDENTIALS_FILE", path)] {
            let ended = refused(place, &[(variable, value)]);
            assert!(ended.stderr.contains("sample credentials"), "{ended:?}");
            assert!(!ended.stderr.contains("hush-hush"), "{ended:?}");
        }
    }
}

#[test]
fn with_a_clock_that_stands_still_it_does_not_start() {
    let own = credentials("OWNKEY");
    for place in Place::ALL {
        let fixed = ("FLOWGATE_FIXED_TIME", "2026-11-21T00:00:00Z");
        let ended = refused(place, &[("FLOWGATE_CREDENTIALS", &own), fixed]);
        assert!(ended.stderr.contains("FLOWGATE_FIXED_TIME"), "{ended:?}");
    }
}

#[test]
fn with_a_store_that_dies_with_the_process_it_does_not_start() {
    let own = credentials("OWNKEY");
    for place in Place::ALL {
        let ended = refused(place, &[("FLOWGATE_CREDENTIALS", &own), ("FLOWGATE_STORE", "embedded")]);
        assert!(ended.stderr.contains("FLOWGATE_STORE"), "{ended:?}");
    }
}

const AUTH_TOKEN: &str = "a-token-that-no-log-shows";

/// A function as AWS starts it: its credentials in Secrets Manager, its table made and filled by others.
fn function(data: &Path, runtime_api: &RuntimeApi, secrets_url: &str, gate: &Gate) -> Process {
    let mut command = command(data);
    command.env_remove("FLOWGATE_FIXED_TIME").env_remove("FLOWGATE_DATA_DIR").env_remove("FLOWGATE_WORKFLOWS_DIR");
    Place::Lambda.set_up(&mut command);
    as_function(&mut command, runtime_api.address)
        .env("AWS_REGION", "local-1")
        .env("AWS_ACCESS_KEY_ID", "anybody")
        .env("AWS_SECRET_ACCESS_KEY", "anything")
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets_url)
        .env("AWS_ENDPOINT_URL_DYNAMODB", gate.url())
        .env("FLOWGATE_CREDENTIALS_SECRET", "flowgate")
        .env("FLOWGATE_LOG", "trace");
    Process::spawn(&mut command)
}

#[test]
fn deployed_it_lets_in_whom_secrets_manager_names_and_serves_what_was_loaded() {
    let (data, gate, runtime_api) = (tempfile::tempdir().expect("a directory"), Gate::new(), RuntimeApi::new());
    // A local start makes the table, which template.yaml does in the cloud.
    let (local, _) = Process::serve(command(data.path()).env("AWS_ENDPOINT_URL_DYNAMODB", gate.url()));
    drop(local);
    let sample = root().join("workflows/order-fanout.json");
    let mut load = command(data.path());
    load.env("AWS_ENDPOINT_URL_DYNAMODB", gate.url()).args(["load", "--project", "own-project"]).arg(sample);
    assert_eq!(Process::spawn(&mut load).end().status.code(), Some(0));

    let token = json!({"token": AUTH_TOKEN, "project_id": "own-project", "domain_id": "d"});
    let url = secrets_manager::serve(&json!({"tokens": [token]}).to_string());
    let function = function(data.path(), &runtime_api, &url, &gate);
    let start = |token: &str| {
        let call = Call::new(Api::V2, "/v2/own-project/fgs/workflows/order-fanout/executions", "{\"input\":{}}");
        let call = call.header("X-WorkflowRun-ID", "deployed").header("X-Auth-Token", token);
        runtime_api.invoke(&call.event(Front::Rest))
    };
    let answer = start(AUTH_TOKEN);
    assert_eq!((answer.status, answer.json()), (200, json!({"execution_id": "deployed"})), "{answer:?}");
    assert_eq!(start("a-token-of-nobody").status, 401);
    let ended = function.stop();
    assert!(ended.status.code() == Some(0) && ended.stderr.contains("call answered"), "{ended:?}");
    assert!(!ended.stderr.contains(AUTH_TOKEN) && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn as_long_as_its_credentials_cannot_be_fetched_nobody_is_let_in() {
    let (data, gate, runtime_api) = (tempfile::tempdir().expect("a directory"), Gate::new(), RuntimeApi::new());
    let sample = credentials(&Credentials::sample().first().expect("the sample pair").access_key);
    for secret in [sample.as_str(), "{}", "no JSON"] {
        let url = secrets_manager::serve(secret);
        let function = function(data.path(), &runtime_api, &url, &gate);
        for (api, code) in [(Api::V1, "FGS.0015"), (Api::V2, "FSS.0503")] {
            let call = Call::start(api, "deployed").header("X-Auth-Token", AUTH_TOKEN);
            let answer = runtime_api.invoke(&call.event(Front::Rest));
            answer.expect_error(api, (503, code));
        }
        assert_eq!(function.stop().status.code(), Some(0));
    }
}
