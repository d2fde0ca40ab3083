//! The tokens of a payload, one by one, without making a tree of it.
//!
//! Owns the reading of a text that was checked before: it finds where tokens begin and end and judges nothing.

use std::borrow::Cow;

/// A token of a payload; colons and commas are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// The key of a field.
    Key(Quoted<'a>),
    /// A text.
    Text(Quoted<'a>),
    /// A number, as it is written.
    Number(&'a str),
    /// `null`, `true` or `false`.
    Word(&'a str),
}

/// A text as JSON spells it, with its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a>(&'a str);

impl<'a> Quoted<'a> {
    /// The text as it reads.
    pub fn decoded(self) -> Cow<'a, str> {
        let inner = self
            .0
            .get(1..self.0.len().saturating_sub(1))
            .unwrap_or_default();
        if inner.contains('\\') {
            // The text was checked on the way in, so there is nothing to report.
            Cow::Owned(serde_json::from_str(self.0).unwrap_or_default())
        } else {
            Cow::Borrowed(inner)
        }
    }
}

/// Tokens with the place at which each ends.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Those of a compact JSON text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the last token ends.
    pub fn at(&self) -> usize {
        self.at
    }

    fn quoted(&mut self, start: usize) -> Quoted<'a> {
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.at = (end + 1).min(bytes.len());
        Quoted(self.text.get(start..self.at).unwrap_or("\"\""))
    }

    fn plain(&mut self, start: usize) -> &'a str {
        let rest = self.text.get(start..).unwrap_or_default();
        let length = rest.find([',', '}', ']']).unwrap_or(rest.len());
        self.at = start + length;
        rest.get(..length).unwrap_or_default()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b',' | b':')) {
            self.at += 1;
        }
        let start = self.at;
        Some(match bytes.get(start)? {
            b'{' | b'[' => {
                self.at += 1;
                Token::Open
            }
            b'}' | b']' => {
                self.at += 1;
                Token::Close
            }
            b'"' => {
                let text = self.quoted(start);
                match bytes.get(self.at) {
                    Some(b':') => Token::Key(text),
                    _ => Token::Text(text),
                }
            }
            b'-' | b'0'..=b'9' => Token::Number(self.plain(start)),
            _ => Token::Word(self.plain(start)),
        })
    }
}
