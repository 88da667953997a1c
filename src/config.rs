//! The environment: every variable, read once, in one place.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `FLOWGATE_STORE` | `embedded` (in this process, a file below the data directory) or `dynamodb` | `embedded` when serving locally and no endpoint is set, else `dynamodb` |
//! | `FLOWGATE_TABLE` | the table's name | `flowgate` |
//! | `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL` | a DynamoDB-compatible server instead of AWS; where local and without AWS credentials in the environment it is spoken to with made-up ones | none |
//! | `FLOWGATE_DATA_DIR` | where the embedded store keeps its file | `.flowgate` |
//! | `FLOWGATE_REGION` | the region that URNs in answers carry | `AWS_REGION`; locally `local-1` |
//! | `FLOWGATE_BASE_PATH` | what a custom domain's mapping puts before the APIs' paths | none |
//! | `FLOWGATE_ENGINE` | what runs executions: `embedded` (in this process), `stepfunctions`, or `none` | `embedded` when serving locally, else `stepfunctions` |
//! | `FLOWGATE_FUNCTIONS` | which Lambda function a function URN means: text with `{region}`, `{project}`, `{package}`, `{name}` and `{version}` | `{name}` |
//! | `AWS_ENDPOINT_URL_LAMBDA` | where the embedded engine calls functions: `cargo lambda watch` (`http://127.0.0.1:9000`) or another server instead of AWS; it then serves the functions of the sample workflows as well | none |
//! | `FLOWGATE_ENGINE_CONCURRENCY` | how many executions the embedded engine has in memory at once, 1 to 10000; those that sleep do not count | `64` |
//! | `FLOWGATE_LEASE_SECONDS` | after how long without a sign of life the executions of a process are another one's, 1 to 300 | `10` |
//! | `AWS_ENDPOINT_URL_SFN`, `AWS_ENDPOINT_URL` | a server that stands in for Step Functions; where local and without AWS credentials in the environment it is spoken to with made-up ones | none |
//! | `FLOWGATE_STATE_MACHINE_ROLE` | ARN of the role that state machines run with; without it this process creates none | none |
//! | `FLOWGATE_STATE_MACHINE_PREFIX` | what the names of state machines begin with, at most 16 letters, digits, `-` and `_` | `flowgate-` |
//! | `FLOWGATE_DISPATCH_DEADLINE_SECONDS` | after how long an execution fails that Step Functions would not take, 60 to 86400 | `86400` |
//! | `FLOWGATE_WORKFLOWS_DIR` | definitions loaded at a local start | `workflows` |
//! | `FLOWGATE_CREDENTIALS_SECRET` | AWS Secrets Manager secret that holds the credentials | none |
//! | `FLOWGATE_CREDENTIALS_FILE` | file that holds them | none |
//! | `FLOWGATE_CREDENTIALS` | the credentials themselves, as JSON | none; locally the sample pair |
//! | `FLOWGATE_CREDENTIALS_TTL_SECONDS` | how long a fetched secret is used before it is fetched again, 10 to 86400 | `300` |
//! | `FLOWGATE_SIGNATURE_WINDOW_SECONDS` | how far a signature's time may be off, 1 to 900 | `900` |
//! | `FLOWGATE_WORKFLOW_CACHE_SECONDS` | how long a workflow is remembered, 0 to 3600 | `30` |
//! | `FLOWGATE_RETENTION_DAYS` | how long a record is kept after its last change, 1 to 3650 | `90` |
//! | `FLOWGATE_LIST_SHARDS` | over how many index partitions one workflow's executions are spread, 1 to 64; never lower it | `1` |
//! | `FLOWGATE_LOG` | `off`, `error`, `warn`, `info`, `debug`, or `trace`, which releases know as `debug` | `info` |
//! | `FLOWGATE_LOG_FORMAT` | `json` or `text` | `text` when local, else `json` |
//! | `FLOWGATE_BIND` | the address plain HTTP listens on | `127.0.0.1` |
//! | `PORT` | its port; 0 takes a free one | `8080` |
//! | `AWS_LAMBDA_MAX_CONCURRENCY` | how many events Lambda sends at once, where it says so by this; a function that gets one after the other runs on one thread | none |
//! | `FLOWGATE_FIXED_TIME` | an instant (RFC 3339) at which the clock stands still, so that signed event files stay valid; local only | none |
//!
//! Local is what only this machine can reach: plain HTTP on a loopback address, and `cargo lambda watch`. Everything else is
//! deployed: there the sample credentials, missing credentials and a fixed time are refused.

