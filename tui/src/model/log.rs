//! The log screen: every event of every category, with a live tail.

use std::collections::VecDeque;

use whodunit_core::api::browse::DensityOut;
use whodunit_core::api::find::{FindProgress, SummaryOut};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::query::Query;
use whodunit_core::time::Timestamp;

use super::line::QueryLine;
use super::{Asked, Remote};
use crate::client::{FindQuery, Subject};

/// Events a page asks for.
pub(crate) const PAGE: usize = 200;
/// Rows kept at most; the oldest go, and can be loaded again.
pub(crate) const ROWS_MAX: usize = 5_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LogRow {
    Event(Box<Event>),
    /// A command, mostly one that was refused.
    Rejected(Box<Decision>),
}

impl From<Subject> for LogRow {
    fn from(found: Subject) -> Self {
        match found {
            Subject::Event(event) => Self::Event(event),
            Subject::Decision(decision) => Self::Rejected(decision),
        }
    }
}

impl LogRow {
    /// When it was recorded, or decided.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Rejected(decision) => decision.decided_at,
        }
    }
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
    /// The filter as it is typed.
    pub(crate) line: QueryLine,
    /// The filter that the rows passed, with its times in full.
    pub(crate) applied: Query,
    pub(crate) density: Option<DensityOut>,
    /// What passes the filter, in figures.
    pub(crate) summary: Remote<SummaryOut>,
    /// Whether the rows are of an earlier look, until the first of this one come.
    pub(crate) is_old: bool,
    pub(crate) progress: Option<FindProgress>,
    /// Rows of an older page that has not come to its end yet, newest first.
    pub(crate) begun: Vec<LogRow>,
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
            line: QueryLine::default(),
            applied: Query::everything(),
            density: None,
            summary: Remote::Absent,
            is_old: false,
            progress: None,
            begun: Vec::new(),
        }
    }
}

impl LogScreen {
    pub(crate) fn current(&self) -> Option<&LogRow> {
        self.rows.value()?.get(self.selected)
    }

    pub(crate) fn query(&self, cursor: Option<String>) -> FindQuery {
        FindQuery {
            line: self.applied.to_string(),
            order: None,
            cursor,
            limit: Some(PAGE),
            reveal: false,
        }
    }

    /// Whether only what matches a line is shown.
    pub(crate) fn is_filtered(&self) -> bool {
        !self.applied.is_everything()
    }

    /// Whether rejected commands are asked for beside the events: a line that is of decisions brings them itself.
    pub(crate) fn shows_decisions(&self) -> bool {
        !self.applied.is_of_decisions()
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
        let Some(rows) = self.rows.value_mut() else {
            return;
        };
        // Newest first, so that the places of the older ones stay right.
        for decision in waiting {
            if decision.base_position.0 < oldest && !whole {
                later.push(decision);
                continue;
            }
            // One that the live feed brought meanwhile is there already.
            let known = rows.iter().rev().any(
                |row| matches!(row, LogRow::Rejected(other) if other.sequence == decision.sequence),
            );
            if known {
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
        if self.is_filtered() {
            super::find::call(&self.applied)
        } else if self.follow {
            "whodunit events --follow".to_owned()
        } else {
            "whodunit events".to_owned()
        }
    }
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
