//! The functions of the tests' workflows: a server that does what its addresses say and notes down every call.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowgate::clock::{Clock, SystemClock, Timestamp};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::process::DEADLINE;
use crate::support::wire::exchange;

/// What a function does about its calls.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    /// Answers after so many milliseconds.
    Answers(u64),
    /// Fails the first so many calls of each run with an `errorCode` of 500, then answers.
    FailsFirst(usize),
    /// Fails until [`Functions::mend`].
    IsBroken,
    /// Keeps every call of a run waiting until its number is [released](Functions::release), then answers with that number.
    IsHeld,
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Made {
    /// The `run` of its payload.
    pub run: String,
    /// The function.
    pub function: String,
    /// When it came.
    pub at: Timestamp,
    /// During which life of the process under test.
    pub life: usize,
    /// Whether it was failed.
    pub failed: bool,
}

/// The running server. It ends with the test's process.
#[derive(Clone)]
pub struct Functions(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    behaviours: BTreeMap<String, Does>,
    made: Mutex<Vec<Made>>,
    life: AtomicUsize,
    connections: AtomicUsize,
    is_mended: AtomicBool,
    released: watch::Sender<BTreeSet<usize>>,
}

impl Functions {
    /// Serves functions by name on a port of its own.
    pub fn serve(behaviours: &[(&str, Does)]) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("an address"),
            behaviours: behaviours.iter().map(|(name, does)| ((*name).to_owned(), *does)).collect(),
            made: Mutex::default(),
            life: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            is_mended: AtomicBool::new(false),
            released: watch::channel(BTreeSet::new()).0,
        });
        let server = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, server));
        });
        Self(shared)
    }

    /// The `functions` of a definition.
    pub fn definitions(&self) -> Value {
        let address = self.0.address;
        let names = self.0.behaviours.keys();
        names.map(|name| json!({"name": name, "operation": format!("http://{address}/{name}")})).collect()
    }

    /// Every call so far, in the order in which they came.
    pub fn made(&self) -> Vec<Made> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a function was called in a run.
    pub fn count(&self, run: &str, function: &str) -> usize {
        self.made().iter().filter(|made| made.run == run && made.function == function).count()
    }

    /// Waits until a function was called that often in a run.
    pub fn wait_for(&self, run: &str, function: &str, count: usize) {
        let begun = Instant::now();
        while self.count(run, function) < count {
            assert!(begun.elapsed() < DEADLINE, "{function} was called {} times", self.count(run, function));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Mends what is broken.
    pub fn mend(&self) {
        self.0.is_mended.store(true, Ordering::SeqCst);
    }

    /// Has the call of that number, from 1, of every held function answered.
    pub fn release(&self, number: usize) {
        self.0.released.send_modify(|released| {
            released.insert(number);
        });
    }

    /// Begins the next life, once nothing is left of the calls of a process that was killed.
    pub fn next_life(&self) {
        // Connections are accepted in their order, so when this one is answered all others were accepted.
        exchange(self.0.address, b"GET /nothing HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let begun = Instant::now();
        while self.0.connections.load(Ordering::SeqCst) > 0 {
            assert!(begun.elapsed() < DEADLINE, "the connections of a dead process stay open");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.life.fetch_add(1, Ordering::SeqCst);
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = shared.clone();
        tokio::spawn(async move {
            let answering = shared.clone();
            let service = service_fn(move |request| {
                let shared = answering.clone();
                async move { Ok::<_, Infallible>(shared.answer(request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let function = request.uri().path().trim_start_matches('/').to_owned();
        let Some(does) = self.behaviours.get(&function).copied() else {
            return response(StatusCode::NOT_FOUND, &Value::Null);
        };
        let Ok(body) = request.into_body().collect().await else {
            return response(StatusCode::BAD_REQUEST, &Value::Null);
        };
        let mut payload: Value = serde_json::from_slice(&body.to_bytes()).expect("a payload is JSON");
        let run = payload["run"].as_str().expect("a payload names its run").to_owned();
        let (number, failed) = self.note(&run, &function, does);
        match does {
            _ if failed => return response(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null),
            Does::Answers(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
            Does::FailsFirst(_) | Does::IsBroken => {}
            Does::IsHeld => {
                let mut released = self.released.subscribe();
                let _ = released.wait_for(|released| released.contains(&number)).await;
                return response(StatusCode::OK, &json!({"run": run, "number": number}));
            }
        }
        payload["trail"].as_array_mut().expect("a payload has a trail").push(function.into());
        response(StatusCode::OK, &payload)
    }

    /// Notes a call down. Returns its number among those of its run and function, from 1, and whether it is to fail.
    fn note(&self, run: &str, function: &str, does: Does) -> (usize, bool) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = made.iter().filter(|made| made.run == run && made.function == function).count();
        let failed = match does {
            Does::FailsFirst(count) => earlier < count,
            Does::IsBroken => !self.is_mended.load(Ordering::SeqCst),
            Does::Answers(_) | Does::IsHeld => false,
        };
        made.push(Made {
            run: run.to_owned(),
            function: function.to_owned(),
            at: SystemClock.now(),
            life: self.life.load(Ordering::SeqCst),
            failed,
        });
        (earlier + 1, failed)
    }
}

fn response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
