//! Blocks of decisions, by sequence.
//!
//! Owns the columns of such a block. Its sequences are dense: only the first is written. Beside a decision stands the event that
//! it was written behind, which is not always the place that it has: so the order of all records is known, which the chain
//! goes by.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

use super::columns::{ColumnsReader, ColumnsWriter, Id, Span, Texts, Words};
use crate::store::bytes::{Malformed, Read};

/// A decision on its way into a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decided<'a> {
    /// Position of the last event of the log when it was written; of its own last event, when that was written with it.
    pub(crate) behind: Position,
    /// The decision.
    pub(crate) decision: &'a Decision,
}

/// Encodes decisions with sequences one after another.
pub(crate) fn encode(decided: &[Decided<'_>]) -> Vec<u8> {
    let mut out = ColumnsWriter::default();
    out.size(decided.len());
    out.number(decided.first().map_or(0, |first| first.decision.sequence));
    for Decided { behind, decision } in decided {
        let mut place = decision.place().0.cast_signed();
        out.delta(&mut place, behind.0.cast_signed());
    }
    let decisions = || decided.iter().map(|own| own.decision);
    let mut words = Words::default();
    for decision in decisions() {
        out.word(&mut words, Some(decision.stream.as_str()));
    }
    let mut words = Words::default();
    for decision in decisions() {
        out.word(&mut words, Some(&decision.command_type));
    }
    let mut words = Words::default();
    for decision in decisions() {
        out.word(&mut words, decision.actor.as_deref());
    }
    let mut words = Words::default();
    for decision in decisions() {
        out.word(&mut words, decision.reason.as_deref());
    }
    let mut words = Words::default();
    for decision in decisions() {
        out.word(&mut words, Some(&decision.rules_hash));
    }
    let mut before = 0;
    for decision in decisions() {
        out.delta(&mut before, decision.decided_at.as_micros());
    }
    let mut before = None;
    for decision in decisions() {
        let at = decision.decided_at.as_micros();
        out.id(&mut before, Some(&decision.command_id), at);
    }
    let mut before = None;
    for decision in decisions() {
        let at = decision.decided_at.as_micros();
        out.id(&mut before, decision.correlation_id.as_deref(), at);
    }
    let mut before = None;
    for decision in decisions() {
        let at = decision.decided_at.as_micros();
        out.id(&mut before, decision.causation_id.as_deref(), at);
    }
    let mut before = 0;
    for decision in decisions() {
        out.delta(&mut before, decision.base_revision.0.cast_signed());
    }
    let mut before = 0;
    for decision in decisions() {
        out.delta(&mut before, decision.base_position.0.cast_signed());
    }
    encode_outcomes(&mut out, decisions());
    for decision in decisions() {
        out.text(decision.payload.as_str());
    }
    out.finish()
}

const REJECTED: u64 = 0;

/// An accepted one as the count of its events and one, and how far from its base it ended; a rejected one as 0 and its rule.
fn encode_outcomes<'a>(out: &mut ColumnsWriter, decisions: impl Iterator<Item = &'a Decision>) {
    let mut rules = Words::default();
    for decision in decisions {
        match &decision.result {
            Outcome::Accepted {
                revision,
                position,
                events,
            } => {
                out.number(u64::from(*events) + 1);
                let mut base = decision.base_revision.0.cast_signed();
                out.delta(&mut base, revision.0.cast_signed());
                let mut base = decision.base_position.0.cast_signed();
                out.delta(&mut base, position.0.cast_signed());
            }
            Outcome::Rejected { rule, message } => {
                out.number(REJECTED);
                out.word(&mut rules, Some(rule));
                out.text(message);
            }
        }
    }
}

/// What a block says of one decision.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// How far behind its place it was written.
    behind_place: i64,
    stream: Span,
    command_type: Span,
    actor: Option<Span>,
    reason: Option<Span>,
    rules_hash: Span,
    command_id: Id,
    correlation_id: Option<Id>,
    causation_id: Option<Id>,
    base_revision: u64,
    base_position: u64,
    decided_at: i64,
    outcome: RowOutcome,
    payload: Span,
}

#[derive(Debug, Clone, Copy)]
enum RowOutcome {
    Accepted {
        revision: u64,
        position: u64,
        events: u32,
    },
    Rejected {
        rule: Span,
        message: Span,
    },
}

/// A block that was read.
#[derive(Debug, Clone)]
pub(crate) struct DecisionBlock {
    first: u64,
    rows: Vec<Row>,
    texts: Texts,
}

