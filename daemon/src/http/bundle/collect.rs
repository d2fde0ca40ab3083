//! From what belongs to an incident to its file: streams within bounds, states before and after, branches with their answers, notes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use whodunit_core::api::causes::{CauseKind, CorrelatedStream};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::branch::Branch;
use whodunit_core::bundle::{
    BundleIn, BundleRecord, EventChange, Incident, RulesInUse, ScenarioText, StreamPart,
    WhatIfPart, write,
};
use whodunit_core::causes;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::note::Note;
use whodunit_core::shown::{Reveal, redact_state};
use whodunit_core::time::Timestamp;
use whodunit_core::transfer::DecisionIds;

use super::super::error::ApiError;
use super::super::impact::{Impacts, impacts};
use super::checks;
use super::select::{Selected, select};
use crate::branches::{BranchView, Overlay, log_point};
use crate::daemon::Parts;
use crate::limits::{
    BUNDLE_BRANCHES_MAX, BUNDLE_BYTES_MAX, BUNDLE_CHANGES_MAX, BUNDLE_EVENTS_MAX,
    BUNDLE_STREAMS_MAX,
};
use crate::store::{
    DecisionFilter, Direction, ReadDecisions as _, ReadEvents as _, ReadStreams as _,
    Stoppable as _, StoreError, View,
};

/// Records that are read at a time.
const CHUNK: usize = 256;

pub(super) struct Collector<'a> {
    pub(super) parts: &'a Arc<Parts>,
    pub(super) view: BranchView,
    /// What happened, which the view shows but while a branch is looked at.
    pub(super) log: Arc<Overlay>,
    pub(super) found: Selected,
    pub(super) now: Timestamp,
    streams: Vec<StreamPart>,
    events: Vec<Event>,
    decisions: Vec<Decision>,
    bytes: usize,
}

/// Writes the file of an incident.
pub(super) fn bundle(
    parts: &Arc<Parts>,
    view: Box<dyn View>,
    asked: BundleIn,
    mut scenarios: Vec<ScenarioText>,
    now: Timestamp,
) -> Result<Vec<u8>, ApiError> {
    let found = select(view.as_ref(), &asked)?;
    let log = Arc::new(Overlay::of_log(view.head()));
    let mut all = Collector {
        parts,
        view: BranchView::new(view, Arc::clone(&log)),
        log,
        found,
        now,
        streams: Vec::new(),
        events: Vec::new(),
        decisions: Vec::new(),
        bytes: 0,
    };
    all.streams()?;
    all.records()?;
    let changes = all.changes()?;
    let notes = all.notes()?;
    let (branches, made) = all.branches()?;
    let mut own = checks::of_decisions(&mut all)?;
    own.extend(made.iter().filter_map(|(_, scenario)| scenario.clone()));
    own.append(&mut scenarios);
    let what_ifs = made.into_iter().map(|(what_if, _)| what_if).collect();
    let log = log_point(parts.store.as_ref(), &all.view)?;
    let incident = Incident {
        asked: BundleIn {
            scenarios: Vec::new(),
            ..asked
        },
        written_at: now,
        written_by: format!("whodunit {}", env!("CARGO_PKG_VERSION")),
        log,
        models: models(parts),
        subject: all.found.subject.as_ref().map(|node| node.id.clone()),
        causes: std::mem::take(&mut all.found.causes),
        effects: std::mem::take(&mut all.found.effects),
        correlations: std::mem::take(&mut all.found.batches),
        changes,
        streams: std::mem::take(&mut all.streams),
        what_ifs,
        left_out: std::mem::take(&mut all.found.left_out),
    };
    let records = all.in_order();
    let text = write(incident, &records, &notes, (branches, own));
    Ok(text.map_err(|source| StoreError::Engine {
        doing: "writing an incident file",
        source: source.into(),
    })?)
}

fn models(parts: &Parts) -> Vec<RulesInUse> {
    let all = parts.models.all().filter_map(|model| {
        Some(RulesInUse {
            name: model.name().to_owned(),
            category: model.spec().category.clone()?,
            rules_hash: model.rules_hash().to_owned(),
        })
    });
    all.collect()
}

