//! Projections: read models made from the log, behind the writers' backs.
//!
//! Owns the read models: following the log, rebuilding, checking, and answering queries. Never writes to the log and has
//! no effect beyond its own files, which are derived data and can be thrown away at any time.
//!
//! Entry point: [`Projections::start`]. One projection's life is in `projector` (what is seen of it) and `follower` (the
//! thread that alone changes it); `read_model::apply` is how an event gets into a document.

mod check;
mod error;
mod follower;
mod inbox;
mod opening;
mod pages;
mod projection;
mod projector;
mod pulse;
mod read_model;
mod rebuild;
mod states;
mod users;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use whodunit_core::api::pipeline::{
    CheckOut, DocumentOut, DocumentPage, ProjectionOut, ReadModelOut, RunOut,
};
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::model::Models;

use self::inbox::Order;
use self::projector::{Projector, lock};
use self::read_model::{Document, Rules, query};
use crate::builtin::BuiltIn;
use crate::clock::Clock;
use crate::limits::REDERIVE_STREAMS_MAX;
use crate::reading::blocking;
use crate::runs::Run;
use crate::store::{Head, Store, StoreError};

pub use error::ProjectionError;
pub use projection::{Field, Projection, Sort};
pub(crate) use read_model::query::{DocumentQuery, Filter};
pub use states::States;
pub use users::Users;

/// Name of the directory of read models in the data directory.
const DIRECTORY: &str = "read-models";

