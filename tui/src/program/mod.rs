//! The program: its arguments, and the way from them to an exit code.
//!
//! Owns which command runs what: those that ask a daemon are in `cli`, those that must run here (`serve`, `open`, `demo`)
//! and the screens in the launcher.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{BufWriter, stderr, stdout};
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::Palette;
use crate::cli::terminal::{Form, Terminal};
use crate::cli::{
    CliError, Exit, backfill, bisect, blame, decisions, do_command, event, events, export, import,
    models, outbox, projections, read_model, rebuild, state, streams, trace, what_if, why, world,
};
use crate::client::Client;
use crate::launch;
use crate::zone::{Zone, machine_offset};

/// The daemon's address when nothing is said.
pub const DAEMON_DEFAULT: &str = "http://127.0.0.1:4780";

/// Time-travel debugger and audit tool for event-sourced systems: who did it, when, why; what was true then; what would
/// have happened otherwise.
#[derive(Debug, Parser)]
#[command(
    name = "whodunit",
    version,
    max_term_width = 100,
    after_help = "Without a command, the screens open.

Examples:
  whodunit demo                                  a month of a user service, with an incident in it
  whodunit streams sarah                         which streams have to do with Sarah
  whodunit state user-7f3c… --as-of 2025-03-24T15:47:00Z
  whodunit what-if user-7f3c… --at-revision 2 --command SuspendUser --reason fraud_detected

Exit codes: 0 yes or done · 1 no (a rejected command, a bad record, a finding) · 2 usage
  3 not found · 4 conflict · 5 daemon unreachable · 6 internal"
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What holds for every command.
#[derive(Debug, Args)]
struct Global {
    /// The daemon's address
    #[arg(long, global = true, help_heading = "Everywhere", env = "WHODUNIT_DAEMON", value_name = "URL", default_value = DAEMON_DEFAULT)]
    daemon: String,
    /// Print one JSON document instead of text (lists with `--all`: one line per item)
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    /// Show times in this machine's zone instead of UTC
    #[arg(long, global = true, help_heading = "Everywhere")]
    local: bool,
    /// Draw the screens with ASCII only
    #[arg(long, global = true, help_heading = "Everywhere")]
    ascii: bool,
    /// Which colours the screens use: `auto` asks the terminal for its background
    #[arg(long, global = true, help_heading = "Everywhere", env = "WHODUNIT_THEME", value_enum, default_value_t = ThemeChoice::Auto)]
    theme: ThemeChoice,
}

/// A choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ThemeChoice {
    /// By the terminal's background
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// The sixteen colours of the terminal's own scheme
    #[value(name = "16")]
    Sixteen,
    /// No colours
    None,
}

