//! Where one is, was, and goes back to.

use tui_input::Input;
use whodunit_core::ids::StreamName;

use super::{
    Effects, branches, causes, compare, diff, find, start, stream, streams, what_if, world,
};
use crate::model::branches::{BranchesScreen, Opened};
use crate::model::causes::CausesScreen;
use crate::model::compare::CompareScreen;
use crate::model::diff::DiffScreen;
use crate::model::find::FindScreen;
use crate::model::stream::StreamScreen;
use crate::model::what_if::{RowId, WhatIfScreen};
use crate::model::world::WorldScreen;
use crate::model::{Asked, Deeper, Model, Place, Screen, Top};

/// Places remembered at most.
const PLACES_MAX: usize = 100;

fn leave(model: &mut Model) {
    let place = model.front.place();
    if model.been.last() != Some(&place) {
        model.been.push(place);
    }
    if model.been.len() > PLACES_MAX {
        model.been.remove(0);
    }
    model.ahead.clear();
}

/// Goes deeper: to a stream, or to the what-if of the stream in front. A stream takes the place of another.
pub(super) fn open(model: &mut Model, deeper: Deeper) -> Effects {
    leave(model);
    let inherited = model.front.asked().branch().map(str::to_owned);
    let (branch, deeper) = match deeper {
        Deeper::In(branch, deeper) => (Some(branch), *deeper),
        other => (inherited, other),
    };
    let asked = Asked::of_branch(branch);
    match deeper {
        Deeper::Stream(name, at) => {
            let mut screen = Box::new(StreamScreen::new(name, at));
            screen.asked = asked;
            let effects = stream::load(&mut model.app, &mut screen);
            if matches!(model.front, Screen::Stream(_)) {
                model.front = Screen::Stream(screen);
            } else {
                model.push(Screen::Stream(screen));
            }
            effects
        }
        Deeper::Find(mut screen) => {
            let effects = find::load(&mut model.app, &mut screen);
            model.push(Screen::Find(screen));
            effects
        }
        Deeper::Causes(mut screen) => {
            screen.asked = asked;
            let effects = causes::load(&mut model.app, &mut screen);
            model.push(Screen::Causes(screen));
            effects
        }
        Deeper::Diff(mut screen) => {
            screen.asked = asked;
            let effects = diff::load(&mut model.app, &mut screen);
            model.push(Screen::Diff(screen));
            effects
        }
        Deeper::World(mut screen) => {
            screen.asked = asked;
            let effects = world::load(&mut model.app, &mut screen);
            model.push(Screen::World(screen));
            effects
        }
        Deeper::WhatIf(mut screen) => {
            let effects = what_if::load(&mut model.app, &mut screen);
            model.push(Screen::WhatIf(screen));
            effects
        }
        Deeper::Branches => {
            let mut screen = Box::<BranchesScreen>::default();
            let effects = branches::load(&mut model.app, &mut screen);
            model.push(Screen::Branches(screen));
            effects
        }
        Deeper::Compare(mut screen) => {
            let effects = compare::load(&mut model.app, &mut screen);
            model.push(Screen::Compare(screen));
            effects
        }
        Deeper::Lab(opened) => open_in_lab(model, *opened),
        // What a branch has is read from that branch alone.
        Deeper::In(..) => Vec::new(),
    }
}

/// Opens a branch in the lab: in that of its stream, where there is one. What was there can be had back with undo.
fn open_in_lab(model: &mut Model, opened: Opened) -> Effects {
    let is_of =
        |screen: &Screen| matches!(screen, Screen::WhatIf(lab) if lab.stream == opened.stream);
    if model.under.iter().any(is_of) {
        while !is_of(&model.front) && model.pop() {}
    } else {
        let row = RowId::Event(opened.at);
        let screen = match model.take_what_if(&opened.stream) {
            Some(screen) => screen,
            None => Box::new(WhatIfScreen::new(opened.stream, row, opened.at)),
        };
        model.push(Screen::WhatIf(screen));
    }
    let Model { app, front, .. } = model;
    let Screen::WhatIf(screen) = front else {
        return Vec::new();
    };
    what_if::leave_other(screen);
    let scenario = opened.scenario;
    screen.change(|changed| *changed = scenario);
    screen.saved = Some(screen.scenario.clone());
    screen.branch = opened.name;
    if let Some(said) = opened.said {
        app.say(said);
    }
    what_if::load(app, screen)
}

