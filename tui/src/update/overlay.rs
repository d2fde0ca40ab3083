//! What lies over the screen: help, palette, choices, forms.

use tui_input::Input;
use whodunit_core::api::browse::Category;

use super::input::edit;
use super::{
    Effects, as_of, branches, detail, diff, find, follow, log, pipeline, run, run_binding, stream,
    streams, what_if, world,
};
use crate::keys::{self, Action, Binding};
use crate::model::form::{Filled, Form};
use crate::model::pipeline::Confirmed;
use crate::model::{App, Model, Overlay, Remote, Screen};
use crate::request::Slot;

/// Gives a key to the overlay in front.
pub(super) fn press(model: &mut Model, key: &str) -> Effects {
    let Some(overlay) = model.app.overlay.take() else {
        return Vec::new();
    };
    let awaited = awaited(&overlay);
    let effects = if key == "esc" {
        Vec::new()
    } else {
        press_in(model, overlay, key)
    };
    // What a box waits for is given up with it.
    if let Some(slot) = awaited
        && model.app.overlay.is_none()
    {
        model.front.asked_mut().forget(slot);
    }
    effects
}

/// What only the box itself waits for.
fn awaited(overlay: &Overlay) -> Option<Slot> {
    match overlay {
        Overlay::GoTo { .. } => Some(Slot::StateAsOf),
        Overlay::Follow(_) => Some(Slot::FollowCounts),
        Overlay::Field { .. } => Some(Slot::Field),
        Overlay::RunTo { .. } => Some(Slot::RunTo),
        Overlay::Category { .. } => Some(Slot::Categories),
        Overlay::Save(_) => Some(Slot::SaveScenario),
        Overlay::Naming(naming) => naming.awaits(),
        Overlay::Help { .. }
        | Overlay::Palette { .. }
        | Overlay::Narrow { .. }
        | Overlay::Side(_)
        | Overlay::Detail(_)
        | Overlay::Commands { .. }
        | Overlay::Asking(_)
        | Overlay::Form(_)
        | Overlay::Question(_)
        | Overlay::Projection { .. }
        | Overlay::Findings { .. }
        | Overlay::Confirm(_) => None,
    }
}

#[expect(clippy::too_many_lines, reason = "an arm for each overlay")]
fn press_in(model: &mut Model, overlay: Overlay, key: &str) -> Effects {
    let scope = model.front.scope();
    let app = &mut model.app;
    match (overlay, &mut model.front) {
        (Overlay::Help { filter, scroll }, _) => help(app, filter, scroll, key),
        (Overlay::Palette { filter, selected }, _) => {
            let chosen = palette(app, scope, filter, selected, key);
            return chosen.map_or_else(Vec::new, |binding| run_binding(model, binding));
        }
        (Overlay::Category { selected }, Screen::Streams(screen)) => {
            if key == "enter" {
                return streams::choose_category(app, screen, selected);
            }
            category(app, &screen.categories, selected, key);
        }
        (Overlay::Category { selected }, Screen::World(screen)) => {
            if key == "enter" {
                return world::choose_category(app, screen, selected);
            }
            category(app, &screen.categories, selected, key);
        }
        (Overlay::GoTo { input, error }, _) => return as_of::press(model, input, error, key),
        (Overlay::Follow(menu), _) => return follow::press(model, menu, key),
        (Overlay::Narrow { selected }, Screen::Log(screen)) => {
            return log::narrow_key(app, screen, selected, key);
        }
        (Overlay::Narrow { selected }, Screen::Find(screen)) => {
            return find::narrow_key(app, screen, selected, key);
        }
        (Overlay::Field { selected }, Screen::Stream(screen)) => {
            return stream::field_key(app, screen, selected, key);
        }
        (Overlay::RunTo { input, error }, Screen::Stream(screen)) => {
            return stream::run_to_key(app, screen, input, error, key);
        }
        (
            Overlay::Detail(tree),
            Screen::Stream(_) | Screen::Log(_) | Screen::Find(_) | Screen::Causes(_),
        ) if key == "w" && tree.typing.is_none() => {
            return what_if::ask(model);
        }
        (Overlay::Detail(tree), front) => return detail::press(app, front, tree, key),
        (Overlay::Side(asked), Screen::Diff(screen)) => {
            return diff::side_key(app, screen, asked, key);
        }
        (Overlay::Projection { scroll }, _) => {
            scrolled(app, key, scroll, |scroll| Overlay::Projection { scroll });
        }
        (Overlay::Commands { selected }, Screen::WhatIf(screen)) => {
            what_if::commands_key(app, screen, selected, key);
        }
        (Overlay::Question(question), _) => return what_if::question_key(model, question, key),
        (Overlay::Save(saving), Screen::WhatIf(screen)) => {
            return what_if::save_key(app, screen, saving, key);
        }
        (Overlay::Asking(asking), _) => return run::key(app, asking, key),
        (Overlay::Naming(naming), Screen::WhatIf(screen)) => {
            return what_if::keep_key(app, screen, naming, key);
        }
        (Overlay::Naming(naming), Screen::Branches(screen)) => {
            return branches::name_key(app, screen, naming, key);
        }
        (Overlay::Naming(naming), Screen::Find(screen)) => {
            return find::name_key(app, screen, naming, key);
        }
        (Overlay::Confirm(Confirmed::RemoveBranch(name)), Screen::Branches(screen)) => {
            return branches::remove_key(app, screen, name, key);
        }
        (Overlay::Confirm(Confirmed::AdoptBranch(name)), Screen::Branches(screen)) => {
            return branches::adopt_key(app, screen, name, key);
        }
        (Overlay::Form(form), front) => return form_key(app, front, form, key),
        (Overlay::Findings { selected }, Screen::Pipeline(screen)) => {
            return pipeline::findings_key(app, screen, selected, key);
        }
        (Overlay::Confirm(confirmed), Screen::Pipeline(screen)) => {
            return pipeline::confirm_key(app, screen, confirmed, key);
        }
        // An overlay of a screen that is not in front any more closes.
        (
            Overlay::Category { .. }
            | Overlay::Narrow { .. }
            | Overlay::Side(_)
            | Overlay::Field { .. }
            | Overlay::RunTo { .. }
            | Overlay::Commands { .. }
            | Overlay::Save(_)
            | Overlay::Naming(_)
            | Overlay::Findings { .. }
            | Overlay::Confirm(_),
            _,
        ) => {}
    }
    Vec::new()
}

