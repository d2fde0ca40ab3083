//! Patterns: values of a query line, with `*` for any text.

use std::fmt;

/// A value: literal, or with `*` where any text may stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Literal pieces; between two of them anything may stand. Never empty.
    pieces: Vec<String>,
}

impl Pattern {
    /// Exactly this text.
    pub fn exact(text: impl Into<String>) -> Self {
        let pieces = vec![text.into()];
        Self { pieces }
    }

    /// A text in which every `*` stands for any text.
    pub fn with_stars(text: &str) -> Self {
        Self::new(text.split('*').map(str::to_owned).collect())
    }

    pub(super) fn new(pieces: Vec<String>) -> Self {
        Self { pieces }
    }

    /// The only text that it matches, if there is only one.
    pub fn as_exact(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// What every text that it matches begins with.
    pub fn prefix(&self) -> &str {
        self.pieces.first().map_or("", String::as_str)
    }

    /// Whether it is nothing but a beginning: `order-*`.
    pub fn is_prefix(&self) -> bool {
        matches!(self.pieces.as_slice(), [_, rest] if rest.is_empty())
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return text == first;
        };
        let Some(inner) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut inner) = inner.strip_suffix(last.as_str()) else {
            return false;
        };
        for piece in middle {
            match inner.find(piece.as_str()) {
                Some(at) => inner = inner.get(at + piece.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

/// Writes it so that it is read as the same.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                f.write_str("*")?;
            }
            // Behind its key, a colon is one of its characters.
            let is_alone = index == 0 && self.pieces.len() == 1;
            write_quoted(f, piece, is_alone, &[])?;
        }
        Ok(())
    }
}

/// Writes a text, in quotes where it would be read as something else without them.
pub(super) fn write_text(f: &mut fmt::Formatter<'_>, text: &str, is_alone: bool) -> fmt::Result {
    write_quoted(f, text, is_alone, &[':'])
}

fn write_quoted(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    is_alone: bool,
    also_special: &[char],
) -> fmt::Result {
    let special = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '"' | '*' | '|' | '(' | ')' | ',' | '\\')
            || also_special.contains(&c)
    };
    let reads_otherwise =
        text.contains(special) || text.starts_with('-') || text.is_empty() && is_alone;
    if !reads_otherwise {
        return f.write_str(text);
    }
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}
