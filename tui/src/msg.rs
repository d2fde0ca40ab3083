//! Messages: everything that can happen to the model.

use whodunit_core::time::Timestamp;

use crate::client::LiveMessage;
use crate::effect::{Failure, NoAnswer, Ticket};
use crate::model::hits::Hit;
use crate::request::{Part, Reply};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Msg {
    /// A key was pressed, by its name in the key table.
    Key(String),
    /// Text was pasted.
    Pasted(String),
    /// Something on the screen was clicked.
    Clicked(Hit),
    /// The pointer was pressed on one thing and moved to another.
    Dragged { from: Hit, to: Hit },
    /// The mouse wheel was turned, up or down, over something.
    Scrolled { up: bool, over: Option<Hit> },
    /// The terminal has another size now.
    Resized { columns: u16, rows: u16 },
    /// Time has passed; sent only while something on screen depends on it.
    Tick(Timestamp),
    /// A request was answered.
    Replied {
        ticket: Ticket,
        reply: Box<Result<Reply, Failure>>,
    },
    /// A part of a reply that comes bit by bit; its end is its reply.
    Part { ticket: Ticket, part: Box<Part> },
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
