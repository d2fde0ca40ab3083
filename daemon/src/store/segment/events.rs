//! Blocks of events: up to some hundred of them, by stream and revision.
//!
//! Owns the columns of a block and what holds between its rows: the events of one stream stand together with dense revisions,
//! and their effective times follow from that of the first of them. A block says the names of its streams, so it can be
//! read without any index.

use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

use super::columns::{ColumnsReader, ColumnsWriter, Id, Span, Texts, Words};
use crate::store::bytes::{Malformed, Read};

/// An event on its way into a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsealed<'a> {
    /// Number of its stream.
    pub(crate) stream: u64,
    /// The event.
    pub(crate) event: &'a Event,
    /// Its effective time.
    pub(crate) effective_at: Timestamp,
}

impl Unsealed<'_> {
    /// By how much it was recorded before its effective time.
    fn late_by(&self) -> u64 {
        let late = self.effective_at.as_micros() - self.event.recorded_at.as_micros();
        u64::try_from(late).unwrap_or(0)
    }
}

/// Encodes events that stand in the order of (stream number, revision), those of a stream without a gap.
pub(crate) fn encode(events: &[Unsealed<'_>]) -> Vec<u8> {
    let mut out = ColumnsWriter::default();
    let runs: Vec<&[Unsealed<'_>]> = events
        .chunk_by(|one, next| one.stream == next.stream)
        .collect();
    out.size(runs.len());
    let mut stream = 0;
    for run in &runs {
        let Some(first) = run.first() else { continue };
        out.number(first.stream - stream);
        stream = first.stream;
        out.text(first.event.stream.as_str());
        out.size(run.len());
        out.number(first.event.revision.0);
        out.number(first.late_by());
    }
    let events = || events.iter().map(|unsealed| unsealed.event);
    let mut before = 0;
    for event in events() {
        out.delta(&mut before, event.position.0.cast_signed());
    }
    let mut before = 0;
    for event in events() {
        out.delta(&mut before, event.recorded_at.as_micros());
    }
    for event in events() {
        out.number(u64::from(event.schema_version));
    }
    let mut words = Words::default();
    for event in events() {
        out.word(&mut words, Some(&event.event_type));
    }
    let mut words = Words::default();
    for event in events() {
        out.word(&mut words, event.actor.as_deref());
    }
    let mut words = Words::default();
    for event in events() {
        out.word(&mut words, event.reason.as_deref());
    }
    let mut before = None;
    for event in events() {
        let at = event.recorded_at.as_micros();
        out.id(&mut before, Some(&event.event_id), at);
    }
    let mut before = None;
    for event in events() {
        let at = event.recorded_at.as_micros();
        out.id(&mut before, event.correlation_id.as_deref(), at);
    }
    let mut before = None;
    for event in events() {
        let at = event.recorded_at.as_micros();
        out.id(&mut before, event.causation_id.as_deref(), at);
    }
    for event in events() {
        out.text(event.data.as_str());
    }
    for event in events() {
        out.optional(event.metadata.as_ref().map(Json::as_str));
    }
    out.finish()
}

/// What a block says of one event.
#[derive(Debug, Clone, Copy)]
struct Row {
    run: usize,
    position: u64,
    revision: u64,
    recorded_at: i64,
    effective_at: i64,
    schema_version: u32,
    event_type: Span,
    actor: Option<Span>,
    reason: Option<Span>,
    event_id: Id,
    correlation_id: Option<Id>,
    causation_id: Option<Id>,
    data: Span,
    metadata: Option<Span>,
}

/// A stream's events in a block.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Number of the stream.
    pub(crate) number: u64,
    /// Its name.
    pub(crate) stream: StreamName,
}

/// A block that was read: any of its events can be had without decoding the others.
#[derive(Debug, Clone)]
pub(crate) struct EventBlock {
    runs: Vec<Run>,
    rows: Vec<Row>,
    texts: Texts,
}

impl EventBlock {
    /// Decodes a block.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let mut columns = ColumnsReader::new(bytes)?;
        let heads = run_heads(&mut columns)?;
        let events = heads.iter().map(|head| head.count);
        // Each run alone may claim as many as there are bytes.
        if events.fold(0, usize::saturating_add) > columns.left() {
            return Err("it has more events than there are bytes".into());
        }
        let mut rows = blank_rows(&heads)?;
        fill_numbers(&mut columns, &heads, &mut rows)?;
        fill_texts(&mut columns, &mut rows)?;
        let texts = columns.finish()?;
        let runs = heads
            .iter()
            .map(|head| {
                let stream = StreamName::new(texts.get(head.stream))
                    .map_err(|_error| Malformed::from("the name of a stream is not one"))?;
                Ok(Run {
                    number: head.number,
                    stream,
                })
            })
            .collect::<Read<_>>()?;
        Ok(Self { runs, rows, texts })
    }

    /// How many events it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes() + self.rows.len() * size_of::<Row>()
    }

    /// Whether an event of the block has this id.
    pub(crate) fn has_id(&self, index: usize, event_id: &str) -> bool {
        let row = self.rows.get(index);
        row.is_some_and(|row| self.texts.is(row.event_id, event_id))
    }

    /// Position of an event of the block.
    pub(crate) fn position(&self, index: usize) -> Option<Position> {
        self.rows.get(index).map(|row| Position(row.position))
    }

    /// Stream number and revision of an event of the block.
    pub(crate) fn key(&self, index: usize) -> Option<(u64, Revision)> {
        let row = self.rows.get(index)?;
        let run = self.runs.get(row.run)?;
        Some((run.number, Revision(row.revision)))
    }

    /// Name of the stream of an event of the block.
    pub(crate) fn stream(&self, index: usize) -> Option<&StreamName> {
        let row = self.rows.get(index)?;
        Some(&self.runs.get(row.run)?.stream)
    }

    /// When an event of the block was recorded.
    pub(crate) fn recorded_at(&self, index: usize) -> Option<Timestamp> {
        self.rows
            .get(index)
            .map(|row| Timestamp::from_micros(row.recorded_at))
    }

    /// Effective time of an event of the block.
    pub(crate) fn effective_at(&self, index: usize) -> Option<Timestamp> {
        self.rows
            .get(index)
            .map(|row| Timestamp::from_micros(row.effective_at))
    }

    /// Index of the event of a stream and revision.
    pub(crate) fn find(&self, number: u64, revision: Revision) -> Option<usize> {
        self.rows
            .binary_search_by_key(&(number, revision.0), |row| {
                let number = self.runs.get(row.run).map_or(0, |run| run.number);
                (number, row.revision)
            })
            .ok()
    }

    /// An event of the block. Its payloads are not looked at: a checksum over the block says that they are what was recorded.
    pub(crate) fn event(&self, index: usize) -> Option<EventView<'_>> {
        let row = self.rows.get(index)?;
        let text = |span| self.texts.get(span);
        Some(EventView {
            position: Position(row.position),
            stream: &self.runs.get(row.run)?.stream,
            revision: Revision(row.revision),
            event_id: self.texts.id(row.event_id),
            event_type: text(row.event_type),
            schema_version: row.schema_version,
            recorded_at: Timestamp::from_micros(row.recorded_at),
            actor: row.actor.map(text),
            reason: row.reason.map(text),
            correlation_id: row.correlation_id.map(|id| self.texts.id(id)),
            causation_id: row.causation_id.map(|id| self.texts.id(id)),
            data: text(row.data),
            metadata: row.metadata.map(text),
        })
    }

    /// An event of the block as a value of its own, its payloads looked at: for those that check a store or copy what is left of
    /// one.
    ///
    /// # Errors
    /// When a payload is not JSON: it was never acknowledged that way.
    pub(crate) fn checked_event(&self, index: usize) -> Read<Option<Event>> {
        let Some(event) = self.event(index) else {
            return Ok(None);
        };
        for payload in [Some(event.data), event.metadata].into_iter().flatten() {
            Json::from_compact(payload)
                .map_err(|_error| Malformed::from("a payload is not JSON"))?;
        }
        Ok(Some(event.to_event()))
    }
}

