//! What lies over the screen: help, palette, choices, forms.

use tui_input::Input;

use super::input::edit;
use super::{Effects, act, pipeline, stream, streams, what_if};
use crate::keys::{self, Action, Binding};
use crate::model::form::{Filled, Form};
use crate::model::{Model, Overlay};

/// Gives a key to the overlay in front.
pub(super) fn press(model: &mut Model, key: &str) -> Effects {
    let Some(overlay) = model.overlay.take() else {
        return Vec::new();
    };
    if key == "esc" {
        // A jump under way is given up with its box.
        return Vec::new();
    }
    match overlay {
        Overlay::Help { filter, scroll } => help(model, filter, scroll, key),
        Overlay::Palette { filter, selected } => palette(model, filter, selected, key),
        Overlay::Category {
            categories,
            selected,
        } => {
            let len = categories.value().map_or(0, Vec::len) + 1;
            match key {
                "enter" => {
                    let list = categories.value().map_or(&[][..], Vec::as_slice);
                    model.streams.category = selected
                        .checked_sub(1)
                        .and_then(|index| list.get(index))
                        .map(|c| c.category.clone());
                    model.streams.selected = 0;
                    return streams::load(model);
                }
                _ => {
                    model.overlay = Some(Overlay::Category {
                        categories,
                        selected: choose(selected, len, key),
                    });
                }
            }
            Vec::new()
        }
        Overlay::Jump { input, error } => jump(model, input, error, key),
        Overlay::Detail { scroll } => {
            scrolled(model, key, scroll, |scroll| Overlay::Detail { scroll });
            Vec::new()
        }
        Overlay::Diff { scroll } => {
            scrolled(model, key, scroll, |scroll| Overlay::Diff { scroll });
            Vec::new()
        }
        Overlay::Commands { selected } => commands(model, selected, key),
        Overlay::Form(form) => form_key(model, form, key),
        Overlay::Projection { scroll } => {
            scrolled(model, key, scroll, |scroll| Overlay::Projection { scroll });
            Vec::new()
        }
        Overlay::Findings { selected } => pipeline::findings_key(model, selected, key),
        Overlay::Confirm(confirmed) => pipeline::confirm_key(model, confirmed, key),
    }
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

/// Scrolls, copies, or closes on `q` and the key that opened it.
fn scrolled(model: &mut Model, key: &str, scroll: usize, make: impl Fn(usize) -> Overlay) {
    let page = model.page();
    let scroll = match key {
        "up" | "k" => scroll.saturating_sub(1),
        "down" | "j" => scroll + 1,
        "pageup" | "ctrl-u" => scroll.saturating_sub(page),
        "pagedown" | "ctrl-d" | "space" => scroll + page,
        "home" | "g" => 0,
        "q" | "enter" | "d" => return,
        _ => scroll,
    };
    model.overlay = Some(make(scroll));
}

fn help(model: &mut Model, mut filter: Input, scroll: usize, key: &str) -> Effects {
    let scroll = match key {
        "up" => scroll.saturating_sub(1),
        "down" => scroll + 1,
        "pageup" => scroll.saturating_sub(model.page()),
        "pagedown" => scroll + model.page(),
        "?" | "enter" => return Vec::new(),
        _ if edit(&mut filter, key) => 0,
        _ => scroll,
    };
    model.overlay = Some(Overlay::Help { filter, scroll });
    Vec::new()
}

/// The bindings that the palette or the help shows for a filter.
pub(crate) fn matching(model: &Model, filter: &str) -> Vec<&'static Binding> {
    let filter = filter.trim().to_lowercase();
    keys::in_scope(model.screen.scope())
        .filter(|binding| {
            filter.is_empty()
                || binding.help.to_lowercase().contains(&filter)
                || binding.label.to_lowercase().contains(&filter)
                || binding.keys.contains(&filter.as_str())
        })
        .collect()
}

fn palette(model: &mut Model, mut filter: Input, selected: usize, key: &str) -> Effects {
    let found = matching(model, filter.value());
    match key {
        "enter" => {
            return match found.get(selected) {
                Some(binding) if binding.action != Action::Palette => act(model, binding.action),
                _ => Vec::new(),
            };
        }
        "up" | "down" => {
            let selected = choose(selected, found.len(), key);
            model.overlay = Some(Overlay::Palette { filter, selected });
        }
        _ => {
            let changed = edit(&mut filter, key);
            model.overlay = Some(Overlay::Palette {
                filter,
                selected: if changed { 0 } else { selected },
            });
        }
    }
    Vec::new()
}

fn jump(model: &mut Model, mut input: Input, error: Option<String>, key: &str) -> Effects {
    if key == "enter" {
        let text = input.value().to_owned();
        return match stream::jump(model, &text) {
            Ok(effects) => {
                // A time is resolved by the daemon: the box stays until it is, to show what may be wrong with it.
                if model.waiting.contains_key(&crate::effect::Slot::Jump) {
                    model.overlay = Some(Overlay::Jump { input, error: None });
                }
                effects
            }
            Err(error) => {
                model.overlay = Some(Overlay::Jump {
                    input,
                    error: Some(error),
                });
                Vec::new()
            }
        };
    }
    let changed = edit(&mut input, key);
    model.overlay = Some(Overlay::Jump {
        input,
        error: if changed { None } else { error },
    });
    Vec::new()
}

fn commands(model: &mut Model, selected: usize, key: &str) -> Effects {
    let specs = model
        .what_if
        .as_ref()
        .and_then(|screen| screen.model.value())
        .map_or(&[][..], |m| &m.commands);
    if key == "enter" {
        if let Some(command) = specs.get(selected) {
            model.overlay = Some(Overlay::Form(Box::new(Form::command(command, None, None))));
        }
    } else if key != "q" {
        let selected = choose(selected, specs.len(), key);
        model.overlay = Some(Overlay::Commands { selected });
    }
    Vec::new()
}

fn form_key(model: &mut Model, mut form: Box<Form>, key: &str) -> Effects {
    let last = form.fields.len().saturating_sub(1);
    match key {
        "up" | "shift-tab" => form.focus = form.focus.saturating_sub(1),
        "down" | "tab" => form.focus = (form.focus + 1).min(last),
        "enter" if form.focus < last => form.focus += 1,
        "enter" | "ctrl-s" => {
            form.check();
            match form.filled() {
                Some(Filled::Backfill(body)) => return pipeline::backfill(model, body),
                Some(filled) => return what_if::filled(model, &form, filled),
                None => {}
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
    model.overlay = Some(Overlay::Form(form));
    Vec::new()
}
