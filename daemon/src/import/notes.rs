//! Notes of an export: each goes beside the log once there is what it is about.

use whodunit_core::note::Note;

use super::{ImportFailure, Importer};
use crate::notes::check_secrets;
use crate::reading::{blocking_aside, read};
use crate::store::{StoreError, View};

impl Importer {
    /// Adds a note.
    pub(super) async fn note(&mut self, line: u64, note: Note) -> Result<(), ImportFailure> {
        if self.options.dry_run {
            self.report.out.notes += 1;
            return Ok(());
        }
        // What it is about may be on its way.
        self.await_all().await?;
        let models = std::sync::Arc::clone(&self.parts.models);
        let placed = read(&self.parts.store, move |view| {
            placed(view, note, |event, text| {
                check_secrets(&models, event, text).map_err(|bad| bad.to_string())
            })
        });
        let note = match placed.await? {
            Ok(note) => note,
            Err(reason) => {
                self.bad(line, None, format!("the note: {reason}"));
                return Ok(());
            }
        };
        let parts = std::sync::Arc::clone(&self.parts);
        let added = blocking_aside(move || Ok::<_, StoreError>(parts.notes.add(note)));
        match added.await? {
            Ok((_, true)) => self.report.out.notes += 1,
            Ok((_, false)) => self.report.out.repeated += 1,
            Err(error) => self.bad(line, None, format!("the note: {error}")),
        }
        Ok(())
    }
}

/// A note about what it is about in this log: an event is known by its id, wherever it stands here.
fn placed(
    view: &dyn View,
    mut note: Note,
    check: impl Fn(&whodunit_core::event::Event, &str) -> Result<(), String>,
) -> Result<Result<Note, String>, StoreError> {
    let event = match (&note.event_id, note.revision) {
        (Some(id), _) => match view.event_by_id(id)? {
            Some(event) => Some(event),
            None => return Ok(Err(format!("there is no event `{id}` in this log"))),
        },
        (None, Some(revision)) => match view.event_at_revision(&note.stream, revision)? {
            Some(event) => Some(event),
            None => {
                let stream = &note.stream;
                return Ok(Err(format!(
                    "there is no revision {revision} of stream `{stream}` in this log"
                )));
            }
        },
        (None, None) => None,
    };
    let Some(event) = event else {
        return Ok(match view.stream(&note.stream)? {
            Some(_) => Ok(note),
            None => Err(format!("there is no stream `{}` in this log", note.stream)),
        });
    };
    if let Err(reason) = check(&event, &note.text) {
        return Ok(Err(reason));
    }
    note.stream = event.stream;
    note.revision = Some(event.revision);
    note.event_id = Some(event.event_id);
    Ok(Ok(note))
}
