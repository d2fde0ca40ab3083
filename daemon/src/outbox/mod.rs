//! The outbox: what is to be done about events beyond the log, and by whom.
//!
//! Owns the table from event types to handlers, the workers, and the order of a job's life. A job is stored with its event;
//! it is handled at least once, in order within its stream and handler. Never writes events.

mod handler;

pub use handler::{Delivery, EventPattern, Handler, HandlerError};
