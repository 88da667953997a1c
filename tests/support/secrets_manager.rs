//! A stand-in for AWS Secrets Manager that holds one secret.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use serde_json::json;

/// Serves the secret until the test's process ends, and returns the URL.
pub fn serve(secret: &str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let body =
        json!({"ARN": "arn:aws:secretsmanager:local-1:0:secret:s", "Name": "s", "SecretString": secret}).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let body = body.clone();
            std::thread::spawn(move || answer_all(stream, &body));
        }
    });
    format!("http://{address}")
}

fn answer_all(mut stream: TcpStream, body: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some((_, value)) = line.to_ascii_lowercase().split_once("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length:";
        write!(stream, "{head} {}\r\n\r\n{body}", body.len()).ok()?;
    }
}
