//! A bounded load of HTTP requests: a fixed number of connections, each of which sends its next request when it has the
//! answer to the last one.
//!
//! The request is read from standard input as it stands on the wire (`POST /path HTTP/1.1`, headers, an empty line, the
//! body); `{{n}}` in it is another text each time. The result is one JSON object on standard output.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use clap::Parser;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

/// What stands for a text that no other request has.
const NUMBER: &str = "{{n}}";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends requests and times the answers
#[derive(Parser)]
struct Load {
    /// Where to
    address: SocketAddr,
    /// How many connections
    #[arg(long)]
    connections: usize,
    /// The most requests to send
    #[arg(long, default_value_t = u64::MAX)]
    count: u64,
    /// For how long to send them, in seconds
    #[arg(long, default_value_t = f64::INFINITY)]
    seconds: f64,
    /// What stands before the number where the request has {{n}}
    #[arg(long, default_value = "")]
    prefix: String,
    /// The first number
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// What every answer must contain
    #[arg(long, default_value = "")]
    contains: String,
}

/// A request with its places for the number.
struct Template {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Template {
    fn parse(text: &str) -> Result<Self> {
        let (head, body) = text.split_once("\n\n").context("a request has an empty line after its headers")?;
        let mut lines = head.lines();
        let mut words = lines.next().context("the request is empty")?.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { bail!("the first line is short") };
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers =
            lines.map(|line| pair(line).with_context(|| format!("`{line}` is no header"))).collect::<Result<_>>()?;
        Ok(Self { method: method.into(), target: target.into(), headers, body: body.into() })
    }

    fn request(&self, number: &str) -> Result<Request<Full<Bytes>>> {
        let fill = |text: &str| text.replace(NUMBER, number);
        let mut request = Request::builder().method(self.method.as_str()).uri(fill(&self.target).parse::<Uri>()?);
        for (name, value) in &self.headers {
            request = request.header(name, fill(value));
        }
        Ok(request.body(Full::new(fill(&self.body).into()))?)
    }
}

/// What all connections share.
struct Run {
    load: Load,
    template: Template,
    begin: Instant,
    sent: Cell<u64>,
    nanos: RefCell<Vec<u64>>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::parse();
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let template = Template::parse(&text)?;
    // A wrong request would be counted a hundred thousand times.
    template.request("0")?;
    let connections = load.connections;
    let run = Rc::new(Run {
        load,
        template,
        begin: Instant::now(),
        sent: Cell::default(),
        nanos: RefCell::default(),
        errors: Cell::default(),
        first_error: RefCell::default(),
    });
    let local = tokio::task::LocalSet::new();
    for _ in 0..connections {
        local.spawn_local(connection(Rc::clone(&run)));
    }
    local.await;
    let seconds = run.begin.elapsed().as_secs_f64();
    let mut nanos = run.nanos.take();
    nanos.sort_unstable();
    let micros = |share: f64| {
        let rank = (share * nanos.len() as f64).ceil() as usize;
        nanos.get(rank.saturating_sub(1)).map(|nanos| *nanos as f64 / 1e3)
    };
    let result = json!({
        "answers": nanos.len(), "errors": run.errors.get(), "first_error": run.first_error.take(),
        "seconds": seconds, "per_second": nanos.len() as f64 / seconds,
        "p50_us": micros(0.5), "p90_us": micros(0.9), "p99_us": micros(0.99), "p999_us": micros(0.999),
        "max_us": micros(1.0),
    });
    println!("{result}");
    Ok(())
}

/// Sends one request after the other until enough were sent. An error costs a pause, so that a server that is down is not
/// asked a hundred thousand times a second.
async fn connection(run: Rc<Run>) {
    let mut sender = None;
    while run.sent.get() < run.load.count && run.begin.elapsed().as_secs_f64() < run.load.seconds {
        let number = run.load.first + run.sent.get();
        run.sent.set(run.sent.get() + 1);
        let begin = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, send(&run, &mut sender, number)).await;
        match answer.unwrap_or_else(|_| Err(anyhow!("no answer in {} s", PATIENCE.as_secs()))) {
            Ok(()) => run.nanos.borrow_mut().push(begin.elapsed().as_nanos() as u64),
            Err(error) => {
                run.errors.set(run.errors.get() + 1);
                run.first_error.borrow_mut().get_or_insert(format!("{error:#}"));
                sender = None;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sends a request over the connection, or over a new one if the server closed it, and reads the answer to its end.
async fn send(run: &Run, sender: &mut Option<SendRequest<Full<Bytes>>>, number: u64) -> Result<()> {
    let request = run.template.request(&format!("{}{number}", run.load.prefix))?;
    let mut connected = match sender.take() {
        Some(kept) => kept,
        None => connect(run.load.address).await?,
    };
    // Closed by the server after its last answer, which some do.
    if connected.ready().await.is_err() {
        connected = connect(run.load.address).await?;
    }
    let response = connected.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() || !contains(&body, run.load.contains.as_bytes()) {
        bail!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(500)]));
    }
    *sender = Some(connected);
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part)
}
