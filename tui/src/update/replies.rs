//! Answers of the daemon, into their places.

use whodunit_core::api::Page;
use whodunit_core::api::time_travel::Step;
use whodunit_core::event::Event;

use super::{Effects, log, pipeline, stream, streams};
use crate::effect::{Failure, Reply, Slot};
use crate::model::log::LogRow;
use crate::model::stream::Row;
use crate::model::streams::StreamList;
use crate::model::{Connection, Model, Overlay, Remote};

pub(super) fn take(model: &mut Model, slot: Slot, reply: Result<Reply, Failure>) -> Effects {
    match reply {
        Ok(reply) => filled(model, slot, reply),
        Err(failure) => {
            failed(model, slot, failure);
            Vec::new()
        }
    }
}

fn filled(model: &mut Model, slot: Slot, reply: Reply) -> Effects {
    match (slot, reply) {
        (Slot::Streams, Reply::Streams(page)) => {
            let kept = model.streams.current().map(|stream| stream.stream.clone());
            model.head.position = model.head.position.max(page.head);
            let list = StreamList {
                streams: page.items,
                next: page.next_cursor,
            };
            // The selection stays on its stream when the list moves under it.
            let index =
                kept.and_then(|name| list.streams.iter().position(|stream| stream.stream == name));
            let last = list.streams.len().saturating_sub(1);
            model.streams.list = Remote::Ready(list);
            model.streams.selected = index.unwrap_or(model.streams.selected).min(last);
            streams::selected(model)
        }
        (Slot::MoreStreams, Reply::Streams(page)) => {
            if let Some(list) = model.streams.list.value_mut() {
                list.streams.extend(page.items);
                list.next = page.next_cursor;
            }
            Vec::new()
        }
        (Slot::Preview, Reply::State(state)) => {
            model.streams.preview = Remote::Ready(state);
            Vec::new()
        }
        (Slot::Categories, Reply::Categories(list)) => {
            if let Some(Overlay::Category { categories, .. }) = &mut model.overlay {
                *categories = Remote::Ready(list);
            }
            Vec::new()
        }
        (Slot::Log, Reply::Events(page)) => {
            log_page(model, page);
            log::decisions(model, None)
        }
        (Slot::OlderLog, Reply::Events(page)) => {
            older_log(model, page);
            log::weave(model)
        }
        (Slot::LogDecisions, Reply::Decisions(page)) => {
            model.log.decisions.extend(page.items);
            model.log.older_decisions = page.next_cursor;
            log::weave(model)
        }
        (Slot::LogDensity, Reply::Density(density)) => {
            model.log.density = Some(density);
            Vec::new()
        }
        (Slot::Pipeline | Slot::PipelineAct | Slot::Check, reply) => pipeline::filled(model, reply),
        (slot, reply) => of_stream(model, slot, reply),
    }
}

