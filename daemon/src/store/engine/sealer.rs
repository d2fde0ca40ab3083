//! The sealer: moves whole frames from the tail into the file, behind every write.

use super::shared::{Published, Shared};
use crate::store::StoreError;

/// Seals whenever it is woken, until it is told to end.
pub(super) fn run(shared: &Shared) {
    while shared.wait_for_sealing() {
        let outcome = shared.file.guarded(|| seal(shared));
        let failed = outcome.err().map(|error| error.with_cause());
        if let Some(cause) = &failed {
            tracing::error!(cause, "the log could not be sealed; it is tried again");
        }
        shared.sealed(failed);
    }
}

/// Seals what is published, up to the last frame's end.
fn seal(shared: &Shared) -> Result<(), StoreError> {
    let Some(before) = shared.published() else {
        return Ok(());
    };
    let snapshots = shared.snapshots.all();
    let Some(end) = before.frames.last().copied() else {
        if !snapshots.is_empty() {
            shared.file.seal([], &snapshots, None)?;
            let sealed = std::sync::Arc::new(shared.file.read()?);
            shared.publish(|now| Published {
                sealed: std::sync::Arc::clone(&sealed),
                ..now.clone()
            });
            shared.snapshots.written(&snapshots);
        }
        return Ok(());
    };
    let count = end.batches - before.sealed_batches;
    let batches = before.tail.batches().iter().take(count);
    shared
        .file
        .seal(batches.map(|batch| &**batch), &snapshots, Some(end.mark))?;
    let sealed = shared.file.read()?;
    let rest = before.tail.without_first(count);
    if sealed.head() != rest.base() {
        return Err(StoreError::Damaged {
            place: "the store's file".to_owned(),
            detail: "it does not end where it was sealed to".to_owned(),
        });
    }
    let sealed = std::sync::Arc::new(sealed);
    shared.publish(|now| {
        let mut next = now.clone();
        next.sealed = sealed;
        next.tail = rest;
        // What was written meanwhile.
        for batch in now.tail.batches().iter().skip(before.tail.batches().len()) {
            next.tail.apply(batch);
        }
        next.sealed_batches = end.batches;
        next.frames.retain(|frame| frame.batches > end.batches);
        next
    });
    shared.snapshots.written(&snapshots);
    shared.wal().sealed(end.mark.place);
    Ok(())
}
