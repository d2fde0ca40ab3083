//! The program: its arguments, and the way from them to an exit code.
//!
//! Owns which command runs what: those that ask a daemon are in `cli`, those that must run here (`serve`, `open`, `demo`, and
//! what is done with backups) and the screens in the launcher.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{BufWriter, Write, stderr, stdout};
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum as _};

use crate::app::Palette;
use crate::cli::names::by_name;
use crate::cli::output::{Fields, Format};
use crate::cli::pager::{self, Pager};
use crate::cli::terminal::{Color, Form, Terminal};
use crate::cli::{
    CliError, Exit, append, backfill, bisect, blame, branch, bundle, completions, decisions,
    do_command, doctor, event, events, export, find, import, lab, link, models, note, outbox,
    projections, read_model, rebuild, scenario, settings, state, streams, trace, version,
    what_differs, what_if, why, world,
};
use crate::client::Client;
use crate::config::{self, Config, Said, Target};
use crate::launch;
use crate::zone::{Zone, machine_offset};

/// The daemon's address when nothing is said.
pub const DAEMON_DEFAULT: &str = "http://127.0.0.1:4780";

/// Time-travel debugger and audit tool for event-sourced systems: who did it, when, why; what was true then; what would
/// have happened otherwise.
#[derive(Debug, Parser)]
#[command(
    name = "whodunit",
    version = crate::cli::version::VERSION,
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct Global {
    /// The daemon's address.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "URL",
        help = "The daemon's address [env: WHODUNIT_DAEMON] [default: the context in use, or http://127.0.0.1:4780]"
    )]
    daemon: Option<String>,
    /// The daemon of this name (see `whodunit context`)
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "NAME",
        conflicts_with = "daemon"
    )]
    context: Option<String>,
    /// Read this branch instead of what happened (see `whodunit branch`)
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "NAME")]
    branch: Option<String>,
    /// The format of the answer
    #[arg(
        long,
        short,
        global = true,
        help_heading = "Everywhere",
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = false
    )]
    output: Option<Format>,
    /// The same as `--output json`
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        conflicts_with = "output"
    )]
    json: bool,
    /// Only these fields of each item, such as `stream,data.total`; their paths become the names
    #[arg(id = "chosen_fields", long = "fields", global = true, help_heading = "Everywhere", value_name = "A,B.C", value_parser = Fields::parse)]
    fields: Option<Fields>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_enum,
        value_name = "WHEN"
    )]
    color: Option<Color>,
    /// Never show the answer in a pager (PAGER, or less)
    #[arg(long, global = true, help_heading = "Everywhere")]
    no_pager: bool,
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
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, made when the program starts"
)]
enum Command {
    /// List streams, with their status
    Streams(streams::StreamsArgs),
    /// Show the log, or one stream's history
    Events(events::EventsArgs),
    /// Find events and decisions with a query line
    Find(find::FindArgs),
    /// Show what distinguishes the streams that a query line finds from the others
    WhatDiffers(what_differs::WhatDiffersArgs),
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
    /// Show every value that a field has had, and what set it
    Field(blame::FieldArgs),
    /// Show why a field has its value: the event, its command, what caused that, across streams
    Why(why::WhyArgs),
    /// Show the states of a category at one moment, or what differs between two
    World(world::WorldArgs),
    /// Find the revision at which a condition first holds, last holds, or flips
    Bisect(bisect::BisectArgs),
    /// Show what led to an event and what it led to, or everything of a correlation
    Trace(trace::TraceArgs),
    /// Keep, list, compare and delete named what-ifs
    Branch(branch::BranchArgs),
    /// Write, list and remove notes about streams and events
    Note(note::NoteArgs),
    /// List commands, and what the rules answered
    Decisions(decisions::DecisionsArgs),
    /// Ask what would have happened; nothing is written
    WhatIf(what_if::WhatIfArgs),
    #[command(flatten)]
    Lab(lab::LabCommand),
    /// Check scenarios: what-ifs with the answers expected of them
    Check(launch::check::CheckArgs),
    /// Write a scenario from what happened
    Scenario(scenario::ScenarioArgs),
    /// Send a command, for real
    Do(do_command::DoArgs),
    /// Append a raw event, for real; no rules run
    Append(append::AppendArgs),
    /// List the models in use, and their commands
    Models(models::ModelsArgs),
    /// Import records from a file
    Import(import::ImportArgs),
    /// Export the log as NDJSON
    Export(export::ExportArgs),
    /// Put an incident into one file: to open anywhere, as a web page, or as a post-mortem draft
    Bundle(bundle::BundleArgs),
    /// Back up the whole store to one file, while the daemon keeps taking writes
    Backup(launch::backup::BackupArgs),
    /// Restore a backup to a store in a new folder; no daemon is needed
    Restore(launch::restore::RestoreArgs),
    /// Export what can be read of a damaged store, and report what is missing; no daemon is needed
    Salvage(launch::salvage::SalvageArgs),
    /// Show how far the projections have come, or check their read models
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
    /// Check settings, daemon and pipeline
    Doctor(doctor::DoctorArgs),
    /// Show and change your settings
    Config(settings::ConfigArgs),
    /// Give daemons names, and choose one
    Context(settings::ContextArgs),
    /// Print a script for shell completion of commands, options and names
    Completions(completions::CompletionsArgs),
    /// Write manual pages, one for each command
    Man(completions::ManArgs),
    /// Show the version and the commit of this program
    Version,
    /// Check that the store holds what was written
    Verify(launch::verify::VerifyArgs),
    /// Explore a made-up month of a user service, with an incident to solve
    Demo(launch::demo::DemoArgs),
    /// Follow a link (`whodunit://STORE/STREAM@REVISION`) to the daemon that has it
    OpenLink(link::OpenLinkArgs),
    /// Open the screens on a store or a file, without a running daemon
    Open(launch::open::OpenArgs),
    /// Run a daemon (as `whodunitd` does)
    Serve(launch::serve::ServeArgs),
}

