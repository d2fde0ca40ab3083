//! Errors of the engine as ours: what was being done, and whether the file is damaged.

use crate::projections::error::{ProjectionError, panicked};

/// Turns an error of the engine into one of ours, with what was being done.
pub(crate) fn engine<E: Into<redb::Error>>(
    doing: &'static str,
) -> impl FnOnce(E) -> ProjectionError {
    move |error| match error.into() {
        redb::Error::DatabaseClosed => ProjectionError::Closed,
        redb::Error::PreviousIo => ProjectionError::Unwritten {
            doing,
            reason: "an earlier write failed".to_owned(),
        },
        error if is_damage(&error) => ProjectionError::Damaged {
            place: "the file".to_owned(),
            detail: format!("{error}, while {doing}"),
        },
        redb::Error::Io(error) => ProjectionError::Unwritten {
            doing,
            reason: error.to_string(),
        },
        error => ProjectionError::Engine {
            doing,
            source: Box::new(error),
        },
    }
}

fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::UpgradeRequired(_) => true,
        redb::Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    }
}

/// Does something that a damaged file can make the engine panic at.
pub(crate) fn guarded<T>(
    act: impl FnOnce() -> Result<T, ProjectionError>,
) -> Result<T, ProjectionError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}