use std::env::VarError;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

use crate::clock::Timestamp;
use crate::engine::compiler::FunctionNames;

/// Whether the embedded store, and with it everything for a local start, is compiled in.
const HAS_EMBEDDED_STORE: bool = cfg!(feature = "embedded");

/// Every variable that is ours.
const NAMES: [&str; 26] = [
    "FLOWGATE_STORE",
    "FLOWGATE_TABLE",
    "FLOWGATE_DATA_DIR",
    "FLOWGATE_REGION",
    "FLOWGATE_BASE_PATH",
    "FLOWGATE_ENGINE",
    "FLOWGATE_FUNCTIONS",
    "FLOWGATE_ENGINE_CONCURRENCY",
    "FLOWGATE_LEASE_SECONDS",
    "FLOWGATE_STATE_MACHINE_ROLE",
    "FLOWGATE_STATE_MACHINE_PREFIX",
    "FLOWGATE_DISPATCH_DEADLINE_SECONDS",
    "FLOWGATE_WORKFLOWS_DIR",
    "FLOWGATE_CREDENTIALS_SECRET",
    "FLOWGATE_CREDENTIALS_FILE",
    "FLOWGATE_CREDENTIALS",
    "FLOWGATE_CREDENTIALS_TTL_SECONDS",
    "FLOWGATE_SIGNATURE_WINDOW_SECONDS",
    "FLOWGATE_WORKFLOW_CACHE_SECONDS",
    "FLOWGATE_RETENTION_DAYS",
    "FLOWGATE_LIST_SHARDS",
    "FLOWGATE_LOG",
    "FLOWGATE_LOG_FORMAT",
    "FLOWGATE_BIND",
    "PORT",
    "FLOWGATE_FIXED_TIME",
];

/// Everything the program is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// How calls arrive.
    pub gateway: Gateway,
    /// Whether only this machine can reach the program.
    pub local: bool,
    /// Whether calls come one by one and nothing goes on between them: a deployed function, unless Lambda says by
    /// `AWS_LAMBDA_MAX_CONCURRENCY` how many of them may run at once.
    pub one_by_one: bool,
    /// Where executions and workflows are kept.
    pub store: Store,
    /// Where the embedded store keeps its file.
    pub data_dir: PathBuf,
    /// Whether an endpoint is set, which keeps AWS itself out of it.
    pub has_endpoint: bool,
    /// The table's name.
    pub table: String,
    /// Over how many index partitions one workflow's executions are spread.
    pub list_shards: u8,
    /// How long records are kept, in days after their last change.
    pub retention_days: u32,
    /// How long a workflow is remembered, in seconds.
    pub workflow_cache_seconds: u32,
    /// The region that URNs in answers carry.
    pub region: String,
    /// `/base`, or empty.
    pub base_path: String,
    /// What runs executions.
    pub engine: Engine,
    /// Which Lambda function a function URN means.
    pub functions: FunctionNames,
    /// Where the embedded engine finds Lambda functions.
    pub lambda: Lambda,
    /// Whether the functions of the sample workflows run in this process.
    pub has_sample_functions: bool,
    /// How many executions the embedded engine has in memory at once.
    pub engine_concurrency: u32,
    /// How long a claim of an execution holds without a sign of life, in seconds.
    pub lease_seconds: u32,
    /// A server that stands in for Step Functions and does not care who asks, if there is one.
    pub step_functions_stand_in: Option<String>,
    /// The ARN of the role that state machines run with.
    pub state_machine_role: Option<String>,
    /// What the names of state machines begin with.
    pub state_machine_prefix: String,
    /// After how long an execution fails that the engine would not take, in seconds.
    pub dispatch_deadline_seconds: u32,
    /// Where definitions for a local start lie.
    pub workflows_dir: PathBuf,
    /// Where the credentials come from.
    pub credentials: CredentialsFrom,
    /// How long a fetched secret is used, in seconds.
    pub credentials_ttl_seconds: u32,
    /// How far a signature's time may be off, in seconds.
    pub signature_window_seconds: u32,
    /// What is logged.
    pub log_level: LevelFilter,
    /// How it is written.
    pub log_format: LogFormat,
    /// Where the clock stands still, if it does.
    pub fixed_time: Option<Timestamp>,
}

