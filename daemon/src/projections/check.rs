//! The consistency check: is the read model what the log leads to, and if not, since which event?
//!
//! Owns the iteration: every stream of the log and every document, each with its apply log, in chunks of bounded memory. What is
//! wrong with a document is decided by `core::consistency`. Reads one read view of the read model, and the log up to its
//! checkpoint, however both grow meanwhile. Memory grows with the longest stream: its apply log is held as a whole.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use whodunit_core::api::pipeline::{CheckOut, FindingKind, FindingOut};
use whodunit_core::consistency::{AppliedEvent, Comparer, Digest, Expected, Stored};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::error::ProjectionError;
use super::read_model::{Document, ReadView};
use super::runner::ProjectionRunner;
use crate::limits::{CHECK_ENTRIES, CHECK_FINDINGS_MAX, CHECK_STREAMS};
use crate::runs::Run;
use crate::store::{StreamCursor, StreamFilter, StreamOrder, View, try_for_each_event};

/// Streams of a page of the log's list.
const PAGE: usize = 1_000;

/// Checks a projection's read model.
pub(super) fn check(runner: &ProjectionRunner, run: &Run) -> Result<CheckOut, ProjectionError> {
    runner.read(|read_view| {
        // Taken after the read view, so that the log reaches at least as far as the read model.
        let view = runner.store.view()?;
        let mut check = Check {
            runner,
            run,
            read_view,
            view: view.as_ref(),
            checkpoint: read_view.meta.checkpoint,
            out: CheckOut {
                projection: runner.name().to_owned(),
                checkpoint: read_view.meta.checkpoint.0,
                documents: read_view.documents()?,
                events: 0,
                ok: true,
                findings: Vec::new(),
                findings_total: 0,
            },
        };
        check.all()?;
        check.out.ok = check.out.findings_total == 0;
        Ok(check.out)
    })
}

struct Check<'a> {
    runner: &'a ProjectionRunner,
    run: &'a Run,
    read_view: &'a ReadView,
    view: &'a dyn View,
    checkpoint: Position,
    out: CheckOut,
}

