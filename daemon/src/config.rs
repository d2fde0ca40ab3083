//! Configuration of a daemon.
//!
//! Owns the settings and their defaults; fixed bounds are in [`crate::limits`].

use std::path::PathBuf;
use std::time::Duration;

use whodunit_core::model::Models;

use crate::limits::{BODY_GRACE, BODY_TIMEOUT, HEADER_TIMEOUT, LIVE_HEARTBEAT, WRITE_TIMEOUT};
use crate::outbox::{Handlers, Settings};
use crate::projections::IndexedField;

/// Settings of a daemon.
#[derive(Debug, Clone)]
pub struct Config {
    /// The models that were asked for; see [`crate::builtin::models`]. Categories without one are folded by merge.
    pub models: Models,
    /// Names, beside loopback's, that a request's `Host` and `Origin` may have.
    pub allowed_hosts: Vec<String>,
    /// Whether any IP address is accepted as `Host`, as it must be when listening beyond loopback. Names still have to be
    /// allowed one by one: it is names that DNS rebinding uses.
    pub allow_remote: bool,
    /// Time between two heads of an idle live feed.
    pub heartbeat: Duration,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// The handlers of the outbox.
    pub handlers: Handlers,
    /// How the handlers' jobs are worked on.
    pub outbox: Settings,
    /// The data directory, in which read models are kept; without one they are kept in memory.
    pub data: Option<PathBuf>,
    /// The directory in which notes are kept; `data` when absent, and without either they are kept in memory.
    pub notes: Option<PathBuf>,
    /// Fields whose values are indexed, beside those that the models declare.
    pub index: Vec<IndexedField>,
}

/// How long clients are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a request's head; also how long a connection may rest between two requests.
    pub head: Duration,
    /// For a request's body; of an import for its next piece.
    pub body: Duration,
    /// Before a body must bring a number of bytes each second, and before a connection that brings none may be closed for
    /// another.
    pub body_grace: Duration,
    /// For a part of an answer to be taken.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: HEADER_TIMEOUT,
            body: BODY_TIMEOUT,
            body_grace: BODY_GRACE,
            write: WRITE_TIMEOUT,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            models: Models::default(),
            allowed_hosts: Vec::new(),
            allow_remote: false,
            heartbeat: LIVE_HEARTBEAT,
            timeouts: Timeouts::default(),
            handlers: Handlers::default(),
            outbox: Settings::default(),
            data: None,
            notes: None,
            index: Vec::new(),
        }
    }
}
