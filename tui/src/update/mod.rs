//! Updates: what a message does to the model, and what it wants done.
//!
//! Owns the way of every message. Pure: no IO, no clock, no drawing; the same model and message always give the same
//! model and effects.

mod history;
mod input;
mod live;
mod log;
mod overlay;
mod pipeline;
mod replies;
mod stream;
mod streams;
mod what_if;

#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
mod tests;

use whodunit_core::time::Timestamp;

use crate::effect::{Effect, Slot};
use crate::keys::{self, Action};
use crate::model::{Connection, Model, Overlay, Screen};
use crate::msg::Msg;
use crate::text::Zone;
use crate::view::click;

pub(crate) use history::start_at_stream;
pub(crate) use overlay::matching;

type Effects = Vec<Effect>;

/// Takes a message.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Effects {
    let effects = match msg {
        Msg::Key(key) => press(model, &key),
        Msg::Pasted(text) => text
            .chars()
            .filter(|c| !c.is_control())
            .flat_map(|c| press_text(model, c))
            .collect(),
        Msg::Clicked { column, row } => match click(model, column, row) {
            Some(time) => stream::go_to_time(model, time),
            None => Vec::new(),
        },
        Msg::Scrolled { up } => {
            let action = if up { Action::Up } else { Action::Down };
            if model.overlay.is_some() {
                overlay::scroll(model, up)
            } else {
                act(model, action)
            }
        }
        Msg::Resized { columns, rows } => {
            model.size = (columns, rows);
            Vec::new()
        }
        Msg::Tick(now) => {
            model.now = now;
            model.ticks = model.ticks.wrapping_add(1);
            match model.screen {
                Screen::Pipeline => pipeline::tick(model),
                Screen::Stream => stream::tick(model),
                Screen::Streams | Screen::WhatIf | Screen::Log => Vec::new(),
            }
        }
        Msg::Replied {
            slot,
            generation,
            reply,
        } => {
            if model.generations.get(&slot) == Some(&generation) {
                model.waiting.remove(&slot);
                replies::take(model, slot, *reply)
            } else {
                Vec::new()
            }
        }
        Msg::Connected(now) => connected(model, now),
        Msg::Disconnected {
            at,
            retry_at,
            cause,
        } => {
            disconnected(model, at, retry_at, cause);
            Vec::new()
        }
        Msg::Live(messages) => live::take(model, messages),
        Msg::RefreshDue => {
            model.refresh_pending = false;
            live::refresh(model)
        }
    };
    if let Some(guide) = model.guide {
        model.guide = Some(guide.follow(model));
    }
    effects
}

fn connected(model: &mut Model, now: Timestamp) -> Effects {
    model.now = now;
    let was_lost = model.connection != Connection::Live;
    model.connection = Connection::Live;
    if was_lost { refresh(model) } else { Vec::new() }
}

fn disconnected(model: &mut Model, at: Timestamp, retry_at: Timestamp, cause: String) {
    model.now = at;
    let since = match model.connection {
        Connection::Lost { since, .. } => since,
        Connection::Connecting | Connection::Live => at,
    };
    model.connection = Connection::Lost {
        since,
        retry_at,
        cause,
    };
}

/// What the screen in front needs, from the start.
pub(crate) fn start(model: &mut Model) -> Effects {
    match model.screen {
        Screen::Streams => streams::load(model),
        Screen::Stream => stream::load(model),
        Screen::WhatIf => what_if::run(model),
        Screen::Log => log::load(model),
        Screen::Pipeline => pipeline::load(model),
    }
}

/// Loads again what the screen in front shows.
fn refresh(model: &mut Model) -> Effects {
    let mut effects = start(model);
    // The lists under it may be old as well.
    if model.screen != Screen::Streams && model.streams.list.value().is_some() {
        effects.extend(streams::load(model));
    }
    effects
}

fn press_text(model: &mut Model, c: char) -> Effects {
    let key = if c == ' ' {
        "space".to_owned()
    } else {
        c.to_string()
    };
    if model.overlay.is_some() || input::is_open(model) {
        press(model, &key)
    } else {
        Vec::new()
    }
}

