//! A query line that is typed: completion, and what a key does to it.

use std::cmp::Reverse;

use whodunit_core::api::find::{DiffersOut, SummaryOut};
use whodunit_core::api::names::NamesOut;
use whodunit_core::query::Query;

use super::Effects;
use super::input::edit;
use crate::model::find::{Change, narrowings};
use crate::model::line::{Begun, Completion, Key, QueryLine, read};
use crate::model::{App, Asked, Overlay, Remote};
use crate::request::{Request, Slot};

/// Names that are offered at most.
const OFFERED: usize = 8;

/// What a key in a line came to.
pub(super) enum Typed {
    /// The line goes on.
    On(Effects),
    /// It is to be asked.
    Ask(Query),
    /// It was left.
    Left,
}

/// Gives a key to a line. `Enter` asks it, `Tab` takes the name that is offered, the arrows choose among those.
pub(super) fn press(app: &mut App, asked: &mut Asked, line: &mut QueryLine, key: &str) -> Typed {
    match key {
        "enter" => match read(app, line.text()) {
            Ok(query) => {
                close(asked, line);
                return Typed::Ask(query);
            }
            Err(error) => {
                line.completion = None;
                line.error = Some(error);
            }
        },
        "esc" if line.completion.is_some() => forget(asked, line),
        "esc" => {
            close(asked, line);
            return Typed::Left;
        }
        "tab" => {
            if line.complete() {
                return Typed::On(complete(app, asked, line));
            }
        }
        "up" | "down" => choose(&mut line.completion, key),
        _ => {
            if edit(&mut line.input, key) {
                line.error = None;
            }
            return Typed::On(complete(app, asked, line));
        }
    }
    Typed::On(Vec::new())
}

/// Goes to another name among those that are offered.
pub(super) fn choose(place: &mut Option<Completion>, key: &str) {
    if let Some(completion) = place {
        let last = completion.len().saturating_sub(1);
        completion.selected = if key == "up" {
            completion.selected.saturating_sub(1)
        } else {
            (completion.selected + 1).min(last)
        };
    }
}

/// No keys go into it any more.
pub(super) fn close(asked: &mut Asked, line: &mut QueryLine) {
    line.typing = false;
    line.error = None;
    forget(asked, line);
}

fn forget(asked: &mut Asked, line: &mut QueryLine) {
    line.completion = None;
    asked.forget(Slot::Names);
}

/// Offers what goes on from the cursor.
fn complete(app: &mut App, asked: &mut Asked, line: &mut QueryLine) -> Effects {
    let begun = line.begun();
    offer(app, asked, &mut line.completion, begun)
}

/// Offers what goes on from what is begun, in a line or in a condition.
pub(super) fn offer(
    app: &mut App,
    asked: &mut Asked,
    place: &mut Option<Completion>,
    begun: Option<Begun>,
) -> Effects {
    let Some(begun) = begun else {
        *place = None;
        asked.forget(Slot::Names);
        return Vec::new();
    };
    if place.as_ref().is_some_and(|known| known.begun == begun) {
        return Vec::new();
    }
    let mut completion = Completion::of(begun.clone(), &app.queries);
    // What was offered for less stays until the answer is there.
    if let Some(known) = place.take()
        && known.begun.key == begun.key
        && matches!(completion.names, Remote::Loading(_))
        && let Remote::Ready(names) | Remote::Loading(Some(names)) = known.names
    {
        completion.names = Remote::Loading(Some(names));
    }
    *place = Some(completion);
    match begun.key {
        Key::Keys | Key::Outcome | Key::Saved => Vec::new(),
        Key::Names(kind) => vec![asked.ask(app, "", Request::Names(kind, begun.text))],
    }
}

/// Takes the names of a completion.
pub(super) fn take_names(place: &mut Option<Completion>, names: NamesOut) {
    if let Some(completion) = place {
        let mut items = names.items;
        items.sort_by(|a, b| (Reverse(a.events), &a.name).cmp(&(Reverse(b.events), &b.name)));
        completion.more = (items.len().saturating_sub(OFFERED)) as u64 + u64::from(names.more);
        items.truncate(OFFERED);
        completion.names = Remote::Ready(items);
        completion.selected = 0;
    }
}

/// A completion that failed is none: the line can be typed without.
pub(super) fn failed(line: &mut QueryLine) {
    line.completion = None;
}

/// A key in the box that narrows a line: `Enter` adds a value or takes a term off, `-` excludes a value. The line that is to be
/// asked instead, if any is.
pub(super) fn narrow(
    app: &mut App,
    applied: &Query,
    (summary, differs): (Option<&SummaryOut>, Option<&DiffersOut>),
    selected: usize,
    key: &str,
) -> Option<(String, Query)> {
    let all = narrowings(applied, summary, differs);
    let chosen = all.get(selected);
    let mut terms = applied.terms();
    match (key, chosen.map(|entry| &entry.change)) {
        ("q" | "n", _) => return None,
        ("enter" | "x" | "delete" | "backspace", Some(Change::Off(index))) => {
            terms.remove(*index);
        }
        ("enter", Some(Change::Add(term))) => terms.push(term.clone()),
        ("-", Some(Change::Add(term))) => terms.push(match term.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{term}"),
        }),
        _ => {
            app.overlay = Some(Overlay::Narrow {
                selected: super::overlay::choose(selected, all.len(), key),
            });
            return None;
        }
    }
    let text = terms.join(" ");
    match read(app, &text) {
        Ok(query) => Some((text, query)),
        Err(error) => {
            app.complain(error.to_string());
            app.overlay = Some(Overlay::Narrow { selected });
            None
        }
    }
}
