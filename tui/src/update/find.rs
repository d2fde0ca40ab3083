//! The find screen: a query line, what it finds as it is found, and what each event did.

use whodunit_core::api::find::FindEnd;
use whodunit_core::query::Query;

use super::line::Typed;
use super::{Effects, complain, line, moved};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::find::{FindScreen, Found, ROWS_MAX};
use crate::model::line::QueryLine;
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Part, Reply, Request, Slot};

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
    at_cursor(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut FindScreen, action: Action) -> Effects {
    let len = screen.rows().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    match action {
        Action::Filter | Action::Find => screen.line.typing = true,
        Action::Whole if len > 0 => app.overlay = Some(Overlay::Detail(Box::default())),
        Action::Narrow => app.overlay = Some(Overlay::Narrow { selected: 0 }),
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
        Reply::Names(names) => {
            line::take_names(&mut screen.line, names);
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
