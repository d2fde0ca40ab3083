//! What tells a selection from the rest: the attributes of streams and events, for [`Contrast`].
//!
//! Owns what is compared with what. A stream of the selection is looked at before the event that selected it, the others as of
//! the moment of the selection's middle one, each with its state and its events before. Secrets are no attributes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Instant;

use whodunit_core::contrast::{Contrast, Differences};
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::features::{Features, Zone};
use super::{Find, Stretch, last};
use crate::limits::{
    DIFFERS_EVENTS_MAX, DIFFERS_STREAMS_MAX, DIFFERS_TIME, FIND_PAGE_TIME, SCAN_ENTRIES_MAX,
};
use crate::store::{
    Direction, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, View,
    try_for_each_event,
};
use crate::time_travel::TravelError;

/// Events of a stream that are looked at, from the moment on backwards.
const EARLIER_MAX: usize = 200;
/// Streams that are listed at a time.
const STREAMS_AT_A_TIME: usize = 64;

/// Where a stream is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// After this revision.
    pub(crate) before: Revision,
    /// At this time.
    pub(crate) at: Timestamp,
}

/// Streams that something has selected: what a line finds, or the world at a moment.
pub(crate) type Selection = HashMap<StreamName, Moment>;

/// What a comparison came to.
#[derive(Debug)]
pub(crate) struct Differs {
    pub(crate) differences: Differences,
    pub(crate) moment: Option<Timestamp>,
    pub(crate) not_yet: u64,
    pub(crate) complete: bool,
}

/// A comparison under way.
struct Run<'a> {
    find: &'a Find,
    view: &'a dyn View,
    zone: Zone,
    begun: Instant,
    contrast: Contrast,
    looked_at: u64,
    complete: bool,
}

impl Find {
    /// Compares the streams with an event that matches with the others of their categories.
    pub(crate) fn differs_by_stream(
        &self,
        view: &dyn View,
        zone: Zone,
        limit: usize,
    ) -> Result<Differs, StoreError> {
        let mut selection = Selection::new();
        let complete = self.each_match(view, &mut |event| {
            // Newest first: the last one that is met is the first one there was.
            let moment = Moment {
                before: Revision(event.revision.0 - 1),
                at: event.recorded_at,
            };
            selection.insert(event.stream.clone(), moment);
            selection.len() < DIFFERS_STREAMS_MAX
        })?;
        let mut differs = self.differs_of(view, &selection, zone, limit)?;
        differs.complete &= complete;
        Ok(differs)
    }

    /// Compares a selection of streams with the others of their categories.
    pub(crate) fn differs_of(
        &self,
        view: &dyn View,
        selection: &Selection,
        zone: Zone,
        limit: usize,
    ) -> Result<Differs, StoreError> {
        let mut run = Run::new(self, view, zone);
        let mut times: Vec<Timestamp> = selection.values().map(|moment| moment.at).collect();
        times.sort_unstable();
        let moment = times.get(times.len() / 2).copied();
        let mut streams: Vec<&StreamName> = selection.keys().collect();
        streams.sort_unstable();
        let mut not_yet = 0;
        for stream in &streams {
            if let (Some(info), Some(moment)) = (view.stream(stream)?, selection.get(*stream)) {
                run.stream(&info, *moment, true)?;
            }
        }
        let categories: BTreeSet<&str> = streams.iter().map(|stream| stream.category()).collect();
        for category in categories {
            let Some(at) = moment else { break };
            run.each_stream(category, &mut |run, info| {
                if selection.contains_key(&info.stream) {
                    return Ok(());
                }
                let before = run
                    .view
                    .revision_as_of(&info.stream, at)?
                    .unwrap_or_default();
                if before == Revision::ZERO {
                    not_yet += 1;
                    return Ok(());
                }
                run.stream(info, Moment { before, at }, false)
            })?;
        }
        Ok(Differs {
            complete: run.complete,
            differences: run.contrast.finish(limit),
            moment,
            not_yet,
        })
    }

    /// Compares the events that match with the others of their categories.
    pub(crate) fn differs_by_event(
        &self,
        view: &dyn View,
        zone: Zone,
        limit: usize,
    ) -> Result<Differs, StoreError> {
        let mut selected: HashSet<Position> = HashSet::new();
        let mut categories: BTreeSet<String> = BTreeSet::new();
        let complete = self.each_match(view, &mut |event| {
            selected.insert(event.position);
            categories.insert(event.stream.category().to_owned());
            (selected.len() as u64) < DIFFERS_EVENTS_MAX
        })?;
        let mut run = Run::new(self, view, zone);
        for category in &categories {
            run.each_stream(category, &mut |run, info| run.events(info, &selected))?;
        }
        Ok(Differs {
            complete: complete && run.complete,
            differences: run.contrast.finish(limit),
            moment: None,
            not_yet: 0,
        })
    }

