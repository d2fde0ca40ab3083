//! The one thread that writes.
//!
//! Owns the write transaction. It takes a waiting request, and those that wait behind it up to [`GROUP_REQUESTS_MAX`] and
//! [`GROUP_BYTES_MAX`], into one transaction, commits it durably, announces the head, and only then replies: group commit.
//! What a request comes to is planned by [`write`](crate::store::write); a refused one leaves no trace in the transaction it
//! shares. When the engine fails, no request of the group is acknowledged.

use redb::{Durability, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use whodunit_core::time::Timestamp;

use super::file::{File, label_redacted_copy};
use super::open_tables::WriteTables;
use super::{StoreOptions, engine};
use crate::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX};
use crate::store::write::{self, Lookup, Weight};
use crate::store::{
    Append, AppendError, AppendResult, Head, Job, JobChange, ReadOnly, RestoredDecision, Snapshot,
    StoreError,
};

/// What the writer is asked for.
pub(super) enum Request {
    Write(Write),
    Close(Closing),
}

/// Where the answer to closing the store goes.
pub(super) type Closing = oneshot::Sender<Result<(), StoreError>>;

/// Something to write, and where the answer goes.
pub(super) enum Write {
    Append(
        Box<Append>,
        oneshot::Sender<Result<AppendResult, AppendError>>,
    ),
    RestoreDecision(
        Box<RestoredDecision>,
        oneshot::Sender<Result<bool, AppendError>>,
    ),
    Snapshot(Snapshot, oneshot::Sender<Result<(), StoreError>>),
    LabelRedactedCopy(oneshot::Sender<Result<(), StoreError>>),
    Jobs {
        changes: Vec<JobChange>,
        at: Timestamp,
        to: oneshot::Sender<Result<Vec<Option<Job>>, StoreError>>,
    },
}

/// An answer that waits for the commit.
enum Reply {
    Append(Box<Result<AppendResult, AppendError>>),
    Restore(Result<bool, AppendError>),
    Snapshot,
    Labelled,
    Jobs(Result<Vec<Option<Job>>, StoreError>),
}

impl Write {
    /// Writes into the transaction. An error here means that the transaction must be given up; that a request was refused
    /// is a reply like any other.
    fn apply(
        &self,
        txn: &WriteTransaction,
        tables: &mut WriteTables<'_>,
    ) -> Result<(Reply, Weight), StoreError> {
        Ok(match self {
            Self::Append(append, _) => {
                let (result, weight) = write::append(tables, append)?;
                (Reply::Append(Box::new(result)), weight)
            }
            Self::RestoreDecision(decision, _) => {
                let (result, weight) = write::restore_decision(tables, decision)?;
                (Reply::Restore(result), weight)
            }
            Self::Snapshot(snapshot, _) => {
                tables.save_snapshot(snapshot)?;
                (Reply::Snapshot, Weight::Derived)
            }
            Self::LabelRedactedCopy(_) => {
                label_redacted_copy(txn)?;
                (Reply::Labelled, Weight::Durable)
            }
            Self::Jobs { changes, at, .. } => {
                let (result, weight) = write::change_jobs(tables, changes, *at)?;
                (Reply::Jobs(result), weight)
            }
        })
    }

    /// About how many bytes it brings.
    fn bytes(&self) -> usize {
        match self {
            Self::Append(append, _) => append.bytes(),
            Self::RestoreDecision(restored, _) => restored.bytes(),
            Self::Snapshot(snapshot, _) => snapshot.state.len(),
            Self::LabelRedactedCopy(_) => 0,
            Self::Jobs { changes, .. } => write::bytes_of_changes(changes),
        }
    }

    /// Sends the answer. A receiver that is gone is not an error.
    fn answer(self, reply: Reply) {
        match (self, reply) {
            (Self::Append(_, to), Reply::Append(result)) => drop(to.send(*result)),
            (Self::RestoreDecision(_, to), Reply::Restore(result)) => drop(to.send(result)),
            (Self::Snapshot(_, to), Reply::Snapshot)
            | (Self::LabelRedactedCopy(to), Reply::Labelled) => drop(to.send(Ok(()))),
            (Self::Jobs { to, .. }, Reply::Jobs(result)) => drop(to.send(result)),
            // `apply` gives each request a reply of its own kind.
            (write, _) => write.fail(&failed(
                "answering",
                "its reply is of another request".to_owned(),
            )),
        }
    }

    /// Sends the failure of the commit that the answer depended on.
    fn fail(self, cause: &StoreError) {
        let error = cause.again();
        match self {
            Self::Append(_, to) => drop(to.send(Err(error.into()))),
            Self::RestoreDecision(_, to) => drop(to.send(Err(error.into()))),
            Self::Snapshot(_, to) | Self::LabelRedactedCopy(to) => drop(to.send(Err(error))),
            Self::Jobs { to, .. } => drop(to.send(Err(error))),
        }
    }
}

