//! Blame, histories of fields, bisect and what led to an event: by the core's own means.

use std::ops::ControlFlow;

use whodunit_core::api::investigate::{
    BisectIn, BisectMatch, BisectOut, BlameOut, BlamedFieldOut, EventCause, FieldOut,
    FieldValueOut, FindIn,
};
use whodunit_core::api::why::{RefusedAttempt, RefusedAttempts};
use whodunit_core::bisect::{Pick, Probe, Scan};
use whodunit_core::blame::{Blame, FieldHistory};
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::pointer::Pointer;
use whodunit_core::predicate::Predicate;
use whodunit_core::shown::{Redact as _, Redaction};

use super::Daemon;
use crate::client::{
    At, Changed, Count, EventsQuery, FollowCounts, Origin, Preview, StreamEventsQuery, Subject,
};
use crate::effect::Failure;

pub(super) fn refused(code: &str, message: String) -> Failure {
    Failure {
        code: Some(code.to_owned()),
        message,
        hint: None,
        no_answer: None,
    }
}

impl Daemon {
    fn cause_at(&self, stream: &StreamName, revision: Revision) -> Option<EventCause> {
        let events = self.history(stream);
        let event = events
            .into_iter()
            .find(|event| event.revision == revision)?;
        Some(EventCause {
            position: event.position,
            event_id: event.event_id.clone(),
            event_type: event.event_type.clone(),
            recorded_at: event.recorded_at,
            actor: event.actor.clone(),
            reason: event.reason.clone(),
            correlation_id: event.correlation_id.clone(),
            command_id: None,
            command_type: None,
        })
    }

    /// Refused commands decided on these revisions whose payload names the field.
    fn refused(
        &self,
        stream: &StreamName,
        path: &str,
        from: Revision,
        until: Revision,
    ) -> RefusedAttempts {
        let name = path.trim_start_matches('/');
        let decisions = self.decisions.iter().filter(|decision| {
            decision.stream == *stream
                && (from..=until).contains(&decision.base_revision)
                && decision.payload.to_value().get(name).is_some()
        });
        let last: Vec<_> = decisions.filter_map(RefusedAttempt::of_decision).collect();
        RefusedAttempts {
            total: last.len() as u64,
            last,
        }
    }

    pub(super) fn blame(&self, stream: &StreamName, at: At) -> Result<BlameOut, Failure> {
        let reached = self.state(stream, at)?;
        let rules = self.rules(stream.category());
        let (mut folded, mut blame) = (Folded::start(rules), Blame::start());
        for event in self.history(stream) {
            if event.revision <= reached.revision {
                blame.push(rules, &mut folded, event);
            }
        }
        let mut fields = Vec::new();
        blame.for_each_field(&folded.state, &Pointer::default(), &mut |field| {
            fields.push(BlamedFieldOut {
                path: field.path.to_owned(),
                label: field.label.map(str::to_owned),
                value: field.value.clone(),
                revision: field.set_by,
                event: self.cause_at(stream, field.set_by),
                refused: self.refused(stream, field.path, field.set_by, reached.revision),
            });
            ControlFlow::Continue(())
        });
        let mut out = BlameOut {
            stream: stream.clone(),
            revision: reached.revision,
            fields,
            removed: None,
            removed_dropped: 0,
            redacted: Vec::new(),
            head_revision: reached.head_revision,
            model: rules.name().to_owned(),
            snapshot_revision: Revision(0),
            warnings: Vec::new(),
        };
        out.redact(&Redaction::new(rules));
        Ok(out)
    }

    pub(super) fn field(
        &self,
        stream: &StreamName,
        path: &str,
        at: At,
    ) -> Result<FieldOut, Failure> {
        let reached = self.state(stream, at)?;
        let rules = self.rules(stream.category());
        let mut folded = Folded::start(rules);
        let parsed = path
            .parse()
            .map_err(|_error| refused("bad_parameter", format!("`{path}` is no path")))?;
        let mut history = FieldHistory::start(parsed, &folded);
        let mut values = Vec::new();
        for event in self.history(stream) {
            if event.revision > reached.revision {
                break;
            }
            if let Some(change) = history.push(rules, &mut folded, event).1 {
                values.push(FieldValueOut {
                    revision: change.revision,
                    absent: change.value.is_none(),
                    value: change.value.unwrap_or_default(),
                    event: self.cause_at(stream, change.revision),
                    refused: RefusedAttempts::default(),
                });
            }
        }
        if values.is_empty() {
            return Err(refused("no_such_field", format!("nothing is at `{path}`")));
        }
        let mut until = reached.revision;
        for value in values.iter_mut().rev() {
            value.refused = self.refused(stream, path, value.revision, until);
            until = Revision(value.revision.0.saturating_sub(1));
        }
        values.reverse();
        let mut out = FieldOut {
            stream: stream.clone(),
            path: path.to_owned(),
            revision: reached.revision,
            values,
            refused_before: RefusedAttempts::default(),
            next_cursor: None,
            redacted: Vec::new(),
            warnings: Vec::new(),
        };
        out.redact(&Redaction::new(rules));
        Ok(out)
    }

