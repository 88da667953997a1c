//! Conditions: the vendor's expressions over a JSON document, such as `$.errorCode == 500 || $.errorCode == 503`.
//!
//! The grammar is the one of the vendor's page on expression operators: `[JSONPath] [operator] [constant]`, joined by `&&`,
//! which binds closer, and `||`, with parentheses. Constants are numbers, strings in single quotes, `true`, `false` and
//! `nil` (`null` is taken too). `<`, `>`, `<=` and `>=` compare numbers only; `'*'` stands for any value, beside `==` only.
//!
//! The vendor does not say what a path that leads nowhere does. Here such a comparison is false, `!=` included, so that
//! `$.status != 200` does not hold for every result without a `status`; only `== nil` is true.

use std::fmt;

use serde_json::Number;

use super::path::Path;

/// How deep parentheses may nest; the parser recurses.
const MAX_DEPTH: usize = 100;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Holds if one of them does; at least two.
    Any(Vec<Expression>),
    /// Holds if all of them do; at least two.
    All(Vec<Expression>),
    /// Holds if what the path leads to compares so.
    Compare(Path, Comparison),
}

/// What a value is compared with, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// `==` or, if the flag is false, `!=`.
    Equals(Constant, bool),
    /// `<`, `>`, `<=`, `>=`: numbers only.
    Order(Order, Number),
    /// `== '*'`: there is a value, whatever it is.
    Exists,
}

/// How two numbers are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
}

/// A constant of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// A number, with its spelling.
    Number(Number),
    /// A string. One that was read from an expression has no single quotes in it.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `nil`.
    Nil,
}

/// Why a text is no expression; the message says what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// A comparison does not begin with a path to one place.
    #[error("must compare a JSONPath to one value, such as `$.errorCode`, at character {0}")]
    Path(usize),
    /// No operator follows the path.
    #[error("must have one of `==`, `!=`, `<`, `>`, `<=`, `>=` after the JSONPath, at character {0}")]
    Operator(usize),
    /// No constant follows the operator.
    #[error(
        "must have a number, a string in single quotes, `true`, `false` or `nil` after the operator, at character {0}"
    )]
    Constant(usize),
    /// An order other than of numbers.
    #[error("must compare with a number where it says `<`, `>`, `<=` or `>=`, at character {0}")]
    NumberOnly(usize),
    /// A wildcard beside another operator than `==`.
    #[error("must have `'*'` after `==` only, at character {0}")]
    Wildcard(usize),
    /// A parenthesis is not closed, or too many are open.
    #[error("must close every parenthesis and open no more than {MAX_DEPTH} in each other, at character {0}")]
    Parenthesis(usize),
    /// Something follows the expression.
    #[error("must have `&&`, `||` or nothing after a comparison, at character {0}")]
    Trailing(usize),
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, rest: text, depth: 0 };
        let expression = parser.any()?;
        if parser.rest.is_empty() { Ok(expression) } else { Err(ExpressionError::Trailing(parser.place())) }
    }
}

/// The operator of a comparison.
#[derive(Clone, Copy)]
enum Sign {
    Equal,
    Unequal,
    Order(Order),
}

