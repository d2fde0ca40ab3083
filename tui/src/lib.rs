//! The whodunit terminal program as a library: HTTP client, commands, screens and the launcher.

pub mod app;
pub mod cli;
pub mod client;
mod launch;

mod effect;
mod ending;
mod figures;
mod guide;
mod jump;
mod keys;
mod model;
mod msg;
mod runtime;
#[cfg(test)]
mod testing;
mod text;
mod theme;
mod update;
mod view;
