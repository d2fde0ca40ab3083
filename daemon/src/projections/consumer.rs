//! Consumer of the log: one thread per projection, the only writer of the read model that answers queries.
//!
//! Owns the order of everything that changes it: the next events, documents re-folded, a rebuilt read model put in its
//! place. An error or a panic does not end it: it retries with back-off, and reports the error meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use whodunit_core::ids::{Position, StreamName};

use super::error::ProjectionError;
use super::files;
use super::mailbox::Command;
use super::read_model::file::{guarded, make_durable, replace, try_room};
use super::read_model::{Bounds, CheckpointMeta, Durable, ReadModel, advance, refold};
use super::rebuild;
use super::runner::{ProjectionRunner, lock};
use crate::limits::{
    PROJECTION_BATCH_BYTES, PROJECTION_BATCH_EVENTS, PROJECTION_DURABLE_EVERY,
    PROJECTION_RETRY_FIRST, PROJECTION_RETRY_LAST,
};

/// State of the consumer's thread.
pub(super) struct Consumer {
    runner: Arc<ProjectionRunner>,
    meta: CheckpointMeta,
    /// When what was committed without being durable is to become so; `None` when all of it is.
    durable_due: Option<Instant>,
    /// How often it failed in a row.
    failures: u32,
    /// Whether a write failed, so that the file takes no more until it is opened again.
    unwritten: bool,
}

impl Consumer {
    pub(super) fn new(runner: Arc<ProjectionRunner>, meta: CheckpointMeta) -> Self {
        Self {
            runner,
            meta,
            durable_due: None,
            failures: 0,
            unwritten: false,
        }
    }

    /// Follows until it is asked to end.
    pub(super) fn run(mut self) {
        let mut level = false;
        loop {
            let frozen = self.runner.frozen.load(Ordering::Relaxed);
            let held = self.runner.held_until();
            let mail = self.runner.mailbox.wait(
                self.failures == 0 && !frozen,
                self.poll_timeout(level, frozen, held),
            );
            for command in mail.commands {
                self.handle(command);
            }
            if mail.stopping {
                break;
            }
            let frozen = self.runner.frozen.load(Ordering::Relaxed);
            if !frozen && self.runner.held_until().is_none() {
                level = self.follow();
            }
            self.make_durable_when_due();
        }
        self.durable_due = self.durable_due.map(|_due| Instant::now());
        self.make_durable_when_due();
    }

