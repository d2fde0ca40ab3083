//! The commit of a group: planned, written to the log as one frame, published, answered.
//!
//! Owns the order of these. Nothing is published or answered before its frame is durable; when it is not, no request of the group
//! is acknowledged, and the log goes on as if they had never been made.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use whodunit_core::time::Timestamp;

use super::ground::Ground;
use super::shared::{FrameEnd, Published, Shared};
use crate::store::chain::Chain;
use crate::store::disk::head::LogEnd;
use crate::store::group::Commit;
use crate::store::redb::sealed::{Mark, SealedRead};
use crate::store::tail::Tail;
use crate::store::write::{self, Batch, Weight};
use crate::store::{
    Answer, Append, AppendError, AppendResult, Head, Job, JobChange, ReadOnly, RestoredDecision,
    StoreError, Write, Written, frame,
};

/// Where an answer goes.
type To<T, E> = oneshot::Sender<Result<T, E>>;

/// Something to write, and where the answer goes.
pub(super) enum Request {
    Append(Box<Append>, To<AppendResult, AppendError>),
    Restore(Box<RestoredDecision>, To<bool, AppendError>),
    /// Many writes, each by itself; they are answered together.
    Many(Vec<Write>, oneshot::Sender<Vec<Written>>),
    Jobs {
        changes: Vec<JobChange>,
        at: Timestamp,
        to: To<Vec<Option<Job>>, StoreError>,
    },
    /// What was asked for before is done.
    Close(To<(), StoreError>),
}

/// An answer that waits for the commit.
enum Reply {
    Append(Box<Result<AppendResult, AppendError>>),
    Restore(Result<bool, AppendError>),
    Many(Vec<Answer>),
    Jobs(Result<Vec<Option<Job>>, StoreError>),
    Close,
}

impl Request {
    fn perform(&self, ground: &mut impl write::WriteTxn) -> Result<(Reply, Weight), StoreError> {
        Ok(match self {
            Self::Append(append, _) => {
                let (result, weight) = write::append(ground, append)?;
                (Reply::Append(Box::new(result)), weight)
            }
            Self::Restore(restored, _) => {
                let (result, weight) = write::restore_decision(ground, restored)?;
                (Reply::Restore(result), weight)
            }
            Self::Many(writes, _) => {
                let (mut answers, mut heaviest) =
                    (Vec::with_capacity(writes.len()), Weight::Nothing);
                for write in writes {
                    let (answer, weight) = match write {
                        Write::Append(append) => {
                            let (result, weight) = write::append(ground, append)?;
                            (Answer::Appended(result), weight)
                        }
                        Write::Restore(restored) => {
                            let (result, weight) = write::restore_decision(ground, restored)?;
                            (Answer::Restored(result), weight)
                        }
                    };
                    answers.push(answer);
                    heaviest = heaviest.max(weight);
                }
                (Reply::Many(answers), heaviest)
            }
            Self::Jobs { changes, at, .. } => {
                let (result, weight) = write::change_jobs(ground, changes, *at)?;
                (Reply::Jobs(result), weight)
            }
            Self::Close(_) => (Reply::Close, Weight::Nothing),
        })
    }

    /// Sends the answer. A caller that does not listen any more is no error.
    fn answer(self, reply: Reply) {
        match (self, reply) {
            (Self::Append(_, to), Reply::Append(result)) => drop(to.send(*result)),
            (Self::Restore(_, to), Reply::Restore(result)) => drop(to.send(result)),
            (Self::Many(writes, to), Reply::Many(answers)) => {
                drop(to.send(writes.into_iter().zip(answers).collect()));
            }
            (Self::Jobs { to, .. }, Reply::Jobs(result)) => drop(to.send(result)),
            (Self::Close(to), Reply::Close) => drop(to.send(Ok(()))),
            // `perform` gives each request a reply of its own kind.
            (request, _) => request.fail(&StoreError::Engine {
                doing: "answering",
                source: "its reply is of another request".into(),
            }),
        }
    }

    /// Sends the failure of the commit that the answer depended on.
    fn fail(self, cause: &StoreError) {
        let error = cause.again();
        match self {
            Self::Append(_, to) => drop(to.send(Err(error.into()))),
            Self::Restore(_, to) => drop(to.send(Err(error.into()))),
            Self::Many(writes, to) => {
                let failed = |write: Write| {
                    let answer = write.failed(cause.again().into());
                    (write, answer)
                };
                drop(to.send(writes.into_iter().map(failed).collect()));
            }
            Self::Jobs { to, .. } => drop(to.send(Err(error))),
            Self::Close(to) => drop(to.send(Ok(()))),
        }
    }
}

