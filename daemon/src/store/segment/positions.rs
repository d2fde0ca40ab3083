//! What is kept of each event by position: enough to find events without reading blocks.
//!
//! Owns these columns: where the event stands in the order of the blocks, when it was recorded, its type, actor and category. A
//! filter over these is answered from here; the event itself then confirms it.

use whodunit_core::event::Event;
use whodunit_core::query::{Field, Words as Asked};
use whodunit_core::time::Timestamp;

use super::columns::{ColumnsReader, ColumnsWriter, Span, Texts, Words};
use crate::store::bytes::{Malformed, Read};

/// Encodes what is kept of events that come in the order of positions, each with its index in the order of the blocks.
pub(crate) fn encode(events: &[(usize, &Event)]) -> Vec<u8> {
    let mut out = ColumnsWriter::default();
    out.size(events.len());
    for (rank, _) in events {
        out.size(*rank);
    }
    let events = || events.iter().map(|(_, event)| *event);
    let mut before = 0;
    for event in events() {
        out.delta(&mut before, event.recorded_at.as_micros());
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
        out.word(&mut words, Some(event.stream.category()));
    }
    out.finish()
}

#[derive(Debug, Clone, Copy)]
struct Row {
    recorded_at: i64,
    rank: u32,
    event_type: u32,
    /// [`NO_ACTOR`] for none.
    actor: u32,
    category: u32,
}

const NO_ACTOR: u32 = u32::MAX;

/// A column's words, and the number of each.
#[derive(Debug, Clone, Default)]
struct Dictionary(Vec<Span>);

impl Dictionary {
    fn number(&self, texts: &Texts, word: &str) -> Option<u32> {
        let index = self.0.iter().position(|span| texts.get(*span) == word)?;
        u32::try_from(index).ok()
    }
}

/// What is kept of the events of a segment by position.
#[derive(Debug, Clone)]
pub(crate) struct Positions {
    rows: Vec<Row>,
    types: Dictionary,
    actors: Dictionary,
    categories: Dictionary,
    texts: Texts,
}

/// What is asked of the columns. Everything given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// Exactly this event type.
    pub(crate) event_type: Option<&'a str>,
    /// Exactly this actor.
    pub(crate) actor: Option<&'a str>,
    /// Exactly this category.
    pub(crate) category: Option<&'a str>,
    /// Recorded at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Recorded at this time or before.
    pub(crate) until: Option<Timestamp>,
    /// What fields must be, and must not be. Those that have no column are not looked at.
    pub(crate) words: &'a [Asked],
}

/// What is wanted, by the numbers of the words.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    types: Numbers,
    actors: Numbers,
    categories: Numbers,
    since: i64,
    until: i64,
}

/// Which numbers of a column's words are wanted.
#[derive(Debug, Clone)]
enum Numbers {
    Any,
    One(u32),
    /// By number, and whether an absent word is wanted.
    Some(Vec<bool>, bool),
}

impl Numbers {
    fn has(&self, number: u32) -> bool {
        match self {
            Self::Any => true,
            Self::One(own) => *own == number,
            Self::Some(wanted, absent) => match usize::try_from(number) {
                Ok(_) if number == NO_ACTOR => *absent,
                Ok(index) => wanted.get(index).is_some_and(|wanted| *wanted),
                Err(_too_large) => false,
            },
        }
    }
}

