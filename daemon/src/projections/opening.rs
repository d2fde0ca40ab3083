//! Opening a projection's read model when the daemon starts.
//!
//! Owns the decision what to do with the file that is found: go on with it, let it answer while another is built beside
//! it, or move it aside and start with an empty one. Nothing that is found is an error.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use whodunit_core::ids::Position;

use super::consumer::Consumer;
use super::error::ProjectionError;
use super::files::found;
use super::read_model::{ReadModel, Rules};
use super::rebuild;
use super::runner::{Common, Files, ProjectionRunner, lock};
use crate::clock::Clock;
use crate::store::Store;

/// Opens a projection's read model and begins to follow the log.
///
/// # Errors
/// When not even a read model in memory can be made, or no thread started.
pub(super) fn open(
    rules: Rules,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    directory: Option<&Path>,
    common: &Common,
) -> Result<Arc<ProjectionRunner>, ProjectionError> {
    let name = rules.projection.name();
    let fresh = rules.fresh();
    let files = directory.map(|directory| Files {
        live: directory.join(format!("{name}.redb")),
        building: directory.join(format!("{name}.building.redb")),
    });
    let mut note = None;
    let (files, (model, meta)) = match files {
        None => (None, (ReadModel::in_memory(&fresh)?, fresh)),
        Some(files) => match found(&files.live, &fresh, store) {
            Ok(found) => (Some(files), found),
            Err(error) => {
                tracing::error!(projection = name, %error, "the read model is kept in memory until the next start");
                note = Some(format!("it is kept in memory: {error}"));
                (None, (ReadModel::in_memory(&fresh)?, fresh))
            }
        },
    };
    let outdated = meta.rules != rules.hash;
    let checkpoint = meta.checkpoint;
    let resumes = files.as_ref().is_some_and(|files| files.building.exists());
    let runner = Arc::new(ProjectionRunner::new(
        rules,
        (store, clock),
        files,
        (model, checkpoint),
        common,
    ));
    if let Some(note) = note {
        let mut progress = lock(&runner.progress);
        progress.failed(note);
        progress.recovered();
    }
    let frozen = outdated || checkpoint == Position::ZERO && runner.is_far(checkpoint);
    runner.frozen.store(frozen, Ordering::Relaxed);
    if outdated {
        tracing::info!(
            projection = name,
            "its rules have changed: it is rebuilt while the old read model answers"
        );
    }
    let consumer = Consumer::new(Arc::clone(&runner), meta);
    let thread = std::thread::Builder::new()
        .name(format!("project-{name}"))
        .spawn(move || consumer.run())
        .map_err(|source| ProjectionError::Disk {
            doing: "starting a projection's thread".to_owned(),
            source,
        })?;
    lock(&runner.threads).push(thread);
    if frozen || resumes {
        rebuild::start(&runner);
    }
    Ok(runner)
}
