//! Where a command's answer goes: data to standard output, messages to standard error.
//!
//! Owns width, colours, time zone and JSON form. Everything from events is made safe before it is written.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde_json::{Value, json};
use whodunit_core::text::{is_unsafe, shown};
use whodunit_core::time::Timestamp;

use super::exit::CliError;
use super::output::{Fields, Format, Whole, Writer, Written};
use super::style::Token;
use super::table::{Table, Widths};
use crate::app::Palette;
use crate::times::{Least, Pattern};
use crate::zone::Zone;

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the terminal, and no state machine"
)]
pub(crate) struct Form {
    /// Documents for programs instead of text for people.
    pub(crate) json: bool,
    /// Whether there are colours on standard output.
    pub(crate) colours: bool,
    /// Columns of standard output; `None` when it is no terminal: nothing is cut.
    pub(crate) width: Option<usize>,
    /// The zone of times.
    pub(crate) zone: Zone,
    /// Whether standard error is a terminal: progress bars make sense.
    pub(crate) progress: bool,
    /// Whether the screens draw with ASCII only.
    pub(crate) ascii: bool,
    /// Which colours the screens use; `None` asks the terminal.
    pub(crate) palette: Option<Palette>,
    /// When the command runs: times of another year show it.
    pub(crate) now: Option<Timestamp>,
}

/// The times of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    zone: Zone,
    /// None: each is exact.
    pattern: Option<Pattern>,
}

impl Times {
    pub(crate) fn show(self, at: Timestamp) -> String {
        let pattern = self.pattern.unwrap_or_else(|| Pattern::exact(at));
        self.zone.format(at, pattern.as_str())
    }
}

/// Columns from which on times are always shown with their year.
const WIDE: usize = 100;

impl Form {
    /// How times in a table's column are shown: no two of them look alike, and where room is scarce the year is left out if
    /// all are of this one.
    pub(crate) fn times(self, times: impl IntoIterator<Item = Timestamp>) -> Times {
        let least = Least {
            year: self.width.is_none_or(|width| width >= WIDE),
            seconds: true,
        };
        let now = self.now.unwrap_or(Timestamp::MAX);
        let pattern = Pattern::telling_apart(times, now, least, |time, pattern| {
            self.zone.format(time, pattern)
        });
        Times {
            zone: self.zone,
            pattern: Some(pattern),
        }
    }

    /// For rows that come one by one: those to come may differ by less than a second.
    pub(crate) fn exact_times(self) -> Times {
        Times {
            zone: self.zone,
            pattern: None,
        }
    }

    /// As this process's terminal and environment have it.
    pub(crate) fn detect(color: Color, zone: Zone, ascii: bool, palette: Option<Palette>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let width = is_terminal
            .then(|| crossterm::terminal::size().ok())
            .flatten()
            .map(|(columns, _)| usize::from(columns));
        Self {
            json: false,
            colours: match color {
                Color::Auto => is_terminal && !no_colour,
                Color::Always => true,
                Color::Never => false,
            },
            width,
            zone,
            progress: io::stderr().is_terminal(),
            ascii: ascii || !speaks_unicode(),
            palette,
            now: Some(crate::runtime::now()),
        }
    }
}

/// Whether the environment's character set is Unicode. Where it says nothing, it is.
fn speaks_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    set.is_none_or(|set| {
        let set = set.to_lowercase();
        set.contains("utf-8")
            || set.contains("utf8")
            || !set.contains('.') && set != "c" && set != "posix"
    })
}

/// Standard output and error of a command.
pub(crate) struct Terminal<'a> {
    /// How answers are written.
    pub(crate) form: Form,
    out: &'a mut (dyn Write + Send),
    err: &'a mut (dyn Write + Send),
    writer: Writer,
    /// The branch that is read, with its revision.
    branch: Option<(String, u64)>,
}

impl<'a> Terminal<'a> {
    /// A terminal that writes there.
    pub(crate) fn new(
        form: Form,
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
    ) -> Self {
        let format = if form.json {
            Format::Json
        } else {
            Format::Table
        };
        Self {
            form,
            out,
            err,
            writer: Writer::new(format, None),
            branch: None,
        }
    }

    /// From now on documents name the branch that they were read from.
    pub(crate) fn names_branch(&mut self, name: &str, revision: u64) {
        self.branch = Some((name.to_owned(), revision));
    }

    /// With answers in this format, of these fields.
    pub(crate) fn with_output(mut self, format: Format, fields: Option<Fields>) -> Self {
        self.writer = Writer::new(format, fields);
        self.form.json = self.writer.is_structured();
        if format == Format::Wide {
            self.form.width = None;
        }
        self
    }

