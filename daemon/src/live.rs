//! Live feeds: events and rejected decisions, sent as they are committed.
//!
//! Owns a feed's place in the log, and how a place is known again. A feed reads from the store and is only woken by the head,
//! so a slow reader neither loses anything nor makes a queue grow.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use whodunit_core::ids::Position;
use xxhash_rust::xxh3::xxh3_64;

use crate::interleave::{Cursor, Entry, batch};
use crate::limits::LIVE_BATCH;
use crate::reading::read;
use crate::store::{Head, ReadDecisions, ReadEvents, Store, StoreError, StoreId};

/// The place that a client asks to resume from: the id of a message, `position.decision.mark`, or numbers of the client's
/// own, `position` or `position.decision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    position: u64,
    decision: Option<u64>,
    mark: Option<Mark>,
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "must be a position, or the id of a message".to_owned();
        let number = |text: &str| text.parse().map_err(|_not_a_number| bad());
        let mut parts = text.split('.');
        let (position, decision, mark) = (parts.next(), parts.next(), parts.next());
        if parts.next().is_some() || mark.is_some_and(|mark| mark.len() != 16) {
            return Err(bad());
        }
        let mark = mark.map(|mark| u64::from_str_radix(mark, 16));
        Ok(Self {
            position: number(position.unwrap_or_default())?,
            decision: decision.map(number).transpose()?,
            mark: mark.transpose().map_err(|_no_mark| bad())?.map(Mark),
        })
    }
}

/// Tells a place of one history from the same place of another: of another store, or of this one as it was before an older
/// backup of it was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(u64);

/// A place in the log, with the ids of the event and the decision that it stands behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    store: StoreId,
    cursor: Cursor,
    /// Hashes of the ids; 0 before the first.
    event: u64,
    decision: u64,
}

impl Place {
    /// The place of a cursor.
    fn at(
        view: &(impl ReadEvents + ReadDecisions + ?Sized),
        store: StoreId,
        cursor: Cursor,
    ) -> Result<Self, StoreError> {
        let event = view.event_at(Position(cursor.position))?;
        let decision = view.decision(cursor.decision)?;
        Ok(Self {
            store,
            cursor,
            event: event.map_or(0, |event| xxh3_64(event.event_id.as_bytes())),
            decision: decision.map_or(0, |decision| xxh3_64(decision.command_id.as_bytes())),
        })
    }

    /// The place behind an entry.
    fn behind(self, entry: &Entry, cursor: Cursor) -> Self {
        match entry {
            Entry::Event(event) => Self {
                cursor,
                event: xxh3_64(event.event_id.as_bytes()),
                ..self
            },
            Entry::Decision(decision) => Self {
                cursor,
                decision: xxh3_64(decision.command_id.as_bytes()),
                ..self
            },
        }
    }

    fn mark(&self) -> Mark {
        let mut bytes = self.store.0.to_vec();
        bytes.extend(self.event.to_le_bytes());
        bytes.extend(self.decision.to_le_bytes());
        Mark(xxh3_64(&bytes))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor { position, decision } = self.cursor;
        write!(f, "{position}.{decision}.{:016x}", self.mark().0)
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
    /// The id was given for a place of another history than this store's.
    OtherHistory(Head),
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
    /// How far the log was read.
    place: Place,
    ready: VecDeque<(Entry, Place)>,
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
        let id = store.id();
        let place = read(store, move |view| {
            let head = view.head();
            let now = Cursor {
                position: head.position.0,
                decision: head.decision,
            };
            let Some(after) = after else {
                return Ok(Place::at(view, id, now)?);
            };
            let decision = match after.decision {
                Some(decision) => decision,
                None => view.rejection_before(Position(after.position))?,
            };
            if after.position > now.position || decision > now.decision {
                let other = after.mark.is_some();
                return Err(if other {
                    FeedError::OtherHistory(head)
                } else {
                    FeedError::BeyondHead(head)
                });
            }
            let cursor = Cursor {
                position: after.position,
                decision,
            };
            let place = Place::at(view, id, cursor)?;
            if after.mark.is_some_and(|mark| mark != place.mark()) {
                return Err(FeedError::OtherHistory(head));
            }
            Ok(place)
        })
        .await?;
        Ok(Self {
            store: Arc::clone(store),
            head,
            heartbeat,
            place,
            ready: VecDeque::new(),
            caught_up: false,
        })
    }

    /// The next message, and the place to go on from after it. Waits until there is one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(Message, Place), StoreError> {
        loop {
            if let Some((entry, place)) = self.ready.pop_front() {
                self.caught_up = false;
                return Ok((Message::Entry(entry), place));
            }
            let from = self.place;
            self.head.mark_unchanged();
            let (entries, end, head) = read(&self.store, move |view| -> Result<_, StoreError> {
                let head = view.head();
                let found = batch(view, from.cursor, head, true, LIVE_BATCH)?;
                let (mut entries, mut place) = (VecDeque::new(), from);
                for (entry, cursor) in found.entries {
                    place = place.behind(&entry, cursor);
                    entries.push_back((entry, place));
                }
                if place.cursor != found.end {
                    // Past what was not wanted.
                    place = Place::at(view, from.store, found.end)?;
                }
                Ok((entries, place, head))
            })
            .await?;
            self.place = end;
            self.ready = entries;
            if !self.ready.is_empty() || self.place.cursor.position < head.position.0 {
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                return Ok((Message::Head(head), self.place));
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