struct Parser<'a> {
    text: &'a str,
    /// What is not read yet, without leading white space once something was read.
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    /// The number of the character at which it stands, from 1.
    fn place(&self) -> usize {
        self.text[..self.text.len() - self.rest.len()].chars().count() + 1
    }

    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        let taken = self.rest.strip_prefix(token);
        self.rest = taken.unwrap_or(self.rest).trim_start();
        taken.is_some()
    }

    fn any(&mut self) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.all()?];
        while self.take("||") {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.term()?];
        while self.take("&&") {
            parts.push(self.term()?);
        }
        Ok(joined(parts, Expression::All))
    }

    fn term(&mut self) -> Result<Expression, ExpressionError> {
        if !self.take("(") {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpressionError::Parenthesis(self.place()));
        }
        let inner = self.any()?;
        self.depth -= 1;
        if self.take(")") { Ok(inner) } else { Err(ExpressionError::Parenthesis(self.place())) }
    }

    fn comparison(&mut self) -> Result<Expression, ExpressionError> {
        let place = self.place();
        let (path, rest) = Path::prefix_of(self.rest).map_err(|_| ExpressionError::Path(place))?;
        if !path.is_single() {
            return Err(ExpressionError::Path(place));
        }
        self.rest = rest.trim_start();

        let operator = self.place();
        let sign = self.sign().ok_or(ExpressionError::Operator(operator))?;

        let place = self.place();
        let constant = self.constant().ok_or(ExpressionError::Constant(place))?;
        let is_wildcard = constant == Constant::Text("*".to_owned());
        let comparison = match (sign, constant) {
            (Sign::Equal, _) if is_wildcard => Comparison::Exists,
            _ if is_wildcard => return Err(ExpressionError::Wildcard(place)),
            (Sign::Equal, constant) => Comparison::Equals(constant, true),
            (Sign::Unequal, constant) => Comparison::Equals(constant, false),
            (Sign::Order(order), Constant::Number(number)) => Comparison::Order(order, number),
            (Sign::Order(_), _) => return Err(ExpressionError::NumberOnly(place)),
        };
        Ok(Expression::Compare(path, comparison))
    }

    fn sign(&mut self) -> Option<Sign> {
        // The longer ones first: `<=` begins with `<`.
        let signs = [
            ("==", Sign::Equal),
            ("!=", Sign::Unequal),
            ("<=", Sign::Order(Order::AtMost)),
            (">=", Sign::Order(Order::AtLeast)),
            ("<", Sign::Order(Order::Less)),
            (">", Sign::Order(Order::Greater)),
        ];
        signs.into_iter().find(|(token, _)| self.take(token)).map(|(_, sign)| sign)
    }

    fn constant(&mut self) -> Option<Constant> {
        if let Some(quoted) = self.rest.strip_prefix('\'') {
            let (text, rest) = quoted.split_once('\'')?;
            self.rest = rest.trim_start();
            return Some(Constant::Text(text.to_owned()));
        }
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        let constant = match word {
            "true" => Constant::Boolean(true),
            "false" => Constant::Boolean(false),
            "nil" | "null" => Constant::Nil,
            number => Constant::Number(serde_json::from_str(number).ok()?),
        };
        self.rest = rest.trim_start();
        Some(constant)
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, sign) = match self {
            Self::Any(parts) => (parts, " || "),
            Self::All(parts) => (parts, " && "),
            Self::Compare(path, comparison) => return write!(f, "{path} {comparison}"),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(sign)?;
            }
            match part {
                Self::Compare(..) => write!(f, "{part}")?,
                Self::Any(_) | Self::All(_) => write!(f, "({part})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(constant, equal) => write!(f, "{} {constant}", if *equal { "==" } else { "!=" }),
            Self::Order(order, number) => {
                let sign = match order {
                    Order::Less => "<",
                    Order::Greater => ">",
                    Order::AtMost => "<=",
                    Order::AtLeast => ">=",
                };
                write!(f, "{sign} {number}")
            }
            Self::Exists => f.write_str("== '*'"),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Nil => f.write_str("nil"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_example_of_the_vendor_is_read() {
        for text in [
            "$.errorCode == 500",
            "$.name == 'apple'",
            "$.name != 'apple'",
            "$.weight < 12",
            "$.weight > 12",
            "$.weight <= 13.4",
            "$.weight >= 13.4",
            "$.weight == '*'",
            "$.name == 'apple' || $.weight < 12",
            "$.name == 'apple' && $.weight < 12",
        ] {
            assert_eq!(Expression::parse(text).map(|read| read.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn white_space_is_free_and_and_binds_closer_than_or() {
        for (text, written) in [
            ("$.status==500||$.status==404", "$.status == 500 || $.status == 404"),
            (" $.a == 1 || $.b == 2 && $.c == nil ", "$.a == 1 || ($.b == 2 && $.c == nil)"),
            ("( $.a == 1 || $.b == 2 ) && $.c != true", "($.a == 1 || $.b == 2) && $.c != true"),
            ("(($['a b'] == null))", "$['a b'] == nil"),
            ("$.a == -1.50e3", "$.a == -1.50e+3"),
        ] {
            assert_eq!(Expression::parse(text).map(|read| read.to_string()), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_rule_and_the_place() {
        use ExpressionError::{Constant, NumberOnly, Operator, Parenthesis, Path, Trailing, Wildcard};
        for (text, error) in [
            ("", Path(1)),
            ("errorCode == 1", Path(1)),
            ("$.a[*] == 1", Path(1)),
            ("$.a", Operator(4)),
            ("$.a = 1", Operator(5)),
            ("$.a ==", Constant(7)),
            ("$.a == apple", Constant(8)),
            ("$.a == 'apple", Constant(8)),
            ("$.a == 01", Constant(8)),
            ("$.a < 'b'", NumberOnly(7)),
            ("$.a != '*'", Wildcard(8)),
            ("$.a > '*'", Wildcard(7)),
            ("($.a == 1", Parenthesis(10)),
            ("$.a == 1)", Trailing(9)),
            ("$.a == 1 and $.b == 2", Trailing(10)),
            ("$.a == 1 &&", Path(12)),
        ] {
            assert_eq!(Expression::parse(text), Err(error), "{text}");
        }
        assert_eq!(Expression::parse(&"(".repeat(100_000)), Err(Parenthesis(102)));
        assert_eq!(Path(1).to_string(), "must compare a JSONPath to one value, such as `$.errorCode`, at character 1");
    }

    fn expression() -> impl Strategy<Value = Expression> {
        let path = "\\$(\\.[a-z]{1,3}|\\[[0-9]\\]|\\['[a-z -]{1,3}'\\]){0,3}";
        let number =
            || prop_oneof![any::<i64>().prop_map(Number::from), Just(serde_json::from_str("1.50").expect("a number"))];
        let constant = prop_oneof![
            number().prop_map(Constant::Number),
            "[a-z *&|()=]{2,4}".prop_map(Constant::Text),
            any::<bool>().prop_map(Constant::Boolean),
            Just(Constant::Nil),
        ];
        let order = prop::sample::select(vec![Order::Less, Order::Greater, Order::AtMost, Order::AtLeast]);
        let comparison = prop_oneof![
            (constant, any::<bool>()).prop_map(|(constant, equal)| Comparison::Equals(constant, equal)),
            (order, number()).prop_map(|(order, number)| Comparison::Order(order, number)),
            Just(Comparison::Exists),
        ];
        let leaf = (path, comparison)
            .prop_map(|(path, comparison)| Expression::Compare(Path::parse(&path).expect("a path"), comparison));
        leaf.prop_recursive(4, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
                prop::collection::vec(inner, 2..4).prop_map(Expression::All),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(expression in expression()) {
            prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[$.a-c\\[\\]0-9'*()&|=!<> 流\\\\-]{0,30}") {
            if let Ok(expression) = Expression::parse(&text) {
                prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Expression::parse(&text);
        }
    }
}
