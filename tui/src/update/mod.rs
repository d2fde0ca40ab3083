//! Updates: what a message does to the model, and what it wants done.
//!
//! Owns the way of every message. Pure: no IO, no clock, no drawing; the same model and message always give the same
//! model and effects. Each screen has its file: what a key does, what is asked for it, and how a reply is taken.

mod as_of;
mod branches;
mod causes;
mod compare;
mod detail;
mod diff;
mod find;
mod follow;
mod guide;
mod history;
mod input;
mod line;
mod live;
mod log;
mod mouse;
mod overlay;
mod pipeline;
mod replied;
mod run;
mod stream;
mod streams;
mod waits;
mod what_if;
mod world;

#[cfg(test)]
mod branches_tests;
#[cfg(test)]
mod find_tests;
#[cfg(test)]
mod investigate_tests;
#[cfg(test)]
mod mouse_tests;
#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
mod replies_tests;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits_tests;
#[cfg(test)]
mod what_if_tests;
#[cfg(test)]
mod wide_tests;

use whodunit_core::time::Timestamp;

use crate::effect::{Effect, Failure};
use crate::keys::{self, Action, Binding};
use crate::model::causes::{CausesScreen, Of};
use crate::model::find::FindScreen;
use crate::model::world::WorldScreen;
use crate::model::{App, Connection, Deeper, Model, Overlay, Screen, Top};
use crate::msg::Msg;
use crate::zone::Zone;

pub(crate) use as_of::here;
pub(crate) use history::start_at_stream;
pub(crate) use stream::candidates;

type Effects = Vec<Effect>;

/// Takes a message.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Effects {
    let before = model.tickets();
    let mut answered = None;
    let mut effects = match msg {
        Msg::Key(key) => press(model, &key),
        Msg::Pasted(text) => text
            .chars()
            .filter(|c| !c.is_control())
            .flat_map(|c| press_text(model, c))
            .collect(),
        Msg::Clicked(hit) => mouse::click(model, hit),
        Msg::Dragged { from, to } => mouse::drag(model, from, to),
        Msg::Scrolled { up, over } => mouse::scroll(model, up, over.as_ref()),
        Msg::Resized { columns, rows } => {
            model.app.size = (columns, rows);
            Vec::new()
        }
        Msg::Tick(now) => tick(model, now),
        Msg::Replied { ticket, reply } => {
            answered = Some(ticket);
            replied::take(model, ticket, *reply)
        }
        Msg::Part { ticket, part } => replied::part(model, ticket, *part),
        Msg::Connected(now) => connected(model, now),
        Msg::Disconnected {
            at,
            retry_at,
            cause,
            why,
        } => {
            let app = &mut model.app;
            app.now = at;
            let since = app.connection.away_since().unwrap_or(at);
            app.connection = Connection::Lost {
                since,
                retry_at,
                cause,
                why,
            };
            Vec::new()
        }
        Msg::Silent { at, since } => silent(&mut model.app, at, since),
        Msg::Answered(now) => answered_again(model, now),
        Msg::Live(messages) => live::take(model, messages),
        Msg::RefreshDue => {
            model.app.refresh_pending = false;
            live::refresh(model)
        }
    };
    if let Some(deeper) = model.app.deeper.take() {
        effects.extend(history::open(model, deeper));
    }
    // Questions that no screen waits for any more are not worth the daemon's work.
    let after = model.tickets();
    let given_up = before.difference(&after).copied();
    effects.extend(
        given_up
            .filter(|ticket| Some(*ticket) != answered)
            .map(Effect::Cancel),
    );
    guide::follow(model);
    effects
}

/// Says that something beside the screen's main part could not be had.
fn complain(app: &mut App, failure: Failure, is_away: bool) {
    if !is_away {
        app.complain(failure.message);
    }
}

/// Says why nothing happens.
fn complain_text(app: &mut App, text: &str) -> Effects {
    app.complain(text);
    Vec::new()
}

fn tick(model: &mut Model, now: Timestamp) -> Effects {
    let app = &mut model.app;
    app.now = now;
    app.ticks = app.ticks.wrapping_add(1);
    match &mut model.front {
        Screen::Pipeline(screen) => pipeline::tick(app, screen),
        Screen::Stream(screen) => stream::tick(app, screen),
        _ => Vec::new(),
    }
}

fn silent(app: &mut App, at: Timestamp, since: Timestamp) -> Effects {
    app.now = at;
    app.connection = Connection::Silent { since };
    Vec::new()
}

