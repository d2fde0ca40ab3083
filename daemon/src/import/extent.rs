//! How much an export says there is of it, and how much there was.
//!
//! Owns the comparison of an export's first and last line with the lines between them, and of the head's hash with what they say. A file may hold several exports, one
//! after another; one of another tool has neither line, and says nothing.

use whodunit_core::transfer::{ExportEnd, ExportHeader, LinesDigest};

use super::record::Record;
use crate::store::chain::Chain;

/// What was read so far of the file.
#[derive(Debug, Default)]
pub(super) struct Extent {
    /// What the first line of the export under way says.
    header: Option<ExportHeader>,
    /// Records since then, or since the beginning of the file.
    read: u64,
    digest: LinesDigest,
    /// The chain of the records since then; `None` once one of them says too little.
    chain: Option<Chain>,
    found: Found,
}

/// What is known of the whole file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Records that it says it has and that did not come.
    pub(super) missing: u64,
    /// Whether it lacks something that an export has.
    pub(super) incomplete: bool,
    /// Whether the lines of an export are not those that were written.
    pub(super) changed: bool,
}

impl Extent {
    /// A record, or what stands in place of one.
    pub(super) fn record(&mut self, line: &[u8]) {
        self.read += 1;
        self.digest.line(line);
    }

    /// What a record says.
    pub(super) fn content(&mut self, record: &Record) {
        if matches!(record, Record::Note(_) | Record::Part) {
            // Notes are no part of the log.
            return;
        }
        let said = match (&mut self.chain, record) {
            (Some(chain), Record::Event(event)) => event.recorded().map(|event| chain.event(event)),
            (Some(chain), Record::Decision(line)) if line.redacted.is_empty() => {
                chain.decision(&line.decision);
                Some(())
            }
            _ => None,
        };
        if said.is_none() {
            self.chain = None;
        }
    }

    /// A record of which nothing is known.
    pub(super) fn unread(&mut self) {
        self.chain = None;
    }

    /// The first line of an export.
    pub(super) fn header(&mut self, header: ExportHeader, line: &[u8]) {
        self.cut_short();
        self.begin(Some(header));
        self.digest.line(line);
    }

    /// The last line of an export.
    pub(super) fn end(&mut self, end: &ExportEnd) {
        // Without its first line it lost its beginning: what there is to be compared may begin anywhere.
        let whole = self.header.is_some();
        self.found.incomplete |= !whole;
        let same = self.read == end.records() && self.digest.hex() == end.sha256;
        let chained = match (&self.chain, &end.head_hash) {
            (Some(chain), Some(said)) => chain.head_hash().to_string() == *said,
            _ => true,
        };
        self.found.changed |= whole && !(same && chained);
        let promised = self.promised().unwrap_or(0);
        self.compare(promised.max(end.records()));
        self.begin(None);
    }

    /// Whether the export under way is of a part of a log.
    pub(super) fn is_partial(&self) -> bool {
        let header = self.header.as_ref();
        header.is_some_and(|header| header.partial.is_some())
    }

    /// The end of the file.
    pub(super) fn done(mut self) -> Found {
        self.cut_short();
        self.found
    }

    fn begin(&mut self, header: Option<ExportHeader>) {
        self.chain = header
            .as_ref()
            .is_some_and(|header| !header.redacted)
            .then_some(Chain::START);
        self.header = header;
        self.read = 0;
        self.digest = LinesDigest::default();
    }

    /// An export whose last line did not come.
    fn cut_short(&mut self) {
        if self.header.is_some() {
            self.found.incomplete = true;
            self.compare(self.promised().unwrap_or(0));
        }
    }

    fn promised(&self) -> Option<u64> {
        self.header.as_ref()?.records()
    }

    fn compare(&mut self, promised: u64) {
        let missing = promised.saturating_sub(self.read);
        self.found.missing += missing;
        self.found.incomplete |= missing > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    /// How many records are missing, whether it ends early, and whether it was changed.
    type Found = (u64, bool, bool);

    /// A file: exports with so many records announced, there, and counted at the end.
    #[derive(Clone, Copy)]
    enum Step {
        Header(Option<u64>),
        Records(u64),
        End(u64),
    }
    use Step::{End, Header, Records};

    /// What is found, where the digests are those of these records.
    fn found(steps: &[Step], written: u64) -> Found {
        let mut extent = Extent::default();
        let mut digest = LinesDigest::default();
        digest.line(b"header");
        (0..written).for_each(|_| digest.line(b"record"));
        for step in steps {
            match *step {
                Header(events) => {
                    let header = ExportHeader {
                        redacted: false,
                        events,
                        decisions: events.map(|_| 0),
                        ..ExportHeader::default()
                    };
                    extent.header(header, b"header");
                }
                Records(count) => (0..count).for_each(|_| extent.record(b"record")),
                End(events) => extent.end(&ExportEnd {
                    events,
                    sha256: digest.hex(),
                    ..ExportEnd::default()
                }),
            }
        }
        let found = extent.done();
        (found.missing, found.incomplete, found.changed)
    }

    #[test]
    fn what_is_missing_is_known_by_the_first_and_the_last_line() {
        let cases: [(&[Step], Found); 13] = [
            (&[], (0, false, false)),
            (&[Records(3)], (0, false, false)),
            (&[Header(Some(3)), Records(3), End(3)], (0, false, false)),
            (&[Header(None), Records(3), End(3)], (0, false, false)),
            (&[Header(Some(3)), Records(3)], (0, true, false)),
            (&[Header(Some(3)), Records(1)], (2, true, false)),
            (&[Header(None), Records(1)], (0, true, false)),
            (&[Header(Some(3)), Records(2), End(3)], (1, true, true)),
            (&[Header(None), Records(2), End(3)], (1, true, true)),
            (&[Header(Some(3)), Records(4), End(3)], (0, false, true)),
            (&[Records(3), End(3)], (0, true, false)),
            (&[Records(2), End(3)], (1, true, false)),
            (
                &[
                    Header(Some(3)),
                    Records(2),
                    Header(None),
                    Records(3),
                    End(3),
                ],
                (1, true, false),
            ),
        ];
        for (n, (steps, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found(steps, 3), expected, "case {n}");
        }
    }
}
