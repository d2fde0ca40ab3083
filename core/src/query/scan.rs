//! The text of a query line: words, quoted texts, and how far a time or a condition reaches.

use super::QueryError;
use super::pattern::Pattern;

/// A place in the text.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Parentheses of terms around this place: within them a comma or a parenthesis ends a word.
    pub(super) depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let (at, depth) = (0, 0);
        Self { text, at, depth }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    pub(super) fn blanks(&mut self) {
        let rest = self.rest();
        self.skip(rest.len() - rest.trim_start().len());
    }

    /// Takes this character, where it is the next one.
    pub(super) fn accept(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        if is_next {
            self.skip(c.len_utf8());
        }
        is_next
    }

    fn ends_word(&self, c: char) -> bool {
        c.is_whitespace() || self.depth > 0 && matches!(c, ',' | ')')
    }

    /// Whether nothing more belongs to these terms.
    pub(super) fn is_over(&self) -> bool {
        self.peek()
            .is_none_or(|c| self.depth > 0 && matches!(c, ',' | ')'))
    }

    /// The name that stands here, without taking it.
    pub(super) fn name(&self) -> &'a str {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// A word up to the next blank.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| self.ends_word(c)).unwrap_or(rest.len());
        self.skip(end);
        rest.get(..end).unwrap_or_default()
    }

    /// A text in quotes, whose first one stands here.
    pub(super) fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        self.skip(1);
        let mut out = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(QueryError::new(start, "this quote is not closed"));
            };
            self.skip(c.len_utf8());
            match c {
                '"' => return Ok(out),
                '\\' => match self.peek() {
                    Some(c @ ('"' | '\\')) => {
                        out.push(c);
                        self.skip(1);
                    }
                    _ => {
                        let error = QueryError::new(
                            self.at - 1,
                            "a `\\` may only be followed by `\"` or `\\`",
                        );
                        return Err(error.hint("write a backslash itself as `\\\\`"));
                    }
                },
                c => out.push(c),
            }
        }
    }

    /// A value: pieces in quotes and without, where a `*` without quotes stands for any text.
    pub(super) fn pattern(&mut self) -> Result<Pattern, QueryError> {
        let mut pieces = vec![String::new()];
        while let Some(c) = self.peek().filter(|c| !self.ends_word(*c) && *c != '|') {
            let piece = match c {
                '"' => self.quoted()?,
                c => {
                    self.skip(c.len_utf8());
                    if c == '*' {
                        // Two in a row say no more than one.
                        if pieces.len() == 1 || pieces.last().is_some_and(|last| !last.is_empty()) {
                            pieces.push(String::new());
                        }
                        continue;
                    }
                    c.to_string()
                }
            };
            if let Some(last) = pieces.last_mut() {
                last.push_str(&piece);
            }
        }
        Ok(Pattern::new(pieces))
    }

    /// Where the words end that follow here, one after another, at most so many.
    pub(super) fn word_ends(&self, most: usize) -> Vec<usize> {
        let mut ahead = self.clone();
        let mut ends = Vec::new();
        for _ in 0..most {
            ahead.blanks();
            if ahead.is_over() || ahead.word().is_empty() {
                break;
            }
            ends.push(ahead.at);
        }
        ends
    }

    /// The text from here to a place, which is taken.
    pub(super) fn take_to(&mut self, end: usize) -> &'a str {
        let text = self.text.get(self.at..end).unwrap_or_default();
        self.at = end.min(self.text.len());
        text
    }

    /// Where the condition ends that begins here: at the first blank outside of brackets and texts on both sides of which it
    /// could end.
    pub(super) fn condition_end(&self) -> usize {
        let (mut depth, mut quote) = (0_usize, None);
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            let here = self.at + at;
            match (quote, c) {
                (Some(_), '\\') => {
                    chars.next();
                }
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '(' | '[') => depth += 1,
                (None, ')' | ',') if depth == 0 && self.depth > 0 => return here,
                (None, ')' | ']') => depth = depth.saturating_sub(1),
                (None, c) if depth == 0 && c.is_whitespace() && !self.goes_on(here) => return here,
                _ => {}
            }
        }
        self.text.len()
    }

    /// Whether a condition goes on over the blank at this place: an operator stands on one side of it.
    fn goes_on(&self, at: usize) -> bool {
        let before = self.text.get(self.at..at).unwrap_or_default().trim_end();
        let after = self.text.get(at..).unwrap_or_default().trim_start();
        if before.is_empty() {
            return true;
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let ends_in = before
            .strip_suffix("in")
            .is_some_and(|rest| !rest.ends_with(is_word) && !rest.is_empty());
        let begins_in = after
            .strip_prefix("in")
            .is_some_and(|rest| !rest.starts_with(is_word) && !rest.starts_with(':'));
        // A lone `=` is no operator, and is refused as a part of the condition rather than searched for as a text.
        let begins = ["=", "!=", "<", ">", "&&", "||", "?"];
        before.ends_with(['=', '<', '>', '&', '|', '?', ':', '!', '.'])
            || ends_in
            || begins_in
            || begins.iter().any(|sign| after.starts_with(sign))
            || after.starts_with(':') && before.contains('?')
    }
}
