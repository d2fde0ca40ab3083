//! Write path: from a command or raw events to the append.
//!
//! Owns the order of things: check, look for an earlier answer, load the state at the head, prepare, decide, append.
//! Every decision is recorded, rejections too; a malformed command and a wrong expected revision leave nothing. Never
//! stores, logs or returns a plaintext secret.
//!
//! Entry points: [`Commands::handle`] and [`Commands::append`].

mod append;
mod error;
mod heads;
mod repeat;
mod stream_locks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use whodunit_core::admission::{self, Admitted};
use whodunit_core::api::write::{CommandAccepted, CommandIn};
use whodunit_core::command::{Command, Decision, Outcome};
use whodunit_core::decide::decide;
use whodunit_core::decider::PrepareError;
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::json::State;
use whodunit_core::model::{Model, Models};
use whodunit_core::time::Timestamp;

use crate::clock::{Clock, Ids};
use crate::limits::ATTEMPTS_MAX;
use crate::metrics::{AppendEnd, Metrics};
use crate::outbox::Routes;
use crate::reading::{blocking_aside, read};
use crate::store::{
    Answer, Append, AppendError, AppendResult, BoxFuture, PendingDecision, ReadEvents,
    ReadSnapshots, ReadStreams, Stoppable, Store, StoreError, StreamLabel, Write, Written,
};
use crate::time_travel::{TimeTravel, TravelError};

pub use append::RawAppend;
pub use error::WriteError;
use heads::{Heads, Kept};
use stream_locks::StreamLocks;

/// Result of a well-formed command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandResult {
    /// The rules accepted it.
    Accepted(Box<CommandAccepted>),
    /// A rule rejected it; recorded as this decision.
    Rejected(Box<Decision>),
}

/// Handles commands and raw appends.
pub struct Commands {
    store: Arc<dyn Store>,
    models: Arc<Models>,
    travel: Arc<TimeTravel>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    routes: Arc<Routes>,
    metrics: Arc<Metrics>,
    stream_locks: StreamLocks,
    heads: Heads,
}

/// A stream's head, for deciding on.
struct Base {
    revision: Revision,
    state: State,
}

