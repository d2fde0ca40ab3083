//! The one thread that writes.
//!
//! Owns the write transaction. It takes a waiting request, and all that wait behind it up to [`GROUP_MAX`], into one
//! transaction, commits it durably, announces the head, and only then replies: group commit. A refused request leaves no
//! trace in the transaction it shares. When the engine fails, nobody of the group is acknowledged.

use std::sync::Arc;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};
use whodunit_core::command::Decision;

use super::append::{append, head, last_decision, restore_decision};
use super::tables::{SNAPSHOTS, STREAM_NUMBERS};
use super::{StoreOptions, engine};
use crate::store::{Append, AppendError, Appended, Head, Snapshot, StoreError};

/// How many requests share a commit at most.
const GROUP_MAX: usize = 512;

/// Something to write, and where the answer goes.
pub(super) enum Request {
    Append(Box<Append>, oneshot::Sender<Result<Appended, AppendError>>),
    RestoreDecision(Box<Decision>, oneshot::Sender<Result<bool, AppendError>>),
    Snapshot(Snapshot, oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// An answer that waits for the commit.
enum Reply {
    Append(
        Box<Result<Appended, AppendError>>,
        oneshot::Sender<Result<Appended, AppendError>>,
    ),
    Restore(
        Result<bool, AppendError>,
        oneshot::Sender<Result<bool, AppendError>>,
    ),
    Snapshot(
        Result<(), StoreError>,
        oneshot::Sender<Result<(), StoreError>>,
    ),
}

impl Reply {
    /// Sends the answer, or the failure of the commit it depended on. That nobody listens any more is no error.
    fn send(self, failure: Option<&str>) {
        let failed = || {
            failure.map(|cause| StoreError::Engine {
                doing: "committing",
                source: cause.to_owned().into(),
            })
        };
        match self {
            Self::Append(result, to) => {
                drop(to.send(failed().map_or(*result, |error| Err(error.into()))));
            }
            Self::Restore(result, to) => {
                drop(to.send(failed().map_or(result, |error| Err(error.into()))));
            }
            Self::Snapshot(result, to) => drop(to.send(failed().map_or(result, Err))),
        }
    }
}

/// Runs until the store is closed or every handle is gone.
pub(super) fn run(
    database: &Arc<Database>,
    options: StoreOptions,
    mut requests: mpsc::Receiver<Request>,
    announce: &watch::Sender<Head>,
) {
    while let Some(first) = requests.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = requests.try_recv()
        {
            group.push(next);
        }
        let (closing, writes): (Vec<_>, Vec<_>) = group
            .into_iter()
            .partition(|request| matches!(request, Request::Close(_)));
        commit_group(database, options, writes, announce);
        if !closing.is_empty() {
            requests.close();
            // What was queued before the close is still written.
            while let Some(late) = requests.blocking_recv() {
                commit_group(database, options, vec![late], announce);
            }
            let outcome = checkpoint(database);
            for request in closing {
                if let Request::Close(reply) = request {
                    let result = outcome.as_ref().map_err(|cause| StoreError::Engine {
                        doing: "closing",
                        source: cause.clone().into(),
                    });
                    drop(reply.send(result.copied()));
                }
            }
            return;
        }
    }
    if let Err(cause) = checkpoint(database) {
        tracing::error!(cause, "the store could not be closed cleanly");
    }
}

fn commit_group(
    database: &Database,
    options: StoreOptions,
    group: Vec<Request>,
    announce: &watch::Sender<Head>,
) {
    if group.is_empty() {
        return;
    }
    let mut replies = Vec::with_capacity(group.len());
    match try_group(database, options, group, &mut replies) {
        Ok(head) => {
            if let Some(head) = head {
                announce.send_replace(head);
            }
            for reply in replies {
                reply.send(None);
            }
        }
        Err(cause) => {
            tracing::error!(
                cause,
                writes = replies.len(),
                "a commit failed; its writes are not acknowledged"
            );
            for reply in replies {
                reply.send(Some(&cause));
            }
        }
    }
}

/// Writes and commits a group; the new head when anything but snapshots was written.
fn try_group(
    database: &Database,
    options: StoreOptions,
    group: Vec<Request>,
    replies: &mut Vec<Reply>,
) -> Result<Option<Head>, String> {
    let mut txn = database.begin_write().map_err(|error| error.to_string());
    if let (Ok(txn), Durability::None) = (&mut txn, options.durability()) {
        txn.set_durability(Durability::None)
            .map_err(|error| error.to_string())?;
    }
    let (mut facts, mut derived) = (false, false);
    let mut broken = None;
    for request in group {
        let usable = txn.as_ref().ok().filter(|_| broken.is_none());
        let reply = apply(usable, request);
        match &reply {
            Reply::Append(result, _) => match result.as_ref() {
                Ok(appended) => facts |= !appended.repeated,
                // An engine failure may have left the transaction half written: nothing of it is committed.
                Err(AppendError::Store(error)) => {
                    broken.get_or_insert(error.to_string());
                }
                Err(_) => {}
            },
            Reply::Restore(Ok(written), _) => facts |= written,
            Reply::Snapshot(Ok(()), _) => derived = true,
            Reply::Restore(Err(AppendError::Store(error)), _) => {
                broken.get_or_insert(error.to_string());
            }
            Reply::Restore(Err(_), _) | Reply::Snapshot(Err(_), _) => {}
        }
        replies.push(reply);
    }
    let txn = txn?;
    if let Some(cause) = broken {
        txn.abort().map_err(|error| error.to_string())?;
        return Err(cause);
    }
    if !facts && !derived {
        txn.abort().map_err(|error| error.to_string())?;
        return Ok(None);
    }
    let head = read_head(&txn).map_err(|error| error.to_string())?;
    let mut txn = txn;
    if !facts {
        // Snapshots alone are derived: losing them costs nothing, so nobody waits for the disk.
        txn.set_durability(Durability::None)
            .map_err(|error| error.to_string())?;
    }
    txn.commit().map_err(|error| error.to_string())?;
    Ok(facts.then_some(head))
}

fn apply(txn: Option<&WriteTransaction>, request: Request) -> Reply {
    let unusable = || StoreError::Engine {
        doing: "writing",
        source: "the transaction is not usable".into(),
    };
    match request {
        Request::Append(request, to) => {
            let result = txn
                .ok_or_else(|| unusable().into())
                .and_then(|txn| append(txn, &request));
            Reply::Append(Box::new(result), to)
        }
        Request::RestoreDecision(decision, to) => {
            let result = txn
                .ok_or_else(|| unusable().into())
                .and_then(|txn| restore_decision(txn, *decision));
            Reply::Restore(result, to)
        }
        Request::Snapshot(snapshot, to) => Reply::Snapshot(
            txn.ok_or_else(unusable)
                .and_then(|txn| save(txn, &snapshot)),
            to,
        ),
        // Closing is sorted out before a group is written.
        Request::Close(to) => {
            drop(to);
            let (to, _) = oneshot::channel();
            Reply::Snapshot(Ok(()), to)
        }
    }
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

/// Makes everything durable and the next open quick: no repair walk over the file.
fn checkpoint(database: &Database) -> Result<(), String> {
    drop(database.begin_read().map_err(|error| error.to_string())?);
    let mut txn = database.begin_write().map_err(|error| error.to_string())?;
    txn.set_quick_repair(true);
    txn.commit().map_err(|error| error.to_string())
}
