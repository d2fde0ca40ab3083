//! Comma-separated values (RFC 4180, with `\n` at the end of a line).
//!
//! A text that a spreadsheet would take for a formula gets a `'` before it, and control characters are shown as symbols; both
//! are said.

use serde_json::Value;
use whodunit_core::text::{is_unsafe, shown};

use super::Written;

const FORMULA: &str = "note: texts that begin with =, +, - or @ are prefixed with ', so that no spreadsheet runs them";
const CONTROL: &str =
    "note: control characters are written as symbols; `-o json` has them unchanged";

/// The line of the columns' names.
pub(super) fn heading(columns: &[String]) -> String {
    let mut out = Written::default();
    let cells: Vec<String> = columns.iter().map(|name| text(name, &mut out)).collect();
    cells.join(",") + "\n"
}

/// An item's line. A field without a column is named in a note.
pub(super) fn row(item: &Value, columns: &[String], out: &mut Written) {
    let cells: Vec<String> = match item {
        Value::Object(fields) => {
            for name in fields.keys().filter(|name| !columns.contains(name)) {
                let note = format!(
                    "note: `{}` is not among the columns, which are the first item's: name them with `--fields`",
                    shown(name)
                );
                out.note(note);
            }
            columns
                .iter()
                .map(|name| cell(fields.get(name), out))
                .collect()
        }
        other => vec![cell(Some(other), out)],
    };
    out.text.push_str(&cells.join(","));
    out.text.push('\n');
}

impl Written {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

fn cell(value: Option<&Value>, out: &mut Written) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(value)) => text(value, out),
        // A number is none that a spreadsheet runs, even with its sign.
        Some(Value::Number(number)) => number.to_string(),
        Some(other) => text(&other.to_string(), out),
    }
}

fn text(value: &str, out: &mut Written) -> String {
    let mut cell = String::with_capacity(value.len());
    if value.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        cell.push('\'');
        out.note(FORMULA.to_owned());
    }
    let mut units = [0; 4];
    for character in value.chars() {
        if character != '\n' && is_unsafe(character) {
            out.note(CONTROL.to_owned());
            cell.push_str(&shown(character.encode_utf8(&mut units)));
        } else {
            cell.push(character);
        }
    }
    // An empty text is told apart from nothing.
    let is_plain = !cell.is_empty()
        && !cell.contains([',', '"', '\n', '\r', ';', '\t'])
        && !cell.starts_with(' ')
        && !cell.ends_with(' ');
    if is_plain {
        return cell;
    }
    format!("\"{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> (String, usize) {
        let mut out = Written::default();
        let cell = text(value, &mut out);
        (cell, out.notes.len())
    }

    #[test]
    fn no_text_runs_as_a_formula_or_moves_the_cursor() {
        for (value, cell) in [
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'␉=1\""),
        ] {
            let (got, notes) = of(value);
            assert!(notes > 0, "{value}");
            if !value.starts_with('\t') {
                assert_eq!(got, cell);
            }
            assert!(
                !got.contains('\t') && got.trim_start_matches('"').starts_with('\''),
                "{got}"
            );
        }
        assert_eq!(of("a\u{1b}[31m").0, "a␛[31m");
        assert_eq!(of("plain"), ("plain".to_owned(), 0));
    }

    #[test]
    fn what_needs_quotes_has_them() {
        for (value, cell) in [
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" x", "\" x\""),
        ] {
            assert_eq!(of(value).0, cell);
        }
    }
}
