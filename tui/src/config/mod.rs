//! The user's settings: a file in the configuration folder, owner-only.
//!
//! Owns where it is, how it is read and written, and which settings there are. Never asks a daemon.

mod file;
pub(crate) mod queries;
mod setting;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub(crate) use file::{ConfigError, is_private, load, save};
pub(crate) use setting::Setting;
pub(crate) use target::{Said, Target};

use crate::theme::Tint;

/// The environment variable that names another file.
pub(crate) const PATH_VARIABLE: &str = "WHODUNIT_CONFIG";

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Who acts where nothing else is said.
    pub(crate) actor: Option<String>,
    /// `auto`, `always` or `never`.
    pub(crate) color: Option<String>,
    /// The pager's command line; empty for none.
    pub(crate) pager: Option<String>,
    /// The format of answers.
    pub(crate) output: Option<String>,
    /// Whether times are shown in this machine's zone.
    pub(crate) local: Option<bool>,
    /// Whether the screens draw with ASCII only.
    pub(crate) ascii: Option<bool>,
    /// The context in use.
    pub(crate) context: Option<String>,
    /// Daemons by name.
    pub(crate) contexts: BTreeMap<String, Context>,
    /// Query lines by name.
    pub(crate) queries: BTreeMap<String, String>,
}

/// A daemon with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Its address.
    pub(crate) address: String,
    /// Whether commands that write are refused.
    #[serde(default)]
    pub(crate) read_only: bool,
    /// The colour of its name in the screens' top line.
    #[serde(default)]
    pub(crate) color: Option<Tint>,
}

/// Where the file is: `$WHODUNIT_CONFIG`, else `whodunit/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`.
pub(crate) fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set(PATH_VARIABLE) {
        return Some(path.into());
    }
    // A relative path is none: the specification says so.
    let folder = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(folder.join("whodunit").join("config.toml"))
}