/// Commits groups.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) announce: watch::Sender<Head>,
    /// What is sealed, open for planning, as long as it is the same.
    pub(super) lookup: Option<(Arc<SealedRead>, Box<dyn write::JobLookup + Send>)>,
    /// Batches that are published and stand in no frame: losing them in a crash harms nothing. The next frame has them.
    pub(super) unwritten: Vec<Arc<Batch>>,
    pub(super) buffer: Vec<u8>,
}

impl Commit for Committer {
    type Request = Request;

    fn commit(&mut self, group: Vec<Request>) {
        let mut replies = Vec::with_capacity(group.len());
        let shared = Arc::clone(&self.shared);
        match shared
            .file
            .guarded_write(|| self.try_group(&group, &mut replies))
        {
            Ok(()) => {
                for (request, reply) in group.into_iter().zip(replies) {
                    request.answer(reply);
                }
            }
            Err(error) => self.failed(group, &error),
        }
        shared.seal_here();
    }
}

impl Committer {
    /// Answers a group that was not committed.
    fn failed(&mut self, group: Vec<Request>, error: &StoreError) {
        let (cause, writes) = (error.with_cause(), group.len());
        // What is read only says so once, when it becomes so.
        if !matches!(error, StoreError::ReadOnly(_) | StoreError::Closed) {
            tracing::error!(
                cause,
                writes,
                "a commit failed; its writes are not acknowledged"
            );
        }
        if matches!(error, StoreError::Damaged { .. }) && group.len() > 1 {
            // What is damaged is the trouble of the request that needs it, not of those that share a commit with it.
            for request in group {
                self.commit(vec![request]);
            }
            return;
        }
        for request in group {
            request.fail(error);
        }
    }

    fn try_group(&mut self, group: &[Request], replies: &mut Vec<Reply>) -> Result<(), StoreError> {
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        self.shared.begin()?;
        self.shared.wait_for_room()?;
        let published = self.shared.published().unwrap_or(published);
        let (_, lookup) = match self.lookup.take() {
            Some(open) if Arc::ptr_eq(&open.0, &published.sealed) => self.lookup.insert(open),
            _ => {
                let sealed = Arc::clone(&published.sealed);
                let lookup = sealed.lookup();
                self.lookup.insert((sealed, lookup))
            }
        };
        let mut ground = Ground::new(&**lookup, published.tail.clone());
        let mut heaviest = Weight::Nothing;
        for request in group {
            let (reply, weight) = request.perform(&mut ground)?;
            heaviest = heaviest.max(weight);
            replies.push(reply);
        }
        let Ground { batches, tail, .. } = ground;
        // What need not survive a crash survives a close.
        let closes = |request: &Request| matches!(request, Request::Close(_));
        let closes = !self.unwritten.is_empty() && group.iter().any(closes);
        if batches.is_empty() && !closes {
            return Ok(());
        }
        let chain = batches
            .iter()
            .fold(published.chain, |chain, batch| chain.after(batch));
        if heaviest <= Weight::Derived && !closes {
            self.unwritten.extend(batches.iter().cloned());
            self.publish(&published, tail, &batches, (chain, None));
            return Ok(());
        }
        self.buffer.clear();
        let all = self.unwritten.iter().chain(&batches);
        frame::encode(all.map(|batch| &**batch), chain, &mut self.buffer);
        let place = {
            let mut wal = self.shared.wal();
            wal.go_on()?;
            wal.append(&self.buffer)?
        };
        self.unwritten.clear();
        let head = tail.head();
        let frame = (Mark { place, chain }, self.buffer.len());
        self.publish(&published, tail, &batches, (chain, Some(frame)));
        if !self.shared.is_in_place() {
            // It is written, but to files that are not found any more.
            return Err(StoreError::ReadOnly(ReadOnly::FileGone));
        }
        self.shared.file.acknowledge(LogEnd {
            head,
            frame: place.frame,
            chain: chain.head_hash().0,
        });
        if heaviest == Weight::Logged {
            self.announce.send_replace(head);
        }
        Ok(())
    }

    /// Publishes a group that was planned on `planned`: as it was planned, unless the log was sealed meanwhile.
    fn publish(
        &self,
        planned: &Published,
        tail: Tail,
        batches: &[Arc<Batch>],
        (chain, frame): (Chain, Option<(Mark, usize)>),
    ) {
        self.shared.seal_if_due(&tail);
        self.shared.publish(|now| {
            let mut next = if now.sealed_batches == planned.sealed_batches {
                Published {
                    tail,
                    chain,
                    ..now.clone()
                }
            } else {
                now.with(batches, chain)
            };
            if let Some((mark, bytes)) = frame {
                let batches = next.batches();
                next.frames.push_back(FrameEnd {
                    mark,
                    batches,
                    bytes,
                });
            }
            next
        });
    }
}
