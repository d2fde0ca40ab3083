//! Server-sent events, as the WHATWG describes them: bytes in, messages out.
//!
//! Owns the line and field rules. Never holds more than [`MESSAGE_BYTES_MAX`] bytes.

/// Largest message, in bytes: more than the largest event a daemon stores.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A dispatched message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Message {
    /// Its `event` field; empty when absent.
    pub(super) kind: String,
    /// Its `data` lines, joined.
    pub(super) data: String,
    /// Its `id` field.
    pub(super) id: Option<String>,
}

/// Reads messages from pieces cut anywhere.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// Bytes not yet looked at: less than a line, once [`Self::next`] has returned `None`.
    pending: Vec<u8>,
    /// How much of `pending` is already read.
    read: usize,
    /// The message under way.
    message: Message,
    has_data: bool,
}

/// A message beyond the bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Parser {
    /// Takes the next piece.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.pending.drain(..self.read);
        self.read = 0;
        if self.pending.len() + self.message.data.len() + bytes.len() > MESSAGE_BYTES_MAX {
            return Err(TooLarge);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete message; `None` when more bytes are needed.
    pub(super) fn next(&mut self) -> Option<Message> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                if std::mem::take(&mut self.has_data) {
                    return Some(message);
                }
                continue;
            }
            self.field(&line);
        }
        None
    }

    /// A line without its end: `\n` or `\r\n`. (A lone `\r`, also allowed by the standard, is not sent by a daemon.)
    fn line(&mut self) -> Option<String> {
        let rest = self.pending.get(self.read..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest.get(..end)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line).into_owned();
        self.read += end + 1;
        Some(line)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.message.kind),
            "data" => {
                if self.has_data {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
                self.has_data = true;
            }
            "id" => self.message.id = Some(value.to_owned()),
            // A comment has an empty name; `retry` is the reader's own business.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Message> {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        for piece in pieces {
            parser.push(piece).unwrap();
            while let Some(message) = parser.next() {
                out.push(message);
            }
        }
        out
    }

    const TEXT: &str = ": hello\n\nevent: event\nid: 4.2\ndata: {\"a\":\ndata: \"ü\"}\n\ndata\r\n\r\nid: 9.9\n\nevent: head\ndata:x\n\ndata: cut";

    fn expected() -> Vec<Message> {
        vec![
            Message {
                kind: "event".to_owned(),
                data: "{\"a\":\n\"ü\"}".to_owned(),
                id: Some("4.2".to_owned()),
            },
            Message::default(),
            Message {
                kind: "head".to_owned(),
                data: "x".to_owned(),
                id: None,
            },
        ]
    }

    #[test]
    fn messages_are_the_same_however_the_bytes_are_cut() {
        assert_eq!(read(&[TEXT.as_bytes()]), expected());
        for size in 1..TEXT.len() {
            let pieces: Vec<&[u8]> = TEXT.as_bytes().chunks(size).collect();
            assert_eq!(read(&pieces), expected(), "cut every {size} bytes");
        }
    }

    #[test]
    fn an_endless_message_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; MESSAGE_BYTES_MAX / 2];
        parser.push(&piece).unwrap();
        assert_eq!(parser.next(), None);
        parser.push(&piece).unwrap();
        assert_eq!(parser.push(b"x"), Err(TooLarge));
    }
}
