//! Reading the words of the log: which types, actors and categories there are, and how many events have each.

use crate::store::StoreError;

/// The words of indexed fields.
pub trait ReadWords {
    /// How many events have this word for a field. Cost grows with how many segments have it, not with the log.
    fn word_events(&self, field: WordField, word: &str) -> Result<u64, StoreError>;

    /// Words of a field that begin with a text, by name (bytes), behind `after`, at most `limit`.
    fn words(
        &self,
        field: WordField,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<WordPage, StoreError>;
}

/// A field whose words are indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WordField {
    /// The event's type.
    Type,
    /// The actor; an event without one has no word.
    Actor,
    /// The stream's category.
    Category,
}

/// A page of words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WordPage {
    /// The words, each with how many events have it.
    pub words: Vec<(String, u64)>,
    /// Whether there are more behind them.
    pub has_more: bool,
}