impl Commands {
    /// Commands on this store, by these rules.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        models: Arc<Models>,
        travel: Arc<TimeTravel>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        routes: Routes,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            store,
            models,
            travel,
            clock,
            ids,
            routes: Arc::new(routes),
            metrics,
            stream_locks: StreamLocks::default(),
            heads: Heads::default(),
        }
    }

    /// A new id, as commands and events get them.
    pub(crate) fn fresh_id(&self) -> String {
        self.ids.fresh()
    }

    /// Handles a command now.
    pub async fn handle(
        &self,
        stream: StreamName,
        command: CommandIn,
    ) -> Result<CommandResult, WriteError> {
        self.handle_traced(stream, command, None).await
    }

    /// Handles a command now; its events get this metadata, which is no part of the command.
    pub(crate) async fn handle_traced(
        &self,
        stream: StreamName,
        command: CommandIn,
        metadata: Option<Json>,
    ) -> Result<CommandResult, WriteError> {
        let now = self.clock.now();
        self.handle_with(stream, command, now, metadata).await
    }

    /// Handles a command as if it were `now`: for the demo, whose events have times of their own.
    pub async fn handle_at(
        &self,
        stream: StreamName,
        command: CommandIn,
        now: Timestamp,
    ) -> Result<CommandResult, WriteError> {
        self.handle_with(stream, command, now, None).await
    }

    async fn handle_with(
        &self,
        stream: StreamName,
        command: CommandIn,
        now: Timestamp,
        metadata: Option<Json>,
    ) -> Result<CommandResult, WriteError> {
        let Some(model) = self.models.asked_for(stream.category()) else {
            return Err(WriteError::NoModel { stream });
        };
        let Admitted {
            command,
            expected,
            may_repeat,
        } = admission::command(model, &stream, command, now, || self.ids.fresh(), "")
            .map_err(WriteError::refused)?;
        let lock = self.stream_locks.enter(&command.stream).await;
        let takes_long = takes_long(model, &command);
        for attempt in 0..ATTEMPTS_MAX {
            // What is quick to decide is decided first: the store says whether it is on record already.
            if may_repeat
                && (takes_long || attempt > 0)
                && let Some(answer) = self.recorded(model, &command, expected).await?
            {
                return Ok(answer);
            }
            let kept = if takes_long || attempt > 0 {
                None
            } else {
                self.heads.take(&command.stream)
            };
            let attempted = self
                .attempt(model, command.clone(), (expected, kept), metadata.as_ref())
                .await;
            match attempted {
                // Its payload was not compared yet.
                Ok(appended) if appended.repeated && may_repeat => {}
                Ok(appended) => return answer(command.command_id, appended),
                Err(WriteError::Append(error)) if starts_again(&error, expected, may_repeat) => {}
                Err(error) if may_repeat && !takes_long && attempt == 0 => {
                    return match self.recorded(model, &command, expected).await? {
                        Some(answer) => Ok(answer),
                        None => Err(error.with_expected(expected)),
                    };
                }
                Err(error) => return Err(error.with_expected(expected)),
            }
        }
        drop(lock);
        Err(WriteError::Append(AppendError::Busy))
    }

    /// Loads, prepares, decides and appends, once. `kept` is a state at the stream's head, as far as is known.
    async fn attempt(
        &self,
        model: &Model,
        command: Command,
        (expected, kept): (ExpectedRevision, Option<Kept>),
        metadata: Option<&Json>,
    ) -> Result<AppendResult, WriteError> {
        let stream = command.stream.clone();
        let kept = kept.filter(|kept| expected.admits(kept.revision()));
        let is_quick = kept.is_some();
        let kept = match kept {
            Some(kept) => kept,
            None => Kept::loaded(self.base(model, &stream).await?),
        };
        if !expected.admits(kept.revision()) {
            return Err(WriteError::Append(AppendError::WrongRevision {
                stream,
                expected,
                actual: kept.revision(),
            }));
        }
        let started = Instant::now();
        let Prepared {
            mut append,
            after,
            kept,
        } = if is_quick {
            prepared(model, kept, command, self.ids.as_ref())?
        } else {
            let (model, ids) = (model.clone(), Arc::clone(&self.ids));
            blocking_aside(move || prepared(&model, kept, command, ids.as_ref())).await?
        };
        let took = started.elapsed();
        for event in &mut append.events {
            event.metadata = event.metadata.take().or_else(|| metadata.cloned());
        }
        append.jobs = self.routes.jobs(append.stream.category(), &append.events);
        let bytes = append
            .events
            .iter()
            .map(|event| event.data.as_str().len())
            .sum();
        let appended = self.submit_append(append).await?;
        if let Some(decision) = appended.decision.as_ref().filter(|_| !appended.repeated) {
            let accepted = matches!(decision.result, Outcome::Accepted { .. });
            self.metrics.decided(stream.category(), accepted, took);
            let kept = match after {
                Some(after) if accepted => kept.moved(appended.revision, after, bytes),
                _ => kept,
            };
            self.heads.keep(stream, kept);
        }
        Ok(appended)
    }

    /// Hands an append to the store, and counts how it ends. The call, not the await, takes the place in the queue.
    pub(crate) fn submit_append(
        &self,
        append: Append,
    ) -> BoxFuture<Result<AppendResult, AppendError>> {
        let (started, metrics) = (Instant::now(), Arc::clone(&self.metrics));
        let stored = self.store.append(append);
        Box::pin(async move {
            let result = stored.await;
            count(&metrics, &result, started.elapsed());
            result
        })
    }

    /// Hands many writes to the store as one request, and counts how each append ends.
    pub(crate) fn write_all(&self, writes: Vec<Write>) -> BoxFuture<Vec<Written>> {
        let (started, metrics) = (Instant::now(), Arc::clone(&self.metrics));
        let stored = self.store.write_all(writes);
        Box::pin(async move {
            let written = stored.await;
            let took = started.elapsed();
            for (_, answer) in &written {
                if let Answer::Appended(result) = answer {
                    count(&metrics, result, took);
                }
            }
            written
        })
    }

    /// The state at the stream's head; of no stream, the empty one.
    async fn base(&self, model: &Model, stream: &StreamName) -> Result<Base, TravelError> {
        let (model, stream) = (model.clone(), stream.clone());
        let travel = Arc::clone(&self.travel);
        read(&self.store, move |view| {
            base(view, &travel, &model, &stream)
        })
        .await
    }
}

/// Counts how an append ended.
fn count(metrics: &Metrics, result: &Result<AppendResult, AppendError>, took: Duration) {
    let (end, events) = match result {
        Ok(appended) if appended.repeated => (AppendEnd::Repeated, 0),
        Ok(appended) => (AppendEnd::Stored, appended.events.len()),
        Err(AppendError::Store(_) | AppendError::Busy | AppendError::Closed) => {
            (AppendEnd::Failed, 0)
        }
        Err(_) => (AppendEnd::Refused, 0),
    };
    metrics.appended(end, events, took);
}

