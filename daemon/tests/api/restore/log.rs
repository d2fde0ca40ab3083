//! A log as a reader sees it, and whether its decisions name their own events.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};
use whodunit_daemon::store::{DecisionFilter, Direction, LogFilter, View};

/// Everything in a log, by what does not change when it moves.
pub(super) struct Log {
    pub(super) events: Vec<Event>,
    pub(super) decisions: Vec<Decision>,
}

impl Log {
    pub(super) fn from_view(view: &dyn View) -> Self {
        let all = LogFilter::default();
        let page = view
            .log(&all, None, Direction::Forward, usize::MAX, u64::MAX)
            .unwrap();
        let all = DecisionFilter::default();
        let decisions = view
            .decisions(&all, None, Direction::Forward, usize::MAX)
            .unwrap();
        Self {
            events: page.events,
            decisions: decisions.decisions,
        }
    }

    pub(super) fn at(&self, position: Position) -> Option<&Event> {
        self.events.iter().find(|event| event.position == position)
    }

    pub(super) fn of_stream(&self, decision: &Decision, revision: Revision) -> Option<&Event> {
        let mut events = self.events.iter();
        events.find(|event| event.stream == decision.stream && event.revision == revision)
    }

    /// The ids of the events that a decision names: those it led to, or else the last of the log and of its stream before.
    pub(super) fn names(&self, decision: &Decision) -> Vec<Option<String>> {
        let id = |event: Option<&Event>| event.map(|event| event.event_id.clone());
        match decision.result {
            Outcome::Accepted {
                revision,
                position,
                events,
            } if events > 0 => {
                let first = revision.0 + 1 - u64::from(events);
                let mut ids: Vec<_> = (first..=revision.0)
                    .map(|revision| id(self.of_stream(decision, Revision(revision))))
                    .collect();
                ids.push(id(self.at(position)));
                ids
            }
            _ => vec![
                id(self.at(decision.base_position)),
                id(self.of_stream(decision, decision.base_revision)),
            ],
        }
    }

    /// Whether a decision's own numbers fit each other.
    pub(super) fn fits(&self, decision: &Decision) -> bool {
        let before = |position: Position| {
            let mut events = self.events.iter();
            let own = events
                .by_ref()
                .filter(|event| event.stream == decision.stream && event.position <= position);
            own.count() as u64
        };
        match decision.result {
            Outcome::Accepted {
                revision, events, ..
            } if events > 0 => {
                let first = self.of_stream(decision, Revision(revision.0 + 1 - u64::from(events)));
                let own = (revision.0 + 1 - u64::from(events)..=revision.0).all(|revision| {
                    let event = self.of_stream(decision, Revision(revision));
                    event.is_some_and(|event| {
                        event.causation_id.as_ref() == Some(&decision.command_id)
                    })
                });
                own && decision.base_revision.0 == revision.0 - u64::from(events)
                    && first.is_some_and(|first| first.position.0 == decision.base_position.0 + 1)
            }
            _ => before(decision.base_position) == decision.base_revision.0,
        }
    }
}
