//! Asking for secrets: typed without being seen, or read from standard input; never from the command line's history.

use std::io::{self, BufRead, IsTerminal, Write};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::exit::CliError;

/// Longest secret, in characters.
const CHARACTERS_MAX: usize = 1024;

/// Whether a person can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; what is typed is not shown.
pub(crate) fn ask(question: &str) -> Result<String, CliError> {
    let mut err = io::stderr();
    write!(err, "{question}: ")?;
    err.flush()?;
    let answer = {
        let _raw = RawMode::enter()?;
        read_hidden()
    };
    writeln!(err)?;
    answer
}

/// Reads one line of standard input.
pub(crate) fn from_stdin(field: &str) -> Result<String, CliError> {
    let mut line = String::new();
    let read = io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| CliError::File {
            place: "standard input".to_owned(),
            error,
        })?;
    if read == 0 {
        return Err(CliError::usage(
            format!("standard input ended before a line for `{field}`"),
            "give one line for each `FIELD=-`, in order",
        ));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Raw mode, left again however this ends.
struct RawMode;

impl RawMode {
    fn enter() -> Result<Self, CliError> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nobody to tell: the terminal is gone then.
        let _ = disable_raw_mode();
    }
}

fn read_hidden() -> Result<String, CliError> {
    let mut secret = String::new();
    loop {
        let Event::Key(key) = read()? else { continue };
        match step(&mut secret, key) {
            Step::More => {}
            Step::Done => return Ok(secret),
            Step::Given => {
                return Err(CliError::usage(
                    "nothing was sent",
                    "interrupted at the prompt",
                ));
            }
        }
    }
}

enum Step {
    More,
    Done,
    Given,
}

fn step(secret: &mut String, key: KeyEvent) -> Step {
    if key.kind == KeyEventKind::Release {
        return Step::More;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Step::Done,
        KeyCode::Esc => return Step::Given,
        KeyCode::Char('c' | 'd') if control => return Step::Given,
        KeyCode::Char('u') if control => secret.clear(),
        KeyCode::Backspace => {
            secret.pop();
        }
        KeyCode::Char(c) if !control && secret.chars().count() < CHARACTERS_MAX => secret.push(c),
        _ => {}
    }
    Step::More
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_secret() {
        let mut secret = String::new();
        for c in "pässx".chars() {
            step(
                &mut secret,
                KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
            );
        }
        step(
            &mut secret,
            KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE),
        );
        assert_eq!(secret, "päss");
        let ctrl_u = KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL);
        step(&mut secret, ctrl_u);
        assert_eq!(secret, "");
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert!(matches!(step(&mut secret, enter), Step::Done));
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(matches!(step(&mut secret, ctrl_c), Step::Given));
    }
}
