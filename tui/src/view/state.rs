//! A state as rows: one line a field, nested fields by their path, changes marked.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};
use serde_json::{Map, Value};
use whodunit_core::diff::{DiffEntry, DiffOp};
use whodunit_core::json::pointer_token;

use crate::text::{chunks, cut, fit, number, safe, width};
use crate::theme::{Theme, Token};

/// Fields shown of a state at most: beyond, a person searches, not reads.
const ROWS_MAX: usize = 2_000;
/// Lines that a value takes at most; one that is longer is cut.
const VALUE_LINES: usize = 4;
/// Letters shown before the first one that differs, where what is the same before it is left out.
const COMMON_SHOWN: usize = 8;

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

/// The leaves of a state, and how many more there are than are shown.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) rows: Vec<FieldRow>,
    hidden: u64,
}

impl Fields {
    /// Says how many fields are not shown, where there are any.
    pub(super) fn hidden_line(&self, theme: Theme) -> Option<Line<'static>> {
        let text = format!("… {} more fields are not shown", number(self.hidden));
        (self.hidden > 0).then(|| Line::styled(text, theme.style(Token::Warn)))
    }
}

/// The leaves of a state.
pub(super) fn fields(state: &Map<String, Value>) -> Fields {
    fn walk(path: &str, value: &Value, out: &mut Fields) {
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
            _ if out.rows.len() >= ROWS_MAX => out.hidden += 1,
            _ => out.rows.push(FieldRow {
                path: path.to_owned(),
                name: path.trim_start_matches('/').to_owned(),
                value: Some(text(value)),
            }),
        }
    }
    let mut out = Fields::default();
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

/// A value in lines of at most so many cells: what is too long for [`VALUE_LINES`] of them ends with an ellipsis.
pub(super) fn folded(value: &str, cells: usize) -> Vec<String> {
    chunks(&cut(value, VALUE_LINES * cells), cells)
        .into_iter()
        .take(VALUE_LINES)
        .collect()
}

/// A value with what differs in it, where it looks as it did before.
pub(super) fn noted(value: &str, entry: &DiffEntry) -> String {
    match &entry.note {
        Some(note) => format!("{value} ({})", safe(note)),
        None => value.to_owned(),
    }
}

/// What a field was and what it became: in one line where there is room, else one below the other.
pub(super) fn changed(theme: Theme, before: &str, after: &str, cells: usize) -> Vec<String> {
    let arrow = if theme.ascii { "->" } else { "→" };
    let one_line = format!("{before} {arrow} {after}");
    if width(&one_line) <= cells {
        return vec![one_line];
    }
    let long = VALUE_LINES * cells;
    let (before, after) = if width(before) + 3 > long || width(after) + 3 > long {
        from_difference(before, after)
    } else {
        (before.to_owned(), after.to_owned())
    };
    let one_line = format!("{before} {arrow} {after}");
    if width(&one_line) <= cells {
        return vec![one_line];
    }
    let mut lines = folded(&before, cells);
    lines.extend(folded(&format!("{arrow} {after}"), cells));
    lines
}

