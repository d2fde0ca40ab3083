//! Projections: read models made from the log, asynchronously.
//!
//! Owns the read models: following the log, rebuilding, checking, and answering queries. Never writes to the log and has
//! no effect beyond its own files, which are derived data and can be thrown away at any time.
//!
//! Entry point: [`Projections::start`]. One projection's life is in `runner` (what is seen of it) and `consumer` (the
//! thread that alone changes it); `read_model::apply` is how an event gets into a document.

mod check;
mod consumer;
mod error;
mod field_index;
mod files;
mod hold;
mod lookup;
mod mailbox;
mod opening;
mod pages;
mod progress;
mod projection;
mod read_model;
mod rebuild;
mod runner;
mod states;
mod users;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use whodunit_core::api::pipeline::{
    CheckOut, DocumentOut, DocumentPage, ProjectionOut, ReadModelOut, RunOut,
};
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::model::Models;
use whodunit_core::nearest::did_you_mean;

use self::hold::Hold;
use self::mailbox::Command;
use self::read_model::{Document, Rules, query};
use self::runner::{Awaited, Common, ProjectionRunner, lock};
use crate::builtin::BuiltIn;
use crate::clock::Clock;
use crate::limits::{FOLLOW_PAUSE, REFOLD_STREAMS_MAX};
use crate::reading::{blocking, blocking_aside, blocking_until};
use crate::runs::Run;
use crate::store::{Head, Store, StoreError};

pub use error::{ProjectionError, RequestError};
pub use field_index::{FieldIndex, IndexError, IndexedField, indexed_fields};
pub(crate) use files::refuse_behind_read_models;
pub(crate) use hold::Held;
pub(crate) use lookup::{Holders, Looked};
pub use projection::{Field, Projection, Sort};
pub(crate) use read_model::query::{DocumentQuery, Filter};
pub use states::States;
pub use users::Users;

/// Name of the directory of read models in the data directory.
pub(crate) const DIRECTORY: &str = "read-models";

/// The daemon's projections.
pub struct Projections {
    runners: Vec<Arc<ProjectionRunner>>,
    indexed: Vec<IndexedField>,
    hold: Arc<Hold>,
    listener: tokio::task::JoinHandle<()>,
}

impl Projections {
    /// Starts the built-in projections; `users` only if its model was asked for, and the index only where there are fields to
    /// index. Read models are kept below the data directory, or in memory without one. Must be called within a tokio runtime.
    pub fn start(
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        clock: &Arc<dyn Clock>,
        data: Option<&Path>,
        indexed: Vec<IndexedField>,
    ) -> Arc<Self> {
        let mut projections: Vec<Arc<dyn Projection>> = vec![Arc::new(States)];
        if models.asked_for(BuiltIn::Users.category()).is_some() {
            projections.insert(0, Arc::new(Users));
        }
        if !indexed.is_empty() {
            projections.push(Arc::new(FieldIndex::new(indexed.clone())));
        }
        Self::begin((projections, indexed), store, models, clock, data)
    }

    /// Starts these projections.
    pub fn start_with(
        projections: Vec<Arc<dyn Projection>>,
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        clock: &Arc<dyn Clock>,
        data: Option<&Path>,
    ) -> Arc<Self> {
        Self::begin((projections, Vec::new()), store, models, clock, data)
    }

    fn begin(
        (projections, indexed): (Vec<Arc<dyn Projection>>, Vec<IndexedField>),
        store: &Arc<dyn Store>,
        models: &Arc<Models>,
        clock: &Arc<dyn Clock>,
        data: Option<&Path>,
    ) -> Arc<Self> {
        let directory = data.map(|data| data.join(DIRECTORY));
        let common = Common::default();
        let mut runners = Vec::new();
        for projection in projections {
            let name = projection.name();
            let rules = Rules::new(projection, Arc::clone(models));
            match opening::open(rules, store, clock, directory.as_deref(), &common) {
                Ok(runner) => runners.push(runner),
                Err(error) => {
                    tracing::error!(projection = name, %error, "a projection could not be started");
                }
            }
        }
        let listener = tokio::spawn(listen(
            store.head(),
            Arc::clone(&common.hold),
            runners.iter().map(Arc::downgrade).collect(),
        ));
        Arc::new(Self {
            runners,
            indexed,
            hold: common.hold,
            listener,
        })
    }

