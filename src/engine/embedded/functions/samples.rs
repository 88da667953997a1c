//! The functions of the sample workflows, compiled in so that each sample runs from start to end with nothing else
//! installed. They compute what they return from what they get, and touch nothing. `examples/sample-functions.rs` deploys the
//! same functions to Lambda.
//!
//! | workflow | takes its error route where |
//! |---|---|
//! | `media-transcode` | `object` ends in `.broken`: the probe cannot read it |
//! | `order-fanout` | `object` begins with `missing`: there is no such order |
//! | `expense-approval` | `inputs.approver` is `board`: it has not decided, twice |

use serde_json::{Value, json};

use crate::engine::embedded::Failure;

/// Calls the sample of that name; `None` if there is none. A prefix of the name that ends in a hyphen does not count.
pub fn call(name: &str, payload: &Value) -> Option<Result<Value, Failure>> {
    let is = |sample: &str| name == sample || name.strip_suffix(sample).is_some_and(|prefix| prefix.ends_with('-'));
    let (_, function) = SAMPLES.iter().find(|(sample, _)| is(sample))?;
    Some(function(payload))
}

type Sample = fn(&Value) -> Result<Value, Failure>;

const SAMPLES: [(&str, Sample); 14] = [
    ("media-probe", media_probe),
    ("media-transcode", media_transcode),
    ("media-thumbnail", media_thumbnail),
    ("media-report-failure", media_report_failure),
    ("order-read", order_read),
    ("order-reserve-stock", order_reserve_stock),
    ("order-book-carrier", order_book_carrier),
    ("order-write-invoice", order_write_invoice),
    ("order-confirm", order_confirm),
    ("order-cancel", order_cancel),
    ("expense-ask", expense_ask),
    ("expense-decide", expense_decide),
    ("expense-pay", expense_pay),
    ("expense-escalate", expense_escalate),
];

/// An error as a Lambda runtime writes it, with the code that error routes look at.
fn thrown(error_type: &str, code: u32, message: &str) -> Failure {
    let payload = json!({"errorType": error_type, "errorMessage": message, "errorCode": code});
    Failure::new(error_type, payload.to_string())
}

/// A text of the payload; empty where there is none.
fn text<'a>(payload: &'a Value, member: &str) -> &'a str {
    payload[member].as_str().unwrap_or_default()
}

fn media_probe(payload: &Value) -> Result<Value, Failure> {
    let object = text(payload, "object");
    if object.ends_with(".broken") {
        return Err(thrown("UnreadableMedia", 415, "the object is no video"));
    }
    let duration_seconds = 60 + object.len();
    Ok(json!({
        "bucket": payload["bucket"], "object": object, "inputs": payload["inputs"],
        "duration_seconds": duration_seconds,
    }))
}

fn media_transcode(payload: &Value) -> Result<Value, Failure> {
    let object = text(payload, "object");
    let name = object.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let result = format!("{}{stem}.{}", text(payload, "prefix"), text(payload, "format"));
    let middle_seconds = payload["duration_seconds"].as_u64().unwrap_or_default() / 2;
    Ok(json!({"bucket": payload["bucket"], "object": object, "result": result, "middle_seconds": middle_seconds}))
}

fn media_thumbnail(payload: &Value) -> Result<Value, Failure> {
    let object = text(payload, "object");
    Ok(json!({"bucket": payload["bucket"], "object": object, "result": object, "thumbnail": format!("{object}.jpg")}))
}

fn media_report_failure(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"reported": payload["details"], "topic": payload["topic"]}))
}

fn order_read(payload: &Value) -> Result<Value, Failure> {
    let object = text(payload, "object");
    if object.starts_with("missing") {
        return Err(thrown("OrderMissing", 404, "there is no such order"));
    }
    let number = object.strip_suffix(".json").unwrap_or(object);
    Ok(json!({"order": {"number": number, "items": 3, "total": 42.5}, "inputs": payload["inputs"]}))
}

fn order_reserve_stock(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"reservation": {"order": payload["order"]["number"], "warehouse": payload["warehouse"]}}))
}

fn order_book_carrier(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"shipment": {"order": payload["order"]["number"], "carrier": payload["carriers"][0]}}))
}

fn order_write_invoice(payload: &Value) -> Result<Value, Failure> {
    let order = &payload["order"];
    Ok(json!({"invoice": {"order": order["number"], "total": order["total"], "currency": payload["currency"]}}))
}

fn order_confirm(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"confirmed": payload["results"]}))
}

fn order_cancel(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"cancelled": payload["details"]}))
}

fn expense_ask(payload: &Value) -> Result<Value, Failure> {
    let request = json!({"approver": payload["approver"], "receipt": payload["receipt"], "urgent": payload["urgent"]});
    Ok(json!({"request": request, "inputs": payload["inputs"]}))
}

fn expense_decide(payload: &Value) -> Result<Value, Failure> {
    let request = &payload["request"];
    if text(request, "approver") == "board" {
        return Err(thrown("Undecided", 408, "nobody has decided"));
    }
    Ok(json!({"decision": {"by": request["approver"], "approved": true}, "inputs": payload["inputs"]}))
}

fn expense_pay(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"paid": {"amount": payload["amount"], "currency": payload["currency"], "to": payload["iban"]}}))
}

fn expense_escalate(payload: &Value) -> Result<Value, Failure> {
    Ok(json!({"escalated": payload["details"], "channel": payload["channel"]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_name_with_any_prefix() {
        for name in ["order-read", "workflow-order-read", "a-b-order-read"] {
            assert!(call(name, &json!({"object": "18.json"})).is_some_and(|outcome| outcome.is_ok()), "{name}");
        }
        for name in ["read", "border-read", "order-read-2", ""] {
            assert!(call(name, &json!({})).is_none(), "{name}");
        }
    }

    #[test]
    fn no_payload_makes_a_sample_panic() {
        for (name, _) in SAMPLES {
            for payload in [json!(null), json!([]), json!("x"), json!({"request": 1, "order": [], "object": "流"})] {
                assert!(call(name, &payload).is_some());
            }
        }
    }

    #[test]
    fn the_samples_are_the_functions_that_the_workflows_call() {
        let mut called: Vec<String> = Vec::new();
        for file in ["media-transcode", "order-fanout", "expense-approval"] {
            let path = format!("{}/workflows/{file}.json", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).expect("the sample");
            let definition: Value = serde_json::from_str(&text).expect("JSON");
            let functions = definition["functions"].as_array().expect("functions").iter();
            let urns = functions.map(|function| function["operation"].as_str().expect("a URN").to_owned());
            called.extend(urns.map(|urn| urn.split(':').rev().nth(1).expect("a name").to_owned()));
        }
        assert_eq!(called, SAMPLES.map(|(name, _)| name));
    }
}
