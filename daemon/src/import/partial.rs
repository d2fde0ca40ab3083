//! Import of an export that is of a part of a log: its streams may miss events, and say so.
//!
//! Owns where such a hole is taken: only in a stream of which this log has nothing but what such an export brought. Everywhere else a history
//! is not closed up over a hole, unless the request asks for it (`renumber`).

use std::collections::HashSet;

use whodunit_core::api::write::PartialImport;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::transfer::{ExportEnd, ExportHeader};

use super::Importer;
use super::pending::Origin;
use crate::limits::IMPORT_STREAMS_NAMED_MAX;
use crate::store::AppendError;

/// Streams that begin with events of an export of a part.
#[derive(Debug, Default)]
pub(super) struct Parted(HashSet<StreamName>);

impl Parted {
    pub(super) fn has(&self, stream: &StreamName) -> bool {
        self.0.contains(stream)
    }

    pub(super) fn begin(&mut self, stream: &StreamName) {
        if !self.has(stream) {
            self.0.insert(stream.clone());
        }
    }
}

impl Importer {
    /// Notes of which part of a log an export is.
    pub(super) fn partial_header(&mut self, header: &ExportHeader) {
        let partial = &mut self.report.out.partial;
        if let Some(part) = &header.partial
            && partial.len() < IMPORT_STREAMS_NAMED_MAX
        {
            partial.push(PartialImport {
                query: part.query.clone(),
                of_events: part.of_events,
                of_decisions: part.of_decisions,
                undecided: 0,
            });
        }
    }

    /// Notes what an export says at its end of what it left out.
    pub(super) fn partial_end(&mut self, end: &ExportEnd) {
        self.report.out.notes_unreadable += end.notes_unreadable;
        if self.extent.is_partial()
            && let Some(part) = self.report.out.partial.last_mut()
        {
            part.undecided += end.undecided;
        }
    }

    /// Whether an event that the log refused may have the next revision instead of its own.
    pub(super) fn may_renumber(
        &self,
        stream: &StreamName,
        origin: &Origin,
        error: &AppendError,
    ) -> bool {
        let of_part = |is_begun: bool| origin.partial && (is_begun || self.parted.has(stream));
        match error {
            AppendError::WrongRevision { actual, .. } => {
                self.options.renumber || of_part(*actual == Revision::ZERO)
            }
            // It may be here already, with its own revision in its metadata.
            AppendError::EventIdConflict { .. } => self.options.renumber || of_part(true),
            _ => false,
        }
    }

    /// Notes that a stream begins with, or has, an event of an export of a part.
    pub(super) fn begins_parted(
        &mut self,
        stream: &StreamName,
        origin: &Origin,
        event: Option<&Event>,
    ) {
        let is_first = || event.is_some_and(|event| event.revision == Revision(1));
        let is_moved = || event.map(|event| event.revision) != origin.revision;
        if origin.partial && (is_first() || is_moved()) {
            self.parted.begin(stream);
        }
    }
}