impl Check<'_> {
    fn go_on(&self) -> Result<(), ProjectionError> {
        if self.run.is_cancelled() || self.runner.is_stopping() {
            return Err(ProjectionError::Stopped);
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), ProjectionError> {
        let total = self.read_view.meta.applied;
        self.run.progress(0, total);
        let lengths = self.lengths()?;
        let mut names = Names::new(self.read_view, self.view, self.runner);
        loop {
            let mut stretch = Vec::new();
            let mut entries = 0;
            while entries < CHECK_ENTRIES
                && stretch.len() < CHECK_STREAMS
                && let Some((key, number)) = names.next()?
            {
                entries += number.map_or(0, |number| length(&lengths, number));
                stretch.push((key, number));
            }
            if stretch.is_empty() {
                return Ok(());
            }
            let mut logs = self.logs(&stretch)?;
            for (key, number) in stretch {
                let log = number.and_then(|number| logs.remove(&number));
                self.document(&key, &log.unwrap_or_default())?;
                self.run.progress(self.out.events, total);
            }
        }
    }

    /// How many entries each stream has on the apply log, by its number.
    fn lengths(&self) -> Result<Vec<u32>, ProjectionError> {
        let numbers = usize::try_from(self.read_view.meta.numbers).unwrap_or_default();
        let mut lengths = vec![0_u32; numbers + 1];
        self.for_each_entry(|number, _| {
            let length = usize::try_from(number).ok();
            if let Some(length) = length.and_then(|number| lengths.get_mut(number)) {
                *length = length.saturating_add(1);
            }
        })?;
        Ok(lengths)
    }

    /// The logs of these streams.
    fn logs(
        &self,
        stretch: &[(String, Option<u64>)],
    ) -> Result<HashMap<u64, Vec<AppliedEvent>>, ProjectionError> {
        let numbers = stretch.iter().filter_map(|(_, number)| *number);
        let mut logs: HashMap<u64, Vec<AppliedEvent>> =
            numbers.map(|number| (number, Vec::new())).collect();
        self.for_each_entry(|number, entry| {
            if let Some(log) = logs.get_mut(&number) {
                log.push(entry);
            }
        })?;
        Ok(logs)
    }

    fn for_each_entry(
        &self,
        mut each: impl FnMut(u64, AppliedEvent),
    ) -> Result<(), ProjectionError> {
        self.read_view.for_each_row(|entries| {
            self.go_on()?;
            for (number, entry) in entries {
                each(*number, *entry);
            }
            Ok(())
        })
    }

    /// Compares one document with its log and its stream.
    fn document(&mut self, key: &str, log: &[AppliedEvent]) -> Result<(), ProjectionError> {
        self.go_on()?;
        let document = self.read_view.document(key)?;
        let stored = document.as_ref().map(|document| Stored {
            revision: document.revision,
            digest: Digest::of_state(&document.state),
        });
        let mut comparer = Comparer::new(log, stored);
        let stream = StreamName::new(key).ok();
        if let Some(stream) = &stream {
            self.events(stream, &mut comparer)?;
        }
        let Some(divergence) = comparer.finish() else {
            return self.indexed(key, stream.as_ref(), document.as_ref());
        };
        self.out.findings_total += 1;
        if self.out.findings.len() < CHECK_FINDINGS_MAX {
            let event_type = match &stream {
                Some(stream) => self.event_type(stream, divergence.revision)?,
                None => String::new(),
            };
            self.out.findings.push(FindingOut {
                kind: divergence.kind,
                key: key.to_owned(),
                position: divergence.position.0,
                revision: divergence.revision.0,
                detail: divergence.sentence(&event_type),
                event_type,
            });
        }
        Ok(())
    }

    /// Whether a document that is right stands where the indexes should have it.
    fn indexed(
        &mut self,
        key: &str,
        stream: Option<&StreamName>,
        document: Option<&Document>,
    ) -> Result<(), ProjectionError> {
        let (Some(stream), Some(document)) = (stream, document) else {
            return Ok(());
        };
        let rules = &self.runner.rules;
        let Some(index) = self.read_view.not_indexed(rules, key, document)? else {
            return Ok(());
        };
        self.out.findings_total += 1;
        if self.out.findings.len() < CHECK_FINDINGS_MAX {
            self.out.findings.push(FindingOut {
                kind: FindingKind::Unindexed,
                key: key.to_owned(),
                position: document.position.0,
                revision: document.revision.0,
                detail: format!(
                    "the document is right, but the index `{index}` does not have it: searches by it leave it out"
                ),
                event_type: self.event_type(stream, document.revision)?,
            });
        }
        Ok(())
    }

    /// Folds the expected state of a document, event by event, for as long as the comparer needs more of them.
    fn events(
        &mut self,
        stream: &StreamName,
        comparer: &mut Comparer<'_>,
    ) -> Result<(), ProjectionError> {
        let (rules, checkpoint) = (&self.runner.rules, self.checkpoint);
        let mut state = rules.empty(stream);
        let all = (Revision(1), Revision(u64::MAX));
        let looked_at = &mut self.out.events;
        try_for_each_event(self.view, stream, all, |event| {
            if event.position > checkpoint {
                return Ok(ControlFlow::Break(()));
            }
            *looked_at += 1;
            rules.apply(&mut state, &event)?;
            let goes_on = comparer.event(Expected {
                revision: event.revision,
                position: event.position,
                event: Digest::of_event(&event),
                state: Digest::of_state(&state),
            });
            Ok(if goes_on {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })
    }

    fn event_type(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<String, ProjectionError> {
        if revision == Revision::ZERO {
            return Ok(String::new());
        }
        let event = self.view.event_at_revision(stream, revision)?;
        Ok(event.map_or_else(String::new, |event| event.event_type))
    }
}

fn length(lengths: &[u32], number: u64) -> u64 {
    let length = usize::try_from(number).ok();
    length
        .and_then(|number| lengths.get(number))
        .map_or(0, |length| u64::from(*length))
}

/// Every name that the log, the documents or the apply log know, in order, with its number on the apply log.
struct Names<'a> {
    read_view: &'a ReadView,
    view: &'a dyn View,
    filter: StreamFilter,
    ready: VecDeque<(String, Option<u64>)>,
    /// The last name that was visited; `None` before the first.
    after: Option<String>,
    done: bool,
}

impl<'a> Names<'a> {
    fn new(read_view: &'a ReadView, view: &'a dyn View, runner: &ProjectionRunner) -> Self {
        Self {
            read_view,
            view,
            filter: StreamFilter {
                category: runner.rules.projection.category().map(str::to_owned),
                ..StreamFilter::default()
            },
            ready: VecDeque::new(),
            after: None,
            done: false,
        }
    }

    fn next(&mut self) -> Result<Option<(String, Option<u64>)>, ProjectionError> {
        while self.ready.is_empty() && !self.done {
            self.read()?;
        }
        Ok(self.ready.pop_front())
    }

    /// The names up to the last one of the log's next page.
    fn read(&mut self) -> Result<(), ProjectionError> {
        let cursor = self.after.clone().map(StreamCursor::AfterName);
        let order = StreamOrder::Name;
        let page = self
            .view
            .streams(&self.filter, order, cursor, PAGE, PAGE as u64)?;
        let streams = page.streams.iter().map(|info| info.stream.as_str());
        let last = page.next.as_ref().and(streams.clone().next_back());
        let mut names = self.read_view.keys(self.after.as_deref(), last)?;
        for stream in streams.clone() {
            names.entry(stream.to_owned()).or_insert(None);
        }
        let last = last.map(str::to_owned);
        self.done = last.is_none();
        self.after = last;
        self.ready = names.into_iter().collect();
        Ok(())
    }
}
