//! Messages: everything that can happen to the model.

use whodunit_core::time::Timestamp;

use crate::client::LiveMessage;
use crate::effect::{Failure, NoAnswer, Ticket};
use crate::request::Reply;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Msg {
    /// A key was pressed, by its name in the key table.
    Key(String),
    /// Text was pasted.
    Pasted(String),
    /// A moment was clicked on the time axis.
    TimeClicked(Timestamp),
    /// The mouse wheel was turned, up or down.
    Scrolled { up: bool },
    /// The terminal has another size now.
    Resized { columns: u16, rows: u16 },
    /// Time has passed; sent only while something on screen depends on it.
    Tick(Timestamp),
    /// A request was answered.
    Replied {
        ticket: Ticket,
        reply: Box<Result<Reply, Failure>>,
    },
    /// The daemon is reached and the live feed is open.
    Connected(Timestamp),
    /// The live feed has ended or does not open; the next try is at this time.
    Disconnected {
        at: Timestamp,
        retry_at: Timestamp,
        cause: String,
        why: NoAnswer,
    },
    /// The live feed is open, but the daemon has not answered what it was asked at `since`.
    Silent { at: Timestamp, since: Timestamp },
    /// The daemon answers again.
    Answered(Timestamp),
    /// Something came on the live feed.
    Live(Vec<LiveMessage>),
    /// The moment after [`crate::effect::Effect::RefreshSoon`].
    RefreshDue,
}
