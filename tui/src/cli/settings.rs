//! `whodunit config` and `whodunit context`: the settings, and daemons by name.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use whodunit_core::text::shown;

use super::args::given;
use super::exit::{CliError, Exit};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::config::{Config, ConfigError, Context, Setting, load, path, save};
use crate::theme::Tint;

/// Arguments of `whodunit config`.
#[derive(Debug, Args)]
#[command(
    after_help = "Settings: actor, color (auto, always, never), pager, output (as `-o`), local, ascii (true, false), context.
The command line takes precedence over the environment (WHODUNIT_ACTOR, WHODUNIT_DAEMON, PAGER, NO_COLOR), and that over a setting.

Examples:
  whodunit config set actor anna
  whodunit config list
  whodunit config path"
)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: ConfigAction,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Print a setting
    Get {
        /// Its name
        setting: Setting,
    },
    /// Change a setting
    Set {
        /// Its name
        setting: Setting,
        /// Its value
        value: String,
    },
    /// Remove a setting: the default applies again
    Unset {
        /// Its name
        setting: Setting,
    },
    /// Print all settings
    List,
    /// Print where the settings are kept
    Path,
}

/// Arguments of `whodunit context`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit context add prod 10.0.0.5:4780 --read-only --colour red
  whodunit context use prod                  from now on; `--context NAME` for one command, `--daemon URL` for any address
  whodunit context list
  whodunit context use --none                the daemon of this machine again")]
pub(crate) struct ContextArgs {
    #[command(subcommand)]
    action: ContextAction,
}

/// What to do with the contexts.
#[derive(Debug, Subcommand)]
enum ContextAction {
    /// List the named daemons
    List,
    /// Choose the daemon that commands and screens use
    Use {
        /// Its name
        #[arg(required_unless_present = "none", conflicts_with = "none")]
        name: Option<String>,
        /// None of them: the default address
        #[arg(long)]
        none: bool,
    },
    /// Give a daemon a name
    Add {
        /// The name
        #[arg(value_parser = given)]
        name: String,
        /// The address, such as `10.0.0.5:4780`
        #[arg(value_name = "URL")]
        address: String,
        /// Refuse commands that write, before anything is sent
        #[arg(long)]
        read_only: bool,
        /// The colour of its name on the screens: red, yellow, green, blue, magenta or cyan
        #[arg(long = "colour", alias = "tint", value_name = "COLOUR")]
        tint: Option<Tint>,
        /// Replace the daemon of this name
        #[arg(long)]
        replace: bool,
    },
    /// Remove a name
    Remove {
        /// The name
        name: String,
    },
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::NoPlace => "name a file with WHODUNIT_CONFIG",
            ConfigError::File { .. } => "`whodunit config path` prints where it is",
            ConfigError::Content { .. } => {
                "fix the file, or remove it; `whodunit config --help` lists the settings"
            }
        };
        Self::usage(error.to_string(), hint)
    }
}

/// Where the settings are.
fn place() -> Result<PathBuf, CliError> {
    path().ok_or_else(|| ConfigError::NoPlace.into())
}

pub(super) fn change(
    edit: impl FnOnce(&mut Config) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let path = place()?;
    let mut config = load(&path)?;
    edit(&mut config)?;
    save(&path, &config)?;
    Ok(())
}

/// Runs `whodunit config`.
pub(crate) fn run(args: &ConfigArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let refused = |why: String| CliError::usage(why, "`whodunit config --help` lists the settings");
    match &args.action {
        ConfigAction::Path => terminal.line(shown(&place()?.display().to_string()))?,
        ConfigAction::Get { setting } => match setting.get(&load(&place()?)?) {
            Some(value) => terminal.line(shown(&value))?,
            None => {
                terminal.note(format!("`{setting}` is not set"))?;
                return Ok(Exit::No);
            }
        },
        ConfigAction::List => list(&load(&place()?)?, terminal)?,
        ConfigAction::Set { setting, value } => {
            change(|config| setting.set(Some(value), config).map_err(refused))?;
        }
        ConfigAction::Unset { setting } => {
            change(|config| setting.set(None, config).map_err(refused))?;
        }
    }
    Ok(Exit::Ok)
}

fn list(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let set: Vec<(&str, String)> = Setting::ALL
        .iter()
        .filter_map(|setting| Some((setting.name(), setting.get(config)?)))
        .collect();
    if terminal.form.json {
        let all = set
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)));
        return terminal.document(&all.collect::<Map<_, _>>());
    }
    for (name, value) in set {
        terminal.line(format!("{name} = {}", shown(&value)))?;
    }
    Ok(())
}

/// Runs `whodunit context`.
pub(crate) fn run_context(
    args: &ContextArgs,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let unknown = |config: &Config, name: &str| CliError::NotThere {
        message: config.no_context(name),
        hint: "`whodunit context list` lists them".into(),
    };
    match &args.action {
        ContextAction::List => contexts(&load(&place()?)?, terminal)?,
        ContextAction::Use { name, .. } => {
            change(|config| {
                match name {
                    Some(name) if !config.contexts.contains_key(name) => {
                        return Err(unknown(config, name));
                    }
                    name => config.context.clone_from(name),
                }
                Ok(())
            })?;
        }
        ContextAction::Add {
            name,
            address,
            read_only,
            tint,
            replace,
        } => change(|config| {
            let context = Context {
                address: address.clone(),
                read_only: *read_only,
                color: *tint,
            };
            let wrong = |why| CliError::usage(why, "`whodunit context add NAME URL`");
            context.check(name).map_err(wrong)?;
            if config.contexts.contains_key(name) && !replace {
                return Err(CliError::usage(
                    format!("context `{name}` already exists"),
                    "`--replace` replaces it",
                ));
            }
            config.contexts.insert(name.clone(), context);
            Ok(())
        })?,
        ContextAction::Remove { name } => change(|config| {
            if config.contexts.remove(name).is_none() {
                return Err(unknown(config, name));
            }
            if config.context.as_ref() == Some(name) {
                config.context = None;
            }
            Ok(())
        })?,
    }
    Ok(Exit::Ok)
}

fn contexts(config: &Config, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let is_used = |name: &str| config.context.as_deref() == Some(name);
    if terminal.form.json {
        let items = config.contexts.iter().map(|(name, context)| {
            json!({
                "name": name, "address": context.address, "read_only": context.read_only,
                "color": context.color.map(Tint::name), "in_use": is_used(name),
            })
        });
        return terminal.document(&json!({"items": items.collect::<Vec<_>>()}));
    }
    if config.contexts.is_empty() {
        return terminal
            .note("there are no contexts yet: `whodunit context add NAME URL` adds one");
    }
    let mut table = Table::new([
        Column::new(""),
        Column::new("name"),
        Column::new("address"),
        Column::new("writes"),
        Column::new("color"),
    ]);
    for (name, context) in &config.contexts {
        table.row([
            Cell::from(if is_used(name) { "*" } else { "" }),
            Cell::new(name, Token::Accent),
            context.address.as_str().into(),
            if context.read_only { "refused" } else { "" }.into(),
            context.color.map_or("", Tint::name).into(),
        ]);
    }
    table.drop_empty_columns();
    terminal.table(&table)
}
