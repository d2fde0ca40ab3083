//! `whodunit bundle`: what belongs to an incident in one file, and the page and the post-mortem draft that are made of it.

use std::ffi::OsString;
use std::io::{IsTerminal, Write as _, stdout};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use whodunit_core::bundle::{self, Bundle, BundleIn, to_html, to_markdown};

use super::args::given;
use super::exit::{CliError, Exit};
use super::files::{read_bytes, read_text};
use super::names::{self, StreamArg};
use super::show::number;
use super::terminal::Terminal;
use crate::client::Client;
use crate::text::counted;

/// Arguments of `whodunit bundle`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "An incident file has events, decisions, notes, branches and scenarios, without secrets; `whodunit open` reads it anywhere, without a daemon.
Here `-o FILE` is short for `--to FILE`: there is no other format to choose.

Examples:
  whodunit bundle --around user-7f3c@4 -o incident.ndjson    an event, its causes and effects, and their batches
  whodunit bundle --around user-7f3c@4 --html -o incident.html
  whodunit bundle --from incident.ndjson --md -o post-mortem.md
  whodunit bundle --correlation fraud-scan-2025-03-20 --scenario email.toml -o batch.ndjson
  whodunit open incident.ndjson
  whodunit check incident.ndjson                             its scenarios, on what is in it"
)]
pub(crate) struct BundleArgs {
    /// An event or a command: its causes, what it led to, and everything of their correlations
    #[arg(long, value_name = "EVENT", value_parser = given, group = "what")]
    around: Option<String>,
    /// A correlation: everything in it, with causes and effects
    #[arg(long, value_name = "ID", value_parser = given, group = "what")]
    correlation: Option<String>,
    /// A stream, with the causes of its events
    #[arg(long, value_name = "NAME", value_parser = StreamArg::parse, group = "what")]
    stream: Option<StreamArg>,
    /// An existing incident file; no daemon is asked
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "scenario")]
    from: Option<PathBuf>,
    /// A scenario file that belongs to it. May be given several times
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// Write one page (HTML) for a browser, without scripts or anything from elsewhere
    #[arg(long, conflicts_with = "md")]
    html: bool,
    /// Write a draft of a post-mortem (Markdown)
    #[arg(long)]
    md: bool,
    /// Write to this new file (also `-o FILE`); to standard output when absent
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long, requires = "to")]
    replace: bool,
}

/// Options of every command that take a value after a blank.
const WITH_VALUE: [&str; 8] = [
    "--daemon",
    "--context",
    "--branch",
    "--output",
    "-o",
    "--fields",
    "--color",
    "--theme",
];

/// The arguments, where `-o` of this command names its file: everywhere else it names a format.
pub(crate) fn with_file(mut args: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    // The first word that is neither an option nor its value is the command.
    while let Some(word) = args.get(at).and_then(|word| word.to_str()) {
        if !word.starts_with('-') {
            break;
        }
        at += if WITH_VALUE.contains(&word) { 2 } else { 1 };
    }
    if args.get(at).is_none_or(|command| command != "bundle") {
        return args;
    }
    for word in args.iter_mut().skip(at + 1) {
        let file = word.to_str().and_then(|word| word.strip_prefix("-o"));
        let file = file.map(|file| file.strip_prefix('=').unwrap_or(file));
        match file {
            Some("") => *word = "--to".into(),
            Some(file) => *word = format!("--to={file}").into(),
            None => {}
        }
    }
    args
}

