//! The log screen: every event of every category, with a live tail.

use std::collections::VecDeque;

use tui_input::Input;
use whodunit_core::api::browse::DensityOut;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::search::Search;
use whodunit_core::time::Timestamp;

use super::{Asked, Remote};
use crate::client::{EventsQuery, Order};

/// Events a page asks for.
pub(crate) const PAGE: usize = 200;
/// Rows kept at most; the oldest go, and can be loaded again.
pub(crate) const ROWS_MAX: usize = 5_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LogRow {
    Event(Box<Event>),
    Rejected(Box<Decision>),
}

#[derive(Debug, Clone)]
pub(crate) struct LogScreen {
    pub(crate) asked: Asked,
    pub(crate) rows: Remote<VecDeque<LogRow>>,
    /// Where older events go on; `None` at the beginning of the log.
    pub(crate) older: Option<String>,
    pub(crate) selected: usize,
    pub(crate) follow: bool,
    /// Rejected decisions, newest first, that have no place among the loaded events yet.
    pub(crate) decisions: Vec<Decision>,
    /// Where older decisions go on; `None` at the first one.
    pub(crate) older_decisions: Option<String>,
    /// Rows that came while the first page was on its way: it may not have them.
    pub(crate) early: Vec<LogRow>,
    /// Events that came while the log was paused.
    pub(crate) unseen: Vec<LogRow>,
    /// How many of those were too many to keep.
    pub(crate) missed: usize,
    pub(crate) filter: Input,
    pub(crate) filtering: bool,
    pub(crate) filter_error: Option<String>,
    /// The filter that the rows passed.
    pub(crate) applied: EventsQuery,
    pub(crate) density: Option<DensityOut>,
}

impl Default for LogScreen {
    fn default() -> Self {
        Self {
            asked: Asked::default(),
            rows: Remote::Absent,
            older: None,
            decisions: Vec::new(),
            older_decisions: None,
            selected: 0,
            follow: true,
            early: Vec::new(),
            unseen: Vec::new(),
            missed: 0,
            filter: Input::default(),
            filtering: false,
            filter_error: None,
            applied: EventsQuery::default(),
            density: None,
        }
    }
}

impl LogScreen {
    pub(crate) fn current(&self) -> Option<&LogRow> {
        self.rows.value()?.get(self.selected)
    }

    pub(crate) fn query(&self) -> EventsQuery {
        EventsQuery {
            order: Order::Backward,
            limit: Some(PAGE),
            ..self.applied.clone()
        }
    }