impl Positions {
    /// Decodes the columns.
    ///
    /// # Errors
    /// When they are none.
    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let mut columns = ColumnsReader::new(bytes)?;
        let count = columns.count()?;
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let rank = columns.size()?;
            if rank >= count {
                return Err("an event comes after the last block".into());
            }
            rows.push(Row {
                recorded_at: 0,
                rank: u32::try_from(rank)
                    .map_err(|_too_large| Malformed::from("it has too many events"))?,
                event_type: 0,
                actor: NO_ACTOR,
                category: 0,
            });
        }
        let mut before = 0;
        for row in &mut rows {
            row.recorded_at = columns.delta(&mut before)?;
        }
        let (mut types, mut actors, mut categories) = (Vec::new(), Vec::new(), Vec::new());
        for row in &mut rows {
            row.event_type = numbered(&mut columns, &mut types)?.ok_or("an event has no type")?;
        }
        for row in &mut rows {
            row.actor = numbered(&mut columns, &mut actors)?.unwrap_or(NO_ACTOR);
        }
        for row in &mut rows {
            row.category =
                numbered(&mut columns, &mut categories)?.ok_or("an event has no category")?;
        }
        Ok(Self {
            rows,
            types: Dictionary(types),
            actors: Dictionary(actors),
            categories: Dictionary(categories),
            texts: columns.finish()?,
        })
    }

    /// How many events they are of.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many bytes they take in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.bytes() + self.rows.len() * size_of::<Row>()
    }

    /// Where an event stands in the order of the blocks, by its place in the order of positions.
    pub(crate) fn rank(&self, index: usize) -> Option<usize> {
        self.rows.get(index).map(|row| row.rank as usize)
    }

    /// When an event was recorded.
    pub(crate) fn recorded_at(&self, index: usize) -> Option<Timestamp> {
        self.rows
            .get(index)
            .map(|row| Timestamp::from_micros(row.recorded_at))
    }

    /// Whether what is kept of an event is what the event says.
    pub(crate) fn agrees(&self, index: usize, event: &Event) -> bool {
        let Some(row) = self.rows.get(index) else {
            return false;
        };
        let word = |words: &Dictionary, number: u32| {
            let span = words.0.get(number as usize);
            span.map(|span| self.texts.get(*span))
        };
        row.recorded_at == event.recorded_at.as_micros()
            && word(&self.types, row.event_type) == Some(event.event_type.as_str())
            && word(&self.categories, row.category) == Some(event.stream.category())
            && match &event.actor {
                Some(actor) => word(&self.actors, row.actor) == Some(actor.as_str()),
                None => row.actor == NO_ACTOR,
            }
    }

    /// What to look for here; `None` when no event of the segment can be wanted.
    pub(crate) fn test(&self, wanted: &Wanted<'_>) -> Option<Test> {
        let numbers = |words: &Dictionary, field: Field, exact: Option<&str>| {
            self.numbers(words, wanted.words, field, exact)
        };
        Some(Test {
            types: numbers(&self.types, Field::Type, wanted.event_type)?,
            actors: numbers(&self.actors, Field::Actor, wanted.actor)?,
            categories: numbers(&self.categories, Field::Category, wanted.category)?,
            since: wanted.since.map_or(i64::MIN, Timestamp::as_micros),
            until: wanted.until.map_or(i64::MAX, Timestamp::as_micros),
        })
    }

    /// Which words of a column are wanted; `None` when there is none.
    fn numbers(
        &self,
        words: &Dictionary,
        asked: &[Asked],
        field: Field,
        exact: Option<&str>,
    ) -> Option<Numbers> {
        let exact = match exact {
            Some(word) => Some(words.number(&self.texts, word)?),
            None => None,
        };
        let asked: Vec<&Asked> = asked.iter().filter(|own| own.field == field).collect();
        if asked.is_empty() {
            return Some(exact.map_or(Numbers::Any, Numbers::One));
        }
        let takes = |value: Option<&str>| asked.iter().all(|own| own.admits(value));
        let wanted: Vec<bool> = (0_u32..)
            .zip(&words.0)
            .map(|(number, span)| {
                exact.is_none_or(|exact| exact == number) && takes(Some(self.texts.get(*span)))
            })
            .collect();
        let absent = exact.is_none() && field == Field::Actor && takes(None);
        (absent || wanted.contains(&true)).then_some(Numbers::Some(wanted, absent))
    }

    /// Whether an event passes.
    pub(crate) fn passes(&self, test: &Test, index: usize) -> bool {
        self.rows.get(index).is_some_and(|row| {
            test.types.has(row.event_type)
                && test.actors.has(row.actor)
                && test.categories.has(row.category)
                && (test.since..=test.until).contains(&row.recorded_at)
        })
    }
}

/// The number of the next word, from 0.
fn numbered(columns: &mut ColumnsReader<'_>, words: &mut Vec<Span>) -> Read<Option<u32>> {
    let Some(index) = columns.word_number(words)? else {
        return Ok(None);
    };
    u32::try_from(index)
        .map(Some)
        .map_err(|_too_large| Malformed::from("it has too many words"))
}
