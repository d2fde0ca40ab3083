//! Text inputs: the filters of the lists, and what every input does with a key.

use tui_input::{Input, InputRequest};

use super::{Effects, find, log, streams, world};
use crate::model::streams::StreamsScreen;
use crate::model::{App, Screen};

/// Longest text of an input, in characters: pasting a book must not freeze the screen.
const INPUT_MAX: usize = 4_000;

/// Gives a key to an input; whether its text changed.
pub(super) fn edit(input: &mut Input, key: &str) -> bool {
    let request = match key {
        "space" => InputRequest::InsertChar(' '),
        "backspace" | "ctrl-h" => InputRequest::DeletePrevChar,
        "delete" => InputRequest::DeleteNextChar,
        "left" => InputRequest::GoToPrevChar,
        "right" => InputRequest::GoToNextChar,
        "ctrl-left" => InputRequest::GoToPrevWord,
        "ctrl-right" => InputRequest::GoToNextWord,
        "home" | "ctrl-a" => InputRequest::GoToStart,
        "end" | "ctrl-e" => InputRequest::GoToEnd,
        "ctrl-w" => InputRequest::DeletePrevWord,
        "ctrl-u" => InputRequest::DeleteLine,
        "ctrl-k" => InputRequest::DeleteTillEnd,
        _ => {
            let mut chars = key.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) if input.value().chars().count() < INPUT_MAX => {
                    InputRequest::InsertChar(c)
                }
                _ => return false,
            }
        }
    };
    input.handle(request).is_some_and(|changed| changed.value)
}

/// Whether the screen takes keys as text.
pub(super) fn is_open(screen: &Screen) -> bool {
    match screen {
        Screen::Streams(screen) => screen.filtering,
        Screen::Log(screen) => screen.line.typing,
        Screen::Find(screen) => screen.line.typing,
        Screen::World(screen) => screen.typing,
        Screen::Stream(_)
        | Screen::WhatIf(_)
        | Screen::Causes(_)
        | Screen::Diff(_)
        | Screen::Branches(_)
        | Screen::Compare(_)
        | Screen::Pipeline(_) => false,
    }
}

pub(super) fn press(app: &mut App, screen: &mut Screen, key: &str) -> Effects {
    match screen {
        Screen::Streams(screen) => streams_filter(app, screen, key),
        Screen::Log(screen) => log::press(app, screen, key),
        Screen::Find(screen) => find::press(app, screen, key),
        Screen::World(screen) => world::press(app, screen, key),
        Screen::Stream(_)
        | Screen::WhatIf(_)
        | Screen::Causes(_)
        | Screen::Diff(_)
        | Screen::Branches(_)
        | Screen::Compare(_)
        | Screen::Pipeline(_) => Vec::new(),
    }
}

fn streams_filter(app: &mut App, screen: &mut StreamsScreen, key: &str) -> Effects {
    match key {
        "enter" | "tab" => screen.filtering = false,
        // The arrows move in the list while one types.
        "up" => return streams::act(app, screen, crate::keys::Action::Up),
        "down" => return streams::act(app, screen, crate::keys::Action::Down),
        "esc" => {
            screen.filtering = false;
            if !screen.filter.value().is_empty() {
                screen.filter.reset();
                screen.selected = 0;
                return streams::load(app, screen);
            }
        }
        _ => {
            if edit(&mut screen.filter, key) {
                screen.selected = 0;
                return streams::load(app, screen);
            }
        }
    }
    Vec::new()
}
