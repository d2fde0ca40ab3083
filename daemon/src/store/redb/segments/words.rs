//! Which words of indexed fields a segment has: its types, actors and categories, and how many of its events have each.
//!
//! Owns the table `words`, which leads a filter to the segments that can have what it wants, and counts without reading any.

use std::collections::{BTreeMap, BTreeSet};

use whodunit_core::event::Event;
use whodunit_core::query::{Field, Words};

use super::super::open_tables::{OpenTables, Transaction, WriteTables};
use super::view::SegmentView;
use crate::store::{LogFilter, ReadWords, Stoppable as _, StoreError, WordField, WordPage};

type StoreResult<T> = Result<T, StoreError>;

/// Values of a filter up to which their segments are looked up.
const VALUES_MAX: usize = 16;

/// A field as it is stored.
pub(in crate::store::redb) fn code(field: WordField) -> u8 {
    match field {
        WordField::Type => 1,
        WordField::Actor => 2,
        WordField::Category => 3,
    }
}

/// The words of an event.
pub(in crate::store) fn words_of(event: &Event) -> impl Iterator<Item = (WordField, &str)> {
    let actor = event.actor.as_deref();
    [
        (WordField::Type, Some(event.event_type.as_str())),
        (WordField::Actor, actor),
        (WordField::Category, Some(event.stream.category())),
    ]
    .into_iter()
    .filter_map(|(field, word)| Some((field, word?)))
}

/// Words, and how many events have each.
pub(in crate::store) type Counts<'e> = BTreeMap<(WordField, &'e str), u64>;

/// What the table must say of a segment with these events: these words, with these counts, and no others.
pub(in crate::store) fn counts_of<'e>(events: impl Iterator<Item = &'e Event>) -> Counts<'e> {
    let mut counts = Counts::new();
    for word in events.flat_map(words_of) {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

/// Says what words a segment has.
pub(super) fn put(
    tables: &mut WriteTables<'_>,
    segment: u64,
    counts: &Counts<'_>,
) -> StoreResult<()> {
    for ((field, word), count) in counts {
        tables
            .words
            .insert((code(*field), *word, segment), *count)?;
    }
    Ok(())
}

/// Takes a segment's words out.
pub(super) fn remove(
    tables: &mut WriteTables<'_>,
    segment: u64,
    counts: &Counts<'_>,
) -> StoreResult<()> {
    for (field, word) in counts.keys() {
        tables.words.remove((code(*field), *word, segment))?;
    }
    Ok(())
}

/// The segments that may have an event that passes; `None` when any may.
pub(super) fn segments<T: Transaction>(
    tables: &OpenTables<T>,
    filter: &LogFilter,
) -> StoreResult<Option<BTreeSet<u64>>> {
    let mut found: Option<BTreeSet<u64>> = None;
    let mut narrow = |field: WordField, words: &[&str]| -> StoreResult<()> {
        tables.whole(&tables.words)?;
        let mut own = BTreeSet::new();
        for word in words {
            let field = code(field);
            for entry in tables
                .words
                .range((field, *word, 0)..=(field, *word, u64::MAX))?
            {
                own.insert(entry?.0.value().2);
            }
        }
        found = Some(match found.take() {
            Some(found) => found.intersection(&own).copied().collect(),
            None => own,
        });
        Ok(())
    };
    for (field, word) in [
        (WordField::Type, &filter.event_type),
        (WordField::Actor, &filter.actor),
        (WordField::Category, &filter.category),
    ] {
        if let Some(word) = word {
            narrow(field, &[word])?;
        }
    }
    for words in &filter.words {
        if let Some((field, words)) = exact(words) {
            narrow(field, &words)?;
        }
    }
    Ok(found)
}

/// The values of which an event must have one, where all of them are known in full.
fn exact(words: &Words) -> Option<(WordField, Vec<&str>)> {
    let field = match words.field {
        Field::Type => WordField::Type,
        Field::Actor => WordField::Actor,
        Field::Category => WordField::Category,
        _ => return None,
    };
    if words.negated || words.patterns.len() > VALUES_MAX {
        return None;
    }
    let values: Option<Vec<&str>> = words.patterns.iter().map(|own| own.as_exact()).collect();
    Some((field, values?))
}

impl ReadWords for SegmentView {
    fn word_events(&self, field: WordField, word: &str) -> StoreResult<u64> {
        let field = code(field);
        let table = &self.base.tables.words;
        self.base.tables.whole(table)?;
        let entries = table.range((field, word, 0)..=(field, word, u64::MAX))?;
        let mut events = 0;
        for entry in entries {
            events += entry?.1.value();
        }
        Ok(events)
    }

    fn words(
        &self,
        field: WordField,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> StoreResult<WordPage> {
        let field = code(field);
        let (start, segment) = match after {
            Some(after) if after >= prefix => (after, u64::MAX),
            _ => (prefix, 0),
        };
        let mut page = WordPage::default();
        let table = &self.base.tables.words;
        self.base.tables.whole(table)?;
        for entry in table.range((field, start, segment)..(field + 1, "", 0))? {
            self.stop().check()?;
            let (key, count) = entry?;
            let (_, word, _) = key.value();
            if !word.starts_with(prefix) {
                break;
            }
            if Some(word) == after {
                continue;
            }
            let is_full = page.words.len() >= limit;
            match page.words.last_mut() {
                Some((last, events)) if last == word => *events += count.value(),
                _ if is_full => {
                    page.has_more = true;
                    break;
                }
                _ => page.words.push((word.to_owned(), count.value())),
            }
        }
        Ok(page)
    }
}
