//! What writers, readers and the sealer share: the log as it is published, and who waits for what.
//!
//! Owns the one place where the log changes for readers. A writer publishes a longer tail, the sealer a shorter one behind more
//! that is sealed; each lays its change over what is published then, so neither waits for the other.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use imbl::Vector;

use super::sealer;
use super::snapshots::Unsaved;
use crate::store::chain::Chain;
use crate::store::group::blocking_here;
use crate::store::redb::sealed::{Mark, SealedFile, SealedRead};
use crate::store::tail::Tail;
use crate::store::wal::{Place, Seen, Wal};
use crate::store::write::Batch;
use crate::store::{ReadOnly, StoreError};

/// The log at one moment.
#[derive(Clone)]
pub(super) struct Published {
    /// What is sealed.
    pub(super) sealed: Arc<SealedRead>,
    /// What stands behind it.
    pub(super) tail: Tail,
    /// The frames that hold it, each with how many batches there are up to its end, counted from the log's opening.
    pub(super) frames: Vector<FrameEnd>,
    /// How many batches were sealed since the log was opened.
    pub(super) sealed_batches: usize,
    /// The chain's value behind it.
    pub(super) chain: Chain,
}

/// The end of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameEnd {
    pub(super) mark: Mark,
    pub(super) batches: usize,
    /// How many bytes it carries.
    pub(super) bytes: usize,
}

impl Published {
    /// How many batches there are, sealed ones among them, counted from the log's opening.
    pub(super) fn batches(&self) -> usize {
        self.sealed_batches + self.tail.batches().len()
    }

    /// Lays more batches over it.
    pub(super) fn with(&self, batches: &[Arc<Batch>], chain: Chain) -> Self {
        let mut next = self.clone();
        for batch in batches {
            next.tail.apply(batch);
        }
        next.chain = chain;
        next
    }
}

/// When the log is sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealing {
    /// Events in the tail from which on it is sealed.
    pub(crate) events: u64,
    /// Bytes of it. No more than about as many are sealed at once.
    pub(crate) bytes: usize,
    /// How many times as much it holds before writers wait for the sealer.
    pub(crate) behind: u32,
}

impl Sealing {
    pub(super) fn is_due(&self, tail: &Tail) -> bool {
        let events = tail.head().position.0 - tail.base().position.0;
        events >= self.events || tail.bytes() >= self.bytes
    }

    fn is_too_far_behind(&self, tail: &Tail) -> bool {
        let events = tail.head().position.0 - tail.base().position.0;
        events >= self.events.saturating_mul(u64::from(self.behind))
            || tail.bytes() / self.behind as usize >= self.bytes
    }
}

/// What the sealer is told.
#[derive(Debug, Default)]
struct Sealer {
    wanted: bool,
    stop: bool,
    /// Why the last sealing failed, until a writer was told.
    failed: Option<StoreError>,
    /// Whether the last sealing failed.
    fails: bool,
}