    /// How long it may rest; `None` for as long as nothing happens.
    fn poll_timeout(&self, level: bool, frozen: bool, held: Option<Instant>) -> Option<Duration> {
        if self.failures > 0 {
            let doubled = PROJECTION_RETRY_FIRST * 2_u32.saturating_pow(self.failures.min(16) - 1);
            return Some(doubled.min(PROJECTION_RETRY_LAST));
        }
        if !level && !frozen && held.is_none() {
            return Some(Duration::ZERO);
        }
        let next = self.durable_due.into_iter().chain(held).min();
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// Applies the next events. Returns whether it is level with the log.
    fn follow(&mut self) -> bool {
        let step = self.open_again().and_then(|()| self.step(None));
        let result = step.or_else(|error| match error {
            // What comes before the event at fault is applied all the same.
            ProjectionError::Apply { position, .. } if position.0 > self.meta.checkpoint.0 + 1 => {
                self.step(Some(Position(position.0 - 1))).and(Err(error))
            }
            error => Err(error),
        });
        match result {
            Ok(level) => {
                if self.failures > 0 {
                    tracing::info!(projection = self.runner.name(), "the projection continues");
                    lock(&self.runner.progress).recovered();
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
        lock(&self.runner.progress).failed(error.to_string());
        tracing::error!(
            projection = self.runner.name(),
            checkpoint = %self.meta.checkpoint,
            attempt = self.failures,
            %error,
            "the projection is stalled"
        );
        if error.is_damage() {
            self.reset(&error.to_string());
        }
    }

    /// Remembers that a write failed.
    fn note(&mut self, error: &ProjectionError) {
        self.unwritten |= matches!(error, ProjectionError::Unwritten { .. });
    }

    /// Opens the file again after a write to it failed, once there is room. Until then the read model answers from the pages
    /// that the engine holds in memory, and other reads get the failed write as their error; what was committed without being
    /// durable is applied again.
    fn open_again(&mut self) -> Result<(), ProjectionError> {
        let runner = Arc::clone(&self.runner);
        let Some(files) = runner.files.as_ref().filter(|_| self.unwritten) else {
            return Ok(());
        };
        try_room(&files.live)?;
        // The engine's error about a file that it has closed is known.
        drop(runner.model().close());
        let fresh = runner.rules.fresh();
        let (model, meta) = files::found(&files.live, &fresh, &runner.store)?;
        tracing::info!(projection = runner.name(), checkpoint = %meta.checkpoint, "the read model's file was opened again");
        self.go_on_with(model, meta);
        Ok(())
    }

    /// One batch. Returns whether it is level with the log.
    fn step(&mut self, until: Option<Position>) -> Result<bool, ProjectionError> {
        let runner = Arc::clone(&self.runner);
        let view = runner.store.view()?;
        let head = view.head().position;
        if self.meta.checkpoint >= head {
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
        let model = runner.model();
        let meta = guarded(|| {
            advance(
                &model,
                &self.meta,
                &runner.rules,
                (view.as_ref(), None),
                (bounds, durable),
                &|| runner.is_stopping(),
            )
        })?;
        if durable == Durable::Now {
            self.durable_due = None;
        }
        let moved = meta.checkpoint.0 - self.meta.checkpoint.0;
        self.meta = meta;
        self.publish(moved);
        Ok(self.meta.checkpoint >= head)
    }

    /// Publishes how far it has come.
    fn publish(&self, moved: u64) {
        let checkpoint = self.meta.checkpoint;
        let now = Instant::now();
        {
            let mut progress = lock(&self.runner.progress);
            if moved > 0 {
                progress.moved(moved, now);
            }
            progress.compare(self.runner.head().0, checkpoint.0, now);
        }
        self.runner.checkpoint.send_replace(checkpoint);
    }

    fn make_durable_when_due(&mut self) {
        if self.durable_due.is_none_or(|due| Instant::now() < due) {
            return;
        }
        let model = self.runner.model();
        match guarded(|| make_durable(&model, &self.meta)) {
            Ok(()) => self.durable_due = None,
            Err(error) => {
                self.note(&error);
                self.durable_due = Some(Instant::now() + PROJECTION_RETRY_LAST);
                tracing::warn!(projection = self.runner.name(), %error, "a checkpoint is not durable yet");
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::SwapIn(candidate, answer) => {
                let (model, meta) = *candidate;
                // The sender of the command may have ended.
                drop(answer.send(self.swap_in(model, meta)));
            }
            Command::Refold(streams, answer) => {
                let result = guarded(|| self.refold(&streams));
                if let Err(error) = &result {
                    self.note(error);
                }
                drop(answer.send(result));
            }
            Command::Reset { reason, resets } => {
                // Damage that was met before the last reset was made good by it.
                if self.runner.resets.load(Ordering::SeqCst) == resets {
                    self.reset(&reason);
                }
            }
        }
    }

    /// Re-folds the documents of these streams, up to the checkpoint.
    fn refold(&mut self, streams: &[StreamName]) -> Result<(), ProjectionError> {
        let view = self.runner.store.view()?;
        let (model, rules) = (self.runner.model(), &self.runner.rules);
        let meta = refold(&model, &self.meta, rules, view.as_ref(), streams)?;
        self.meta = meta;
        self.durable_due = None;
        Ok(())
    }

    /// Brings a rebuilt read model up to where this one is, makes it durable and puts it in its place.
    fn swap_in(&mut self, model: ReadModel, meta: CheckpointMeta) -> Result<(), ProjectionError> {
        let runner = Arc::clone(&self.runner);
        let mut meta = meta;
        loop {
            let view = runner.store.view()?;
            if meta.checkpoint >= view.head().position {
                break;
            }
            if runner.is_stopping() {
                return Err(ProjectionError::Stopped);
            }
            let bounds = Bounds {
                events: PROJECTION_BATCH_EVENTS,
                bytes: PROJECTION_BATCH_BYTES,
                until: None,
            };
            let batch = (bounds, Durable::Later);
            let stop = || runner.is_stopping();
            meta = guarded(|| {
                advance(
                    &model,
                    &meta,
                    &runner.rules,
                    (view.as_ref(), None),
                    batch,
                    &stop,
                )
            })?;
        }
        make_durable(&model, &meta)?;
        if let Some(files) = &runner.files {
            replace(&files.building, &files.live)?;
        }
        let moved = meta.checkpoint.0.saturating_sub(self.meta.checkpoint.0);
        // Queries that are reading the old one keep it until they are done.
        drop(runner.swap(model));
        runner.frozen.store(false, Ordering::Relaxed);
        lock(&runner.progress).recovered();
        self.meta = meta;
        self.durable_due = None;
        self.failures = 0;
        self.unwritten = false;
        self.publish(moved);
        Ok(())
    }

    /// Makes another read model the one that answers, and continues from its checkpoint.
    fn go_on_with(&mut self, model: ReadModel, meta: CheckpointMeta) {
        let runner = Arc::clone(&self.runner);
        drop(runner.swap(model));
        let checkpoint = meta.checkpoint;
        self.meta = meta;
        self.durable_due = None;
        self.unwritten = false;
        self.publish(0);
        if checkpoint == Position::ZERO && runner.is_far(checkpoint) {
            runner.frozen.store(true, Ordering::Relaxed);
            rebuild::start(&runner);
        }
    }

    /// Moves a damaged read model aside and begins an empty one in its place.
    fn reset(&mut self, reason: &str) {
        let runner = Arc::clone(&self.runner);
        let fresh = runner.rules.fresh();
        let made = match &runner.files {
            None => ReadModel::in_memory(&fresh),
            Some(files) => {
                // The engine lets go of the file before it is moved.
                drop(runner.model().close());
                files::recreate(&files.live, &fresh, runner.store.id(), reason)
            }
        };
        match made {
            Ok(model) => {
                self.go_on_with(model, fresh);
                runner.resets.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                tracing::error!(projection = runner.name(), %error, "a read model could not be reset");
            }
        }
    }
}
