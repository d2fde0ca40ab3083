//! Report of an import.
//!
//! Owns the counting: equal errors together, streams by name, all of it bounded, with totals that are not.

use std::collections::HashMap;

use whodunit_core::api::write::{
    DroppedCount, ImportError, ImportReport, StreamCount, StreamCounts, UnusedField, UnusedFields,
};
use whodunit_core::ids::StreamName;
use whodunit_core::mapping::Unused;
use whodunit_core::time::Timestamp;

use super::texts::Cut;
use crate::limits::{
    IMPORT_ERROR_LINES_MAX, IMPORT_ERRORS_MAX, IMPORT_FIELDS_COUNTED_MAX, IMPORT_FIELDS_NAMED_MAX,
    IMPORT_STREAMS_COUNTED_MAX, IMPORT_STREAMS_NAMED_MAX,
};

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) out: ImportReport,
    /// Reason → its index in the report's errors.
    reasons: HashMap<String, usize>,
    /// For each rule of the mapping, the lists that it looks at single elements of.
    pub(super) lists: Vec<Vec<String>>,
    backwards: Streams,
    gaps: Streams,
    unused: Fields,
}

impl Report {
    /// A record that cannot be imported.
    pub(super) fn failed(&mut self, line: u64, reason: String) {
        self.out.failed += 1;
        let errors = &mut self.out.errors;
        let known = self.reasons.get(&reason).copied();
        if let Some(error) = known.and_then(|index| errors.get_mut(index)) {
            error.count += 1;
            if error.lines.len() < IMPORT_ERROR_LINES_MAX {
                error.lines.push(line);
            }
        } else if errors.len() < IMPORT_ERRORS_MAX {
            self.reasons.insert(reason.clone(), errors.len());
            errors.push(ImportError {
                line,
                reason,
                count: 1,
                lines: vec![line],
            });
        }
    }

    /// A record that makes nothing.
    pub(super) fn skipped(&mut self, rule: Option<usize>) {
        self.out.skipped += 1;
        match rule.and_then(|rule| self.out.rules.get_mut(rule)) {
            Some(rule) => rule.skipped += 1,
            None => self.out.unmatched += 1,
        }
    }

    /// What was cut in an event.
    pub(super) fn cut(&mut self, rule: Option<usize>, cut: Cut) {
        let (texts, times) = (u64::from(cut.texts), u64::from(cut.time));
        self.out.texts_cut += texts;
        self.out.times_cut += times;
        if let Some(rule) = rule.and_then(|rule| self.out.rules.get_mut(rule)) {
            rule.texts_cut += texts;
            rule.times_cut += times;
        }
    }

    /// An event dated after the daemon's clock.
    pub(super) fn future(&mut self, rule: Option<usize>, line: u64, at: Timestamp) {
        let future = &mut self.out.future;
        future.records += 1;
        if future.lines.len() < IMPORT_ERROR_LINES_MAX {
            future.lines.push(line);
        }
        future.latest = future.latest.max(Some(at));
        if let Some(rule) = rule.and_then(|rule| self.out.rules.get_mut(rule)) {
            rule.future += 1;
        }
    }

    /// A record of which a rule left elements of a list out.
    pub(super) fn dropped(&mut self, rule: usize, list: usize, elements: usize) {
        let name = self.lists.get(rule).and_then(|lists| lists.get(list));
        let (Some(name), Some(rule)) = (name, self.out.rules.get_mut(rule)) else {
            return;
        };
        let elements = elements as u64;
        match rule.dropped.iter_mut().find(|known| known.list == *name) {
            Some(known) => {
                known.records += 1;
                known.elements += elements;
            }
            None => rule.dropped.push(DroppedCount {
                list: name.clone(),
                records: 1,
                elements,
            }),
        }
    }

    /// An event that was recorded before one that stands before it in its stream.
    pub(super) fn backwards(&mut self, stream: &StreamName, line: u64) {
        self.backwards.count(stream, line);
    }

    /// An event that could not keep its revision.
    pub(super) fn gap(&mut self, stream: &StreamName, line: u64) {
        self.gaps.count(stream, line);
    }

    /// Fields of a record that its rule does not use.
    pub(super) fn unused(&mut self, unused: &Unused) {
        self.unused.count(unused);
    }

    /// The report, at the end.
    pub(super) fn done(mut self) -> ImportReport {
        // Refusals of the log come in later than those of the reading.
        for error in &mut self.out.errors {
            error.lines.sort_unstable();
            error.line = error.lines.first().copied().unwrap_or(error.line);
        }
        self.out.errors.sort_by_key(|error| error.line);
        self.out.backwards = self.backwards.done();
        self.out.gaps = self.gaps.done();
        self.out.unused = self.unused.done();
        self.out
    }
}