    /// Whether a new event passes the filter; the daemon's own filter is the same.
    pub(crate) fn admits(&self, event: &Event) -> bool {
        let filter = &self.applied;
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted.as_deref().is_none_or(|w| actual == Some(w))
        };
        is(&filter.category, Some(event.stream.category()))
            && is(&filter.event_type, Some(&event.event_type))
            && is(&filter.actor, event.actor.as_deref())
            && is(&filter.correlation, event.correlation_id.as_deref())
            && filter.since.is_none_or(|since| event.recorded_at >= since)
            && filter.until.is_none_or(|until| event.recorded_at <= until)
            && filter
                .text
                .as_deref()
                .and_then(Search::new)
                .is_none_or(|text| text.in_event(event))
    }

    /// Whether the filter speaks of events only, so that rejected commands have no place in it.
    pub(crate) fn shows_decisions(&self) -> bool {
        let filter = &self.applied;
        filter.event_type.is_none() && filter.text.is_none()
    }

    pub(crate) fn admits_decision(&self, decision: &Decision) -> bool {
        let filter = &self.applied;
        self.shows_decisions()
            && filter
                .category
                .as_deref()
                .is_none_or(|category| decision.stream.category() == category)
            && filter.actor.is_none_or_is(decision.actor.as_deref())
            && filter
                .correlation
                .is_none_or_is(decision.correlation_id.as_deref())
            && filter
                .since
                .is_none_or(|since| decision.decided_at >= since)
            && filter
                .until
                .is_none_or(|until| decision.decided_at <= until)
    }

    /// Position of the oldest event shown.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.rows.value()?.iter().find_map(|row| match row {
            LogRow::Event(event) => Some(event.position.0),
            LogRow::Rejected(_) => None,
        })
    }

    /// Puts the waiting decisions among the events, each after the last event before it. Those older than every event
    /// shown wait on, unless the log begins here.
    pub(crate) fn weave(&mut self) {
        let (oldest, whole) = (self.oldest().unwrap_or(0), self.older.is_none());
        let waiting = std::mem::take(&mut self.decisions);
        let selected = self.selected;
        let mut later = Vec::new();
        let mut before_selected = 0;
        let admitted: Vec<bool> = waiting
            .iter()
            .map(|decision| self.admits_decision(decision))
            .collect();
        let Some(rows) = self.rows.value_mut() else {
            return;
        };
        // Newest first, so that the places of the older ones stay right.
        for (decision, admitted) in waiting.into_iter().zip(admitted) {
            if decision.base_position.0 < oldest && !whole {
                later.push(decision);
                continue;
            }
            // One that the live feed brought meanwhile is there already.
            let known = rows.iter().rev().any(
                |row| matches!(row, LogRow::Rejected(other) if other.sequence == decision.sequence),
            );
            if !admitted || known {
                continue;
            }
            let at = rows.partition_point(|row| match row {
                LogRow::Event(event) => event.position <= decision.base_position,
                LogRow::Rejected(other) => other.sequence < decision.sequence,
            });
            before_selected += usize::from(at <= selected);
            rows.insert(at, LogRow::Rejected(Box::new(decision)));
        }
        let last = rows.len().saturating_sub(1);
        self.selected = if self.follow {
            last
        } else {
            (selected + before_selected).min(last)
        };
        self.decisions = later;
    }

    /// Whether older decisions have to be loaded to go with the events shown.
    pub(crate) fn wants_decisions(&self) -> bool {
        let reached = self
            .decisions
            .last()
            .is_some_and(|oldest| oldest.base_position.0 < self.oldest().unwrap_or(0));
        self.older_decisions.is_some() && !reached && self.shows_decisions()
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        let call = super::find::call(&self.applied);
        if self.follow {
            format!("{call} --follow")
        } else {
            call
        }
    }
}

trait NoneOrIs {
    fn is_none_or_is(&self, actual: Option<&str>) -> bool;
}

impl NoneOrIs for Option<String> {
    fn is_none_or_is(&self, actual: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wanted| actual == Some(wanted))
    }
}

/// Reads a filter line: `category:user actor:api since:2h some text`.
pub(crate) fn parse_filter(text: &str, now: Timestamp) -> Result<EventsQuery, String> {
    let mut query = EventsQuery::default();
    let mut free = Vec::new();
    for word in words(text) {
        match word.split_once(':') {
            Some(("category", value)) => query.category = Some(value.to_owned()),
            Some(("type", value)) => query.event_type = Some(value.to_owned()),
            Some(("actor", value)) => query.actor = Some(value.to_owned()),
            Some(("correlation", value)) => query.correlation = Some(value.to_owned()),
            Some(("since", value)) => query.since = Some(moment(value, now)?),
            Some(("until", value)) => query.until = Some(moment(value, now)?),
            _ => free.push(word),
        }
    }
    query.text = (!free.is_empty()).then(|| free.join(" "));
    Ok(query)
}

/// The words of a line: blanks within quotes belong to a word, `\"` is a quote itself.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let (mut word, mut is_quoted, mut is_begun) = (String::new(), false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'"') => word.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => {
                if is_begun {
                    out.push(std::mem::take(&mut word));
                }
                is_begun = false;
                continue;
            }
            c => word.push(c),
        }
        is_begun = true;
    }
    if is_begun {
        out.push(word);
    }
    out
}

/// A time, or how long ago: `2h`, `30m`, `7d`, `45s`.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(micros) = ago(text) {
        return Ok(now.plus_micros(-micros));
    }
    text.parse::<Timestamp>()
        .map_err(|error| format!("{error}, or `2h` for two hours ago"))
}

/// Microseconds of a duration like `2h`.
pub(crate) fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let count: i64 = text
        .strip_suffix(unit)?
        .parse()
        .ok()
        .filter(|count| (0..1_000_000).contains(count))?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(count * seconds * 1_000_000)
}
