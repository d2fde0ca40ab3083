//! Rebuilding: a read model from position 0, beside the one that answers.
//!
//! Owns the way there: large batches without indexes up to the log's head, the indexes, the rest of the log, then over to
//! the follower, which puts it in the place of the old one. It commits its own checkpoint, so that it goes on after a
//! kill. Has no effects beyond its file.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use super::error::{ProjectionError, end_of};
use super::inbox::Order;
use super::opening::found;
use super::projector::{Projector, lock};
use super::read_model::file::guarded;
use super::read_model::{Bounds, Durable, ReadModel, Stamp, advance, index};
use crate::limits::{PROJECTION_BATCH_EVENTS, PROJECTION_REBUILD_BYTES, PROJECTION_REBUILD_EVENTS};
use crate::runs::{End, Run};

/// Begins a rebuild, or goes on with one that was cut short. `None` when one is under way, or the daemon is
/// about to end.
pub(super) fn start(projector: &Arc<Projector>) -> Option<Arc<Run>> {
    if projector.is_stopping() {
        return None;
    }
    let run = projector.begin(&projector.rebuild, "rebuild")?;
    let (its, of) = (Arc::clone(&run), Arc::clone(projector));
    let thread = std::thread::Builder::new()
        .name(format!("rebuild-{}", projector.name()))
        .spawn(move || {
            let result = guarded(|| rebuild(&of, &its));
            finish(&of, &its, &result);
        });
    match thread {
        Ok(thread) => {
            let mut threads = lock(&projector.threads);
            threads.retain(|thread| !thread.is_finished());
            threads.push(thread);
        }
        Err(source) => run.end(End::Failed(format!("starting a rebuild: {source}"))),
    }
    Some(run)
}

fn finish(projector: &Arc<Projector>, run: &Arc<Run>, result: &Result<(), ProjectionError>) {
    let name = projector.name();
    match result {
        Ok(()) => tracing::info!(projection = name, "rebuilt"),
        Err(ProjectionError::Stopped) if run.is_cancelled() => {
            tracing::info!(projection = name, "the rebuild was cancelled");
        }
        Err(ProjectionError::Stopped) => {}
        Err(error) => tracing::error!(projection = name, %error, "a rebuild failed"),
    }
    // One that the daemon's end cuts short is to go on; every other leaves nothing behind.
    if result.is_err()
        && !projector.is_stopping()
        && let Some(files) = &projector.files
    {
        drop(std::fs::remove_file(&files.building));
    }
    if let Err(error) = result
        && projector.frozen.load(Ordering::Relaxed)
    {
        let why = format!("the rebuild that it waits for did not end well: {error}");
        lock(&projector.pulse).failed(why);
    }
    run.end(end_of(result));
}

fn rebuild(projector: &Arc<Projector>, run: &Run) -> Result<(), ProjectionError> {
    let stop = || run.is_cancelled() || projector.is_stopping();
    let (model, mut stamp) = begin(projector)?;
    let (from, head) = (stamp.checkpoint.0, projector.head().0);
    tracing::info!(projection = projector.name(), from, head, "rebuilding");
    run.resume(from, head);
    stamp = catch_up(projector, run, &model, stamp, PROJECTION_REBUILD_EVENTS)?;
    if !stamp.indexed {
        stamp = index::build(&model, &stamp, &projector.rules, &stop)?;
    }
    stamp = catch_up(projector, run, &model, stamp, PROJECTION_BATCH_EVENTS)?;
    if stop() {
        return Err(ProjectionError::Stopped);
    }
    let (to, answer) = mpsc::sync_channel(1);
    let order = Order::Adopt(Box::new((model, stamp)), to);
    if projector.inbox.order(order).is_err() {
        return Err(ProjectionError::Stopped);
    }
    // A follower that ends drops the order, and with it the way to answer.
    answer.recv().unwrap_or(Err(ProjectionError::Stopped))?;
    let head = projector.checkpoint.borrow().0;
    run.progress(head, head);
    Ok(())
}

/// The file that was begun before, if it is of the same rules, or a new one.
fn begin(projector: &Projector) -> Result<(ReadModel, Stamp), ProjectionError> {
    let fresh = Stamp {
        indexed: false,
        ..projector.rules.fresh()
    };
    let Some(files) = &projector.files else {
        return Ok((ReadModel::in_memory(&fresh)?, fresh));
    };
    let (model, stamp) = found(&files.building, &fresh, &projector.store)?;
    if stamp.rules == fresh.rules {
        return Ok((model, stamp));
    }
    model.close()?;
    std::fs::remove_file(&files.building).map_err(|source| ProjectionError::Disk {
        doing: format!("removing `{}`", files.building.display()),
        source,
    })?;
    found(&files.building, &fresh, &projector.store)
}

/// Applies the log until less than a batch is left of it.
fn catch_up(
    projector: &Projector,
    run: &Run,
    model: &ReadModel,
    mut stamp: Stamp,
    batch: usize,
) -> Result<Stamp, ProjectionError> {
    let stop = || run.is_cancelled() || projector.is_stopping();
    let bounds = Bounds {
        events: batch,
        bytes: PROJECTION_REBUILD_BYTES,
        until: None,
    };
    loop {
        if stop() {
            return Err(ProjectionError::Stopped);
        }
        let view = projector.store.view()?;
        let head = view.head().position;
        if stamp.checkpoint >= head {
            return Ok(stamp);
        }
        let batch_and_when = (bounds, Durable::Now);
        let rules = &projector.rules;
        let views = (view.as_ref(), Some(projector.store.view()?));
        stamp = advance(model, &stamp, rules, views, batch_and_when, &stop)?;
        run.progress(stamp.checkpoint.0, head.0);
        if head.0 - stamp.checkpoint.0 == 0 && projector.head().0 - head.0 < batch as u64 {
            return Ok(stamp);
        }
    }
}