/// Starts on a stream instead of the list.
pub(crate) fn start_at_stream(model: &mut Model, name: StreamName, at: Option<u64>) {
    model.bring(Top::Streams);
    model.push(Screen::Stream(Box::new(StreamScreen::new(name, at))));
}

/// Goes to one of the top screens.
pub(super) fn show(model: &mut Model, top: Top) -> Effects {
    if model.front.top() == Some(top) {
        return Vec::new();
    }
    leave(model);
    model.bring(top);
    start(model)
}

/// One level back; the screen there is as it was left.
pub(super) fn back(model: &mut Model) -> Effects {
    if model.under.is_empty() {
        model.app.say("this is the top level; q quits");
        return Vec::new();
    }
    leave(model);
    model.pop();
    match &mut model.front {
        Screen::Streams(screen) if screen.list.value().is_none() => {
            streams::load(&mut model.app, screen)
        }
        Screen::World(screen) => world::follow_moment(&mut model.app, screen),
        // The moment that is held may be another one now.
        Screen::Streams(screen) if screen.preview_as_of != model.app.as_of => {
            streams::preview(&mut model.app, screen)
        }
        _ => Vec::new(),
    }
}

/// Back to where one was before.
pub(super) fn earlier(model: &mut Model) -> Effects {
    let Some(place) = model.been.pop() else {
        model.app.say("there is no earlier place");
        return Vec::new();
    };
    model.ahead.push(model.front.place());
    go(model, place)
}

/// Forward to where one came back from.
pub(super) fn later(model: &mut Model) -> Effects {
    let Some(place) = model.ahead.pop() else {
        model.app.say("there is no later place");
        return Vec::new();
    };
    model.been.push(model.front.place());
    go(model, place)
}

fn go(model: &mut Model, place: Place) -> Effects {
    let (branch, place) = match place {
        Place::In(branch, place) => (Some(branch), *place),
        place => (None, place),
    };
    match place {
        Place::Top(top) => model.bring(top),
        Place::Stream(name, revision) => start_at_stream(model, name, Some(revision)),
        Place::WhatIf(name) => {
            // Its stream lies under it; one without changes is no place to come back to, and its stream is.
            model.bring(Top::Streams);
            let left = model.take_what_if(&name);
            let at = left.as_ref().map(|screen| screen.opened_at);
            let stream = StreamScreen::new(name, at);
            model.push(Screen::Stream(Box::new(stream)));
            if let Some(screen) = left {
                let effects = start(model);
                model.push(Screen::WhatIf(screen));
                return effects.into_iter().chain(start(model)).collect();
            }
        }
        Place::Find(line) => {
            let screen = FindScreen::of_line(&model.app, &line);
            model.bring(Top::Streams);
            model.push(Screen::Find(Box::new(screen)));
        }
        Place::Causes(of) => {
            model.bring(Top::Streams);
            model.push(Screen::Causes(Box::new(CausesScreen::new(of))));
        }
        Place::Diff(ends) => {
            let (from, to) = *ends;
            model.bring(Top::Streams);
            model.push(Screen::Diff(Box::new(DiffScreen::new(from, to))));
        }
        Place::World(category, condition, from) => {
            let screen = WorldScreen {
                condition: Input::new(condition.clone()),
                applied: condition,
                from,
                ..WorldScreen::of(category)
            };
            model.bring(Top::Streams);
            model.push(Screen::World(Box::new(screen)));
        }
        Place::Branches => {
            model.bring(Top::Streams);
            model.push(Screen::Branches(Box::default()));
        }
        Place::Compare(name, with) => {
            model.bring(Top::Streams);
            model.push(Screen::Compare(Box::new(CompareScreen::new(name, with))));
        }
        // No place is in two branches.
        Place::In(..) => {}
    }
    if branch.is_some() {
        *model.front.asked_mut() = Asked::of_branch(branch);
    }
    start(model)
}
