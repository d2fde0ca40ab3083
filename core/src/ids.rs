//! Names and numbers of the log: streams, revisions, positions, event ids.
//!
//! Owns their bounds and their text forms; a value of one of these types is always valid. Never generates an id: ids
//! come in as arguments.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Longest stream name, in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 256;
/// Longest event, command, correlation or causation id, in bytes.
pub const ID_BYTES_MAX: usize = 200;

/// Why a name or id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// Longer than the bound, both in bytes.
    #[error("is {actual} bytes long, at most {max} are allowed")]
    TooLong {
        /// Bytes given.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A control character or another character that cannot be shown or sent safely.
    #[error("contains {0:?}, which is not allowed")]
    Character(char),
    /// A stream name without category or without id.
    #[error(
        "has nothing on one side of its first `-`; a stream is named `category-id`, or just `category`"
    )]
    NotCategoryId,
}

fn check_text(text: &str, max: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max {
        return Err(NameError::TooLong {
            actual: text.len(),
            max,
        });
    }
    match text.chars().find(|c| crate::text::is_unsafe(*c)) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

/// A stream's name, `category-id`: what stands before the first `-` is the category. A name without `-` is a stream of a
/// category of its own name.
///
/// At most [`STREAM_NAME_BYTES_MAX`] bytes; no control characters, no white space, no `?` or `#`. A `/` is allowed
/// and is percent-encoded in URLs.
///
/// Shared: a copy of it takes no memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// Why the text is not a stream name.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        check_text(&name, STREAM_NAME_BYTES_MAX)?;
        if let Some(c) = name
            .chars()
            .find(|c| c.is_whitespace() || matches!(c, '?' | '#'))
        {
            return Err(NameError::Character(c));
        }
        match name.split_once('-') {
            Some((category, id)) if !category.is_empty() && !id.is_empty() => Ok(Self(name.into())),
            // A name that is nothing but a category: the one stream of it, or one of a source that has no categories.
            None => Ok(Self(name.into())),
            Some(_) => Err(NameError::NotCategoryId),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first `-`; all of a name without one.
    pub fn category(&self) -> &str {
        self.0
            .split_once('-')
            .map_or(&*self.0, |(category, _)| category)
    }

    /// What stands after the first `-`; nothing in a name without one.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StreamName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl FromStr for StreamName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Checks an event, command, correlation or causation id: 1 to [`ID_BYTES_MAX`] bytes, no control characters.
///
/// # Errors
/// Why the text is not an id.
pub fn check_id(id: &str) -> Result<(), NameError> {
    check_text(id, ID_BYTES_MAX)
}

/// Index of an event in its stream, from 1; revision 0 is the empty stream before its first event.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The empty stream, before its first event.
    pub const ZERO: Self = Self(0);

    /// The revision of the next event.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Index of an event in the whole log, from 1, gapless, in commit order; 0 is the empty log.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The empty log, before its first event.
    pub const ZERO: Self = Self(0);

    /// The position of the next event.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_splits_at_the_first_dash() {
        let name = StreamName::new("user-7f3c-22").unwrap();
        assert_eq!((name.category(), name.id()), ("user", "7f3c-22"));
        let name = StreamName::new("account").unwrap();
        assert_eq!((name.category(), name.id()), ("account", ""));
    }

    #[test]
    fn impossible_stream_names_are_refused_with_the_reason() {
        let cases = [
            ("", NameError::Empty),
            ("-1", NameError::NotCategoryId),
            ("user-", NameError::NotCategoryId),
            ("user-a b", NameError::Character(' ')),
            ("user-a\u{1b}[2J", NameError::Character('\u{1b}')),
            ("user-a?b", NameError::Character('?')),
            ("user-\u{202e}gpj", NameError::Character('\u{202e}')),
        ];
        for (name, expected) in cases {
            assert_eq!(StreamName::new(name), Err(expected), "{name:?}");
        }
        let long = format!("user-{}", "x".repeat(STREAM_NAME_BYTES_MAX));
        assert_eq!(
            StreamName::new(long.as_str()),
            Err(NameError::TooLong {
                actual: 261,
                max: 256
            })
        );
    }
}
