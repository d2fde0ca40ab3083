//! `whodunit state`, `steps` and `diff`: what was true, and what changed it.

use clap::Args;
use whodunit_core::api::time_travel::{DiffBlame, StateOut, Step};
use whodunit_core::diff::DiffEntry;
use whodunit_core::fold::EventEffect;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::text::shown;

use super::args::{AtArgs, LIMIT_DEFAULT, PAGE_ITEMS, limit, point, whole};
use super::blame::pointer;
use super::event::sentences;
use super::exit::{CliError, Exit};
use super::link;
use super::names::{NamesStream, StreamArg, resolve_if_there};
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use super::watch::{self, WatchArgs};
use crate::client::{At, Client, DiffQuery, Order, StreamEventsQuery};

/// Arguments of `whodunit state`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit state user-7f3c… --as-of 2025-03-24T15:47:00Z    what was it at 3:47 PM?
  whodunit state user-7f3c… --at-revision 3
  whodunit state user-7f3c… --json | jq .state.status")]
pub(crate) struct StateArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    #[command(flatten)]
    at: AtArgs,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
    /// Print a link to the revision instead (`whodunit open-link`)
    #[arg(long, conflicts_with_all = ["reveal", "watch"])]
    link: bool,
    #[command(flatten)]
    watch: WatchArgs,
}

impl StateArgs {
    /// Whether it goes on until interrupted.
    pub(crate) fn watches(&self) -> bool {
        self.watch.watch.is_some()
    }
}

impl NamesStream for StateArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit state`.
pub(crate) async fn run(
    args: &StateArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let ask = async |terminal: &mut Terminal<'_>| ask(args, client, terminal).await;
    watch::run(args.watch, terminal, ask).await
}

async fn ask(
    args: &StateArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = args.stream.name()?;
    let out = client.state(&stream, args.at.at(), args.reveal).await?;
    if args.link {
        return link::print(&out.stream, out.revision, client, terminal).await;
    }
    print(&out, client, terminal).await
}

/// Prints the state that a link leads to.
pub(super) async fn of_link(
    stream: &StreamName,
    revision: Option<Revision>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let at = revision.map_or(At::Head, At::Revision);
    print(&client.state(stream, at, false).await?, client, terminal).await
}

async fn print(
    out: &StateOut,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(out)?;
        return Ok(Exit::Ok);
    }
    let last = client.event_and_origin(&out.stream, out.revision).await?;
    let said = last.map_or_else(Vec::new, |(event, origin)| {
        sentences(&event, &origin, terminal.form.zone)
    });
    print_state(out, &said, terminal)?;
    Ok(Exit::Ok)
}

fn print_state(
    out: &StateOut,
    said: &[String],
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let place = match (out.position, out.recorded_at) {
        (Some(position), Some(at)) => format!(
            "  position {}  {}",
            show::number(position.0),
            terminal.form.zone.long(at)
        ),
        _ => String::new(),
    };
    let heading = format!(
        "{}  revision {} of {}{place}  folded by {}",
        out.stream,
        out.revision,
        out.head_revision,
        shown(&out.model)
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    for line in said {
        terminal.line(line)?;
    }
    show::warnings(terminal, &out.warnings)?;
    if out.state.is_empty() {
        terminal.line("(empty)")?;
    } else {
        let table = show::state(terminal, &out.state);
        let widths = table.widths(terminal.form.width);
        let colours = terminal.form.colours;
        for line in table.lines(&widths, colours) {
            terminal.line(line)?;
        }
    }
    for fault in &out.faults {
        terminal.warn(format!(
            "revision {} ({}) could not be applied: {}",
            fault.revision, fault.event_type, fault.error
        ))?;
    }
    Ok(())
}

/// Arguments of `whodunit steps`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit steps user-7f3c…                  each event and what it changed, newest first
  whodunit steps user-7f3c… --oldest
  whodunit steps user-7f3c… --from 3 --limit 2")]
pub(crate) struct StepsArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// From this revision on, oldest first; else newest first
    #[arg(long, value_name = "REV", value_parser = whole)]
    from: Option<u64>,
    /// At most this many steps
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// All of them; with `--json`, one per line
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Oldest first, as from a first revision
    #[arg(long)]
    oldest: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

impl NamesStream for StepsArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit steps`.
pub(crate) async fn run_steps(
    args: &StepsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = args.stream.name()?;
    let mut query = StreamEventsQuery {
        from: args.from.map(Revision),
        order: if args.oldest || args.from.is_some() {
            Order::Forward
        } else {
            Order::Backward
        },
        cursor: None,
        limit: None,
        reveal: args.reveal,
    };
    let mut left = if args.all { usize::MAX } else { args.limit };
    if let Some(from) = args.from {
        let head = client.stream(&stream).await?.revision;
        if from > head.0 {
            return Err(CliError::NotThere {
                message: format!(
                    "stream `{stream}` is at revision {head}; there is no revision {from} yet"
                ),
                hint: "`whodunit events STREAM` shows its revisions and their times".into(),
            });
        }
    }
    loop {
        query.limit = Some(left.min(PAGE_ITEMS));
        let page = client.steps(&stream, &query).await?;
        left = left.saturating_sub(page.items.len());
        show::warn(terminal, &page.warnings)?;
        if terminal.form.json && !args.all {
            terminal.document(&page)?;
            return Ok(Exit::Ok);
        }
        if !terminal.form.json {
            show::warnings(terminal, &page.warnings)?;
        }
        for step in &page.items {
            if terminal.form.json {
                terminal.record(step)?;
            } else {
                print_step(step, terminal)?;
            }
        }
        match page.next_cursor {
            Some(next) if left > 0 => {
                query.from = None;
                query.cursor = Some(next);
            }
            Some(_) => {
                terminal.note("hint: there are more: `--all` shows them")?;
                return Ok(Exit::Ok);
            }
            None => return Ok(Exit::Ok),
        }
    }
}

