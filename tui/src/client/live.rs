//! The live feed: events, decisions and the head as they are committed.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use whodunit_core::api::browse::LiveHead;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;

use super::sse::{Message, Parser};
use super::{ByteStream, ClientError};

/// How far a feed was read: resume after it and nothing is missed or seen twice. Written `position.decision.mark`, as the
/// daemon writes it, or `position.decision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct LiveCursor {
    /// Position of the last event seen.
    pub position: u64,
    /// Sequence of the last decision seen.
    pub decision: u64,
    /// The daemon's mark of the history up to there, by which it knows its own; `None` for a cursor that it did not give.
    pub mark: Option<u64>,
}

impl fmt::Display for LiveCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.position, self.decision)?;
        match self.mark {
            Some(mark) => write!(f, ".{mark:016x}"),
            None => Ok(()),
        }
    }
}

impl FromStr for LiveCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not of the form `position.decision.mark`");
        let (position, rest) = text.split_once('.').ok_or_else(bad)?;
        let (decision, mark) = match rest.split_once('.') {
            Some((decision, mark)) => {
                let mark = u64::from_str_radix(mark, 16).map_err(|_no_mark| bad())?;
                (decision, Some(mark))
            }
            None => (rest, None),
        };
        let number = |text: &str| text.parse().map_err(|_not_a_number| bad());
        Ok(Self {
            position: number(position)?,
            decision: number(decision)?,
            mark,
        })
    }
}

/// What a feed brings.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveItem {
    /// An event was appended.
    Event(Box<Event>),
    /// A command was decided.
    Decision(Box<Decision>),
    /// The log has come this far; sent at the start and as heartbeat.
    Head(LiveHead),
}

/// An item and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveMessage {
    /// What it brings.
    pub item: LiveItem,
    /// How far the feed is read with it.
    pub cursor: LiveCursor,
}

/// An open feed.
#[derive(Debug)]
pub struct Live {
    bytes: ByteStream,
    parser: Parser,
    ready: VecDeque<LiveMessage>,
    cursor: LiveCursor,
}

impl Live {
    pub(super) fn new(bytes: ByteStream, after: Option<LiveCursor>) -> Self {
        Self {
            bytes,
            parser: Parser::default(),
            ready: VecDeque::new(),
            cursor: after.unwrap_or_default(),
        }
    }

    /// How far the feed is read: what to resume after.
    pub fn cursor(&self) -> LiveCursor {
        self.cursor
    }

    /// The next message; `None` when the daemon ended the feed. Items of a kind that this version does not know are
    /// passed over. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<LiveMessage>, ClientError> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                self.cursor = message.cursor;
                return Ok(Some(message));
            }
            let Some(piece) = self.bytes.next().await? else {
                return Ok(None);
            };
            self.take(&piece)?;
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), ClientError> {
        let bad = |reason: String| ClientError::BadReply {
            url: "/v1/live".to_owned(),
            reason,
        };
        self.parser
            .push(piece)
            .map_err(|_too_large| bad("a message is too large".to_owned()))?;
        while let Some(message) = self.parser.next() {
            let before = self.ready.back().map_or(self.cursor, |last| last.cursor);
            if let Some(message) = read(&message, before).map_err(bad)? {
                self.ready.push_back(message);
            }
        }
        Ok(())
    }
}

fn read(message: &Message, before: LiveCursor) -> Result<Option<LiveMessage>, String> {
    let item = match message.kind.as_str() {
        // What has no type of its own is an event.
        "" => LiveItem::Event(decode(message)?),
        "decision" => LiveItem::Decision(decode(message)?),
        "head" => LiveItem::Head(decode(message)?),
        _ => return Ok(None),
    };
    let cursor = match &message.id {
        Some(id) => id.parse()?,
        None => before,
    };
    Ok(Some(LiveMessage { item, cursor }))
}

fn decode<T: serde::de::DeserializeOwned>(message: &Message) -> Result<T, String> {
    serde_json::from_slice(message.data.as_bytes())
        .map_err(|error| format!("`{}`: {error}", message.kind))
}
