//! Following the log: one thread a projection, which alone writes to the read model that answers.
//!
//! Owns the order of everything that changes it: the next events, documents folded anew, a rebuilt read model put in its
//! place. An error or a panic does not end it: it tries again, at growing distances, and says so meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use whodunit_core::ids::{Position, StreamName};

use super::error::ProjectionError;
use super::inbox::Order;
use super::projector::{Projector, lock};
use super::read_model::file::{guarded, replace, seal, try_room};
use super::read_model::{Bounds, Durable, ReadModel, Stamp, advance, rederive};
use super::rebuild;
use crate::limits::{
    PROJECTION_BATCH_BYTES, PROJECTION_BATCH_EVENTS, PROJECTION_DURABLE_EVERY,
    PROJECTION_RETRY_FIRST, PROJECTION_RETRY_LAST,
};

/// The thread's own knowledge.
pub(super) struct Follower {
    projector: Arc<Projector>,
    stamp: Stamp,
    /// When what was committed without being durable is to become so; `None` when all of it is.
    durable_due: Option<Instant>,
    /// How often it failed in a row.
    failures: u32,
    /// Whether a write failed, so that the file takes no more until it is opened again.
    unwritten: bool,
}

impl Follower {
    pub(super) fn new(projector: Arc<Projector>, stamp: Stamp) -> Self {
        Self {
            projector,
            stamp,
            durable_due: None,
            failures: 0,
            unwritten: false,
        }
    }

    /// Follows until it is asked to end.
    pub(super) fn run(mut self) {
        let mut level = false;
        loop {
            let frozen = self.projector.frozen.load(Ordering::Relaxed);
            let mail = self
                .projector
                .inbox
                .wait(self.failures == 0 && !frozen, self.patience(level, frozen));
            for order in mail.orders {
                self.obey(order);
            }
            if mail.stopping {
                break;
            }
            if !self.projector.frozen.load(Ordering::Relaxed) {
                level = self.follow();
            }
            self.make_durable_when_due();
        }
        self.durable_due = self.durable_due.map(|_due| Instant::now());
        self.make_durable_when_due();
    }

