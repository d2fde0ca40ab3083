//! Backups over HTTP: the whole store as one file, piece by piece, while writes go on.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use whodunit_core::api::problem::Problem;

use super::common::asked_to_reveal;
use super::error::{ApiError, busy};
use super::extract::Query;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::notes::TABLE;
use crate::reading::blocking_aside;
use crate::store::backup::Beside;
use crate::store::{Backup, StoreError};

/// A backup of the whole store as one file: events, decisions, unique keys, jobs and notes, secrets too, up to the head at the time of
/// asking. The header `whodunit-notes-unreadable` is there where notes are not in it because their file is damaged: how many, or `all`. Writes go on meanwhile. The file ends with what it holds and the SHA-256 of all bytes before that; one that was cut short
/// is no backup, and is known as such. It is checked on the way: a damaged store gives no whole backup. `whodunit restore` makes
/// a store of it, with the same id. Read models are not in it: they are built again. Who asked is noted (`x-whodunit-actor`).
#[utoipa::path(post, path = "/v1/backup", tag = "ops",
    responses((status = 200, body = String, content_type = "application/octet-stream"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn take_backup(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&parts.gates.backups).try_acquire_owned() else {
        return Err(busy("too many backups are running"));
    };
    asked_to_reveal(true, &headers, "backup", "the store");
    let (store, at) = (Arc::clone(&parts.store), parts.clock.now());
    let (mut backup, bytes) = blocking_aside(move || -> Result<_, StoreError> {
        let bytes = store.stats()?.file_bytes;
        Ok((store.backup(at)?, bytes))
    })
    .await?;
    let (notes, unreadable) = notes_of(&parts);
    backup.carry(notes);
    let about = backup.header();
    let name = format!(
        "attachment; filename=\"whodunit-{}-{}.backup\"",
        about.store_id, about.position
    );
    let header_value = |text: &str| HeaderValue::from_str(text).ok();
    let (id, name) = (header_value(&about.store_id), header_value(&name));
    let position = HeaderValue::from(about.position);
    let taking = Taking {
        parts,
        backup: Some(backup),
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(taking, Taking::piece).fuse());
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(HeaderName::from_static("whodunit-head"), position);
    let size = HeaderName::from_static("whodunit-store-bytes");
    headers.insert(size, HeaderValue::from(bytes));
    if let Some(unreadable) = unreadable.as_deref().and_then(header_value) {
        headers.insert(
            HeaderName::from_static("whodunit-notes-unreadable"),
            unreadable,
        );
    }
    if let (Some(id), Some(name)) = (id, name) {
        headers.insert(HeaderName::from_static("whodunit-store-id"), id);
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The notes, as a part of a backup, and how many cannot be read, where that is so. What is wrong with them holds up no backup.
fn notes_of(parts: &Parts) -> (Beside, Option<String>) {
    let mut beside = Beside::new(TABLE);
    let (notes, unreadable) = match parts.notes.all() {
        Ok((notes, unreadable)) => {
            let unreadable = (unreadable > 0).then(|| unreadable.to_string());
            (notes, unreadable)
        }
        Err(_unusable) => (Vec::new(), Some("all".to_owned())),
    };
    for note in &notes {
        if let Ok(text) = serde_json::to_vec(note) {
            beside.row(note.note_id.as_bytes(), &text);
        }
    }
    (beside, unreadable)
}

/// A backup that is being sent.
struct Taking {
    parts: Arc<Parts>,
    /// `None` once it has failed.
    backup: Option<Box<dyn Backup>>,
    _place: OwnedSemaphorePermit,
}

impl Taking {
    /// The next bytes. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let mut backup = self.backup.take()?;
        if self.parts.stopping.is_cancelled() {
            return Some((Err(io::Error::other("the daemon is shutting down")), self));
        }
        let piece = blocking_aside(move || -> Result<_, StoreError> {
            let piece = backup.next()?;
            Ok((piece, backup))
        });
        match piece.await {
            Ok((piece, backup)) => {
                self.backup = Some(backup);
                piece.map(|piece| (Ok(piece.into()), self))
            }
            Err(error) => {
                tracing::error!(error = error.with_cause(), "a backup was cut short");
                Some((Err(io::Error::other("the store failed")), self))
            }
        }
    }
}
