//! `whodunit completions` and `whodunit man`: what a shell completes, and manual pages.
//!
//! Owns what is completed with names of the daemon. A completion is asked for at each key, so it waits only shortly and says nothing when
//! the daemon is not there. The shell's script runs this program again, with [`VARIABLE`] set to the name of the shell.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use whodunit_core::api::names::NameKind;
use whodunit_core::text::is_unsafe;

use super::exit::{CliError, Exit};
use super::terminal::Terminal;
use crate::client::Client;
use crate::config;

/// The environment variable with the name of the shell that asks for a completion.
pub(crate) const VARIABLE: &str = "WHODUNIT_COMPLETE";
/// The program's name, as the shell knows it.
const PROGRAM: &str = "whodunit";
/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_millis(400);
/// Names that are asked for.
const NAMES: usize = 200;

/// Arguments of `whodunit completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "The script completes commands, options, and the names of streams, event types, actors, categories and correlation ids of the
daemon (within 0.4 s, or not at all).

Examples:
  whodunit completions bash > ~/.local/share/bash-completion/completions/whodunit
  whodunit completions zsh > ~/.zfunc/_whodunit        with `fpath+=~/.zfunc` before `compinit`
  whodunit completions fish > ~/.config/fish/completions/whodunit.fish"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// A shell that can be completed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }
}

/// Arguments of `whodunit man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  whodunit man ~/.local/share/man/man1        then `man whodunit`, `man whodunit-state`")]
pub(crate) struct ManArgs {
    /// The folder to write the pages to; it is created if needed
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `whodunit completions`.
pub(crate) fn run(args: &CompletionsArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    if let Some(shell) = Shells::builtins().completer(args.shell.name()) {
        shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    }
    terminal.bytes(&script)?;
    Ok(Exit::Ok)
}

/// Runs `whodunit man`.
pub(crate) fn run_man(
    args: &ManArgs,
    command: Command,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let failed = |error| CliError::File {
        place: args.folder.display().to_string(),
        error,
    };
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(command, &args.folder).map_err(failed)?;
    terminal.line(format!("written to {}", args.folder.display()))?;
    Ok(Exit::Ok)
}

/// Answers a shell that asks what a command line may go on with; `None` where none asks. `command` is told the target of the line, which
/// names are looked up at.
pub(crate) fn answer(
    args: &[OsString],
    command: impl FnOnce() -> Command,
    connect: impl Fn(Target<'_>) -> Option<Client> + Send + Sync + 'static,
) -> Option<Vec<u8>> {
    let shell = std::env::var(VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())?;
    let shells = Shells::builtins();
    let shell = shells.completer(&shell)?;
    let start = args.iter().position(|arg| arg == "--")? + 1;
    let line: Vec<OsString> = args.get(start..)?.to_vec();
    let words: Vec<String> = line
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let names = std::sync::Arc::new(move |kind: Kind, prefix: &str| {
        let target = Target::of(&words);
        match kind {
            Kind::Context => contexts(),
            Kind::Named(kind) => {
                connect(target).map_or_else(Vec::new, |client| ask(&client, kind, prefix))
            }
        }
    });
    let mut command = with_names(command(), &names);
    command.build();
    let mut out = Vec::new();
    let folder = std::env::current_dir().ok();
    // What goes wrong has no place on a line that is being typed.
    let _ = shell.write_complete(&mut command, line, folder.as_deref(), &mut out);
    Some(out)
}

/// The daemon that the line being typed names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) daemon: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn of(words: &'a [String]) -> Self {
        let value = |name: &str| {
            words.iter().enumerate().find_map(|(index, word)| {
                let rest = word.strip_prefix(name)?;
                match rest.strip_prefix('=') {
                    Some(value) => Some(value),
                    None if rest.is_empty() => words.get(index + 1).map(String::as_str),
                    None => None,
                }
            })
        };
        Self {
            daemon: value("--daemon"),
            context: value("--context"),
        }
    }
}

/// What is completed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Named(NameKind),
    Context,
}

/// What an argument of this id is completed with.
fn kind_of(id: &str) -> Option<Kind> {
    Some(match id {
        "stream" | "about" | "other" | "to_stream" => Kind::Named(NameKind::Stream),
        "event_type" => Kind::Named(NameKind::Type),
        "actor" | "by" => Kind::Named(NameKind::Actor),
        "category" => Kind::Named(NameKind::Category),
        "correlation" => Kind::Named(NameKind::Correlation),
        "context" => Kind::Context,
        _ => return None,
    })
}

type Names = std::sync::Arc<dyn Fn(Kind, &str) -> Vec<(String, Option<String>)> + Send + Sync>;

/// The command with what its arguments are completed with.
fn with_names<F>(command: Command, names: &std::sync::Arc<F>) -> Command
where
    F: Fn(Kind, &str) -> Vec<(String, Option<String>)> + Send + Sync + 'static,
{
    let names: Names = std::sync::Arc::clone(names) as Names;
    attach(command, &names)
}

fn attach(command: Command, names: &Names) -> Command {
    let command = command.mut_args(|arg| match kind_of(arg.get_id().as_str()) {
        Some(kind) if arg.get_possible_values().is_empty() => {
            let names = std::sync::Arc::clone(names);
            let complete = move |typed: &OsStr| candidates(&names, kind, typed);
            arg.add(ArgValueCompleter::new(complete))
        }
        _ => arg,
    });
    command.mut_subcommands(|own| attach(own, names))
}

fn candidates(names: &Names, kind: Kind, typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else {
        return Vec::new();
    };
    let found = names(kind, typed).into_iter();
    found
        // A name with what could control the terminal is not put onto its line.
        .filter(|(name, _)| {
            name.starts_with(typed) && !name.chars().any(|c| is_unsafe(c) || c.is_whitespace())
        })
        .map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into)))
        .collect()
}

fn contexts() -> Vec<(String, Option<String>)> {
    let config = config::path().and_then(|path| config::load(&path).ok());
    let contexts = config.map(|config| config.contexts).unwrap_or_default();
    contexts
        .into_iter()
        .map(|(name, context)| (name, Some(context.address)))
        .collect()
}

/// Names of the daemon; none where it does not answer in time.
fn ask(client: &Client, kind: NameKind, prefix: &str) -> Vec<(String, Option<String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    let asked = async { tokio::time::timeout(PATIENCE, client.names(kind, prefix, NAMES)).await };
    match runtime.block_on(asked) {
        Ok(Ok(found)) => {
            let items = found.items.into_iter();
            items
                .map(|item| (item.name, Some(crate::text::counted(item.events, "event"))))
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_its_daemon() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let line = words("whodunit --daemon http://h:1 state --context=prod us");
        let target = Target::of(&line);
        assert_eq!(
            (target.daemon, target.context),
            (Some("http://h:1"), Some("prod"))
        );
        assert_eq!(Target::of(&words("whodunit state")), Target::default());
    }
}