fn connected(model: &mut Model, now: Timestamp) -> Effects {
    model.app.now = now;
    let was_lost = model.app.connection != Connection::Live;
    model.app.connection = Connection::Live;
    if !was_lost {
        return Vec::new();
    }
    // What was seen before may be old: on the screen in front, and on those one goes back to.
    let mut effects = start(model);
    let Model { app, under, .. } = model;
    for screen in under {
        match screen {
            Screen::Streams(screen) if screen.list.value().is_some() => {
                effects.extend(streams::load(app, screen));
            }
            Screen::Stream(screen) => effects.extend(stream::load(app, screen)),
            _ => {}
        }
    }
    effects
}

/// The live feed was open all the time, so that what is on screen is up to date: only what failed meanwhile is asked again.
/// What is under way is left to be answered.
fn answered_again(model: &mut Model, now: Timestamp) -> Effects {
    model.app.now = now;
    model.app.connection = Connection::Live;
    if model.front.asked().is_empty() {
        start(model)
    } else {
        Vec::new()
    }
}

/// What the screen in front needs, from the start.
pub(crate) fn start(model: &mut Model) -> Effects {
    let app = &mut model.app;
    match &mut model.front {
        Screen::Streams(screen) => streams::load(app, screen),
        Screen::Stream(screen) => stream::load(app, screen),
        Screen::WhatIf(screen) => what_if::load(app, screen),
        Screen::Log(screen) => log::load(app, screen),
        Screen::Find(screen) => find::load(app, screen),
        Screen::Causes(screen) => causes::load(app, screen),
        Screen::Diff(screen) => diff::load(app, screen),
        Screen::World(screen) => world::load(app, screen),
        Screen::Branches(screen) => branches::load(app, screen),
        Screen::Compare(screen) => compare::load(app, screen),
        Screen::Run(screen) => run::load(app, screen),
        Screen::Pipeline(screen) => pipeline::load(app, screen),
    }
}

fn press_text(model: &mut Model, c: char) -> Effects {
    let key = if c == ' ' {
        "space".to_owned()
    } else {
        c.to_string()
    };
    if model.app.overlay.is_some() || input::is_open(&model.front) {
        press(model, &key)
    } else {
        Vec::new()
    }
}

fn press(model: &mut Model, key: &str) -> Effects {
    model.app.notice = None;
    model.warned &= key == "q";
    if key == "ctrl-c" {
        return vec![Effect::Quit];
    }
    if key == "ctrl-z" {
        return vec![Effect::Suspend];
    }
    if model.app.overlay.is_some() {
        return overlay::press(model, key);
    }
    if input::is_open(&model.front) {
        return input::press(&mut model.app, &mut model.front, key);
    }
    match keys::binding(model.front.scope(), key) {
        Some(binding) => run_binding(model, binding),
        None => {
            let key = keys::pretty(key, model.app.theme.ascii);
            model
                .app
                .complain(format!("`{key}` does nothing here; ? shows all keys"));
            Vec::new()
        }
    }
}

/// Does what a row of the key table says, or says why not.
fn run_binding(model: &mut Model, binding: &Binding) -> Effects {
    match binding.why_not(model) {
        Some(why) => complain_text(&mut model.app, why),
        None => act(model, binding.action),
    }
}

/// Goes to a screen that every other one leads to, from what is under the cursor.
fn go_wide(model: &mut Model, action: Action) -> Option<Effects> {
    let deeper = match action {
        Action::Find if !matches!(model.front, Screen::Find(_)) => {
            Deeper::Find(Box::new(FindScreen::empty()))
        }
        Action::Causes if !matches!(model.front, Screen::Causes(_)) => {
            let Some(subject) = model.front.subject() else {
                let why = "there is no event under the cursor";
                return Some(complain_text(&mut model.app, why));
            };
            let of = Of::One(subject.id().to_owned());
            Deeper::Causes(Box::new(CausesScreen::new(of)))
        }
        Action::World if model.front.reads_a_branch() => return None,
        Action::World => Deeper::World(Box::new(WorldScreen::of(model.front.category()))),
        Action::ShowBranches if !matches!(model.front, Screen::Branches(_)) => Deeper::Branches,
        _ => return None,
    };
    Some(history::open(model, deeper))
}

/// Waits no longer for what the screen in front has asked.
fn give_up(model: &mut Model) {
    let asked = model.front.asked();
    let acts = asked.shown_slots().any(waits::changes_something);
    model.front.give_up();
    model.app.say(if acts {
        "no longer waiting for the reply: it may still be carried out"
    } else {
        "cancelled; r loads again"
    });
}

