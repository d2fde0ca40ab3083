//! Rebuilding: a read model from position 0, beside the one that answers.
//!
//! Owns the way there: large batches without indexes up to the log's head, the indexes, the rest of the log, then over to
//! the consumer, which puts it in the place of the old one. It commits its own checkpoint, so that it goes on after a
//! kill. Has no effects beyond its file.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use super::error::{ProjectionError, end_of};
use super::files::found;
use super::mailbox::Command;
use super::read_model::file::guarded;
use super::read_model::{Bounds, CheckpointMeta, Durable, ReadModel, advance, index};
use super::runner::{ProjectionRunner, lock};
use crate::limits::{PROJECTION_BATCH_EVENTS, PROJECTION_REBUILD_BYTES, PROJECTION_REBUILD_EVENTS};
use crate::runs::{End, Run};

/// Begins a rebuild, or goes on with one that was cut short. `None` when one is already running, or the daemon is
/// about to end.
pub(super) fn start(runner: &Arc<ProjectionRunner>) -> Option<Arc<Run>> {
    if runner.is_stopping() {
        return None;
    }
    let run = runner.begin(&runner.rebuild, "rebuild")?;
    let (its, of) = (Arc::clone(&run), Arc::clone(runner));
    let thread = std::thread::Builder::new()
        .name(format!("rebuild-{}", runner.name()))
        .spawn(move || {
            let result = guarded(|| rebuild(&of, &its));
            finish(&of, &its, &result);
        });
    match thread {
        Ok(thread) => {
            let mut threads = lock(&runner.threads);
            threads.retain(|thread| !thread.is_finished());
            threads.push(thread);
        }
        Err(source) => run.end(End::Failed(format!("starting a rebuild: {source}"))),
    }
    Some(run)
}

fn finish(runner: &Arc<ProjectionRunner>, run: &Arc<Run>, result: &Result<(), ProjectionError>) {
    let name = runner.name();
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
        && !runner.is_stopping()
        && let Some(files) = &runner.files
    {
        drop(std::fs::remove_file(&files.building));
    }
    if let Err(error) = result
        && runner.frozen.load(Ordering::Relaxed)
    {
        let why = format!("the rebuild it waits for failed: {error}");
        lock(&runner.progress).failed(why);
    }
    run.end(end_of(result));
}

fn rebuild(runner: &Arc<ProjectionRunner>, run: &Run) -> Result<(), ProjectionError> {
    let stop = || run.is_cancelled() || runner.is_stopping();
    let (model, mut meta) = begin(runner)?;
    let (from, head) = (meta.checkpoint.0, runner.head().0);
    tracing::info!(projection = runner.name(), from, head, "rebuilding");
    run.resume(from, head);
    meta = catch_up(runner, run, &model, meta, PROJECTION_REBUILD_EVENTS)?;
    if !meta.indexed {
        meta = index::build(&model, &meta, &runner.rules, &stop)?;
    }
    meta = catch_up(runner, run, &model, meta, PROJECTION_BATCH_EVENTS)?;
    if stop() {
        return Err(ProjectionError::Stopped);
    }
    let (to, answer) = mpsc::sync_channel(1);
    let command = Command::SwapIn(Box::new((model, meta)), to);
    if runner.mailbox.send(command).is_err() {
        return Err(ProjectionError::Stopped);
    }
    // A consumer that ends drops the command, and with it the way to answer.
    answer.recv().unwrap_or(Err(ProjectionError::Stopped))?;
    let head = runner.checkpoint.borrow().0;
    run.progress(head, head);
    Ok(())
}

/// The file that was begun before, if it is of the same rules, or a new one.
fn begin(runner: &ProjectionRunner) -> Result<(ReadModel, CheckpointMeta), ProjectionError> {
    let fresh = CheckpointMeta {
        indexed: false,
        ..runner.rules.fresh()
    };
    let Some(files) = &runner.files else {
        return Ok((ReadModel::in_memory(&fresh)?, fresh));
    };
    let (model, meta) = found(&files.building, &fresh, &runner.store)?;
    if meta.rules == fresh.rules {
        return Ok((model, meta));
    }
    model.close()?;
    std::fs::remove_file(&files.building).map_err(|source| ProjectionError::Disk {
        doing: format!("removing `{}`", files.building.display()),
        source,
    })?;
    found(&files.building, &fresh, &runner.store)
}

/// Applies the log until less than a batch is left of it.
fn catch_up(
    runner: &ProjectionRunner,
    run: &Run,
    model: &ReadModel,
    mut meta: CheckpointMeta,
    batch: usize,
) -> Result<CheckpointMeta, ProjectionError> {
    let stop = || run.is_cancelled() || runner.is_stopping();
    let bounds = Bounds {
        events: batch,
        bytes: PROJECTION_REBUILD_BYTES,
        until: None,
    };
    loop {
        if stop() {
            return Err(ProjectionError::Stopped);
        }
        let view = runner.store.view()?;
        let head = view.head().position;
        if meta.checkpoint >= head {
            return Ok(meta);
        }
        let batch_and_when = (bounds, Durable::Now);
        let rules = &runner.rules;
        let views = (view.as_ref(), Some(runner.store.view()?));
        meta = advance(model, &meta, rules, views, batch_and_when, &stop)?;
        run.progress(meta.checkpoint.0, head.0);
        if head.0 - meta.checkpoint.0 == 0 && runner.head().0 - head.0 < batch as u64 {
            return Ok(meta);
        }
    }
}
