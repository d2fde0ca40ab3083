//! A state as rows: one line a field, nested fields by their path, changes marked.

use ratatui::text::{Line, Span};
use serde_json::{Map, Value};
use whodunit_core::diff::{DiffEntry, DiffOp};

use crate::model::fields::{Field, Fields, leaves, with_changes};
use crate::text::{chunks, chunks_at_words, clause, cut, fit, number, safe, width};
use crate::theme::{Theme, Token};
pub(super) use whodunit_core::shown::value as text;

/// Lines that a value takes at most; one that is longer is cut.
const VALUE_LINES: usize = 4;
/// Letters shown before the first one that differs, where what is the same before it is left out.
const COMMON_SHOWN: usize = 8;

/// Says how many fields are not listed, where there are any.
pub(super) fn hidden_line(theme: Theme, hidden: u64) -> Option<Line<'static>> {
    let text = format!("… {} not shown", clause(hidden, "more field", "is"));
    (hidden > 0).then(|| Line::styled(text, theme.style(Token::Warn)))
}

/// A value in lines of at most so many cells: what is too long for [`VALUE_LINES`] of them ends with an ellipsis.
pub(super) fn folded(value: &str, cells: usize) -> Vec<String> {
    let value = cut(value, VALUE_LINES * cells);
    let at_words = chunks_at_words(&value, cells);
    if at_words.len() <= VALUE_LINES {
        return at_words;
    }
    let mut lines = chunks(&value, cells);
    lines.truncate(VALUE_LINES);
    lines
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
    let fields = with_changes(state, diff);
    let column = name_column(&fields, cells);
    let room = cells.saturating_sub(column + 4);
    let mut out = Vec::new();
    for field in &fields.rows {
        let (mark, token, shown) = field_value(theme, field, room);
        let name = fit(&safe(field.name()), column);
        out.extend(field_lines(theme, mark, token, &name, &shown));
    }
    out.extend(hidden_line(theme, fields.hidden));
    out
}

/// Cells that the names of fields take.
pub(super) fn name_column(fields: &Fields<'_>, cells: usize) -> usize {
    let names = fields.rows.iter().map(|row| width(&safe(row.name())));
    names.max().unwrap_or(0).clamp(8, (cells / 2).max(8))
}

/// Cells that a field's value takes in one line, or in one line before and one after a change.
pub(super) fn cells_wanted(field: &Field<'_>) -> usize {
    let wide = |value: &Value| width(&text(value));
    let value = field.value.map(wide).unwrap_or_default();
    match field.change.map(|entry| (entry.op, &entry.before)) {
        Some((DiffOp::Replace, Some(before))) => wide(before).max(value + 2),
        _ => value,
    }
}

/// What a field is, with the mark of what the event did to it, in lines of at most so many cells.
pub(super) fn field_value(
    theme: Theme,
    field: &Field<'_>,
    room: usize,
) -> (&'static str, Token, Vec<String>) {
    let value = field.value.map(text).unwrap_or_default();
    let Some(entry) = field.change else {
        return (" ", Token::Plain, folded(&value, room));
    };
    match (entry.op, &entry.before) {
        (DiffOp::Replace, Some(before)) if entry.path == field.path => {
            let after = noted(&value, entry);
            (
                "~",
                Token::Changed,
                changed(theme, &text(before), &after, room),
            )
        }
        (DiffOp::Replace, _) => ("~", Token::Changed, folded(&value, room)),
        (DiffOp::Remove, _) => ("-", Token::Removed, folded(&value, room)),
        (DiffOp::Add, _) if entry.path.len() > field.path.len() => {
            ("~", Token::Changed, folded(&value, room))
        }
        (DiffOp::Add, _) => ("+", Token::Added, folded(&value, room)),
    }
}

/// A state as one text, `username sarah · email sarah@…`, in at most so many lines; what has no room is counted.
pub(super) fn flowing(
    theme: Theme,
    state: &Map<String, Value>,
    cells: usize,
    rows: usize,
) -> Vec<Line<'static>> {
    let fields = leaves(state);
    let total = fields.rows.len() as u64 + fields.hidden;
    let mut lines: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    let mut shown = 0;
    for field in &fields.rows {
        let name = safe(field.name()).into_owned();
        let value = field.value.map(text).unwrap_or_default();
        let value = cut(&value, cells.saturating_sub(width(&name) + 1).min(40));
        let needs = width(&name) + 1 + width(&value);
        let last = lines.len() >= rows;
        // The last line keeps room for how many more there are.
        let room = if last {
            cells.saturating_sub(12)
        } else {
            cells
        };
        if used > 0 && used + 3 + needs > room {
            if last {
                break;
            }
            lines.push(Vec::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(Span::styled(" · ", theme.style(Token::Muted)));
                used += 3;
            }
            line.push(Span::styled(format!("{name} "), theme.style(Token::Muted)));
            line.push(Span::raw(value));
        }
        used += needs;
        shown += 1;
    }
    if total > shown
        && let Some(line) = lines.last_mut()
    {
        let text = format!(" · {} more", number(total - shown));
        line.push(Span::styled(text, theme.style(Token::Accent)));
    }
    lines.truncate(rows);
    lines.into_iter().map(Line::from).collect()
}

/// The state before and after, field by field.
pub(super) fn differences(theme: Theme, diff: &[DiffEntry], cells: usize) -> Vec<Line<'static>> {
    let name = |entry: &DiffEntry| {
        let path = entry.label.as_deref().unwrap_or(&entry.path);
        safe(path.trim_start_matches('/')).into_owned()
    };
    let column = diff.iter().map(|entry| width(&name(entry))).max();
    let column = column.unwrap_or(0).clamp(6, (cells / 3).max(6));
    let room = cells.saturating_sub(column + 4);
    let lines = diff.iter().flat_map(|entry| {
        let shown = |value: &Option<Value>| value.as_ref().map(text).unwrap_or_default();
        let (before, after) = (shown(&entry.before), shown(&entry.after));
        let (mark, token, lines) = match (&entry.before, &entry.after) {
            (Some(_), None) => ("-", Token::Removed, folded(&before, room)),
            (None, _) => ("+", Token::Added, folded(&after, room)),
            (Some(_), Some(_)) => {
                let after = noted(&after, entry);
                ("~", Token::Changed, changed(theme, &before, &after, room))
            }
        };
        let name = fit(&cut(&name(entry), column), column);
        field_lines(theme, mark, token, &name, &lines)
    });
    lines.collect()
}

/// A field: its name, and its value in as many lines as it takes.
pub(super) fn field_lines(
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
        palette: crate::theme::Palette::None,
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
        let state: Map<String, Value> = (0..crate::model::fields::ROWS_MAX + 3)
            .map(|n| (format!("f{n}"), json!(n)))
            .collect();
        let lines = lines(THEME, &state, &[], 40);
        assert_eq!(lines.len(), crate::model::fields::ROWS_MAX + 1);
        let last = lines.last().unwrap().to_string();
        assert_eq!(last, "… 3 more fields are not shown");
    }
}