/// What would lead from a branch to what happened is not done from there: the two are never taken for each other.
fn leaves_branch(model: &mut Model, action: Action) -> Option<Effects> {
    let branch = model.front.asked().branch()?;
    let why = match action {
        Action::Find | Action::FollowFrom => "that is of what happened",
        Action::WhatIf => "on a branch, start a what-if from the list of branches (b, then n)",
        _ => return None,
    };
    let text = format!("this is the branch {branch}: {why}");
    Some(complain_text(&mut model.app, &text))
}

/// Does what a key asks for.
fn act(model: &mut Model, action: Action) -> Effects {
    if let Some(effects) = leaves_branch(model, action) {
        return effects;
    }
    if let Some(effects) = go_wide(model, action) {
        return effects;
    }
    match action {
        Action::Quit if model.under.is_empty() => quit(model),
        Action::Quit => history::back(model),
        Action::Back if model.app.guide.is_some() => {
            model.app.guide = None;
            model.app.say("the guide has ended; ? shows all keys");
            Vec::new()
        }
        Action::Back if waits::gives_up(model) => {
            give_up(model);
            Vec::new()
        }
        Action::Back if leaves_pane(&mut model.front) => Vec::new(),
        Action::Back if model.app.as_of.is_some() => as_of::release(model),
        Action::Back => history::back(model),
        Action::Now => as_of::release(model),
        Action::GoTo => {
            as_of::open(&mut model.app);
            Vec::new()
        }
        Action::FollowFrom => follow::open(model),
        Action::WhatIf => what_if::ask(model),
        Action::CopyCall => {
            let call = whodunit_core::text::shown(&model.call()).into_owned();
            model.app.say(format!("copied: {call}"));
            vec![Effect::Copy(call)]
        }
        Action::HistoryBack => history::earlier(model),
        Action::HistoryForward => history::later(model),
        Action::Retry => {
            let mut effects = start(model);
            if model.app.connection != Connection::Live {
                effects.push(Effect::Reconnect);
            }
            effects
        }
        Action::ShowLog => history::show(model, Top::Log),
        Action::ShowStreams => history::show(model, Top::Streams),
        Action::ShowPipeline => history::show(model, Top::Pipeline),
        Action::Help | Action::Palette | Action::ToggleZone => {
            shared(&mut model.app, action);
            Vec::new()
        }
        other => {
            let Model { app, front, .. } = model;
            match front {
                Screen::Streams(screen) => streams::act(app, screen, other),
                Screen::Stream(screen) => stream::act(app, screen, other),
                Screen::WhatIf(screen) => what_if::act(app, screen, other),
                Screen::Log(screen) => log::act(app, screen, other),
                Screen::Find(screen) => find::act(app, screen, other),
                Screen::Causes(screen) => causes::act(app, screen, other),
                Screen::Diff(screen) => diff::act(app, screen, other),
                Screen::World(screen) => world::act(app, screen, other),
                Screen::Branches(screen) => branches::act(app, screen, other),
                Screen::Compare(screen) => compare::act(app, screen, other),
                Screen::Run(screen) => run::act(app, screen, other),
                Screen::Pipeline(screen) => pipeline::act(app, screen, other),
            }
        }
    }
}

/// Ends the program; what would be gone with it is said once.
fn quit(model: &mut Model) -> Effects {
    let unsaved = model.unsaved_what_ifs();
    if unsaved == 0 || model.warned {
        return vec![Effect::Quit];
    }
    model.warned = true;
    let what = crate::text::counted(unsaved as u64, "what-if");
    model.app.complain(format!(
        "{what} not saved (S on the what-if screen saves one); q again quits"
    ));
    Vec::new()
}

/// What is the same on all screens.
fn shared(app: &mut App, action: Action) {
    match action {
        Action::Help => {
            app.overlay = Some(Overlay::Help {
                filter: tui_input::Input::default(),
                scroll: 0,
            });
        }
        Action::Palette => {
            app.overlay = Some(Overlay::Palette {
                filter: tui_input::Input::default(),
                selected: 0,
            });
        }
        _ => {
            app.zone = match app.zone {
                Zone::Utc => Zone::Local(app.local_offset),
                Zone::Local(_) => Zone::Utc,
            };
            let name = match app.zone {
                Zone::Utc => "UTC".to_owned(),
                Zone::Local(_) => format!("local time (now {})", app.zone.name(app.now)),
            };
            app.say(format!("times are shown in {name}"));
        }
    }
}

/// Goes from the state back to the history, if the cursor is there.
fn leaves_pane(front: &mut Screen) -> bool {
    match front {
        Screen::Stream(screen) => std::mem::take(&mut screen.in_state),
        Screen::WhatIf(screen) => what_if::leave_other(screen),
        Screen::Find(screen) => screen.span.take().is_some(),
        _ => false,
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
