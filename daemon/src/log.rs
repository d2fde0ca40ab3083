//! The log on stderr: one entry a line, whatever its fields hold.
//!
//! Owns what an entry may look like. What a client sends (an actor, a stream's name, a method) can neither end a line, nor
//! look like another field, nor drive or deceive the terminal that shows it.

use std::fmt::{self, Debug};
use std::io::{self, Write};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as lines, registry};
use whodunit_core::text::is_unsafe;

/// Begins to log, as text for people or as one JSON object an entry. A log that is set already, by a program that embeds this, stays.
pub(crate) fn start(filter: Targets, as_json: bool) {
    let log = if as_json {
        lines::layer()
            .with_writer(|| OneLine::json(io::stderr()))
            .json()
            .flatten_event(true)
            .boxed()
    } else {
        lines::layer()
            .with_ansi(false)
            .with_writer(|| OneLine::text(io::stderr()))
            .fmt_fields(debug_fn(field).delimited(" "))
            .boxed()
    };
    drop(registry().with(log).with(filter).try_init());
}

/// Writes a field. Its value is quoted unless it is one word, so that it cannot look like another field.
fn field(to: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    if field.name() == "message" {
        return to.write_str(&text);
    }
    write!(to, "{}=", field.name())?;
    if is_one_word(&text) || is_quoted(&text) {
        to.write_str(&text)
    } else {
        write!(to, "{text:?}")
    }
}

fn is_one_word(text: &str) -> bool {
    let splits = |c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '=' | '\\');
    !text.is_empty() && !text.contains(splits)
}

/// Whether a text is one quoted text as a whole.
fn is_quoted(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return false };
    let mut escaped = false;
    let plain = inner.chars().all(|c| {
        let fits = escaped || c != '"';
        escaped = c == '\\' && !escaped;
        fits
    });
    plain && !escaped
}

/// Writes each entry as one line of what can be seen: all else is escaped.
struct OneLine<W> {
    out: W,
    as_json: bool,
}

impl<W> OneLine<W> {
    fn text(out: W) -> Self {
        Self {
            out,
            as_json: false,
        }
    }

    fn json(out: W) -> Self {
        Self { out, as_json: true }
    }
}

impl<W: Write> Write for OneLine<W> {
    /// An entry comes as a whole, with its line's end.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let line = entry.strip_suffix(b"\n").unwrap_or(entry);
        let mut text = String::with_capacity(entry.len());
        for c in String::from_utf8_lossy(line).chars() {
            if !is_unsafe(c) {
                text.push(c);
            } else if self.as_json {
                // It stands in a string: nowhere else does JSON have such a character.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.extend(format!("\\u{unit:04x}").chars());
                }
            } else {
                text.extend(c.escape_unicode());
            }
        }
        text.push('\n');
        self.out.write_all(text.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(piece);
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Texts that try to look like something else, or not to be seen.
    const HOSTILE: [&str; 8] = [
        "eve\nINFO all is well",
        "eve who=\"root\"",
        "\"eve\" who=\"root\"",
        "eve\" who=\"root",
        "\r\u{1b}[2J\u{9b}2J",
        "\u{202e}toor\u{2066}",
        "a\u{3164}\u{115f}\u{2800}\u{034f}\u{fe0f}\u{200b}\u{e0041}b",
        "\u{2028}\u{2029}\u{85}\\\"\\",
    ];

    #[test]
    fn no_value_looks_like_another_field_or_entry() {
        for hostile in HOSTILE {
            let kept = Kept::default();
            let out = kept.clone();
            let log = tracing_subscriber::fmt()
                .with_ansi(false)
                .without_time()
                .with_writer(move || OneLine::text(out.clone()))
                .fmt_fields(debug_fn(field).delimited(" "))
                .finish();
            tracing::subscriber::with_default(log, || {
                tracing::info!(who = hostile, shown = %hostile, debug = ?hostile, n = 7, "revealed");
            });
            let text = kept.text();
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(!text.trim_end_matches('\n').contains(is_unsafe), "{text:?}");
            // Out of quotes there is nothing but what we wrote.
            let (mut bare, mut quoted, mut escaped) = (String::new(), false, false);
            for c in text.trim_end().chars() {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quoted => escaped = true,
                    '"' => quoted = !quoted,
                    c if !quoted => bare.push(c),
                    _ => {}
                }
            }
            assert!(!quoted, "{text}");
            assert!(
                bare.ends_with("revealed who= shown= debug= n=7"),
                "{text} {bare}"
            );
        }
    }

    #[test]
    fn an_entry_as_json_is_one_line_of_what_can_be_seen() {
        for hostile in HOSTILE {
            let kept = Kept::default();
            let out = kept.clone();
            let log = tracing_subscriber::fmt()
                .with_writer(move || OneLine::json(out.clone()))
                .json()
                .flatten_event(true)
                .finish();
            tracing::subscriber::with_default(log, || {
                tracing::info!(who = hostile, shown = %hostile, "revealed");
            });
            let text = kept.text();
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(!text.trim_end_matches('\n').contains(is_unsafe), "{text:?}");
            let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (&entry["who"], &entry["shown"]),
                (&hostile.into(), &hostile.into())
            );
        }
    }
}
