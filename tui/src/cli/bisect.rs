//! `whodunit bisect`: the revision at which a condition begins or ceases to hold, in one stream or in many.

use clap::Args;
use whodunit_core::api::investigate::{BisectIn, BisectMatch, BisectOut, FindIn};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::predicate::Predicate;

use super::args::{LIMIT_DEFAULT, given, limit, whole};
use super::exit::{CliError, Exit};
use super::names::{self, NamesStream, StreamArg};
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Terminal, Times};
use crate::client::Client;
use crate::text::counted;

mod wide;

/// Arguments of `whodunit bisect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit bisect user-7f3c… '/status == \"suspended\"'         when was it first suspended, by whom?
  whodunit bisect user-7f3c… '/status == \"suspended\"' --all   every time it began or stopped
  whodunit bisect tank-1 'state.level > 5 && event.actor.startsWith(\"job:\")' --last
  whodunit bisect order-9 'changed(\"/total\")' --from 100 --to 2000
  whodunit bisect --category user '/status == \"deleted\"'     every stream of a category; `--log`: all streams

Every revision is checked, unless `--one-flip` says that the condition flips at most once.
Exit code 1: it holds nowhere.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct BisectArgs {
    /// The stream, and the condition over `state`, `before` and `event`; `/status` is short for `state.status`
    #[arg(required = true, num_args = 1..=2, value_names = ["STREAM", "PREDICATE"])]
    asked: Vec<String>,
    /// Every stream of this category, instead of one
    #[arg(long, value_parser = given, conflicts_with_all = ["log", "from", "to", "one_flip"])]
    category: Option<String>,
    /// Every stream of the log, instead of one
    #[arg(long, conflicts_with_all = ["from", "to", "one_flip"])]
    log: bool,
    /// The first revision to check
    #[arg(long, value_name = "REV", value_parser = whole)]
    from: Option<u64>,
    /// The last revision to check
    #[arg(long, value_name = "REV", value_parser = whole)]
    to: Option<u64>,
    /// Every revision at which it starts or stops holding
    #[arg(long)]
    all: bool,
    /// The last revision at which it holds
    #[arg(long, conflicts_with = "all")]
    last: bool,
    /// You know that it flips once at most: a few states are loaded instead
    #[arg(long, conflicts_with_all = ["all", "last"])]
    one_flip: bool,
    /// At most this many revisions
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
}

/// Checks a condition before anything is asked.
pub(super) fn predicate(text: &str) -> Result<String, CliError> {
    match Predicate::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let mut words = error.to_string();
            if !text.contains('\n') {
                let blanks = " ".repeat(error.column - 1);
                words = format!("{words}\n  {text}\n  {blanks}^");
            }
            let hint = error.hint.unwrap_or_else(|| {
                "conditions look like `state.status == \"active\"` or `/status == \"active\"`"
                    .to_owned()
            });
            Err(CliError::usage(words, hint))
        }
    }
}

/// What the command line asks for.
fn asked(args: &BisectArgs) -> Result<Asked, CliError> {
    let is_wide = args.log || args.category.is_some();
    let (name, condition) = match (args.asked.as_slice(), is_wide) {
        ([name, condition], false) => (Some(name), condition),
        ([condition], true) => (None, condition),
        ([_], false) => {
            return Err(CliError::usage(
                "a stream and a condition are needed",
                "`whodunit bisect STREAM PREDICATE`, or `--category NAME` or `--log` in place of the stream",
            ));
        }
        _ => {
            return Err(CliError::usage(
                "with `--category` or `--log` there is no stream, only a condition",
                "leave the stream out",
            ));
        }
    };
    let name = name.map(|name| StreamArg::parse(name)).transpose();
    let stream = name.map_err(|error| {
        CliError::usage(
            format!("the stream's name {error}"),
            "`whodunit streams` lists them",
        )
    })?;
    let body = BisectIn {
        stream: None,
        category: args.category.clone(),
        log: args.log,
        predicate: predicate(condition)?,
        from: args.from.map(Revision),
        to: args.to.map(Revision),
        find: match (args.all, args.last) {
            (true, _) => FindIn::Flips,
            (_, true) => FindIn::Last,
            _ => FindIn::First,
        },
        all: false,
        one_flip: args.one_flip,
        limit: Some(args.limit.min(1_000)),
    };
    Ok(Asked { stream, body })
}

/// A question, with its stream as it was typed.
#[derive(Debug)]
struct Asked {
    stream: Option<StreamArg>,
    body: BisectIn,
}

impl NamesStream for Asked {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        self.stream.as_mut()
    }
}

