//! A client that writes bytes, not requests.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::Answer;
use super::process::DEADLINE;

/// One connection.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    /// Opens a connection to a server that is there.
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("a connection")
    }

    /// As [`Self::connect`], with a server that may be gone.
    pub fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        stream.set_write_timeout(Some(DEADLINE)).ok()?;
        Some(Self { stream, unread: Vec::new() })
    }

    /// Writes bytes, all of them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a server that reads");
    }

    /// As [`Self::send`], with a server that may hang up.
    pub fn try_send(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).ok()
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.try_finish().expect("an open connection");
    }

    /// As [`Self::finish`], with a server that may hang up.
    pub fn try_finish(&mut self) -> Option<()> {
        self.stream.shutdown(Shutdown::Write).ok()
    }

    /// Reads one answer with its body.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap_or_else(|| panic!("cut short: {}", String::from_utf8_lossy(&self.unread)))
    }

    /// As [`Self::answer`], with a server that may hang up.
    pub fn try_answer(&mut self) -> Option<Answer> {
        let (mut answer, length) = self.try_head()?;
        while self.unread.len() < length {
            self.fill()?;
        }
        let body: Vec<u8> = self.unread.drain(..length).collect();
        answer.body = String::from_utf8(body).expect("a text");
        Some(answer)
    }

    /// Reads one answer that announces a body and has none, as the one to HEAD; and the announced length.
    pub fn head(&mut self) -> (Answer, usize) {
        self.try_head().unwrap_or_else(|| panic!("cut short: {}", String::from_utf8_lossy(&self.unread)))
    }

    fn try_head(&mut self) -> Option<(Answer, usize)> {
        loop {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Response::new(&mut slots);
            if let httparse::Status::Complete(end) = parsed.parse(&self.unread).expect("an HTTP answer") {
                let status = parsed.code.expect("a status");
                let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("a text");
                let headers = parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect();
                let answer = Answer { status, headers, body: String::new() };
                let length = answer.header("content-length").parse().unwrap_or_default();
                self.unread.drain(..end);
                return Some((answer, length));
            }
            self.fill()?;
        }
    }

    /// Whether the server has closed the connection with nothing left to read.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && self.fill().is_none()
    }

    /// Reads on; `None` at the end. Panics if nothing comes for too long.
    fn fill(&mut self) -> Option<()> {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("no answer"),
            Err(_) => None,
        }
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut wire = Wire::connect(address);
    wire.send(request);
    wire.answer()
}

/// As [`exchange`], with a server that may be gone.
pub fn try_exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut wire = Wire::try_connect(address)?;
    wire.try_send(request)?;
    wire.try_answer()
}
