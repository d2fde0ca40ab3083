//! Text inputs: the filters of the lists, and what every input does with a key.

use tui_input::{Input, InputRequest};

use super::{Effects, log, streams};
use crate::model::{Model, Screen};

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

/// Whether the screen in front takes keys as text.
pub(super) fn is_open(model: &Model) -> bool {
    match model.screen {
        Screen::Streams => model.streams.filtering,
        Screen::Log => model.log.filtering,
        Screen::Stream | Screen::WhatIf | Screen::Pipeline => false,
    }
}

pub(super) fn press(model: &mut Model, key: &str) -> Effects {
    match model.screen {
        Screen::Streams => of_streams(model, key),
        Screen::Log => of_log(model, key),
        Screen::Stream | Screen::WhatIf | Screen::Pipeline => Vec::new(),
    }
}

fn of_streams(model: &mut Model, key: &str) -> Effects {
    match key {
        "enter" | "tab" => model.streams.filtering = false,
        // The arrows move in the list while one types.
        "up" => return streams::act(model, crate::keys::Action::Up),
        "down" => return streams::act(model, crate::keys::Action::Down),
        "esc" => {
            model.streams.filtering = false;
            if !model.streams.filter.value().is_empty() {
                model.streams.filter.reset();
                model.streams.selected = 0;
                return streams::load(model);
            }
        }
        _ => {
            if edit(&mut model.streams.filter, key) {
                model.streams.selected = 0;
                return streams::load(model);
            }
        }
    }
    Vec::new()
}

fn of_log(model: &mut Model, key: &str) -> Effects {
    match key {
        "enter" => log::apply_filter(model),
        "esc" => {
            model.log.filtering = false;
            model.log.filter_error = None;
            if model.log.filter.value().is_empty() {
                return Vec::new();
            }
            model.log.filter.reset();
            log::apply_filter(model)
        }
        _ => {
            edit(&mut model.log.filter, key);
            model.log.filter_error = None;
            Vec::new()
        }
    }
}