/// Runs the program with these arguments. Not generic, so that all behind it is compiled with the library, not a second time
/// with the binary.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if let Some(answer) = completions::answer(&args, Cli::command, completed_by) {
        // Where it cannot be written, no shell is there.
        let _ = stdout().write_all(&answer);
        return ExitCode::SUCCESS;
    }
    let parsed = Cli::command()
        .try_get_matches_from(bundle::with_file(args))
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
    let (config, broken) = match settings_of(cli.command.as_ref()) {
        Ok(config) => (config, None),
        Err(error) => (Config::default(), Some(error)),
    };
    let choices = Choices::new(&cli.global, &config);
    let mut out = BufWriter::new(choices.pager(cli.command.as_ref(), &config));
    let mut err = Messages::new(choices.pages(cli.command.as_ref()));
    let mut terminal = Terminal::new(choices.form, &mut out, &mut err)
        .with_output(choices.format, cli.global.fields.clone());
    let done = match (broken, cli.command) {
        (Some(error), _) => Err(error),
        // A daemon brings its own runtime.
        (None, Some(Command::Serve(args))) => launch::serve::run(args),
        (None, command) => runtime().and_then(|runtime| {
            let config = &config;
            runtime.block_on(run(&cli.global, config, command, &matches, &mut terminal))
        }),
    };
    let done = done.and_then(|exit| terminal.flush().map(|()| exit));
    let code = match done {
        Ok(exit) => exit.code(),
        Err(error) if error.is_broken_pipe() => Exit::Ok.code(),
        Err(error) => {
            // What was said before the error comes before it.
            let _ = terminal.flush();
            let _ = terminal.error(&error);
            error.exit().code()
        }
    };
    if let Ok(pager) = out.into_inner() {
        pager.finish();
    }
    err.finish();
    ExitCode::from(code)
}

/// The settings; those that cannot be read matter to no command that mends or prints them.
fn settings_of(command: Option<&Command>) -> Result<Config, CliError> {
    let Some(path) = config::path() else {
        return Ok(Config::default());
    };
    match command {
        Some(
            Command::Config(_)
            | Command::Context(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Version,
        ) => Ok(config::load(&path).unwrap_or_default()),
        _ => Ok(config::load(&path)?),
    }
}

/// How answers are written, by the command line or the settings.
struct Choices {
    form: Form,
    format: Format,
    no_pager: bool,
}

impl Choices {
    fn new(global: &Global, config: &Config) -> Self {
        let set = |on: Option<bool>| on == Some(true);
        let zone = if global.local || set(config.local) {
            Zone::Local(machine_offset)
        } else {
            Zone::Utc
        };
        let by_name = |text: &String| Format::from_str(text, false).ok();
        let format = match (global.output, global.json) {
            (Some(format), _) => Some(format),
            (None, true) => Some(Format::Json),
            (None, false) => config.output.as_ref().and_then(by_name),
        };
        let by_name = |text: &String| Color::from_str(text, false).ok();
        let color = global.color.or(config.color.as_ref().and_then(by_name));
        Self {
            form: Form::detect(
                color.unwrap_or_default(),
                zone,
                global.ascii || set(config.ascii),
                global.theme.palette(),
            ),
            format: format.unwrap_or_default(),
            no_pager: global.no_pager,
        }
    }

    /// Whether the answer may be shown in a pager: one that is read, on a terminal that can.
    fn pages(&self, command: Option<&Command>) -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.no_pager
            && !is_dumb
            && self.form.width.is_some()
            && command.is_some_and(Command::is_read)
    }

    fn pager(&self, command: Option<&Command>, config: &Config) -> Pager {
        if !self.pages(command) {
            return Pager::none();
        }
        let variable = std::env::var("PAGER").ok();
        match pager::command_line(config.pager.as_deref(), variable.as_deref()) {
            Some(line) => Pager::new(line),
            None => Pager::none(),
        }
    }
}

