//! The truth check: is the read model what the log leads to, and if not, since which event?
//!
//! Owns the walk: every stream of the log and every document, each with its trail, in stretches of bounded memory. What is
//! wrong with a document is told by `core::truth`. Reads one picture of the read model and the log up to its checkpoint,
//! however both grow meanwhile. Memory grows with the longest stream: its trail is held as a whole.

use std::collections::{HashMap, VecDeque};

use whodunit_core::api::pipeline::{CheckOut, FindingOut};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::truth::{Digest, Entry, Examiner, Parting, Shadow, Stored};

use super::error::ProjectionError;
use super::projector::Projector;
use super::read_model::Picture;
use crate::limits::{CHECK_ENTRIES, CHECK_FINDINGS_MAX, CHECK_STREAMS};
use crate::runs::Run;
use crate::store::{Direction, StreamCursor, StreamFilter, StreamOrder, View};

/// Streams of a page of the log's list.
const PAGE: usize = 1_000;

/// Checks a projection's read model.
pub(super) fn check(projector: &Projector, run: &Run) -> Result<CheckOut, ProjectionError> {
    projector.read(|picture| {
        // Taken after the picture, so that the log reaches at least as far as the read model.
        let view = projector.store.view()?;
        let mut check = Check {
            projector,
            run,
            picture,
            view: view.as_ref(),
            checkpoint: picture.stamp.checkpoint,
            out: CheckOut {
                projection: projector.name().to_owned(),
                checkpoint: picture.stamp.checkpoint.0,
                documents: picture.documents()?,
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
    projector: &'a Projector,
    run: &'a Run,
    picture: &'a Picture,
    view: &'a dyn View,
    checkpoint: Position,
    out: CheckOut,
}

impl Check<'_> {
    fn go_on(&self) -> Result<(), ProjectionError> {
        if self.run.is_cancelled() || self.projector.is_stopping() {
            return Err(ProjectionError::Stopped);
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), ProjectionError> {
        let total = self.picture.stamp.trail;
        self.run.progress(0, total);
        let lengths = self.lengths()?;
        let mut names = Names::new(self.picture, self.view, self.projector);
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
            let mut trails = self.trails(&stretch)?;
            for (key, number) in stretch {
                let trail = number.and_then(|number| trails.remove(&number));
                self.document(&key, &trail.unwrap_or_default())?;
                self.run.progress(self.out.events, total);
            }
        }
    }

    /// How many entries each stream has on the trail, by its number.
    fn lengths(&self) -> Result<Vec<u32>, ProjectionError> {
        let numbers = usize::try_from(self.picture.stamp.numbers).unwrap_or_default();
        let mut lengths = vec![0_u32; numbers + 1];
        self.for_each_entry(|number, _| {
            let length = usize::try_from(number).ok();
            if let Some(length) = length.and_then(|number| lengths.get_mut(number)) {
                *length = length.saturating_add(1);
            }
        })?;
        Ok(lengths)
    }

    /// The trails of these streams.
    fn trails(
        &self,
        stretch: &[(String, Option<u64>)],
    ) -> Result<HashMap<u64, Vec<Entry>>, ProjectionError> {
        let numbers = stretch.iter().filter_map(|(_, number)| *number);
        let mut trails: HashMap<u64, Vec<Entry>> =
            numbers.map(|number| (number, Vec::new())).collect();
        self.for_each_entry(|number, entry| {
            if let Some(trail) = trails.get_mut(&number) {
                trail.push(entry);
            }
        })?;
        Ok(trails)
    }

    fn for_each_entry(&self, mut each: impl FnMut(u64, Entry)) -> Result<(), ProjectionError> {
        self.picture.for_each_row(|entries| {
            self.go_on()?;
            for (number, entry) in entries {
                each(*number, *entry);
            }
            Ok(())
        })
    }

    /// Compares one document with its trail and its stream.
    fn document(&mut self, key: &str, trail: &[Entry]) -> Result<(), ProjectionError> {
        self.go_on()?;
        let stored = self.picture.document(key)?.map(|document| Stored {
            revision: document.revision,
            digest: Digest::of(&document.state),
        });
        let mut examiner = Examiner::new(trail, stored);
        let stream = StreamName::new(key).ok();
        if let Some(stream) = &stream {
            self.events(stream, &mut examiner)?;
        }
        let Some(parting) = examiner.finish() else {
            return Ok(());
        };
        self.out.findings_total += 1;
        if self.out.findings.len() < CHECK_FINDINGS_MAX {
            let event_type = match &stream {
                Some(stream) => self.event_type(stream, &parting)?,
                None => String::new(),
            };
            self.out.findings.push(FindingOut {
                kind: parting.kind,
                key: key.to_owned(),
                position: parting.position.0,
                revision: parting.revision.0,
                detail: parting.sentence(&event_type),
                event_type,
            });
        }
        Ok(())
    }

    /// Folds the shadow of a document, event by event, for as long as the examiner needs to see more.
    fn events(
        &mut self,
        stream: &StreamName,
        examiner: &mut Examiner<'_>,
    ) -> Result<(), ProjectionError> {
        let (rules, checkpoint) = (&self.projector.rules, self.checkpoint);
        let mut state = rules.empty(stream);
        let (mut events, mut failed) = (0, None);
        self.view
            .for_each_event(stream, Revision(1), Revision(u64::MAX), &mut |event| {
                if event.position > checkpoint {
                    return false;
                }
                events += 1;
                if let Err(error) = rules.apply(&mut state, &event) {
                    failed = Some(error);
                    return false;
                }
                examiner.event(Shadow {
                    revision: event.revision,
                    position: event.position,
                    digest: Digest::of(&state),
                })
            })?;
        self.out.events += events;
        failed.map_or(Ok(()), Err)
    }

    fn event_type(
        &self,
        stream: &StreamName,
        parting: &Parting,
    ) -> Result<String, ProjectionError> {
        if parting.revision == Revision::ZERO {
            return Ok(String::new());
        }
        let events = self
            .view
            .stream_events(stream, parting.revision, Direction::Forward, 1)?;
        let event = events.into_iter().next();
        Ok(event.map_or_else(String::new, |event| event.event_type))
    }
}

fn length(lengths: &[u32], number: u64) -> u64 {
    let length = usize::try_from(number).ok();
    length
        .and_then(|number| lengths.get(number))
        .map_or(0, |length| u64::from(*length))
}

/// Every name that the log, the documents or the trail know, in order, with its number on the trail.
struct Names<'a> {
    picture: &'a Picture,
    view: &'a dyn View,
    filter: StreamFilter,
    ready: VecDeque<(String, Option<u64>)>,
    /// The last name that was gone past; `None` before the first.
    after: Option<String>,
    done: bool,
}

impl<'a> Names<'a> {
    fn new(picture: &'a Picture, view: &'a dyn View, projector: &Projector) -> Self {
        Self {
            picture,
            view,
            filter: StreamFilter {
                category: projector.rules.projection.category().map(str::to_owned),
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
        let mut names = self.picture.keys(self.after.as_deref(), last)?;
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
