//! The live feed: what is committed while one looks.

use whodunit_core::api::browse::LiveHead;
use whodunit_core::command::Outcome;
use whodunit_core::ids::StreamName;

use super::{Effects, log, pipeline, stream, streams, what_if};
use crate::client::{LiveItem, LiveMessage};
use crate::effect::Effect;
use crate::model::log::{LogRow, LogScreen};
use crate::model::{Model, Screen};
use crate::request::Slot;

/// Rows kept while the log is paused, or while its first page is on its way; beyond, they are only counted.
const UNSEEN_MAX: usize = 1_000;

pub(super) fn take(model: &mut Model, messages: Vec<LiveMessage>) -> Effects {
    let mut rows = Vec::new();
    let mut touched = false;
    for message in messages {
        let LiveHead {
            position, decision, ..
        } = model.app.head;
        model.app.head = LiveHead {
            position: position.max(message.cursor.position),
            decision: decision.max(message.cursor.decision),
            ..model.app.head
        };
        match message.item {
            LiveItem::Head(head) => {
                model.app.head = LiveHead {
                    position: head.position.max(model.app.head.position),
                    decision: head.decision.max(model.app.head.decision),
                    ..head
                };
            }
            LiveItem::Event(event) => {
                touched |= concerns(&model.front, &event.stream);
                rows.push(LogRow::Event(event));
            }
            LiveItem::Decision(decision) => {
                touched |= concerns_stream(&model.front, &decision.stream);
                if matches!(decision.result, Outcome::Rejected { .. }) {
                    rows.push(LogRow::Rejected(decision));
                }
            }
        }
    }
    // A log with a filter has a feed of its own.
    if let Some(log) = model.log_mut().filter(|log| !log.is_filtered()) {
        new_rows(log, rows);
    }
    // Many events in a row make one refresh.
    if touched && !model.app.refresh_pending {
        model.app.refresh_pending = true;
        return vec![Effect::RefreshSoon];
    }
    Vec::new()
}

fn concerns_stream(front: &Screen, stream: &StreamName) -> bool {
    matches!(front, Screen::Stream(_)) && concerns(front, stream)
}

/// Whether the screen in front shows something that an event of this stream changes.
fn concerns(front: &Screen, stream: &StreamName) -> bool {
    match front {
        Screen::Streams(screen) => screen
            .category
            .as_deref()
            .is_none_or(|category| stream.category() == category),
        // A branch is read as it was asked for.
        Screen::Stream(screen) => screen.stream == *stream && screen.asked.branch().is_none(),
        Screen::WhatIf(screen) => screen.stream == *stream,
        Screen::Log(_)
        | Screen::Find(_)
        | Screen::Causes(_)
        | Screen::Diff(_)
        | Screen::World(_)
        | Screen::Branches(_)
        | Screen::Compare(_)
        | Screen::Run(_) => false,
        Screen::Pipeline(_) => true,
    }
}

/// Rows that the live feed brings.
pub(super) fn new_rows(screen: &mut LogScreen, mut rows: Vec<LogRow>) {
    if screen.asked.has(Slot::Log) {
        let room = UNSEEN_MAX.saturating_sub(screen.early.len());
        screen.missed += rows.len().saturating_sub(room);
        screen.early.extend(rows.iter().take(room).cloned());
    }
    // What the list holds already came with the page: an event comes after the last one shown.
    let last = screen.rows.value().and_then(|rows| {
        rows.iter().rev().find_map(|row| match row {
            LogRow::Event(event) => Some(event.position),
            LogRow::Rejected(_) => None,
        })
    });
    rows.retain(|row| match row {
        LogRow::Event(event) => last.is_none_or(|last| event.position > last),
        LogRow::Rejected(_) => true,
    });
    if screen.rows.value().is_none() || rows.is_empty() {
        return;
    }
    if screen.follow {
        log::push(screen, rows);
    } else {
        let room = UNSEEN_MAX.saturating_sub(screen.unseen.len());
        screen.missed += rows.len().saturating_sub(room);
        screen.unseen.extend(rows.into_iter().take(room));
    }
}

/// Loads again what has changed on the screen in front; the cursor stays where it is.
pub(super) fn refresh(model: &mut Model) -> Effects {
    let Model {
        app, front, under, ..
    } = model;
    match front {
        Screen::Streams(screen) => streams::load(app, screen),
        Screen::Stream(screen) => stream::load(app, screen),
        Screen::WhatIf(screen) => {
            let mut effects = what_if::load(app, screen);
            if let Some(Screen::Stream(history)) = under.last_mut() {
                effects.extend(stream::load(app, history));
            }
            effects
        }
        Screen::Log(_)
        | Screen::Find(_)
        | Screen::Causes(_)
        | Screen::Diff(_)
        | Screen::World(_)
        | Screen::Branches(_)
        | Screen::Compare(_)
        | Screen::Run(_) => Vec::new(),
        Screen::Pipeline(screen) => pipeline::live(app, screen),
    }
}
