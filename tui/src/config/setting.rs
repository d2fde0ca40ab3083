//! The settings by name, and what each may be.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum as _;

use super::{Config, Context};
use crate::cli::names::did_you_mean;
use crate::cli::output::Format;
use crate::client::Client;
use crate::theme::Tint;

/// A setting that `whodunit config` gets and sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Who acts where nothing else is said.
    Actor,
    /// When colours are used.
    Color,
    /// The pager.
    Pager,
    /// The format of answers.
    Output,
    /// Times in this machine's zone.
    Local,
    /// Screens of ASCII.
    Ascii,
    /// The context in use.
    Context,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|known| known.name());
            let all = format!("the settings are {}", names.join(", "));
            match did_you_mean(text, names) {
                Some(meant) => format!("there is no such setting; {meant} {all}"),
                None => {
                    format!("there is no such setting; {all}; `whodunit context` keeps the daemons")
                }
            }
        })
    }
}

impl Setting {
    /// Every setting.
    pub(crate) const ALL: [Self; 7] = [
        Self::Actor,
        Self::Color,
        Self::Pager,
        Self::Output,
        Self::Local,
        Self::Ascii,
        Self::Context,
    ];

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Color => "color",
            Self::Pager => "pager",
            Self::Output => "output",
            Self::Local => "local",
            Self::Ascii => "ascii",
            Self::Context => "context",
        }
    }

    /// Whether it is on or off.
    pub(super) fn is_switch(&self) -> bool {
        matches!(self, Self::Local | Self::Ascii)
    }

    /// Its value, where it has one.
    pub(crate) fn get(&self, config: &Config) -> Option<String> {
        match self {
            Self::Actor => config.actor.clone(),
            Self::Color => config.color.clone(),
            Self::Pager => config.pager.clone(),
            Self::Output => config.output.clone(),
            Self::Local => config.local.map(|on| on.to_string()),
            Self::Ascii => config.ascii.map(|on| on.to_string()),
            Self::Context => config.context.clone(),
        }
    }

    /// Gives it a value, or none.
    ///
    /// # Errors
    /// What it may be instead.
    pub(crate) fn set(&self, value: Option<&str>, config: &mut Config) -> Result<(), String> {
        let text = value.map(str::to_owned);
        match self {
            Self::Actor => config.actor = text,
            Self::Color => config.color = text,
            Self::Pager => config.pager = text,
            Self::Output => config.output = text,
            Self::Local => config.local = value.map(switch).transpose()?,
            Self::Ascii => config.ascii = value.map(switch).transpose()?,
            Self::Context => config.context = text,
        }
        config.check()
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

impl Config {
    /// Checks what the types do not.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(actor) = &self.actor
            && (actor.trim().is_empty() || actor.chars().any(char::is_control))
        {
            return Err("actor: must be a name".to_owned());
        }
        if let Some(color) = &self.color
            && !["auto", "always", "never"].contains(&color.as_str())
        {
            return Err("color: must be `auto`, `always` or `never`".to_owned());
        }
        if let Some(output) = &self.output {
            Format::from_str(output, false).map_err(|_unknown| {
                "output: must be `table`, `wide`, `json`, `ndjson`, `yaml` or `csv`".to_owned()
            })?;
        }
        for (name, context) in &self.contexts {
            context.check(name)?;
        }
        for name in self.queries.keys() {
            super::queries::check_name(name)?;
        }
        if let Some(name) = &self.context
            && !self.contexts.contains_key(name)
        {
            return Err(self.no_context(name));
        }
        Ok(())
    }

    /// That there is no context of a name, and which there are.
    pub(crate) fn no_context(&self, name: &str) -> String {
        let names = self.contexts.keys().map(String::as_str);
        let meant =
            did_you_mean(name, names).map_or_else(String::new, |meant| format!("; {meant}"));
        format!("there is no context `{name}`{meant}")
    }
}

impl Context {
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !is_name {
            return Err(format!(
                "a context's name is made of letters, digits, `-`, `_` and `.`; `{}` is not",
                name.escape_debug()
            ));
        }
        match Client::new(&self.address) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("context {name}: {error}")),
        }
    }
}

impl FromStr for Tint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|tint| tint.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(super::super::theme::Tint::name);
            format!("the colours are {}", names.join(", "))
        })
    }
}
