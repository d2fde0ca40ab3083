//! Rows of the story: what is on record, line by line, and what becomes of each line in the other world.

use std::collections::HashMap;

use whodunit_core::api::time_travel::Step;
use whodunit_core::api::what_if::WhatIfStep;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Revision, StreamName};

use super::scenario::{Added, Place};
use super::{Recorded, WhatIfScreen};

/// Names a row, whatever stands above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowId {
    /// The event at a revision; 0 is the empty stream.
    Event(u64),
    /// The refused command of a decision.
    Refused(u64),
    /// What a change adds.
    Added(usize),
    /// Events from this revision on that are not loaded.
    Far(u64),
    /// Steps that are not loaded.
    More,
}

/// A row of the story.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row<'a> {
    /// The empty stream.
    Empty,
    /// A recorded event, and what becomes of it where that is more than the same.
    Event(u64, Option<&'a Step>, Option<&'a WhatIfStep>),
    /// A refused command, likewise.
    Refused(&'a Decision, Option<&'a WhatIfStep>),
    /// Something that is added, and what comes of it once that is known.
    Added(usize, &'a Added, Option<&'a WhatIfStep>),
    /// Recorded events that are not loaded, from one revision to another.
    Far(u64, u64),
    /// So many steps that are not loaded.
    More(u64),
}

impl<'a> Row<'a> {
    pub(crate) fn id(&self) -> RowId {
        match self {
            Self::Empty => RowId::Event(0),
            Self::Event(revision, ..) => RowId::Event(*revision),
            Self::Refused(decision, _) => RowId::Refused(decision.sequence),
            Self::Added(index, ..) => RowId::Added(*index),
            Self::Far(from, _) => RowId::Far(*from),
            Self::More(_) => RowId::More,
        }
    }

    pub(crate) fn step(&self) -> Option<&'a WhatIfStep> {
        match self {
            Self::Event(.., step) | Self::Refused(_, step) | Self::Added(.., step) => *step,
            Self::Empty | Self::Far(..) | Self::More(_) => None,
        }
    }
}

/// What becomes of what is on record, by what it is about.
#[derive(Default)]
struct Steps<'a> {
    by_decision: HashMap<u64, &'a WhatIfStep>,
    by_revision: HashMap<u64, &'a WhatIfStep>,
    /// Of nothing on record, in order.
    added: Vec<&'a WhatIfStep>,
}

impl<'a> Steps<'a> {
    fn of(steps: &'a [WhatIfStep], stream: &StreamName, is_main: bool) -> Self {
        let mut out = Self::default();
        for step in steps {
            if step.stream.as_ref().map_or(!is_main, |of| of != stream) {
                continue;
            }
            if let Some(sequence) = step.decision {
                out.by_decision.insert(sequence, step);
            }
            match step.recorded_revision {
                Some(Revision(last)) => {
                    // All events that the command led to.
                    let events = step.was.as_ref().map_or(1, |was| u64::from(was.events));
                    let first = last.saturating_sub(events.max(1) - 1);
                    out.by_revision
                        .extend((first..=last).map(|revision| (revision, step)));
                }
                None if step.decision.is_none() => out.added.push(step),
                None => {}
            }
        }
        out
    }
}

impl WhatIfScreen {
    /// The rows of the stream that is shown.
    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let is_main = self.shown == self.stream;
        let result = self.result.value();
        let steps = result.map_or(&[][..], |out| &out.steps);
        let steps = Steps::of(steps, &self.shown, is_main);
        let mut rows: Vec<((u64, u64, u64), Row<'_>)> = Vec::new();
        if let Some(recorded) = self.histories.get(&self.shown) {
            recorded_rows(recorded, &steps, &mut rows);
        }
        if is_main {
            let mut answers = steps.added.iter().copied().peekable();
            for (index, place, added) in self.scenario.added() {
                // What is not answered yet has no step.
                let step = answers.next_if(|step| step.step_type == added.type_name());
                let (revision, beside) = place.order();
                let order = match place {
                    Place::After(_) => (revision, 1, index as u64),
                    _ => (revision, 2, beside.saturating_mul(2)),
                };
                rows.push((order, Row::Added(index, added, step)));
            }
        }
        // Of equal places the earlier change comes first.
        rows.sort_by_key(|(order, _)| *order);
        let mut rows: Vec<Row<'_>> = rows.into_iter().map(|(_, row)| row).collect();
        rows.extend(self.more_steps().map(Row::More));
        rows
    }

    /// Where the cursor stands among the rows: where its row was, if that is gone.
    pub(crate) fn index(&self, rows: &[Row<'_>]) -> usize {
        let last = rows.len().saturating_sub(1);
        let own = rows.iter().position(|row| row.id() == self.cursor);
        own.unwrap_or(self.cursor_index.min(last))
    }

    /// How many steps are listed by the daemon and not loaded yet, if there are any.
    pub(crate) fn more_steps(&self) -> Option<u64> {
        let out = self.result.value()?;
        out.next_cursor.as_ref()?;
        let listed = out.steps_total.saturating_sub(out.steps_unchanged);
        Some(listed.saturating_sub(out.steps.len() as u64).max(1))
    }
}

fn recorded_rows<'a>(
    recorded: &'a Recorded,
    steps: &Steps<'a>,
    rows: &mut Vec<((u64, u64, u64), Row<'a>)>,
) {
    rows.push(((0, 0, 0), Row::Empty));
    let head = recorded.head();
    let mut next = 1;
    for (&revision, step) in &recorded.steps {
        if revision > next {
            rows.push(((next, 0, 0), Row::Far(next, revision - 1)));
        }
        let other = steps.by_revision.get(&revision).copied();
        rows.push(((revision, 0, 0), Row::Event(revision, Some(step), other)));
        next = revision + 1;
    }
    match (next <= head, recorded.steps.is_empty()) {
        (true, false) => rows.push(((next, 0, 0), Row::Far(next, head))),
        // Nothing is loaded yet: only how much there is.
        (true, true) => rows.push(((1, 0, 0), Row::Far(1, head))),
        (false, _) => {}
    }
    let is_loaded = |revision: u64| revision == 0 || recorded.steps.contains_key(&revision);
    for decision in &recorded.decisions {
        let at = decision.base_revision.0;
        if matches!(decision.result, Outcome::Rejected { .. }) && is_loaded(at) {
            let order = (at, 2, decision.sequence.max(1).saturating_mul(2) + 1);
            let step = steps.by_decision.get(&decision.sequence).copied();
            rows.push((order, Row::Refused(decision, step)));
        }
    }
}
