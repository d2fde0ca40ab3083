//! Live feeds: events and rejected decisions, sent as they are committed.
//!
//! Owns a feed's place in the log. A feed reads from the store and is only woken by the head, so a slow reader neither
//! loses anything nor makes a queue grow.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use whodunit_core::ids::Position;

use crate::interleave::{Cursor, Entry, batch};
use crate::limits::LIVE_BATCH;
use crate::reading::read;
use crate::store::{Head, Store, StoreError};

/// The cursor that a client asks to resume from: `position` or `position.decision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    position: u64,
    decision: Option<u64>,
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_not_a_number| "must be `position` or `position.decision`".to_owned())
        };
        Ok(match text.split_once('.') {
            None => Self {
                position: number(text)?,
                decision: None,
            },
            Some((position, decision)) => Self {
                position: number(position)?,
                decision: Some(number(decision)?),
            },
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.decision)
    }
}

/// A message of a feed.
#[derive(Debug)]
pub(crate) enum Message {
    Entry(Entry),
    /// The head of the log: everything up to it was sent.
    Head(Head),
}

/// Why a feed cannot start.
#[derive(Debug)]
pub(crate) enum FeedError {
    /// The cursor is beyond the head.
    BeyondHead(Head),
    Store(StoreError),
}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A feed.
pub(crate) struct Feed {
    store: Arc<dyn Store>,
    head: watch::Receiver<Head>,
    heartbeat: Duration,
    cursor: Cursor,
    ready: VecDeque<(Entry, Cursor)>,
    /// Whether the reader knows that nothing is left before the head.
    caught_up: bool,
}

impl Feed {
    /// Starts after a cursor, or at the current head.
    pub(crate) async fn begin(
        store: &Arc<dyn Store>,
        after: Option<After>,
        heartbeat: Duration,
    ) -> Result<Self, FeedError> {
        // Subscribed before the first look: nothing can fall in between.
        let head = store.head();
        let cursor = read(store, move |view| {
            let head = view.head();
            let now = Cursor {
                position: head.position.0,
                decision: head.decision,
            };
            let Some(after) = after else { return Ok(now) };
            let decision = match after.decision {
                Some(decision) => decision,
                None => view.rejection_before(Position(after.position))?,
            };
            if after.position > now.position || decision > now.decision {
                return Err(FeedError::BeyondHead(head));
            }
            Ok(Cursor {
                position: after.position,
                decision,
            })
        })
        .await?;
        Ok(Self {
            store: Arc::clone(store),
            head,
            heartbeat,
            cursor,
            ready: VecDeque::new(),
            caught_up: false,
        })
    }

    /// The next message, and the place to go on from after it. Waits until there is one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(Message, Cursor), StoreError> {
        loop {
            if let Some((entry, cursor)) = self.ready.pop_front() {
                self.caught_up = false;
                return Ok((Message::Entry(entry), cursor));
            }
            let from = self.cursor;
            self.head.mark_unchanged();
            let (found, head) = read(&self.store, move |view| -> Result<_, StoreError> {
                let head = view.head();
                Ok((batch(view, from, head, true, LIVE_BATCH)?, head))
            })
            .await?;
            self.cursor = found.end;
            self.ready.extend(found.entries);
            if !self.ready.is_empty() || self.cursor.position < head.position.0 {
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                return Ok((Message::Head(head), self.cursor));
            }
            // An error means that the store is closed: from here on only heads are left to bring.
            let woken = tokio::time::timeout(self.heartbeat, self.head.changed()).await;
            match woken {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => return Err(StoreError::Closed),
                Err(_elapsed) => self.caught_up = false,
            }
        }
    }

    /// Whether a message can be had without waiting.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }
}
