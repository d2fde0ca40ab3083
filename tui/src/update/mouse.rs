//! The mouse: what is under the pointer is selected, opened, moved to or scrolled.

use whodunit_core::time::Timestamp;

use super::{
    Effects, act, branches, causes, compare, find, log, overlay, press, stream, streams, what_if,
    world,
};
use crate::client::Subject;
use crate::keys::Action;
use crate::model::hits::{Hit, Part};
use crate::model::log::LogRow;
use crate::model::pipeline::Pane;
use crate::model::{Model, Overlay, Screen};

/// A click. One on the selected row opens it, as `Enter` does.
pub(super) fn click(model: &mut Model, hit: Hit) -> Effects {
    model.app.notice = None;
    match hit {
        Hit::Key(key) => press(model, key),
        Hit::Row(Part::Box, index) => choose(model, index),
        // A click beside the rows of a box, or beside the box, does nothing.
        _ if model.app.overlay.is_some() => Vec::new(),
        Hit::Time(time) => to_time(model, time),
        Hit::Part(part) => {
            focus(model, part);
            Vec::new()
        }
        Hit::Row(part, index) => {
            close_inputs(&mut model.front);
            let was_here = is_selected(&model.front, part, index);
            focus(model, part);
            if was_here {
                return act(model, Action::Enter);
            }
            select(model, part, index)
        }
    }
}

/// The pointer was pressed on one place and is moved to another: on the time axis of what was found that takes a part of it.
pub(super) fn drag(model: &mut Model, from: Hit, to: Hit) -> Effects {
    if let (Hit::Time(from), Hit::Time(to), None) = (from, to, &model.app.overlay)
        && let Screen::Find(screen) = &mut model.front
    {
        find::drag(&mut model.app, screen, from, to);
    }
    Vec::new()
}

/// A turn of the wheel moves in what is under the pointer.
pub(super) fn scroll(model: &mut Model, up: bool, over: Option<&Hit>) -> Effects {
    if model.app.overlay.is_some() {
        return overlay::scroll(model, up);
    }
    if let Some(Hit::Part(part) | Hit::Row(part, _)) = over {
        focus(model, *part);
    }
    act(model, if up { Action::Up } else { Action::Down })
}

/// A row of a choice in a box.
fn choose(model: &mut Model, index: usize) -> Effects {
    let selected = match &mut model.app.overlay {
        Some(
            Overlay::Palette { selected, .. }
            | Overlay::Category { selected }
            | Overlay::Narrow { selected }
            | Overlay::Field { selected }
            | Overlay::Commands { selected }
            | Overlay::Findings { selected },
        ) => selected,
        Some(Overlay::Follow(menu)) => &mut menu.selected,
        Some(Overlay::Question(question)) => &mut question.selected,
        Some(Overlay::Detail(tree)) => &mut tree.selected,
        _ => return Vec::new(),
    };
    if *selected == index {
        return press(model, "enter");
    }
    *selected = index;
    Vec::new()
}

/// Keys go into no line any more once a row is clicked.
fn close_inputs(front: &mut Screen) {
    match front {
        Screen::Streams(screen) => screen.filtering = false,
        Screen::Log(screen) => super::line::close(&mut screen.asked, &mut screen.line),
        Screen::Find(screen) => super::line::close(&mut screen.asked, &mut screen.line),
        Screen::World(screen) => world::close(screen),
        _ => {}
    }
}

fn focus(model: &mut Model, part: Part) {
    match (&mut model.front, part) {
        (Screen::Stream(screen), _) => screen.in_state = part == Part::State,
        (Screen::WhatIf(screen), Part::Streams) => screen.pane = what_if::Pane::Streams,
        (Screen::WhatIf(screen), Part::State) => screen.pane = what_if::Pane::Fields,
        (Screen::WhatIf(screen), _) => screen.pane = what_if::Pane::Story,
        (Screen::Pipeline(screen), Part::Projections) => screen.pane = Pane::Projections,
        (Screen::Pipeline(screen), Part::Handlers) => screen.pane = Pane::Handlers,
        (Screen::Pipeline(screen), Part::Jobs) => screen.pane = Pane::Jobs,
        _ => {}
    }
}