    /// Holds them back for an import, until what this returns is dropped or says no more that the import goes on.
    pub(crate) fn hold_back(&self) -> Held {
        Held::begin(&self.hold)
    }

    fn runner(&self, name: &str) -> Result<Arc<ProjectionRunner>, RequestError> {
        let mut runners = self.runners.iter();
        let found = runners.find(|runner| runner.name() == name);
        found.cloned().ok_or_else(|| self.no_such_projection(name))
    }

    /// That there is no projection of this name, and which one may have been meant.
    pub(crate) fn no_such_projection(&self, name: &str) -> RequestError {
        let meant = did_you_mean(name, self.names());
        RequestError::NoSuchProjection(name.to_owned(), meant)
    }

    /// The same, when its read model can answer.
    fn answering(&self, name: &str) -> Result<Arc<ProjectionRunner>, RequestError> {
        let runner = self.runner(name)?;
        if runner.is_not_built() {
            return Err(RequestError::NotBuilt(name.to_owned()));
        }
        Ok(runner)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        let runners = self.runners.iter();
        runners.map(|runner| runner.name()).collect()
    }

    /// The projection of this name.
    pub(crate) fn projection(&self, name: &str) -> Option<Arc<dyn Projection>> {
        let runner = self.runner(name).ok()?;
        Some(Arc::clone(&runner.rules.projection))
    }

    /// How a projection keeps up. Blocks for a moment.
    pub fn status(&self, name: &str) -> Result<ProjectionOut, RequestError> {
        Ok(self.runner(name)?.status())
    }

    /// How all of them keep up, those whose file cannot be read too. Blocks for a moment.
    pub fn statuses(&self) -> Vec<ProjectionOut> {
        let runners = self.runners.iter();
        runners.map(|runner| runner.status()).collect()
    }

    /// Position of the last event that a read model reflects.
    pub fn checkpoint(&self, name: &str) -> Result<Position, RequestError> {
        Ok(*self.runner(name)?.checkpoint.borrow())
    }

    /// Waits until a read model reflects a position, at most so long. Returns the position that it reflects, which is
    /// smaller when the time was not enough.
    pub async fn wait_for(
        &self,
        name: &str,
        position: Position,
        at_most: Duration,
    ) -> Result<Position, RequestError> {
        let runner = self.runner(name)?;
        let mut checkpoint = runner.checkpoint.subscribe();
        if *checkpoint.borrow() >= position {
            return Ok(*checkpoint.borrow());
        }
        // It is not held back meanwhile, and does not rest.
        let _awaited = Awaited::begin(&runner);
        let reached = checkpoint.wait_for(|checkpoint| *checkpoint >= position);
        // The position it reached is returned below, whether the time was enough or not.
        drop(tokio::time::timeout(at_most, reached).await);
        let reached = *checkpoint.borrow();
        Ok(reached)
    }

    /// Begins to rebuild a read model beside the one that answers. Must be called within a tokio runtime.
    pub fn rebuild(&self, name: &str) -> Result<RunOut, RequestError> {
        let runner = self.runner(name)?;
        if runner.is_stopping() {
            return Err(ProjectionError::Stopped.into());
        }
        let run = rebuild::start(&runner).ok_or_else(|| RequestError::AlreadyRunning {
            kind: "rebuild",
            name: name.to_owned(),
        })?;
        Ok(run.shown())
    }

    /// Ends a rebuild early and waits until it has ended. The read model stays as it was.
    pub async fn cancel_rebuild(&self, name: &str) -> Result<RunOut, RequestError> {
        let running = self.runner(name)?.rebuilding();
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
        if let Some(run) = self.runner(name)?.rebuilding() {
            run.ended().await;
        }
        Ok(())
    }

    /// Compares a read model with the log. Dropping the future ends the check.
    pub async fn check(&self, name: &str) -> Result<CheckOut, RequestError> {
        let runner = self.runner(name)?;
        let run =
            runner
                .begin(&runner.check, "check")
                .ok_or_else(|| RequestError::AlreadyRunning {
                    kind: "check",
                    name: name.to_owned(),
                })?;
        let guard = CancelOnDrop(Arc::clone(&run));
        // It runs whatever becomes of the caller: the run ends only there.
        let result = blocking_aside(move || {
            let result = check::check(&runner, &run);
            run.end(error::end_of(&result));
            result
        })
        .await;
        drop(guard);
        Ok(result?)
    }

