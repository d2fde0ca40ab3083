//! Import: records in, events and decisions out, and a report on every record.
//!
//! Owns the order and the bounds: lines are read one at a time, a bounded number of them waits for its commit, and results
//! are taken in order. A bad record is reported with its line and does not stop the rest, unless asked to. Importing the
//! same file again adds nothing: event ids and command ids tell.
//!
//! Into an empty log our own export comes back as it was, positions and revisions included. Into a log that has events
//! already, both are assigned anew, and decisions move along.

mod lines;
mod record;
mod shift;
mod write;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use whodunit_core::api::write::{ImportError, ImportReport, RuleCount};
use whodunit_core::ids::StreamName;
use whodunit_core::mapping::Mapping;

use crate::daemon::Parts;
use crate::limits::{IMPORT_ERRORS_MAX, IMPORT_LINE_BYTES_MAX};
use crate::store::StoreError;
use lines::{Line, Lines};
use record::Record;
use shift::Shift;
use write::Flight;

/// How an import is done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Stop at the first bad record. Records that were on their way into the log by then stay in it.
    pub(crate) strict: bool,
    /// Take records whose secrets were redacted on export.
    pub(crate) allow_redacted: bool,
}

/// Why an import cannot go on. What was acknowledged before is in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the daemon is shutting down")]
    Stopping,
}

/// An import under way.
pub(crate) struct Importer {
    parts: Arc<Parts>,
    options: Options,
    mapping: Option<Mapping>,
    lines: Lines,
    line: u64,
    report: ImportReport,
    /// Whether lines get the places that they name: as long as the log holds nothing but this import.
    restoring: bool,
    /// The next free position, once everything under way has landed.
    next_position: u64,
    shift: Shift,
    flights: VecDeque<Flight>,
    flying_bytes: usize,
    /// Streams with a model that have an event under way: the next one has to wait for it.
    flying_streams: HashSet<StreamName>,
}

impl Importer {
    /// Begins an import of our own lines, or of records that a mapping reads.
    pub(crate) fn begin(parts: &Arc<Parts>, options: Options, mapping: Option<Mapping>) -> Self {
        let head = *parts.store.head().borrow();
        let rules = mapping.iter().flat_map(Mapping::rules);
        let rules = rules.map(|rule| RuleCount {
            rule: rule.to_owned(),
            records: 0,
        });
        Self {
            report: ImportReport {
                rules: rules.collect(),
                ..ImportReport::default()
            },
            parts: Arc::clone(parts),
            options,
            mapping,
            lines: Lines::default(),
            line: 0,
            restoring: head == crate::store::Head::default(),
            next_position: head.position.0 + 1,
            shift: Shift::default(),
            flights: VecDeque::new(),
            flying_bytes: 0,
            flying_streams: HashSet::new(),
        }
    }

    /// Takes the next bytes of the file. Once stopped, they are not looked at.
    pub(crate) async fn feed(&mut self, mut bytes: &[u8]) -> Result<(), ImportFailure> {
        while !bytes.is_empty() && !self.report.stopped {
            let (line, rest) = self.lines.take(bytes);
            bytes = rest;
            if let Some(line) = line {
                self.take(line).await?;
            }
        }
        Ok(())
    }

    /// Takes the end of the file: waits for everything under way.
    pub(crate) async fn finish(mut self) -> Result<ImportReport, ImportFailure> {
        if !self.report.stopped
            && let Some(line) = self.lines.end()
        {
            self.take(line).await?;
        }
        self.land_all().await?;
        self.report.head = self.parts.store.head().borrow().position.0;
        Ok(self.report)
    }

    async fn take(&mut self, line: Line) -> Result<(), ImportFailure> {
        if self.parts.stopping.is_cancelled() {
            return Err(ImportFailure::Stopping);
        }
        self.line += 1;
        let number = self.line;
        let text = match line {
            Line::TooLong => {
                self.report.read += 1;
                self.bad(
                    number,
                    format!("is longer than {IMPORT_LINE_BYTES_MAX} bytes"),
                );
                return Ok(());
            }
            Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Text(text) => text,
        };
        self.report.read += 1;
        let record = match &self.mapping {
            Some(mapping) => record::mapped(&text, mapping),
            None => record::own(&text, &self.parts.models, self.options.allow_redacted),
        };
        match record {
            Err(reason) => self.bad(number, reason),
            Ok(Record::Skipped) => self.report.skipped += 1,
            Ok(Record::Event(event)) => self.event(number, *event, text.len()).await?,
            Ok(Record::Decision(decision)) => self.decision(number, *decision, text.len()).await?,
        }
        Ok(())
    }

    /// Reports a record that cannot be imported.
    fn bad(&mut self, line: u64, reason: String) {
        self.report.failed += 1;
        self.report.stopped |= self.options.strict;
        if self.report.errors.len() < IMPORT_ERRORS_MAX {
            self.report.errors.push(ImportError { line, reason });
        }
    }
}
