//! `--fields a,b.c`: which parts of each item are written.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use whodunit_core::text::shown;

use super::super::exit::CliError;
use super::super::names::did_you_mean;

/// Paths into an item, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(Vec<String>);

impl Fields {
    /// Reads them from the command line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().any(String::is_empty) {
            return Err(
                "write names with commas between them, such as `stream,data.total`".to_owned(),
            );
        }
        Ok(Self(names))
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.clone()
    }

    /// These parts of one item. What is not there is `null`.
    pub(super) fn of_item(&self, item: &Value) -> Value {
        let parts = self
            .0
            .iter()
            .map(|path| (path.clone(), part(item, path).cloned().unwrap_or_default()));
        Value::Object(parts.collect::<Map<_, _>>())
    }

    /// The document with these parts of each item of its list; of itself where it has none.
    ///
    /// # Errors
    /// When no item has a field of one of the names.
    pub(super) fn of_document(
        &self,
        mut document: Value,
        list: Option<&str>,
    ) -> Result<Value, CliError> {
        let Some(list) = list else {
            self.check(std::slice::from_ref(&document))?;
            return Ok(self.of_item(&document));
        };
        if let Some(items) = document[list].as_array_mut() {
            self.check(items)?;
            for item in items {
                *item = self.of_item(item);
            }
        }
        Ok(document)
    }

    fn check(&self, items: &[Value]) -> Result<(), CliError> {
        if items.is_empty() {
            return Ok(());
        }
        for path in &self.0 {
            if items.iter().any(|item| part(item, path).is_some()) {
                continue;
            }
            let known: BTreeSet<&str> = items
                .iter()
                .filter_map(Value::as_object)
                .flat_map(|item| item.keys().map(String::as_str))
                .collect();
            let names: Vec<&str> = known.iter().copied().collect();
            let fields = format!("the fields are {}", shown(&names.join(", ")));
            let hint = match did_you_mean(path, names) {
                Some(meant) => format!("{meant} {fields}"),
                None => fields,
            };
            return Err(CliError::usage(
                format!("no item has a field `{}`", shown(path)),
                hint,
            ));
        }
        Ok(())
    }
}

/// What stands at a path: the field of that very name, or one within another, with dots between; elements of a list by index.
fn part<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    // A field may have a dot in its name: the longest name that there is goes first.
    path.rmatch_indices('.').find_map(|(at, _)| {
        let (name, rest) = path.split_at(at);
        let rest = rest.strip_prefix('.')?;
        let inner = match value {
            Value::Array(items) => items.get(name.parse::<usize>().ok()?)?,
            other => other.get(name)?,
        };
        match inner {
            Value::Array(items) if !rest.contains('.') => items.get(rest.parse::<usize>().ok()?),
            inner => part(inner, rest),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_goes_into_objects_and_lists() {
        let value = json!({"a": {"b.c": 1, "d": [{"e": 2}, 3]}, "a.x": 4});
        for (path, found) in [
            ("a.b.c", Some(json!(1))),
            ("a.d.0.e", Some(json!(2))),
            ("a.d.1", Some(json!(3))),
            ("a.x", Some(json!(4))),
            ("a.y", None),
            ("a.d.9", None),
        ] {
            assert_eq!(part(&value, path), found.as_ref(), "{path}");
        }
        assert!(Fields::parse("a,,b").is_err() && Fields::parse("").is_err());
    }
}