    /// Re-folds the documents of these streams from the log, in their turn with the events that arrive meanwhile.
    pub async fn refold(&self, name: &str, streams: &[StreamName]) -> Result<(), RequestError> {
        let runner = self.runner(name)?;
        for streams in streams.chunks(REFOLD_STREAMS_MAX) {
            let (to, answer) = oneshot::channel();
            if runner
                .mailbox
                .send(Command::Refold(streams.to_vec(), to))
                .is_err()
            {
                return Err(ProjectionError::Stopped.into());
            }
            // A consumer that ends drops the command.
            answer
                .await
                .unwrap_or_else(|_dropped| Err(ProjectionError::Stopped))?;
        }
        Ok(())
    }

    /// What read models there are, those whose file cannot be read too.
    pub async fn read_models(&self) -> Result<Vec<ReadModelOut>, RequestError> {
        let runners = self.runners.clone();
        let described = blocking(move || {
            let runners = runners.iter();
            Ok::<_, ProjectionError>(runners.map(|runner| runner.described()).collect())
        });
        Ok(described.await?)
    }

    /// A page of a read model.
    pub(crate) async fn query(
        &self,
        name: &str,
        query: DocumentQuery,
    ) -> Result<DocumentPage, RequestError> {
        let runner = self.answering(name)?;
        let page = blocking_until(move |stop| {
            let (found, checkpoint) = runner.read(|read_view| {
                let store = runner.store.as_ref();
                let found = query::documents(read_view, &runner.rules, store, &query, stop)?;
                Ok((found, read_view.meta.checkpoint))
            })?;
            let documents = found.documents.into_iter();
            Ok::<_, ProjectionError>(DocumentPage {
                items: documents
                    .map(|(key, document)| shown(key, document, checkpoint))
                    .collect(),
                next_cursor: found.next.map(|cursor| query.cursor_text(&cursor)),
                checkpoint: checkpoint.0,
                head: runner.head().0.max(checkpoint.0),
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
        let runner = self.answering(name)?;
        let key = key.to_owned();
        let found = blocking(move || {
            runner.read(move |read_view| {
                let checkpoint = read_view.meta.checkpoint;
                let document = read_view.document(&key)?;
                let document = document.map(|document| shown(key, document, checkpoint));
                Ok((document, checkpoint))
            })
        });
        Ok(found.await?)
    }

    fn stop(&self) {
        self.listener.abort();
        for runner in &self.runners {
            runner.stopping.store(true, Ordering::Relaxed);
            runner.mailbox.stop();
        }
    }

    /// Ends all work, makes what was applied durable and gives the files up. A rebuild goes on at the next start.
    /// Idempotent.
    pub async fn close(&self) {
        self.stop();
        let runners = self.runners.clone();
        let closed = blocking(move || {
            for runner in &runners {
                end(runner);
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
        for runner in &self.runners {
            end(runner);
        }
    }
}

fn end(runner: &ProjectionRunner) {
    let threads = std::mem::take(&mut *lock(&runner.threads));
    for thread in threads {
        // A panic of the thread was logged when it happened.
        drop(thread.join());
    }
    if let Err(error) = runner.model().close() {
        tracing::warn!(projection = runner.name(), %error, "a read model did not close cleanly");
    }
}

/// Ends a check whose client has disconnected.
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

/// Tells the consumers that the log has grown: at once, unless they were told a moment ago or an import holds them back. Keeps neither
/// the store nor the projections alive.
async fn listen(
    mut head: watch::Receiver<Head>,
    hold: Arc<Hold>,
    runners: Vec<Weak<ProjectionRunner>>,
) {
    while head.changed().await.is_ok() {
        let position = head.borrow_and_update().position;
        for runner in runners.iter().filter_map(Weak::upgrade) {
            let checkpoint = *runner.checkpoint.borrow();
            lock(&runner.progress).compare(position.0, checkpoint.0, Instant::now());
        }
        hold.lifted().await;
        // A consumer reads the log's head itself: what was appended since is not told of again.
        head.borrow_and_update();
        for runner in runners.iter().filter_map(Weak::upgrade) {
            runner.mailbox.wake();
        }
        tokio::time::sleep(FOLLOW_PAUSE).await;
    }
}