    /// Hands the events that match to `each`, newest first, until it has enough; whether that was all of them.
    fn each_match(
        &self,
        view: &dyn View,
        each: &mut dyn FnMut(&Event) -> bool,
    ) -> Result<bool, StoreError> {
        let begun = Instant::now();
        let mut from = None;
        loop {
            let stretch = Stretch {
                from,
                last: last(view, false),
                direction: Direction::Backward,
                limit: 1_000,
                budget: SCAN_ENTRIES_MAX,
                time: FIND_PAGE_TIME,
            };
            let found = self.events(view, stretch)?;
            for event in &found.items {
                if !each(event) {
                    return Ok(false);
                }
            }
            match found.next {
                None => return Ok(true),
                Some(_) if begun.elapsed() >= DIFFERS_TIME => return Ok(false),
                next => from = next,
            }
        }
    }
}

impl<'a> Run<'a> {
    fn new(find: &'a Find, view: &'a dyn View, zone: Zone) -> Self {
        Self {
            find,
            view,
            zone,
            begun: Instant::now(),
            contrast: Contrast::default(),
            looked_at: 0,
            complete: true,
        }
    }

    /// Hands the streams of a category to `each`, by name, within the bounds.
    fn each_stream(
        &mut self,
        category: &str,
        each: &mut dyn FnMut(&mut Self, &StreamInfo) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let filter = StreamFilter {
            category: Some(category.to_owned()),
            ..StreamFilter::default()
        };
        let mut after: Option<StreamCursor> = None;
        // A stream that is named like the category alone is not listed among them.
        if let Ok(alone) = StreamName::new(category)
            && let Some(info) = self.view.stream(&alone)?
        {
            each(self, &info)?;
        }
        loop {
            let page = self.view.streams(
                &filter,
                StreamOrder::Name,
                after,
                STREAMS_AT_A_TIME,
                SCAN_ENTRIES_MAX,
            )?;
            for info in &page.streams {
                let is_over = self.begun.elapsed() >= DIFFERS_TIME;
                if is_over || self.looked_at >= DIFFERS_EVENTS_MAX {
                    self.complete = false;
                    return Ok(());
                }
                each(self, info)?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Adds a stream as it was at a moment.
    fn stream(
        &mut self,
        info: &StreamInfo,
        moment: Moment,
        selected: bool,
    ) -> Result<(), StoreError> {
        self.looked_at += 1;
        let model = self.find.models.for_stream(&info.stream).clone();
        let mut features = Features::new(self.zone);
        match self
            .find
            .travel
            .state(self.view, &model, &info.stream, moment.before)
        {
            Ok(reached) => features.state(&model, &reached.folded.state),
            Err(TravelError::Store(error)) => return Err(error),
            Err(_too_large) => features.value("state", "too large to compare".to_owned()),
        }
        let earlier = self.view.stream_events(
            &info.stream,
            moment.before,
            Direction::Backward,
            EARLIER_MAX,
        )?;
        features.count("events so far", moment.before.0);
        for event in &earlier {
            features.earlier(event);
        }
        if let Some(event) = earlier.first() {
            features.last(event);
            features.days("days since the last event", event.recorded_at, moment.at);
            features.days("days since the first event", info.first_at, moment.at);
        }
        self.contrast.add(selected, features.finish());
        Ok(())
    }

    /// Adds all events of a stream, each with the state before it.
    fn events(
        &mut self,
        info: &StreamInfo,
        selected: &HashSet<Position>,
    ) -> Result<(), StoreError> {
        let model = self.find.models.for_stream(&info.stream).clone();
        let mut folded = Folded::start(&model);
        let mut previous: Option<String> = None;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let range = (Revision(1), info.revision);
        try_for_each_event(self.view, &info.stream, range, |event| {
            if self.looked_at >= DIFFERS_EVENTS_MAX {
                self.complete = false;
                return Ok::<_, StoreError>(ControlFlow::Break(()));
            }
            self.looked_at += 1;
            let mut features = Features::new(self.zone);
            features.state(&model, &folded.state);
            features.event(&event);
            features.count("events so far", event.revision.0 - 1);
            if let Some(previous) = previous.replace(event.event_type.clone()) {
                features.value("previous event", previous);
            }
            for earlier in counts.keys() {
                features.value("earlier event", earlier.clone());
            }
            *counts.entry(event.event_type.clone()).or_default() += 1;
            self.contrast
                .add(selected.contains(&event.position), features.finish());
            folded.push(&model, &event);
            Ok(ControlFlow::Continue(()))
        })
    }
}
