//! Whether two JSON values are the same, with numbers compared by value and not by spelling.

use serde_json::{Number, Value};

/// Whether two values are equal. `1`, `1.0` and `10e-1` are, at any size: nothing is rounded.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || Decimal::of(one).is_some_and(|one| Decimal::of(other) == Some(one))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// A number as `digits * 10^exponent`, the digits without leading and trailing zeros.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number; `None` if its exponent is beyond all reason, and the number can only be compared by spelling.
    fn of(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (negative, text) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
        let shift = i64::try_from(trailing_zeros).ok()? - i64::try_from(fraction.len()).ok()?;
        let exponent = exponent.parse::<i64>().ok()?.checked_add(shift)?;
        Some(Self { negative, digits: significant.to_owned(), exponent })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn numbers_are_the_same_however_they_are_spelt() {
        for (one, other) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("1", "0.1E+1"),
            ("0", "-0.00e7"),
            ("1200", "1.2e3"),
            ("-2.50", "-2.5"),
            ("123456789012345678901234567890", "123456789012345678901234567890.0"),
        ] {
            assert!(same(&value(one), &value(other)), "{one} and {other}");
        }
    }

    #[test]
    fn numbers_that_a_double_cannot_tell_apart_are_different() {
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.1000000000000000000001"),
            ("1", "-1"),
            ("10", "1"),
            ("1e99999999999999999999", "2e99999999999999999999"),
        ] {
            assert!(!same(&value(one), &value(other)), "{one} and {other}");
        }
    }

    #[test]
    fn values_of_other_types_are_compared_all_the_way_down() {
        assert!(same(&json!({"a": [1, {"b": null}]}), &value(r#"{"a": [1.0, {"b": null}]}"#)));
        assert!(!same(&json!({"a": 1}), &json!({"b": 1})));
        assert!(!same(&json!([1, 2]), &json!([1])));
        assert!(!same(&json!("1"), &json!(1)));
    }

    proptest! {
        #[test]
        fn any_number_is_the_same_with_its_point_moved(digits in 1..u64::MAX, places in 0..30i32) {
            let one = value(&digits.to_string());
            let other = value(&format!("{digits}{}e-{places}", "0".repeat(usize::try_from(places).expect("not negative"))));
            prop_assert!(same(&one, &other));
        }
    }
}