/// Runs `whodunit bisect`.
pub(crate) async fn run(
    args: &BisectArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    names::by_name(asked(args)?, client, terminal, run_asked).await
}

async fn run_asked(
    asked: &Asked,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let Some(stream) = &asked.stream else {
        return wide::run(&asked.body, client, terminal).await;
    };
    let stream = stream.name()?;
    let body = BisectIn {
        stream: Some(stream.clone()),
        ..asked.body.clone()
    };
    let out = client.bisect(&body).await?;
    show::warn(terminal, &out.warnings)?;
    let holds = out.matches.iter().any(|found| found.holds) || out.holds_at_start;
    let exit = if holds { Exit::Ok } else { Exit::No };
    if terminal.form.json {
        terminal.document(&out)?;
        return Ok(exit);
    }
    print(&stream, &out, terminal)?;
    Ok(exit)
}

fn print(
    stream: &StreamName,
    out: &BisectOut,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let heading = format!(
        "{stream}  {}  revisions {} to {}",
        out.predicate, out.from, out.to
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &out.warnings)?;
    if out.matches.is_empty() {
        terminal.line(nothing(out))?;
        if out.assumed_one_flip {
            terminal.note("hint: without `--one-flip` every revision is checked")?;
        }
    } else {
        terminal.table(&matches(&out.matches, terminal))?;
    }
    if out.matches_total > out.matches.len() as u64 {
        let more = out.matches_total - out.matches.len() as u64;
        let more = counted(more, "more match");
        terminal.note(format!("hint: {more}: use `-n` or `--from`"))?;
    }
    terminal.line(terminal.paint(Token::Muted, &work(out)))?;
    if let Some(undefined) = &out.undefined {
        let revisions = match undefined.revisions {
            1 => format!("revision {}", undefined.first),
            count => format!("{}, first {}", counted(count, "revision"), undefined.first),
        };
        let line = format!(
            "it could not be evaluated at {revisions}: {}",
            undefined.reason
        );
        terminal.line(terminal.paint(Token::Muted, &line))?;
    }
    Ok(())
}

/// Why there is no match.
fn nothing(out: &BisectOut) -> &'static str {
    match (out.assumed_one_flip, out.holds_at_start) {
        (false, _) => "it does not hold at any of these revisions",
        (true, true) => {
            "it holds at both ends: it does not flip in between, or an even number of times"
        }
        (true, false) => {
            "it holds at neither end: it does not flip in between, or an even number of times"
        }
    }
}

fn work(out: &BisectOut) -> String {
    let folds = counted(out.folds, "fold");
    let revisions = counted(out.revisions, "revision");
    if out.assumed_one_flip {
        format!("{folds}; assuming, as you said, that it flips at most once")
    } else {
        format!("{folds}, {revisions} checked")
    }
}

fn matches(matches: &[BisectMatch], terminal: &Terminal<'_>) -> Table {
    let events = matches.iter().filter_map(|found| found.event.as_ref());
    let times = terminal.form.times(events.map(|event| event.recorded_at));
    let mut table = Table::new([
        Column::new("rev").right(),
        Column::new(""),
        Column::new(terminal.form.zone.heading()),
        Column::new("who").shrinks_to(10),
        Column::new("type").shrinks_to(13),
        Column::new("why").shrinks_to(12),
    ]);
    for found in matches {
        let (word, token) = holds(found);
        let mut cells: Vec<Cell> = vec![found.revision.to_string().into(), Cell::new(word, token)];
        cells.extend(event_cells(found, times));
        table.row(cells);
    }
    table
}

fn holds(found: &BisectMatch) -> (&'static str, Token) {
    if found.holds {
        ("holds", Token::Added)
    } else {
        ("no longer", Token::Removed)
    }
}

/// When, who, what and why.
fn event_cells(found: &BisectMatch, times: Times) -> [Cell; 4] {
    match &found.event {
        Some(event) => [
            times.show(event.recorded_at).into(),
            Cell::new(show::text(event.actor.as_ref()), Token::Accent),
            event.event_type.as_str().into(),
            show::text(event.reason.as_ref()).into(),
        ],
        None => [
            "".into(),
            "".into(),
            "(before the first event)".into(),
            "".into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_condition_is_shown_with_its_place() {
        let CliError::Usage { message, hint } = predicate("state.a = 1").unwrap_err() else {
            panic!("it is a mistake of the command line");
        };
        assert!(
            message.contains("\n  state.a = 1\n          ^"),
            "{message}"
        );
        assert_eq!(hint, "`=` is written `==`");
        assert_eq!(predicate("/a == 1").unwrap(), "/a == 1");
    }
}
