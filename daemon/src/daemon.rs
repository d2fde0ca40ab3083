//! The daemon: the store and everything that works on it, as one value.
//!
//! Owns what all parts share. Never listens; [`crate::serve`] does.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use whodunit_core::model::Models;

use crate::backfill::{self, Backfills};
use crate::branches::Branches;
use crate::builtin::BuiltIn;
use crate::clock::{Clock, Ids, SystemClock, UuidV7};
use crate::commands::Commands;
use crate::config::Config;
use crate::limits::{
    BACKTESTS_MAX, BACKUPS_MAX, BISECTS_MAX, BODIES_BYTES_MAX, EXPORTS_MAX, FINDS_MAX, IMPORTS_MAX,
    LIVE_FEEDS_MAX, REPLIES_BYTES_MAX, REQUESTS_MAX, VERIFICATIONS_MAX,
};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::notes::Notes;
use crate::outbox::{Dependencies, Outbox, Routes};
use crate::projections::{Projections, indexed_fields};
use crate::reading::{HeavyPool, decision_page, readers};
use crate::store::disk::{Disk, RealDisk};
use crate::store::{DecisionFilter, Direction, Store, StoreError};
use crate::time_travel::TimeTravel;
use crate::verify::AtStart;

/// How many of the newest decisions tell which models a log was decided by.
const DECISIONS_LOOKED_AT: usize = 1_000;

/// A daemon. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Daemon {
    parts: Arc<Parts>,
}

/// What the daemon is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) models: Arc<Models>,
    pub(crate) travel: Arc<TimeTravel>,
    pub(crate) commands: Commands,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) backfills: Backfills,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) projections: Arc<Projections>,
    pub(crate) notes: Notes,
    pub(crate) branches: Branches,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) gates: Gates,
    /// The verification that this start made.
    pub(crate) at_start: Arc<AtStart>,
    /// Cancelled when the daemon begins to stop: live feeds end, `ready` says no.
    pub(crate) stopping: CancellationToken,
    pub(crate) started: Instant,
}

/// How many of each kind of work may go on at a time.
pub(crate) struct Gates {
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) readers: Arc<Semaphore>,
    pub(crate) heavy: HeavyPool,
    pub(crate) bodies: Memory,
    pub(crate) replies: Arc<Memory>,
    pub(crate) live: Arc<Semaphore>,
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) backups: Arc<Semaphore>,
    pub(crate) backtests: Arc<Semaphore>,
    pub(crate) bisects: Arc<Semaphore>,
    pub(crate) finds: Arc<Semaphore>,
    pub(crate) verifications: Arc<Semaphore>,
    pub(crate) imports: Arc<Semaphore>,
}

impl Gates {
    fn new(stopping: &CancellationToken) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            readers: readers(),
            heavy: HeavyPool::new(stopping.clone()),
            bodies: Memory::new(BODIES_BYTES_MAX),
            replies: Arc::new(Memory::new(REPLIES_BYTES_MAX)),
            live: Arc::new(Semaphore::new(LIVE_FEEDS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            backups: Arc::new(Semaphore::new(BACKUPS_MAX)),
            backtests: Arc::new(Semaphore::new(BACKTESTS_MAX)),
            bisects: Arc::new(Semaphore::new(BISECTS_MAX)),
            finds: Arc::new(Semaphore::new(FINDS_MAX)),
            verifications: Arc::new(Semaphore::new(VERIFICATIONS_MAX)),
            imports: Arc::new(Semaphore::new(IMPORTS_MAX)),
        }
    }
}

impl Daemon {
    /// A daemon on this store, with the machine's clock. Must be called within a tokio runtime.
    pub fn open(config: Config, store: Arc<dyn Store>) -> Self {
        Self::with(config, store, Arc::new(SystemClock), Arc::new(UuidV7))
    }