/// Runs it.
pub(crate) async fn run(
    args: &BundleArgs,
    client: impl FnOnce() -> Result<Client, CliError>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let bytes = match &args.from {
        Some(path) => read_bytes(path, bundle::BUNDLE_BYTES_MAX as u64)?,
        None => {
            let client = client()?;
            let asked = asked(args, &client, terminal).await?;
            client.bundle(&asked).await?
        }
    };
    let read = bundle::read(&bytes).map_err(|bad| {
        let place = args.from.as_ref().map(|path| path.display().to_string());
        let place = place.unwrap_or_else(|| "what the daemon sent".to_owned());
        CliError::Refused {
            message: format!("`{place}`: {bad}"),
            hint: "write it again with `whodunit bundle`; `whodunit open` shows the undamaged part of a file",
            exit: Exit::No,
        }
    })?;
    let text = if args.html {
        to_html(&read).into_bytes()
    } else if args.md {
        to_markdown(&read).into_bytes()
    } else {
        bytes
    };
    match args.to.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => write(path, &text, args.replace)?,
        None if stdout().is_terminal() => {
            return Err(CliError::usage(
                "an incident file is not written to a terminal",
                "name a file with `-o FILE`; `-o - | cat` prints it anyway",
            ));
        }
        None => terminal.bytes(&text)?,
    }
    terminal.flush()?;
    report(args, &read, terminal)?;
    Ok(Exit::Ok)
}

async fn asked(
    args: &BundleArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<BundleIn, CliError> {
    let around = match &args.around {
        Some(typed) => match names::event(typed, false, client, terminal).await {
            Ok(event) => Some(event.event_id),
            // It may be a command: the daemon knows.
            Err(error) if error.exit() == Exit::NotFound && !typed.contains(['@', ':']) => {
                Some(typed.clone())
            }
            Err(error) => return Err(error),
        },
        None => None,
    };
    let stream = match &args.stream {
        Some(named) => Some(names::resolve_to_read(named, client, terminal).await?),
        None => None,
    };
    let scenarios = args.scenario.iter().map(|path| read_text(path));
    Ok(BundleIn {
        around,
        correlation: args.correlation.clone(),
        stream,
        scenarios: scenarios.collect::<Result<_, _>>()?,
    })
}

fn write(path: &Path, text: &[u8], replace: bool) -> Result<(), CliError> {
    if !replace && path.exists() {
        return Err(CliError::usage(
            format!("`{}` already exists", path.display()),
            "name a new file, or add `--replace`",
        ));
    }
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    // A file that is cut short by a full disk must not take the place of a whole one.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".whodunit-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    let kept = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    kept.map(|_| ()).map_err(|error| failed(error.error))
}

fn report(args: &BundleArgs, read: &Bundle, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let log = &read.incident.log;
    let streams = read.incident.streams.iter();
    let streams = streams.filter(|part| part.included.is_some()).count() as u64;
    terminal.note(format!(
        "{} of {} and {} of {}, from {}; {}, {}, {}; without secrets",
        number(read.events.len() as u64),
        counted(log.position.0, "event"),
        number(read.decisions.len() as u64),
        counted(log.decision, "decision"),
        counted(streams, "stream"),
        counted(read.notes.len() as u64, "note"),
        counted(read.branches.len(), "branch"),
        counted(read.scenarios.len() as u64, "scenario"),
    ))?;
    for left in &read.incident.left_out {
        let what = whodunit_core::text::shown(&left.what);
        terminal.warn(format!("left out: {} {what}", number(left.count)))?;
    }
    if let Some(path) = args.to.as_deref().filter(|path| path.as_os_str() != "-") {
        let path = path.display();
        terminal.note(match (args.html, args.md) {
            (true, _) => format!("written to {path}: open it in a browser"),
            (_, true) => format!("written to {path}"),
            _ => format!("written to {path}; `whodunit open {path}` opens it"),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_o_is_the_file_of_this_command_alone() {
        let rewritten = |line: &str| {
            let args = line.split(' ').map(OsString::from).collect();
            let args: Vec<String> = with_file(args)
                .into_iter()
                .filter_map(|word| word.into_string().ok())
                .collect();
            args.join(" ")
        };
        for (line, expected) in [
            ("w bundle --around e -o f", "w bundle --around e --to f"),
            (
                "w --daemon bundle streams -o json",
                "w --daemon bundle streams -o json",
            ),
            (
                "w --daemon=x bundle -of.ndjson",
                "w --daemon=x bundle --to=f.ndjson",
            ),
            ("w -o json streams bundle", "w -o json streams bundle"),
            ("w bundle --output json", "w bundle --output json"),
        ] {
            assert_eq!(rewritten(line), expected);
        }
    }
}
