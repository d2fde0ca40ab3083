//! Files of read models: opening the one that is found, or moving it aside and starting an empty one.
//!
//! Owns that decision. A file that cannot be used is never an error: read models are derived data.

use std::path::Path;
use std::sync::Arc;

use super::DIRECTORY;
use super::error::ProjectionError;
use super::read_model::file::{checkpoint_of, move_aside};
use super::read_model::{CheckpointMeta, ReadModel, Unusable, anchor_event};
use crate::store::{Store, StoreError, StoreId};

/// Refuses a log that ends before what one of its read models was made from: it has lost events, and whatever follows would be
/// given their positions.
///
/// # Errors
/// [`StoreError::Behind`], naming the read model.
pub(crate) fn refuse_behind_read_models(store: &dyn Store, data: &Path) -> Result<(), StoreError> {
    let directory = data.join(DIRECTORY);
    let Ok(entries) = std::fs::read_dir(&directory) else {
        return Ok(());
    };
    let head = *store.head().borrow();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|extension| extension != "redb") {
            continue;
        }
        if let Some(checkpoint) = checkpoint_of(&path, store.id())
            && checkpoint > head.position
        {
            return Err(StoreError::Behind {
                path: data.display().to_string(),
                found: head.position.0,
                found_decisions: head.decision,
                acknowledged: checkpoint.0,
                acknowledged_decisions: head.decision,
                noted_in: path.display().to_string(),
            });
        }
    }
    Ok(())
}

/// Opens a file that is there, or makes one. A file that cannot be used is moved aside.
pub(super) fn found(
    path: &Path,
    fresh: &CheckpointMeta,
    store: &Arc<dyn Store>,
) -> Result<(ReadModel, CheckpointMeta), ProjectionError> {
    match ReadModel::open(path, fresh, store.id()) {
        Ok((model, meta)) => {
            if is_of_this_log(&meta, store)? {
                return Ok((model, meta));
            }
            model.close()?;
            let model = recreate(path, fresh, store.id(), "it is of another log")?;
            Ok((model, fresh.clone()))
        }
        Err(Unusable::File(reason)) => {
            Ok((recreate(path, fresh, store.id(), &reason)?, fresh.clone()))
        }
        Err(Unusable::Disk(error)) => Err(error),
    }
}

/// Moves a file aside where there is one, and makes an empty read model in its place.
pub(super) fn recreate(
    path: &Path,
    fresh: &CheckpointMeta,
    store: StoreId,
    reason: &str,
) -> Result<ReadModel, ProjectionError> {
    aside(path, reason)?;
    match ReadModel::open(path, fresh, store) {
        Ok((model, _)) => Ok(model),
        Err(Unusable::Disk(error)) => Err(error),
        Err(Unusable::File(detail)) => Err(ProjectionError::Damaged {
            place: "a new file".to_owned(),
            detail,
        }),
    }
}

/// Whether the event at the checkpoint is the one that the read model was made from.
fn is_of_this_log(meta: &CheckpointMeta, store: &Arc<dyn Store>) -> Result<bool, ProjectionError> {
    let view = store.view()?;
    Ok(meta.checkpoint <= view.head().position
        && anchor_event(view.as_ref(), meta.checkpoint)? == meta.anchor)
}

/// Moves the file at `path` aside where there is one.
fn aside(path: &Path, reason: &str) -> Result<(), ProjectionError> {
    if path.exists() {
        let aside = move_aside(path)?;
        tracing::warn!(file = %path.display(), aside = %aside.display(), reason, "a read model could not be used and was moved aside");
    }
    Ok(())
}