fn press(model: &mut Model, key: &str) -> Effects {
    model.notice = None;
    if key == "ctrl-c" {
        return vec![Effect::Quit];
    }
    if model.overlay.is_some() {
        return overlay::press(model, key);
    }
    if input::is_open(model) {
        return input::press(model, key);
    }
    match keys::action(model.screen.scope(), key) {
        Some(action) => act(model, action),
        None => Vec::new(),
    }
}

/// Does what a key asks for.
pub(crate) fn act(model: &mut Model, action: Action) -> Effects {
    match action {
        Action::Quit if model.under.is_empty() => vec![Effect::Quit],
        Action::Quit => history::back(model),
        Action::Back if model.guide.is_some() => {
            model.guide = None;
            model.say("the guide has ended; ? shows all keys");
            Vec::new()
        }
        // What is asked for without a word is no reason not to go back.
        Action::Back
            if model
                .waiting
                .iter()
                .any(|(slot, what)| slot.is_main() && !what.is_empty()) =>
        {
            cancel(model)
        }
        Action::Back => history::back(model),
        Action::Help => open(
            model,
            Overlay::Help {
                filter: tui_input::Input::default(),
                scroll: 0,
            },
        ),
        Action::Palette => open(
            model,
            Overlay::Palette {
                filter: tui_input::Input::default(),
                selected: 0,
            },
        ),
        Action::CopyCall => {
            let call = call(model);
            model.say(format!("copied: {call}"));
            vec![Effect::Copy(call)]
        }
        Action::HistoryBack => history::earlier(model),
        Action::HistoryForward => history::later(model),
        Action::ToggleZone => {
            model.zone = if model.zone == Zone::Utc {
                Zone::Local(model.local_offset)
            } else {
                Zone::Utc
            };
            let name = model.zone.name();
            model.say(format!("times are shown in {name}"));
            Vec::new()
        }
        Action::Retry => {
            let mut effects = start(model);
            if model.connection != Connection::Live {
                effects.push(Effect::Reconnect);
            }
            effects
        }
        Action::ShowLog => history::show(model, Screen::Log),
        Action::ShowStreams => history::show(model, Screen::Streams),
        Action::ShowPipeline => history::show(model, Screen::Pipeline),
        other => match model.screen {
            Screen::Streams => streams::act(model, other),
            Screen::Stream => stream::act(model, other),
            Screen::WhatIf => what_if::act(model, other),
            Screen::Log => log::act(model, other),
            Screen::Pipeline => pipeline::act(model, other),
        },
    }
}

fn open(model: &mut Model, overlay: Overlay) -> Effects {
    model.overlay = Some(overlay);
    Vec::new()
}

fn cancel(model: &mut Model) -> Effects {
    let slots: Vec<Slot> = model.waiting.keys().copied().collect();
    model.waiting.clear();
    for slot in &slots {
        *model.generations.entry(*slot).or_default() += 1;
    }
    model.say("cancelled; r loads again");
    replies::cancelled(model);
    slots.into_iter().map(Effect::Cancel).collect()
}

/// The command that gives the same answer as the screen in front.
pub(crate) fn call(model: &Model) -> String {
    match model.screen {
        Screen::Streams => model.streams.call(),
        Screen::Stream => model.stream.as_ref().map_or_else(String::new, |stream| {
            if let Some(Overlay::Diff { .. }) = model.overlay {
                return stream::diff_call(stream);
            }
            stream.call()
        }),
        Screen::WhatIf => model
            .what_if
            .as_ref()
            .map_or_else(String::new, crate::model::what_if::WhatIfScreen::call),
        Screen::Log => model.log.call(),
        Screen::Pipeline => pipeline::call(model),
    }
}

impl Slot {
    /// Whether `Esc` gives up on it: what fills a whole screen.
    fn is_main(self) -> bool {
        matches!(
            self,
            Self::Streams
                | Self::Stream
                | Self::Log
                | Self::WhatIf
                | Self::Jump
                | Self::Diff
                | Self::Pipeline
        )
    }
}

/// Moves an index in a list of `len` rows.
fn moved(index: usize, len: usize, page: usize, action: Action) -> Option<usize> {
    let last = len.saturating_sub(1);
    Some(match action {
        Action::Up => index.saturating_sub(1),
        Action::Down => (index + 1).min(last),
        Action::PageUp => index.saturating_sub(page),
        Action::PageDown => index.saturating_add(page).min(last),
        Action::First => 0,
        Action::Last => last,
        _ => return None,
    })
}