    pub(super) fn bisect(&self, asked: &BisectIn) -> Result<BisectOut, Failure> {
        let stream = asked.stream.clone().unwrap();
        let predicate = Predicate::parse(&asked.predicate)
            .map_err(|error| refused("bad_predicate", error.to_string()))?;
        let rules = self.rules(stream.category());
        let (from, to) = (asked.from.unwrap(), asked.to.unwrap());
        let pick = match asked.find {
            FindIn::First => Pick::First,
            FindIn::Last => Pick::Last,
            FindIn::Flips => Pick::Flips,
        };
        let mut scan = Scan::new(pick, 100);
        let mut folded = Folded::start(rules);
        let mut probe = Probe::new(rules, &predicate);
        let first = probe.start(&folded, None, None).unwrap();
        let mut is_over = from == Revision::ZERO && scan.add(Revision::ZERO, first);
        for event in self.history(&stream) {
            let truth = probe.push(&mut folded, event).unwrap();
            if !is_over && event.revision >= from && event.revision <= to {
                is_over = scan.add(event.revision, truth);
            }
        }
        let found = scan.finish();
        Ok(BisectOut {
            predicate: asked.predicate.clone(),
            from,
            to,
            matches: found
                .matches
                .iter()
                .map(|flip| BisectMatch {
                    stream: stream.clone(),
                    revision: flip.revision,
                    holds: flip.holds,
                    event: self.cause_at(&stream, flip.revision),
                })
                .collect(),
            matches_total: found.matches_total,
            holds_at_start: found.holds_at_start == Some(true),
            holds_at_end: found.holds_at_end,
            assumed_one_flip: false,
            folds: 1,
            revisions: found.revisions,
            evaluations: probe.evaluations(),
            undefined: None,
            warnings: Vec::new(),
        })
    }

    fn count(&self, query: &EventsQuery) -> Count {
        let mut all = self.clone();
        all.page_max = usize::MAX;
        let events = all.log(query).items;
        let streams: std::collections::BTreeSet<_> =
            events.iter().map(|event| event.stream.clone()).collect();
        Count {
            events: events.len() as u64,
            streams: streams.len() as u64,
            more: false,
        }
    }

    fn batch(&self, correlation: Option<&str>) -> Option<Count> {
        Some(self.count(&EventsQuery {
            correlation: Some(correlation?.to_owned()),
            ..EventsQuery::default()
        }))
    }

    pub(super) fn origin(&self, of: &Subject) -> Origin {
        let (id, causation) = match of {
            Subject::Event(event) => (&event.event_id, event.causation_id.as_deref()),
            Subject::Decision(decision) => (&decision.command_id, decision.causation_id.as_deref()),
        };
        let mut decisions = self.decisions.iter();
        let command = decisions.find(|d| Some(d.command_id.as_str()) == causation);
        let behind = match command {
            Some(command) => command.causation_id.as_deref(),
            None => causation,
        };
        let by_id = |event: &&Event| Some(event.event_id.as_str()) == behind;
        let cause = self.events.iter().find(by_id).cloned();
        let of_cause = cause
            .as_ref()
            .and_then(|cause| cause.correlation_id.as_deref());
        Origin {
            event_id: id.clone(),
            command: command.cloned(),
            missing: behind.filter(|_| cause.is_none()).map(str::to_owned),
            batch: self.batch(of.correlation()),
            cause_batch: self.batch(of_cause),
            cause,
        }
    }

    pub(super) fn follow_counts(&self, of: &Subject) -> FollowCounts {
        let by_actor = of.actor().map(|actor| EventsQuery {
            actor: Some(actor.to_owned()),
            ..EventsQuery::default()
        });
        let of_type = of.event_type().map(|event_type| EventsQuery {
            event_type: Some(event_type.to_owned()),
            ..EventsQuery::default()
        });
        FollowCounts {
            subject: of.clone(),
            origin: self.origin(of),
            actor: by_actor.map(|query| self.count(&query)),
            event_type: of_type.map(|query| self.count(&query)),
        }
    }

    pub(super) fn preview(&self, stream: &StreamName, at: At) -> Result<Preview, Failure> {
        let state = self.state(stream, at)?;
        let mut events = self.history(stream).into_iter();
        let event = events
            .find(|event| event.revision == state.revision)
            .cloned();
        let event = event.map(|mut event| {
            event.redact(&Redaction::new(self.rules(stream.category())));
            event
        });
        let origin = event
            .as_ref()
            .map(|event| self.origin(&Subject::Event(Box::new(event.clone()))));
        Ok(Preview {
            state,
            event,
            origin,
        })
    }

    pub(super) fn changes(
        &self,
        events: &[(StreamName, Revision)],
    ) -> Result<Vec<Changed>, Failure> {
        let each = |(stream, revision): &(StreamName, Revision)| {
            let query = StreamEventsQuery {
                from: Some(*revision),
                limit: Some(1),
                ..StreamEventsQuery::default()
            };
            Ok(Changed {
                stream: stream.clone(),
                revision: *revision,
                title: self.stream(stream)?.title,
                step: self.steps(stream, &query).items.into_iter().next(),
            })
        };
        events.iter().map(each).collect()
    }
}
