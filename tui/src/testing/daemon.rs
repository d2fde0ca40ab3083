//! A daemon in memory: the core's own fold, diff and what-if over a small log of several streams.
//!
//! Owns what it knows of a stream, and of all of them. Every answer is about the stream it was asked for, as the real daemon's is.

mod answer;
mod branches;
mod find;
mod investigate;
mod run;
mod what_if;
mod wide;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use whodunit_core::api::Page;
use whodunit_core::api::browse::{DensityOut, Stream};
use whodunit_core::api::pipeline::RunStatus;
use whodunit_core::api::time_travel::{StateOut, Step, StepsOut};
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::diff::diff;
use whodunit_core::event::Event;
use whodunit_core::fold::{Folded, step};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::merge;
use whodunit_core::model::Model as Rules;
use whodunit_core::shown::{Redact as _, Redaction, redact_state};
use whodunit_core::time::Timestamp;
use whodunit_core::users::{self, Passwords};

use super::{history, now, pipeline, sarah};
use crate::client::{
    At, DecisionsQuery, EventsQuery, Order, Pipeline, StreamEventsQuery, StreamSort, StreamsQuery,
    Subject,
};
use crate::effect::{Failure, NoAnswer};

/// The head of the log, far beyond the fixtures: a believable one.
const HEAD: u64 = 18_204;

struct NoPasswords;

impl Passwords for NoPasswords {
    fn hash(&self, _plaintext: &str) -> Result<String, String> {
        Ok("hash".to_owned())
    }

    fn verify(&self, _plaintext: &str, _hash: &str) -> Result<bool, String> {
        Ok(true)
    }
}

