//! Replies on their way to the screen that asked.

use super::{Effects, find, follow, log, pipeline, stream, streams, what_if};
use crate::effect::{Failure, NoAnswer, Ticket};
use crate::model::{Connection, Model, Screen};
use crate::request::{Reply, Slot};

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
                Screen::Pipeline(screen) => pipeline::failed(app, screen, slot, failure, is_away),
            }
            Vec::new()
        }
    }
}
