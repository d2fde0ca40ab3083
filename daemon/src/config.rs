//! Configuration of a daemon.
//!
//! Owns the settings and their defaults; fixed bounds are in [`crate::limits`].

use std::path::PathBuf;
use std::time::Duration;

use whodunit_core::model::Models;

use crate::limits::LIVE_HEARTBEAT;
use crate::outbox::{Handlers, Settings};

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
    /// The handlers of the outbox.
    pub handlers: Handlers,
    /// How the handlers' jobs are worked on.
    pub outbox: Settings,
    /// The data directory, in which read models are kept; without one they are kept in memory.
    pub data: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            models: Models::default(),
            allowed_hosts: Vec::new(),
            allow_remote: false,
            heartbeat: LIVE_HEARTBEAT,
            handlers: Handlers::default(),
            outbox: Settings::default(),
            data: None,
        }
    }
}
