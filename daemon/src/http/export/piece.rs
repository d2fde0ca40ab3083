//! Pieces of an export: some lines, and what is left after them.

use std::collections::HashMap;

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::EventView;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Models;
use whodunit_core::note::Note;
use whodunit_core::shown::Reveal;
use whodunit_core::transfer::{DecisionIds, decision_line, note_line};

use super::super::error::ApiError;
use crate::find::{Find, Stretch};
use crate::http::reply::Showable;
use crate::interleave::{Ask, Cursor, EntryView, walk};
use crate::limits::{FIND_PAGE_TIME, SCAN_ENTRIES_MAX};
use crate::store::chain::Chain;
use crate::store::{Direction, Head, ReadEvents, StoreError, View};

/// Events of one piece, at most.
const PIECE_EVENTS: usize = 500;

/// What is left to export.
pub(super) enum What {
    /// Everything, or all events.
    Log { from: Cursor, decisions: bool },
    /// Events that match a line, from this position on.
    Part { from: u64, find: Box<Find> },
}

/// Some lines of an export.
pub(super) struct Piece {
    pub(super) lines: Vec<u8>,
    pub(super) events: u64,
    pub(super) decisions: u64,
    /// Events of which the line says neither yes nor no.
    pub(super) undecided: u64,
    /// The chain behind them, where all records are exported.
    pub(super) chain: Chain,
    /// What is left to export after them.
    pub(super) rest: Option<What>,
    /// The notes about what is exported.
    pub(super) notes: NotesTaken,
}

/// The notes of a store, and which of them are about something that was exported.
#[derive(Debug, Default)]
pub(super) struct NotesTaken {
    notes: Vec<(Note, bool)>,
    /// Stream → its notes.
    of_stream: HashMap<String, Vec<usize>>,
}

impl NotesTaken {
    /// None is taken yet, or, of a whole log, all are.
    pub(super) fn new(notes: Vec<Note>, all: bool) -> Self {
        let mut of_stream: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, note) in notes.iter().enumerate() {
            let stream = note.stream.as_str().to_owned();
            of_stream.entry(stream).or_default().push(index);
        }
        Self {
            notes: notes.into_iter().map(|note| (note, all)).collect(),
            of_stream,
        }
    }

    /// How many are taken.
    pub(super) fn count(&self) -> u64 {
        self.notes.iter().filter(|(_, taken)| *taken).count() as u64
    }

    /// An event is exported.
    fn event(&mut self, stream: &str, revision: Revision) {
        for index in self.of_stream.get(stream).into_iter().flatten() {
            if let Some((note, taken)) = self.notes.get_mut(*index) {
                *taken |= note.revision.is_none_or(|own| own == revision);
            }
        }
    }

    /// The lines of those that are taken.
    pub(super) fn lines(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        for (note, _) in self.notes.iter().filter(|(_, taken)| *taken) {
            note_line(out, note).map_err(unwritten)?;
            out.push(b'\n');
        }
        Ok(())
    }
}

impl Piece {
    /// Appends an event, and chains it.
    fn event(
        &mut self,
        models: &Models,
        reveal: Reveal,
        event: &EventView<'_>,
    ) -> Result<(), StoreError> {
        self.chain.event(event);
        let written = reveal.write_event(models, event, &mut self.lines);
        written.map_err(unwritten)?;
        self.lines.push(b'\n');
        self.events += 1;
        Ok(())
    }
}

/// What is exported, up to where, and what of it may be seen.
pub(super) struct Asked<'a> {
    pub(super) until: Head,
    pub(super) models: &'a Models,
    pub(super) reveal: Reveal,
}

/// The next lines.
pub(super) fn lines(
    view: &dyn View,
    what: What,
    (chain, notes): (Chain, NotesTaken),
    asked: &Asked<'_>,
) -> Result<Piece, ApiError> {
    let mut piece = Piece {
        lines: Vec::new(),
        events: 0,
        decisions: 0,
        undecided: 0,
        chain,
        rest: None,
        notes,
    };
    match what {
        What::Log { from, decisions } => of_log(view, (from, decisions), asked, &mut piece)?,
        What::Part { from, find } => of_part(view, (from, find), asked, &mut piece)?,
    }
    Ok(piece)
}

