//! One projection as the daemon runs it: its read model, how it keeps up, and the runs over it.
//!
//! Owns which read model answers queries at the moment. Who writes to it is the consumer's business.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::watch;
use whodunit_core::api::pipeline::{ProjectionOut, ProjectionStatus, ReadModelOut};
use whodunit_core::ids::Position;

use super::error::ProjectionError;
use super::hold::Hold;
use super::mailbox::{Command, Mailbox};
use super::progress::Progress;
use super::read_model::file::guarded;
use super::read_model::{ReadModel, ReadView, Rules};
use crate::clock::Clock;
use crate::limits::PROJECTION_FOLLOW_MAX;
use crate::runs::Run;
use crate::store::Store;

/// Where a projection's files are.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The read model that answers.
    pub(super) live: PathBuf,
    /// The one that is being built beside it.
    pub(super) building: PathBuf,
}

/// What all projections share.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    pub(super) run_numbers: Arc<AtomicU64>,
    pub(super) hold: Arc<Hold>,
}

/// A projection at work.
pub(super) struct ProjectionRunner {
    pub(super) rules: Rules,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    /// `None` in memory.
    pub(super) files: Option<Files>,
    pub(super) mailbox: Mailbox,
    pub(super) checkpoint: watch::Sender<Position>,
    pub(super) progress: Mutex<Progress>,
    pub(super) rebuild: Mutex<Option<Arc<Run>>>,
    pub(super) check: Mutex<Option<Arc<Run>>>,
    pub(super) stopping: AtomicBool,
    pub(super) threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether a rebuild replaces following: the read model is of other rules, or far behind.
    pub(super) frozen: AtomicBool,
    model: RwLock<ReadModel>,
    /// How often the read model was reset: several readers may meet the same damage, which asks for one reset.
    pub(super) resets: AtomicU64,
    common: Common,
    /// Readers that wait for a position.
    awaited: AtomicUsize,
}

/// A reader that waits for a position; until it is dropped, no import holds the projection back.
pub(super) struct Awaited(Arc<ProjectionRunner>);

