//! What a query line finds, in figures: how many, when, of which types, actors, categories and streams.

use std::collections::HashMap;
use std::time::Instant;

use whodunit_core::api::browse::DensityOut;
use whodunit_core::api::find::{Facet, FacetValue, SummaryOut, UndecidedOut};
use whodunit_core::event::Event;
use whodunit_core::time::Timestamp;

use super::{Find, Stretch, last};
use crate::limits::{
    FACET_VALUES_MAX, FIND_PAGE_TIME, SCAN_ENTRIES_MAX, SUMMARY_EVENTS_MAX, SUMMARY_TIME,
};
use crate::store::{Direction, StoreError, View};

/// Events that are counted at a time.
const PAGE: usize = 1_000;

/// Figures of events, as they are added.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    matches: u64,
    scanned: u64,
    down_to: Option<u64>,
    times: Vec<i64>,
    types: Counts,
    actors: Counts,
    categories: Counts,
    streams: Counts,
    undecided: Option<UndecidedOut>,
}

/// Values and how often each was met.
#[derive(Debug, Default)]
struct Counts {
    kept: HashMap<Option<String>, u64>,
    left_out: u64,
}

impl Counts {
    fn add(&mut self, value: Option<&str>) {
        // A value that is known needs no copy.
        let known = self.kept.get_mut(&value.map(str::to_owned));
        if let Some(count) = known {
            *count += 1;
        } else if self.kept.len() < FACET_VALUES_MAX {
            self.kept.insert(value.map(str::to_owned), 1);
        } else {
            self.left_out += 1;
        }
    }

    fn facet(&self, key: &str, top: usize) -> Facet {
        let mut values: Vec<(&Option<String>, u64)> = self
            .kept
            .iter()
            .map(|(value, count)| (value, *count))
            .collect();
        values.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        let more = values.split_off(top.min(values.len()));
        Facet {
            key: key.to_owned(),
            values: values
                .into_iter()
                .map(|(value, events)| FacetValue {
                    value: value.clone(),
                    events,
                })
                .collect(),
            more_values: more.len() as u64,
            more_events: more.iter().map(|(_, count)| count).sum::<u64>() + self.left_out,
            exact: self.left_out == 0,
        }
    }
}

impl Find {
    /// Counts the events that match, the newest first, within the bounds.
    pub(crate) fn summary(&self, view: &dyn View) -> Result<Summary, StoreError> {
        let begun = Instant::now();
        let mut summary = Summary::default();
        let mut from = None;
        loop {
            let stretch = Stretch {
                from,
                last: last(view, false),
                direction: Direction::Backward,
                limit: PAGE,
                budget: SCAN_ENTRIES_MAX,
                time: FIND_PAGE_TIME,
            };
            let found = self.events(view, stretch)?;
            summary.scanned += found.scanned;
            for event in &found.items {
                summary.add(event);
            }
            if let Some(undecided) = &found.undecided {
                summary.undecided.get_or_insert_default().add(undecided);
            }
            let Some(next) = found.next else {
                return Ok(summary);
            };
            if begun.elapsed() >= SUMMARY_TIME || summary.matches >= SUMMARY_EVENTS_MAX {
                summary.down_to = Some(next + 1);
                return Ok(summary);
            }
            from = Some(next);
        }
    }
}

impl Summary {
    fn add(&mut self, event: &Event) {
        self.matches += 1;
        self.times.push(event.recorded_at.as_micros());
        self.types.add(Some(&event.event_type));
        self.actors.add(event.actor.as_deref());
        self.categories.add(Some(event.stream.category()));
        self.streams.add(Some(event.stream.as_str()));
    }

    /// The figures, with so many parts of the time and so many values of each field.
    pub(crate) fn finish(self, query: String, buckets: usize, top: usize) -> SummaryOut {
        let first = self.times.iter().min().copied();
        let density = first.map(|first| {
            let last = self.times.iter().max().copied().unwrap_or(first);
            let mut counts = vec![0; buckets];
            for at in &self.times {
                let bucket = crate::store::redb::bucket(*at, first, last, buckets);
                if let Some(count) = counts.get_mut(bucket) {
                    *count += 1;
                }
            }
            DensityOut {
                first: Timestamp::from_micros(first),
                last: Timestamp::from_micros(last),
                counts,
            }
        });
        SummaryOut {
            query,
            matches: self.matches,
            streams: self.streams.kept.len() as u64,
            scanned: self.scanned,
            complete: self.down_to.is_none(),
            down_to: self.down_to,
            density,
            facets: vec![
                self.types.facet("type", top),
                self.actors.facet("actor", top),
                self.categories.facet("category", top),
                self.streams.facet("stream", top),
            ],
            head: 0,
            undecided: self.undecided,
            redacted_copy: false,
        }
    }
}
