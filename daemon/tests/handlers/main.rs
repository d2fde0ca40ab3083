//! The handlers with effects beyond the daemon, against real servers on loopback.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, helpers of tests too"
)]
#![expect(clippy::too_many_lines, reason = "tables of cases are long")]

mod config;
mod folder;
mod receiver;
mod smtp;
mod smtp_failures;
mod smtp_server;
mod support;
mod webhook;
mod webhook_destinations;
