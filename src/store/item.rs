//! Reading and writing attributes. A bad item is an error that names the attribute.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::workflow::StoreError;

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The format of the items this version writes, and the only one it reads.
pub(super) const FORMAT_VERSION: u32 = 1;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Writes the attributes of an item.
pub(super) struct Writer(Item);

impl Writer {
    /// Begins an item with its key and format version.
    pub(super) fn new(pk: String, sk: &str) -> Self {
        Self(Item::new()).text("pk", pk).text("sk", sk).number("v", i64::from(FORMAT_VERSION))
    }

    pub(super) fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), text(value));
        self
    }

    pub(super) fn optional_text(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn number(mut self, name: &str, value: i64) -> Self {
        self.0.insert(name.to_owned(), number(value));
        self
    }

    pub(super) fn optional_number(self, name: &str, value: Option<i64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    pub(super) fn flag(mut self, name: &str, value: bool) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::Bool(value));
        self
    }

    pub(super) fn finish(self) -> Item {
        self.0
    }
}

/// Reads the attributes of an item.
pub(super) struct Reader<'a>(&'a Item);

impl<'a> Reader<'a> {
    /// Begins to read an item of the known format version.
    pub(super) fn new(item: &'a Item) -> Result<Self, StoreError> {
        let reader = Self(item);
        match reader.number("v")? {
            version if version == i64::from(FORMAT_VERSION) => Ok(reader),
            _ => Err(corrupt("v")),
        }
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, StoreError> {
        self.optional_text(name)?.ok_or_else(|| corrupt(name))
    }

    pub(super) fn optional_text(&self, name: &'static str) -> Result<Option<&'a str>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(value)) => Ok(Some(value)),
            Some(_) => Err(corrupt(name)),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<i64, StoreError> {
        self.optional_number(name)?.ok_or_else(|| corrupt(name))
    }

    pub(super) fn optional_number(&self, name: &'static str) -> Result<Option<i64>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(value)) => value.parse().map(Some).map_err(|_| corrupt(name)),
            Some(_) => Err(corrupt(name)),
        }
    }

    /// Reads a number that counts something.
    pub(super) fn count(&self, name: &'static str) -> Result<u32, StoreError> {
        u32::try_from(self.number(name)?).map_err(|_| corrupt(name))
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<&'a [u8], StoreError> {
        match self.0.get(name) {
            Some(AttributeValue::B(value)) => Ok(value.as_ref()),
            _ => Err(corrupt(name)),
        }
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, StoreError> {
        match self.0.get(name) {
            Some(AttributeValue::Bool(value)) => Ok(*value),
            _ => Err(corrupt(name)),
        }
    }

    pub(super) fn millis(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        self.number(name).map(Timestamp::from_millis)
    }

    pub(super) fn seconds(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        self.number(name).map(Timestamp::from_seconds)
    }

    pub(super) fn uuid(&self, name: &'static str) -> Result<Uuid, StoreError> {
        self.parsed(name, |text| Uuid::parse_str(text).ok())
    }

    /// Reads a text that must mean something.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.text(name)?).ok_or_else(|| corrupt(name))
    }
}

/// The error for an attribute that is missing, of the wrong type, or means nothing.
pub(super) fn corrupt(attribute: &'static str) -> StoreError {
    StoreError::Corrupt(format!("attribute `{attribute}`"))
}