    /// One that writes in the same way elsewhere.
    pub(crate) fn another<'b>(
        &self,
        out: &'b mut (dyn Write + Send),
        err: &'b mut (dyn Write + Send),
    ) -> Terminal<'b> {
        let format = self.writer.format;
        Terminal::new(self.form, out, err).with_output(format, self.writer.fields.clone())
    }

    /// A line of the answer. The caller has made it safe.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), CliError> {
        writeln!(self.out, "{}", line.as_ref())?;
        Ok(())
    }

    /// Bytes of the answer, as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.out.write_all(bytes)?;
        Ok(())
    }

    /// Bytes for standard error, as they are.
    pub(crate) fn error_bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.err.write_all(bytes)?;
        Ok(())
    }

    /// What was written is seen.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush()?;
        Ok(())
    }

    /// A message for the person, below what was answered before it.
    pub(crate) fn note(&mut self, message: impl AsRef<str>) -> Result<(), CliError> {
        // Where that fails, the flush at the end fails too and is reported.
        let _ = self.out.flush();
        writeln!(self.err, "{}", message.as_ref())?;
        Ok(())
    }

    /// A message that something is worth a look.
    pub(crate) fn warn(&mut self, message: impl AsRef<str>) -> Result<(), CliError> {
        self.note(format!("warning: {}", shown(message.as_ref())))
    }

    /// A value as a whole answer in the format that was asked for; within a text for people as JSON over several lines.
    pub(crate) fn document(&mut self, value: &dyn Whole) -> Result<(), CliError> {
        if self.form.json {
            let written = match &self.branch {
                Some((name, revision)) if self.writer.fields.is_none() => {
                    let named = with_branch(value.value()?, name, *revision);
                    self.writer.document(&named, self.form.width)?
                }
                _ => self.writer.document(value, self.form.width)?,
            };
            return self.written(&written);
        }
        let text = value.pretty()?;
        self.line(text.trim_end_matches('\n'))
    }

    /// A value as one item of an answer that is written as it comes.
    pub(crate) fn record(&mut self, value: &dyn Whole) -> Result<(), CliError> {
        let written = self.writer.record(value)?;
        self.written(&written)
    }

    fn written(&mut self, written: &Written) -> Result<(), CliError> {
        self.out.write_all(written.text.as_bytes())?;
        for note in &written.notes {
            self.note(note)?;
        }
        Ok(())
    }

    /// A table with its heading.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), CliError> {
        let widths = table.widths(self.form.width);
        self.line(table.heading(&widths, self.form.colours))?;
        for line in table.lines(&widths, self.form.colours) {
            self.line(line)?;
        }
        self.left_out(table, &widths)
    }

    /// Says which columns there was no room for.
    pub(crate) fn left_out(&mut self, table: &Table, widths: &Widths) -> Result<(), CliError> {
        match table.left_out(widths) {
            Some(names) => self.note(format!(
                "hint: no room for {names}; `-o wide` shows every column"
            )),
            None => Ok(()),
        }
    }

    /// A text in a token's colour.
    pub(crate) fn paint(&self, token: Token, text: &str) -> String {
        token.paint(text, self.form.colours)
    }

    /// Says what went wrong.
    pub(crate) fn error(&mut self, error: &CliError) -> Result<(), CliError> {
        let is_json = matches!(self.writer.format, Format::Json | Format::Ndjson);
        if self.form.json && is_json {
            let text = crate::json::line(&error.document()).map_err(io::Error::other)?;
            return self.note(json_safe(&text));
        }
        let rejected = error.rule().map_or_else(String::new, |rule| {
            format!("rejected by `{}`: ", shown(rule))
        });
        let text = error.to_string();
        // What this program says of its own command line may show a place in it, on lines of their own. Line breaks that come from
        // a daemon are shown as what they are.
        let lines: Vec<_> = match error {
            CliError::Usage { .. } => text.split('\n').map(shown).collect(),
            _ => vec![shown(&text)],
        };
        self.note(format!("error: {rejected}{}", lines.join("\n")))?;
        if let Some(hint) = error.hint() {
            self.note(format!("hint: {}", shown(&hint)))?;
        }
        Ok(())
    }
}

/// An answer with the branch that it was read from as its first field.
fn with_branch(value: Value, name: &str, revision: u64) -> Value {
    let Value::Object(fields) = value else {
        return value;
    };
    let branch = json!({"name": name, "revision": revision});
    let rest = fields.into_iter().filter(|(field, _)| field != "branch");
    Value::Object(
        [("branch".to_owned(), branch)]
            .into_iter()
            .chain(rest)
            .collect(),
    )
}

/// JSON with every unsafe character written as `\u…`: the same JSON, and safe in a terminal.
pub(crate) fn json_safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        // Line breaks stand between tokens; within a text, JSON has escaped them already.
        if c == '\n' || !is_unsafe(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_and_becomes_safe() {
        let value = json!({"a": "x\u{9b}31m\u{202e}\u{e0001}\u{7f}\n ü"});
        let text = json_safe(&serde_json::to_string(&value).unwrap());
        assert!(!text.chars().any(is_unsafe), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_hint_stands_below_the_answer_it_belongs_to() {
        let screen = Shared::default();
        let mut out = io::BufWriter::new(screen.clone());
        let mut err = screen.clone();
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        terminal.line("the answer").unwrap();
        terminal.note("hint: more").unwrap();
        let written = screen.0.lock().unwrap().clone();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            "the answer\nhint: more\n"
        );
    }

    #[test]
    fn errors_go_to_standard_error_with_their_hint() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        let error = CliError::usage("`x\u{1b}` is odd", "write `y`");
        terminal.error(&error).unwrap();
        let mut terminal = terminal.with_output(Format::Json, None);
        terminal.error(&error).unwrap();
        assert!(out.is_empty());
        let text = String::from_utf8(err).unwrap();
        assert!(
            text.starts_with("error: `x␛` is odd\nhint: write `y`\n{"),
            "{text}"
        );
    }

    #[test]
    fn the_place_of_a_mistake_stands_on_lines_of_its_own() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        let error = CliError::usage("at column 2\n  a\u{1b}b\n   ^", "write `a`");
        terminal.error(&error).unwrap();
        let text = String::from_utf8(err).unwrap();
        assert_eq!(text, "error: at column 2\n  a␛b\n   ^\nhint: write `a`\n");
    }
}
