//! A stand-in for the Lambda Runtime API.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use super::Answer;
use super::process::DEADLINE;

const PREFIX: &str = "/2018-06-01/runtime/";

/// What the function did.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It asked for an invocation.
    Next,
    /// It was given one.
    Given(String),
    /// It answered one.
    Response(String, Value),
    /// It did anything else, such as to report an error.
    Other(String, String),
}

/// A running Runtime API. It ends with the test's process.
pub struct RuntimeApi {
    pub address: SocketAddr,
    invocations: mpsc::UnboundedSender<(String, Value)>,
    steps: Receiver<Step>,
}

struct Server {
    invocations: Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    steps: Sender<Step>,
}

impl RuntimeApi {
    /// Serves on a port of its own.
    pub fn new() -> Self {
        let (invocations, queue) = mpsc::unbounded_channel();
        let (sender, steps) = channel();
        let server = Arc::new(Server { invocations: Mutex::new(queue), steps: sender });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    let server = server.clone();
                    let service = service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(request).await) }
                    });
                    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                }
            });
        });
        Self { address, invocations, steps }
    }

    /// Puts an event in line and returns the invocation's id.
    pub fn send(&self, event: &Value) -> String {
        let id = Uuid::new_v4().to_string();
        self.invocations.send((id.clone(), event.clone())).expect("a running Runtime API");
        id
    }

    /// Waits for what the function does next.
    pub fn step(&self) -> Step {
        self.steps.recv_timeout(DEADLINE).expect("the function does something")
    }

    /// Sends an event and waits for its answer. Panics if the function does anything but answer.
    pub fn invoke(&self, event: &Value) -> Answer {
        let id = self.send(event);
        self.answers(1).remove(&id).expect("an answer to the event")
    }

    /// Waits for the answers to this many invocations. Panics if the function does anything but answer.
    pub fn answers(&self, count: usize) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::new();
        while answers.len() < count {
            match self.step() {
                Step::Next | Step::Given(_) => {}
                Step::Response(id, answer) => {
                    answers.insert(id, Answer::from_lambda(&answer));
                }
                Step::Other(path, body) => panic!("posted to {path}: {body}"),
            }
        }
        answers
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
        if request.method() == Method::GET && path == "invocation/next" {
            return self.next().await;
        }
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        let step = match path.strip_prefix("invocation/").and_then(|rest| rest.strip_suffix("/response")) {
            Some(id) => Step::Response(id.to_owned(), serde_json::from_str(&text).expect("an answer is JSON")),
            None => Step::Other(path, text),
        };
        let _ = self.steps.send(step);
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::ACCEPTED;
        response
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let _ = self.steps.send(Step::Next);
        let Some((id, event)) = self.invocations.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let _ = self.steps.send(Step::Given(id.clone()));
        Response::builder()
            .header("lambda-runtime-aws-request-id", id)
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:local-1:000000000000:function:flowgate")
            .header("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1")
            .body(Full::new(Bytes::from(event.to_string())))
            .expect("a response")
    }
}
