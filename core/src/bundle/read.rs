//! Reading an incident file: whole, or not at all.

use super::{BUNDLE_BYTES_MAX, BUNDLE_FORMAT, Bundle, Incident};
use crate::counted::counted;
use crate::transfer::{ExportEnd, ExportHeader, Line, LinesDigest, Part};

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// It is something else.
    #[error("it is not an incident file: {0}")]
    Other(String),
    /// It is not what was written.
    #[error("the incident file is damaged: {0}")]
    Damaged(String),
}

/// Whether a file begins as an incident file does.
pub fn is_bundle(first: &[u8]) -> bool {
    let line = first.split(|byte| *byte == b'\n').next();
    let line = line.map(<[u8]>::trim_ascii_end).unwrap_or_default();
    matches!(Line::parse(line), Ok(Line::Header(header)) if header.bundle.is_some())
}

/// Reads an incident file, and compares it with what its first and last line say of it.
///
/// # Errors
/// That it is another file, or where it is damaged.
pub fn read(bytes: &[u8]) -> Result<Bundle, BadBundle> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        let mib = BUNDLE_BYTES_MAX >> 20;
        return Err(BadBundle::Other(format!("it is larger than {mib} MiB")));
    }
    if !is_bundle(bytes) {
        let said = "its first line does not say so; `whodunit bundle` writes one";
        return Err(BadBundle::Other(said.to_owned()));
    }
    let mut found = Found::default();
    for (number, line) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            continue;
        }
        if found.end.is_some() {
            return Err(damaged(number, "comes after the last one"));
        }
        let parsed = Line::parse(line).map_err(|error| damaged(number, &error.to_string()))?;
        if !matches!(parsed, Line::End(_)) {
            found.digest.line(line);
        }
        found.line(number, parsed)?;
    }
    found.done()
}

fn damaged(line: u64, what: &str) -> BadBundle {
    BadBundle::Damaged(format!("line {line} {what}"))
}

#[derive(Default)]
struct Found {
    header: Option<ExportHeader>,
    incident: Option<Incident>,
    bundle: Collected,
    parts: u64,
    digest: LinesDigest,
    end: Option<ExportEnd>,
}

#[derive(Default)]
struct Collected {
    events: Vec<crate::event::Event>,
    decisions: Vec<crate::command::Decision>,
    notes: Vec<crate::note::Note>,
    branches: Vec<crate::branch::Branch>,
    scenarios: Vec<super::ScenarioText>,
}

impl Found {
    fn line(&mut self, number: u64, line: Line) -> Result<(), BadBundle> {
        let all = &mut self.bundle;
        match line {
            Line::Header(_) if self.header.is_some() => {
                return Err(damaged(number, "is a second first line"));
            }
            Line::Header(header) => {
                let format = header.bundle.map(|bundle| bundle.format);
                if format != Some(BUNDLE_FORMAT) {
                    let format = format.unwrap_or_default();
                    return Err(BadBundle::Other(format!(
                        "it is of format {format}, and this version reads format {BUNDLE_FORMAT}"
                    )));
                }
                self.header = Some(header);
            }
            Line::Event(event) => match event.recorded() {
                Some(event) => all.events.push(event),
                None => return Err(damaged(number, "lacks a part of its event")),
            },
            Line::Decision(line) => all.decisions.push(line.decision),
            Line::Note(note) => all.notes.push(*note),
            Line::Part(part) => {
                self.parts += 1;
                match *part {
                    Part::Incident(_) if self.incident.is_some() => {
                        return Err(damaged(number, "describes a second incident"));
                    }
                    Part::Incident(incident) => self.incident = Some(*incident),
                    Part::Branch(branch) => all.branches.push(*branch),
                    Part::Scenario(scenario) => all.scenarios.push(scenario),
                }
            }
            Line::End(end) => self.end = Some(end),
        }
        Ok(())
    }

    fn done(self) -> Result<Bundle, BadBundle> {
        let damaged = |what: &str| BadBundle::Damaged(what.to_owned());
        let header = self
            .header
            .ok_or_else(|| damaged("its first line is missing"))?;
        let end = self
            .end
            .ok_or_else(|| damaged("it was cut short: its last line is missing"))?;
        let all = self.bundle;
        let has = (
            all.events.len() as u64,
            all.decisions.len() as u64,
            all.notes.len() as u64,
            self.parts,
        );
        let said = (end.events, end.decisions, end.notes, end.parts);
        if has != said || header.records() != Some(end.records()) {
            return Err(BadBundle::Damaged(format!(
                "it has {} between its first and its last, but they say {}",
                counted(has.0 + has.1 + has.2 + has.3, "line"),
                end.records()
            )));
        }
        let sha256 = self.digest.hex();
        if sha256 != end.sha256 {
            return Err(damaged(
                "it was changed since it was written: its lines do not have the checksum that its last line says",
            ));
        }
        Ok(Bundle {
            incident: self
                .incident
                .ok_or_else(|| damaged("it does not describe an incident"))?,
            header,
            events: all.events,
            decisions: all.decisions,
            notes: all.notes,
            branches: all.branches,
            scenarios: all.scenarios,
            sha256,
        })
    }
}
