//! Import: records in, events and decisions out, and a report on every record.
//!
//! Owns the order and the bounds: lines are read one at a time, a bounded number of them shares a commit, and answers
//! are taken in order. A bad record is reported with its line and does not stop the rest, unless asked to. Importing the
//! same file again adds nothing: event ids and command ids tell.
//!
//! Events go in in the order of the file. One that says its revision gets exactly that one or is refused; a decision goes
//! in only with its own events. So into an empty log our own export comes back as it was, and a damaged one as far as it
//! is whole.

mod decisions;
mod extent;
mod ids;
mod lines;
mod notes;
mod partial;
mod pending;
mod preview;
mod record;
mod redacted;
mod report;
mod texts;

use std::collections::HashSet;
use std::sync::Arc;

use whodunit_core::api::write::{ImportReport, RuleCount};
use whodunit_core::ids::StreamName;
use whodunit_core::mapping::Mapping;
use whodunit_core::transfer::format::{
    SNIFFED_BYTES, document_around_a_list, foreign, long_document,
};

use crate::daemon::Parts;
use crate::limits::{IMPORT_LINE_BYTES_MAX, READ_ASIDE_FROM_BYTES};
use crate::projections::Held;
use crate::store::{StoreError, blocking_here};
use extent::Extent;
use ids::RecentIds;
use lines::{Line, Lines};
use partial::Parted;
use pending::{Flight, Gathered};
use preview::Preview;
use record::{BadRecord, Record};
pub(crate) use redacted::HINT as REDACTED_HINT;
use report::Report;

/// How an import is done.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, as its caller writes it"
)]
pub(crate) struct Options {
    /// Stop at the first bad record. Records that were on their way into the log by then stay in it.
    pub(crate) strict: bool,
    /// Take redacted records into a log that holds other history, which becomes a redacted copy.
    pub(crate) allow_redacted: bool,
    /// Give events that cannot keep their revision the next one, and keep theirs in the metadata.
    pub(crate) renumber: bool,
    /// Import nothing, and tell what would be.
    pub(crate) dry_run: bool,
}

/// Why an import cannot go on. What was acknowledged before is in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the daemon is shutting down")]
    Stopping,
    /// The file is of another format; the sentence says which, and what to do.
    #[error("{0}")]
    Format(String),
    /// A redacted export, and the log holds other history.
    #[error("the file {}", redacted::REFUSED)]
    Redacted,
}

/// An import under way.
pub(crate) struct Importer {
    parts: Arc<Parts>,
    options: Options,
    mapping: Option<Mapping>,
    /// The first bytes of the file, until there are enough of them to tell what it is.
    first: Option<Vec<u8>>,
    lines: Lines,
    line: u64,
    report: Report,
    recent: RecentIds,
    /// What the file is if its first line turns out to be too long.
    begins_as_document: Option<String>,
    /// How much the file says there is of it.
    extent: Extent,
    /// Streams of which an event was refused.
    holed: HashSet<StreamName>,
    /// Streams that begin with events of an export of a part.
    parted: Parted,
    preview: Preview,
    /// Records on their way to the store.
    gathered: Gathered,
    /// Those that it has.
    flight: Option<Flight>,
    /// Projections wait while records go in.
    held: Option<Held>,
}

impl Importer {
    /// Begins an import of our own lines, or of records that a mapping reads.
    pub(crate) fn begin(parts: &Arc<Parts>, options: Options, mapping: Option<Mapping>) -> Self {
        let rules = mapping.iter().flat_map(Mapping::rules);
        let rules = rules.map(|rule| RuleCount {
            rule: rule.to_owned(),
            ..RuleCount::default()
        });
        let mut report = Report::default();
        report.out.rules = rules.collect();
        report.out.dry_run = options.dry_run;
        report.lists = mapping.as_ref().map(lists).unwrap_or_default();
        Self {
            report,
            parts: Arc::clone(parts),
            options,
            mapping,
            first: Some(Vec::new()),
            lines: Lines::default(),
            line: 0,
            recent: RecentIds::default(),
            begins_as_document: None,
            extent: Extent::default(),
            holed: HashSet::new(),
            parted: Parted::default(),
            preview: Preview::default(),
            gathered: Gathered::default(),
            flight: None,
            held: None,
        }
    }

    /// Takes the next bytes of the file. Once stopped, they are not looked at.
    pub(crate) async fn feed(&mut self, bytes: &[u8]) -> Result<(), ImportFailure> {
        match &mut self.first {
            None => self.feed_lines(bytes).await,
            Some(first) => {
                first.extend_from_slice(bytes);
                if first.len() < SNIFFED_BYTES {
                    return Ok(());
                }
                self.begin_lines(false).await
            }
        }
    }

