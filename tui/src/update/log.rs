//! The log screen.

use super::{Effects, history, moved};
use crate::client::{DecisionsQuery, Order};
use crate::effect::{Effect, Request, Slot};
use crate::keys::Action;
use crate::model::Model;
use crate::model::log::{LogRow, PAGE, ROWS_MAX, parse_filter};

/// Parts of the time axis that the density is asked in.
const BUCKETS: usize = 240;

pub(super) fn load(model: &mut Model) -> Effects {
    model.log.rows.reload();
    model.log.unseen.clear();
    model.log.missed = 0;
    model.log.decisions.clear();
    model.log.older_decisions = None;
    let request = Request::Events(model.log.query());
    vec![
        model.ask(Slot::Log, "the log", request),
        model.ask(Slot::LogDensity, "history", Request::Density(None, BUCKETS)),
    ]
}

pub(super) fn apply_filter(model: &mut Model) -> Effects {
    match parse_filter(model.log.filter.value(), model.now) {
        Ok(query) => {
            model.log.applied = query;
            model.log.filtering = false;
            model.log.filter_error = None;
            load(model)
        }
        Err(error) => {
            model.log.filter_error = Some(error);
            Vec::new()
        }
    }
}

pub(super) fn act(model: &mut Model, action: Action) -> Effects {
    let len = model
        .log
        .rows
        .value()
        .map_or(0, std::collections::VecDeque::len);
    if let Some(index) = moved(model.log.selected, len, model.page(), action) {
        let at_top = model.log.selected == 0;
        model.log.selected = index;
        // Moving off the last row holds the log still; moving back onto it does not follow by itself.
        if matches!(action, Action::Up | Action::PageUp | Action::First) && model.log.follow {
            model.log.follow = false;
        }
        if action == Action::Last {
            return follow(model);
        }
        return if index == 0 && (at_top || action == Action::First || index < 20) {
            older(model)
        } else {
            Vec::new()
        };
    }
    match action {
        Action::Filter => {
            model.log.filtering = true;
            Vec::new()
        }
        Action::Follow if model.log.follow => {
            model.log.follow = false;
            model.say("the log is held still; F follows again");
            Vec::new()
        }
        Action::Follow => follow(model),
        Action::Enter => match model.log.current() {
            Some(LogRow::Event(event)) => {
                let (stream, revision) = (event.stream.clone(), event.revision.0);
                history::open_stream(model, stream, Some(revision))
            }
            Some(LogRow::Rejected(decision)) => {
                let (stream, revision) = (decision.stream.clone(), decision.base_revision.0);
                history::open_stream(model, stream, Some(revision))
            }
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Follows the log: what came in the meantime is shown, the newest selected.
fn follow(model: &mut Model) -> Effects {
    model.log.follow = true;
    if model.log.missed > 0 {
        return load(model);
    }
    let unseen = std::mem::take(&mut model.log.unseen);
    push(model, unseen);
    Vec::new()
}

/// Loads rejected decisions to go with the events: the newest, or those after the cursor.
pub(super) fn decisions(model: &mut Model, cursor: Option<String>) -> Effects {
    if !model.log.shows_decisions() {
        return Vec::new();
    }
    let query = DecisionsQuery {
        rejected: Some(true),
        order: Order::Backward,
        limit: Some(PAGE),
        cursor,
        ..DecisionsQuery::default()
    };
    vec![model.ask(
        Slot::LogDecisions,
        "rejected commands",
        Request::Decisions(query),
    )]
}

/// Rejected decisions have come: they take their places, and older ones are loaded as long as events reach further back.
pub(super) fn weave(model: &mut Model) -> Effects {
    model.log.weave();
    if model.log.wants_decisions() {
        let cursor = model.log.older_decisions.clone();
        return decisions(model, cursor);
    }
    Vec::new()
}

/// Adds rows at the end.
pub(super) fn push(model: &mut Model, new: Vec<LogRow>) {
    let Some(rows) = model.log.rows.value_mut() else {
        return;
    };
    rows.extend(new);
    let surplus = rows.len().saturating_sub(ROWS_MAX);
    rows.drain(..surplus);
    let last = rows.len().saturating_sub(1);
    model.log.selected = if model.log.follow {
        last
    } else {
        model.log.selected.saturating_sub(surplus)
    };
}

fn older(model: &mut Model) -> Effects {
    let Some(cursor) = model.log.older.clone() else {
        return Vec::new();
    };
    if model.waiting.contains_key(&Slot::OlderLog) {
        return Vec::new();
    }
    let mut query = model.log.query();
    query.cursor = Some(cursor);
    let effect: Effect = model.ask(Slot::OlderLog, "older events", Request::Events(query));
    vec![effect]
}
