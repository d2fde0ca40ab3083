//! What was salvaged, as the lines of an export: with the positions and revisions that were recorded, so that an import sees
//! every hole.

use std::io::{self, Write};

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::model::Models;
use whodunit_core::note::Note;
use whodunit_core::shown::Reveal;
use whodunit_core::transfer::{
    DecisionIds, ExportEnd, ExportHeader, LinesDigest, decision_line, end_line, header_line,
    note_line,
};

use super::records::Records;
use super::survey::Survey;
use super::{NAMED_MAX, Salvaged};

/// Writes the lines, and counts them.
pub(super) fn export(
    (records, notes, notes_unreadable): (&Records, &[Note], u64),
    survey: &Survey,
    salvaged: &mut Salvaged,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<()> {
    let mut lines = Lines {
        out,
        digest: LinesDigest::default(),
        line: Vec::new(),
        models: Models::default(),
        // The whole store is in the hands of the program that runs here.
        reveal: Reveal::asked(true, || {}),
    };
    header_line(
        &mut lines.line,
        ExportHeader {
            redacted: salvaged.redacted_copy,
            events: Some(salvaged.expected_events),
            decisions: Some(salvaged.expected_decisions),
            store_id: Some(salvaged.store_id.clone()),
            notes: (!notes.is_empty()).then_some(notes.len() as u64),
            ..ExportHeader::default()
        },
    )?;
    lines.end_of_line()?;
    let mut sequence = 1;
    let mut writing = Writing {
        records,
        survey,
        salvaged,
    };
    let events = writing.salvaged.expected_events;
    for position in 1..=events {
        if position % 1024 == 0 {
            progress(position, events);
        }
        sequence = writing.decisions(&mut lines, sequence, Some(position))?;
        if survey.events.has(position)
            && let Some(event) = records.event(position)
        {
            let event = lines.reveal.show(&lines.models, event);
            serde_json::to_writer(&mut lines.line, &event)?;
            lines.end_of_line()?;
            writing.salvaged.events += 1;
        }
    }
    writing.decisions(&mut lines, sequence, None)?;
    for note in notes {
        note_line(&mut lines.line, note)?;
        lines.end_of_line()?;
    }
    let end = ExportEnd {
        events: salvaged.events,
        decisions: salvaged.decisions,
        sha256: lines.digest.hex(),
        notes: notes.len() as u64,
        notes_unreadable,
        ..ExportEnd::default()
    };
    end_line(&mut lines.line, end)?;
    lines.end_of_line()?;
    lines.out.flush()
}

/// Lines on their way.
struct Lines<'a> {
    out: &'a mut dyn Write,
    digest: LinesDigest,
    line: Vec<u8>,
    models: Models,
    reveal: Reveal,
}

impl Lines<'_> {
    fn end_of_line(&mut self) -> io::Result<()> {
        self.digest.line(&self.line);
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }
}

struct Writing<'a> {
    records: &'a Records,
    survey: &'a Survey,
    salvaged: &'a mut Salvaged,
}

impl Writing<'_> {
    /// Writes the decisions that stand before a position, or all that are left; the next one.
    fn decisions(
        &mut self,
        lines: &mut Lines<'_>,
        mut sequence: u64,
        before: Option<u64>,
    ) -> io::Result<u64> {
        while sequence <= self.salvaged.expected_decisions {
            let found = self.survey.decisions.has(sequence);
            if let Some(decision) = found.then(|| self.records.decision(sequence)).flatten() {
                if before.is_some_and(|before| decision.place().0 >= before) {
                    break;
                }
                self.decision(lines, decision)?;
            }
            sequence += 1;
        }
        Ok(sequence)
    }

    fn decision(&mut self, lines: &mut Lines<'_>, decision: Decision) -> io::Result<()> {
        let (ids, whole) = self.ids(&decision);
        if !whole {
            let without = &mut self.salvaged.decisions_without_events;
            if without.len() < NAMED_MAX {
                without.push(decision.sequence);
            } else {
                self.salvaged.more_decisions_without_events += 1;
            }
        }
        let decision = lines.reveal.show(&lines.models, decision);
        decision_line(&mut lines.line, &decision, &ids)?;
        lines.end_of_line()?;
        self.salvaged.decisions += 1;
        Ok(())
    }

    /// Which events tell a decision's place, and whether all of them are there.
    fn ids(&self, decision: &Decision) -> (DecisionIds, bool) {
        if let Outcome::Accepted {
            revision, events, ..
        } = decision.result
            && events > 0
        {
            let first = (revision.0 + 1).saturating_sub(u64::from(events));
            let ids: Vec<_> = (first..=revision.0)
                .map(|revision| self.id_at_revision(&decision.stream, Revision(revision)))
                .collect();
            let whole = ids.iter().all(Result::is_ok);
            let event_ids = ids.into_iter().map(|id| id.unwrap_or_else(|lost| lost));
            return (
                DecisionIds::Events {
                    event_ids: event_ids.collect(),
                },
                whole,
            );
        }
        let base = decision.base_position.0;
        let of_log = (base > 0).then(|| self.id_at(base));
        let of_stream = (decision.base_revision.0 > 0)
            .then(|| self.id_at_revision(&decision.stream, decision.base_revision));
        let whole = |id: &Option<Result<String, String>>| !matches!(id, Some(Err(_)));
        let is_whole = whole(&of_log) && whole(&of_stream);
        let text = |id: Option<Result<String, String>>| id.map(|id| id.unwrap_or_else(|lost| lost));
        (
            DecisionIds::After {
                base_event_id: text(of_log),
                base_stream_event_id: text(of_stream),
            },
            is_whole,
        )
    }

    /// The id of the event at a position, or words in its place that are no id of any.
    fn id_at(&self, position: u64) -> Result<String, String> {
        let event = self.survey.events.has(position);
        let event = event.then(|| self.records.event(position)).flatten();
        event
            .map(|event| event.event_id)
            .ok_or_else(|| format!("lost: the event at position {position}"))
    }

    fn id_at_revision(&self, stream: &StreamName, revision: Revision) -> Result<String, String> {
        let index = usize::try_from(revision.0.saturating_sub(1)).unwrap_or(usize::MAX);
        let known = self.survey.revisions.get(stream);
        let position = known.and_then(|known| known.get(index)).copied();
        match position {
            Some(position @ 1..) => self.id_at(position),
            _ => Err(format!("lost: the event at revision {revision}")),
        }
    }
}