/// How calls arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// From the Lambda Runtime API.
    Lambda,
    /// On a port.
    Http(SocketAddr),
}

/// Where executions and workflows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process, in a file in the data directory.
    Embedded,
    /// In DynamoDB, or where the SDK's own settings point.
    DynamoDb,
    /// In a server that stands in for AWS, at this URL, and does not care who asks.
    StandIn(String),
}

/// What runs executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// This process.
    Embedded,
    /// AWS Step Functions.
    StepFunctions,
    /// Nothing: executions stay scheduled.
    None,
}

/// Where the embedded engine finds Lambda functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lambda {
    /// Nowhere.
    None,
    /// In a server that stands in for Lambda, at this URL, and does not care who asks.
    StandIn(String),
    /// In AWS, or where the SDK's own settings point.
    Aws,
}

/// Where the credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialsFrom {
    /// AWS Secrets Manager, by the secret's id or ARN.
    SecretsManager(String),
    /// A file.
    File(PathBuf),
    /// The environment.
    Text(String),
    /// The sample pair.
    Sample,
}

impl std::fmt::Debug for CredentialsFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SecretsManager(id) => write!(f, "SecretsManager({id})"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Text(_) => f.write_str("Text(redacted)"),
            Self::Sample => f.write_str("Sample"),
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a terminal.
    Text,
}

/// A variable that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct Error {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it; never its value.
    pub problem: String,
}

fn error(variable: &'static str, problem: impl Into<String>) -> Error {
    Error { variable, problem: problem.into() }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        let is_unreadable = |name: &&str| matches!(std::env::var(name), Err(VarError::NotUnicode(_)));
        if let Some(variable) = NAMES.into_iter().find(is_unreadable) {
            return Err(error(variable, "is not UTF-8"));
        }
        Self::read(|name| std::env::var(name).ok())
    }

    /// The same for a command that works on a deployed table unless told otherwise.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_env_for_deployed_table() -> Result<Self, Error> {
        let config = Self::from_env()?;
        let is_chosen = |name| std::env::var_os(name).is_some_and(|choice| !choice.is_empty());
        if config.store != Store::Embedded || is_chosen("FLOWGATE_STORE") {
            return Ok(config);
        }
        let engine = if is_chosen("FLOWGATE_ENGINE") { config.engine } else { Engine::StepFunctions };
        Ok(Self { store: Store::DynamoDb, engine, ..config })
    }

    /// Reads variables from wherever `get` finds them. An empty variable counts as absent.
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &'static str| get(name).filter(|value| !value.is_empty());
        let gateway = if get("AWS_LAMBDA_RUNTIME_API").is_some() {
            Gateway::Lambda
        } else {
            let ip: IpAddr =
                parsed(&get, "FLOWGATE_BIND", "must be an IP address")?.unwrap_or(Ipv4Addr::LOCALHOST.into());
            Gateway::Http(SocketAddr::new(ip, parsed(&get, "PORT", "must be a port number")?.unwrap_or(8080)))
        };
        let local = match gateway {
            Gateway::Http(address) => address.ip().is_loopback(),
            // AWS always sets LAMBDA_TASK_ROOT; `cargo lambda watch` does not, and runs builds with the embedded store.
            Gateway::Lambda => {
                HAS_EMBEDDED_STORE
                    && get("LAMBDA_TASK_ROOT").is_none()
                    && get("AWS_LAMBDA_INITIALIZATION_TYPE").is_none()
            }
        };
        let fixed_time = get("FLOWGATE_FIXED_TIME")
            .map(|text| Timestamp::parse(&text).ok_or(error("FLOWGATE_FIXED_TIME", "must be an RFC 3339 time")))
            .transpose()?;
        if fixed_time.is_some() && !local {
            return Err(error("FLOWGATE_FIXED_TIME", "is for local use: with it, old signatures would stay valid"));
        }
        Ok(Self {
            one_by_one: gateway == Gateway::Lambda && !local && get("AWS_LAMBDA_MAX_CONCURRENCY").is_none(),
            gateway,
            local,
            store: read_store(&get, local)?,
            data_dir: get("FLOWGATE_DATA_DIR").unwrap_or_else(|| ".flowgate".into()).into(),
            has_endpoint: get("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| get("AWS_ENDPOINT_URL")).is_some(),
            table: get("FLOWGATE_TABLE").unwrap_or_else(|| "flowgate".into()),
            list_shards: number(&get, "FLOWGATE_LIST_SHARDS", 1, 64, 1)?,
            retention_days: number(&get, "FLOWGATE_RETENTION_DAYS", 1, 3650, 90)?,
            workflow_cache_seconds: number(&get, "FLOWGATE_WORKFLOW_CACHE_SECONDS", 0, 3600, 30)?,
            region: read_region(&get, local)?,
            base_path: read_base_path(&get)?,
            engine: read_engine(&get, local)?,
            functions: match get("FLOWGATE_FUNCTIONS") {
                None => FunctionNames::default(),
                Some(template) => FunctionNames::parse(&template).map_err(|_| {
                    error(
                        "FLOWGATE_FUNCTIONS",
                        "must be text and any of {region}, {project}, {package}, {name} and {version}",
                    )
                })?,
            },
            lambda: read_lambda(&get),
            has_sample_functions: lambda_endpoint(&get).is_none(),
            engine_concurrency: number(&get, "FLOWGATE_ENGINE_CONCURRENCY", 1, 10_000, 64)?,
            lease_seconds: number(&get, "FLOWGATE_LEASE_SECONDS", 1, 300, 10)?,
            step_functions_stand_in: stand_in(&get, "AWS_ENDPOINT_URL_SFN", local),
            state_machine_role: read_state_machine_role(&get)?,
            state_machine_prefix: read_state_machine_prefix(&get)?,
            dispatch_deadline_seconds: number(&get, "FLOWGATE_DISPATCH_DEADLINE_SECONDS", 60, 86_400, 86_400)?,
            workflows_dir: get("FLOWGATE_WORKFLOWS_DIR").unwrap_or_else(|| "workflows".into()).into(),
            credentials: read_credentials(&get, local)?,
            credentials_ttl_seconds: number(&get, "FLOWGATE_CREDENTIALS_TTL_SECONDS", 10, 86_400, 300)?,
            signature_window_seconds: number(&get, "FLOWGATE_SIGNATURE_WINDOW_SECONDS", 1, 900, 900)?,
            log_level: parsed(&get, "FLOWGATE_LOG", "must be off, error, warn, info, debug or trace")?
                .unwrap_or(LevelFilter::INFO),
            log_format: match get("FLOWGATE_LOG_FORMAT").as_deref() {
                None if local => LogFormat::Text,
                None | Some("json") => LogFormat::Json,
                Some("text") => LogFormat::Text,
                Some(_) => return Err(error("FLOWGATE_LOG_FORMAT", "must be json or text")),
            },
            fixed_time,
        })
    }
}

