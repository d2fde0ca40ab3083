//! The one thread that writes.
//!
//! Owns the write transaction. It takes a waiting request, and all that wait behind it up to [`GROUP_MAX`], into one
//! transaction, commits it durably, announces the head, and only then replies: group commit. A refused request leaves no
//! trace in the transaction it shares. When the engine fails, nobody of the group is acknowledged.

use redb::{Durability, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use whodunit_core::time::Timestamp;

use super::append::append;
use super::decisions::restore_decision;
use super::file::{File, label_redacted_copy};
use super::jobs;
use super::lookup::{head, last_decision};
use super::tables::{SNAPSHOTS, STREAM_NUMBERS};
use super::{StoreOptions, engine};
use crate::store::{
    Append, AppendError, AppendResult, Head, Job, JobChange, RestoredDecision, Snapshot, StoreError,
};

/// How many requests share a commit at most.
const GROUP_MAX: usize = 512;

/// What the writer is asked for.
pub(super) enum Request {
    Write(Write),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

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
    Jobs {
        jobs: Vec<Option<Job>>,
        /// Whether losing the change in a crash would make somebody do their work again for nothing.
        durable: bool,
    },
}

impl Write {
    /// Writes into the transaction. An error here means that the transaction must be given up; that a request was refused
    /// is a reply like any other.
    fn apply(&self, txn: &WriteTransaction) -> Result<Reply, StoreError> {
        match self {
            Self::Append(request, _) => {
                append(txn, request).map(|result| Reply::Append(Box::new(result)))
            }
            Self::RestoreDecision(decision, _) => {
                restore_decision(txn, RestoredDecision::clone(decision)).map(Reply::Restore)
            }
            Self::Snapshot(snapshot, _) => save(txn, snapshot).map(|()| Reply::Snapshot),
            Self::LabelRedactedCopy(_) => label_redacted_copy(txn).map(|()| Reply::Labelled),
            Self::Jobs { changes, at, .. } => {
                let durable = !changes
                    .iter()
                    .all(|change| matches!(change, JobChange::Begin { .. }));
                jobs::change(txn, changes, *at).map(|jobs| Reply::Jobs { jobs, durable })
            }
        }
    }

    /// Sends the answer. That nobody listens any more is no error.
    fn answer(self, reply: Reply) {
        match (self, reply) {
            (Self::Append(_, to), Reply::Append(result)) => drop(to.send(*result)),
            (Self::RestoreDecision(_, to), Reply::Restore(result)) => drop(to.send(result)),
            (Self::Snapshot(_, to), Reply::Snapshot)
            | (Self::LabelRedactedCopy(to), Reply::Labelled) => drop(to.send(Ok(()))),
            (Self::Jobs { to, .. }, Reply::Jobs { jobs, .. }) => drop(to.send(Ok(jobs))),
            // `apply` gives each request a reply of its own kind.
            (write, _) => write.fail("its reply is of another request"),
        }
    }

    /// Sends the failure of the commit that the answer depended on.
    fn fail(self, cause: &str) {
        let error = failed("committing", cause.to_owned());
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
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = requests.try_recv()
        {
            group.push(next);
        }
        let mut writes = Vec::with_capacity(group.len());
        for request in group {
            match request {
                Request::Write(write) => writes.push(write),
                Request::Close(reply) => closing.push(reply),
            }
        }
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
    let mut replies = Vec::with_capacity(group.len());
    match file.guarded(|| try_group(file, options, &group, &mut replies)) {
        Ok(head) => {
            if let Some(head) = head {
                file.acknowledge(head);
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
                write.fail(&cause);
            }
        }
    }
}

/// Writes and commits a group; the new head when anything but snapshots was written. An error means that nothing was
/// acknowledged, and nothing is, except perhaps by the disk when the commit itself failed.
fn try_group(
    file: &File,
    options: StoreOptions,
    group: &[Write],
    replies: &mut Vec<Reply>,
) -> Result<Option<Head>, StoreError> {
    let mut txn = file.with(|database| database.begin_write().map_err(engine("beginning")))?;
    // What the log has more of; what else must outlive a crash; what need not.
    let (mut facts, mut durable, mut derived) = (false, false, false);
    for write in group {
        let reply = write.apply(&txn)?;
        match &reply {
            Reply::Append(result) => {
                facts |= result.as_ref().as_ref().is_ok_and(|done| !done.repeated);
            }
            Reply::Restore(Ok(written)) => facts |= written,
            Reply::Snapshot => derived = true,
            Reply::Labelled => durable = true,
            Reply::Jobs { durable: now, .. } => {
                durable |= now;
                derived |= !now;
            }
            Reply::Restore(Err(_)) => {}
        }
        replies.push(reply);
    }
    if !facts && !durable && !derived {
        txn.abort().map_err(engine("giving up an empty commit"))?;
        return Ok(None);
    }
    let head = read_head(&txn)?;
    // Snapshots are derived, and jobs that are only begun are released after a crash: losing them costs nothing, so
    // nobody waits for the disk.
    let durability = if facts || durable {
        options.durability()
    } else {
        Durability::None
    };
    txn.set_durability(durability)
        .map_err(engine("choosing how durable a commit is"))?;
    txn.commit().map_err(engine("committing"))?;
    Ok(facts.then_some(head))
}

fn read_head(txn: &WriteTransaction) -> Result<Head, StoreError> {
    Ok(Head {
        position: head(txn)?,
        decision: last_decision(txn)?,
    })
}

fn save(txn: &WriteTransaction, snapshot: &Snapshot) -> Result<(), StoreError> {
    let doing = "saving a snapshot";
    let numbers = txn.open_table(STREAM_NUMBERS).map_err(engine(doing))?;
    let Some(number) = numbers
        .get(snapshot.stream.as_str())
        .map_err(engine(doing))?
    else {
        return Ok(());
    };
    let mut snapshots = txn.open_table(SNAPSHOTS).map_err(engine(doing))?;
    let key = (
        number.value(),
        snapshot.rules_hash.as_str(),
        snapshot.revision.0,
    );
    snapshots
        .insert(key, snapshot.state.as_slice())
        .map_err(engine(doing))?;
    Ok(())
}