/// Counts by stream.
#[derive(Debug, Default)]
struct Streams {
    records: u64,
    more: bool,
    /// Stream → its place in the order of their first lines, that line, and how many records.
    counts: HashMap<StreamName, (usize, u64, u64)>,
}

impl Streams {
    fn count(&mut self, stream: &StreamName, line: u64) {
        self.records += 1;
        let next = self.counts.len();
        if let Some((_, _, records)) = self.counts.get_mut(stream) {
            *records += 1;
        } else if next < IMPORT_STREAMS_COUNTED_MAX {
            self.counts.insert(stream.clone(), (next, line, 1));
        } else {
            self.more = true;
        }
    }

    fn done(self) -> StreamCounts {
        let streams = self.counts.len() as u64;
        let mut first: Vec<_> = self
            .counts
            .into_iter()
            .filter(|(_, (place, ..))| *place < IMPORT_STREAMS_NAMED_MAX)
            .collect();
        first.sort_by_key(|(_, (place, ..))| *place);
        let first = first.into_iter().map(|(stream, (_, line, records))| {
            let stream = stream.into();
            StreamCount {
                stream,
                line,
                records,
            }
        });
        StreamCounts {
            records: self.records,
            streams,
            more: self.more,
            first: first.collect(),
        }
    }
}

/// Counts by field.
#[derive(Debug, Default)]
struct Fields {
    more: bool,
    counts: HashMap<String, u64>,
}

impl Fields {
    fn count(&mut self, unused: &Unused) {
        self.more |= unused.more;
        for path in &unused.paths {
            if let Some(records) = self.counts.get_mut(path) {
                *records += 1;
            } else if self.counts.len() < IMPORT_FIELDS_COUNTED_MAX {
                self.counts.insert(path.clone(), 1);
            } else {
                self.more = true;
            }
        }
    }

    fn done(self) -> UnusedFields {
        let fields = self.counts.len() as u64;
        let counts = self.counts.into_iter();
        let mut first: Vec<_> = counts
            .map(|(path, records)| UnusedField { path, records })
            .collect();
        first.sort_by(|a, b| (b.records, &a.path).cmp(&(a.records, &b.path)));
        first.truncate(IMPORT_FIELDS_NAMED_MAX);
        UnusedFields {
            fields,
            more: self.more,
            first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_errors_are_one_with_a_count_and_their_first_lines() {
        let mut report = Report::default();
        for line in 1..=50 {
            report.failed(line, format!("reason {}", line % 2));
        }
        for line in (52..=301).rev() {
            report.failed(line, format!("other {line}"));
        }
        let report = report.done();
        assert!(report.errors.is_sorted_by_key(|error| error.line));
        assert_eq!(report.failed, 300);
        assert_eq!(report.errors.len(), IMPORT_ERRORS_MAX);
        let first = &report.errors[0];
        assert_eq!((first.line, first.count), (1, 25));
        assert_eq!(first.lines, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    }

    #[test]
    fn streams_are_named_in_the_order_of_their_lines_and_all_are_counted() {
        let mut report = Report::default();
        for line in 1..=100 {
            let stream = StreamName::new(format!("s-{}", line % 30)).unwrap();
            report.backwards(&stream, line);
        }
        let counts = report.done().backwards;
        assert_eq!(
            (counts.records, counts.streams, counts.more),
            (100, 30, false)
        );
        assert_eq!(counts.first.len(), IMPORT_STREAMS_NAMED_MAX);
        let first = &counts.first[0];
        assert_eq!(
            (first.stream.as_str(), first.line, first.records),
            ("s-1", 1, 4)
        );
    }

    #[test]
    fn unused_fields_are_counted_by_path_and_the_most_frequent_named() {
        let mut report = Report::default();
        for record in 0..IMPORT_FIELDS_COUNTED_MAX + 10 {
            let mut paths = vec!["/always".to_owned(), format!("/of/{record}")];
            paths.extend((record < 7).then(|| "/early".to_owned()));
            let more = false;
            report.unused(&Unused { paths, more });
        }
        let unused = report.done().unused;
        assert_eq!(unused.fields, IMPORT_FIELDS_COUNTED_MAX as u64);
        assert!(unused.more);
        assert_eq!(unused.first.len(), IMPORT_FIELDS_NAMED_MAX);
        let of = |index: usize| {
            (
                unused.first[index].path.as_str(),
                unused.first[index].records,
            )
        };
        assert_eq!(of(0), ("/always", IMPORT_FIELDS_COUNTED_MAX as u64 + 10));
        assert_eq!(of(1), ("/early", 7));
        assert_eq!(of(2), ("/of/0", 1));
    }
}
