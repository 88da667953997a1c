//! Plain HTTP on a port: laptops, and gateways that run containers (Knative, Cloud Run, OpenFaaS).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::{below, is_query, trace};
use crate::api::{Apis, Fault, MAX_BODY_BYTES, MAX_PATIENCE, Request, RequestId};

/// How long a connection may stay idle, or a client take to send its headers: longer than the minute for which proxies and
/// load balancers keep idle connections, so that it is they who close them.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may take to send its body.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than any client and its proxies send; hyper answers a request with more by a bare 431.
const MAX_HEADERS: usize = 512;
/// How much of a body that is too large is read away, so that a client that sends everything first gets to read why it is
/// refused: a connection closed on unread bytes is reset, and the answer is lost with it. Clients that send more than this
/// ask first (`Expect: 100-continue`).
const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;
/// Connections served at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// How long running calls may take to end after the process was told to.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long to wait when the listener cannot accept, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `apis` on `listener` until the process is told to end, then lets running calls finish.
pub async fn run(listener: TcpListener, apis: Apis, base_path: &str) {
    let base_path: Arc<str> = base_path.into();
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let end = told_to_end();
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (apis, base_path) = (apis.clone(), base_path.clone());
        let service = service_fn(move |request| serve(apis.clone(), base_path.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // How a connection ends is the client's affair.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("some calls did not end in time"),
        () = told_to_end() => tracing::warn!("told to end a second time, not waiting for running calls"),
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Only a connection that is gone already refuses, which serving it will show.
    let _ = stream.set_nodelay(true);
    Ok((stream, place))
}

/// Waits for SIGTERM or SIGINT.
pub(super) async fn told_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without a handler the signal ends the process by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn serve(
    apis: Apis,
    base_path: Arc<str>,
    request: http::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => probe(StatusCode::OK, "ok"),
        (&Method::GET, "/readyz") if apis.ready().await => probe(StatusCode::OK, "ready"),
        (&Method::GET, "/readyz") => probe(StatusCode::SERVICE_UNAVAILABLE, "the storage cannot be reached"),
        _ => apis.answer(into_request(request, &base_path).await).await,
    };
    Ok(response.map(Full::new))
}

fn probe(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

async fn into_request(request: http::Request<Incoming>, base_path: &str) -> Request {
    let (parts, incoming) = request.into_parts();
    let signed_path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let (body, body_fault) = match tokio::time::timeout(PATIENCE, read_body(incoming, &parts.headers)).await {
        Ok(Ok(body)) => (body, None),
        Ok(Err(fault)) => (Bytes::new(), Some(fault)),
        Err(_) => (Bytes::new(), Some(Fault::BodyIncomplete)),
    };
    let forwarded_id = parts.headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let query_fault = (!is_query(&query)).then_some(Fault::Query);
    Request {
        method: parts.method,
        path: below(&signed_path, base_path).to_owned(),
        signed_path,
        query,
        id: forwarded_id.and_then(RequestId::from_gateway).unwrap_or_else(RequestId::random),
        gateway_id: None,
        trace: trace(&parts.headers, None),
        headers: parts.headers,
        body,
        fault: body_fault.or(query_fault),
        patience: MAX_PATIENCE,
    }
}

async fn read_body(mut incoming: Incoming, headers: &HeaderMap) -> Result<Bytes, Fault> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // Reading is what tells a client that asked first to go on; whoever asked and is not told so sends nothing.
    let most = if headers.contains_key(EXPECT) { MAX_BODY_BYTES } else { MAX_DRAINED_BYTES };
    if announced.is_some_and(|length| length > most) {
        return Err(Fault::BodyTooLarge);
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default().min(MAX_BODY_BYTES));
    let mut received = 0;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(|_| Fault::BodyIncomplete)?.into_data() else {
            continue;
        };
        received += data.len();
        if received > MAX_DRAINED_BYTES {
            return Err(Fault::BodyTooLarge);
        }
        if received <= MAX_BODY_BYTES {
            body.extend_from_slice(&data);
        }
    }
    if received > MAX_BODY_BYTES { Err(Fault::BodyTooLarge) } else { Ok(body.freeze()) }
}
