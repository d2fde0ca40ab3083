//! Notes: what people write about streams, revisions and events, kept beside the log.
//!
//! Owns all notes of a store: in memory, and in a file of their own in the data directory (`file`). A note is durable when it is
//! acknowledged. Nothing of the log depends on them, and a verification compares them with it. Where their file cannot be used, every
//! request for notes says why, and everything else works.
//!
//! Everything here may block; call it where blocking is allowed.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::json::Json;
use whodunit_core::model::Models;
use whodunit_core::note::{BadNote, Note};
use whodunit_core::search::Search;
use whodunit_core::shown::{REDACTED, Reveal};

pub(crate) use self::file::{FILE_NAME, parse, read, write_new};
use crate::beside::{Contents, KeptFile};
use crate::limits::NOTES_MAX;
use crate::store::disk::Disk;
use crate::store::{StoreError, StoreId, View};

/// The name of the notes among the parts of a backup.
pub(crate) const TABLE: &str = "notes";
/// Values of secret fields shorter than this are not looked for in a note: they occur by chance.
const SECRET_CHARS_MIN: usize = 6;

/// Why a note was not taken, or not removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotesError {
    /// Another note has its id.
    #[error("another note has the id `{0}`")]
    Conflict(String),
    /// There are too many.
    #[error("there are {NOTES_MAX} notes, which is the limit")]
    Full,
    /// Their file cannot be used.
    #[error("the notes cannot be used: {0}")]
    Unusable(String),
    /// The disk failed; the note was not taken.
    #[error("the notes could not be written: {0}")]
    Disk(#[from] io::Error),
}

/// The notes of a store.
#[derive(Debug)]
pub(crate) struct Notes(Mutex<State>);

#[derive(Debug)]
struct State {
    book: Result<Book, String>,
    /// Where they are kept; `None` for those of a store in memory.
    file: Option<KeptFile<Note>>,
}

/// All notes, in the order they were written.
#[derive(Debug, Default)]
struct Book {
    notes: BTreeMap<u64, Note>,
    numbers: HashMap<String, u64>,
    next: u64,
    unreadable: u64,
}

impl Book {
    fn new(contents: Contents<Note>) -> Self {
        let notes: BTreeMap<u64, Note> = (1..).zip(contents.items).collect();
        Self {
            next: notes.len() as u64 + 1,
            numbers: notes
                .iter()
                .map(|(number, note)| (note.note_id.clone(), *number))
                .collect(),
            notes,
            unreadable: contents.damaged.len() as u64,
        }
    }

    fn by_id(&self, id: &str) -> Option<(u64, &Note)> {
        let number = *self.numbers.get(id)?;
        Some((number, self.notes.get(&number)?))
    }
}

/// Which notes are wanted. Everything given must hold.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) stream: Option<StreamName>,
    pub(crate) revision: Option<u64>,
    pub(crate) event_id: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) text: Option<Search>,
}

impl Wanted {
    fn takes(&self, note: &Note) -> bool {
        let text = |search: &Search| {
            search.in_text(&note.text)
                || search.in_text(&note.actor)
                || search.in_text(note.stream.as_str())
        };
        self.stream.as_ref().is_none_or(|own| *own == note.stream)
            && self
                .revision
                .is_none_or(|own| note.revision.is_some_and(|revision| revision.0 == own))
            && (self.event_id.is_none() || self.event_id == note.event_id)
            && self.actor.as_ref().is_none_or(|own| *own == note.actor)
            && self.text.as_ref().is_none_or(text)
    }
}

/// Some notes, newest first.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) notes: Vec<Note>,
    /// Where the next page begins.
    pub(crate) next: Option<u64>,
    /// How many notes there are altogether.
    pub(crate) all: u64,
    /// Lines of the file that are damaged.
    pub(crate) unreadable: u64,
}

