//! Calls that went wrong somewhere between a good start and the wire, the same ones at every run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Api, Call, Front, PROJECT};

/// Numbers that look random (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % end
    }

    /// Whether something happens that happens once in so many times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// A call made from a good one.
#[derive(Debug)]
pub struct Malformed {
    pub event: Value,
    /// The API of the good call, if the path and the query still say so.
    pub api: Option<Api>,
}

const METHODS: [&str; 9] = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "ge t", ""];

const SEGMENTS: [&str; 18] = [
    "",
    ".",
    "..",
    "%2e%2e",
    "%2F",
    "%ff",
    "%00",
    "%",
    "%zz",
    "a b",
    "ü",
    "\u{202e}",
    "{workflow_id}",
    "workflows",
    "fgs",
    "media-transcode",
    "executions",
    "48aff955-ea10-4ffd-b426-190bc192dc14",
];

const QUERIES: [&str; 16] = [
    "a",
    "a=1&a=2",
    "=",
    "&&&",
    "a=b=c",
    "a=%ff",
    "a=%zz",
    "a=%26b",
    "x-workflow-create",
    "x-workflow-template-name=x",
    "obsworkflowtriggerpolicy",
    "acl",
    "a b",
    "a=ü",
    "AccessKeyId=FLOWGATELOCALKEY0001&Expires=99999999999&Signature=AAAA",
    "name=x&limit=-1",
];

const HEADERS: [&str; 20] = [
    "X-Create-Time",
    "X-WorkflowRun-ID",
    "X-WorkflowRun-MergeFnParameters",
    "Idempotency-Key",
    "Accept",
    "Content-Type",
    "X-Sdk-Content-Sha256",
    "X-Sdk-Date",
    "x-obs-date",
    "Date",
    "x-amz-date",
    "x-obs-security-token",
    "X-Security-Token",
    "X-Auth-Token",
    "traceparent",
    "X-Request-ID",
    "Host",
    "X-Forwarded-Proto",
    "Authorization",
    "Content-MD5",
];

const VALUES: [&str; 24] = [
    "",
    " ",
    "a",
    "true",
    "TRUE",
    "2026-11-20",
    "2026-02-30",
    "9999-99-99",
    "20261121T000000Z",
    "20251121T000000Z",
    "Sat, 21 Nov 2026 00:00:00 GMT",
    "Fri, 21 Nov 2025 00:00:00 GMT",
    "application/json",
    "*/*;q=,",
    "UNSIGNED-PAYLOAD",
    "grüße",
    "\u{0}",
    "a\r\nb: c",
    "OBS a:b",
    "OBS UNKNOWNKEY:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "SDK-HMAC-SHA256",
    "SDK-HMAC-SHA256 Access=UNKNOWN, SignedHeaders=x-sdk-date, Signature=0000000000000000000000000000000000000000000000000000000000000000",
    "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=;;, Signature=",
    "a-text-that-is-far-longer-than-the-sixty-four-characters-which-the-vendor-has-for-ids-and-names",
];

/// JSON that is put in the place of a value, as text: some of it is none.
const JSON: [&str; 26] = [
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "-0.0",
    "123456789012345678901234567890",
    "01",
    "NaN",
    "\"\"",
    "\"a\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"grüße\"",
    "\"a/b:*?\"",
    "\"{}\"",
    "\"[1]\"",
    "\"{\"",
    "[]",
    "{}",
    "[[[[[[]]]]]]",
    "{\"\":{}}",
    "{\"a\":1,\"a\":2}",
    "\"stop\"",
    "\"test_start\"",
    "tru",
];

/// Makes call number `index`.
pub fn malformed(index: u64) -> Malformed {
    let random = &mut Random::new(index);
    let api = Api::ALL[random.below(3)];
    let mut call = Call::start(api, &format!("start-{index}"));
    let good = call.clone();
    let is_signed_first = random.one_in(4);
    if is_signed_first {
        call = call.signed();
    }
    for _ in 0..=random.below(2) {
        mutate(&mut call, random);
    }
    // Signed at the end, most get behind the signature.
    if !is_signed_first && !random.one_in(12) {
        call = call.signed();
        if random.one_in(8) {
            corrupt_authorization(&mut call, random);
        }
        if random.one_in(16) {
            let stale = call.header("X-Sdk-Date", "20251121T000000Z");
            call = stale.header("Date", "Fri, 21 Nov 2025 00:00:00 GMT");
        }
    }
    let front = Front::ALL[random.below(4)];
    let api = (call.path == good.path && call.query == good.query).then_some(api);
    let mut event = call.event(front);
    if random.one_in(10) {
        event["isBase64Encoded"] = true.into();
        if random.one_in(2) {
            event["body"] = STANDARD.encode(&call.body).into();
        }
    }
    Malformed { event, api }
}

