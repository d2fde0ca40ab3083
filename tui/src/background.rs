//! The terminal's background: asked from the terminal, with a time limit.
//!
//! Owns the question (OSC 11) and what is read of the answer. What is typed meanwhile is kept. A terminal that does not answer has
//! the sixteen colours of its own scheme.

use std::time::Duration;

use crate::theme::Palette;

/// How long a terminal may take to answer: one far away answers a little later, one that cannot never does.
const LIMIT: Duration = Duration::from_millis(150);

/// What is known after asking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    pub(crate) palette: Palette,
    /// What was typed meanwhile.
    pub(crate) typed: String,
}

/// Asks the terminal, which must be in raw mode and not read by anything else.
pub(crate) fn ask() -> Answer {
    // Shades of one's own need more than sixteen colours.
    let has_shades = std::env::var("COLORTERM").is_ok_and(|value| {
        value.eq_ignore_ascii_case("truecolor") || value.eq_ignore_ascii_case("24bit")
    });
    if !has_shades {
        return Answer::default();
    }
    let bytes = exchange().unwrap_or_default();
    read(&String::from_utf8_lossy(&bytes))
}

/// Sends the question and reads until the answer to a second one, which every terminal knows, or until the limit.
#[cfg(unix)]
fn exchange() -> std::io::Result<Vec<u8>> {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::time::Instant;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(b"\x1b]11;?\x1b\\\x1b[c")?;
    let ends = Instant::now() + LIMIT;
    let mut bytes = Vec::new();
    while !has_ended(&bytes) {
        let left = ends.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else {
            break;
        };
        let mut watched = [PollFd::new(&terminal, PollFlags::IN)];
        if poll(&mut watched, Some(&left))? == 0 {
            break;
        }
        let mut piece = [0; 256];
        let read = terminal.read(&mut piece)?;
        bytes.extend(piece.iter().take(read));
        if read == 0 {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(not(unix))]
fn exchange() -> std::io::Result<Vec<u8>> {
    Ok(Vec::new())
}

/// Whether the answer to the second question is there.
#[cfg(unix)]
fn has_ended(bytes: &[u8]) -> bool {
    split_answer(&String::from_utf8_lossy(bytes), "\u{1b}[?", "c").is_some()
}

fn read(text: &str) -> Answer {
    let (colour, rest) = match split_answer(text, "\u{1b}]11;", "\u{1b}\\")
        .or_else(|| split_answer(text, "\u{1b}]11;", "\u{7}"))
    {
        Some((colour, rest)) => (Some(colour), rest),
        None => (None, text.to_owned()),
    };
    let typed = match split_answer(&rest, "\u{1b}[?", "c") {
        Some((_, rest)) => rest,
        None => rest,
    };
    let palette = match colour.as_deref().and_then(lightness) {
        Some(0.5..) => Palette::Light,
        Some(_) => Palette::Dark,
        None => Palette::Sixteen,
    };
    Answer {
        palette,
        typed: typed.chars().filter(|c| !c.is_control()).collect(),
    }
}

/// An answer between two marks, and the text without it.
fn split_answer(text: &str, begin: &str, end: &str) -> Option<(String, String)> {
    let (before, rest) = text.split_once(begin)?;
    let (answer, after) = rest.split_once(end)?;
    Some((answer.to_owned(), format!("{before}{after}")))
}

/// How light a colour is, from 0 to 1: `rgb:ffff/ffff/ffff`.
fn lightness(colour: &str) -> Option<f64> {
    let mut parts = colour.strip_prefix("rgb:")?.split('/').map(|part| {
        let most = 16f64.powi(i32::try_from(part.len()).ok()?) - 1.0;
        let value = u32::from_str_radix(part, 16).ok()?;
        (most > 0.0).then(|| f64::from(value) / most)
    });
    let (red, green, blue) = (parts.next()??, parts.next()??, parts.next()??);
    Some(0.299 * red + 0.587 * green + 0.114 * blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_background_and_what_was_typed_is_kept() {
        let cases = [
            (
                "\u{1b}]11;rgb:ffff/ffff/ffff\u{1b}\\\u{1b}[?62;22c",
                Palette::Light,
                "",
            ),
            (
                "\u{1b}]11;rgb:1e1e/1e1e/2e2e\u{7}\u{1b}[?6c",
                Palette::Dark,
                "",
            ),
            (
                "/s\u{1b}]11;rgb:fa/fa/f0\u{7}a\u{1b}[?6cr",
                Palette::Light,
                "/sar",
            ),
            ("\u{1b}[?6cq", Palette::Sixteen, "q"),
            ("", Palette::Sixteen, ""),
            ("\u{1b}]11;rgb:zz/1/2\u{7}", Palette::Sixteen, ""),
        ];
        for (text, palette, typed) in cases {
            let answer = read(text);
            assert_eq!(
                (answer.palette, answer.typed.as_str()),
                (palette, typed),
                "{text:?}"
            );
        }
    }
}