    /// A daemon with another clock and id source, for tests and the demo.
    pub fn with(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let models = Arc::new(config.models.clone());
        let travel = Arc::new(TimeTravel::start(Arc::clone(&store)));
        let metrics = Arc::new(Metrics::default());
        let commands = Commands::new(
            Arc::clone(&store),
            Arc::clone(&models),
            Arc::clone(&travel),
            Arc::clone(&clock),
            ids,
            Routes::for_handlers(&config.handlers.0),
            Arc::clone(&metrics),
        );
        let dependencies = Dependencies {
            store: Arc::clone(&store),
            models: Arc::clone(&models),
            travel: Arc::clone(&travel),
            clock: Arc::clone(&clock),
        };
        let outbox = Arc::new(Outbox::start(
            dependencies,
            config.handlers.0.clone(),
            config.outbox,
        ));
        let indexed = indexed_fields(&models, &config.index).unwrap_or_else(|error| {
            tracing::error!(%error, "no field values are indexed");
            Vec::new()
        });
        let data = config.data.as_deref();
        let projections = Projections::start(&store, &models, &clock, data, indexed);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let beside = config.notes.as_deref().or(config.data.as_deref());
        let notes = Notes::open(&disk, beside, store.id());
        let branches = Branches::open(&disk, beside, store.id());
        let stopping = CancellationToken::new();
        let backfills = Backfills::new(backfill::Dependencies {
            store: Arc::clone(&store),
            outbox: Arc::clone(&outbox),
            projections: Arc::clone(&projections),
            clock: Arc::clone(&clock),
            stopping: stopping.clone(),
        });
        let gates = Gates::new(&stopping);
        let at_start = AtStart::begin(&store, &models, &stopping);
        Self {
            parts: Arc::new(Parts {
                config,
                store,
                models,
                travel,
                commands,
                outbox,
                backfills,
                metrics,
                projections,
                notes,
                branches,
                clock,
                gates,
                at_start,
                stopping,
                started: Instant::now(),
            }),
        }
    }

    /// Takes commands and raw events, without HTTP in between.
    pub fn commands(&self) -> &Commands {
        &self.parts.commands
    }

    /// Reaches states, without HTTP in between.
    pub fn time_travel(&self) -> &TimeTravel {
        &self.parts.travel
    }

    /// Its projections and their read models.
    pub fn projections(&self) -> &Arc<Projections> {
        &self.parts.projections
    }

    /// The models it folds and decides by.
    pub fn models(&self) -> &Models {
        &self.parts.models
    }

    /// Models that decided commands of this log, as far as its newest decisions tell, and that were not asked for now: the
    /// operator has probably forgotten to. Blocking.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn forgotten_models(&self) -> Result<Vec<BuiltIn>, StoreError> {
        let view = self.parts.store.view()?;
        let filter = DecisionFilter::default();
        let page = decision_page(
            view.as_ref(),
            &filter,
            None,
            Direction::Backward,
            DECISIONS_LOOKED_AT,
        )?;
        let mut forgotten = Vec::new();
        for decision in page.decisions {
            let category = decision.stream.category();
            if let Some(model) = BuiltIn::for_category(category)
                && self.parts.models.asked_for(category).is_none()
                && !forgotten.contains(&model)
            {
                forgotten.push(model);
            }
        }
        Ok(forgotten)
    }

    /// Its store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// Begins to stop: live feeds end, imports and exports stop at the next record, `ready` says no.
    pub fn begin_to_stop(&self) {
        self.parts.stopping.cancel();
    }

    /// Waits until it begins to stop.
    pub async fn stopping(&self) {
        self.parts.stopping.cancelled().await;
    }

    /// Stops: backfills end, jobs under way are finished or released, read models are closed, and then the store, once the
    /// writes under way are done.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.begin_to_stop();
        self.parts.backfills.close().await;
        self.parts.outbox.close().await;
        self.parts.projections.close().await;
        self.parts.store.close().await
    }

    pub(crate) fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }
}