fn print_step(step: &Step, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let event = &step.event;
    let by = event.actor.as_deref().map_or_else(String::new, |actor| {
        format!("  {}", terminal.paint(Token::Accent, &shown(actor)))
    });
    let why = event
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!("  “{}”", shown(reason)));
    terminal.line(format!(
        "{:>4}  {}  {}{by}{why}",
        event.revision,
        terminal.form.zone.exact(event.recorded_at),
        terminal.paint(Token::Heading, &shown(&event.event_type)),
    ))?;
    match &step.applied {
        EventEffect::Applied if step.diff.is_empty() => {
            terminal.line("      (nothing changes)")?;
        }
        EventEffect::Applied => {}
        EventEffect::Unknown => {
            terminal.line("      (the model does not know this type: it changes nothing)")?;
        }
        EventEffect::Failed { error } => {
            let text = format!("      could not be applied: {}", shown(error));
            terminal.line(terminal.paint(Token::Error, &text))?;
        }
    }
    if let Some(upcast) = &step.upcast {
        terminal.line(format!(
            "      (schema {}, read as {} schema {})",
            event.schema_version,
            shown(&upcast.event_type),
            upcast.schema_version
        ))?;
    }
    for line in show::diff(terminal, &step.diff, 6) {
        terminal.line(line)?;
    }
    Ok(())
}

/// Arguments of `whodunit diff`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit diff user-7f3c… 2 4
  whodunit diff user-7f3c… 2025-03-20T00:00:00Z head
  whodunit diff cart-1 2 4 --path /address --blame      who set each side
  whodunit diff cart-1 3 3 --to-stream cart-2           two streams")]
