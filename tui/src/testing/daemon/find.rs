//! What a query line finds, by the core's own means.

use std::collections::BTreeMap;
use std::convert::Infallible;

use whodunit_core::api::find::{
    DifferenceOut, DiffersBy, DiffersOut, Facet, FacetValue, FindEnd, FindProgress, SummaryOut,
    UnknownName,
};
use whodunit_core::api::names::{NameKind, NameOut, NamesOut};
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::StreamName;
use whodunit_core::model::Model;
use whodunit_core::predicate::{Predicate, Scope};
use whodunit_core::query::{
    Answer, Context, Field, Neighbour, Query, Subject as Asked, Towards, Within,
};
use whodunit_core::shown::{Redact as _, Redaction};
use whodunit_core::time::input::{Clock, Zone};

use super::{Daemon, HEAD, now};
use crate::client::{FindQuery, Subject};
use crate::request::{Part, Request};

struct Around<'a>(&'a Daemon);

impl Context for Around<'_> {
    type Error = Infallible;

    fn model(&self, stream: &StreamName) -> Model {
        self.0.rules(stream.category()).clone()
    }

    fn condition(&mut self, predicate: &Predicate, at: Asked<'_>) -> Result<Answer, Infallible> {
        let rules = self.0.rules(at.stream().category());
        let mut folded = Folded::start(rules);
        for event in self.0.history(at.stream()) {
            if event.revision <= at.revision() {
                folded.push(rules, event);
            }
        }
        let scope = Scope::new(rules, &folded.state);
        Ok(Answer::of_condition(predicate.evaluate(&match at {
            Asked::Event(event) => scope.with_event(Some(event)),
            Asked::Decision(decision) => scope.with_decision(Some(decision)),
        })))
    }

    fn neighbour(
        &mut self,
        _of: Asked<'_>,
        _within: Within,
        _towards: Towards,
        _steps: u64,
    ) -> Result<Neighbour, Infallible> {
        Ok(Neighbour::End)
    }

    fn is_in_time_order(&mut self, _of: Asked<'_>, _within: Within) -> Result<bool, Infallible> {
        Ok(true)
    }
}

impl Daemon {
    pub(crate) fn read_line(line: &str) -> Query {
        let clock = Clock {
            now: now(),
            zone: Zone::UTC,
        };
        Query::parse(line, &clock).unwrap()
    }

    /// Whether a line matches.
    pub(crate) fn matches(&self, query: &Query, row: &Subject) -> bool {
        let of = match row {
            Subject::Event(event) => Asked::Event(event),
            Subject::Decision(decision) => Asked::Decision(decision),
        };
        query.answer(of, &mut Around(self)) == Ok(Answer::Yes)
    }

    fn matching(&self, query: &Query) -> Vec<Subject> {
        let mut rows: Vec<Subject> = if query.is_of_decisions() {
            let decisions = self.decisions.iter().rev().cloned();
            decisions.map(|d| Subject::Decision(Box::new(d))).collect()
        } else {
            let mut events: Vec<Event> = self.events.clone();
            events.sort_by_key(|event| std::cmp::Reverse(event.position));
            for event in &mut events {
                event.redact(&Redaction::new(self.rules(event.stream.category())));
            }
            events
                .into_iter()
                .map(|e| Subject::Event(Box::new(e)))
                .collect()
        };
        rows.retain(|row| self.matches(query, row));
        rows
    }

    /// A page of what a line finds, and what the search came to.
    pub(super) fn found(&self, asked: &FindQuery) -> (Vec<Subject>, FindEnd) {
        let query = Self::read_line(&asked.line);
        let page = self.page(self.matching(&query), asked.limit, asked.cursor.as_deref());
        let unknown = query.names(Field::Type).into_iter();
        let unknown = unknown.filter(|name| !self.events.iter().any(|e| e.event_type == *name));
        let end = FindEnd {
            query: asked.line.clone(),
            scanned: HEAD,
            matches: page.items.len() as u64,
            complete: page.next_cursor.is_none(),
            next_cursor: page.next_cursor,
            head: HEAD,
            unknown_names: unknown
                .map(|name| UnknownName {
                    key: "type".to_owned(),
                    name: name.to_owned(),
                    did_you_mean: vec!["UserDeleted".to_owned()],
                })
                .collect(),
            ..FindEnd::default()
        };
        (page.items, end)
    }