fn of_log(
    view: &dyn View,
    (from, decisions): (Cursor, bool),
    asked: &Asked<'_>,
    piece: &mut Piece,
) -> Result<(), StoreError> {
    let (models, reveal) = (asked.models, asked.reveal);
    let until = Head {
        decision: if decisions { asked.until.decision } else { 0 },
        ..asked.until
    };
    let ask = Ask {
        from,
        until,
        only_rejected: false,
        limit: PIECE_EVENTS,
    };
    let mut last = None;
    let end = walk(view, ask, &mut |entry, _| {
        match entry {
            EntryView::Event(event) => {
                piece.event(models, reveal, event)?;
                last = Some((event.position, event.event_id.as_str().to_owned()));
            }
            EntryView::Decision(decision) => {
                let ids = place(view, &decision, last.as_ref())?;
                piece.chain.decision(&decision);
                let decision = reveal.show(models, decision);
                decision_line(&mut piece.lines, &decision, &ids).map_err(unwritten)?;
                piece.lines.push(b'\n');
                piece.decisions += 1;
            }
        }
        Ok(())
    })?;
    let done = end.position >= until.position.0 && end.decision >= until.decision;
    piece.rest = (!done).then_some(What::Log {
        from: end,
        decisions,
    });
    Ok(())
}

fn of_part(
    view: &dyn View,
    (from, find): (u64, Box<Find>),
    asked: &Asked<'_>,
    piece: &mut Piece,
) -> Result<(), StoreError> {
    let found = find.events(
        view,
        Stretch {
            from: Some(from),
            last: asked.until.position.0,
            direction: Direction::Forward,
            limit: PIECE_EVENTS,
            budget: SCAN_ENTRIES_MAX,
            time: FIND_PAGE_TIME,
        },
    )?;
    for event in found.items {
        piece.notes.event(event.stream.as_str(), event.revision);
        line(&mut piece.lines, &event)?;
        piece.events += 1;
    }
    let undecided = found.undecided;
    piece.undecided = undecided.map_or(0, |undecided| undecided.undefined + undecided.unknown);
    piece.rest = found.next.map(|from| What::Part { from, find });
    Ok(())
}

/// Which events tell a decision's place. The last event written is looked at first: mostly it is the one.
fn place(
    view: &dyn ReadEvents,
    decision: &Decision,
    last: Option<&(Position, String)>,
) -> Result<DecisionIds, StoreError> {
    let written = |at: Position| last.filter(|(position, _)| *position == at);
    if let Outcome::Accepted {
        revision,
        position,
        events,
    } = decision.result
        && events > 0
    {
        if events == 1
            && let Some((_, id)) = written(position)
        {
            let event_ids = vec![id.clone()];
            return Ok(DecisionIds::Events { event_ids });
        }
        let first = Revision((revision.0 + 1).saturating_sub(u64::from(events)));
        let count = usize::try_from(events).unwrap_or(usize::MAX);
        let events = view.stream_events(&decision.stream, first, Direction::Forward, count)?;
        let event_ids = events.into_iter().map(|event| event.event_id).collect();
        return Ok(DecisionIds::Events { event_ids });
    }
    let base_event_id = match (decision.base_position, written(decision.base_position)) {
        (Position::ZERO, _) => None,
        (_, Some((_, id))) => Some(id.clone()),
        (at, None) => view.event_at(at)?.map(|event| event.event_id),
    };
    let base_stream_event_id = if decision.base_revision == Revision::ZERO {
        None
    } else {
        let base = view.event_at_revision(&decision.stream, decision.base_revision)?;
        base.map(|event| event.event_id)
    };
    Ok(DecisionIds::After {
        base_event_id,
        base_stream_event_id,
    })
}

fn line(lines: &mut Vec<u8>, value: &impl Showable) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *lines, value).map_err(unwritten)?;
    lines.push(b'\n');
    Ok(())
}

pub(super) fn unwritten(error: serde_json::Error) -> StoreError {
    StoreError::Engine {
        doing: "writing a line of an export",
        source: error.into(),
    }
}