fn is_selected(front: &Screen, part: Part, index: usize) -> bool {
    match (front, part) {
        (Screen::Streams(screen), _) => screen.selected == index,
        (Screen::Stream(screen), Part::State) => screen.in_state && screen.field_selected == index,
        (Screen::Stream(screen), _) => !screen.in_state && screen.index_of(screen.cursor) == index,
        (Screen::Log(screen), _) => screen.selected == index,
        (Screen::Find(screen), _) => screen.selected == index,
        (Screen::Causes(screen), _) => screen.selected == index,
        (Screen::Diff(screen), _) => screen.selected == index,
        (Screen::World(screen), _) => screen.selected == index,
        (Screen::Branches(screen), _) => screen.selected == index,
        (Screen::Compare(screen), _) => screen.selected == index,
        (Screen::Run(screen), _) => screen.selected == index,
        (Screen::Pipeline(screen), part) => match part {
            Part::Projections => screen.pane == Pane::Projections && screen.projection == index,
            Part::Handlers => screen.pane == Pane::Handlers && screen.handler == index,
            _ => screen.pane == Pane::Jobs && screen.job == index,
        },
        (Screen::WhatIf(screen), Part::List) => {
            screen.pane == what_if::Pane::Story && screen.index(&screen.rows()) == index
        }
        (Screen::WhatIf(screen), Part::Streams) => {
            screen.pane == what_if::Pane::Streams && screen.other == index
        }
        (Screen::WhatIf(screen), _) => {
            screen.pane == what_if::Pane::Fields && screen.field == index
        }
    }
}

fn select(model: &mut Model, part: Part, index: usize) -> Effects {
    let app = &mut model.app;
    match (&mut model.front, part) {
        (Screen::Streams(screen), _) => streams::go_to(app, screen, index),
        (Screen::Stream(screen), Part::State) => {
            screen.field_selected = index;
            Vec::new()
        }
        (Screen::Stream(screen), _) => {
            let row = screen.row_at(index);
            stream::go_to(app, screen, row)
        }
        (Screen::Log(screen), _) => log::go_to(app, screen, index),
        (Screen::Find(screen), _) => find::go_to(app, screen, index),
        (Screen::Causes(screen), _) => causes::go_to(app, screen, index),
        (Screen::Diff(screen), _) => {
            screen.selected = index;
            Vec::new()
        }
        (Screen::World(screen), _) => world::go_to(app, screen, index),
        (Screen::Branches(screen), _) => branches::go_to(app, screen, index),
        (Screen::Compare(screen), _) => compare::go_to(app, screen, index),
        (Screen::Run(screen), _) => {
            screen.selected = index;
            Vec::new()
        }
        // The rows of the pipeline are as far apart as keys make them.
        (Screen::Pipeline(screen), part) => {
            let here = match part {
                Part::Projections => screen.projection,
                Part::Handlers => screen.handler,
                _ => screen.job,
            };
            let (action, steps) = if index < here {
                (Action::Up, here - index)
            } else {
                (Action::Down, index - here)
            };
            (0..steps).flat_map(|_| act(model, action)).collect()
        }
        (Screen::WhatIf(screen), part) => {
            match part {
                Part::Streams => screen.other = index,
                Part::State => screen.field = index,
                _ => what_if::select(screen, index),
            }
            Vec::new()
        }
    }
}

/// A moment on a time axis: on a stream it is held, elsewhere the row nearest to it is selected.
fn to_time(model: &mut Model, time: Timestamp) -> Effects {
    let nearest = |times: &mut dyn Iterator<Item = Timestamp>| {
        let away = |at: Timestamp| at.as_micros().abs_diff(time.as_micros());
        let rows = times.enumerate();
        rows.min_by_key(|(_, at)| away(*at)).map(|(index, _)| index)
    };
    let app = &mut model.app;
    match &mut model.front {
        Screen::Stream(screen) => stream::hold(app, screen, time),
        Screen::Find(screen) => {
            let index = nearest(&mut screen.rows().iter().map(Subject::at));
            index.map_or_else(Vec::new, |index| find::go_to(app, screen, index))
        }
        Screen::Log(screen) => {
            let rows = screen.rows.value().into_iter().flatten();
            let index = nearest(&mut rows.map(LogRow::at));
            index.map_or_else(Vec::new, |index| log::go_to(app, screen, index))
        }
        _ => Vec::new(),
    }
}
