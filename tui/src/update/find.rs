//! The find screen: a query line, what it finds as it is found, and what each event did.

use whodunit_core::api::browse::DensityOut;
use whodunit_core::api::find::FindEnd;
use whodunit_core::query::Query;
use whodunit_core::time::Timestamp;

use super::input::edit;
use super::line::Typed;
use super::{Effects, complain, line, moved};
use crate::client::Subject;
use crate::config::queries::{Keep, Kept};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::branches::{Naming, Purpose};
use crate::model::find::{FindScreen, Found, ROWS_MAX};
use crate::model::line::QueryLine;
use crate::model::span::Span;
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Part, Reply, Request, Slot};
use crate::text::counted;

/// Searches. What belongs to an earlier search is not wanted any more.
pub(super) fn load(app: &mut App, screen: &mut FindScreen) -> Effects {
    if matches!(screen.found, Remote::Absent) && screen.line.typing {
        // Nothing was asked yet.
        return Vec::new();
    }
    screen.kept = screen.current().map(|row| row.id().to_owned());
    screen.is_old = true;
    screen.found.reload();
    screen.differs = Remote::Absent;
    screen.asked.forget_all();
    let request = Request::Find(screen.query(None));
    let mut effects = vec![screen.asked.ask(app, "what matches", request)];
    if screen.applied.is_of_decisions() {
        // Figures are of events.
        screen.summary = Remote::Absent;
    } else {
        screen.summary.reload();
        let request = Request::Summary(screen.applied.to_string());
        effects.push(screen.asked.ask(app, "", request));
    }
    effects
}

/// Asks another line. Rows of the one before are no answer to this one.
fn ask(app: &mut App, screen: &mut FindScreen, query: Query) -> Effects {
    if screen.applied != query || matches!(screen.found, Remote::Absent) {
        screen.found = Remote::Loading(None);
        screen.summary = Remote::Absent;
        screen.span = None;
        screen.selected = 0;
    }
    screen.applied = query;
    load(app, screen)
}

/// What the rows in sight need, and the next page when the end is near.
fn at_cursor(app: &mut App, screen: &mut FindScreen) -> Effects {
    let mut effects = Vec::new();
    let unknown = screen.unknown_changes(usize::from(app.size.1));
    if !unknown.is_empty() && !screen.asked.has(Slot::Changes) {
        effects.push(screen.asked.ask(app, "", Request::Changes(unknown)));
    }
    effects.extend(more(app, screen));
    effects
}

fn more(app: &mut App, screen: &mut FindScreen) -> Option<Effect> {
    let near_end = screen.selected + 50 >= screen.rows().len();
    let has_room = screen.rows().len() < ROWS_MAX;
    let next = screen.found.value().and_then(|found| found.next.clone())?;
    let is_asked = screen.asked.has(Slot::MoreFound) || screen.asked.has(Slot::Find);
    if !near_end || !has_room || is_asked {
        return None;
    }
    let request = Request::MoreFound(screen.query(Some(next)));
    Some(screen.asked.ask(app, "more matches", request))
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut FindScreen, index: usize) -> Effects {
    screen.selected = index;
    screen.span = None;
    at_cursor(app, screen)
}

/// Takes more or less of the time axis: from the bar of the selected row on.
fn stretch(app: &mut App, screen: &mut FindScreen, forward: bool) {
    let Some(density) = screen.summary.value().and_then(|s| s.density.as_ref()) else {
        app.complain("there is no time axis to narrow: nothing was counted");
        return;
    };
    let cells = usize::from(app.size.0.saturating_sub(2)).max(1);
    let at = screen.current().map_or(density.last, Subject::at);
    let begun = screen.span.unwrap_or_else(|| Span::at(density, at));
    let span = begun.moved(density, density.counts.len().div_ceil(cells), forward);
    say_span(app, density, span);
    screen.span = Some(span);
}

/// Takes the time axis from where the pointer was pressed to where it is.
pub(super) fn drag(app: &mut App, screen: &mut FindScreen, from: Timestamp, to: Timestamp) {
    let Some(density) = screen.summary.value().and_then(|s| s.density.as_ref()) else {
        return;
    };
    let span = Span::between(density, from, to);
    say_span(app, density, span);
    screen.span = Some(span);
}

