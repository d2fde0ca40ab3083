//! Answers for programs: JSON, lines of JSON, YAML, CSV, and tables of chosen fields.
//!
//! Owns how a document is written in each format. What a format has no place for is said on standard error.

mod csv;
mod fields;
mod yaml;

use std::io;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use fields::Fields;

use super::exit::CliError;
use super::table::{Cell, Column, Table};
use super::terminal::json_safe;

/// In which format an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table for people, as wide as the terminal
    #[default]
    Table,
    /// The same with every column, nothing cut off
    Wide,
    /// One JSON document; with `--all`, one line per item
    Json,
    /// JSON, one line per item
    Ndjson,
    /// YAML
    Yaml,
    /// Comma-separated values, with a heading
    Csv,
}

/// The lists that documents hold, by the name of their field.
const LISTS: [&str; 6] = ["items", "fields", "values", "matches", "steps", "findings"];

/// Writes documents of one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writer {
    pub(crate) format: Format,
    pub(crate) fields: Option<Fields>,
    /// The columns, once the first rows were written.
    heading: Option<Vec<String>>,
    /// What was said already.
    notes: Vec<String>,
}

/// What is written, and what is said beside it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) notes: Vec<String>,
}

impl Written {
    fn text(text: String) -> Self {
        Self {
            text,
            notes: Vec::new(),
        }
    }
}

impl Writer {
    pub(crate) fn new(format: Format, fields: Option<Fields>) -> Self {
        Self {
            format,
            fields,
            ..Self::default()
        }
    }

    /// Whether answers are documents rather than text for people.
    pub(crate) fn is_structured(&self) -> bool {
        self.fields.is_some() || !matches!(self.format, Format::Table | Format::Wide)
    }

    /// A whole answer.
    pub(crate) fn document(
        &mut self,
        value: &dyn Whole,
        width: Option<usize>,
    ) -> Result<Written, CliError> {
        if self.format == Format::Json && self.fields.is_none() {
            return Ok(Written::text(value.pretty()?));
        }
        let value = value.value()?;
        let list = list_of(&value);
        let value = match &self.fields {
            Some(fields) => fields.of_document(value, list)?,
            None => value,
        };
        let mut out = match (self.format, list) {
            (Format::Json, _) => Written {
                text: value.pretty()?,
                notes: Vec::new(),
            },
            (Format::Yaml, _) => Written {
                text: yaml::document(&value),
                notes: Vec::new(),
            },
            (_, Some(list)) => {
                let items = value[list].as_array().map_or(&[][..], Vec::as_slice);
                let mut out = self.rows(items, width)?;
                out.notes.extend(beside(&value));
                out
            }
            (_, None) => self.rows(std::slice::from_ref(&value), width)?,
        };
        out.notes.retain(|note| !self.notes.contains(note));
        self.notes.extend(out.notes.iter().cloned());
        Ok(out)
    }

    /// One item of an answer that is written as it comes.
    pub(crate) fn record(&mut self, value: &dyn Whole) -> Result<Written, CliError> {
        if matches!(self.format, Format::Json | Format::Ndjson) && self.fields.is_none() {
            return Ok(Written::text(value.line()?));
        }
        let value = value.value()?;
        let value = match &self.fields {
            Some(fields) => fields.of_item(&value),
            None => value,
        };
        let mut out = match self.format {
            Format::Yaml => Written {
                text: yaml::item(&value),
                notes: Vec::new(),
            },
            Format::Csv => self.rows(std::slice::from_ref(&value), None)?,
            Format::Table | Format::Wide => self.line_of_cells(&value),
            Format::Json | Format::Ndjson => Written {
                text: value.line()?,
                notes: Vec::new(),
            },
        };
        out.notes.retain(|note| !self.notes.contains(note));
        self.notes.extend(out.notes.iter().cloned());
        Ok(out)
    }

    /// A row of a table whose other rows are not known.
    fn line_of_cells(&mut self, item: &Value) -> Written {
        let cells = item.as_object().into_iter().flatten();
        let (names, cells): (Vec<String>, Vec<String>) = cells
            .map(|(name, value)| match value {
                Value::Null => (name.clone(), String::new()),
                value => (name.clone(), super::show::value(value)),
            })
            .unzip();
        let mut out = Written::default();
        if self.heading.is_none() {
            out.text = whodunit_core::text::shown(&names.join("  ")).into_owned() + "\n";
            self.heading = Some(names);
        }
        out.text.push_str(cells.join("  ").trim_end());
        out.text.push('\n');
        out
    }

    fn rows(&mut self, items: &[Value], width: Option<usize>) -> Result<Written, CliError> {
        let mut out = Written::default();
        match self.format {
            Format::Csv => {
                let columns = match &self.heading {
                    Some(columns) => columns.clone(),
                    None => {
                        let columns = match &self.fields {
                            Some(fields) => fields.names(),
                            None => columns(items),
                        };
                        out.text.push_str(&csv::heading(&columns));
                        self.heading = Some(columns.clone());
                        columns
                    }
                };
                for item in items {
                    csv::row(item, &columns, &mut out);
                }
            }
            Format::Table | Format::Wide => {
                let width = width.filter(|_| self.format == Format::Table);
                out.text = table(items, self.fields.as_ref(), width);
            }
            Format::Json | Format::Ndjson | Format::Yaml => {
                for item in items {
                    out.text.push_str(&item.line()?);
                }
            }
        }
        Ok(out)
    }
}

