//! The lines of an incident file, with a first and a last one that say how many there are.

use super::{BUNDLE_FORMAT, Incident, ScenarioText};
use crate::branch::Branch;
use crate::command::Decision;
use crate::event::Event;
use crate::note::Note;
use crate::shown::Shown;
use crate::transfer::{
    BundleHeader, DecisionIds, ExportEnd, ExportHeader, LinesDigest, Part, PartialExport,
    decision_line, end_line, header_line, note_line, part_line,
};

/// A record of the log, in its order.
pub enum BundleRecord {
    /// An event, as it may be shown.
    Event(Shown<Event>),
    /// A decision, as it may be shown, and which events tell its place.
    Decision(Box<Shown<Decision>>, DecisionIds),
}

/// Writes an incident file.
///
/// # Errors
/// That something could not be written as JSON.
pub fn write(
    incident: Incident,
    records: &[BundleRecord],
    notes: &[Note],
    (branches, scenarios): (Vec<Branch>, Vec<ScenarioText>),
) -> Result<Vec<u8>, serde_json::Error> {
    let log = incident.log.clone();
    let is_event = |record: &&BundleRecord| matches!(record, BundleRecord::Event(_));
    let events = records.iter().filter(is_event).count() as u64;
    let decisions = records.len() as u64 - events;
    let (notes_count, query) = (notes.len() as u64, asked(&incident));
    let mut parts = vec![Part::Incident(Box::new(incident))];
    parts.extend(branches.into_iter().map(Box::new).map(Part::Branch));
    parts.extend(scenarios.into_iter().map(Part::Scenario));
    let header = ExportHeader {
        redacted: true,
        events: Some(events),
        decisions: Some(decisions),
        store_id: Some(log.store_id),
        notes: (notes_count > 0).then_some(notes_count),
        partial: Some(PartialExport {
            query,
            of_events: log.position.0,
            of_decisions: log.decision,
        }),
        bundle: Some(BundleHeader {
            format: BUNDLE_FORMAT,
            parts: parts.len() as u64,
        }),
    };
    let mut out = Vec::new();
    header_line(&mut out, header)?;
    out.push(b'\n');
    let parts_count = parts.len() as u64;
    let mut parts = parts.iter();
    // What happened stands first: it is what a reader looks for.
    if let Some(incident) = parts.next() {
        part_line(&mut out, incident)?;
        out.push(b'\n');
    }
    for record in records {
        match record {
            BundleRecord::Event(event) => serde_json::to_writer(&mut out, event)?,
            BundleRecord::Decision(decision, ids) => decision_line(&mut out, decision, ids)?,
        }
        out.push(b'\n');
    }
    for note in notes {
        note_line(&mut out, note)?;
        out.push(b'\n');
    }
    for part in parts {
        part_line(&mut out, part)?;
        out.push(b'\n');
    }
    let mut digest = LinesDigest::default();
    digest.lines(&out);
    let end = ExportEnd {
        events,
        decisions,
        notes: notes_count,
        parts: parts_count,
        sha256: digest.hex(),
        ..ExportEnd::default()
    };
    end_line(&mut out, end)?;
    out.push(b'\n');
    Ok(out)
}

/// What the file is of, as its first line says it.
fn asked(incident: &Incident) -> String {
    let asked = &incident.asked;
    match (&asked.around, &asked.correlation, &asked.stream) {
        (Some(id), ..) => format!("incident around {id}"),
        (_, Some(id), _) => format!("incident of correlation {id}"),
        (.., Some(stream)) => format!("incident of stream {stream}"),
        _ => "incident".to_owned(),
    }
}