    /// How long it may rest; `None` for as long as nothing happens.
    fn patience(&self, level: bool, frozen: bool) -> Option<Duration> {
        if self.failures > 0 {
            let doubled = PROJECTION_RETRY_FIRST * 2_u32.saturating_pow(self.failures.min(16) - 1);
            return Some(doubled.min(PROJECTION_RETRY_LAST));
        }
        if !level && !frozen {
            return Some(Duration::ZERO);
        }
        self.durable_due
            .map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Applies the next events. Returns whether it is level with the log.
    fn follow(&mut self) -> bool {
        let step = self.open_again().and_then(|()| self.step(None));
        let result = step.or_else(|error| match error {
            // What comes before the event at fault is applied all the same.
            ProjectionError::Apply { position, .. } if position.0 > self.stamp.checkpoint.0 + 1 => {
                self.step(Some(Position(position.0 - 1))).and(Err(error))
            }
            error => Err(error),
        });
        match result {
            Ok(level) => {
                if self.failures > 0 {
                    tracing::info!(projection = self.projector.name(), "the projection goes on");
                    lock(&self.projector.pulse).recovered();
                }
                self.failures = 0;
                level
            }
            Err(ProjectionError::Stopped) => true,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn fail(&mut self, error: &ProjectionError) {
        self.failures += 1;
        self.note(error);
        lock(&self.projector.pulse).failed(error.to_string());
        tracing::error!(
            projection = self.projector.name(),
            checkpoint = %self.stamp.checkpoint,
            attempt = self.failures,
            %error,
            "the projection stands still"
        );
        if error.is_damage() {
            self.begin_anew(&error.to_string());
        }
    }

    /// Remembers that a write failed.
    fn note(&mut self, error: &ProjectionError) {
        self.unwritten |= matches!(error, ProjectionError::Unwritten { .. });
    }

    /// Opens the file again after a write to it failed, once there is room. Until then the read model answers as it is; what
    /// was committed without being durable is applied again.
    fn open_again(&mut self) -> Result<(), ProjectionError> {
        let projector = Arc::clone(&self.projector);
        let Some(files) = projector.files.as_ref().filter(|_| self.unwritten) else {
            return Ok(());
        };
        try_room(&files.live)?;
        // What the engine says about a file that it has given up is known.
        drop(projector.model().close());
        let fresh = projector.rules.fresh();
        let (model, stamp) = super::opening::found(&files.live, &fresh, &projector.store)?;
        tracing::info!(projection = projector.name(), checkpoint = %stamp.checkpoint, "the read model's file was opened again");
        self.take(model, stamp);
        Ok(())
    }

    /// One batch. Returns whether it is level with the log.
    fn step(&mut self, until: Option<Position>) -> Result<bool, ProjectionError> {
        let projector = Arc::clone(&self.projector);
        let view = projector.store.view()?;
        let head = view.head().position;
        if self.stamp.checkpoint >= head {
            self.publish(0);
            return Ok(true);
        }
        let bounds = Bounds {
            events: PROJECTION_BATCH_EVENTS,
            bytes: PROJECTION_BATCH_BYTES,
            until,
        };
        let now = Instant::now();
        let due = *self
            .durable_due
            .get_or_insert(now + PROJECTION_DURABLE_EVERY);
        let durable = if now >= due {
            Durable::Now
        } else {
            Durable::Later
        };
        let model = projector.model();
        let stamp = guarded(|| {
            advance(
                &model,
                &self.stamp,
                &projector.rules,
                (view.as_ref(), None),
                (bounds, durable),
                &|| projector.is_stopping(),
            )
        })?;
        if durable == Durable::Now {
            self.durable_due = None;
        }
        let moved = stamp.checkpoint.0 - self.stamp.checkpoint.0;
        self.stamp = stamp;
        self.publish(moved);
        Ok(self.stamp.checkpoint >= head)
    }

    /// Tells everybody how far it has come.
    fn publish(&self, moved: u64) {
        let checkpoint = self.stamp.checkpoint;
        let now = Instant::now();
        {
            let mut pulse = lock(&self.projector.pulse);
            if moved > 0 {
                pulse.moved(moved, now);
            }
            pulse.compare(self.projector.head().0, checkpoint.0, now);
        }
        self.projector.checkpoint.send_replace(checkpoint);
    }

    fn make_durable_when_due(&mut self) {
        if self.durable_due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        let model = self.projector.model();
        match guarded(|| seal(&model, &self.stamp)) {
            Ok(()) => self.durable_due = None,
            Err(error) => {
                self.note(&error);
                self.durable_due = Some(Instant::now() + PROJECTION_RETRY_LAST);
                tracing::warn!(projection = self.projector.name(), %error, "a checkpoint is not durable yet");
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Adopt(candidate, answer) => {
                let (model, stamp) = *candidate;
                // Whoever gave the order may have ended.
                drop(answer.send(self.adopt(model, stamp)));
            }
            Order::Rederive(streams, answer) => {
                let result = guarded(|| self.rederive(&streams));
                if let Err(error) = &result {
                    self.note(error);
                }
                drop(answer.send(result));
            }
            Order::BeginAnew(reason) => self.begin_anew(&reason),
        }
    }

    /// Folds the documents of these streams anew, up to the checkpoint.
    fn rederive(&mut self, streams: &[StreamName]) -> Result<(), ProjectionError> {
        let view = self.projector.store.view()?;
        let (model, rules) = (self.projector.model(), &self.projector.rules);
        let stamp = rederive(&model, &self.stamp, rules, view.as_ref(), streams)?;
        self.stamp = stamp;
        self.durable_due = None;
        Ok(())
    }

    /// Brings a rebuilt read model up to where this one is, makes it durable and puts it in its place.
    fn adopt(&mut self, model: ReadModel, stamp: Stamp) -> Result<(), ProjectionError> {
        let projector = Arc::clone(&self.projector);
        let mut stamp = stamp;
        loop {
            let view = projector.store.view()?;
            if stamp.checkpoint >= view.head().position {
                break;
            }
            if projector.is_stopping() {
                return Err(ProjectionError::Stopped);
            }
            let bounds = Bounds {
                events: PROJECTION_BATCH_EVENTS,
                bytes: PROJECTION_BATCH_BYTES,
                until: None,
            };
            let batch = (bounds, Durable::Later);
            let stop = || projector.is_stopping();
            stamp = guarded(|| {
                advance(
                    &model,
                    &stamp,
                    &projector.rules,
                    (view.as_ref(), None),
                    batch,
                    &stop,
                )
            })?;
        }
        seal(&model, &stamp)?;
        if let Some(files) = &projector.files {
            replace(&files.building, &files.live)?;
        }
        let moved = stamp.checkpoint.0.saturating_sub(self.stamp.checkpoint.0);
        // Queries that are reading the old one keep it until they are done.
        drop(projector.swap(model));
        projector.frozen.store(false, Ordering::Relaxed);
        lock(&projector.pulse).recovered();
        self.stamp = stamp;
        self.durable_due = None;
        self.failures = 0;
        self.unwritten = false;
        self.publish(moved);
        Ok(())
    }

    /// Lets another read model answer, and goes on from where it is.
    fn take(&mut self, model: ReadModel, stamp: Stamp) {
        let projector = Arc::clone(&self.projector);
        drop(projector.swap(model));
        let checkpoint = stamp.checkpoint;
        self.stamp = stamp;
        self.durable_due = None;
        self.unwritten = false;
        self.publish(0);
        if checkpoint == Position::ZERO && super::opening::is_far(&projector, checkpoint) {
            projector.frozen.store(true, Ordering::Relaxed);
            rebuild::start(&projector);
        }
    }

    /// Moves a damaged read model aside and begins an empty one in its place.
    fn begin_anew(&mut self, reason: &str) {
        let projector = Arc::clone(&self.projector);
        let fresh = projector.rules.fresh();
        let made = match &projector.files {
            None => ReadModel::in_memory(&fresh),
            Some(files) => {
                // The engine lets go of the file before it is moved.
                drop(projector.model().close());
                super::opening::make_anew(&files.live, &fresh, reason)
            }
        };
        match made {
            Ok(model) => self.take(model, fresh),
            Err(error) => {
                tracing::error!(projection = projector.name(), %error, "a read model could not be begun anew");
            }
        }
    }
}
