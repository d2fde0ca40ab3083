//! Wire types of notes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{Revision, StreamName};
use crate::note::Note;

/// Body of `POST /v1/notes`. It names an event (`event_id`), a revision (`stream` and `revision`) or a stream (`stream`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteIn {
    /// The stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// One of its revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub revision: Option<Revision>,
    /// An event, instead of stream and revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// What it says: at most 4,096 bytes. A text that holds a password hash, or the value of a secret field of its event, is
    /// refused.
    pub text: String,
    /// Who writes it. Required.
    pub actor: String,
    /// Makes the request idempotent; assigned when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note_id: Option<String>,
}

/// A page of notes (`GET /v1/notes`), newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotePage {
    /// The notes.
    pub items: Vec<Note>,
    /// Give it back as `cursor` for the next page; `null` at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// How many notes the store has altogether, of which these are some.
    pub notes: u64,
    /// Lines of the file of notes that are damaged: their notes are not among these. Absent where there are none.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub unreadable: u64,
}
