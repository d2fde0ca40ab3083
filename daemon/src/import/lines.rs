//! Line splitter for a body that arrives in chunks.
//!
//! Owns a bounded buffer. Knows that a file may begin with a byte order mark and that lines may end with `\r\n`.

use crate::limits::IMPORT_LINE_BYTES_MAX;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Text(Vec<u8>),
    /// Longer than the bound; its bytes are gone.
    TooLong,
}

/// Cuts pieces into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    too_long: bool,
    /// Whether the first line was handed out: only it can begin with a byte order mark.
    first_done: bool,
}

impl Lines {
    /// Takes bytes up to the end of a line. Returns the line once it is complete, and what is left of the bytes.
    pub(super) fn next_line<'a>(&mut self, bytes: &'a [u8]) -> (Option<Line>, &'a [u8]) {
        match bytes.iter().position(|byte| *byte == b'\n') {
            None => {
                self.push(bytes);
                (None, &[])
            }
            Some(end) => {
                let (line, rest) = bytes.split_at(end);
                self.push(line);
                (Some(self.complete()), rest.get(1..).unwrap_or_default())
            }
        }
    }

    /// The last line, when the body does not end with a line's end.
    pub(super) fn end(&mut self) -> Option<Line> {
        (self.too_long || !self.begun.is_empty()).then(|| self.complete())
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.too_long || self.begun.len() + bytes.len() > IMPORT_LINE_BYTES_MAX {
            self.too_long = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn complete(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.begun);
        let first = !std::mem::replace(&mut self.first_done, true);
        if std::mem::take(&mut self.too_long) {
            return Line::TooLong;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if first && line.starts_with("\u{feff}".as_bytes()) {
            line.drain(..3);
        }
        Line::Text(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (line, left) = lines.next_line(rest);
                found.extend(line);
                rest = left;
            }
        }
        found.extend(lines.end());
        found
    }

    fn text(line: &str) -> Line {
        Line::Text(line.as_bytes().to_vec())
    }

    #[test]
    fn lines_do_not_depend_on_how_the_body_is_cut() {
        let body = "\u{feff}{\"a\":1}\r\n\n{\"b\":\u{feff}2}\nlast".as_bytes();
        let whole = all(&[body]);
        assert_eq!(
            whole,
            [
                text("{\"a\":1}"),
                text(""),
                text("{\"b\":\u{feff}2}"),
                text("last")
            ]
        );
        for at in 0..=body.len() {
            let (one, two) = body.split_at(at);
            assert_eq!(all(&[one, two]), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_dropped_and_the_next_one_is_whole() {
        let long = vec![b'x'; IMPORT_LINE_BYTES_MAX / 2 + 1];
        assert_eq!(
            all(&[&long, &long, b"x\nnext\n"]),
            [Line::TooLong, text("next")]
        );
        let longest = vec![b'x'; IMPORT_LINE_BYTES_MAX];
        assert_eq!(all(&[&longest]), [Line::Text(longest.clone())]);
    }
}