impl Awaited {
    pub(super) fn begin(runner: &Arc<ProjectionRunner>) -> Self {
        runner.awaited.fetch_add(1, Ordering::SeqCst);
        runner.mailbox.wake();
        Self(Arc::clone(runner))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Locks; what a panicking thread left behind is still consistent, as every change is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProjectionRunner {
    pub(super) fn new(
        rules: Rules,
        (store, clock): (&Arc<dyn Store>, &Arc<dyn Clock>),
        files: Option<Files>,
        (model, checkpoint): (ReadModel, Position),
        common: &Common,
    ) -> Self {
        Self {
            rules,
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            files,
            mailbox: Mailbox::default(),
            checkpoint: watch::Sender::new(checkpoint),
            progress: Mutex::new(Progress::new(Instant::now())),
            rebuild: Mutex::new(None),
            check: Mutex::new(None),
            stopping: AtomicBool::new(false),
            threads: Mutex::new(Vec::new()),
            frozen: AtomicBool::new(false),
            model: RwLock::new(model),
            resets: AtomicU64::new(0),
            common: common.clone(),
            awaited: AtomicUsize::new(0),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.rules.projection.name()
    }

    /// Whether the log's head is so far ahead that building a new read model is quicker than following.
    pub(super) fn is_far(&self, checkpoint: Position) -> bool {
        self.head().0.saturating_sub(checkpoint.0) > PROJECTION_FOLLOW_MAX
    }

    /// The log's head.
    pub(super) fn head(&self) -> Position {
        self.store.head().borrow().position
    }

    /// Until when an import holds it back; `None` where none does.
    pub(super) fn held_until(&self) -> Option<Instant> {
        if self.awaited.load(Ordering::SeqCst) > 0 {
            return None;
        }
        self.common.hold.is_on(Instant::now())
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The read model that answers.
    pub(super) fn model(&self) -> ReadModel {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        model.clone()
    }

    /// Whether a rebuild is waited for and there is no older read model that answers meanwhile.
    pub(super) fn is_not_built(&self) -> bool {
        self.frozen.load(Ordering::Relaxed) && *self.checkpoint.borrow() == Position::ZERO
    }

    /// Puts another read model in its place, and returns the one that answered until now.
    pub(super) fn swap(&self, model: ReadModel) -> ReadModel {
        let mut place = self.model.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, model)
    }

    /// Reads from the read model that answers. One that turns out to be damaged is thrown away behind the reader.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadView) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let resets = self.resets.load(Ordering::SeqCst);
        let model = self.model();
        let result = guarded(|| work(&model.read()?));
        if let Err(error) = &result
            && (error.is_damage() || matches!(error, ProjectionError::Panicked(_)))
        {
            // A full mailbox has this command in it already, or the daemon is about to end.
            drop(self.mailbox.send(Command::Reset {
                reason: error.to_string(),
                resets,
            }));
        }
        result
    }

    /// Begins a run, unless one goes on.
    pub(super) fn begin(
        &self,
        place: &Mutex<Option<Arc<Run>>>,
        kind: &'static str,
    ) -> Option<Arc<Run>> {
        let mut place = lock(place);
        if place.as_ref().is_some_and(|run| run.is_running()) {
            return None;
        }
        let run = Run::begin(kind, self.name(), &self.clock, &self.common.run_numbers);
        *place = Some(Arc::clone(&run));
        Some(run)
    }

    /// The rebuild under way.
    pub(super) fn rebuilding(&self) -> Option<Arc<Run>> {
        lock(&self.rebuild).clone().filter(|run| run.is_running())
    }

    /// How it keeps up.
    pub(super) fn status(&self) -> ProjectionOut {
        let (documents, unread) = self.counted();
        let frozen = self.frozen.load(Ordering::Relaxed);
        let rebuilding = self.rebuilding();
        let busy = rebuilding
            .as_ref()
            .filter(|_| frozen)
            .map(|run| run.moved());
        // The consumer publishes its checkpoint before it says that it failed: read in this order, a failure is never shown with
        // a checkpoint of before. The head is read after the checkpoint: what is shown as lag may be too much by a moment,
        // never too little.
        let mut progress = lock(&self.progress);
        let checkpoint = self.checkpoint.borrow().0;
        let head = self.head().0.max(checkpoint);
        let now = Instant::now();
        let held = self
            .held_until()
            .or_else(|| self.common.hold.until().map(|until| until.min(now)));
        let lag_status = progress.lag_status((head, checkpoint), (busy, held), now);
        drop(progress);
        let projection = &self.rules.projection;
        ProjectionOut {
            name: projection.name().to_owned(),
            description: projection.description().to_owned(),
            head,
            checkpoint,
            lag_events: head - checkpoint,
            lag_seconds: lag_status.lag_seconds,
            events_per_second: lag_status.events_per_second,
            status: match unread {
                Some(_) => ProjectionStatus::Stalled,
                None => lag_status.status,
            },
            documents: documents.map(|(count, _)| count),
            rules_hash: self.rules.hash.clone(),
            error: lag_status.error.or(unread),
            rebuild: lock(&self.rebuild).as_ref().map(|run| run.shown()),
            check: lock(&self.check).as_ref().map(|run| run.shown()),
        }
    }

    /// The read model and what can be asked of it.
    pub(super) fn described(&self) -> ReadModelOut {
        let (documents, error) = self.counted();
        let projection = &self.rules.projection;
        let sorts = projection.sorts().iter().map(|sort| sort.name);
        let fields = projection.fields().iter().map(|field| field.name);
        let category = projection.category().is_none().then_some("category");
        ReadModelOut {
            name: projection.name().to_owned(),
            description: projection.description().to_owned(),
            documents: documents.map(|(count, _)| count),
            checkpoint: documents.map_or_else(|| self.checkpoint.borrow().0, |(_, at)| at.0),
            error,
            sorts: std::iter::once("key")
                .chain(sorts)
                .map(str::to_owned)
                .collect(),
            fields: category
                .into_iter()
                .chain(fields)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// How many documents there are, and as of which position; or why the file cannot be read. What is asked for is how one
    /// read model stands, just when it cannot be read, and beside others that can: so this fails no request.
    fn counted(&self) -> (Option<(u64, Position)>, Option<String>) {
        let counted =
            self.read(|read_view| Ok((read_view.documents()?, read_view.meta.checkpoint)));
        match counted {
            Ok(counted) => (Some(counted), None),
            Err(error) => (None, Some(error.to_string())),
        }
    }
}