/// The result of the append, as the client receives it.
fn answer(command_id: String, appended: AppendResult) -> Result<CommandResult, WriteError> {
    let Some(decision) = appended.decision else {
        return Err(WriteError::Store(StoreError::Damaged {
            place: format!("command `{command_id}`"),
            detail: "its append has no decision".to_owned(),
        }));
    };
    Ok(match decision.result {
        Outcome::Rejected { .. } => CommandResult::Rejected(Box::new(Decision::clone(&decision))),
        Outcome::Accepted {
            revision, position, ..
        } => CommandResult::Accepted(Box::new(CommandAccepted {
            outcome: "accepted".to_owned(),
            command_id,
            stream: decision.stream.clone(),
            revision,
            position,
            events: appended.events.to_vec(),
            repeated: appended.repeated,
        })),
    })
}

impl Base {
    /// A stream's head, without its state.
    fn stateless(view: &dyn ReadStreams, stream: &StreamName) -> Result<Self, StoreError> {
        let info = view.stream(stream)?;
        Ok(Self {
            revision: info.map_or(Revision::ZERO, |info| info.revision),
            state: State::new(),
        })
    }
}

/// The state at a stream's head.
fn base(
    view: &(impl ReadStreams + ReadEvents + ReadSnapshots + Stoppable + ?Sized),
    travel: &TimeTravel,
    model: &Model,
    stream: &StreamName,
) -> Result<Base, TravelError> {
    let revision = view
        .stream(stream)?
        .map_or(Revision::ZERO, |info| info.revision);
    let folded = travel.state(view, model, stream, revision)?.folded;
    Ok(Base {
        revision,
        state: folded.state,
    })
}

/// Whether another attempt may end otherwise: the author had nothing against the stream having grown meanwhile, or the
/// same command was recorded meanwhile and its answer can be found.
fn starts_again(error: &AppendError, expected: ExpectedRevision, may_repeat: bool) -> bool {
    match error {
        AppendError::WrongRevision { actual, .. } => expected.admits(*actual),
        AppendError::CommandIdConflict { .. } => may_repeat,
        _ => false,
    }
}

/// Whether a command must be decided where that holds up nothing else.
fn takes_long(model: &Model, command: &Command) -> bool {
    let prepare = model.prepare();
    prepare.is_some_and(|prepare| prepare.takes_long(command))
}

/// A command that was decided.
struct Prepared {
    append: Append,
    /// The state after its events; `None` where it was refused.
    after: Option<State>,
    /// The state that it was decided on.
    kept: Kept,
}

/// Prepares and decides. Slow where passwords are hashed.
fn prepared(
    model: &Model,
    kept: Kept,
    command: Command,
    ids: &dyn Ids,
) -> Result<Prepared, WriteError> {
    let (revision, state) = (kept.revision(), kept.state());
    let command = match model.prepare() {
        None => command,
        Some(prepare) => prepare.prepare(state, command).map_err(unprepared)?,
    };
    let exact = ExpectedRevision::Exact(revision);
    let mut append = Append::facts(command.stream.clone(), exact, Vec::new(), command.issued_at);
    let (mut rejection, mut after) = (None, None);
    match decide(model, state, revision, &command) {
        Err(refused) => rejection = Some(refused),
        Ok(accepted) => {
            append.fresh_ids = accepted.events.iter().map(|_| ids.fresh()).collect();
            append.events = accepted.events;
            append.keys = accepted.keys;
            append.label = Some(label(model, &accepted.state));
            after = Some(accepted.state);
        }
    }
    append.decision = Some(PendingDecision {
        command,
        base_revision: revision,
        rules_hash: model.rules_hash().to_owned(),
        rejection,
    });
    Ok(Prepared {
        append,
        after,
        kept,
    })
}

fn unprepared(error: PrepareError) -> WriteError {
    match error {
        PrepareError::Malformed { pointer, message } => {
            WriteError::refused(admission::unprepared(&pointer, message, ""))
        }
        PrepareError::Redacted(message) => WriteError::Redacted(message),
        error => WriteError::Prepare(error.to_string()),
    }
}

/// How lists name a stream in this state.
fn label(model: &Model, state: &State) -> StreamLabel {
    StreamLabel {
        title: model.title(state),
        status: model.status(state),
    }
}
