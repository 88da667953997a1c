//! A client that writes bytes, not requests.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::answer::Answer;
use super::process::DEADLINE;

/// One connection.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("a socket");
        Self { stream, unread: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a server that reads");
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("an open connection");
    }

    /// Reads one answer with its body.
    pub fn answer(&mut self) -> Answer {
        let (mut answer, length) = self.head();
        while self.unread.len() < length {
            assert!(self.fill(), "the body is cut short: {answer:?}");
        }
        let body: Vec<u8> = self.unread.drain(..length).collect();
        answer.body = String::from_utf8(body).expect("a text");
        answer
    }

    /// Reads one answer that announces a body and has none, as the one to HEAD; and the announced length.
    pub fn head(&mut self) -> (Answer, usize) {
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
                return (answer, length);
            }
            let seen = String::from_utf8_lossy(&self.unread).into_owned();
            assert!(self.fill(), "the answer is cut short: {seen:?}");
        }
    }

    /// Whether the server has closed the connection with nothing left to read.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.fill()
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        let count = self.stream.read(&mut buffer).expect("a readable connection");
        self.unread.extend_from_slice(&buffer[..count]);
        count > 0
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut wire = Wire::connect(address);
    wire.send(request);
    wire.answer()
}
