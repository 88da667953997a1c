//! Update expressions, built attribute by attribute.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::number;
use crate::clock::Timestamp;

/// A conditional update of one item.
pub(super) struct Update {
    set: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Update {
    /// Begins an update of an item that exists and has not expired.
    pub(super) fn of_live(now: Timestamp) -> Self {
        let mut update = Self {
            set: Vec::new(),
            remove: Vec::new(),
            conditions: vec!["attribute_exists(pk)".to_owned()],
            names: HashMap::new(),
            values: HashMap::new(),
        };
        update.compare("expires_at", ">", number(now.seconds()));
        update
    }

    /// Makes it hold only where the attribute has this value.
    pub(super) fn when(mut self, name: &str, value: AttributeValue) -> Self {
        self.compare(name, "=", value);
        self
    }

    /// Makes it hold only where the attribute is at most this value.
    pub(super) fn when_at_most(mut self, name: &str, value: AttributeValue) -> Self {
        self.compare(name, "<=", value);
        self
    }

    /// Makes it hold only where the attribute has one of these values.
    pub(super) fn when_any(mut self, name: &str, values: impl Iterator<Item = AttributeValue>) -> Self {
        let name = self.name(name);
        let values: Vec<String> = values.map(|value| self.value(value)).collect();
        self.conditions.push(format!("{name} IN ({})", values.join(", ")));
        self
    }

    /// Sets an attribute.
    pub(super) fn set(&mut self, name: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.set.push(format!("{name} = {value}"));
    }

    /// Removes an attribute.
    pub(super) fn remove(&mut self, name: &str) {
        let name = self.name(name);
        self.remove.push(name);
    }

    pub(super) fn expression(&self) -> String {
        let mut expression = format!("SET {}", self.set.join(", "));
        if !self.remove.is_empty() {
            expression += &format!(" REMOVE {}", self.remove.join(", "));
        }
        expression
    }

    pub(super) fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    pub(super) fn names(&self) -> HashMap<String, String> {
        self.names.clone()
    }

    pub(super) fn values(&self) -> HashMap<String, AttributeValue> {
        self.values.clone()
    }

    fn compare(&mut self, name: &str, operator: &str, value: AttributeValue) {
        let (name, value) = (self.name(name), self.value(value));
        self.conditions.push(format!("{name} {operator} {value}"));
    }

    /// A placeholder for an attribute's name: several of ours are reserved words of the expression language.
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}
