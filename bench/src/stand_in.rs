//! A stand-in for all that a function talks to: the Lambda Runtime API, DynamoDB and Secrets Manager, on one port.
//!
//! It answers at once and keeps no executions, so that what is measured is the function. Of DynamoDB it remembers what a
//! transaction puts, which is how `flowgate load` writes workflows, and gives it to whoever gets it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const PREFIX: &str = "/2018-06-01/runtime/";

/// After how long a function that does nothing counts as broken. Under valgrind all takes fifty times as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the function did, and when.
#[derive(Debug)]
pub enum Step {
    /// It asked for an invocation.
    Next(Instant),
    /// The invocation it asked for was sent off.
    Given(Instant),
    /// Its answer was read.
    Answer(Instant, Bytes),
    /// It reported an error.
    Failure(String),
}

/// What several stand-ins share: items of the table by their key, and the secret that holds the credentials.
#[derive(Debug, Default)]
pub struct Stored {
    items: Mutex<HashMap<String, Value>>,
    secret: String,
}

impl Stored {
    /// An empty table, and a secret.
    pub fn new(secret: String) -> Self {
        Self { items: Mutex::default(), secret }
    }

    fn answer(&self, operation: &str, body: &Bytes) -> Value {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        match operation {
            "GetSecretValue" => json!({"ARN": "arn", "Name": "flowgate", "SecretString": self.secret}),
            "GetItem" => {
                let request: Value = serde_json::from_slice(body).unwrap_or_default();
                items.get(&key(&request["Key"])).map_or(json!({}), |item| json!({"Item": item}))
            }
            "TransactWriteItems" => {
                let request: Value = serde_json::from_slice(body).unwrap_or_default();
                let writes = request["TransactItems"].as_array().into_iter().flatten();
                for item in writes.map(|write| &write["Put"]["Item"]).filter(|item| item.is_object()) {
                    items.insert(key(item), item.clone());
                }
                json!({})
            }
            _ => json!({}),
        }
    }
}

fn key(item: &Value) -> String {
    format!("{} {}", item["pk"]["S"], item["sk"]["S"])
}

/// A running stand-in. It ends with the process.
#[derive(Debug)]
pub struct StandIn {
    /// Where it listens.
    pub address: SocketAddr,
    invocations: mpsc::UnboundedSender<String>,
    steps: Receiver<Step>,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    stored: Arc<Stored>,
    invocations: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
    steps: Sender<Step>,
    calls: Mutex<BTreeMap<String, u64>>,
}

impl StandIn {
    /// Serves on a port and a thread of its own.
    ///
    /// # Errors
    /// No port or no thread could be had.
    pub fn new(stored: Arc<Stored>) -> Result<Self> {
        let (invocations, queue) = mpsc::unbounded_channel();
        let (sender, steps) = channel();
        let invocations_queue = tokio::sync::Mutex::new(queue);
        let server =
            Arc::new(Server { stored, invocations: invocations_queue, steps: sender, calls: Mutex::default() });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = Arc::clone(&server);
        std::thread::Builder::new()
            .name("stand-in".into())
            .spawn(move || runtime.block_on(serve(listener, serving)))?;
        Ok(Self { address, invocations, steps, server })
    }

    /// Puts an event in line.
    pub fn send(&self, event: String) {
        // The receiver lives as long as this does.
        let _ = self.invocations.send(event);
    }

    /// Waits until the function asks for an invocation, and returns when it did.
    ///
    /// # Errors
    /// It does something else, or nothing for long.
    pub fn next(&self) -> Result<Instant> {
        match self.step()? {
            Step::Next(at) => Ok(at),
            other => bail!("the function did not ask for an invocation: {other:?}"),
        }
    }

    /// Waits for the answer to the invocation that was sent, and returns when that was given and when it was answered.
    ///
    /// # Errors
    /// The function does anything but answer with the status 200.
    pub fn answer(&self) -> Result<(Instant, Instant)> {
        let Step::Given(given) = self.step()? else { bail!("the invocation was not given") };
        match self.step()? {
            Step::Answer(answered, answer) => {
                let status = serde_json::from_slice::<Value>(&answer).unwrap_or_default()["statusCode"].clone();
                if status != 200 {
                    bail!("the function answered {}", String::from_utf8_lossy(&answer));
                }
                Ok((given, answered))
            }
            other => bail!("the function did not answer: {other:?}"),
        }
    }

    /// The calls of AWS since this was last asked, by operation.
    pub fn take_calls(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.server.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn step(&self) -> Result<Step> {
        self.steps.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow::anyhow!("the function did nothing for {} s", PATIENCE.as_secs()),
            RecvTimeoutError::Disconnected => anyhow::anyhow!("the stand-in ended"),
        })
    }
}

async fn serve(listener: std::net::TcpListener, server: Arc<Server>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener).context("the stand-in cannot listen")?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(&server);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let runtime_path = parts.uri.path().strip_prefix(PREFIX);
        if parts.method == Method::GET && runtime_path == Some("invocation/next") {
            return self.give_next().await;
        }
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut response = Response::new(Full::default());
        match runtime_path {
            Some(path) => {
                let step = if path.ends_with("/response") {
                    Step::Answer(Instant::now(), body)
                } else {
                    Step::Failure(format!("{path}: {}", String::from_utf8_lossy(&body)))
                };
                let _ = self.steps.send(step);
                *response.status_mut() = StatusCode::ACCEPTED;
            }
            None => {
                let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
                let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or("other");
                *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(operation.to_owned()).or_default() +=
                    1;
                *response.body_mut() = self.stored.answer(operation, &body).to_string().into();
            }
        }
        response
    }

    async fn give_next(&self) -> Response<Full<Bytes>> {
        let _ = self.steps.send(Step::Next(Instant::now()));
        let Some(event) = self.invocations.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let mut response = Response::new(Full::new(Bytes::from(event)));
        for (name, value) in [
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:local-1:000000000000:function:flowgate"),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"),
        ] {
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        let _ = self.steps.send(Step::Given(Instant::now()));
        response
    }
}
