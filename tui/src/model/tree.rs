//! A JSON value as a tree that can be folded, searched and copied from: the one way in which long values are read.
//!
//! Owns which rows there are and where the cursor stands among them. Numbers are as recorded.

use std::collections::BTreeSet;

use serde_json::Value;
use tui_input::Input;
use whodunit_core::json::pointer_token;

/// Rows of a value at most; beyond, they are counted.
const ROWS_MAX: usize = 5_000;

/// A row: a value that holds no others, or one that does, with what it holds below it unless it is folded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node<'a> {
    /// JSON Pointer.
    pub(crate) path: String,
    /// Its key or index in what holds it; empty for the root.
    pub(crate) key: String,
    pub(crate) depth: usize,
    pub(crate) value: &'a Value,
    pub(crate) is_folded: bool,
}

impl Node<'_> {
    /// How many values it holds; `None` for one that holds none.
    pub(crate) fn holds(&self) -> Option<usize> {
        match self.value {
            Value::Object(map) if !map.is_empty() => Some(map.len()),
            Value::Array(items) if !items.is_empty() => Some(items.len()),
            _ => None,
        }
    }
}

/// Where one is in a tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    pub(crate) selected: usize,
    folded: BTreeSet<String>,
    /// What is searched for.
    pub(crate) needle: String,
    /// A search that is being typed.
    pub(crate) typing: Option<Input>,
}

impl Tree {
    /// The rows of a value, and how many more there are.
    pub(crate) fn nodes<'a>(&self, value: &'a Value) -> (Vec<Node<'a>>, usize) {
        let mut walk = Walk {
            folded: &self.folded,
            out: Vec::new(),
            more: 0,
        };
        walk.value(String::new(), String::new(), 0, value);
        (walk.out, walk.more)
    }

    /// Folds a row that holds others, or shows them again; one that holds none folds what holds it.
    pub(crate) fn fold(&mut self, value: &Value, folds: Option<bool>) {
        let (nodes, _) = self.nodes(value);
        let Some(node) = nodes.get(self.selected) else {
            return;
        };
        let (path, is_folded) = (node.path.clone(), node.is_folded);
        match (node.holds().is_some(), folds) {
            (true, Some(true)) if is_folded => self.select_parent(&nodes, &path),
            (true, Some(true) | None) if !is_folded => {
                self.folded.insert(path);
            }
            (true, _) => {
                self.folded.remove(&path);
            }
            (false, Some(true)) => self.select_parent(&nodes, &path),
            (false, _) => {}
        }
    }

    fn select_parent(&mut self, nodes: &[Node<'_>], path: &str) {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return;
        };
        if let Some(at) = nodes.iter().position(|node| node.path == parent) {
            self.selected = at;
        }
    }

    /// Goes to the next row in which the needle occurs, or to the one before; whether there is one.
    pub(crate) fn search(&mut self, value: &Value, backward: bool) -> bool {
        let (nodes, _) = self.nodes(value);
        let needle = self.needle.to_lowercase();
        let len = nodes.len();
        let found = (1..=len)
            .map(|step| {
                let step = if backward { len - step } else { step };
                (self.selected + step) % len
            })
            .find(|&index| nodes.get(index).is_some_and(|node| contains(node, &needle)));
        if let Some(found) = found {
            self.selected = found;
        }
        found.is_some() && !needle.is_empty()
    }
}

fn contains(node: &Node<'_>, needle: &str) -> bool {
    let own = match node.value {
        Value::Object(_) | Value::Array(_) if !node.is_folded && node.holds().is_some() => {
            String::new()
        }
        other => whodunit_core::shown::value(other),
    };
    node.key.to_lowercase().contains(needle) || own.to_lowercase().contains(needle)
}

struct Walk<'a, 'f> {
    folded: &'f BTreeSet<String>,
    out: Vec<Node<'a>>,
    more: usize,
}

impl<'a> Walk<'a, '_> {
    #[expect(clippy::needless_pass_by_value, reason = "most of them go into a node")]
    fn value(&mut self, path: String, key: String, depth: usize, value: &'a Value) {
        if self.out.len() >= ROWS_MAX {
            self.more += 1;
            return;
        }
        let is_folded = self.folded.contains(&path);
        self.out.push(Node {
            path: path.clone(),
            key,
            depth,
            value,
            is_folded,
        });
        if is_folded {
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let below = format!("{path}/{}", pointer_token(key));
                    self.value(below, key.clone(), depth + 1, value);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.value(
                        format!("{path}/{index}"),
                        index.to_string(),
                        depth + 1,
                        value,
                    );
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(tree: &Tree, value: &Value) -> Vec<String> {
        let (nodes, _) = tree.nodes(value);
        nodes.into_iter().map(|node| node.path).collect()
    }

    #[test]
    fn what_is_folded_hides_what_it_holds() {
        let value = json!({"a": {"b": [1, {"c": 2}]}, "d/e": 3});
        let mut tree = Tree::default();
        let all = ["", "/a", "/a/b", "/a/b/0", "/a/b/1", "/a/b/1/c", "/d~1e"];
        assert_eq!(paths(&tree, &value), all);
        tree.selected = 2;
        tree.fold(&value, None);
        assert_eq!(paths(&tree, &value), ["", "/a", "/a/b", "/d~1e"]);
        // To the left of a folded one is what holds it; a leaf folds nothing.
        tree.fold(&value, Some(true));
        assert_eq!(tree.selected, 1);
        tree.selected = 3;
        tree.fold(&value, None);
        assert_eq!(paths(&tree, &value).len(), 4);
        tree.selected = 2;
        tree.fold(&value, Some(false));
        assert_eq!(paths(&tree, &value), all);
    }

    #[test]
    fn a_search_goes_round() {
        let value = json!({"status": "active", "note": {"status": "Active too"}});
        let mut tree = Tree {
            needle: "ACTIVE".to_owned(),
            ..Tree::default()
        };
        let mut seen = Vec::new();
        for backward in [false, false, false, true] {
            assert!(tree.search(&value, backward));
            seen.push(tree.selected);
        }
        assert_eq!(seen, [1, 3, 1, 3]);
        tree.needle = "nothing".to_owned();
        assert!(!tree.search(&value, false));
    }
}
