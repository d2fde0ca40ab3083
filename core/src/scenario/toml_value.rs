//! TOML values as JSON, digit for digit, and tables of which every key must be known.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;
use crate::nearest::did_you_mean;

pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// The text of a file, for the lines of mistakes.
#[derive(Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t str);

impl Text<'_> {
    pub(super) fn wrong(self, at: usize, key: &str, message: impl Into<String>) -> ScenarioError {
        let before = self.0.get(..at).unwrap_or_default();
        ScenarioError {
            line: before.matches('\n').count() + 1,
            key: key.to_owned(),
            message: message.into(),
        }
    }
}

/// A table of which keys are taken one by one; what is left at the end is not known.
pub(super) struct Table<'t, 'i> {
    text: Text<'t>,
    /// Where it stands, such as `when[2]`; empty for the document.
    path: String,
    at: usize,
    entries: Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Node<'i>)>,
    known: Vec<&'static str>,
}

impl<'t, 'i> Table<'t, 'i> {
    pub(super) fn new(text: Text<'t>, path: &str, at: usize, table: &'t DeTable<'i>) -> Self {
        Self {
            text,
            path: path.to_owned(),
            at,
            entries: table.iter().collect(),
            known: Vec::new(),
        }
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// A mistake of the table itself.
    pub(super) fn wrong(&self, message: impl Into<String>) -> ScenarioError {
        self.text.wrong(self.at, &self.path, message)
    }

    /// A mistake of a value.
    pub(super) fn wrong_at(
        &self,
        node: &Node<'_>,
        key: &str,
        message: impl Into<String>,
    ) -> ScenarioError {
        self.text.wrong(node.span().start, &self.key(key), message)
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<&'t Node<'i>> {
        self.known.push(key);
        let place = self
            .entries
            .iter()
            .position(|(name, _)| name.get_ref() == key)?;
        Some(self.entries.remove(place).1)
    }

    /// All keys that were not taken, for tables whose keys are the caller's.
    pub(super) fn rest(&mut self) -> Vec<(String, &'t Node<'i>)> {
        self.entries
            .drain(..)
            .map(|(name, node)| (name.get_ref().to_string(), node))
            .collect()
    }

    pub(super) fn text_of(&mut self, key: &'static str) -> Result<Option<String>, ScenarioError> {
        self.read(key, "a text in quotes", |node| {
            node.as_str().map(str::to_owned)
        })
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, ScenarioError> {
        self.read(key, "`true` or `false`", DeValue::as_bool)
    }

    pub(super) fn count(&mut self, key: &'static str) -> Result<Option<u64>, ScenarioError> {
        self.read(key, "a whole number", whole)
    }

    pub(super) fn texts(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Vec<String>>, ScenarioError> {
        self.read(key, "a list of texts in quotes", |node| {
            let list = node.as_array()?;
            list.iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect()
        })
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        needed: &str,
        get: impl FnOnce(&DeValue<'i>) -> Option<T>,
    ) -> Result<Option<T>, ScenarioError> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        match get(node.get_ref()) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong_at(node, key, format!("must be {needed}"))),
        }
    }

    /// The tables of a list of tables, or the one table that stands in its place.
    pub(super) fn tables(&mut self, key: &'static str) -> Result<Vec<Self>, ScenarioError> {
        let Some(node) = self.take(key) else {
            return Ok(Vec::new());
        };
        let wrong = || {
            self.wrong_at(
                node,
                key,
                format!("must be tables: `[[{}]]`", self.key(key)),
            )
        };
        let list = node.get_ref().as_array().ok_or_else(wrong)?;
        let each = list.iter().enumerate().map(|(n, item)| {
            let table = item.get_ref().as_table().ok_or_else(wrong)?;
            let path = format!("{}[{}]", self.key(key), n + 1);
            Ok(Self::new(self.text, &path, item.span().start, table))
        });
        each.collect()
    }

    pub(super) fn table(&mut self, key: &'static str) -> Result<Option<Self>, ScenarioError> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        let path = self.key(key);
        match node.get_ref().as_table() {
            Some(table) => Ok(Some(Self::new(self.text, &path, node.span().start, table))),
            None => Err(self.wrong_at(node, key, format!("must be a table: `[{path}]`"))),
        }
    }

    /// A JSON object: a table under `key`, or its JSON text under `text_key`. Exactly one of them may be given.
    pub(super) fn object(
        &mut self,
        key: &'static str,
        text_key: &'static str,
    ) -> Result<Option<Map<String, Value>>, ScenarioError> {
        let table = self.take(key);
        let text = self.take(text_key);
        let (node, key, value) = match (table, text) {
            (None, None) => return Ok(None),
            (Some(node), Some(_)) => {
                let message = format!("give either this or `{text_key}`");
                return Err(self.wrong_at(node, key, message));
            }
            (Some(node), None) => (node, key, self.json(node, key)?),
            (None, Some(node)) => (node, text_key, self.json_text(node, text_key)?),
        };
        match value {
            Value::Object(fields) => Ok(Some(fields)),
            _ => Err(self.wrong_at(node, key, "must be an object, like { field = 1 }")),
        }
    }

    /// The JSON value that a text is.
    pub(super) fn json_text(&self, node: &Node<'_>, key: &str) -> Result<Value, ScenarioError> {
        let Some(text) = node.get_ref().as_str() else {
            return Err(self.wrong_at(node, key, "must be JSON in quotes, like '{\"field\": 1}'"));
        };
        crate::json::read(text)
            .map_err(|error| self.wrong_at(node, key, format!("is not JSON: {error}")))
    }

    /// A TOML value as the JSON value that it reads as.
    pub(super) fn json(&self, node: &Node<'_>, key: &str) -> Result<Value, ScenarioError> {
        Ok(match node.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(number) => {
                if number.radix() != 10 {
                    let message = "write numbers in decimal: events have no other";
                    return Err(self.wrong_at(node, key, message));
                }
                self.number(node, key, number.as_str())?
            }
            DeValue::Float(number) => self.number(node, key, number.as_str())?,
            DeValue::Datetime(_) => {
                let message = "write a time as a text in quotes: JSON has no other";
                return Err(self.wrong_at(node, key, message));
            }
            DeValue::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.json(item, key))
                    .collect::<Result<_, _>>()?,
            ),
            DeValue::Table(table) => {
                let mut fields = Map::new();
                for (name, item) in table {
                    let key = format!("{key}.{}", name.get_ref());
                    fields.insert(name.get_ref().to_string(), self.json(item, &key)?);
                }
                Value::Object(fields)
            }
        })
    }

    fn number(&self, node: &Node<'_>, key: &str, text: &str) -> Result<Value, ScenarioError> {
        text.trim_start_matches('+')
            .parse::<Number>()
            .map(Value::Number)
            .map_err(|_not_json| self.wrong_at(node, key, format!("JSON has no number `{text}`")))
    }

    /// Refuses what was not taken.
    pub(super) fn end(self) -> Result<(), ScenarioError> {
        let Some((name, _)) = self.entries.first() else {
            return Ok(());
        };
        let typed = name.get_ref().as_ref();
        let meant = match did_you_mean(typed, self.known.iter().copied()) {
            Some(meant) => format!("; {meant}"),
            None => format!("; there are {}", self.known.join(", ")),
        };
        let message = format!("there is no such key{meant}");
        Err(self
            .text
            .wrong(name.span().start, &self.key(typed), message))
    }
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}
