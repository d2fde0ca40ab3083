//! A backfill under way: page by page through its selection.
//!
//! Owns what happens to each event. Stops between two pages when it is cancelled or the daemon stops.

use std::collections::BTreeSet;

use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;

use super::Dependencies;
use super::plan::{Selection, takes_event};
use crate::outbox::Handler;
use crate::projections::RequestError;
use crate::runs::{End, Run};
use crate::store::{JobChange, StoreError};

/// Goes through the selection; the error is a sentence.
pub(super) async fn go_through(
    dependencies: &Dependencies,
    selection: &Selection,
    run: &Run,
) -> Result<End, String> {
    let mut next = Some(selection.from).filter(|from| *from <= selection.to);
    while let Some(from) = next {
        if run.is_cancelled() || dependencies.stopping.is_cancelled() {
            return Ok(End::Cancelled);
        }
        let page = selection.next_page(&dependencies.store, from).await;
        let page = page.map_err(|error| error.to_string())?;
        for handler in &selection.handlers {
            through_handler(dependencies, handler.as_ref(), &page.events, run)
                .await
                .map_err(|error| error.to_string())?;
        }
        for name in &selection.projections {
            through_projection(dependencies, name, &page.events)
                .await
                .map_err(|error| error.to_string())?;
        }
        next = page.next;
        let reached = next.unwrap_or(selection.to + 1);
        run.progress(reached - selection.from, selection.total());
    }
    Ok(End::Completed)
}

/// Makes the jobs of one handler for these events, where none is open.
async fn through_handler(
    dependencies: &Dependencies,
    handler: &dyn Handler,
    events: &[Event],
    run: &Run,
) -> Result<(), StoreError> {
    let name = handler.name();
    let changes: Vec<JobChange> = events
        .iter()
        .filter(|event| takes_event(handler, event))
        .map(|event| JobChange::Add {
            handler: name.to_owned(),
            position: event.position,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let now = dependencies.clock.now();
    let made = dependencies.store.change_jobs(changes, now).await?;
    run.made_jobs(made.iter().flatten().count() as u64);
    dependencies.outbox.added(name);
    Ok(())
}

/// Re-folds the documents that these events concern.
async fn through_projection(
    dependencies: &Dependencies,
    name: &str,
    events: &[Event],
) -> Result<(), RequestError> {
    let streams: BTreeSet<&StreamName> = events.iter().map(|event| &event.stream).collect();
    let streams: Vec<StreamName> = streams.into_iter().cloned().collect();
    dependencies.projections.refold(name, &streams).await
}
