//! Conditions as the rules of a Choice state.

use serde_json::{Value, json};

use crate::workflow::flow::{Comparison, Condition, Constant, Expression, Order};

/// The rule, without its `Next`, that holds where the expression holds for the document at `root`.
///
/// A comparison asks first whether there is something to compare: a Choice state fails at a path that leads nowhere.
pub(super) fn rule(expression: &Expression, root: &str) -> Value {
    let parts = |parts: &[Expression]| parts.iter().map(|part| rule(part, root)).collect::<Vec<Value>>();
    match expression {
        Expression::Any(alternatives) => json!({"Or": parts(alternatives)}),
        Expression::All(conditions) => json!({"And": parts(conditions)}),
        Expression::Compare(path, comparison) => compared(&path.under(root), comparison),
    }
}

/// The rule of an error route, for the result of a call: what it put out, and whether that was thrown.
pub(super) fn route_rule(condition: &Condition) -> Value {
    let thrown = json!({"Variable": "$.result.thrown", "BooleanEquals": true});
    match condition {
        Condition::Thrown => thrown,
        Condition::ThrownIf(expression) => json!({"And": [thrown, rule(expression, "$.result.output")]}),
        Condition::ResultIf(expression) => rule(expression, "$.result.output"),
    }
}

fn compared(variable: &str, comparison: &Comparison) -> Value {
    let present = json!({"Variable": variable, "IsPresent": true});
    let is = |operator: &str, value: Value| json!({"Variable": variable, operator: value});
    match comparison {
        Comparison::Exists => present,
        Comparison::Equals(Constant::Nil, true) => {
            json!({"Or": [{"Variable": variable, "IsPresent": false}, is("IsNull", Value::Bool(true))]})
        }
        Comparison::Equals(Constant::Nil, false) => json!({"And": [present, is("IsNull", Value::Bool(false))]}),
        Comparison::Equals(constant, equal) => {
            let same = match constant {
                Constant::Number(number) => is("NumericEquals", Value::Number(number.clone())),
                Constant::Text(text) => is("StringEquals", Value::String(text.clone())),
                Constant::Boolean(boolean) => is("BooleanEquals", Value::Bool(*boolean)),
                Constant::Nil => is("IsNull", Value::Bool(true)),
            };
            json!({"And": [present, if *equal { same } else { json!({"Not": same}) }]})
        }
        Comparison::Order(order, number) => {
            let operator = match order {
                Order::Less => "NumericLessThan",
                Order::Greater => "NumericGreaterThan",
                Order::AtMost => "NumericLessThanEquals",
                Order::AtLeast => "NumericGreaterThanEquals",
            };
            json!({"And": [present, is(operator, Value::Number(number.clone()))]})
        }
    }
}