impl ThemeChoice {
    fn palette(self) -> Option<Palette> {
        match self {
            Self::Auto => None,
            Self::Dark => Some(Palette::Dark),
            Self::Light => Some(Palette::Light),
            Self::Sixteen => Some(Palette::Sixteen),
            Self::None => Some(Palette::None),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// List streams, with their status
    Streams(streams::StreamsArgs),
    /// Show the log, or one stream's history
    Events(events::EventsArgs),
    /// Show one event, and the chain of its causes
    Event(event::EventArgs),
    /// Show a stream's state, at a revision or a time
    State(state::StateArgs),
    /// Show each event of a stream, and what it changed
    Steps(state::StepsArgs),
    /// Compare two points of a stream's history
    Diff(state::DiffArgs),
    /// Show which event last set each field of a state: when, who, why
    Blame(blame::BlameArgs),
    /// Show every value that a field had, and what brought it
    Field(blame::FieldArgs),
    /// Show why a field has its value: the event, its command, what caused that, across streams
    Why(why::WhyArgs),
    /// Show the states of a category at one moment, or what differs between two
    World(world::WorldArgs),
    /// Find the revision at which a condition first holds, last holds, or flips
    Bisect(bisect::BisectArgs),
    /// Show what led to an event and what it led to, or everything of a correlation
    Trace(trace::TraceArgs),
    /// List commands, and what the rules answered
    Decisions(decisions::DecisionsArgs),
    /// Try what would have happened; nothing is written
    WhatIf(what_if::WhatIfArgs),
    /// Send a command, for real
    Do(do_command::DoArgs),
    /// List the models in use, and their commands
    Models(models::ModelsArgs),
    /// Import records from a file
    Import(import::ImportArgs),
    /// Export the log as NDJSON
    Export(export::ExportArgs),
    /// Show how far the projections are, or check their read models
    Projections(projections::ProjectionsArgs),
    /// List the handlers' jobs, or retry failed ones
    Outbox(outbox::OutboxArgs),
    /// Rebuild a read model from the log
    Rebuild(rebuild::RebuildArgs),
    /// Run a range of history through handlers again
    Backfill(backfill::BackfillArgs),
    /// Query the read models
    ReadModel(read_model::ReadModelArgs),
    /// Show the daemon's health, and how much it holds
    Health,
    /// Explore a made-up month of a user service, with an incident to solve
    Demo(launch::demo::DemoArgs),
    /// Open the screens on a store or a file, without a running daemon
    Open(launch::open::OpenArgs),
    /// Run a daemon (as `whodunitd` does)
    Serve(launch::serve::ServeArgs),
}

/// Runs the program with these arguments. Not generic, so that all behind it is compiled with the library, not a second time
/// with the binary.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let parsed = Cli::command()
        .try_get_matches_from(args)
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
            // Help goes to standard output, mistakes to standard error; if neither can be written, nobody is there.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let zone = if cli.global.local {
        Zone::Local(machine_offset)
    } else {
        Zone::Utc
    };
    let form = Form::detect(
        cli.global.json,
        zone,
        cli.global.ascii,
        cli.global.theme.palette(),
    );
    let (mut out, mut err) = (BufWriter::new(stdout()), stderr());
    let mut terminal = Terminal::new(form, &mut out, &mut err);
    let done = match cli.command {
        // A daemon brings its own runtime.
        Some(Command::Serve(args)) => launch::serve::run(args),
        command => runtime().and_then(|runtime| {
            runtime.block_on(run(&cli.global, command, &matches, &mut terminal))
        }),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(error) if error.is_broken_pipe() => Exit::Ok,
        Err(error) => {
            // What was said before the error comes before it.
            let _ = terminal.flush();
            let _ = terminal.error(&error);
            return ExitCode::from(error.exit().code());
        }
    };
    match terminal.flush() {
        Err(error) if !error.is_broken_pipe() => ExitCode::from(Exit::Internal.code()),
        _ => ExitCode::from(exit.code()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

async fn run(
    global: &Global,
    command: Option<Command>,
    matches: &ArgMatches,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let person = std::env::var("WHODUNIT_ACTOR")
        .or_else(|_| std::env::var("USER"))
        .ok();
    let client = || Client::new(&global.daemon).map(|client| client.with_actor(person.as_deref()));
    let Some(command) = command else {
        return launch::screens::of_daemon(&client()?, terminal).await;
    };
    match command {
        Command::Streams(args) => streams::run(&args, &client()?, terminal).await,
        Command::Events(args) => events::run(&args, &client()?, terminal).await,
        Command::Event(args) => event::run(&args, &client()?, terminal).await,
        Command::State(args) => state::run(&args, &client()?, terminal).await,
        Command::Steps(args) => state::run_steps(&args, &client()?, terminal).await,
        Command::Diff(args) => state::run_diff(&args, &client()?, terminal).await,
        Command::Blame(args) => blame::run(&args, &client()?, terminal).await,
        Command::Field(args) => blame::run_field(&args, &client()?, terminal).await,
        Command::Bisect(args) => bisect::run(&args, &client()?, terminal).await,
        Command::Why(args) => why::run(&args, &client()?, terminal).await,
        Command::World(args) => world::run(&args, &client()?, terminal).await,
        Command::Trace(args) => trace::run(&args, &client()?, terminal).await,
        Command::Decisions(args) => decisions::run(&args, &client()?, terminal).await,
        Command::WhatIf(args) => {
            let matches = matches.subcommand().map_or(matches, |(_, own)| own);
            what_if::run(&args, matches, &client()?, terminal).await
        }
        Command::Do(args) => do_command::run(&args, &client()?, terminal).await,
        Command::Models(args) => models::run(&args, &client()?, terminal).await,
        Command::Import(args) => import::run(&args, &client()?, terminal).await,
        Command::Export(args) => export::run(&args, &client()?, terminal).await,
        Command::Projections(args) => projections::run(&args, &client()?, terminal).await,
        Command::Outbox(args) => outbox::run(&args, &client()?, terminal).await,
        Command::Rebuild(args) => rebuild::run(&args, &client()?, terminal).await,
        Command::Backfill(args) => backfill::run(&args, &client()?, terminal).await,
        Command::ReadModel(args) => read_model::run(&args, &client()?, terminal).await,
        Command::Health => models::run_health(&client()?, terminal).await,
        Command::Demo(args) => launch::demo::run(&args, terminal).await,
        Command::Open(args) => launch::open::run(&args, terminal).await,
        Command::Serve(args) => launch::serve::run(args),
    }
}

/// Whether a command line can be read: for tests of arguments.
#[cfg(test)]
pub(crate) fn read_line(line: &[&str]) -> Result<ArgMatches, clap::Error> {
    Cli::command().try_get_matches_from(std::iter::once(&"whodunit").chain(line))
}

/// Runs a command line as the program would, with everything written kept: for tests against a real daemon.
#[cfg(test)]
pub(crate) async fn run_line(
    line: &[&str],
    form: Form,
) -> (Result<Exit, CliError>, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let matches = Cli::command()
        .try_get_matches_from(std::iter::once(&"whodunit").chain(line))
        .unwrap();
    let cli = Cli::from_arg_matches(&matches).unwrap();
    let form = Form {
        json: cli.global.json,
        ..form
    };
    let mut terminal = Terminal::new(form, &mut out, &mut err);
    let result = run(&cli.global, cli.command, &matches, &mut terminal).await;
    if let Err(error) = &result {
        terminal.error(error).unwrap();
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (result, text(out), text(err))
}
