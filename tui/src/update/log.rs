//! The log screen: the newest events, older ones as one goes up, and rejected commands among them.

use std::collections::VecDeque;

use whodunit_core::api::Page;
use whodunit_core::event::Event;

use super::{Effects, complain, moved};
use crate::client::{DecisionsQuery, Order};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::log::{LogRow, LogScreen, PAGE, ROWS_MAX, parse_filter};
use crate::model::{App, Deeper, Remote};
use crate::request::{Reply, Request, Slot};

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
    let request = Request::Log(screen.query());
    vec![
        screen.asked.ask(app, "the log", request),
        screen
            .asked
            .ask(app, "history", Request::LogDensity(BUCKETS)),
    ]
}

pub(super) fn apply_filter(app: &mut App, screen: &mut LogScreen) -> Effects {
    match parse_filter(screen.filter.value(), app.now) {
        Ok(query) => {
            // Rows of another filter are no answer to this one.
            if screen.applied != query {
                screen.rows = Remote::Absent;
            }
            screen.applied = query;
            screen.filtering = false;
            screen.filter_error = None;
            load(app, screen)
        }
        Err(error) => {
            screen.filter_error = Some(error);
            Vec::new()
        }
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
        Action::Filter => {
            screen.filtering = true;
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
    let mut query = screen.query();
    query.cursor = Some(cursor);
    vec![
        screen
            .asked
            .ask(app, "older events", Request::OlderLog(query)),
    ]
}

pub(super) fn take(app: &mut App, screen: &mut LogScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Log(page) => {
            app.head.position = app.head.position.max(page.head);
            first_page(screen, page);
            if screen.follow && screen.missed > 0 {
                // More came meanwhile than was kept.
                return load(app, screen);
            }
            decisions(app, screen, None)
        }
        Reply::OlderLog(page) => {
            screen.older = page.next_cursor;
            if let Some(rows) = screen.rows.value_mut() {
                screen.selected += page.items.len();
                for event in page.items {
                    rows.push_front(LogRow::Event(Box::new(event)));
                }
            }
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
        _ => Vec::new(),
    }
}

fn first_page(screen: &mut LogScreen, page: Page<Event>) {
    screen.older = page.next_cursor;
    // The newest come first on the wire and stand last on screen.
    let events = page.items.into_iter().rev();
    let mut rows: VecDeque<LogRow> = events.map(|event| LogRow::Event(Box::new(event))).collect();
    // What was committed while the page was on its way comes after it. Rejected commands come with the decisions, or are
    // newer than those.
    let early = std::mem::take(&mut screen.early);
    rows.extend(early.into_iter().filter(|row| match row {
        LogRow::Event(event) => event.position.0 > page.head,
        LogRow::Rejected(_) => true,
    }));
    screen.unseen.clear();
    screen.selected = rows.len().saturating_sub(1);
    screen.rows = Remote::Ready(rows);
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut LogScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Log => screen.rows.fail(failure, is_away),
        _ => complain(app, failure, is_away),
    }
}