impl Notes {
    /// Those of the store in a directory; of a store in memory they are kept in memory.
    pub(crate) fn open(disk: &Arc<dyn Disk>, directory: Option<&Path>, store: StoreId) -> Self {
        let file = directory.map(|directory| KeptFile::new(Arc::clone(disk), directory, store));
        let book = match &file {
            None => Ok(Book::default()),
            Some(file) => file.open().map(Book::new),
        };
        match &book {
            Err(reason) => tracing::error!(reason, "the notes cannot be used"),
            Ok(book) if book.unreadable > 0 => {
                tracing::error!(lines = book.unreadable, "lines of the notes are damaged");
            }
            Ok(_) => {}
        }
        Self(Mutex::new(State { book, file }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a note, durably. The same note again adds nothing (`false`).
    pub(crate) fn add(&self, note: Note) -> Result<(Note, bool), NotesError> {
        let mut state = self.state();
        let State { book, file } = &mut *state;
        let book = book
            .as_mut()
            .map_err(|why| NotesError::Unusable(why.clone()))?;
        if let Some((_, known)) = book.by_id(&note.note_id) {
            // When it was written is the daemon's word, not a part of what was sent.
            let same = Note {
                written_at: known.written_at,
                ..note
            };
            return if same == *known {
                Ok((same, false))
            } else {
                Err(NotesError::Conflict(same.note_id))
            };
        }
        if book.notes.len() >= NOTES_MAX {
            return Err(NotesError::Full);
        }
        if let Some(file) = file {
            file.append(&note, book.notes.values())?;
        }
        book.numbers.insert(note.note_id.clone(), book.next);
        book.notes.insert(book.next, note.clone());
        book.next += 1;
        Ok((note, true))
    }

    /// Removes a note, durably, text and all; `None` where there is none of this id.
    pub(crate) fn remove(&self, id: &str) -> Result<Option<Note>, NotesError> {
        let mut state = self.state();
        let State { book, file } = &mut *state;
        let book = book
            .as_mut()
            .map_err(|why| NotesError::Unusable(why.clone()))?;
        let Some((number, _)) = book.by_id(id) else {
            return Ok(None);
        };
        if let Some(file) = file {
            let rest = book.notes.iter().filter(|(own, _)| **own != number);
            file.replace(rest.map(|(_, note)| note))?;
        }
        book.numbers.remove(id);
        Ok(book.notes.remove(&number))
    }

    /// A page of those that are wanted, newest first, from this one on.
    pub(crate) fn find(
        &self,
        wanted: &Wanted,
        from: Option<u64>,
        limit: usize,
    ) -> Result<Found, NotesError> {
        let state = self.state();
        let book = state
            .book
            .as_ref()
            .map_err(|why| NotesError::Unusable(why.clone()))?;
        let mut found = Found {
            notes: Vec::new(),
            next: None,
            all: book.notes.len() as u64,
            unreadable: book.unreadable,
        };
        let all = book.notes.range(..=from.unwrap_or(u64::MAX)).rev();
        for (number, note) in all.filter(|(_, note)| wanted.takes(note)) {
            if found.notes.len() == limit {
                found.next = Some(*number);
                break;
            }
            found.notes.push(note.clone());
        }
        Ok(found)
    }

    /// All of them, oldest first, and how many lines of their file are damaged.
    pub(crate) fn all(&self) -> Result<(Vec<Note>, u64), NotesError> {
        let state = self.state();
        let book = state
            .book
            .as_ref()
            .map_err(|why| NotesError::Unusable(why.clone()))?;
        Ok((book.notes.values().cloned().collect(), book.unreadable))
    }
}

/// Whether a text holds the value of a secret field of an event.
pub(crate) fn check_secrets(models: &Models, event: &Event, text: &str) -> Result<(), BadNote> {
    let redacted = Reveal::NO.show(models, event.clone());
    let (data, metadata) = (
        event.data.to_value(),
        event.metadata.as_ref().map(Json::to_value),
    );
    for pointer in redacted.redacted() {
        let value = match pointer.strip_prefix("/data") {
            Some(inner) => data.pointer(inner),
            None => pointer
                .strip_prefix("/metadata")
                .and_then(|inner| metadata.as_ref()?.pointer(inner)),
        };
        let value = value.map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        });
        if value.is_some_and(|value| {
            value != REDACTED && value.chars().count() >= SECRET_CHARS_MIN && text.contains(&value)
        }) {
            return Err(BadNote::secret(
                "holds the value of a secret field of its event",
            ));
        }
    }
    Ok(())
}

/// What of a note the log contradicts; `None` where it is about something that is there.
pub(crate) fn contradicted(view: &dyn View, note: &Note) -> Result<Option<String>, StoreError> {
    let Some(info) = view.stream(&note.stream)? else {
        return Ok(Some(format!("there is no stream `{}`", note.stream)));
    };
    let Some(revision) = note.revision else {
        return Ok(None);
    };
    if revision > info.revision {
        return Ok(Some(format!(
            "the stream ends at revision {}",
            info.revision
        )));
    }
    let event = view.event_at_revision(&note.stream, revision)?;
    let is_other = event.is_some_and(|event| {
        let id = note.event_id.as_ref();
        id.is_some_and(|id| *id != event.event_id)
    });
    Ok(is_other.then(|| format!("revision {revision} is another event")))
}