/// Standard error; while a pager has the terminal, what is written there waits.
struct Messages {
    waiting: Option<Vec<u8>>,
}

impl Messages {
    fn new(wait: bool) -> Self {
        Self {
            waiting: wait.then(Vec::new),
        }
    }

    fn finish(self) {
        if let Some(waiting) = self.waiting {
            // Where it cannot be written, there is no reader.
            let _ = stderr().write_all(&waiting);
        }
    }
}

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.waiting {
            Some(waiting) => waiting.write(bytes),
            None => stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        stderr().flush()
    }
}

impl Command {
    /// Whether it can read a branch in place of the log.
    fn reads_a_branch(&self) -> bool {
        match self {
            // What goes on by itself follows what happens.
            Self::Streams(args) => !args.watches(),
            Self::State(args) => !args.watches(),
            Self::Events(args) => !args.follow,
            Self::Find(_)
            | Self::Event(_)
            | Self::Steps(_)
            | Self::Diff(_)
            | Self::Blame(_)
            | Self::Field(_)
            | Self::Why(_)
            | Self::World(_)
            | Self::Bisect(_)
            | Self::Trace(_)
            | Self::Decisions(_)
            | Self::WhatIf(_) => true,
            _ => false,
        }
    }

    /// Whether its answer is read, from top to bottom: it neither goes on by itself nor asks back.
    fn is_read(&self) -> bool {
        match self {
            Self::Streams(args) => !args.watches(),
            Self::Events(args) => !args.follow,
            Self::State(args) => !args.watches(),
            Self::Outbox(args) => !args.watches(),
            Self::Projections(args) => !args.watches(),
            Self::Note(args) => args.lists(),
            Self::Branch(args) => args.lists(),
            Self::Event(_)
            | Self::Steps(_)
            | Self::Diff(_)
            | Self::Blame(_)
            | Self::Field(_)
            | Self::Decisions(_)
            | Self::WhatIf(_)
            | Self::Models(_)
            | Self::ReadModel(_) => true,
            _ => false,
        }
    }
}

/// The daemon that is meant.
fn target(global: &Global, config: &Config) -> Result<Target, CliError> {
    let variable = std::env::var("WHODUNIT_DAEMON").ok();
    let said = Said {
        daemon: global.daemon.as_deref(),
        context: global.context.as_deref(),
        variable: variable.as_deref().filter(|text| !text.is_empty()),
    };
    config
        .target(said, DAEMON_DEFAULT)
        .map_err(|message| CliError::NotThere {
            message,
            hint: "`whodunit context list` lists them".into(),
        })
}

/// The daemon that a line being typed is completed by.
fn completed_by(line: completions::Target<'_>) -> Option<Client> {
    let config = config::path()
        .and_then(|path| config::load(&path).ok())
        .unwrap_or_default();
    let variable = std::env::var("WHODUNIT_DAEMON").ok();
    let said = Said {
        daemon: line.daemon,
        context: line.context,
        variable: variable.as_deref().filter(|text| !text.is_empty()),
    };
    let target = config.target(said, DAEMON_DEFAULT).ok()?;
    connect(&target, &config).ok()
}

fn connect(target: &Target, config: &Config) -> Result<Client, CliError> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let person = set("WHODUNIT_ACTOR")
        .or_else(|| config.actor.clone())
        .or_else(|| set("USER"));
    let client = Client::new(&target.address)?.with_actor(person.as_deref());
    Ok(client.with_read_only(target.read_only()))
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