/// Moves in the choice of a category; its first row is all of them.
fn category(app: &mut App, all: &Remote<Vec<Category>>, selected: usize, key: &str) {
    let len = all.value().map_or(0, Vec::len) + 1;
    app.overlay = Some(Overlay::Category {
        selected: choose(selected, len, key),
    });
}

/// The mouse wheel over an overlay.
pub(super) fn scroll(model: &mut Model, up: bool) -> Effects {
    press(model, if up { "up" } else { "down" })
}

pub(super) fn choose(selected: usize, len: usize, key: &str) -> usize {
    match key {
        "up" | "k" => selected.saturating_sub(1),
        "down" | "j" => (selected + 1).min(len.saturating_sub(1)),
        "home" | "g" => 0,
        "end" | "G" => len.saturating_sub(1),
        _ => selected,
    }
}

/// Scrolls, or closes on `q` and the key that opened it.
fn scrolled(app: &mut App, key: &str, scroll: usize, make: impl Fn(usize) -> Overlay) {
    let page = app.page();
    let scroll = match key {
        "up" | "k" => scroll.saturating_sub(1),
        "down" | "j" => scroll + 1,
        "pageup" | "ctrl-u" => scroll.saturating_sub(page),
        "pagedown" | "ctrl-d" | "space" => scroll + page,
        "home" | "g" => 0,
        "q" | "enter" => return,
        _ => scroll,
    };
    app.overlay = Some(make(scroll));
}

fn help(app: &mut App, mut filter: Input, scroll: usize, key: &str) {
    let scroll = match key {
        "up" => scroll.saturating_sub(1),
        "down" => scroll + 1,
        "pageup" => scroll.saturating_sub(app.page()),
        "pagedown" => scroll + app.page(),
        "?" | "enter" => return,
        _ if edit(&mut filter, key) => 0,
        _ => scroll,
    };
    app.overlay = Some(Overlay::Help { filter, scroll });
}

/// Gives a key to the palette; the row that was chosen.
fn palette(
    app: &mut App,
    scope: keys::Scope,
    mut filter: Input,
    selected: usize,
    key: &str,
) -> Option<&'static Binding> {
    let found = keys::matching(scope, filter.value());
    let selected = match key {
        "enter" => {
            let chosen = found.get(selected).copied();
            return chosen.filter(|binding| binding.action != Action::Palette);
        }
        "up" | "down" => choose(selected, found.len(), key),
        _ if edit(&mut filter, key) => 0,
        _ => selected,
    };
    app.overlay = Some(Overlay::Palette { filter, selected });
    None
}

fn form_key(app: &mut App, front: &mut Screen, mut form: Box<Form>, key: &str) -> Effects {
    let last = form.fields.len().saturating_sub(1);
    match key {
        "up" | "shift-tab" => form.focus = form.focus.saturating_sub(1),
        "down" | "tab" => form.focus = (form.focus + 1).min(last),
        "enter" if form.focus < last => form.focus += 1,
        "enter" | "ctrl-s" => {
            form.check();
            match (form.filled(), front) {
                (Some(Filled::Backfill(body)), Screen::Pipeline(screen)) => {
                    return pipeline::backfill(app, screen, body);
                }
                (Some(filled), Screen::WhatIf(screen)) => {
                    return what_if::filled(app, screen, &form, filled);
                }
                _ => {}
            }
            form.submitted = true;
            form.focus = form
                .fields
                .iter()
                .position(|field| field.error.is_some())
                .unwrap_or(form.focus);
        }
        _ => {
            let focus = form.focus;
            if let Some(field) = form.fields.get_mut(focus)
                && edit(&mut field.input, key)
            {
                form.check();
            }
        }
    }
    app.overlay = Some(Overlay::Form(form));
    Vec::new()
}
