//! Fields of a record that its rule does not use: what a mapping leaves behind is counted, by path.
//!
//! A field is used when a template looks at it, at something around it or at something in it, or when a condition says
//! which value it has. That a condition asks whether it is there, or what it is not, tells nothing of its value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::condition::{Condition, Test};
use crate::json::pointer_token;

/// Most fields of one record that are told by path; that there are more is told too.
pub const UNUSED_FIELDS_MAX: usize = 200;
/// Most bytes of a path that are told.
const PATH_BYTES_MAX: usize = 200;

/// Fields of a record that its rule does not use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unused {
    /// Their JSON Pointers, cut where they are very long. Of an object that is not used at all only its own.
    pub paths: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// What a rule uses: a tree of the pointers that it has.
#[derive(Debug, Clone, Default)]
pub(super) struct Used {
    /// Everything here.
    whole: bool,
    /// The value here, if it is a text, a number or a boolean.
    scalar: bool,
    within: BTreeMap<String, Used>,
}

impl Used {
    /// What these templates' pointers and these conditions use.
    pub(super) fn new(pointers: &[&str], when: &[Condition]) -> Self {
        let mut used = Self::default();
        for pointer in pointers {
            used.at(pointer).whole = true;
        }
        for condition in when {
            used.condition(condition);
        }
        used
    }

    fn at(&mut self, pointer: &str) -> &mut Self {
        let tokens = pointer.split('/').skip(1);
        tokens.fold(self, |used, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            used.within.entry(token).or_default()
        })
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::At(pointer, Test::OneOf(_)) => self.at(pointer).scalar = true,
            Condition::All(all) | Condition::Any(all) => {
                for condition in all {
                    self.condition(condition);
                }
            }
            Condition::At(..) | Condition::Not(_) => {}
        }
    }

    /// What it does not use of a record. What says nothing (`null`, an empty text, list or object) is not told; elements
    /// of lists are counted elsewhere.
    pub(super) fn unused(&self, record: &Value) -> Unused {
        let mut unused = Unused::default();
        self.walk(record, &mut String::new(), &mut unused);
        unused
    }

    fn walk(&self, value: &Value, path: &mut String, unused: &mut Unused) {
        if self.whole || unused.more || is_empty(value) {
            return;
        }
        match value {
            Value::Object(fields) if !self.within.is_empty() || path.is_empty() => {
                for (key, value) in fields {
                    let length = path.len();
                    path.push('/');
                    path.push_str(&pointer_token(key));
                    match self.within.get(key) {
                        Some(within) => within.walk(value, path, unused),
                        None if is_empty(value) => {}
                        None => unused.push(path),
                    }
                    path.truncate(length);
                }
            }
            Value::Array(items) if self.looks_at_an_element(items) => {
                for (index, item) in items.iter().enumerate() {
                    let index = index.to_string();
                    if let Some(within) = self.within.get(&index) {
                        let length = path.len();
                        path.push('/');
                        path.push_str(&index);
                        within.walk(item, path, unused);
                        path.truncate(length);
                    }
                }
            }
            Value::Object(_) | Value::Array(_) => unused.push(path),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if !self.scalar {
                    unused.push(path);
                }
            }
        }
    }

    fn looks_at_an_element(&self, items: &[Value]) -> bool {
        let index = |token: &String| token.parse::<usize>().is_ok_and(|at| at < items.len());
        self.within.keys().any(index)
    }
}

impl Unused {
    fn push(&mut self, path: &str) {
        if self.paths.len() == UNUSED_FIELDS_MAX {
            self.more = true;
            return;
        }
        let mut end = path.len().min(PATH_BYTES_MAX);
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        let mut told = path.get(..end).unwrap_or_default().to_owned();
        if end < path.len() {
            told.push('…');
        }
        self.paths.push(told);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mapping::{Applied, Mapping};

    fn unused(rule: &str, record: &Value) -> Unused {
        let mapping = Mapping::parse(&format!("[[rule]]\n{rule}")).unwrap();
        match mapping.apply(record).unwrap() {
            Applied::Mapped(mapped) => mapped.unused,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_that_no_template_looks_at_are_told_by_path() {
        let record = json!({"id": 1, "kind": "Paid", "by": {"name": "ann", "id": 7}, "note": "x", "gone": null,
            "empty": {}, "a/b~c": {"deep": 1}, "lines": [{"sku": "s", "n": 2}, {"sku": "t", "n": 3}],
            "whole": {"a": 1, "b": [1]}, "tags": ["x"]});
        let rule = r#"
            stream = "order-{/id}"
            type = "{/kind}"
            actor = '{/by/login | upper(/by/name)}'
            data = { first = "{/lines/0/sku}", whole = "{/whole}", other = "{/tags/name}" }"#;
        let Unused { mut paths, more } = unused(rule, &record);
        paths.sort();
        let told = ["/a~1b~0c", "/by/id", "/lines/0/n", "/note", "/tags"];
        assert_eq!(
            (paths.as_slice(), more),
            (&told.map(str::to_owned)[..], false)
        );
    }

    #[test]
    fn a_condition_uses_a_field_only_where_it_says_its_value() {
        let record = json!({"id": 1, "kind": "Paid", "state": "x", "error": "no", "v": 2, "object": {"a": 1}});
        let rule = r#"
            stream = "order-{/id}"
            type = "T"
            when = { "/kind" = "Paid", "/error" = { exists = true }, "/state" = { not = "y" }, "/object" = { exists = true },
                any = [{ "/v" = { one_of = [1, 2] } }, { "/v" = 3 }] }"#;
        let Unused { mut paths, .. } = unused(rule, &record);
        paths.sort();
        assert_eq!(paths, ["/error", "/object", "/state"]);
    }

    #[test]
    fn what_is_told_of_one_record_is_bounded() {
        let long = "k".repeat(1_000);
        let mut record = json!({"id": 1});
        record[&long] = json!(1);
        for n in 0..UNUSED_FIELDS_MAX {
            record[n.to_string()] = json!(n);
        }
        let unused = unused("stream = \"s-{/id}\"\ntype = \"T\"", &record);
        assert!(unused.more && unused.paths.len() == UNUSED_FIELDS_MAX);
        assert!(
            unused
                .paths
                .iter()
                .all(|path| path.len() <= PATH_BYTES_MAX + '…'.len_utf8())
        );
    }
}