/// A store that answers every request from memory.
#[derive(Clone)]
pub(crate) struct Daemon {
    users: Arc<Rules>,
    merge: Arc<Rules>,
    /// The log; Sarah's events come first, so that a test can reach them by index.
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) pipeline: Pipeline,
    /// Whether a consistency check finds nothing.
    pub(crate) sound: bool,
    /// What the title of Sarah's stream is instead of what the model says.
    pub(crate) title: Option<String>,
    /// What every request is answered with instead.
    pub(crate) failure: Option<Failure>,
    /// Items of a page at most.
    pub(crate) page_max: usize,
    /// Query lines that are kept by name.
    pub(crate) lines: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Daemon {
    /// Sarah's history and those of two other users.
    pub(crate) fn sarah() -> Self {
        let mut events = history::of_sarah();
        events.extend(history::of_others());
        Self {
            users: Arc::new(users::model(Arc::new(NoPasswords)).unwrap()),
            merge: Arc::new(merge::model()),
            events,
            decisions: history::decisions(),
            pipeline: pipeline::all(),
            sound: true,
            title: None,
            failure: None,
            page_max: usize::MAX,
            lines: Arc::default(),
        }
    }

    /// The same, with the commands of Sarah's events on record: the clean-up's was caused by the suspension.
    pub(crate) fn decided() -> Self {
        let mut daemon = Self::sarah();
        history::decide(&mut daemon.events, &mut daemon.decisions);
        daemon
    }

    /// The same with orders beside the users, in small pages.
    pub(crate) fn many() -> Self {
        let mut daemon = Self::sarah();
        daemon.events.extend(history::of_orders());
        daemon.page_max = 4;
        // A backfill and the rebuild of the last projection are under way.
        daemon.pipeline.backfills = vec![pipeline::run("backfill", "states", RunStatus::Running)];
        if let Some(last) = daemon.pipeline.projections.last_mut() {
            last.rebuild = Some(pipeline::run("rebuild", &last.name, RunStatus::Running));
        }
        daemon
    }

    pub(crate) fn empty() -> Self {
        Self {
            events: Vec::new(),
            decisions: Vec::new(),
            pipeline: Pipeline::default(),
            ..Self::sarah()
        }
    }

    /// As a daemon that was not asked for the model that decided what is on record.
    pub(crate) fn without_models(mut self) -> Self {
        self.users = Arc::clone(&self.merge);
        self
    }

    pub(crate) fn failing(unreachable: bool) -> Self {
        let failure = Failure {
            code: (!unreachable).then(|| "internal".to_owned()),
            message: if unreachable {
                "no daemon reachable at http://127.0.0.1:4780: nothing listens there"
            } else {
                "the store failed while reading an event"
            }
            .to_owned(),
            hint: Some("start one with `whodunit serve --data DIR`".to_owned()),
            no_answer: unreachable.then_some(NoAnswer::Unreachable),
        };
        Self {
            failure: Some(failure),
            ..Self::sarah()
        }
    }

    fn rules(&self, category: &str) -> &Rules {
        if category == "user" {
            &self.users
        } else {
            &self.merge
        }
    }

    fn history(&self, stream: &StreamName) -> Vec<&Event> {
        let events = self.events.iter();
        events.filter(|event| event.stream == *stream).collect()
    }

    fn names(&self) -> BTreeSet<StreamName> {
        self.events.iter().map(|e| e.stream.clone()).collect()
    }

    fn stream(&self, name: &StreamName) -> Result<Stream, Failure> {
        let events = self.history(name);
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Err(Failure {
                code: Some("no_such_stream".to_owned()),
                message: format!("there is no stream `{name}`"),
                hint: Some("`whodunit streams` lists those there are".to_owned()),
                no_answer: None,
            });
        };
        let rules = self.rules(name.category());
        let mut folded = Folded::start(rules);
        for event in &events {
            folded.push(rules, event);
        }
        let title = self.title.clone().filter(|_| *name == sarah());
        Ok(Stream {
            stream: name.clone(),
            category: name.category().to_owned(),
            revision: last.revision,
            first_position: first.position,
            last_position: last.position,
            first_recorded_at: first.recorded_at,
            last_recorded_at: last.recorded_at,
            last_event_type: last.event_type.clone(),
            last_actor: last.actor.clone(),
            last_reason: last.reason.clone(),
            title: title.or_else(|| rules.title(&folded.state)),
            status: rules.status(&folded.state),
            clock_back_at: None,
            model: rules.name().to_owned(),
        })
    }

    fn page<T>(&self, items: Vec<T>, limit: Option<usize>, cursor: Option<&str>) -> Page<T> {
        let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        let size = limit.unwrap_or(usize::MAX).min(self.page_max);
        let to = from.saturating_add(size);
        let next_cursor = (to < items.len()).then(|| to.to_string());
        Page {
            items: items.into_iter().skip(from).take(size).collect(),
            next_cursor,
            head: HEAD,
            scanned: 0,
            redacted_copy: false,
        }
    }

    fn streams(&self, query: &StreamsQuery) -> Page<Stream> {
        let wanted = query.matching.clone().unwrap_or_default().to_lowercase();
        let matches = |text: &str| text.to_lowercase().contains(&wanted);
        let names = self.names();
        let mut streams: Vec<Stream> = names.iter().map(|n| self.stream(n).unwrap()).collect();
        streams.retain(|stream| {
            query
                .category
                .as_ref()
                .is_none_or(|c| *c == stream.category)
                && (matches(stream.stream.as_str()) || stream.title.as_deref().is_some_and(matches))
        });
        if query.sort == StreamSort::Recent {
            streams.sort_by_key(|stream| {
                std::cmp::Reverse((stream.last_recorded_at, stream.last_position))
            });
        }
        self.page(streams, query.limit, query.cursor.as_deref())
    }

    fn state(&self, name: &StreamName, at: At) -> Result<StateOut, Failure> {
        let head = self.stream(name)?.revision;
        let events = self.history(name);
        let revision = match at {
            At::Head => head.0,
            At::Revision(revision) => revision.0,
            // The clock may go back: what follows a later event is left out.
            At::AsOf(at) => {
                let by_then = events.iter().take_while(|event| event.recorded_at <= at);
                by_then.count() as u64
            }
        };
        let left_out = match at {
            At::AsOf(at) => {
                let later = events.iter().filter(|event| event.revision.0 > revision);
                let late = later.filter(|event| event.recorded_at <= at);
                late.map(|event| event.revision).collect()
            }
            At::Head | At::Revision(_) => Vec::new(),
        };
        let count = whodunit_core::counted::clause(left_out.len() as u64, "event", "is");
        let detail = format!("{count} left out, though recorded by then");
        let warnings = if left_out.is_empty() {
            Vec::new()
        } else {
            vec![Warning::new(WarningCode::LeftOut, detail, left_out)]
        };
        let rules = self.rules(name.category());
        let mut folded = Folded::start(rules);
        for event in events.iter().filter(|event| event.revision.0 <= revision) {
            folded.push(rules, event);
        }
        let mut state = folded.state;
        let redacted = redact_state(rules, &mut state);
        let event = events.iter().find(|event| event.revision.0 == revision);
        Ok(StateOut {
            stream: name.clone(),
            revision: Revision(revision),
            position: event.map(|event| event.position),
            recorded_at: event.map(|event| event.recorded_at),
            state,
            redacted,
            head_revision: head,
            model: rules.name().to_owned(),
            rules_hash: rules.rules_hash().to_owned(),
            snapshot_revision: Revision(0),
            faults: Vec::new(),
            faults_total: 0,
            warnings,
        })
    }

    fn steps(&self, name: &StreamName, query: &StreamEventsQuery) -> StepsOut {
        let rules = self.rules(name.category());
        let mut state = Folded::start(rules).state;
        let steps = self.history(name).into_iter().map(|event| {
            let before = state.clone();
            let applied = step(rules, &mut state, event);
            let mut step = Step {
                event: event.clone(),
                diff: diff(&before, &state),
                applied,
                upcast: None,
            };
            step.redact(&Redaction::new(rules));
            step
        });
        let from = query.from.map_or(1, |from| from.0);
        let steps = steps.filter(|step| step.event.revision.0 >= from);
        let page = self.page(steps.collect(), query.limit, None);
        StepsOut {
            items: page.items,
            next_cursor: page.next_cursor,
            head: page.head,
            scanned: 0,
            warnings: Vec::new(),
        }
    }

    fn decisions(&self, query: &DecisionsQuery) -> Page<Decision> {
        let mut decisions = self.decisions.clone();
        decisions.retain(|decision| {
            let rejected = matches!(decision.result, Outcome::Rejected { .. });
            query.stream.as_ref().is_none_or(|s| *s == decision.stream)
                && query.rejected.is_none_or(|wanted| wanted == rejected)
                && query.line.as_deref().is_none_or(|line| {
                    let row = Subject::Decision(Box::new(decision.clone()));
                    self.matches(&Self::read_line(line), &row)
                })
        });
        if query.order == Order::Backward {
            decisions.reverse();
        }
        self.page(decisions, query.limit, query.cursor.as_deref())
    }

    fn log(&self, query: &EventsQuery) -> Page<Event> {
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| actual == Some(wanted))
        };
        let mut events = self.events.clone();
        events.retain(|event| {
            is(&query.category, Some(event.stream.category()))
                && is(&query.event_type, Some(&event.event_type))
                && is(&query.actor, event.actor.as_deref())
                && is(&query.correlation, event.correlation_id.as_deref())
                && query.text.as_deref().is_none_or(|text| {
                    event.data.as_str().contains(text) || event.stream.as_str().contains(text)
                })
        });
        events.sort_by_key(|event| std::cmp::Reverse(event.position));
        let shown = events.into_iter().map(|mut event| {
            event.redact(&Redaction::new(self.rules(event.stream.category())));
            event
        });
        self.page(shown.collect(), query.limit, query.cursor.as_deref())
    }

    fn density(events: &[&Event]) -> DensityOut {
        let times = || events.iter().map(|event| event.recorded_at);
        let first = times().min().unwrap_or(Timestamp::MIN);
        let last = times().max().unwrap_or(Timestamp::MIN);
        let span = (last.as_micros() - first.as_micros()).max(1);
        let mut counts = vec![0; 240];
        for at in times() {
            let offset = i128::from(at.as_micros() - first.as_micros()) * 239;
            counts[usize::try_from(offset / i128::from(span)).unwrap()] += 1;
        }
        DensityOut {
            first,
            last,
            counts,
        }
    }
}