fn say_span(app: &mut App, density: &DensityOut, span: Span) {
    let (since, until) = span.times(density);
    let text = format!(
        "{} from {} to {}: Enter narrows the line to them, Esc does not",
        counted(span.count(density), "event"),
        app.zone.long(since),
        app.zone.long(until)
    );
    app.say(text);
}

/// Narrows the line to the part of the time axis that is taken.
fn within_span(app: &mut App, screen: &mut FindScreen) -> Effects {
    let density = screen.summary.value().and_then(|s| s.density.as_ref());
    let (Some(span), Some(density)) = (screen.span.take(), density) else {
        return Vec::new();
    };
    let (since, until) = span.times(density);
    let mut terms = screen.applied.terms();
    let is_bound = |term: &String| {
        let term = term.trim_start_matches('-');
        term.starts_with("since:") || term.starts_with("until:")
    };
    // All that was counted lies within the bounds of before.
    terms.retain(|term| !is_bound(term));
    terms.push(format!("since:{since}"));
    terms.push(format!("until:{until}"));
    let text = terms.join(" ");
    match crate::model::line::read(app, &text) {
        Ok(query) => {
            screen.line = QueryLine::of(&text);
            ask(app, screen, query)
        }
        Err(error) => {
            app.complain(error.to_string());
            Vec::new()
        }
    }
}

/// A key while the name of the line is typed.
pub(super) fn name_key(
    app: &mut App,
    screen: &mut FindScreen,
    mut naming: Box<Naming>,
    key: &str,
) -> Effects {
    let mut effects = Vec::new();
    if key == "enter" {
        let name = naming
            .input
            .value()
            .trim()
            .trim_start_matches('@')
            .to_owned();
        if let (Purpose::Line(line), false) = (&naming.purpose, name.is_empty()) {
            let asked = Keep {
                over: naming.is_there.as_ref() == Some(&name),
                name,
                line: line.clone(),
            };
            naming.error = None;
            let request = Request::KeepLine(asked);
            effects.push(screen.asked.ask(app, "the settings", request));
        } else {
            naming.error = Some("type a name: letters, digits, `.`, `_` and `-`".to_owned());
        }
    } else if edit(&mut naming.input, key) {
        naming.error = None;
        naming.is_there = None;
    }
    // The box stays until the line is kept, to show what may be wrong.
    app.overlay = Some(Overlay::Naming(naming));
    effects
}

fn kept(app: &mut App, kept: Kept) {
    if let Some(all) = kept.all {
        app.queries = all;
    }
    match (kept.refused, &mut app.overlay) {
        (Some(why), Some(Overlay::Naming(naming))) => {
            naming.is_there = kept.is_there.then_some(kept.name);
            naming.error = Some(why);
        }
        (Some(why), _) => app.complain(why),
        (None, overlay) => {
            if matches!(overlay, Some(Overlay::Naming(_))) {
                *overlay = None;
            }
            app.say(format!(
                "saved: @{} stands for the line, here and in `whodunit find`",
                kept.name
            ));
        }
    }
}

pub(super) fn act(app: &mut App, screen: &mut FindScreen, action: Action) -> Effects {
    let len = screen.rows().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    match action {
        Action::Filter | Action::Find => screen.line.typing = true,
        Action::Whole if len > 0 => app.overlay = Some(Overlay::Detail(Box::default())),
        Action::Save => {
            let line = screen.applied.to_string();
            let naming = Naming::new(Purpose::Line(line), "");
            app.overlay = Some(Overlay::Naming(Box::new(naming)));
        }
        Action::TimeBack => stretch(app, screen, false),
        Action::TimeForward => stretch(app, screen, true),
        Action::Narrow => app.overlay = Some(Overlay::Narrow { selected: 0 }),
        Action::Enter if screen.span.is_some() => return within_span(app, screen),
        Action::Enter => match screen.current() {
            Some(row) => {
                let at = Some(row.revision().0);
                app.deeper = Some(Deeper::Stream(row.stream().clone(), at));
            }
            None => app.complain("there is nothing to open"),
        },
        _ => {}
    }
    Vec::new()
}