    /// What comes before the reply to a request.
    pub(crate) fn parts(&self, request: &Request) -> Vec<Part> {
        let (Request::Find(query)
        | Request::MoreFound(query)
        | Request::Log(query)
        | Request::OlderLog(query)) = request
        else {
            return Vec::new();
        };
        if self.failure.is_some() {
            return Vec::new();
        }
        let (rows, _) = self.found(query);
        let half = rows.len().div_ceil(2);
        let (first, second) = rows.split_at(half);
        let part = |rows: &[Subject], scanned: u64, matches: usize| Part {
            rows: rows.to_vec(),
            progress: Some(FindProgress {
                scanned,
                matches: matches as u64,
                next: HEAD - scanned,
                last: HEAD,
            }),
            run: None,
        };
        vec![part(first, HEAD / 2, half), part(second, HEAD, rows.len())]
    }

    pub(super) fn summary(&self, line: &str) -> SummaryOut {
        let rows = self.matching(&Self::read_line(line));
        let events: Vec<&Event> = rows
            .iter()
            .filter_map(|row| match row {
                Subject::Event(event) => Some(&**event),
                Subject::Decision(_) => None,
            })
            .collect();
        let facet = |key: &str, of: &dyn Fn(&Event) -> Option<String>| {
            let mut counts: BTreeMap<Option<String>, u64> = BTreeMap::new();
            for event in &events {
                *counts.entry(of(event)).or_default() += 1;
            }
            let mut values: Vec<FacetValue> = counts
                .into_iter()
                .map(|(value, events)| FacetValue { value, events })
                .collect();
            values.sort_by_key(|value| std::cmp::Reverse(value.events));
            Facet {
                key: key.to_owned(),
                values,
                more_values: 0,
                more_events: 0,
                exact: true,
            }
        };
        let facets = vec![
            facet("type", &|event| Some(event.event_type.clone())),
            facet("actor", &|event| event.actor.clone()),
            facet("category", &|event| {
                Some(event.stream.category().to_owned())
            }),
            facet("stream", &|event| Some(event.stream.as_str().to_owned())),
        ];
        let streams = facets.last().map_or(0, |facet| facet.values.len() as u64);
        SummaryOut {
            query: line.to_owned(),
            matches: events.len() as u64,
            streams,
            scanned: HEAD,
            complete: true,
            down_to: None,
            density: (!events.is_empty()).then(|| Self::density(&events)),
            facets,
            head: HEAD,
            undecided: None,
            redacted_copy: false,
        }
    }

    pub(super) fn differs(line: &str) -> DiffersOut {
        DiffersOut {
            query: line.to_owned(),
            by: DiffersBy::Stream,
            selected: 27,
            rest: 373,
            moment: Some(now()),
            not_yet: 0,
            complete: true,
            differences: vec![DifferenceOut {
                attribute: "before.status".to_owned(),
                value: Some("suspended".to_owned()),
                selected: 16,
                rest: 0,
                g2: 80.0,
                difference: 0.6,
                low: 0.4,
                high: 0.7,
                p: 0.0,
            }],
            looked_at: 40,
            left_out: 0,
            head: HEAD,
            redacted_copy: false,
        }
    }

    pub(super) fn names_of(&self, kind: NameKind, prefix: &str) -> NamesOut {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        if kind == NameKind::Field {
            let known = [
                "state.email",
                "state.status",
                "state.username",
                "/email",
                "/status",
            ];
            for name in known.into_iter().filter(|name| name.starts_with(prefix)) {
                counts.insert(name.to_owned(), 40);
            }
        }
        for event in &self.events {
            let name = match kind {
                NameKind::Type => Some(event.event_type.as_str()),
                NameKind::Actor => event.actor.as_deref(),
                NameKind::Category => Some(event.stream.category()),
                NameKind::Stream => Some(event.stream.as_str()),
                NameKind::Correlation => event.correlation_id.as_deref(),
                NameKind::Field => None,
            };
            if let Some(name) = name.filter(|name| name.starts_with(prefix)) {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
        let items = counts.into_iter();
        NamesOut {
            items: items
                .map(|(name, events)| NameOut { name, events })
                .collect(),
            more: false,
            complete: true,
        }
    }
}
