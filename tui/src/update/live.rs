//! The live feed: what is committed while one looks.

use whodunit_core::api::browse::LiveHead;
use whodunit_core::command::Outcome;
use whodunit_core::event::Event;

use super::{Effects, log, pipeline, stream, streams};
use crate::client::{LiveItem, LiveMessage};
use crate::effect::Effect;
use crate::model::log::LogRow;
use crate::model::{Model, Screen};

/// Rows kept while the log is held still; beyond, they are only counted.
const UNSEEN_MAX: usize = 1_000;

pub(super) fn take(model: &mut Model, messages: Vec<LiveMessage>) -> Effects {
    let mut rows = Vec::new();
    let mut touched = false;
    for message in messages {
        let LiveHead { position, decision } = model.head;
        model.head = LiveHead {
            position: position.max(message.cursor.position),
            decision: decision.max(message.cursor.decision),
        };
        match message.item {
            LiveItem::Head(head) => {
                model.head = LiveHead {
                    position: head.position.max(model.head.position),
                    decision: head.decision.max(model.head.decision),
                };
            }
            LiveItem::Event(event) => {
                touched |= concerns(model, &event);
                if model.log.admits(&event) {
                    rows.push(LogRow::Event(event));
                }
            }
            LiveItem::Decision(decision) => {
                touched |= model
                    .stream
                    .as_ref()
                    .is_some_and(|stream| stream.stream == decision.stream);
                if matches!(decision.result, Outcome::Rejected { .. })
                    && model.log.admits_decision(&decision)
                {
                    rows.push(LogRow::Rejected(decision));
                }
            }
        }
    }
    new_rows(model, rows);
    // Many events in a row make one refresh.
    if touched && !model.refresh_pending {
        model.refresh_pending = true;
        return vec![Effect::RefreshSoon];
    }
    Vec::new()
}

/// Whether the screen in front shows something that the event changes.
fn concerns(model: &Model, event: &Event) -> bool {
    match model.screen {
        Screen::Streams => model
            .streams
            .category
            .as_deref()
            .is_none_or(|category| event.stream.category() == category),
        Screen::Stream | Screen::WhatIf => model
            .stream
            .as_ref()
            .is_some_and(|s| s.stream == event.stream),
        Screen::Log => false,
        Screen::Pipeline => true,
    }
}

fn new_rows(model: &mut Model, rows: Vec<LogRow>) {
    // What the list holds already came with the page: an event stands after the last one shown.
    let last = model.log.rows.value().and_then(|rows| {
        rows.iter().rev().find_map(|row| match row {
            LogRow::Event(event) => Some(event.position),
            LogRow::Rejected(_) => None,
        })
    });
    let rows: Vec<LogRow> = rows
        .into_iter()
        .filter(|row| match row {
            LogRow::Event(event) => last.is_none_or(|last| event.position > last),
            LogRow::Rejected(_) => true,
        })
        .collect();
    if model.log.rows.value().is_none() || rows.is_empty() {
        return;
    }
    if model.log.follow {
        log::push(model, rows);
    } else {
        let room = UNSEEN_MAX.saturating_sub(model.log.unseen.len());
        model.log.missed += rows.len().saturating_sub(room);
        model.log.unseen.extend(rows.into_iter().take(room));
    }
}

/// Loads again what has changed on the screen in front; the cursor stays where it is.
pub(super) fn refresh(model: &mut Model) -> Effects {
    match model.screen {
        Screen::Streams => streams::load(model),
        Screen::Stream | Screen::WhatIf => stream::load(model),
        Screen::Log => Vec::new(),
        Screen::Pipeline => pipeline::live(model),
    }
}