/// A key while the line is open.
pub(super) fn press(app: &mut App, screen: &mut FindScreen, key: &str) -> Effects {
    match line::press(app, &mut screen.asked, &mut screen.line, key) {
        Typed::On(effects) => effects,
        Typed::Ask(query) => ask(app, screen, query),
        Typed::Left => {
            // The line says again what the rows answer.
            if !matches!(screen.found, Remote::Absent) {
                screen.line = QueryLine::of(&screen.applied.to_string());
            }
            Vec::new()
        }
    }
}

/// A key in the box that narrows the line.
pub(super) fn narrow_key(
    app: &mut App,
    screen: &mut FindScreen,
    selected: usize,
    key: &str,
) -> Effects {
    let figures = (screen.summary.value(), screen.differs.value());
    match line::narrow(app, &screen.applied, figures, selected, key) {
        Some((text, query)) => {
            screen.line = QueryLine::of(&text);
            ask(app, screen, query)
        }
        None => Vec::new(),
    }
}

/// Some of what is found.
pub(super) fn part(app: &mut App, screen: &mut FindScreen, slot: Slot, part: Part) -> Effects {
    if slot == Slot::Find {
        begin(screen);
    }
    let Some(found) = screen.found.value_mut() else {
        return Vec::new();
    };
    let from = found.rows.len();
    found.rows.extend(part.rows);
    if part.progress.is_some() {
        found.progress = part.progress;
    }
    if let Some(kept) = &screen.kept
        && let Some(index) = found
            .rows
            .iter()
            .skip(from)
            .position(|row| row.id() == kept)
    {
        screen.selected = from + index;
        screen.kept = None;
    }
    at_cursor(app, screen)
}

/// The first rows of a search take the place of those of an earlier one.
fn begin(screen: &mut FindScreen) {
    if std::mem::take(&mut screen.is_old) {
        screen.found = Remote::Loading(Some(Found::default()));
        screen.selected = 0;
    }
}

pub(super) fn take(app: &mut App, screen: &mut FindScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Find(end) => {
            begin(screen);
            ended(app, screen, end)
        }
        Reply::MoreFound(end) => ended(app, screen, end),
        Reply::Changes(changes) => {
            screen.add_changes(changes);
            at_cursor(app, screen)
        }
        Reply::Summary(summary) => {
            let is_telling = summary.matches > 0 && !screen.applied.is_everything();
            screen.summary = Remote::Ready(summary);
            screen.span = None;
            if !is_telling {
                return Vec::new();
            }
            screen.differs = Remote::Loading(None);
            let request = Request::Differs(screen.applied.to_string());
            vec![screen.asked.ask(app, "", request)]
        }
        Reply::Differs(differs) => {
            screen.differs = Remote::Ready(differs);
            Vec::new()
        }
        Reply::KeepLine(out) => {
            kept(app, out);
            Vec::new()
        }
        Reply::Names(names) => {
            line::take_names(&mut screen.line.completion, names);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn ended(app: &mut App, screen: &mut FindScreen, end: FindEnd) -> Effects {
    app.head.position = app.head.position.max(end.head);
    screen.found.settle();
    if let Some(found) = screen.found.value_mut() {
        found.next.clone_from(&end.next_cursor);
        found.end = Some(end);
        found.whole = found.rows.len();
    }
    screen.kept = None;
    at_cursor(app, screen)
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut FindScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Find if !screen.is_old && screen.found.value().is_some() => {
            // What was found before it broke off is there all the same.
            screen.found.settle();
            if let Some(found) = screen.found.value_mut() {
                found.stopped = true;
            }
            complain(app, failure, is_away);
        }
        Slot::Find => screen.found.fail(failure, is_away),
        Slot::MoreFound => {
            if let Some(found) = screen.found.value_mut() {
                found.drop_begun();
                screen.selected = screen.selected.min(found.rows.len().saturating_sub(1));
            }
            complain(app, failure, is_away);
        }
        Slot::Summary => screen.summary = Remote::Failed(failure),
        Slot::Differs => screen.differs = Remote::Failed(failure),
        Slot::Names => line::failed(&mut screen.line),
        _ => complain(app, failure, is_away),
    }
}
