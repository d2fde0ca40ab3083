//! A state as rows: one line a field, nested fields by their path, changes marked.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};
use serde_json::{Map, Value};
use whodunit_core::diff::{DiffEntry, DiffOp};
use whodunit_core::json::pointer_token;

use crate::text::{cut, fit, safe, width};
use crate::theme::{Theme, Token};

/// Rows shown of a state at most: beyond, a person searches, not reads.
const ROWS_MAX: usize = 2_000;

/// A field of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldRow {
    /// JSON Pointer.
    pub(super) path: String,
    /// The pointer without its first slash.
    pub(super) name: String,
    /// The value as text; `None` where there is none.
    pub(super) value: Option<String>,
}

/// The leaves of a state.
pub(super) fn fields(state: &Map<String, Value>) -> Vec<FieldRow> {
    fn walk(path: &str, value: &Value, out: &mut Vec<FieldRow>) {
        if out.len() >= ROWS_MAX {
            return;
        }
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    walk(&format!("{path}/{}", pointer_token(key)), value, out);
                }
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (index, value) in items.iter().enumerate() {
                    walk(&format!("{path}/{index}"), value, out);
                }
            }
            _ => out.push(FieldRow {
                path: path.to_owned(),
                name: path.trim_start_matches('/').to_owned(),
                value: Some(text(value)),
            }),
        }
    }
    let mut out = Vec::new();
    for (key, value) in state {
        walk(&format!("/{}", pointer_token(key)), value, &mut out);
    }
    out
}

/// A value as one line of safe text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => safe(text).into_owned(),
        other => safe(&other.to_string()).into_owned(),
    }
}

/// The lines of a state, with what an event changed in it marked and what it removed still named.
pub(super) fn lines(
    theme: Theme,
    state: &Map<String, Value>,
    diff: &[DiffEntry],
    cells: usize,
) -> Vec<Line<'static>> {
    let rows = fields(state);
    let removed = diff.iter().filter(|entry| entry.op == DiffOp::Remove);
    let names = rows
        .iter()
        .map(|row| width(&safe(&row.name)))
        .chain(removed.clone().map(|entry| width(&entry.path)));
    let column = names.max().unwrap_or(0).clamp(8, (cells / 2).max(8));
    let changes: BTreeMap<&str, &DiffEntry> = diff
        .iter()
        .map(|entry| (entry.path.as_str(), entry))
        .collect();
    // A row below a replaced or added object is changed as well.
    let change = |path: &str| {
        changes.get(path).copied().or_else(|| {
            changes
                .iter()
                .find(|(at, _)| {
                    path.strip_prefix(**at)
                        .is_some_and(|rest| rest.starts_with('/'))
                })
                .map(|(_, e)| *e)
        })
    };
    let mut out = Vec::new();
    for row in &rows {
        let name = fit(&safe(&row.name), column);
        let value = row.value.clone().unwrap_or_default();
        let (mark, token, shown) = match change(&row.path) {
            None => (" ", Token::Plain, value),
            Some(entry) => match (entry.op, &entry.before) {
                (DiffOp::Replace, Some(before)) if entry.path == row.path => {
                    let arrow = if theme.ascii { "->" } else { "→" };
                    (
                        "~",
                        Token::Changed,
                        format!("{} {arrow} {value}", text(before)),
                    )
                }
                (DiffOp::Replace, _) => ("~", Token::Changed, value),
                (DiffOp::Add | DiffOp::Remove, _) => ("+", Token::Added, value),
            },
        };
        out.push(line(theme, mark, token, &name, &shown, cells));
    }
    for entry in removed {
        let path = entry.label.as_ref().unwrap_or(&entry.path);
        let name = fit(&safe(path.trim_start_matches('/')), column);
        let before = entry.before.as_ref().map(text).unwrap_or_default();
        out.push(line(theme, "-", Token::Removed, &name, &before, cells));
    }
    out
}

fn line(
    theme: Theme,
    mark: &str,
    token: Token,
    name: &str,
    value: &str,
    cells: usize,
) -> Line<'static> {
    let name_token = if token == Token::Plain {
        Token::Muted
    } else {
        token
    };
    let room = cells.saturating_sub(width(name) + 4);
    Line::from(vec![
        Span::styled(format!("{mark} "), theme.style(token)),
        Span::styled(
            name.to_owned(),
            if token == Token::Removed {
                theme.style(Token::Muted)
            } else {
                theme.style(name_token)
            },
        ),
        Span::raw("  "),
        Span::styled(cut(value, room), theme.style(token)),
    ])
}
