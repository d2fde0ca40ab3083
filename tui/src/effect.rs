//! Effects: what an update wants done, as data.
//!
//! Owns the vocabulary between the pure update and the runtime. An update never does any of it itself.

use crate::request::Request;

/// Something to be done outside the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// End the program.
    Quit,
    /// Give the terminal back to the shell until the program is called to the front again.
    Suspend,
    /// Put a text on the clipboard.
    Copy(String),
    /// Ask the daemon; the reply comes back with the same ticket.
    Ask {
        ticket: Ticket,
        request: Box<Request>,
        /// The branch that it is read from; the log when absent.
        branch: Option<String>,
    },
    /// Give up on a request: no screen waits for its reply any more.
    Cancel(Ticket),
    /// Try to reach the daemon now instead of waiting.
    Reconnect,
    /// Look at the daemon's answer again after a moment: many events in a row make one refresh.
    RefreshSoon,
}

/// The number of a question. The screen that asked keeps it until the reply is there or is no longer wanted; a reply whose
/// ticket no screen keeps is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Draws tickets, no number twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tickets(u64);

impl Tickets {
    pub(crate) fn draw(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}

/// Why there is no reply, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The problem's stable code, if the daemon answered with one.
    pub(crate) code: Option<String>,
    /// What failed.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Set when the daemon did not say anything.
    pub(crate) no_answer: Option<NoAnswer>,
}

/// How it came that nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// There is no connection.
    Unreachable,
    /// There is one, and nothing came over it in time.
    TimedOut,
}
