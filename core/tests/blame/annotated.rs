//! A state in which every value carries the revision that set it, changed by applying differences one after the other.

use serde_json::{Map, Value};
use whodunit_core::diff::{DiffEntry, DiffOp};
use whodunit_core::json::pointer_token;

pub(crate) struct Annotated(Node);

struct Node {
    by: u64,
    value: Kind,
}

enum Kind {
    Plain(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn new(value: &Value, by: u64) -> Self {
        let value = match value {
            Value::Array(items) => {
                Kind::List(items.iter().map(|item| Self::new(item, by)).collect())
            }
            Value::Object(map) => Kind::Object(
                map.iter()
                    .map(|(key, inner)| (key.clone(), Self::new(inner, by)))
                    .collect(),
            ),
            plain => Kind::Plain(plain.clone()),
        };
        Self { by, value }
    }

    fn apply(&mut self, path: &[String], entry: &DiffEntry, by: u64) {
        let (token, rest) = path.split_first().unwrap();
        let new = entry.after.as_ref().map(|after| Self::new(after, by));
        match (&mut self.value, rest.is_empty(), entry.op) {
            (Kind::List(items), true, DiffOp::Add) => {
                items.insert(token.parse().unwrap(), new.unwrap());
            }
            (Kind::List(items), true, DiffOp::Replace) => {
                items[token.parse::<usize>().unwrap()] = new.unwrap();
            }
            (Kind::List(items), true, DiffOp::Remove) => {
                items.remove(token.parse().unwrap());
                if items.is_empty() {
                    self.by = by;
                }
            }
            (Kind::List(items), false, _) => {
                items[token.parse::<usize>().unwrap()].apply(rest, entry, by);
            }
            (Kind::Object(fields), true, DiffOp::Add) => fields.push((token.clone(), new.unwrap())),
            (Kind::Object(fields), true, DiffOp::Remove) => {
                fields.retain(|(key, _)| key != token);
                if fields.is_empty() {
                    self.by = by;
                }
            }
            (Kind::Object(fields), is_last, _) => {
                let field = fields.iter_mut().find(|(key, _)| key == token).unwrap();
                if is_last {
                    field.1 = new.unwrap();
                } else {
                    field.1.apply(rest, entry, by);
                }
            }
            (Kind::Plain(_), ..) => panic!("{entry:?}"),
        }
    }

    fn fields(&self, path: &str, out: &mut Vec<(String, Value, u64)>) {
        match &self.value {
            Kind::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    item.fields(&format!("{path}/{index}"), out);
                }
            }
            Kind::Object(fields) if !fields.is_empty() => {
                for (key, inner) in fields {
                    inner.fields(&format!("{path}/{}", pointer_token(key)), out);
                }
            }
            Kind::List(_) => out.push((path.to_owned(), Value::Array(Vec::new()), self.by)),
            Kind::Object(_) => out.push((path.to_owned(), Value::Object(Map::new()), self.by)),
            Kind::Plain(value) => out.push((path.to_owned(), value.clone(), self.by)),
        }
    }
}

impl Annotated {
    pub(crate) fn new(state: &Map<String, Value>) -> Self {
        Self(Node::new(&Value::Object(state.clone()), 0))
    }

    pub(crate) fn push(&mut self, revision: u64, diff: &[DiffEntry]) {
        for entry in diff {
            let path: Vec<String> = entry
                .path
                .split('/')
                .skip(1)
                .map(|token| token.replace("~1", "/").replace("~0", "~"))
                .collect();
            self.0.apply(&path, entry, revision);
        }
    }

    /// Path, value and revision of each field, in the order of the state.
    pub(crate) fn fields(&self) -> Vec<(String, Value, u64)> {
        let mut out = Vec::new();
        if let Kind::Object(fields) = &self.0.value
            && !fields.is_empty()
        {
            self.0.fields("", &mut out);
        }
        out
    }
}