/// What is shared.
pub(super) struct Shared {
    pub(super) file: SealedFile,
    /// Locked by the leader of a commit for as long as the disk takes.
    wal: Mutex<Wal>,
    pub(super) log: Seen,
    pub(super) snapshots: Arc<Unsaved>,
    pub(super) sealing: Sealing,
    /// Whether a thread seals; else writers do, between their writes.
    has_sealer: bool,
    published: Mutex<Option<Arc<Published>>>,
    sealer: Mutex<Sealer>,
    changed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        file: SealedFile,
        wal: Wal,
        (sealing, has_sealer): (Sealing, bool),
        published: Published,
    ) -> Self {
        Self {
            file,
            log: wal.seen(),
            wal: Mutex::new(wal),
            snapshots: Arc::default(),
            sealing,
            has_sealer,
            published: Mutex::new(Some(Arc::new(published))),
            sealer: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The log as it is; `None` once it is closed.
    pub(super) fn published(&self) -> Option<Arc<Published>> {
        lock(&self.published).clone()
    }

    /// Publishes what becomes of the log.
    pub(super) fn publish(&self, change: impl FnOnce(&Published) -> Published) {
        let mut published = lock(&self.published);
        if let Some(now) = published.as_deref() {
            *published = Some(Arc::new(change(now)));
        }
    }

    /// Gives up what is published; views that there are live on.
    pub(super) fn unpublish(&self) {
        *lock(&self.published) = None;
    }

    pub(super) fn wal(&self) -> MutexGuard<'_, Wal> {
        lock(&self.wal)
    }

    /// Why nothing may be written now. Does not wait for a write that is under way.
    pub(super) fn read_only(&self) -> Option<ReadOnly> {
        let log = if self.log.is_in_place() {
            match self.wal.try_lock() {
                Ok(mut wal) => wal.refusal(),
                Err(TryLockError::Poisoned(wal)) => wal.into_inner().refusal(),
                Err(TryLockError::WouldBlock) => self.log.refusal(),
            }
        } else {
            Some(ReadOnly::FileGone)
        };
        let refusal = self.file.read_only(log);
        refusal.or_else(|| self.is_stuck().then_some(ReadOnly::NotSealed))
    }

    /// Whether writers are refused because sealing fails.
    fn is_stuck(&self) -> bool {
        let behind = |published: Arc<Published>| self.sealing.is_too_far_behind(&published.tail);
        self.has_sealer && lock(&self.sealer).fails && self.published().is_some_and(behind)
    }

    /// Why nothing may be begun now. A log that failed is no reason: it may go on.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        let gone = (!self.log.is_in_place()).then_some(ReadOnly::FileGone);
        let refusal = self.file.read_only(gone);
        refusal.map_or(Ok(()), |why| Err(StoreError::ReadOnly(why)))
    }

    /// Whether all files are where they will be looked for.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.is_in_place() && self.log.is_in_place()
    }

    /// Wakes the sealer if it is time to.
    pub(super) fn seal_if_due(&self, tail: &Tail) {
        if self.sealing.is_due(tail) {
            self.seal();
        }
    }

    /// Without a thread for it: seals what is to be sealed by now.
    pub(super) fn seal_here(&self) {
        if !self.has_sealer && std::mem::take(&mut lock(&self.sealer).wanted) {
            blocking_here(|| sealer::seal_now(self));
        }
    }

    /// Wakes the sealer.
    pub(super) fn seal(&self) {
        lock(&self.sealer).wanted = true;
        self.changed.notify_all();
    }

    /// Ends the sealer.
    pub(super) fn stop_sealing(&self) {
        lock(&self.sealer).stop = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to seal; `false` when it is to end.
    pub(super) fn wait_for_sealing(&self) -> bool {
        let mut sealer = lock(&self.sealer);
        while !sealer.stop && !sealer.wanted {
            sealer = self
                .changed
                .wait(sealer)
                .unwrap_or_else(PoisonError::into_inner);
        }
        sealer.wanted = false;
        !sealer.stop
    }

    /// Tells writers how a sealing ended.
    pub(super) fn sealed(&self, failed: Option<StoreError>) {
        let mut sealer = lock(&self.sealer);
        sealer.fails = failed.is_some();
        sealer.failed = failed;
        drop(sealer);
        self.changed.notify_all();
    }

    /// Waits until the tail is short enough to grow; the reason when it does not get shorter.
    pub(super) fn wait_for_room(&self) -> Result<(), StoreError> {
        if self.has_room() {
            return Ok(());
        }
        blocking_here(|| self.wait_until_sealed())
    }

    fn has_room(&self) -> bool {
        let behind = |published: Arc<Published>| self.sealing.is_too_far_behind(&published.tail);
        !self.has_sealer || !self.published().is_some_and(behind)
    }

    fn wait_until_sealed(&self) -> Result<(), StoreError> {
        loop {
            if self.has_room() {
                return Ok(());
            }
            let mut sealer = lock(&self.sealer);
            if let Some(failed) = sealer.failed.take() {
                // Tried again with the next write.
                sealer.wanted = true;
                self.changed.notify_all();
                return Err(sealer::refusal(failed));
            }
            if sealer.stop {
                return Ok(());
            }
            sealer.wanted = true;
            self.changed.notify_all();
            let timeout = std::time::Duration::from_millis(20);
            drop(self.changed.wait_timeout(sealer, timeout));
        }
    }
}

/// The first place of a new log.
pub(super) const START: Mark = Mark {
    place: Place::START,
    chain: Chain::START,
};