    /// Looks at the first bytes of the file, and takes its lines if it is one of records.
    async fn begin_lines(&mut self, whole: bool) -> Result<(), ImportFailure> {
        let first = self.first.take().unwrap_or_default();
        if let Some(said) = foreign(&first, whole) {
            return Err(ImportFailure::Format(said));
        }
        self.begins_as_document = long_document(
            first
                .get(..SNIFFED_BYTES.min(first.len()))
                .unwrap_or_default(),
        );
        self.feed_lines(&first).await
    }

    async fn feed_lines(&mut self, mut bytes: &[u8]) -> Result<(), ImportFailure> {
        while !bytes.is_empty() && !self.report.out.stopped {
            let (line, rest) = self.lines.next_line(bytes);
            bytes = rest;
            if let Some(line) = line {
                self.take_line(line).await?;
            }
        }
        Ok(())
    }

    /// Takes the end of the file: waits for everything in flight.
    pub(crate) async fn finish(mut self) -> Result<ImportReport, ImportFailure> {
        if self.first.is_some() {
            self.begin_lines(true).await?;
        }
        if !self.report.out.stopped
            && let Some(line) = self.lines.end()
        {
            self.take_line(line).await?;
        }
        self.await_all().await?;
        let mut report = self.report.done();
        if !report.stopped {
            let found = self.extent.done();
            report.missing = found.missing;
            report.incomplete = found.incomplete;
            report.changed = found.changed;
        }
        report.redacted_copy = self.parts.store.is_redacted_copy();
        report.head = self.parts.store.head().borrow().position.0;
        Ok(report)
    }

    async fn take_line(&mut self, line: Line) -> Result<(), ImportFailure> {
        if self.parts.stopping.is_cancelled() {
            return Err(ImportFailure::Stopping);
        }
        self.line += 1;
        let number = self.line;
        let text = match line {
            Line::TooLong => {
                if let Some(said) = self.begins_as_document.take().filter(|_| number == 1) {
                    return Err(ImportFailure::Format(said));
                }
                self.report.out.read += 1;
                self.extent.record(&[]);
                self.extent.unread();
                let reason = format!("is longer than {IMPORT_LINE_BYTES_MAX} bytes");
                self.bad(number, None, reason);
                return Ok(());
            }
            Line::Text(text) if text.iter().all(u8::is_ascii_whitespace) => return Ok(()),
            Line::Text(text) => text,
        };
        let record = self.record(&text);
        let useless = matches!(record, Err(_) | Ok(Record::Skipped(None)));
        if useless
            && self.report.out.read == 0
            && let Ok(document) = whodunit_core::mapping::record(&text)
            && let Some(said) = document_around_a_list(&text, &document)
        {
            return Err(ImportFailure::Format(said));
        }
        match record {
            Ok(Record::Header(header)) => return self.header(header, &text).await,
            Ok(Record::End(end)) => {
                self.partial_end(&end);
                self.extent.end(&end);
                return Ok(());
            }
            _ => {}
        }
        self.report.out.read += 1;
        self.extent.record(&text);
        match &record {
            Ok(record) => self.extent.content(record),
            Err(_bad) => self.extent.unread(),
        }
        let is_redacted = record.as_ref().is_ok_and(Record::is_redacted);
        if is_redacted && !self.may_be_redacted().await? {
            let reason = format!("{}; {}", redacted::REFUSED, redacted::HINT);
            self.bad(number, None, reason);
            return Ok(());
        }
        match record {
            Ok(Record::Header(_) | Record::End(_)) => {}
            Ok(Record::Part) => self.report.out.parts += 1,
            Err(bad) => self.bad(number, bad.rule, bad.reason),
            Ok(Record::Skipped(rule)) => self.report.skipped(rule),
            Ok(Record::Event(event)) => {
                self.report.unused(&event.unused);
                self.event(number, *event, text.len()).await?;
            }
            Ok(Record::Decision(decision)) => self.decision(number, *decision, text.len()).await?,
            Ok(Record::Note(note)) => self.note(number, *note).await?,
        }
        Ok(())
    }

    /// Reads a line; a long one where that holds up no request.
    fn record(&self, text: &[u8]) -> Result<Record, BadRecord> {
        let read = || match &self.mapping {
            Some(mapping) => record::mapped(text, mapping),
            None => record::export_line(text, &self.parts.models),
        };
        if text.len() < READ_ASIDE_FROM_BYTES {
            read()
        } else {
            blocking_here(read)
        }
    }

    /// Reports a record that cannot be imported.
    fn bad(&mut self, line: u64, rule: Option<usize>, reason: String) {
        self.report.failed(line, reason);
        self.report.out.stopped |= self.options.strict;
        if let Some(rule) = rule.and_then(|rule| self.report.out.rules.get_mut(rule)) {
            rule.failed += 1;
        }
    }
}

/// The lists that each rule of a mapping looks at single elements of.
fn lists(mapping: &Mapping) -> Vec<Vec<String>> {
    let rules = 0..mapping.rules().count();
    rules
        .map(|rule| mapping.lists(rule).map(str::to_owned).collect())
        .collect()
}