/// Runs until the store is closed or every handle is gone; then closes the file.
pub(super) fn run(
    file: &File,
    options: StoreOptions,
    mut requests: mpsc::Receiver<Request>,
    announce: &watch::Sender<Head>,
) {
    let mut closing = Vec::new();
    while let Some(first) = requests.blocking_recv() {
        let writes = take_group(first, &mut requests, &mut closing);
        commit_group(file, options, writes, announce);
        if !closing.is_empty() {
            // What is queued already is still written; nothing more gets in.
            requests.close();
        }
    }
    let outcome = file.close().map_err(|error| error.with_cause());
    if let Err(cause) = &outcome {
        tracing::error!(cause, "the store could not be closed cleanly");
    }
    for reply in closing {
        drop(reply.send(outcome.clone().map_err(|cause| failed("closing", cause))));
    }
}

/// The writes that share a commit: the first, and those that wait behind it up to the bounds of a group.
pub(super) fn take_group(
    first: Request,
    requests: &mut mpsc::Receiver<Request>,
    closing: &mut Vec<Closing>,
) -> Vec<Write> {
    let (mut writes, mut bytes) = (Vec::new(), 0);
    let mut next = Some(first);
    while let Some(request) = next {
        match request {
            Request::Write(write) => {
                bytes += write.bytes();
                writes.push(write);
            }
            Request::Close(reply) => closing.push(reply),
        }
        let full = writes.len() >= GROUP_REQUESTS_MAX || bytes >= GROUP_BYTES_MAX;
        next = if full { None } else { requests.try_recv().ok() };
    }
    writes
}

fn failed(doing: &'static str, cause: String) -> StoreError {
    StoreError::Engine {
        doing,
        source: cause.into(),
    }
}

fn commit_group(
    file: &File,
    options: StoreOptions,
    group: Vec<Write>,
    announce: &watch::Sender<Head>,
) {
    if group.is_empty() {
        return;
    }
    if let Some(why) = file.read_only() {
        for write in group {
            write.fail(&StoreError::ReadOnly(why));
        }
        return;
    }
    let mut replies = Vec::with_capacity(group.len());
    match file.guarded(|| try_group(file, options, &group, &mut replies)) {
        Ok(head) => {
            if let Some(head) = head {
                if options == StoreOptions::Durable {
                    file.acknowledge(head);
                }
                announce.send_replace(head);
            }
            for (write, reply) in group.into_iter().zip(replies) {
                if matches!(reply, Reply::Labelled) {
                    file.now_redacted_copy();
                }
                write.answer(reply);
            }
        }
        Err(error) => {
            let cause = error.with_cause();
            tracing::error!(
                cause,
                writes = group.len(),
                "a commit failed; its writes are not acknowledged"
            );
            file.look_again();
            if matches!(error, StoreError::Damaged { .. }) && group.len() > 1 {
                // What is damaged is the trouble of the request that needs it, not of those that share a commit with it.
                for write in group {
                    commit_group(file, options, vec![write], announce);
                }
                return;
            }
            for write in group {
                write.fail(&error);
            }
        }
    }
}

/// Writes and commits a group; the new head when the log has grown. An error means that nothing was acknowledged, and
/// nothing is, except perhaps by the disk when the commit itself failed.
fn try_group(
    file: &File,
    options: StoreOptions,
    group: &[Write],
    replies: &mut Vec<Reply>,
) -> Result<Option<Head>, StoreError> {
    let mut txn = file.with(|database| database.begin_write().map_err(engine("beginning")))?;
    let mut tables = WriteTables::new(&&txn);
    let mut heaviest = Weight::Nothing;
    for write in group {
        let (reply, weight) = write.apply(&txn, &mut tables)?;
        heaviest = heaviest.max(weight);
        replies.push(reply);
    }
    let head = tables.head()?;
    drop(tables);
    let durability = match heaviest {
        Weight::Nothing => {
            txn.abort().map_err(engine("giving up an empty commit"))?;
            return Ok(None);
        }
        // Losing it costs nothing, so no client waits for the disk.
        Weight::Derived => Durability::None,
        Weight::Durable | Weight::Logged => options.durability(),
    };
    txn.set_durability(durability)
        .map_err(engine("choosing how durable a commit is"))?;
    txn.commit().map_err(engine("committing"))?;
    if !file.is_in_place() {
        return Err(StoreError::ReadOnly(ReadOnly::FileGone));
    }
    Ok((heaviest == Weight::Logged).then_some(head))
}
