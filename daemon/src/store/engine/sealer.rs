//! The sealer: moves whole frames from the tail into the file, behind every write.
//!
//! Owns how much is moved at once: so little that the reserve has room for it. Where that is used up, nothing is begun.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::shared::{FrameEnd, Published, Shared};
use crate::store::{ReadOnly, StoreError};

/// Seals whenever it is woken, until it is told to end.
pub(super) fn run(shared: &Shared) {
    while shared.wait_for_sealing() {
        seal_now(shared);
    }
}

/// Seals what it is time to seal, and tells those who wait how it ended.
pub(super) fn seal_now(shared: &Shared) {
    let is_due = || {
        let published = shared.published();
        published.is_some_and(|published| {
            shared.sealing.is_due(&published.tail) && !published.frames.is_empty()
        })
    };
    // A panic must not end the sealer: writers wait for it.
    let step = || {
        catch_unwind(AssertUnwindSafe(|| step(shared))).unwrap_or_else(|_panic| {
            Err(StoreError::Engine {
                doing: "sealing the log",
                source: "the code that does it panicked".into(),
            })
        })
    };
    let mut outcome = step();
    while outcome.is_ok() && is_due() {
        outcome = step();
    }
    shared.sealed(outcome.err());
}

/// Seals everything, before the log is closed.
pub(super) fn seal_all(shared: &Shared) -> Result<(), StoreError> {
    loop {
        step(shared)?;
        let published = shared.published();
        if published.is_none_or(|published| published.frames.is_empty()) {
            return Ok(());
        }
    }
}

/// Seals once.
fn step(shared: &Shared) -> Result<(), StoreError> {
    // A log that takes no writes is no reason not to move what is in it.
    if let Some(why) = shared.file.read_only(None) {
        return Err(StoreError::ReadOnly(why));
    }
    let sealed = shared.file.guarded_write(|| seal(shared));
    sealed.inspect_err(|error| {
        let cause = error.with_cause();
        tracing::error!(cause, "the log could not be sealed; it is tried again");
        shared.file.look_again();
    })
}

/// The last of the first frames that are sealed at once.
fn end(shared: &Shared, before: &Published) -> Option<FrameEnd> {
    let mut bytes = 0_usize;
    let mut frames = before.frames.iter().take_while(|frame| {
        let fits = bytes == 0 || bytes.saturating_add(frame.bytes) <= shared.sealing.bytes;
        bytes = bytes.saturating_add(frame.bytes.max(1));
        fits
    });
    let first = frames.next().copied()?;
    Some(frames.last().copied().unwrap_or(first))
}

/// Seals what is published, up to the end of a frame, and the snapshots that are unsaved.
fn seal(shared: &Shared) -> Result<(), StoreError> {
    let Some(before) = shared.published() else {
        return Ok(());
    };
    let end = end(shared, &before);
    let is_all = end.map(|end| end.batches) == before.frames.last().map(|last| last.batches);
    // A snapshot follows the stream that it is of.
    let snapshots = if is_all {
        shared.snapshots.all()
    } else {
        Vec::new()
    };
    if end.is_none() && snapshots.is_empty() {
        return Ok(());
    }
    let batches = end.map_or(before.sealed_batches, |end| end.batches);
    let count = batches - before.sealed_batches;
    let moved = before.tail.batches().iter().take(count);
    shared.file.seal(
        moved.map(|batch| &**batch),
        &snapshots,
        end.map(|end| end.mark),
    )?;
    let sealed = Arc::new(shared.file.read()?);
    let rest = before.tail.without_first(count);
    if sealed.head() != rest.base() {
        return Err(StoreError::Damaged {
            place: "the store's file".to_owned(),
            detail: "it does not end where it was sealed to".to_owned(),
        });
    }
    shared.publish(|now| {
        let mut next = now.clone();
        next.sealed = sealed;
        next.tail = rest;
        // What was written meanwhile.
        for batch in now.tail.batches().iter().skip(before.tail.batches().len()) {
            next.tail.apply(batch);
        }
        next.sealed_batches = batches;
        next.frames.retain(|frame| frame.batches > batches);
        next
    });
    shared.snapshots.written(&snapshots);
    if let Some(end) = end {
        shared.wal().sealed(end.mark.place);
    }
    Ok(())
}

/// Why the sealer stopped writers, as they are told.
pub(super) fn refusal(failed: StoreError) -> StoreError {
    match failed {
        StoreError::ReadOnly(_) | StoreError::Damaged { .. } => failed,
        _ => StoreError::ReadOnly(ReadOnly::DiskFailed),
    }
}
