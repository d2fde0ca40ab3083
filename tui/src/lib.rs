//! The whodunit terminal program as a library: HTTP client, commands, screens and the launcher.

pub mod app;
pub mod cli;
pub mod client;
mod config;
mod launch;
pub mod program;

mod background;
mod curve;
mod effect;
mod ending;
mod humanize;
mod json;
mod keys;
mod model;
mod msg;
mod request;
mod run_request;
mod runtime;
mod scenario_file;
#[cfg(test)]
mod testing;
mod text;
mod theme;
mod time_input;
mod times;
mod update;
mod view;
mod zone;
