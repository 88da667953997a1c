//! Functions behind Lambda's Invoke and behind addresses, as servers that stand in for them answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flowgate::engine::embedded::{Failure, Functions, Lambda, ReachableFunctions};
use serde_json::{Value, json};

/// What a stand-in was asked: the first line, the kind of invocation if any, and the body.
type Asked = Arc<Mutex<Vec<(String, Option<String>, String)>>>;

/// Serves the answers by the end of the path, as whole HTTP responses without their length.
fn serve(answers: &'static [(&'static str, &'static str, &'static str)]) -> (String, Asked) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Asked::default();
    let shared = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let asked = shared.clone();
            std::thread::spawn(move || answer_all(stream, answers, &asked));
        }
    });
    (url, asked)
}

fn answer_all(mut stream: TcpStream, answers: &[(&str, &str, &str)], asked: &Asked) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let (mut length, mut kind) = (0, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
                Some((name, value)) if name.eq_ignore_ascii_case("x-amz-invocation-type") => {
                    kind = Some(value.to_owned())
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (_, head, answer) = answers.iter().find(|(path, ..)| first.contains(path))?;
        asked.lock().expect("a lock").push((first.trim_end().to_owned(), kind, String::from_utf8(body).ok()?));
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).ok()?;
    }
}

#[tokio::test]
async fn lambda_returns_throws_refuses_and_takes_events() {
    let (url, asked) = serve(&[
        ("/works/", "200 OK", "{\"n\": 1.50}"),
        ("/silent/", "200 OK", ""),
        ("/throws/", "200 OK\r\nX-Amz-Function-Error: Unhandled", "{\"errorType\":\"Odd\",\"errorMessage\":\"no\"}"),
        ("/busy/", "429 Too Many Requests\r\nX-Amzn-ErrorType: TooManyRequestsException", "{\"Type\":\"User\"}"),
        ("/missing/", "404 Not Found\r\nX-Amzn-ErrorType: ResourceNotFoundException", "{\"Type\":\"User\"}"),
        ("/event/", "202 Accepted", ""),
    ]);
    let functions = ReachableFunctions::new(Some(Lambda::stand_in(&url)), false);
    let payload = json!({"a": [1, "流"]});
    let call = async |name: &str, asynchronous| functions.call(name, &payload, asynchronous).await;
    let one_and_a_half: Value = serde_json::from_str("{\"n\": 1.50}").expect("JSON");
    assert_eq!(call("works", false).await, Ok(one_and_a_half));
    assert_eq!(call("silent", false).await, Ok(Value::Null));
    let thrown = Failure::new("Odd", "{\"errorType\":\"Odd\",\"errorMessage\":\"no\"}");
    assert_eq!(call("throws", false).await, Err(thrown));
    for (name, error) in [("busy", "Lambda.TooManyRequestsException"), ("missing", "Lambda.ResourceNotFoundException")]
    {
        assert_eq!(call(name, false).await.map_err(|failure| failure.error), Err(error.to_owned()), "{name}");
    }
    assert_eq!(call("event", true).await, Ok(Value::Null));

    let asked = asked.lock().expect("a lock");
    assert_eq!(asked.len(), 6, "each is called once, whatever comes of it: {asked:?}");
    for (line, kind, body) in asked.iter() {
        let expected = if line.contains("/event/") { "Event" } else { "RequestResponse" };
        assert_eq!(kind.as_deref(), Some(expected), "{line}");
        assert!(line.starts_with("POST /2015-03-31/functions/"), "{line}");
        assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), payload, "{line}");
    }
}

#[tokio::test]
async fn a_lambda_that_nobody_serves_and_one_that_nobody_knows_are_errors_with_a_name() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address");
    let nobody = ReachableFunctions::new(Some(Lambda::stand_in(&format!("http://{closed}"))), false);
    let failure = nobody.call("works", &Value::Null, false).await.expect_err("nobody answers");
    assert_eq!(failure.error, "Lambda.SdkClientException");

    let nowhere = ReachableFunctions::new(None, true);
    let failure = nowhere.call("unheard-of", &Value::Null, false).await.expect_err("no such function");
    assert_eq!(failure.error, "Lambda.ResourceNotFoundException");
    assert!(failure.cause.contains("unheard-of") && failure.cause.contains("AWS_ENDPOINT_URL_LAMBDA"), "{failure:?}");
}

#[tokio::test]
async fn an_address_returns_throws_and_is_unreachable() {
    let (url, asked) = serve(&[
        ("/works", "200 OK", "[1]"),
        ("/empty", "204 No Content", ""),
        ("/throws", "418 I'm a teapot", "{\"errorMessage\":\"short and stout\"}"),
        ("/odd", "200 OK", "<html>"),
    ]);
    let functions = ReachableFunctions::new(None, true);
    let call = async |path: &str| functions.call(&format!("{url}/{path}"), &json!({"a": 1}), false).await;
    assert_eq!(call("works").await, Ok(json!([1])));
    assert_eq!(call("empty").await, Ok(Value::Null));
    let thrown = call("throws").await.expect_err("thrown");
    let cause: Value = serde_json::from_str(&thrown.cause).expect("JSON");
    assert_eq!(
        (thrown.error.as_str(), cause),
        ("Http.418", json!({"errorCode": 418, "errorMessage": "short and stout"}))
    );
    assert_eq!(call("odd").await.map_err(|failure| failure.error), Err("Lambda.Unknown".to_owned()));
    assert!(asked.lock().expect("a lock").iter().all(|(_, _, body)| body == "{\"a\":1}"));

    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address");
    let failure = functions.call(&format!("http://{closed}/"), &Value::Null, false).await.expect_err("nobody answers");
    assert_eq!(failure.error, "Http.Unreachable");
    assert!(functions.call("http://", &Value::Null, false).await.is_err(), "no address at all");
}
