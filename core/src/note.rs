//! Notes: what people write about a stream, a revision or an event, beside the log and never in it.
//!
//! Owns what a note is, how large it may be, and which texts are refused because they hold a secret.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admission::ACTOR_BYTES_MAX;
use crate::ids::{Revision, StreamName, check_id};
use crate::time::Timestamp;

/// Bytes of a note's text.
pub const NOTE_TEXT_BYTES_MAX: usize = 4_096;

/// How stored password hashes begin: no note may hold one.
const HASHES: [&str; 7] = [
    "$argon2",
    "$2a$",
    "$2b$",
    "$2y$",
    "$scrypt$",
    "$pbkdf2",
    "$5$rounds=",
];

/// A note: who wrote what, when, about a stream or one of its revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Its id: the same note again adds nothing.
    pub note_id: String,
    /// The stream it is about.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision it is about; `null` for the stream as a whole.
    #[schema(required, value_type = Option<u64>)]
    pub revision: Option<Revision>,
    /// The event of that revision.
    #[schema(required)]
    pub event_id: Option<String>,
    /// Who wrote it.
    pub actor: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub written_at: Timestamp,
    /// What it says.
    pub text: String,
}

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` {said}")]
pub struct BadNote {
    /// The field.
    pub pointer: &'static str,
    /// What is wrong with it. Never quotes the text.
    pub said: String,
    /// Whether that is a secret.
    pub is_secret: bool,
}

impl BadNote {
    fn new(pointer: &'static str, said: impl Into<String>) -> Self {
        Self {
            pointer,
            said: said.into(),
            is_secret: false,
        }
    }

    /// That a text holds a secret.
    pub fn secret(said: &str) -> Self {
        Self {
            is_secret: true,
            ..Self::new("/text", said)
        }
    }
}

impl Note {
    /// Checks the note by itself; whether there is what it is about is not known here.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self) -> Result<(), BadNote> {
        if let Err(error) = check_id(&self.note_id) {
            return Err(BadNote::new("/note_id", error.to_string()));
        }
        if self.actor.trim().is_empty() {
            return Err(BadNote::new("/actor", "must not be empty"));
        }
        if self.actor.len() > ACTOR_BYTES_MAX {
            let said = format!("is longer than {ACTOR_BYTES_MAX} bytes");
            return Err(BadNote::new("/actor", said));
        }
        if self.text.trim().is_empty() {
            return Err(BadNote::new("/text", "must not be empty"));
        }
        if self.text.len() > NOTE_TEXT_BYTES_MAX {
            let said = format!("is longer than {NOTE_TEXT_BYTES_MAX} bytes");
            return Err(BadNote::new("/text", said));
        }
        if self.revision == Some(Revision::ZERO) {
            let said = "must be 1 or more: revision 0 has no event; leave it out for the stream";
            return Err(BadNote::new("/revision", said));
        }
        if self.event_id.is_some() && self.revision.is_none() {
            return Err(BadNote::new("/revision", "is required with an event"));
        }
        if HASHES.iter().any(|hash| self.text.contains(hash)) {
            return Err(BadNote::secret("holds a password hash"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Note {
        Note {
            note_id: "n-1".to_owned(),
            stream: StreamName::new("user-1").unwrap(),
            revision: Some(Revision(3)),
            event_id: Some("e-3".to_owned()),
            actor: "ann".to_owned(),
            written_at: Timestamp::from_micros(0),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_note_is_bounded_and_holds_no_hash() {
        assert_eq!(note("this one was the batch").check(), Ok(()));
        let longest = "ü".repeat(NOTE_TEXT_BYTES_MAX / 2);
        assert_eq!(note(&longest).check(), Ok(()));
        let refused = |note: Note| note.check().unwrap_err();
        assert_eq!(refused(note(&format!("{longest}x"))).pointer, "/text");
        assert_eq!(refused(note(" \n")).pointer, "/text");
        let hash = refused(note("see $argon2id$v=19$m=19456,t=2,p=1$abc$def"));
        assert!(hash.is_secret && !hash.to_string().contains("19456"));
        for (field, note) in [
            (
                "/actor",
                Note {
                    actor: " ".to_owned(),
                    ..note("x")
                },
            ),
            (
                "/actor",
                Note {
                    actor: "x".repeat(ACTOR_BYTES_MAX + 1),
                    ..note("x")
                },
            ),
            (
                "/note_id",
                Note {
                    note_id: String::new(),
                    ..note("x")
                },
            ),
            (
                "/revision",
                Note {
                    revision: Some(Revision(0)),
                    ..note("x")
                },
            ),
            (
                "/revision",
                Note {
                    revision: None,
                    ..note("x")
                },
            ),
        ] {
            assert_eq!(refused(note).pointer, field);
        }
    }
}