/// Why a request about a projection is refused or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no projection of this name.
    #[error("there is no projection `{0}`")]
    NoSuchProjection(String),
    /// Such a run is under way.
    #[error("a {kind} of `{name}` is under way")]
    AlreadyRunning {
        /// `rebuild` or `check`.
        kind: &'static str,
        /// The projection.
        name: String,
    },
    /// No such run is under way.
    #[error("no {kind} of `{name}` is under way")]
    NotRunning {
        /// `rebuild` or `check`.
        kind: &'static str,
        /// The projection.
        name: String,
    },
    /// The read model is being made for the first time, or anew after damage, and nothing answers in its place: that it has
    /// no document says nothing.
    #[error("the read model `{0}` is not made yet")]
    NotMade(String),
    /// The projection or its read model failed.
    #[error(transparent)]
    Failed(#[from] ProjectionError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// The daemon's projections.
pub struct Projections {
    projectors: Vec<Arc<Projector>>,
    listener: tokio::task::JoinHandle<()>,
}

impl Projections {
    /// Starts the projections there are; `users` only if its model was asked for. Read models are kept below the data directory; in memory without one. Must be
    /// called within a tokio runtime.
    pub fn start(
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        clock: &Arc<dyn Clock>,
        data: Option<&Path>,
    ) -> Arc<Self> {
        let mut projections: Vec<Arc<dyn Projection>> = vec![Arc::new(States)];
        if models.asked_for(BuiltIn::Users.category()).is_some() {
            projections.insert(0, Arc::new(Users));
        }
        Self::start_with(projections, store, models, clock, data)
    }

    /// Starts these projections.
    pub fn start_with(
        projections: Vec<Arc<dyn Projection>>,
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        clock: &Arc<dyn Clock>,
        data: Option<&Path>,
    ) -> Arc<Self> {
        let directory = data.map(|data| data.join(DIRECTORY));
        let numbers = Arc::new(AtomicU64::new(0));
        let mut projectors = Vec::new();
        for projection in projections {
            let name = projection.name();
            let rules = Rules::new(projection, Arc::clone(models));
            match opening::open(rules, store, clock, directory.as_deref(), &numbers) {
                Ok(projector) => projectors.push(projector),
                Err(error) => {
                    tracing::error!(projection = name, %error, "a projection could not be started");
                }
            }
        }
        let listener = tokio::spawn(listen(
            store.head(),
            projectors.iter().map(Arc::downgrade).collect(),
        ));
        Arc::new(Self {
            projectors,
            listener,
        })
    }

    fn of(&self, name: &str) -> Result<Arc<Projector>, RequestError> {
        let mut projectors = self.projectors.iter();
        let found = projectors.find(|projector| projector.name() == name);
        found
            .cloned()
            .ok_or_else(|| RequestError::NoSuchProjection(name.to_owned()))
    }

    /// The same, when its read model can answer.
    fn answering(&self, name: &str) -> Result<Arc<Projector>, RequestError> {
        let projector = self.of(name)?;
        if projector.is_unmade() {
            return Err(RequestError::NotMade(name.to_owned()));
        }
        Ok(projector)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        let projectors = self.projectors.iter();
        projectors.map(|projector| projector.name()).collect()
    }

    /// The projection of this name.
    pub(crate) fn projection(&self, name: &str) -> Option<Arc<dyn Projection>> {
        let projector = self.of(name).ok()?;
        Some(Arc::clone(&projector.rules.projection))
    }

    /// How a projection keeps up. Blocks for a moment.
    pub fn status(&self, name: &str) -> Result<ProjectionOut, RequestError> {
        Ok(self.of(name)?.status()?)
    }

    /// How all of them keep up. Blocks for a moment.
    pub fn statuses(&self) -> Result<Vec<ProjectionOut>, RequestError> {
        let projectors = self.projectors.iter();
        let statuses: Result<_, ProjectionError> =
            projectors.map(|projector| projector.status()).collect();
        Ok(statuses?)
    }

    /// Position of the last event that a read model reflects.
    pub fn checkpoint(&self, name: &str) -> Result<Position, RequestError> {
        Ok(*self.of(name)?.checkpoint.borrow())
    }

    /// Waits until a read model reflects a position, at most so long. Returns the position that it reflects, which is
    /// smaller when the time was not enough.
    pub async fn wait_for(
        &self,
        name: &str,
        position: Position,
        at_most: Duration,
    ) -> Result<Position, RequestError> {
        let mut checkpoint = self.of(name)?.checkpoint.subscribe();
        let reached = checkpoint.wait_for(|checkpoint| *checkpoint >= position);
        // What it has come to is told below, whether the time was enough or not.
        drop(tokio::time::timeout(at_most, reached).await);
        let reached = *checkpoint.borrow();
        Ok(reached)
    }

    /// Begins to rebuild a read model beside the one that answers. Must be called within a tokio runtime.
    pub fn rebuild(&self, name: &str) -> Result<RunOut, RequestError> {
        let projector = self.of(name)?;
        if projector.is_stopping() {
            return Err(ProjectionError::Stopped.into());
        }
        let run = rebuild::start(&projector).ok_or_else(|| RequestError::AlreadyRunning {
            kind: "rebuild",
            name: name.to_owned(),
        })?;
        Ok(run.shown())
    }

    /// Ends a rebuild early and waits until it has ended. The read model stays as it was.
    pub async fn cancel_rebuild(&self, name: &str) -> Result<RunOut, RequestError> {
        let running = self.of(name)?.rebuilding();
        let run = running.ok_or_else(|| RequestError::NotRunning {
            kind: "rebuild",
            name: name.to_owned(),
        })?;
        run.cancel();
        run.ended().await;
        Ok(run.shown())
    }

    /// Waits until the rebuild under way, if there is one, has ended.
    pub async fn rebuilt(&self, name: &str) -> Result<(), RequestError> {
        if let Some(run) = self.of(name)?.rebuilding() {
            run.ended().await;
        }
        Ok(())
    }

    /// Compares a read model with the log. Dropping the future ends the check.
    pub async fn check(&self, name: &str) -> Result<CheckOut, RequestError> {
        let projector = self.of(name)?;
        let run = projector.begin(&projector.check, "check").ok_or_else(|| {
            RequestError::AlreadyRunning {
                kind: "check",
                name: name.to_owned(),
            }
        })?;
        let guard = CancelOnDrop(Arc::clone(&run));
        let result = blocking(move || {
            let result = check::check(&projector, &run);
            run.end(error::end_of(&result));
            result
        })
        .await;
        drop(guard);
        Ok(result?)
    }

    /// Folds the documents of these streams anew from the log, in their turn with the events that arrive meanwhile.
    pub async fn rederive(&self, name: &str, streams: &[StreamName]) -> Result<(), RequestError> {
        let projector = self.of(name)?;
        for streams in streams.chunks(REDERIVE_STREAMS_MAX) {
            let (to, answer) = oneshot::channel();
            if projector
                .inbox
                .order(Order::Rederive(streams.to_vec(), to))
                .is_err()
            {
                return Err(ProjectionError::Stopped.into());
            }
            // A follower that ends drops the order.
            answer
                .await
                .unwrap_or_else(|_dropped| Err(ProjectionError::Stopped))?;
        }
        Ok(())
    }

    /// What read models there are.
    pub async fn read_models(&self) -> Result<Vec<ReadModelOut>, RequestError> {
        let projectors = self.projectors.clone();
        let described = blocking(move || {
            let projectors = projectors.iter();
            projectors
                .map(|projector| projector.described())
                .collect::<Result<_, ProjectionError>>()
        });
        Ok(described.await?)
    }

    /// A page of a read model.
    pub(crate) async fn query(
        &self,
        name: &str,
        query: DocumentQuery,
    ) -> Result<DocumentPage, RequestError> {
        let projector = self.answering(name)?;
        let page = blocking(move || {
            let projection = projector.rules.projection.as_ref();
            let (found, checkpoint) = projector.read(|picture| {
                let found = query::page(picture, projection, &query)?;
                Ok((found, picture.stamp.checkpoint))
            })?;
            let documents = found.documents.into_iter();
            Ok::<_, ProjectionError>(DocumentPage {
                items: documents
                    .map(|(key, document)| shown(key, document, checkpoint))
                    .collect(),
                next_cursor: found.next.map(|cursor| query.cursor_text(&cursor)),
                checkpoint: checkpoint.0,
                head: projector.head().0.max(checkpoint.0),
                scanned: found.scanned,
            })
        });
        Ok(page.await?)
    }

    /// A document of a read model, with the position that the read model reflects; `None` when it has no such document.
    pub async fn document(
        &self,
        name: &str,
        key: &str,
    ) -> Result<(Option<DocumentOut>, Position), RequestError> {
        let projector = self.answering(name)?;
        let key = key.to_owned();
        let found = blocking(move || {
            projector.read(move |picture| {
                let checkpoint = picture.stamp.checkpoint;
                let document = picture.document(&key)?;
                let document = document.map(|document| shown(key, document, checkpoint));
                Ok((document, checkpoint))
            })
        });
        Ok(found.await?)
    }

    fn stop(&self) {
        self.listener.abort();
        for projector in &self.projectors {
            projector.stopping.store(true, Ordering::Relaxed);
            projector.inbox.stop();
        }
    }

    /// Ends all work, makes what was applied durable and gives the files up. A rebuild goes on at the next start.
    /// Idempotent.
    pub async fn close(&self) {
        self.stop();
        let projectors = self.projectors.clone();
        let closed = blocking(move || {
            for projector in &projectors {
                end(projector);
            }
            Ok::<_, StoreError>(())
        });
        drop(closed.await);
    }
}

impl Drop for Projections {
    /// Waits for the threads, so that store and files are free once the projections are gone.
    fn drop(&mut self) {
        self.stop();
        for projector in &self.projectors {
            end(projector);
        }
    }
}

fn end(projector: &Projector) {
    let threads = std::mem::take(&mut *lock(&projector.threads));
    for thread in threads {
        // A panic of the thread was logged when it happened.
        drop(thread.join());
    }
    if let Err(error) = projector.model().close() {
        tracing::warn!(projection = projector.name(), %error, "a read model did not close cleanly");
    }
}

/// Ends a check whose asker has gone.
struct CancelOnDrop(Arc<Run>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A document as it is shown.
fn shown(key: String, document: Document, checkpoint: Position) -> DocumentOut {
    DocumentOut {
        key,
        revision: document.revision,
        position: document.position,
        document: document.state,
        checkpoint: checkpoint.0,
    }
}

/// Tells the followers that the log has grown. Keeps neither the store nor the projections alive.
async fn listen(mut head: watch::Receiver<Head>, projectors: Vec<Weak<Projector>>) {
    while head.changed().await.is_ok() {
        let position = head.borrow_and_update().position;
        for projector in projectors.iter().filter_map(Weak::upgrade) {
            let checkpoint = *projector.checkpoint.borrow();
            lock(&projector.pulse).compare(position.0, checkpoint.0, Instant::now());
            projector.inbox.wake();
        }
    }
}