fn of_stream(model: &mut Model, slot: Slot, reply: Reply) -> Effects {
    if let Some(screen) = &mut model.what_if {
        match (slot, &reply) {
            (Slot::WhatIf, Reply::WhatIf(out)) => {
                screen.result = Remote::Ready(out.clone());
                return Vec::new();
            }
            (Slot::Model, Reply::Model(spec)) => {
                screen.model = Remote::Ready(spec.clone());
                return Vec::new();
            }
            _ => {}
        }
    }
    let Some(screen) = &mut model.stream else {
        return Vec::new();
    };
    match (slot, reply) {
        (Slot::Stream, Reply::Stream(info)) => {
            let head = info.revision.0;
            screen.info = Remote::Ready(info);
            if screen.at_head {
                screen.cursor = Row::Revision(head);
            }
            if let Some(what_if) = &mut model.what_if
                && what_if.stream == screen.stream
            {
                what_if.head = head;
            }
            stream::load_rest(model)
        }
        (Slot::Steps, Reply::Steps(page)) => {
            steps(model, page);
            stream::at_cursor(model)
        }
        (Slot::Decisions, Reply::Decisions(page)) => {
            let index = matches!(screen.cursor, Row::Rejected(_)).then(|| screen.rejected_count());
            screen.set_decisions(page.items, page.next_cursor.is_some());
            // A cursor on a rejected command is an index into the old list.
            if index.is_some_and(|count| count > screen.rejected_count()) {
                screen.cursor = Row::Revision(screen.head());
            }
            Vec::new()
        }
        (Slot::Standing, Reply::Standing(standing)) => {
            // One of the stream that was in front before says nothing about this one.
            if standing.stream == screen.stream {
                screen.standing = Remote::Ready(standing);
            }
            Vec::new()
        }
        (Slot::Density, Reply::Density(density)) => {
            screen.density = Some(density);
            Vec::new()
        }
        (Slot::State, Reply::State(state)) => {
            screen.state_failure = None;
            screen.add_state(state);
            Vec::new()
        }
        (Slot::Jump, Reply::State(state)) => {
            let revision = state.revision.0;
            screen.add_state(state);
            stream::jumped(model, revision)
        }
        (Slot::Diff, Reply::Diff(diff)) => {
            screen.diff = Remote::Ready(diff);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn steps(model: &mut Model, page: Page<Step>) {
    if let Some(screen) = &mut model.stream {
        screen.steps_failure = None;
        screen.add_steps(page.items);
    }
}

fn log_page(model: &mut Model, page: Page<Event>) {
    model.head.position = model.head.position.max(page.head);
    model.log.older = page.next_cursor;
    // The newest come first on the wire and stand last on screen.
    let rows: std::collections::VecDeque<LogRow> = page
        .items
        .into_iter()
        .rev()
        .map(|event| LogRow::Event(Box::new(event)))
        .collect();
    model.log.selected = rows.len().saturating_sub(1);
    model.log.rows = Remote::Ready(rows);
}

fn older_log(model: &mut Model, page: Page<Event>) {
    model.log.older = page.next_cursor;
    if let Some(rows) = model.log.rows.value_mut() {
        let added = page.items.len();
        for event in page.items {
            rows.push_front(LogRow::Event(Box::new(event)));
        }
        model.log.selected += added;
    }
}

fn failed(model: &mut Model, slot: Slot, failure: Failure) {
    // A daemon that is away is said at the top; what is on screen stays, marked stale.
    let away = failure.unreachable && model.connection != Connection::Connecting;
    match slot {
        Slot::Streams if model.streams.list.value().is_none() || !away => {
            model.streams.list = Remote::Failed(failure);
            return;
        }
        Slot::Log if model.log.rows.value().is_none() || !away => {
            model.log.rows = Remote::Failed(failure);
            return;
        }
        Slot::Preview => {
            model.streams.preview = Remote::Failed(failure);
            return;
        }
        Slot::Jump => return jump_failed(model, failure),
        Slot::Pipeline | Slot::PipelineAct | Slot::Check => {
            return pipeline::failed(model, slot, failure, away);
        }
        Slot::Standing => {
            if let Some(screen) = &mut model.stream
                && screen.standing.value().is_none()
            {
                screen.standing = Remote::Failed(failure);
            }
            return;
        }
        _ => {}
    }
    if let Some(screen) = &mut model.what_if {
        match slot {
            Slot::WhatIf => {
                screen.result = Remote::Failed(failure);
                return;
            }
            Slot::Model => {
                screen.model = Remote::Failed(failure);
                return;
            }
            _ => {}
        }
    }
    if let Some(screen) = &mut model.stream {
        match slot {
            Slot::Stream if screen.info.value().is_none() || !away => {
                screen.info = Remote::Failed(failure);
            }
            Slot::State => screen.state_failure = Some((screen.revision(), failure)),
            Slot::Steps => screen.steps_failure = Some(failure),
            Slot::Diff => screen.diff = Remote::Failed(failure),
            _ if !away => model.complain(failure.message),
            _ => {}
        }
    } else if !away {
        model.complain(failure.message);
    }
}

fn jump_failed(model: &mut Model, failure: Failure) {
    let text = match &failure.hint {
        Some(hint) => format!("{}; {hint}", failure.message),
        None => failure.message,
    };
    match &mut model.overlay {
        Some(Overlay::Jump { error, .. }) => *error = Some(text),
        _ => model.complain(text),
    }
}

/// Nothing is under way any more: what was asked for is not there, and says so.
pub(super) fn cancelled(model: &mut Model) {
    fn settle<T>(remote: &mut Remote<T>) {
        *remote = match std::mem::take(remote) {
            Remote::Loading(Some(value)) => Remote::Ready(value),
            Remote::Loading(None) => Remote::Absent,
            other => other,
        };
    }
    settle(&mut model.streams.list);
    settle(&mut model.streams.preview);
    settle(&mut model.log.rows);
    settle(&mut model.pipeline.all);
    settle(&mut model.pipeline.check);
    if let Some(stream) = &mut model.stream {
        settle(&mut stream.info);
        settle(&mut stream.standing);
        settle(&mut stream.diff);
    }
    if let Some(what_if) = &mut model.what_if {
        settle(&mut what_if.result);
        settle(&mut what_if.model);
    }
}
