//! What came back, whatever way it came, and whether it is in a dialect the callers speak.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::Api;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    /// Reads the answer of the function to a front end.
    pub fn from_lambda(answer: &Value) -> Self {
        let mut headers = BTreeMap::new();
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            headers.insert(name.to_ascii_lowercase(), value.as_str().expect("a text").to_owned());
        }
        for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
            headers.insert(name.to_ascii_lowercase(), values[0].as_str().expect("a text").to_owned());
        }
        assert_eq!(answer["isBase64Encoded"], false, "{answer}");
        let status = answer["statusCode"].as_u64().expect("a status") as u16;
        Self { status, headers, body: answer["body"].as_str().expect("a body").to_owned() }
    }

    /// The value of a header, by lower-case name; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a success.
    #[track_caller]
    pub fn expect_success(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Asserts an error of this status and code; `api` is as for [`Self::error_code`].
    #[track_caller]
    pub fn expect_error(&self, api: impl Into<Option<Api>>, (status, code): (u16, &str)) {
        assert_eq!((self.status, self.error_code(api).as_str()), (status, code), "{self:?}");
    }

    /// The vendor's code of an error. Panics unless the whole answer is an error in the dialect of `api`, or, where that is
    /// left open, in any; `None` stands for a path that may be of any API or none.
    #[track_caller]
    pub fn error_code(&self, api: impl Into<Option<Api>>) -> String {
        assert!(self.status >= 400, "no error: {self:?}");
        let is_xml = self.header("content-type") == "application/xml";
        let (code, message, request_id, is_obs) = if is_xml {
            let [code, message, _resource, request_id, _host] = self.xml();
            (code, message, request_id, true)
        } else {
            assert_eq!(self.header("content-type"), "application/json", "{self:?}");
            let body = self.json();
            let member = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned();
            assert_eq!(body.as_object().map(serde_json::Map::len), Some(3), "{self:?}");
            match body.get("code") {
                Some(_) => (member("code"), member("message"), member("request_id"), true),
                None => (member("error_code"), member("error_msg"), member("request_id"), false),
            }
        };
        assert!(!code.is_empty() && !message.is_empty(), "{self:?}");
        let legal =
            |c: char| c.is_ascii_digit() || if is_obs { ('A'..='F').contains(&c) } else { ('a'..='f').contains(&c) };
        assert!(request_id.len() == 32 && request_id.chars().all(legal), "{self:?}");
        assert_eq!(self.header("x-request-id"), request_id, "{self:?}");
        if is_obs {
            assert_eq!(self.header("x-obs-request-id"), request_id, "{self:?}");
        }
        if let Some(api) = api.into() {
            assert_eq!(is_obs, api == Api::Obs, "the wrong dialect for {api:?}: {self:?}");
        }
        code
    }

    /// The texts of the five elements of the vendor's error document. Panics unless the body is that document, well formed.
    fn xml(&self) -> [String; 5] {
        let document = self.body.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n");
        let mut rest = document.unwrap_or_else(|| panic!("no XML: {self:?}"));
        let texts = ["Code", "Message", "Resource", "RequestId", "HostId"].map(|name| {
            let after = rest.strip_prefix(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {self:?}"));
            let (text, after) = after.split_once(&format!("</{name}>\n")).unwrap_or_else(|| panic!("no end: {self:?}"));
            rest = after;
            unescaped(text)
        });
        assert_eq!(rest, "</Error>\n", "{self:?}");
        texts
    }
}

/// Reads the text of an XML element. Panics where XML would not allow it.
fn unescaped(text: &str) -> String {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    assert!(!text.contains(['<', '>']) && text.chars().all(legal), "{text:?}");
    let mut parts = text.split('&');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap_or_else(|| panic!("a lone ampersand in {text:?}"));
        result += match entity {
            "amp" => "&",
            "lt" => "<",
            "gt" => ">",
            _ => panic!("an unknown entity in {text:?}"),
        };
        result += rest;
    }
    result
}
