//! What is wrong with a query line, and where.

use std::fmt;

/// Why a text is no query line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// Where in the text: a byte offset, at most its length.
    pub at: usize,
    /// The same as a column, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
    /// Whether a time has no zone, and none is known.
    pub needs_zone: bool,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for QueryError {}

impl QueryError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            column: 0,
            message: message.into(),
            hint: None,
            needs_zone: false,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, placed in the text it is about.
    pub(super) fn placed(mut self, text: &str) -> Self {
        self.at = self.at.min(text.len());
        let before = text.char_indices().take_while(|(at, _)| *at < self.at);
        self.column = before.count() + 1;
        self
    }
}