/// The field of a document that holds its list.
fn list_of(value: &Value) -> Option<&'static str> {
    LISTS
        .into_iter()
        .find(|name| value.get(name).is_some_and(Value::is_array))
}

/// What stands beside the list of a document and matters where only the list is written.
fn beside(value: &Value) -> Option<String> {
    let cursor = value.get("next_cursor")?.as_str()?;
    Some(format!(
        "hint: there are more: `--all` shows them, `--cursor {}` continues",
        whodunit_core::text::shown(cursor)
    ))
}

/// The fields of all items, in the order in which they appear.
fn columns(items: &[Value]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in items
        .iter()
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
    {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

/// A whole answer or item. Which type it has is of no matter here: what writes it is built once, not for each of them.
pub(crate) trait Whole {
    /// As JSON over several lines.
    fn pretty(&self) -> Result<String, CliError>;
    /// As JSON on one line.
    fn line(&self) -> Result<String, CliError>;
    /// As a value.
    fn value(&self) -> Result<Value, CliError>;
}

impl<T: Serialize> Whole for T {
    fn pretty(&self) -> Result<String, CliError> {
        let text = crate::json::pretty(self).map_err(io::Error::other)?;
        Ok(json_safe(&text) + "\n")
    }

    fn line(&self) -> Result<String, CliError> {
        let text = crate::json::line(self).map_err(io::Error::other)?;
        Ok(json_safe(&text) + "\n")
    }

    fn value(&self) -> Result<Value, CliError> {
        Ok(crate::json::value(self).map_err(io::Error::other)?)
    }
}

fn table(items: &[Value], fields: Option<&Fields>, width: Option<usize>) -> String {
    let names = fields.map_or_else(|| columns(items), Fields::names);
    let mut table = Table::new(vec![Column::new("").shrinks_to(6); names.len()]);
    table.row(names.iter().map(Cell::from).collect::<Vec<_>>());
    for item in items {
        let cells = names.iter().map(|name| match &item[name.as_str()] {
            Value::Null => Cell::from(""),
            value => super::show::value(value).into(),
        });
        table.row(cells.collect::<Vec<_>>());
    }
    let widths = table.widths(width);
    let lines: Vec<String> = table.lines(&widths, false).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page() -> Value {
        json!({
            "items": [
                {"stream": "user-1", "title": "=cmd()", "n": -3, "data": {"a": {"b": 1}, "t": "x,\"y\"\nz"}},
                {"stream": "user-2", "title": null, "n": serde_json::from_str::<Value>("1.50").unwrap(), "extra": true},
            ],
            "next_cursor": "nuser-2", "head": 9
        })
    }

    fn written(format: Format, fields: Option<&str>) -> Written {
        let fields = fields.map(|text| Fields::parse(text).unwrap());
        Writer::new(format, fields)
            .document(&page(), Some(80))
            .unwrap()
    }

    #[test]
    fn lines_and_csv_hold_the_items_and_say_what_is_beside_them() {
        let out = written(Format::Ndjson, None);
        assert_eq!(out.text.lines().count(), 2);
        assert!(out.notes[0].contains("--cursor nuser-2"), "{:?}", out.notes);
        let out = written(Format::Csv, None);
        insta::assert_snapshot!(out.text, @r#"
        stream,title,n,data,extra
        user-1,'=cmd(),-3,"{""a"":{""b"":1},""t"":""x,\""y\""\nz""}",
        user-2,,1.50,,true
        "#);
        assert!(
            out.notes.iter().any(|note| note.contains("spreadsheet")),
            "{:?}",
            out.notes
        );
    }

    #[test]
    fn fields_are_chosen_by_path() {
        let out = written(Format::Csv, Some("stream,data.a.b"));
        insta::assert_snapshot!(out.text, @r"
        stream,data.a.b
        user-1,1
        user-2,
        ");
        let out = written(Format::Json, Some("stream,data.t"));
        let document: Value = serde_json::from_str(&out.text).unwrap();
        assert_eq!(
            document["items"][0],
            json!({"stream": "user-1", "data.t": "x,\"y\"\nz"})
        );
        assert_eq!(document["next_cursor"], "nuser-2");
        let out = written(Format::Table, Some("title,stream"));
        assert!(
            out.text.starts_with("title   stream\n=cmd()  user-1\n"),
            "{}",
            out.text
        );
        let unknown = Fields::parse("strem").unwrap();
        let error = Writer::new(Format::Csv, Some(unknown))
            .document(&page(), None)
            .unwrap_err();
        assert!(error.to_string().contains("`strem`"), "{error}");
        assert!(error.hint().unwrap().contains("stream"), "{error}");
    }

    #[test]
    fn records_come_one_by_one() {
        let mut writer = Writer::new(Format::Csv, None);
        let mut text = String::new();
        let mut notes = Vec::new();
        for item in [json!({"a": 1}), json!({"a": 2, "b": 3}), json!({"b": 4})] {
            let out = writer.record(&item).unwrap();
            text.push_str(&out.text);
            notes.extend(out.notes);
        }
        assert_eq!(text, "a\n1\n2\n\n");
        assert_eq!(notes.len(), 1, "said once: {notes:?}");
        assert!(notes[0].contains("`b`"), "{notes:?}");
        let mut writer = Writer::new(Format::Yaml, None);
        let out = writer.record(&json!({"a": 1, "b": [1]})).unwrap();
        assert_eq!(out.text, "- a: 1\n  b:\n    - 1\n");
    }
}