fn mutate(call: &mut Call, random: &mut Random) {
    match random.below(12) {
        0 => call.method = random.of(&METHODS).into(),
        1 => mutate_path(call, random),
        2 => call.query = random.of(&QUERIES).into(),
        3 | 4 => {
            let (name, value) = (random.of(&HEADERS), random.of(&VALUES));
            if random.one_in(4) {
                call.headers.push((name.into(), value.into()));
            } else {
                *call = call.clone().header(name, value);
            }
        }
        5 if !call.headers.is_empty() => {
            let place = random.below(call.headers.len());
            call.headers.remove(place);
        }
        6 => mutate_bytes(&mut call.body, random),
        _ => mutate_json(call, random),
    }
}

fn mutate_path(call: &mut Call, random: &mut Random) {
    let mut segments: Vec<String> = call.path.split('/').map(str::to_owned).collect();
    let place = 1 + random.below(segments.len() - 1);
    match random.below(7) {
        5 => segments = call.clone().in_workflow("no-such").path.split('/').map(str::to_owned).collect(),
        0 => segments[place] = "x".repeat(random.below(20_000)),
        1 => segments.insert(place, random.of(&SEGMENTS).into()),
        2 => {
            segments.remove(place);
        }
        3 => segments[place] = segments[place].replace(PROJECT, "another-project"),
        4 => {
            let mut bytes = segments[place].clone().into_bytes();
            mutate_bytes(&mut bytes, random);
            segments[place] = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => segments[place] = random.of(&SEGMENTS).into(),
    }
    call.path = segments.join("/");
}

/// Changes some bytes.
pub fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let place = random.below(bytes.len() + 1);
    match random.below(8) {
        0 => bytes.clear(),
        1 => bytes.truncate(place),
        2 => bytes.insert(place, random.below(256) as u8),
        3 if place < bytes.len() => bytes[place] ^= 1 << random.below(8),
        4 if place < bytes.len() => {
            bytes.remove(place);
        }
        5 => bytes.splice(..0, [0xef, 0xbb, 0xbf]).for_each(drop),
        6 if random.one_in(8) => bytes.resize(262_145, b' '),
        7 => *bytes = [b"[".repeat(place), bytes.clone()].concat(),
        _ => bytes.extend_from_within(place..),
    }
}

/// What stands for the JSON that is put in, until the body is text.
const PLACE: &str = "here it goes wrong";

/// Removes or renames a member of the body, or puts other JSON, or none, in the place of a value.
fn mutate_json(call: &mut Call, random: &mut Random) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&call.body) else {
        return;
    };
    let text = change_value(&mut body, random);
    let replacement = match random.below(8) {
        0 => json!("x".repeat(random.below(2_000))).to_string(),
        1 => json!(format!("\"{}\"", "x".repeat(random.below(70_000)))).to_string(),
        2 | 3 => {
            let mut bytes = text.into_bytes();
            mutate_bytes(&mut bytes, random);
            Value::from(String::from_utf8_lossy(&bytes)).to_string()
        }
        _ => random.of(&JSON).to_owned(),
    };
    call.body = body.to_string().replace(&json!(PLACE).to_string(), &replacement).into_bytes();
}

/// Changes some part of a value, and returns the text that was there before.
fn change_value(value: &mut Value, random: &mut Random) -> String {
    let Value::Object(members) = value else {
        let before = value.as_str().unwrap_or_default().to_owned();
        *value = PLACE.into();
        return before;
    };
    let names: Vec<String> = members.keys().cloned().collect();
    if names.is_empty() || random.one_in(8) {
        *value = PLACE.into();
        return String::new();
    }
    let name = &names[random.below(names.len())];
    match random.below(10) {
        0 => {
            members.remove(name);
        }
        1 => {
            let renamed = members.remove(name).expect("a member");
            members.insert(format!("{name}_"), renamed);
        }
        2 => {
            members.insert("inputs".into(), json!({"format": PLACE}));
        }
        _ => return change_value(&mut members[name], random),
    }
    String::new()
}

fn corrupt_authorization(call: &mut Call, random: &mut Random) {
    for (name, value) in &mut call.headers {
        if name.eq_ignore_ascii_case("authorization") {
            let mut bytes = value.clone().into_bytes();
            mutate_bytes(&mut bytes, random);
            bytes.truncate(8_000);
            *value = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}
