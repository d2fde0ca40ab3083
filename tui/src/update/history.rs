//! Where one is, was, and goes back to.

use whodunit_core::ids::StreamName;

use super::{Effects, start, stream, streams};
use crate::model::stream::StreamScreen;
use crate::model::{Model, Place, Screen};

fn here(model: &Model) -> Place {
    match (&model.screen, &model.stream) {
        (Screen::Stream | Screen::WhatIf, Some(stream)) => {
            Place::Stream(stream.stream.clone(), stream.revision())
        }
        (Screen::Log, _) => Place::Log,
        (Screen::Pipeline, _) => Place::Pipeline,
        _ => Place::Streams,
    }
}

/// Places remembered at most.
const PLACES_MAX: usize = 100;

fn leave(model: &mut Model) {
    let place = here(model);
    if model.been.last() != Some(&place) {
        model.been.push(place);
    }
    if model.been.len() > PLACES_MAX {
        model.been.remove(0);
    }
    model.ahead.clear();
}

/// Goes deeper: to a stream, at a revision or at its head.
pub(super) fn open_stream(model: &mut Model, name: StreamName, at: Option<u64>) -> Effects {
    leave(model);
    let from = std::mem::replace(&mut model.screen, Screen::Stream);
    if from != Screen::Stream {
        model.under.push(from);
    }
    model.stream = Some(StreamScreen::new(name, at));
    stream::load(model)
}

/// Starts on a stream instead of the list.
pub(crate) fn start_at_stream(model: &mut Model, name: StreamName, at: Option<u64>) {
    model.under = vec![Screen::Streams];
    model.screen = Screen::Stream;
    model.stream = Some(StreamScreen::new(name, at));
}

/// Goes to one of the top screens.
pub(super) fn show(model: &mut Model, screen: Screen) -> Effects {
    if model.screen == screen {
        return Vec::new();
    }
    leave(model);
    model.under = if screen == Screen::Streams {
        Vec::new()
    } else {
        vec![Screen::Streams]
    };
    model.screen = screen;
    start(model)
}

/// Goes deeper: to the what-if of the stream in front.
pub(super) fn deeper(model: &mut Model, screen: Screen) {
    leave(model);
    let from = std::mem::replace(&mut model.screen, screen);
    model.under.push(from);
}

/// One level back; the screen there is as it was left.
pub(super) fn back(model: &mut Model) -> Effects {
    let Some(screen) = model.under.pop() else {
        model.say("this is the top; q quits");
        return Vec::new();
    };
    leave(model);
    model.screen = screen;
    match model.screen {
        Screen::Streams if model.streams.list.value().is_none() => streams::load(model),
        Screen::Streams | Screen::Stream | Screen::WhatIf | Screen::Log | Screen::Pipeline => {
            Vec::new()
        }
    }
}

/// Back to where one was before.
pub(super) fn earlier(model: &mut Model) -> Effects {
    let Some(place) = model.been.pop() else {
        model.say("there is nothing further back");
        return Vec::new();
    };
    let now = here(model);
    model.ahead.push(now);
    go(model, place)
}

/// Forward to where one came back from.
pub(super) fn later(model: &mut Model) -> Effects {
    let Some(place) = model.ahead.pop() else {
        model.say("there is nothing further on");
        return Vec::new();
    };
    let now = here(model);
    model.been.push(now);
    go(model, place)
}

fn go(model: &mut Model, place: Place) -> Effects {
    match place {
        Place::Streams => {
            model.under.clear();
            model.screen = Screen::Streams;
        }
        Place::Log => {
            model.under = vec![Screen::Streams];
            model.screen = Screen::Log;
        }
        Place::Pipeline => {
            model.under = vec![Screen::Streams];
            model.screen = Screen::Pipeline;
        }
        Place::Stream(name, revision) => {
            model.under = vec![Screen::Streams];
            model.screen = Screen::Stream;
            model.stream = Some(StreamScreen::new(name, Some(revision)));
        }
    }
    start(model)
}
