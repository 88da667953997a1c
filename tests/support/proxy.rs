//! A server between the SDK and the storage that passes on what it gets, or does not.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// What happens to a request instead of being passed on and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this error of DynamoDB's and does nothing.
    Refuse(&'static str),
    /// The server fails with a 500 and does nothing.
    Fail,
    /// It does nothing, and no answer comes.
    Hang,
    /// It is passed on and done; then the connection is closed without an answer.
    LoseAnswer,
    /// It is passed on and done, and no answer comes.
    WithholdAnswer,
}

/// The proxy. It ends with the test's runtime.
pub struct Proxy {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    coming: VecDeque<Fault>,
    lasting: Option<Fault>,
    operations: Vec<String>,
}

impl Proxy {
    /// Stands before the storage at `upstream`, an `http://host:port`.
    pub async fn before(upstream: &str) -> Self {
        let upstream =
            upstream.strip_prefix("http://").expect("a plain HTTP endpoint").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (shared, upstream) = (shared.clone(), upstream.clone());
                let service = service_fn(move |request| serve(shared.clone(), upstream.clone(), request));
                tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url: format!("http://{address}"), state }
    }

    /// Where the proxy is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does this to the next request that has no fault before it yet.
    pub fn once(&self, fault: Fault) {
        self.state().coming.push_back(fault);
    }

    /// Does this to every request from now on.
    pub fn always(&self, fault: Fault) {
        self.state().lasting = Some(fault);
    }

    /// Passes everything on again.
    pub fn heal(&self) {
        let mut state = self.state();
        state.coming.clear();
        state.lasting = None;
    }

    /// The operations that were asked for since this was last called, refused ones included.
    pub fn take_operations(&self) -> Vec<String> {
        std::mem::take(&mut self.state().operations)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

/// Answers a request; an error closes the connection.
async fn serve(
    state: Arc<Mutex<State>>,
    upstream: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let fault = {
        let mut state = state.lock().expect("nothing panics while it holds the lock");
        state.operations.push(operation);
        state.coming.pop_front().or(state.lasting)
    };
    let forwarded = forward(&upstream, Request::from_parts(parts, Full::new(body)));
    match fault {
        None => forwarded.await.map_err(io::Error::other),
        Some(Fault::Refuse(code)) => Ok(error(StatusCode::BAD_REQUEST, code)),
        Some(Fault::Fail) => Ok(error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")),
        Some(Fault::Hang) => Ok(never().await),
        Some(Fault::LoseAnswer) => {
            forwarded.await.map_err(io::Error::other)?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Some(Fault::WithholdAnswer) => {
            forwarded.await.map_err(io::Error::other)?;
            Ok(never().await)
        }
    }
}

async fn never() -> Response<Full<Bytes>> {
    match pending::<Infallible>().await {}
}

async fn forward(
    upstream: &str,
    request: Request<Full<Bytes>>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut parts, body) = sender.send_request(request).await?.into_parts();
    parts.headers.remove(TRANSFER_ENCODING);
    Ok(Response::from_parts(parts, Full::new(body.collect().await?.to_bytes())))
}

/// An error as DynamoDB writes it.
fn error(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let body = format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{code}\",\"message\":\"injected\"}}");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let content_type = "application/x-amz-json-1.0".parse().expect("a header value");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
