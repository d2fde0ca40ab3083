//! The log screen: the newest events, older ones as one goes up, and rejected commands among them.

use std::collections::VecDeque;

use whodunit_core::api::find::FindEnd;
use whodunit_core::query::Query;

use super::line::Typed;
use super::{Effects, complain, line, moved};
use crate::client::{DecisionsQuery, Order};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::line::QueryLine;
use crate::model::log::{LogRow, LogScreen, PAGE, ROWS_MAX};
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Part, Reply, Request, Slot};

/// Parts of the time axis that the density is asked in.
const BUCKETS: usize = 240;

/// Asks for the newest page. What belongs to the rows before is not wanted any more.
pub(super) fn load(app: &mut App, screen: &mut LogScreen) -> Effects {
    screen.rows.reload();
    screen.asked.forget_all();
    screen.early.clear();
    screen.unseen.clear();
    screen.missed = 0;
    screen.decisions.clear();
    screen.older_decisions = None;
    screen.is_old = true;
    screen.progress = None;
    let mut effects = Vec::new();
    if screen.is_filtered() {
        // Opened first, so that nothing that is committed meanwhile is missed.
        let tail = Request::Tail(screen.applied.to_string(), app.head.position);
        effects.push(screen.asked.ask(app, "", tail));
    }
    let request = Request::Log(screen.query(None));
    effects.push(screen.asked.ask(app, "the log", request));
    let density = Request::LogDensity(BUCKETS);
    effects.push(screen.asked.ask(app, "history", density));
    if screen.is_filtered() && screen.shows_decisions() {
        screen.summary.reload();
        let request = Request::Summary(screen.applied.to_string());
        effects.push(screen.asked.ask(app, "", request));
    } else {
        screen.summary = Remote::Absent;
    }
    effects
}

/// Shows what passes another filter. Rows of the one before are no answer to this one.
pub(super) fn ask(app: &mut App, screen: &mut LogScreen, query: Query) -> Effects {
    if screen.applied != query {
        screen.rows = Remote::Absent;
        screen.summary = Remote::Absent;
    }
    screen.applied = query;
    load(app, screen)
}

/// A key while the filter is open. `Esc` takes the whole filter off.
pub(super) fn press(app: &mut App, screen: &mut LogScreen, key: &str) -> Effects {
    match line::press(app, &mut screen.asked, &mut screen.line, key) {
        Typed::On(effects) => effects,
        Typed::Ask(query) => ask(app, screen, query),
        Typed::Left => {
            screen.line = QueryLine::default();
            if screen.is_filtered() {
                ask(app, screen, Query::everything())
            } else {
                Vec::new()
            }
        }
    }
}

/// A key in the box that narrows the filter.
pub(super) fn narrow_key(
    app: &mut App,
    screen: &mut LogScreen,
    selected: usize,
    key: &str,
) -> Effects {
    let figures = (screen.summary.value(), None);
    match line::narrow(app, &screen.applied, figures, selected, key) {
        Some((text, query)) => {
            screen.line = QueryLine::of(&text);
            ask(app, screen, query)
        }
        None => Vec::new(),
    }
}

/// Selects a row; the log is held still for that.
pub(super) fn go_to(app: &mut App, screen: &mut LogScreen, index: usize) -> Effects {
    screen.selected = index;
    screen.follow = false;
    if index < 20 {
        older(app, screen)
    } else {
        Vec::new()
    }
}

