//! Streams that have grown or were named again in the tail.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, Vector};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use crate::store::StreamInfo;
use crate::store::write::Batch;

/// How much a category has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Growth {
    /// Streams that it did not have before.
    pub(crate) streams: u64,
    /// Events.
    pub(crate) events: u64,
}

/// A stream's record, and its events in the tail.
#[derive(Debug, Clone)]
pub(crate) struct StreamTail {
    /// The record; it takes the place of the one that is sealed.
    info: Arc<StreamInfo>,
    /// Position and effective time of each event, by revision, without a gap.
    entries: Vector<(Position, Timestamp)>,
    /// Of the events that are earlier than their effective time: revision and time.
    late: Vector<(Revision, Timestamp)>,
}

impl StreamTail {
    /// Its record.
    pub(crate) fn info(&self) -> &StreamInfo {
        &self.info
    }

    /// The first revision in the tail; the one after its head when it has none there.
    pub(crate) fn first(&self) -> Revision {
        Revision(self.info.revision.0 + 1 - self.entries.len() as u64)
    }

    /// Position and effective time of a revision.
    pub(crate) fn entry(&self, revision: Revision) -> Option<(Position, Timestamp)> {
        let index = revision.0.checked_sub(self.first().0)?;
        self.entries.get(usize::try_from(index).ok()?).copied()
    }

    /// Position and effective time of all its events in the tail, by revision.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = (Position, Timestamp)> + '_ {
        self.entries.iter().copied()
    }

    /// The last revision in the tail that fits; where one fits, so do all before it.
    pub(crate) fn last_where(
        &self,
        fits: impl Fn((Position, Timestamp)) -> bool,
    ) -> Option<Revision> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entries.get(middle) {
                Some(entry) if fits(*entry) => low = middle + 1,
                _ => high = middle,
            }
        }
        (low > 0).then(|| Revision(self.first().0 + low as u64 - 1))
    }

    /// Of the events that are earlier than their effective time, after one revision and up to another: revision and time.
    pub(crate) fn late(
        &self,
        after: Revision,
        to: Revision,
    ) -> impl Iterator<Item = (Revision, Timestamp)> + '_ {
        self.late
            .iter()
            .copied()
            .skip_while(move |(revision, _)| *revision <= after)
            .take_while(move |(revision, _)| *revision <= to)
    }
}

/// The streams.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamsTail {
    by_name: OrdMap<StreamName, Arc<StreamTail>>,
    /// By the position of the last event, of those that have one here.
    by_last: OrdMap<Position, StreamName>,
    categories: OrdMap<String, Growth>,
}

impl StreamsTail {
    pub(super) fn apply(&mut self, batch: &Batch) {
        let Some(write) = &batch.stream else { return };
        let info = &write.info;
        let name = &info.stream;
        let stream = self.by_name.entry(name.clone()).or_insert_with(|| {
            Arc::new(StreamTail {
                info: Arc::clone(info),
                entries: Vector::new(),
                late: Vector::new(),
            })
        });
        let stream = Arc::make_mut(stream);
        stream.info = Arc::clone(info);
        for placed in &batch.events {
            let event = &placed.event;
            stream
                .entries
                .push_back((event.position, placed.effective_at));
            if placed.is_late() {
                stream.late.push_back((event.revision, event.recorded_at));
            }
        }
        if batch.events.is_empty() {
            return;
        }
        if let Some(before) = write.last_before {
            self.by_last.remove(&before);
        }
        self.by_last.insert(info.last_position, name.clone());
        let growth = Growth {
            streams: u64::from(write.last_before.is_none()),
            events: batch.events.len() as u64,
        };
        match self.categories.get_mut(name.category()) {
            Some(category) => {
                category.streams += growth.streams;
                category.events += growth.events;
            }
            None => drop(self.categories.insert(name.category().to_owned(), growth)),
        }
    }

    /// What it says of a stream.
    pub(crate) fn get(&self, stream: &StreamName) -> Option<&StreamTail> {
        self.by_name.get(stream).map(|stream| &**stream)
    }

    /// Those from a name on, by name.
    pub(crate) fn by_name(&self, from: Bound<&StreamName>) -> impl Iterator<Item = &StreamTail> {
        let range: (Bound<&StreamName>, Bound<&StreamName>) = (from, Bound::Unbounded);
        self.by_name
            .range::<_, StreamName>(range)
            .map(|(_, stream)| &**stream)
    }

    /// Those that have an event here, by the position of their last.
    pub(crate) fn by_last(&self) -> impl DoubleEndedIterator<Item = (Position, &StreamTail)> {
        self.by_last
            .iter()
            .filter_map(|(position, name)| Some((*position, self.get(name)?)))
    }

    /// How many streams there are that were not there before.
    pub(crate) fn new_streams(&self) -> u64 {
        self.categories.values().map(|growth| growth.streams).sum()
    }

    /// How the categories have grown, by name.
    pub(crate) fn categories(&self) -> impl Iterator<Item = (&str, Growth)> {
        let categories = self.categories.iter();
        categories.map(|(category, growth)| (category.as_str(), *growth))
    }
}
