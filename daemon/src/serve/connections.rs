//! Connection limit: what each open connection is doing, and which one is closed when a new one needs its slot.
//!
//! Owns the bound on open connections. When it is reached, the connection that has rested longest is closed; where none
//! rests, the one that has kept us waiting longest for a request's body. One that is being answered is never closed for
//! another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::limits::CONNECTIONS_MAX;

/// Bytes of a body that count as progress.
const PROGRESS_BYTES: usize = 16 << 10;
/// Time after which it is looked again for a connection to close, when there was none.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Between two requests, or before the first is complete.
    Idle,
    /// The body of a request is awaited.
    Receiving,
    /// A request is being answered.
    Answering,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    phase: Mutex<(Phase, Instant)>,
    /// Cancelled when it is to be closed at once.
    pub(super) closing: CancellationToken,
}

impl Connection {
    fn new() -> Self {
        Self {
            phase: Mutex::new((Phase::Idle, Instant::now())),
            closing: CancellationToken::new(),
        }
    }

    fn enter(&self, phase: Phase) {
        *lock(&self.phase) = (phase, Instant::now());
    }

    /// A request has come, with a body or without.
    pub(super) fn begin(&self, has_body: bool) {
        self.enter(if has_body {
            Phase::Receiving
        } else {
            Phase::Answering
        });
    }

    /// More of the body has come. `bytes` since the last progress that counted; is reset when they count.
    pub(super) fn progress(&self, bytes: &mut usize) {
        if *bytes >= PROGRESS_BYTES {
            *bytes = 0;
            let mut phase = lock(&self.phase);
            if phase.0 == Phase::Receiving {
                phase.1 = Instant::now();
            }
        }
    }

    /// The body is complete.
    pub(super) fn received(&self) {
        let mut phase = lock(&self.phase);
        if phase.0 == Phase::Receiving {
            *phase = (Phase::Answering, Instant::now());
        }
    }

    /// The answer is complete.
    pub(super) fn rest(&self) {
        self.enter(Phase::Idle);
    }
}

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<Open>,
    changed: Notify,
    body_grace: Duration,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Arc<Connection>>,
}

/// A slot among the open connections; released when dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.all.open).by_number.remove(&self.number);
        self.all.changed.notify_one();
    }
}

impl Connections {
    /// None yet. One that brings nothing of a body for `body_grace` may be closed for another.
    pub(super) fn new(body_grace: Duration) -> Self {
        Self {
            open: Mutex::default(),
            changed: Notify::new(),
            body_grace,
        }
    }

    /// A place for a newcomer, as soon as there is one.
    pub(super) async fn admit(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_admit() {
                return place;
            }
            // Woken by a released slot; a connection may also have become idle.
            let woken = tokio::time::timeout(LOOK_AGAIN, self.changed.notified()).await;
            drop(woken);
        }
    }

    fn try_admit(self: &Arc<Self>) -> Option<Place> {
        if lock(&self.open).by_number.len() >= CONNECTIONS_MAX && !self.close_one() {
            return None;
        }
        let connection = Arc::new(Connection::new());
        let mut open = lock(&self.open);
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, Arc::clone(&connection));
        Some(Place {
            all: Arc::clone(self),
            number,
            connection,
        })
    }

    /// Closes the connection that can best be done without; `false` when all are being answered.
    pub(super) fn close_one(&self) -> bool {
        let mut open = lock(&self.open);
        let chosen = open
            .by_number
            .iter()
            .map(|(&number, connection)| (*lock(&connection.phase), number))
            .filter(|((phase, since), _)| match phase {
                Phase::Idle => true,
                Phase::Receiving => since.elapsed() >= self.body_grace,
                Phase::Answering => false,
            })
            .min();
        let Some((_, number)) = chosen else {
            return false;
        };
        if let Some(connection) = open.by_number.remove(&number) {
            connection.closing.cancel();
        }
        true
    }

    /// Closes all of them at once.
    pub(super) fn close_all(&self) {
        for connection in lock(&self.open).by_number.values() {
            connection.closing.cancel();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> (Arc<Connections>, Vec<Place>) {
        let all = Arc::new(Connections::new(crate::limits::BODY_GRACE));
        let places = (0..CONNECTIONS_MAX).map(|_| all.try_admit().unwrap());
        let places: Vec<_> = places.collect();
        (all, places)
    }

    #[test]
    fn the_longest_idle_is_closed_for_a_newcomer_and_one_being_answered_never() {
        let (all, places) = full();
        places[0].connection.begin(false);
        places[1].connection.begin(true);
        let newcomer = all.try_admit().unwrap();
        assert!(places[2].connection.closing.is_cancelled());
        for place in &places[2..] {
            place.connection.begin(false);
        }
        newcomer.connection.begin(false);
        assert!(
            all.try_admit().is_none(),
            "a body may take its time at first"
        );
        assert!(!places[0].connection.closing.is_cancelled());
        places[5].connection.rest();
        let _newcomer = all.try_admit().unwrap();
        assert!(places[5].connection.closing.is_cancelled());
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_place_of_the_next_that_leaves() {
        let (all, mut places) = full();
        for place in &places {
            place.connection.begin(false);
        }
        let waiting = tokio::spawn({
            let all = Arc::clone(&all);
            async move { all.admit().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(places.pop());
        drop(waiting.await.unwrap());
    }
}
