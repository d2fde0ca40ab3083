//! Requests about notes.

use reqwest::Method;
use whodunit_core::api::notes::{NoteIn, NotePage};
use whodunit_core::api::segment;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::note::Note;

use super::query::Params;
use super::{Client, ClientError};

/// Of `GET /v1/notes`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotesQuery {
    /// Exactly this stream.
    pub stream: Option<StreamName>,
    /// Exactly this revision.
    pub revision: Option<Revision>,
    /// Exactly this event.
    pub event_id: Option<String>,
    /// Exactly this writer.
    pub actor: Option<String>,
    /// Occurs in text, writer or stream.
    pub text: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
}

impl NotesQuery {
    fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("stream", self.stream.as_ref());
        params.opt("revision", self.revision);
        params.opt("event_id", self.event_id.as_ref());
        params.opt("actor", self.actor.as_ref());
        params.opt("text", self.text.as_ref());
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params
    }
}

impl Client {
    /// `GET /v1/notes`.
    pub async fn notes(&self, query: &NotesQuery) -> Result<NotePage, ClientError> {
        self.get("/v1/notes", &query.params()).await
    }

    /// `POST /v1/notes`.
    pub async fn add_note(&self, note: &NoteIn) -> Result<Note, ClientError> {
        self.post("/v1/notes", &Params::new(), note).await
    }

    /// `DELETE /v1/notes/{note_id}`.
    pub async fn remove_note(&self, note_id: &str) -> Result<Note, ClientError> {
        self.send(Method::DELETE, &format!("/v1/notes/{}", segment(note_id)))
            .await
    }
}