#[expect(clippy::too_many_lines, reason = "a line for each command")]
async fn run(
    global: &Global,
    config: &Config,
    command: Option<Command>,
    matches: &ArgMatches,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let client = || {
        let client = connect(&target(global, config)?, config)?;
        Ok::<_, CliError>(client.with_branch(global.branch.as_deref()))
    };
    if let Some(name) = &global.branch {
        if !command.as_ref().is_some_and(Command::reads_a_branch) {
            return Err(CliError::usage(
                "`--branch` is for commands that read the log: streams, events, state and the like",
                "leave it out here",
            ));
        }
        branch::begin(name, &client()?, terminal).await?;
    }
    let Some(command) = command else {
        let target = target(global, config)?;
        let client = connect(&target, config)?;
        return launch::screens::of_daemon(&client, target.context, terminal).await;
    };
    match command {
        Command::Streams(args) => streams::run(&args, &client()?, terminal).await,
        Command::Events(args) => by_name(args, &client()?, terminal, events::run).await,
        Command::Find(args) => find::run(&args, &client()?, terminal).await,
        Command::WhatDiffers(args) => what_differs::run(&args, &client()?, terminal).await,
        Command::Event(args) => event::run(&args, &client()?, terminal).await,
        Command::State(args) => by_name(args, &client()?, terminal, state::run).await,
        Command::Steps(args) => by_name(args, &client()?, terminal, state::run_steps).await,
        Command::Diff(args) => by_name(args, &client()?, terminal, state::run_diff).await,
        Command::Blame(args) => by_name(args, &client()?, terminal, blame::run).await,
        Command::Field(args) => by_name(args, &client()?, terminal, blame::run_field).await,
        Command::Lab(command) => lab::run(&command, &client()?, terminal).await,
        Command::Bisect(args) => bisect::run(&args, &client()?, terminal).await,
        Command::Why(args) => by_name(args, &client()?, terminal, why::run).await,
        Command::World(args) => world::run(&args, &client()?, terminal).await,
        Command::Trace(args) => trace::run(&args, &client()?, terminal).await,
        Command::Branch(args) => branch::run(&args, &client()?, terminal).await,
        Command::Note(args) => note::run(&args, &client()?, terminal).await,
        Command::OpenLink(args) => {
            let asked = link::Asked {
                target: target(global, config)?,
                is_named: global.daemon.is_some() || global.context.is_some(),
                config,
            };
            link::run(&args, asked, |target| connect(target, config), terminal).await
        }
        Command::Decisions(args) => by_name(args, &client()?, terminal, decisions::run).await,
        Command::WhatIf(args) => {
            let matches = matches.subcommand().map_or(matches, |(_, own)| own);
            what_if::run(&args, matches, &client()?, terminal).await
        }
        Command::Check(args) => launch::check::run(&args, client, terminal).await,
        Command::Scenario(args) => scenario::run(&args, &client()?, terminal).await,
        Command::Do(args) => do_command::run(&args, &client()?, terminal).await,
        Command::Append(args) => append::run(&args, &client()?, terminal).await,
        Command::Models(args) => models::run(&args, &client()?, terminal).await,
        Command::Import(args) => import::run(&args, &client()?, terminal).await,
        Command::Export(args) => export::run(&args, &client()?, terminal).await,
        Command::Bundle(args) => bundle::run(&args, client, terminal).await,
        Command::Backup(args) => launch::backup::run(&args, &client()?, terminal).await,
        Command::Restore(args) => launch::restore::run(args, terminal).await,
        Command::Salvage(args) => launch::salvage::run(args, terminal).await,
        Command::Projections(args) => projections::run(&args, &client()?, terminal).await,
        Command::Outbox(args) => by_name(args, &client()?, terminal, outbox::run).await,
        Command::Rebuild(args) => rebuild::run(&args, &client()?, terminal).await,
        Command::Backfill(args) => backfill::run(&args, &client()?, terminal).await,
        Command::ReadModel(args) => read_model::run(&args, &client()?, terminal).await,
        Command::Health => models::run_health(&client()?, terminal).await,
        Command::Doctor(_) => {
            let connect = |target: &Target| connect(target, config);
            doctor::run(target(global, config), connect, terminal).await
        }
        Command::Config(args) => settings::run(&args, terminal),
        Command::Context(args) => settings::run_context(&args, terminal),
        Command::Completions(args) => completions::run(&args, terminal),
        Command::Man(args) => completions::run_man(&args, Cli::command(), terminal),
        Command::Version => version::run(terminal),
        Command::Verify(args) => launch::verify::run(&args, client, terminal).await,
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
    let format = if cli.global.json {
        Format::Json
    } else {
        cli.global.output.unwrap_or_default()
    };
    let mut terminal =
        Terminal::new(form, &mut out, &mut err).with_output(format, cli.global.fields.clone());
    let config = Config::default();
    let result = run(&cli.global, &config, cli.command, &matches, &mut terminal).await;
    if let Err(error) = &result {
        terminal.error(error).unwrap();
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (result, text(out), text(err))
}