fn parsed<T: FromStr>(
    get: &impl Fn(&'static str) -> Option<String>,
    name: &'static str,
    rule: &str,
) -> Result<Option<T>, Error> {
    get(name).map(|text| text.parse().map_err(|_| error(name, rule))).transpose()
}

fn number<T: FromStr + TryFrom<u32>>(
    get: &impl Fn(&'static str) -> Option<String>,
    name: &'static str,
    least: u32,
    most: u32,
    default: u32,
) -> Result<T, Error> {
    let problem = || error(name, format!("must be a whole number from {least} to {most}"));
    let value = match get(name) {
        None => default,
        Some(text) => text.parse().ok().filter(|value| (least..=most).contains(value)).ok_or_else(problem)?,
    };
    T::try_from(value).map_err(|_| problem())
}

/// The endpoint of a service that is spoken to with made-up credentials: whoever names an endpoint where only this machine
/// can reach the program, and no credentials, means a server that stands in for AWS.
fn stand_in(get: &impl Fn(&'static str) -> Option<String>, variable: &'static str, local: bool) -> Option<String> {
    get(variable).or_else(|| get("AWS_ENDPOINT_URL")).filter(|_| local && !has_aws_credentials(get))
}

fn read_store(get: &impl Fn(&'static str) -> Option<String>, local: bool) -> Result<Store, Error> {
    let endpoint = get("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| get("AWS_ENDPOINT_URL"));
    let dynamodb = stand_in(get, "AWS_ENDPOINT_URL_DYNAMODB", local).map_or(Store::DynamoDb, Store::StandIn);
    match get("FLOWGATE_STORE").as_deref() {
        Some("dynamodb") => Ok(dynamodb),
        Some("embedded") if !HAS_EMBEDDED_STORE => {
            Err(error("FLOWGATE_STORE", "is embedded, which this build was made without"))
        }
        Some("embedded") if !local => {
            Err(error("FLOWGATE_STORE", "is embedded, which lives and dies with one process and is for local use only"))
        }
        None if !local || endpoint.is_some() || !HAS_EMBEDDED_STORE => Ok(dynamodb),
        None | Some("embedded") => Ok(Store::Embedded),
        Some(_) => Err(error("FLOWGATE_STORE", "must be embedded or dynamodb")),
    }
}

fn read_engine(get: &impl Fn(&'static str) -> Option<String>, local: bool) -> Result<Engine, Error> {
    match get("FLOWGATE_ENGINE").as_deref() {
        Some("embedded") if !HAS_EMBEDDED_STORE => {
            Err(error("FLOWGATE_ENGINE", "is embedded, which this build was made without"))
        }
        Some("embedded") if !local => Err(error(
            "FLOWGATE_ENGINE",
            "is embedded, which lives and dies with one process and is for local use only",
        )),
        None if local && HAS_EMBEDDED_STORE => Ok(Engine::Embedded),
        Some("embedded") => Ok(Engine::Embedded),
        None | Some("stepfunctions") => Ok(Engine::StepFunctions),
        Some("none") => Ok(Engine::None),
        Some(_) => Err(error("FLOWGATE_ENGINE", "must be embedded, stepfunctions or none")),
    }
}

fn lambda_endpoint(get: &impl Fn(&'static str) -> Option<String>) -> Option<String> {
    get("AWS_ENDPOINT_URL_LAMBDA").or_else(|| get("AWS_ENDPOINT_URL"))
}

fn read_lambda(get: &impl Fn(&'static str) -> Option<String>) -> Lambda {
    match lambda_endpoint(get) {
        _ if has_aws_credentials(get) => Lambda::Aws,
        Some(url) => Lambda::StandIn(url),
        None => Lambda::None,
    }
}

/// Whether the environment says with whose rights AWS is asked.
fn has_aws_credentials(get: &impl Fn(&'static str) -> Option<String>) -> bool {
    get("AWS_ACCESS_KEY_ID").or_else(|| get("AWS_PROFILE")).is_some()
}

fn read_state_machine_role(get: &impl Fn(&'static str) -> Option<String>) -> Result<Option<String>, Error> {
    let role = get("FLOWGATE_STATE_MACHINE_ROLE");
    // The account and partition in it are those of the state machines.
    let is_role = |role: &String| matches!(role.split(':').collect::<Vec<_>>()[..], ["arn", _, "iam", "", _, name] if name.starts_with("role/"));
    if role.as_ref().is_none_or(is_role) {
        return Ok(role);
    }
    Err(error("FLOWGATE_STATE_MACHINE_ROLE", "must be the ARN of an IAM role"))
}

fn read_state_machine_prefix(get: &impl Fn(&'static str) -> Option<String>) -> Result<String, Error> {
    let prefix = get("FLOWGATE_STATE_MACHINE_PREFIX").unwrap_or_else(|| "flowgate-".into());
    let legal = prefix.len() <= 16 && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let problem = "must have at most 16 letters, digits, - and _";
    if legal { Ok(prefix) } else { Err(error("FLOWGATE_STATE_MACHINE_PREFIX", problem)) }
}

fn read_region(get: &impl Fn(&'static str) -> Option<String>, local: bool) -> Result<String, Error> {
    let region = match get("FLOWGATE_REGION") {
        Some(region) => region,
        None if local => "local-1".into(),
        None => get("AWS_REGION").ok_or(error("FLOWGATE_REGION", "must be set, since AWS_REGION is not"))?,
    };
    let legal = region.len() <= 64 && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if legal { Ok(region) } else { Err(error("FLOWGATE_REGION", "must have letters, digits, - and _ only")) }
}

fn read_base_path(get: &impl Fn(&'static str) -> Option<String>) -> Result<String, Error> {
    let path = get("FLOWGATE_BASE_PATH").unwrap_or_default();
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(String::new());
    }
    let legal = path.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c));
    if legal { Ok(format!("/{path}")) } else { Err(error("FLOWGATE_BASE_PATH", "must be a plain URL path")) }
}

fn read_credentials(get: &impl Fn(&'static str) -> Option<String>, local: bool) -> Result<CredentialsFrom, Error> {
    let sources: Vec<CredentialsFrom> = [
        get("FLOWGATE_CREDENTIALS_SECRET").map(CredentialsFrom::SecretsManager),
        get("FLOWGATE_CREDENTIALS_FILE").map(|path| CredentialsFrom::File(path.into())),
        get("FLOWGATE_CREDENTIALS").map(CredentialsFrom::Text),
    ]
    .into_iter()
    .flatten()
    .collect();
    let variable = "FLOWGATE_CREDENTIALS_SECRET";
    match sources.as_slice() {
        [one] => Ok(one.clone()),
        [] if local => Ok(CredentialsFrom::Sample),
        [] => Err(error(
            variable,
            "must be set (or FLOWGATE_CREDENTIALS_FILE, or FLOWGATE_CREDENTIALS): without credentials nobody could be let in",
        )),
        _ => Err(error(
            variable,
            "and its alternatives FLOWGATE_CREDENTIALS_FILE and FLOWGATE_CREDENTIALS exclude each other",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Error> {
        Config::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    const RUNTIME: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    const TASK_ROOT: (&str, &str) = ("LAMBDA_TASK_ROOT", "/var/task");
    const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
    const SECRET: (&str, &str) = ("FLOWGATE_CREDENTIALS_SECRET", "flowgate");

    #[test]
    fn with_nothing_set_it_is_local() {
        let config = read(&[]).expect("a usable environment");
        assert_eq!(config.gateway, Gateway::Http(([127, 0, 0, 1], 8080).into()));
        assert!(config.local && config.region == "local-1" && config.credentials == CredentialsFrom::Sample);
        assert_eq!(config.store == Store::Embedded, HAS_EMBEDDED_STORE);
        assert_eq!(config.signature_window_seconds, 900);
    }

    #[test]
    fn on_lambda_it_is_deployed() {
        let config = read(&[RUNTIME, TASK_ROOT, REGION, SECRET]).expect("a usable environment");
        assert!(!config.local && config.gateway == Gateway::Lambda && config.region == "eu-west-1");
        assert_eq!(config.store, Store::DynamoDb);
        assert_eq!(config.log_format, LogFormat::Json);
    }

    #[test]
    fn a_deployed_function_deals_with_calls_one_by_one_unless_lambda_says_how_many_it_sends_at_once() {
        let one_by_one = |variables: &[_]| read(variables).expect("a usable environment").one_by_one;
        assert!(one_by_one(&[RUNTIME, TASK_ROOT, REGION, SECRET]));
        assert!(!one_by_one(&[RUNTIME, TASK_ROOT, REGION, SECRET, ("AWS_LAMBDA_MAX_CONCURRENCY", "4")]));
        assert!(!one_by_one(&[("FLOWGATE_BIND", "0.0.0.0"), REGION, SECRET]));
        assert!(!one_by_one(&[]));
    }

    #[test]
    fn a_port_others_can_reach_is_deployed() {
        let config = read(&[("FLOWGATE_BIND", "0.0.0.0"), REGION, SECRET]).expect("a usable environment");
        assert!(!config.local);
    }

    #[test]
    fn cargo_lambda_watch_is_local() {
        assert_eq!(read(&[RUNTIME]).map(|config| config.local).unwrap_or(false), HAS_EMBEDDED_STORE);
        assert!(!read(&[RUNTIME, TASK_ROOT, REGION, SECRET]).expect("a usable environment").local);
    }

    #[test]
    fn a_server_that_stands_in_for_aws_is_asked_with_made_up_credentials_unless_there_are_some() {
        let endpoint = ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000");
        let stand_in = Store::StandIn(endpoint.1.into());
        assert_eq!(read(&[endpoint]).expect("a usable environment").store, stand_in);
        for credentials in ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"] {
            assert_eq!(read(&[endpoint, (credentials, "x")]).expect("a usable environment").store, Store::DynamoDb);
        }
        let step_functions = |variables: &[_]| read(variables).expect("a usable environment").step_functions_stand_in;
        for variable in ["AWS_ENDPOINT_URL_SFN", "AWS_ENDPOINT_URL"] {
            let endpoint = (variable, "http://127.0.0.1:8001");
            assert_eq!(step_functions(&[endpoint]).as_deref(), Some(endpoint.1));
            assert_eq!(step_functions(&[endpoint, ("AWS_PROFILE", "x")]), None);
            assert_eq!(step_functions(&[endpoint, RUNTIME, TASK_ROOT, REGION, SECRET]), None);
        }
    }

    #[test]
    fn every_variable_is_in_the_table_above_and_in_the_readme() {
        let rows = |text: &str, prefix: &str| -> Vec<String> {
            let rows = text.lines().filter_map(|line| line.trim_start().strip_prefix(prefix));
            rows.map(|row| format!("| `{row}")).collect()
        };
        let here = rows(include_str!("config.rs"), "//! | `");
        assert_eq!(
            here,
            rows(include_str!("../README.md"), "| `").into_iter().filter(|row| here.contains(row)).collect::<Vec<_>>()
        );
        for name in NAMES {
            assert!(here.iter().any(|row| row.contains(&format!("`{name}`"))), "{name}");
        }
    }

    #[test]
    fn deployed_without_credentials_it_refuses_to_start() {
        for place in [[RUNTIME, TASK_ROOT, REGION].as_slice(), &[("FLOWGATE_BIND", "0.0.0.0"), REGION]] {
            assert_eq!(read(place).expect_err("no credentials").variable, "FLOWGATE_CREDENTIALS_SECRET");
        }
    }

    #[test]
    fn deployed_a_fixed_time_and_the_embedded_store_are_refused() {
        for (variable, value) in [("FLOWGATE_FIXED_TIME", "2026-11-21T00:00:00Z"), ("FLOWGATE_STORE", "embedded")] {
            let refused = read(&[RUNTIME, TASK_ROOT, REGION, SECRET, (variable, value)]);
            assert_eq!(refused.expect_err("refused").variable, variable);
        }
    }

    #[test]
    fn a_bad_value_is_refused_by_the_variables_name() {
        for (variable, value) in [
            ("PORT", "70000"),
            ("FLOWGATE_BIND", "localhost"),
            ("FLOWGATE_STORE", "redis"),
            ("FLOWGATE_LIST_SHARDS", "0"),
            ("FLOWGATE_LIST_SHARDS", "65"),
            ("FLOWGATE_RETENTION_DAYS", "0"),
            ("FLOWGATE_SIGNATURE_WINDOW_SECONDS", "901"),
            ("FLOWGATE_CREDENTIALS_TTL_SECONDS", "soon"),
            ("FLOWGATE_WORKFLOW_CACHE_SECONDS", "-1"),
            ("FLOWGATE_ENGINE", "steam"),
            ("FLOWGATE_FUNCTIONS", "{nam}"),
            ("FLOWGATE_ENGINE_CONCURRENCY", "0"),
            ("FLOWGATE_LEASE_SECONDS", "301"),
            ("FLOWGATE_STATE_MACHINE_ROLE", "flowgate"),
            ("FLOWGATE_STATE_MACHINE_ROLE", "arn:aws:iam::123456789012:user/u"),
            ("FLOWGATE_STATE_MACHINE_PREFIX", "a b"),
            ("FLOWGATE_DISPATCH_DEADLINE_SECONDS", "59"),
            ("FLOWGATE_LOG", "loud"),
            ("FLOWGATE_LOG_FORMAT", "xml"),
            ("FLOWGATE_REGION", "a:b"),
            ("FLOWGATE_BASE_PATH", "/a b"),
            ("FLOWGATE_FIXED_TIME", "yesterday"),
        ] {
            assert_eq!(read(&[(variable, value)]).expect_err(variable).variable, variable);
        }
    }

    #[test]
    fn two_sources_of_credentials_exclude_each_other() {
        let both = read(&[("FLOWGATE_CREDENTIALS", "{}"), ("FLOWGATE_CREDENTIALS_FILE", "c.json")]);
        assert!(both.expect_err("ambiguous").problem.contains("exclude"));
    }

    #[test]
    fn an_inline_secret_is_not_printed() {
        let config = read(&[("FLOWGATE_CREDENTIALS", "{\"secret_key\":\"hush\"}")]).expect("a usable environment");
        assert!(!format!("{config:?}").contains("hush"));
    }
}
