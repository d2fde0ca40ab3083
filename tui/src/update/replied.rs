//! Replies on their way to the screen that asked.

use super::{
    Effects, branches, causes, compare, diff, find, follow, log, pipeline, stream, streams,
    what_if, world,
};
use crate::effect::{Failure, NoAnswer, Ticket};
use crate::model::{Connection, Model, Screen};
use crate::request::{Part, Reply, Slot};

/// A part of a reply goes to the screen that asked, as the whole one does; more is to come.
pub(super) fn part(model: &mut Model, ticket: Ticket, part: Part) -> Effects {
    let (app, mut screens) = model.parts();
    let owner = screens.find_map(|screen| {
        let slot = screen.asked().slot_of(ticket)?;
        Some((screen, slot))
    });
    match owner {
        Some((Screen::Find(screen), slot)) => find::part(app, screen, slot, part),
        Some((Screen::Log(screen), slot)) => {
            log::part(screen, slot, part);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// A reply goes to the screen that asked. One that no screen waits for any more is dropped: the screen is gone, or it has
/// asked another question since.
pub(super) fn take(model: &mut Model, ticket: Ticket, reply: Result<Reply, Failure>) -> Effects {
    let (app, mut screens) = model.parts();
    let owner = screens.find_map(|screen| {
        let slot = screen.asked_mut().answered(ticket)?;
        Some((screen, slot))
    });
    let Some((screen, slot)) = owner else {
        return Vec::new();
    };
    match reply {
        Ok(Reply::FollowCounts(counts)) => {
            follow::take(app, counts);
            Vec::new()
        }
        Err(failure) if slot == Slot::FollowCounts => {
            follow::failed(app, failure);
            Vec::new()
        }
        Ok(reply) => match screen {
            Screen::Streams(screen) => streams::take(app, screen, reply),
            Screen::Stream(screen) => stream::take(app, screen, reply),
            Screen::WhatIf(screen) => what_if::take(app, screen, reply),
            Screen::Log(screen) => log::take(app, screen, reply),
            Screen::Find(screen) => find::take(app, screen, reply),
            Screen::Causes(screen) => causes::take(app, screen, reply),
            Screen::Diff(screen) => diff::take(screen, reply),
            Screen::World(screen) => world::take(app, screen, reply),
            Screen::Branches(screen) => branches::take(app, screen, reply),
            Screen::Compare(screen) => compare::take(app, screen, reply),
            Screen::Pipeline(screen) => pipeline::take(app, screen, reply),
        },
        Err(failure) => {
            // That a daemon is away is said at the top, once.
            let is_away = match failure.no_answer {
                None => false,
                Some(NoAnswer::Unreachable) => app.connection != Connection::Connecting,
                // A daemon that answers other questions is not away: this one took too long.
                Some(NoAnswer::TimedOut) => app.connection.away_since().is_some(),
            };
            match screen {
                Screen::Streams(screen) => streams::failed(app, screen, slot, failure, is_away),
                Screen::Stream(screen) => stream::failed(app, screen, slot, failure, is_away),
                Screen::WhatIf(screen) => what_if::failed(app, screen, slot, failure, is_away),
                Screen::Log(screen) => log::failed(app, screen, slot, failure, is_away),
                Screen::Find(screen) => find::failed(app, screen, slot, failure, is_away),
                Screen::Causes(screen) => causes::failed(app, screen, slot, failure, is_away),
                Screen::Diff(screen) => diff::failed(app, screen, slot, failure, is_away),
                Screen::World(screen) => world::failed(app, screen, slot, failure, is_away),
                Screen::Branches(screen) => branches::failed(app, screen, slot, failure, is_away),
                Screen::Compare(screen) => compare::failed(app, screen, slot, failure, is_away),
                Screen::Pipeline(screen) => pipeline::failed(app, screen, slot, failure, is_away),
            }
            Vec::new()
        }
    }
}
