//! The moment that is held: set on any screen, kept across all of them, until it is released.

use tui_input::Input;
use whodunit_core::time::Timestamp;

use super::input::edit;
use super::{Effects, stream, streams, world};
use crate::client::Subject;
use crate::model::log::LogRow;
use crate::model::{App, Model, Overlay, Screen};
use crate::request::Slot;
use crate::time_input::{Here, Target, parse};

/// Opens the box that asks for a moment, or on a stream for a revision.
pub(super) fn open(app: &mut App) {
    app.overlay = Some(Overlay::GoTo {
        input: Input::default(),
        error: None,
    });
}

pub(super) fn press(
    model: &mut Model,
    mut input: Input,
    error: Option<String>,
    key: &str,
) -> Effects {
    if key != "enter" {
        let changed = edit(&mut input, key);
        model.app.overlay = Some(Overlay::GoTo {
            input,
            error: if changed { None } else { error },
        });
        return Vec::new();
    }
    match parse(input.value(), here(&model.app, &model.front)) {
        Ok(target) => match go(model, target) {
            Ok(effects) => {
                // A time is resolved by the daemon: the box stays until it is, to show what may be wrong with it.
                if model.front.asked().has(Slot::StateAsOf) {
                    model.app.overlay = Some(Overlay::GoTo { input, error: None });
                }
                effects
            }
            Err(error) => {
                let error = Some(error);
                model.app.overlay = Some(Overlay::GoTo { input, error });
                Vec::new()
            }
        },
        Err(error) => {
            let error = Some(error);
            model.app.overlay = Some(Overlay::GoTo { input, error });
            Vec::new()
        }
    }
}

/// What completes a text that is typed on a screen.
pub(crate) fn here(app: &App, front: &Screen) -> Here {
    let of_screen = match front {
        Screen::Stream(screen) => screen
            .cursor_time()
            .or(screen.info.value().map(|info| info.last_recorded_at)),
        Screen::Streams(screen) => screen.current().map(|stream| stream.last_recorded_at),
        Screen::Find(screen) => screen.current().map(Subject::at),
        Screen::Diff(screen) => screen.time(),
        Screen::Causes(screen) => screen.current().map(|node| node.at),
        Screen::Log(screen) => screen.current().map(LogRow::at),
        Screen::WhatIf(screen) => screen.subject().as_ref().map(Subject::at),
        Screen::World(_) | Screen::Branches(_) | Screen::Compare(_) | Screen::Pipeline(_) => None,
    };
    Here {
        zone: app.zone,
        cursor: of_screen.or(app.as_of).unwrap_or(app.now),
        now: app.now,
    }
}

fn go(model: &mut Model, target: Target) -> Result<Effects, String> {
    match (target, &mut model.front) {
        (Target::Revision(revision), Screen::Stream(screen)) => {
            stream::go_to_revision(&mut model.app, screen, revision)
        }
        (Target::Revision(_), _) => {
            Err("a revision is one of a stream: open it first, or type a time".to_owned())
        }
        (Target::Time(time), Screen::Stream(screen)) => {
            Ok(stream::hold(&mut model.app, screen, time))
        }
        (Target::Time(time), _) => Ok(hold(model, time)),
        (Target::Now, _) => Ok(release(model)),
    }
}

/// Holds a moment on a screen that shows no single stream.
fn hold(model: &mut Model, time: Timestamp) -> Effects {
    let app = &mut model.app;
    app.as_of = Some(time);
    app.say(format!("states are shown as of {}", app.zone.long(time)));
    follow(model)
}

/// Back to now.
pub(super) fn release(model: &mut Model) -> Effects {
    if model.app.as_of.take().is_none() {
        model.app.say("this is now already");
        return Vec::new();
    }
    model.app.say("now again: no moment is held any more");
    follow(model)
}

/// What the screen in front has to load for the moment that is held, or is no longer.
fn follow(model: &mut Model) -> Effects {
    let Model { app, front, .. } = model;
    match front {
        Screen::Streams(screen) => streams::preview(app, screen),
        Screen::Stream(screen) => {
            screen.held = None;
            Vec::new()
        }
        Screen::World(screen) => world::follow_moment(app, screen),
        _ => Vec::new(),
    }
}