/// Two long texts from shortly before the first letter that differs.
fn from_difference(before: &str, after: &str) -> (String, String) {
    let common = before
        .chars()
        .zip(after.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let skipped = common.saturating_sub(COMMON_SHOWN);
    if skipped == 0 {
        return (before.to_owned(), after.to_owned());
    }
    let rest = |text: &str| format!("…{}", text.chars().skip(skipped).collect::<String>());
    (rest(before), rest(after))
}

/// The lines of a state, with what an event changed in it marked and what it removed still named.
pub(super) fn lines(
    theme: Theme,
    state: &Map<String, Value>,
    diff: &[DiffEntry],
    cells: usize,
) -> Vec<Line<'static>> {
    let fields = fields(state);
    let rows = &fields.rows;
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
    let room = cells.saturating_sub(column + 4);
    let mut out = Vec::new();
    for row in rows {
        let name = fit(&safe(&row.name), column);
        let value = row.value.clone().unwrap_or_default();
        let (mark, token, shown) = match change(&row.path) {
            None => (" ", Token::Plain, folded(&value, room)),
            Some(entry) => match (entry.op, &entry.before) {
                (DiffOp::Replace, Some(before)) if entry.path == row.path => {
                    let after = noted(&value, entry);
                    let shown = changed(theme, &text(before), &after, room);
                    ("~", Token::Changed, shown)
                }
                (DiffOp::Replace, _) => ("~", Token::Changed, folded(&value, room)),
                (DiffOp::Add | DiffOp::Remove, _) => ("+", Token::Added, folded(&value, room)),
            },
        };
        out.extend(field_lines(theme, mark, token, &name, &shown));
    }
    for entry in removed {
        let path = entry.label.as_ref().unwrap_or(&entry.path);
        let name = fit(&safe(path.trim_start_matches('/')), column);
        let before = entry.before.as_ref().map(text).unwrap_or_default();
        let shown = folded(&before, room);
        out.extend(field_lines(theme, "-", Token::Removed, &name, &shown));
    }
    out.extend(fields.hidden_line(theme));
    out
}

/// A field: its name, and its value in as many lines as it takes.
fn field_lines(
    theme: Theme,
    mark: &str,
    token: Token,
    name: &str,
    value: &[String],
) -> Vec<Line<'static>> {
    let name_token = match token {
        Token::Plain | Token::Removed => Token::Muted,
        other => other,
    };
    let line = |(index, part): (usize, &String)| {
        let (mark, name) = if index == 0 {
            (mark, name.to_owned())
        } else {
            (" ", fit("", width(name)))
        };
        Line::from(vec![
            Span::styled(format!("{mark} "), theme.style(token)),
            Span::styled(name, theme.style(name_token)),
            Span::raw("  "),
            Span::styled(part.clone(), theme.style(token)),
        ])
    };
    value.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const THEME: Theme = Theme {
        colour: false,
        ascii: false,
    };

    fn shown(state: &Value, diff: &[DiffEntry], cells: usize) -> Vec<String> {
        lines(THEME, state.as_object().unwrap(), diff, cells)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn replaced(path: &str, before: &str, after: &str) -> DiffEntry {
        let entry = json!({"path": path, "op": "replace", "before": before, "after": after});
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn a_number_keeps_its_digits_however_narrow_the_pane() {
        let state: Value =
            serde_json::from_str(r#"{"balance": 123456789012345678901234567890}"#).unwrap();
        let text: String = shown(&state, &[], 24)
            .iter()
            .map(|line| line.get(12..).unwrap_or_default().trim_end())
            .collect();
        assert_eq!(text, "123456789012345678901234567890");
    }

    #[test]
    fn what_a_change_led_to_is_in_sight() {
        let (before, after) = ("2025-03-20T03:00:00Z", "2025-03-24T15:47:23Z");
        let diff = [replaced("/updated_at", before, after)];
        let lines = shown(&json!({"updated_at": after}), &diff, 38);
        assert_eq!(
            lines,
            [
                "~ updated_at  2025-03-20T03:00:00Z",
                "              → 2025-03-24T15:47:23Z"
            ]
        );
    }

    #[test]
    fn of_long_texts_the_part_that_differs_is_shown() {
        let long = "x".repeat(10_000);
        let (before, after) = (format!("{long}one"), format!("{long}two"));
        let diff = [replaced("/note", &before, &after)];
        let lines = shown(&json!({"note": after}), &diff, 40);
        assert_eq!(lines, ["~ note      …xxxxxxxxone → …xxxxxxxxtwo"]);
    }

    #[test]
    fn fields_beyond_the_bound_are_counted() {
        let state: Map<String, Value> = (0..ROWS_MAX + 3)
            .map(|n| (format!("f{n}"), json!(n)))
            .collect();
        let lines = lines(THEME, &state, &[], 40);
        assert_eq!(lines.len(), ROWS_MAX + 1);
        let last = lines.last().unwrap().to_string();
        assert_eq!(last, "… 3 more fields are not shown");
    }
}
