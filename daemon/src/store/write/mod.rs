//! What a write means: pure planning over a small read trait, whatever the engine.
//!
//! Owns the order of checks, idempotency, sameness, unique keys, placing, restoring, and the life of a job. A plan is a
//! [`Batch`]: a plain value that says everything that is to be written, already placed, without a type of the engine's.
//! An engine answers [`Lookup`] and [`JobLookup`] and applies batches; it decides nothing. Never writes and never looks at
//! a clock.
//!
//! Start at [`append`], which is how one request of a group is carried out in an engine's transaction.

mod batch;
pub(crate) mod jobs;
mod lookup;
#[cfg(test)]
pub(crate) mod memory;
mod place;
mod plan;
mod repeat;
mod restore;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use self::batch::{Batch, JobWrite, KeyWrite, Placed, StreamWrite};
pub(crate) use self::jobs::plan_jobs;
pub(crate) use self::lookup::{JobLookup, Lookup, missing};
pub(crate) use self::plan::{Plan, plan};
pub(crate) use self::restore::plan_restore;
pub(crate) use self::size::bytes_of_changes;

use std::sync::Arc;

use whodunit_core::time::Timestamp;

use super::{Append, AppendError, AppendResult, Job, JobChange, RestoredDecision, StoreError};

/// An answer, or why the request was refused; a refused request leaves no trace.
pub(crate) type Checked<T> = Result<T, AppendError>;

/// A write transaction of an engine. What is looked up in it includes what was applied to it before.
pub(crate) trait WriteTxn: JobLookup {
    /// Writes all of a batch. After an error the transaction may hold a part of it and must be given up.
    fn apply(&mut self, batch: Arc<Batch>) -> Result<(), StoreError>;
}

/// What a commit must do for a request. A group's weight is the greatest of its requests'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Nothing was written.
    Nothing,
    /// What was written can be lost in a crash without harm.
    Derived,
    /// What was written must survive a crash.
    Durable,
    /// The log has grown: durable, and its head is announced.
    Logged,
}

/// An answer that is due once the group is committed, and what the commit must do for it.
pub(crate) type Performed<A> = (A, Weight);

/// Plans an append and applies it to a transaction.
///
/// # Errors
/// The transaction must be given up. That the append was refused, or could not be planned because a record it needs is
/// damaged, is an answer: it left no trace.
pub(crate) fn append(
    txn: &mut impl WriteTxn,
    append: &Append,
) -> Result<Performed<Checked<AppendResult>>, StoreError> {
    Ok(match plan(txn, append) {
        Ok(Plan::Repeat(result)) => (Ok(*result), Weight::Nothing),
        Ok(Plan::Write(planned)) => {
            let (batch, result) = planned.into_parts();
            txn.apply(batch)?;
            (Ok(result), Weight::Logged)
        }
        Err(refused) => (Err(refused), Weight::Nothing),
    })
}

/// Plans the record of an exported decision and applies it to a transaction; `false` when it is on record already. For
/// errors see [`append`].
pub(crate) fn restore_decision(
    txn: &mut impl WriteTxn,
    restored: &RestoredDecision,
) -> Result<Performed<Checked<bool>>, StoreError> {
    Ok(match plan_restore(txn, restored) {
        Ok(Some(batch)) => {
            txn.apply(Arc::new(batch))?;
            (Ok(true), Weight::Logged)
        }
        Ok(None) => (Ok(false), Weight::Nothing),
        Err(refused) => (Err(refused), Weight::Nothing),
    })
}

/// The jobs as they are after the changes, see [`Store::change_jobs`](super::Store::change_jobs).
pub(crate) type ChangedJobs = Result<Vec<Option<Job>>, StoreError>;

/// Plans changes of jobs and applies them to a transaction. For errors see [`append`].
pub(crate) fn change_jobs(
    txn: &mut impl WriteTxn,
    changes: &[JobChange],
    at: Timestamp,
) -> Result<Performed<ChangedJobs>, StoreError> {
    Ok(match plan_jobs(txn, changes, at) {
        Ok((batch, jobs)) => {
            txn.apply(Arc::new(batch))?;
            // A job that is only begun is released after a crash.
            let begun = |change: &JobChange| matches!(change, JobChange::Begin { .. });
            let weight = if changes.iter().all(begun) {
                Weight::Derived
            } else {
                Weight::Durable
            };
            (Ok(jobs), weight)
        }
        Err(error) => (Err(error), Weight::Nothing),
    })
}
