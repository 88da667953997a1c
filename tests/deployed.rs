//! What the binary refuses to start with where others can reach it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use flowgate::auth::Credentials;
use serde_json::json;

use crate::support::process::{Ended, Process, as_function, command};

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