impl Collector<'_> {
    /// Counts what is left out: the noun, in the singular, and what else is to be said of it.
    pub(super) fn leave_out(&mut self, count: usize, what: &str, rest: &str) {
        if count > 0 {
            self.found.leave_out(count as u64, what, rest);
        }
    }

    /// Whether a stream is in the file.
    pub(super) fn has(&self, stream: &StreamName) -> bool {
        let mut parts = self.streams.iter();
        parts.any(|part| part.stream == *stream && part.included.is_some())
    }

    pub(super) fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// What was done to each stream, the subject's first, then those of the chain.
    fn streams(&mut self) -> Result<(), ApiError> {
        let touched: BTreeMap<StreamName, CorrelatedStream> = causes::streams(&self.found.nodes);
        let subject = self.found.subject.as_ref().map(|node| node.stream.clone());
        let chain = self.found.causes.iter().chain(&self.found.effects);
        let chain: Vec<StreamName> = chain.map(|node| node.stream.clone()).collect();
        let mut parts: Vec<CorrelatedStream> = touched.into_values().collect();
        let rank = |stream: &StreamName| match stream {
            own if Some(own) == subject.as_ref() => 0,
            own if chain.contains(own) => 1,
            _ => 2,
        };
        parts.sort_by_key(|part| (rank(&part.stream), part.stream.clone()));
        let more = parts.len().saturating_sub(BUNDLE_STREAMS_MAX);
        parts.truncate(BUNDLE_STREAMS_MAX);
        self.leave_out(
            more,
            "stream",
            &format!(": a file has {BUNDLE_STREAMS_MAX} at most"),
        );
        for of in parts {
            let is_own = rank(&of.stream) == 0;
            let in_chain = rank(&of.stream) < 2;
            let part = self.stream(of, (is_own, in_chain))?;
            self.streams.push(part);
        }
        Ok(())
    }

    fn stream(
        &self,
        of: CorrelatedStream,
        (is_own, in_chain): (bool, bool),
    ) -> Result<StreamPart, ApiError> {
        let (view, models) = (&self.view, &self.parts.models);
        let info = view.stream(&of.stream)?;
        let by = Impacts {
            travel: &self.parts.travel,
            models,
            view,
            reveal: Reveal::NO,
        };
        let impact = impacts(&by, std::iter::once(of))?.into_iter().next();
        let Some(impact) = impact.map(whodunit_core::shown::Shown::into_inner) else {
            return Err(Problem::new(Code::Internal, "a stream was not compared").into());
        };
        let state = |at: Revision| -> Result<_, ApiError> {
            let model = models.for_stream(&impact.stream);
            let reached = self.parts.travel.state(view, model, &impact.stream, at)?;
            let mut state = reached.folded.state;
            redact_state(model, &mut state);
            Ok(state)
        };
        let shows = is_own && impact.failed.is_none();
        Ok(StreamPart {
            title: info.as_ref().and_then(|info| info.label.title.clone()),
            head: info.map_or(Revision::ZERO, |info| info.revision),
            included: None,
            in_chain,
            before: shows.then(|| state(impact.revision_before)).transpose()?,
            after: shows.then(|| state(impact.revision_after)).transpose()?,
            revision_before: impact.revision_before,
            revision_after: impact.revision_after,
            events: impact.events,
            refused: impact.refused,
            diff: impact.diff,
            failed: impact.failed,
            stream: impact.stream,
        })
    }

    /// Events and decisions of the streams, each from its beginning, as long as there is room.
    fn records(&mut self) -> Result<(), ApiError> {
        let mut left = 0;
        for index in 0..self.streams.len() {
            let Some(part) = self.streams.get(index) else {
                break;
            };
            let (stream, head, needed) = (part.stream.clone(), part.head, part.revision_after);
            if head == Revision::ZERO {
                continue;
            }
            let (events, bytes) = self.history(&stream, head)?;
            let reached = events.last().map_or(Revision::ZERO, |event| event.revision);
            if reached < needed {
                if index == 0 {
                    let detail = format!(
                        "`{stream}` has more history up to revision {needed} than a file takes: {BUNDLE_EVENTS_MAX} events, {} MiB",
                        BUNDLE_BYTES_MAX >> 20
                    );
                    let problem = Problem::new(Code::LimitExceeded, detail);
                    return Err(problem
                        .hint("`GET /v1/export?stream=` exports a stream")
                        .into());
                }
                left += 1;
                continue;
            }
            self.bytes += bytes;
            self.events.extend(events);
            if let Some(part) = self.streams.get_mut(index) {
                part.included = Some(reached);
            }
            let cut = head.0 - reached.0;
            self.leave_out(
                usize::try_from(cut).unwrap_or(usize::MAX),
                "later event",
                &format!(" of `{stream}`: there was no room"),
            );
            self.decisions_of(&stream, reached)?;
        }
        self.leave_out(
            left,
            "stream",
            &format!(
                " with only the changes listed: there was no room for the whole history ({BUNDLE_EVENTS_MAX} events, {} MiB)",
                BUNDLE_BYTES_MAX >> 20
            ),
        );
        self.events.sort_by_key(|event| event.position);
        self.decisions.sort_by_key(|decision| decision.sequence);
        Ok(())
    }

    fn history(&self, stream: &StreamName, to: Revision) -> Result<(Vec<Event>, usize), ApiError> {
        let room = BUNDLE_EVENTS_MAX.saturating_sub(self.events.len());
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut next = Revision(1);
        while next <= to && events.len() < room && self.bytes + bytes < BUNDLE_BYTES_MAX {
            self.view.stop().check().map_err(StoreError::from)?;
            let count = CHUNK.min(room - events.len());
            let found = self
                .view
                .stream_events(stream, next, Direction::Forward, count)?;
            let Some(last) = found.last() else { break };
            next = last.revision.next();
            bytes += found
                .iter()
                .map(|event| event.data.as_str().len() + 512)
                .sum::<usize>();
            events.extend(found);
        }
        Ok((events, bytes))
    }

    fn decisions_of(&mut self, stream: &StreamName, up_to: Revision) -> Result<(), ApiError> {
        let filter = DecisionFilter {
            stream: Some(stream.clone()),
            ..DecisionFilter::default()
        };
        let (mut next, mut left) = (Some(1), 0);
        while let Some(from) = next {
            self.view.stop().check().map_err(StoreError::from)?;
            let page = self
                .view
                .decisions(&filter, Some(from), Direction::Forward, CHUNK)?;
            next = page.next;
            for decision in page.decisions {
                let end = match decision.result {
                    Outcome::Accepted { revision, .. } => revision,
                    Outcome::Rejected { .. } => decision.base_revision,
                };
                let bytes = decision.payload.as_str().len() + 512;
                let is_full = self.decisions.len() >= BUNDLE_EVENTS_MAX
                    || self.bytes + bytes > 2 * BUNDLE_BYTES_MAX;
                if end > up_to || is_full {
                    left += 1;
                    continue;
                }
                self.bytes += bytes;
                self.decisions.push(decision);
            }
        }
        self.leave_out(
            left,
            "decision",
            &format!(" about `{stream}`: there was no room"),
        );
        Ok(())
    }

    /// What the subject and each cause of it changed.
    fn changes(&mut self) -> Result<Vec<EventChange>, ApiError> {
        let nodes = self.found.subject.iter().chain(&self.found.causes);
        let nodes = nodes.chain(&self.found.effects);
        let events: Vec<_> = nodes
            .filter(|node| node.kind == CauseKind::Event)
            .cloned()
            .collect();
        let (mut changes, mut failed) = (Vec::new(), 0);
        for node in events.iter().take(BUNDLE_CHANGES_MAX) {
            let of = CorrelatedStream {
                stream: node.stream.clone(),
                revision_before: Revision(node.revision.0.saturating_sub(1)),
                revision_after: node.revision,
                events: 1,
                other_events: 0,
                refused: 0,
            };
            let by = Impacts {
                travel: &self.parts.travel,
                models: &self.parts.models,
                view: &self.view,
                reveal: Reveal::NO,
            };
            for impact in impacts(&by, std::iter::once(of))? {
                let impact = impact.into_inner();
                // What could not be compared is no event that changed nothing.
                if impact.failed.is_some() {
                    failed += 1;
                    continue;
                }
                changes.push(EventChange {
                    event_id: node.id.clone(),
                    diff: impact.diff,
                });
            }
        }
        self.leave_out(
            failed,
            "event",
            " of the chain with unknown changes: a state could not be folded",
        );
        let more = events.len().saturating_sub(BUNDLE_CHANGES_MAX);
        self.leave_out(more, "event", " of the chain without a list of changes");
        Ok(changes)
    }

    /// Notes about what is in the file.
    fn notes(&mut self) -> Result<Vec<Note>, ApiError> {
        let (notes, unreadable) = self.parts.notes.all()?;
        let own = |note: &Note| {
            let mut parts = self.streams.iter();
            parts.any(|part| {
                part.stream == note.stream
                    && part
                        .included
                        .is_some_and(|to| note.revision.is_none_or(|at| at <= to))
            })
        };
        let notes = notes.into_iter().filter(own).collect();
        let unreadable = usize::try_from(unreadable).unwrap_or(usize::MAX);
        self.leave_out(unreadable, "damaged note", " in the store");
        Ok(notes)
    }

    /// Branches about streams of the file, and what they came to.
    fn branches(&mut self) -> Result<checks::Branches, ApiError> {
        let all = self.parts.branches.find(None, usize::MAX)?;
        let unreadable = usize::try_from(all.unreadable).unwrap_or(usize::MAX);
        self.leave_out(unreadable, "damaged branch", " in the store");
        let mut own: Vec<Branch> = all.branches;
        own.retain(|branch| branch.layers.iter().any(|layer| self.has(&layer.stream)));
        let more = own.len().saturating_sub(BUNDLE_BRANCHES_MAX);
        self.leave_out(
            more,
            "branch",
            &format!(": a file has {BUNDLE_BRANCHES_MAX} at most"),
        );
        own.truncate(BUNDLE_BRANCHES_MAX);
        let (mut kept, mut made) = (Vec::new(), Vec::new());
        for branch in own {
            let Some(part): Option<(WhatIfPart, _)> = checks::of_branch(self, &branch)? else {
                self.leave_out(1, "branch", " that holds a secret of an event");
                continue;
            };
            kept.push(branch);
            made.push(part);
        }
        Ok((kept, made))
    }

    /// Events and decisions in the order of the log, as they may be shown, each decision with the events of the file that tell its place.
    fn in_order(&self) -> Vec<BundleRecord> {
        let models = &self.parts.models;
        let mut records = Vec::with_capacity(self.events.len() + self.decisions.len());
        let mut ids: HashMap<(&StreamName, Revision), &String> = HashMap::new();
        let mut decisions = self.decisions.iter().peekable();
        let mut last: Option<(Position, &String)> = None;
        let decide = |decision: &Decision,
                      last: Option<(Position, &String)>,
                      ids: &HashMap<(&StreamName, Revision), &String>| {
            let ids = place(decision, last, ids);
            let shown = Reveal::NO.show(models, decision.clone());
            BundleRecord::Decision(Box::new(shown), ids)
        };
        for event in &self.events {
            while let Some(decision) = decisions.next_if(|own| own.place() < event.position) {
                records.push(decide(decision, last, &ids));
            }
            ids.insert((&event.stream, event.revision), &event.event_id);
            last = Some((event.position, &event.event_id));
            records.push(BundleRecord::Event(Reveal::NO.show(models, event.clone())));
        }
        for decision in decisions {
            records.push(decide(decision, last, &ids));
        }
        records
    }
}

/// Which events of the file tell a decision's place.
fn place(
    decision: &Decision,
    last: Option<(Position, &String)>,
    ids: &HashMap<(&StreamName, Revision), &String>,
) -> DecisionIds {
    let id = |at: Revision| ids.get(&(&decision.stream, at)).map(|id| (*id).clone());
    if let Outcome::Accepted {
        revision, events, ..
    } = decision.result
        && events > 0
    {
        let first = (revision.0 + 1).saturating_sub(u64::from(events));
        return DecisionIds::Events {
            event_ids: (first..=revision.0)
                .filter_map(|at| id(Revision(at)))
                .collect(),
        };
    }
    DecisionIds::After {
        base_event_id: last.map(|(_, id)| id.clone()),
        base_stream_event_id: id(decision.base_revision),
    }
}