pub(crate) struct DiffArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// From: a revision, a time, or `head` (the default with `--to-branch`)
    #[arg(value_parser = point, required_unless_present = "to_branch")]
    from: Option<At>,
    /// To: a revision, a time, or `head`
    #[arg(value_parser = point, default_value = "head")]
    to: At,
    /// Another stream, for TO
    #[arg(long, value_name = "STREAM", value_parser = StreamArg::parse)]
    to_stream: Option<StreamArg>,
    /// Another branch, for TO; `log` for what happened
    #[arg(long, value_name = "BRANCH")]
    to_branch: Option<String>,
    /// Only what is at or below this path, such as /address
    #[arg(long, value_name = "POINTER", value_parser = pointer)]
    path: Option<String>,
    /// Show what set each side
    #[arg(long)]
    blame: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

impl NamesStream for DiffArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit diff`.
pub(crate) async fn run_diff(
    args: &DiffArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = args.stream.name()?;
    let to_stream = match &args.to_stream {
        Some(named) => Some(resolve_if_there(named, client, terminal).await?),
        None => None,
    };
    let query = DiffQuery {
        from: args.from.unwrap_or(At::Head),
        to: args.to,
        to_stream,
        to_branch: args.to_branch.clone(),
        path: args.path.clone(),
        blame: args.blame,
        reveal: args.reveal,
    };
    let out = client.compare(&stream, &query).await?;
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(&out)?;
        return Ok(Exit::Ok);
    }
    let other = out.to_stream.as_ref();
    let other = other.map_or_else(String::new, |stream| format!("{stream} revision "));
    let world = match (&args.to_branch, &out.to_branch) {
        (Some(_), None) => "as it happened, ".to_owned(),
        (_, Some(branch)) => format!("in branch {}, ", shown(&branch.name)),
        (None, None) => String::new(),
    };
    let other = format!("{world}{other}");
    let heading = format!("{}  revision {} → {other}{}", out.stream, out.from, out.to);
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &out.warnings)?;
    if out.diff.is_empty() {
        terminal.line("(no difference)")?;
    }
    for line in show::diff(terminal, &out.diff, 0) {
        terminal.line(line)?;
    }
    if let Some(blame) = out.blame.as_ref().filter(|blame| !blame.is_empty()) {
        terminal.line("")?;
        print_sides(&out.diff, blame, terminal)?;
    }
    Ok(Exit::Ok)
}

/// What set both sides of each difference.
fn print_sides(
    diff: &[DiffEntry],
    blame: &[DiffBlame],
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new([
        Column::new("field").shrinks_to(12).cut_in_the_middle(),
        Column::new("side"),
        Column::new("rev").right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("who").shrinks_to(10),
        Column::new("type").shrinks_to(13),
        Column::new("why").shrinks_to(12),
    ]);
    let sides = blame.iter().flat_map(|blame| [&blame.before, &blame.after]);
    let events = sides.flatten().filter_map(|side| side.event.as_ref());
    let times = terminal.form.times(events.map(|event| event.recorded_at));
    for (entry, blame) in diff.iter().zip(blame) {
        let name = show::path(entry.label.as_ref().unwrap_or(&entry.path));
        let sides = [
            ("before", "removed", &blame.before, entry.before.is_some()),
            ("after", "removed", &blame.after, entry.after.is_some()),
        ];
        for (side, gone, set_by, is_there) in sides {
            let Some(set_by) = set_by else { continue };
            let (at, who, what, why) = match &set_by.event {
                Some(event) => (
                    times.show(event.recorded_at),
                    show::text(event.actor.as_ref()),
                    event.event_type.as_str(),
                    show::text(event.reason.as_ref()),
                ),
                None => (String::new(), "", "(initial state)", ""),
            };
            table.row([
                name.as_str().into(),
                if is_there { side } else { gone }.into(),
                set_by.revision.to_string().into(),
                at.into(),
                Cell::new(who, Token::Accent),
                what.into(),
                why.into(),
            ]);
        }
    }
    terminal.table(&table)
}