pub(super) fn act(app: &mut App, screen: &mut LogScreen, action: Action) -> Effects {
    let len = screen.rows.value().map_or(0, VecDeque::len);
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        let at_top = screen.selected == 0;
        screen.selected = index;
        // Moving off the last row pauses the log; moving back onto it does not follow by itself.
        if matches!(action, Action::Up | Action::PageUp | Action::First) && screen.follow {
            screen.follow = false;
        }
        if action == Action::Last {
            return follow(app, screen);
        }
        return if index == 0 && (at_top || action == Action::First || index < 20) {
            older(app, screen)
        } else {
            Vec::new()
        };
    }
    match action {
        Action::Whole if screen.current().is_some() => {
            app.overlay = Some(Overlay::Detail(Box::default()));
            Vec::new()
        }
        Action::Backtest => super::run::open_backtest(app),
        Action::Filter => {
            screen.line.typing = true;
            Vec::new()
        }
        Action::Narrow => {
            app.overlay = Some(Overlay::Narrow { selected: 0 });
            Vec::new()
        }
        Action::Follow if screen.follow => {
            screen.follow = false;
            app.say("the log is paused; space follows again");
            Vec::new()
        }
        Action::Follow => follow(app, screen),
        Action::Enter => {
            let target = screen.current().map(|row| match row {
                LogRow::Event(event) => (event.stream.clone(), event.revision.0),
                LogRow::Rejected(decision) => (decision.stream.clone(), decision.base_revision.0),
            });
            app.deeper = target.map(|(stream, at)| Deeper::Stream(stream, Some(at)));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Follows the log: what came in the meantime is shown, the newest selected.
fn follow(app: &mut App, screen: &mut LogScreen) -> Effects {
    screen.follow = true;
    if screen.missed > 0 {
        return load(app, screen);
    }
    let unseen = std::mem::take(&mut screen.unseen);
    push(screen, unseen);
    Vec::new()
}

/// Asks for rejected decisions to go with the events: the newest, or those after the cursor.
fn decisions(app: &mut App, screen: &mut LogScreen, cursor: Option<String>) -> Effects {
    if !screen.shows_decisions() {
        return Vec::new();
    }
    let query = DecisionsQuery {
        line: screen.is_filtered().then(|| screen.applied.to_string()),
        rejected: Some(true),
        order: Order::Backward,
        limit: Some(PAGE),
        cursor,
        ..DecisionsQuery::default()
    };
    let request = Request::Decisions(query);
    vec![screen.asked.ask(app, "rejected commands", request)]
}

/// Puts decisions in their places, and asks for older ones as long as events reach further back.
fn weave(app: &mut App, screen: &mut LogScreen) -> Effects {
    screen.weave();
    if screen.wants_decisions() && !screen.asked.has(Slot::Decisions) {
        let cursor = screen.older_decisions.clone();
        return decisions(app, screen, cursor);
    }
    Vec::new()
}

/// Adds rows at the end.
pub(super) fn push(screen: &mut LogScreen, new: Vec<LogRow>) {
    let Some(rows) = screen.rows.value_mut() else {
        return;
    };
    rows.extend(new);
    let surplus = rows.len().saturating_sub(ROWS_MAX);
    rows.drain(..surplus);
    let last = rows.len().saturating_sub(1);
    screen.selected = if screen.follow {
        last
    } else {
        screen.selected.saturating_sub(surplus)
    };
}

fn older(app: &mut App, screen: &mut LogScreen) -> Effects {
    let Some(cursor) = screen.older.clone() else {
        return Vec::new();
    };
    // While the first page is loading, the rows on screen are about to be replaced.
    if screen.asked.has(Slot::OlderLog) || screen.asked.has(Slot::Log) {
        return Vec::new();
    }
    screen.begun.clear();
    let request = Request::OlderLog(screen.query(Some(cursor)));
    vec![screen.asked.ask(app, "older events", request)]
}

/// Some of a page, newest first; or what the live feed of a filter brings.
pub(super) fn part(screen: &mut LogScreen, slot: Slot, part: Part) {
    let rows: Vec<LogRow> = part.rows.into_iter().map(LogRow::from).collect();
    match slot {
        Slot::Tail => super::live::new_rows(screen, rows),
        Slot::Log => {
            begin(screen);
            screen.progress = part.progress.or(screen.progress.take());
            above(screen, rows);
        }
        // It is shown as a whole: one that breaks off is asked for again.
        Slot::OlderLog => screen.begun.extend(rows),
        _ => {}
    }
    if slot == Slot::Log && screen.follow {
        let last = screen
            .rows
            .value()
            .map_or(0, |rows| rows.len().saturating_sub(1));
        screen.selected = last;
    }
}

/// Rows that stand above those that are there: the newest come first on the wire and stand last on screen.
fn above(screen: &mut LogScreen, new: Vec<LogRow>) {
    if let Some(rows) = screen.rows.value_mut() {
        screen.selected += if rows.is_empty() {
            new.len().saturating_sub(1)
        } else {
            new.len()
        };
        for row in new {
            rows.push_front(row);
        }
    }
}

/// The first rows of a look take the place of those of an earlier one.
fn begin(screen: &mut LogScreen) {
    if std::mem::take(&mut screen.is_old) {
        screen.rows = Remote::Loading(Some(VecDeque::new()));
        screen.selected = 0;
    }
}

pub(super) fn take(app: &mut App, screen: &mut LogScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Log(end) => {
            app.head.position = app.head.position.max(end.head);
            begin(screen);
            first_page(screen, &end);
            if screen.follow && screen.missed > 0 {
                // More came meanwhile than was kept.
                return load(app, screen);
            }
            decisions(app, screen, None)
        }
        Reply::OlderLog(end) => {
            screen.older = end.next_cursor;
            let rows = std::mem::take(&mut screen.begun);
            above(screen, rows);
            weave(app, screen)
        }
        Reply::Decisions(page) => {
            screen.decisions.extend(page.items);
            screen.older_decisions = page.next_cursor;
            weave(app, screen)
        }
        Reply::LogDensity(density) => {
            screen.density = Some(density);
            Vec::new()
        }
        Reply::Summary(summary) => {
            screen.summary = Remote::Ready(summary);
            Vec::new()
        }
        Reply::Names(names) => {
            line::take_names(&mut screen.line.completion, names);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn first_page(screen: &mut LogScreen, end: &FindEnd) {
    screen.older.clone_from(&end.next_cursor);
    screen.progress = None;
    screen.rows.settle();
    // What was committed while the page was on its way comes after it. Rejected commands come with the decisions, or are
    // newer than those.
    let early = std::mem::take(&mut screen.early);
    let head = end.head;
    let early = early.into_iter().filter(|row| match row {
        LogRow::Event(event) => event.position.0 > head,
        LogRow::Rejected(_) => true,
    });
    screen.unseen.clear();
    if let Some(rows) = screen.rows.value_mut() {
        rows.extend(early);
        screen.selected = rows.len().saturating_sub(1);
    }
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut LogScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Log if !screen.is_old && screen.rows.value().is_some() => {
            // What was found before it broke off is there all the same.
            screen.rows.settle();
            complain(app, failure, is_away);
        }
        Slot::Log => screen.rows.fail(failure, is_away),
        Slot::Summary => screen.summary = Remote::Failed(failure),
        Slot::Names => line::failed(&mut screen.line),
        _ => complain(app, failure, is_away),
    }
}