impl DecisionBlock {
    /// Decodes a block.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let mut columns = ColumnsReader::new(bytes)?;
        let count = columns.count()?;
        let first = columns.number()?;
        if first.checked_add(count as u64).is_none() {
            return Err("a sequence is too large".into());
        }
        let mut rows = vec![Row::BLANK; count];
        for row in &mut rows {
            row.behind_place = columns.signed()?;
        }
        fill_words(&mut columns, &mut rows)?;
        let mut before = 0;
        for row in &mut rows {
            row.decided_at = columns.delta(&mut before)?;
        }
        fill_ids(&mut columns, &mut rows)?;
        let mut before = 0;
        for row in &mut rows {
            row.base_revision = columns.delta(&mut before)?.cast_unsigned();
        }
        let mut before = 0;
        for row in &mut rows {
            row.base_position = columns.delta(&mut before)?.cast_unsigned();
        }
        let mut rules = Vec::new();
        for row in &mut rows {
            row.outcome = outcome(&mut columns, row, &mut rules)?;
        }
        for row in &mut rows {
            row.payload = columns.text()?;
        }
        let texts = columns.finish()?;
        Ok(Self { first, rows, texts })
    }

    /// Sequence of its first decision.
    #[cfg(test)]
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How many decisions it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes() + self.rows.len() * size_of::<Row>()
    }

    /// Position of the last event of the log when the decision of a sequence was written.
    pub(crate) fn behind(&self, sequence: u64) -> Option<Position> {
        let row = self.row(sequence)?;
        let place = match row.outcome {
            RowOutcome::Accepted { position, .. } => position,
            RowOutcome::Rejected { .. } => row.base_position,
        };
        Some(Position(place.wrapping_add_signed(row.behind_place)))
    }

    /// Whether the decision of a sequence is that of this command.
    pub(crate) fn has_command(&self, sequence: u64, command_id: &str) -> bool {
        let row = self.row(sequence);
        row.is_some_and(|row| self.texts.is(row.command_id, command_id))
    }

    /// Whether the decision of a sequence is in it.
    pub(crate) fn has(&self, sequence: u64) -> bool {
        self.row(sequence).is_some()
    }

    fn row(&self, sequence: u64) -> Option<&Row> {
        let index = sequence.checked_sub(self.first)?;
        self.rows.get(usize::try_from(index).ok()?)
    }

    /// The decision of a sequence; `None` when it is not in this block.
    ///
    /// # Errors
    /// When what it says cannot be: it was never recorded that way.
    pub(crate) fn decision(&self, sequence: u64) -> Read<Option<Decision>> {
        let Some(row) = self.row(sequence) else {
            return Ok(None);
        };
        let text = |span| self.texts.get(span).to_owned();
        Ok(Some(Decision {
            sequence,
            command_id: self.texts.id(row.command_id).as_str().to_owned(),
            stream: StreamName::new(self.texts.get(row.stream))
                .map_err(|_error| Malformed::from("the name of a stream is not one"))?,
            command_type: text(row.command_type),
            payload: Json::from_compact(self.texts.get(row.payload))
                .map_err(|_error| Malformed::from("a payload is not JSON"))?,
            actor: row.actor.map(text),
            reason: row.reason.map(text),
            correlation_id: row
                .correlation_id
                .map(|id| self.texts.id(id).as_str().to_owned()),
            causation_id: row
                .causation_id
                .map(|id| self.texts.id(id).as_str().to_owned()),
            base_revision: Revision(row.base_revision),
            base_position: Position(row.base_position),
            rules_hash: text(row.rules_hash),
            decided_at: Timestamp::from_micros(row.decided_at),
            result: match row.outcome {
                RowOutcome::Accepted {
                    revision,
                    position,
                    events,
                } => Outcome::Accepted {
                    revision: Revision(revision),
                    position: Position(position),
                    events,
                },
                RowOutcome::Rejected { rule, message } => Outcome::Rejected {
                    rule: text(rule),
                    message: text(message),
                },
            },
        }))
    }
}

impl Row {
    const BLANK: Self = Self {
        behind_place: 0,
        stream: Span::EMPTY,
        command_type: Span::EMPTY,
        actor: None,
        reason: None,
        rules_hash: Span::EMPTY,
        command_id: Id::Uuid([0; 16]),
        correlation_id: None,
        causation_id: None,
        base_revision: 0,
        base_position: 0,
        decided_at: 0,
        outcome: RowOutcome::Rejected {
            rule: Span::EMPTY,
            message: Span::EMPTY,
        },
        payload: Span::EMPTY,
    };
}

fn fill_words(columns: &mut ColumnsReader<'_>, rows: &mut [Row]) -> Read<()> {
    const ABSENT: &str = "a decision lacks a word that each has";
    let mut words = Vec::new();
    for row in &mut *rows {
        row.stream = columns.word(&mut words)?.ok_or(ABSENT)?;
    }
    let mut words = Vec::new();
    for row in &mut *rows {
        row.command_type = columns.word(&mut words)?.ok_or(ABSENT)?;
    }
    let mut words = Vec::new();
    for row in &mut *rows {
        row.actor = columns.word(&mut words)?;
    }
    let mut words = Vec::new();
    for row in &mut *rows {
        row.reason = columns.word(&mut words)?;
    }
    let mut words = Vec::new();
    for row in rows {
        row.rules_hash = columns.word(&mut words)?.ok_or(ABSENT)?;
    }
    Ok(())
}

fn fill_ids(columns: &mut ColumnsReader<'_>, rows: &mut [Row]) -> Read<()> {
    let mut before = None;
    for row in &mut *rows {
        row.command_id = columns
            .id(&mut before, row.decided_at)?
            .ok_or("a decision has no command id")?;
    }
    let mut before = None;
    for row in &mut *rows {
        row.correlation_id = columns.id(&mut before, row.decided_at)?;
    }
    let mut before = None;
    for row in rows {
        row.causation_id = columns.id(&mut before, row.decided_at)?;
    }
    Ok(())
}

fn outcome(columns: &mut ColumnsReader<'_>, row: &Row, rules: &mut Vec<Span>) -> Read<RowOutcome> {
    match columns.number()? {
        REJECTED => Ok(RowOutcome::Rejected {
            rule: columns.word(rules)?.ok_or("a rejection names no rule")?,
            message: columns.text()?,
        }),
        events => {
            let mut revision = row.base_revision.cast_signed();
            let mut position = row.base_position.cast_signed();
            Ok(RowOutcome::Accepted {
                events: u32::try_from(events - 1)
                    .map_err(|_too_large| Malformed::from("a count of events is too large"))?,
                revision: columns.delta(&mut revision)?.cast_unsigned(),
                position: columns.delta(&mut position)?.cast_unsigned(),
            })
        }
    }
}