/// What a block says of the events of one stream together.
struct RunHead {
    number: u64,
    stream: Span,
    count: usize,
    first_revision: u64,
    late_by: u64,
}

fn run_heads(columns: &mut ColumnsReader<'_>) -> Read<Vec<RunHead>> {
    let count = columns.count()?;
    let mut number = 0_u64;
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        number = number
            .checked_add(columns.number()?)
            .ok_or("a stream's number is too large")?;
        heads.push(RunHead {
            number,
            stream: columns.text()?,
            count: columns.count()?,
            first_revision: columns.number()?,
            late_by: columns.number()?,
        });
    }
    Ok(heads)
}

fn blank_rows(heads: &[RunHead]) -> Read<Vec<Row>> {
    let mut rows = Vec::new();
    for (run, head) in heads.iter().enumerate() {
        for offset in 0..head.count as u64 {
            let revision = head
                .first_revision
                .checked_add(offset)
                .ok_or("a revision is too large")?;
            rows.push(Row {
                run,
                position: 0,
                revision,
                recorded_at: 0,
                effective_at: 0,
                schema_version: 0,
                event_type: Span::EMPTY,
                actor: None,
                reason: None,
                event_id: Id::Uuid([0; 16]),
                correlation_id: None,
                causation_id: None,
                data: Span::EMPTY,
                metadata: None,
            });
        }
    }
    Ok(rows)
}

fn fill_numbers(columns: &mut ColumnsReader<'_>, heads: &[RunHead], rows: &mut [Row]) -> Read<()> {
    let mut before = 0;
    for row in &mut *rows {
        row.position = columns.delta(&mut before)?.cast_unsigned();
    }
    let (mut before, mut run, mut effective) = (0, None, i64::MIN);
    for row in &mut *rows {
        row.recorded_at = columns.delta(&mut before)?;
        if run != Some(row.run) {
            run = Some(row.run);
            let late_by = heads.get(row.run).map_or(0, |head| head.late_by);
            effective = row.recorded_at.saturating_add_unsigned(late_by);
        }
        effective = effective.max(row.recorded_at);
        row.effective_at = effective;
    }
    for row in rows {
        row.schema_version = u32::try_from(columns.number()?)
            .map_err(|_too_large| Malformed::from("a schema version is too large"))?;
    }
    Ok(())
}

fn fill_texts(columns: &mut ColumnsReader<'_>, rows: &mut [Row]) -> Read<()> {
    let mut words = Vec::new();
    for row in &mut *rows {
        row.event_type = columns.word(&mut words)?.ok_or("an event has no type")?;
    }
    let mut words = Vec::new();
    for row in &mut *rows {
        row.actor = columns.word(&mut words)?;
    }
    let mut words = Vec::new();
    for row in &mut *rows {
        row.reason = columns.word(&mut words)?;
    }
    let mut before = None;
    for row in &mut *rows {
        row.event_id = columns
            .id(&mut before, row.recorded_at)?
            .ok_or("an event has no id")?;
    }
    let mut before = None;
    for row in &mut *rows {
        row.correlation_id = columns.id(&mut before, row.recorded_at)?;
    }
    let mut before = None;
    for row in &mut *rows {
        row.causation_id = columns.id(&mut before, row.recorded_at)?;
    }
    for row in &mut *rows {
        row.data = columns.text()?;
    }
    for row in rows {
        row.metadata = columns.optional()?;
    }
    Ok(())
}
