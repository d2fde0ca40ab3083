//! `whodunit find`: what a query line finds, newest first, as it is found; or its figures.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use whodunit_core::api::find::{
    Facet, FindEnd, FindLine, FindPage, FindProgress, FoundDecision, FoundItem, SummaryOut,
    UndecidedOut, UnknownName,
};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::query::{Field, Query, QueryError};
use whodunit_core::text::shown;
use whodunit_core::time::input::Clock;

use super::args::{LIMIT_DEFAULT, limit};
use super::decisions;
use super::exit::{CliError, Exit};
use super::follow::{self, Wanted};
use super::pages::{self, REDACTED_COPY};
use super::progress::interrupted;
use super::settings;
use super::show::{self, Entry, history};
use super::style::Token;
use super::table::{Cell, Column, Table, Widths};
use super::terminal::Terminal;
use crate::client::{Client, FindQuery, Order};
use crate::config::{self, queries};
use crate::runtime::now;
use crate::text::{counted, noun};
use crate::zone::Zone;

/// Rows that are printed at a time at least, so that their columns fit them.
const ROWS: usize = 50;
/// Parts of the time axis of `--density`.
const BUCKETS: usize = 60;

/// Arguments of `whodunit find`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit find 'type:UserDeleted actor:job:* since:-30d'
  whodunit find 'reason:inactive -actor:admin-7' --facets
  whodunit find 'outcome:rejected rule:user.*'                      commands that the rules refused
  whodunit find 'where:changed(\"/status\") && before.status == \"active\"'
  whodunit find 'type:UserDeleted not-preceded-by(type:UserSuspended, 7d)'
  whodunit find 'actor:job:* reason:inactive' --save batch          then `whodunit find '@batch since:-7d'`

Terms: type: category: stream: actor: reason: correlation: causation: id: rule: outcome: since: until: where:
  preceded-by(…, 7d) followed-by(…, 1h) not-preceded-by(…) not-followed-by(…); `-` before a term negates it, `*` stands for any
  text, `|` for either of two values; anything else is text to search for. All terms must hold.
Exit code 3: the line has an unknown name, and nothing was found.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct FindArgs {
    /// The query line [default: everything]
    #[arg(value_name = "LINE", default_value = "", allow_hyphen_values = true)]
    line: String,
    /// At most so many
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// Everything that matches
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Show the latest matches, then new ones as they arrive
    #[arg(long, short, conflicts_with_all = ["all", "oldest", "cursor", "facets", "density", "reveal"])]
    follow: bool,
    /// Continue where an earlier search ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// How often each type, actor, category and stream occurs in what is found, instead of a list
    #[arg(long, conflicts_with_all = ["all", "oldest", "cursor", "reveal"])]
    facets: bool,
    /// How what is found is spread over time, instead of a list
    #[arg(long, conflicts_with_all = ["all", "oldest", "cursor", "reveal"])]
    density: bool,
    /// Save the line under this name in your settings, instead of searching: `@NAME` stands for it in other lines
    #[arg(long, value_name = "NAME", conflicts_with_all = ["all", "oldest", "cursor", "facets", "density", "follow", "reveal"])]
    save: Option<String>,
    /// List the lines that are kept by name
    #[arg(long, conflicts_with_all = ["line", "save", "forget"])]
    saved: bool,
    /// Forget the line of this name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["line", "save"])]
    forget: Option<String>,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

/// Reads a query line by this machine's clock and the zone of the command.
pub(super) fn read_line(text: &str, zone: Zone) -> Result<Query, CliError> {
    let (now, zone) = (now(), zone.for_input());
    let whole = whole(text)?;
    Query::parse(&whole, &Clock { now, zone }).map_err(|error| bad_line(&whole, error))
}

/// The line with the saved lines that it names.
fn whole(text: &str) -> Result<Cow<'_, str>, CliError> {
    if !text.contains('@') {
        return Ok(Cow::Borrowed(text));
    }
    let saved = match config::path() {
        Some(path) => config::load(&path)?.queries,
        None => BTreeMap::new(),
    };
    let whole = queries::expand(text, &saved);
    whole
        .map(Cow::Owned)
        .map_err(|why| CliError::usage(why, "`whodunit find --saved` lists the saved lines"))
}

/// What is done with saved lines, where that is asked for.
fn saved_lines(args: &FindArgs, terminal: &mut Terminal<'_>) -> Result<Option<Exit>, CliError> {
    if let Some(name) = &args.save {
        read_line(&args.line, terminal.form.zone)?;
        let hint = "such as `--save last-week`";
        queries::check_name(name).map_err(|why| CliError::usage(why, hint))?;
        let mut before = None;
        settings::change(|config| {
            before = config.queries.insert(name.clone(), args.line.clone());
            queries::expand(&format!("@{name}"), &config.queries)
                .map(drop)
                .map_err(|why| CliError::usage(why, hint))
        })?;
        let replaced = before.map_or_else(String::new, |line| format!(", in place of `{line}`"));
        terminal.line(shown(&format!("saved `@{name}`{replaced}")))?;
        return Ok(Some(Exit::Ok));
    }
    if let Some(name) = &args.forget {
        let mut known = false;
        settings::change(|config| {
            known = config.queries.remove(name).is_some();
            Ok(())
        })?;
        if !known {
            return Err(CliError::NotThere {
                message: format!("there is no saved line `{}`", shown(name)),
                hint: "`whodunit find --saved` lists them".into(),
            });
        }
        terminal.line(shown(&format!("removed `@{name}`")))?;
        return Ok(Some(Exit::Ok));
    }
    if !args.saved {
        return Ok(None);
    }
    let config = config::path().map(|path| config::load(&path)).transpose()?;
    let lines = config.unwrap_or_default().queries;
    if terminal.form.json {
        terminal.document(&lines)?;
        return Ok(Some(Exit::Ok));
    }
    let mut table = Table::new([Column::new("name"), Column::new("line").shrinks_to(20)]);
    for (name, line) in &lines {
        table.row([Cell::from(format!("@{name}")), Cell::from(line)]);
    }
    if lines.is_empty() {
        terminal.note("there are no saved lines; `whodunit find LINE --save NAME` saves one")?;
    } else {
        terminal.table(&table)?;
    }
    Ok(Some(Exit::Ok))
}

fn bad_line(text: &str, error: QueryError) -> CliError {
    let mut words = error.to_string();
    if !text.contains('\n') {
        let blanks = " ".repeat(error.column - 1);
        words = format!("{words}\n  {text}\n  {blanks}^");
    }
    let hint = error.hint.unwrap_or_else(|| {
        "a line looks like `type:UserDeleted actor:job:* since:-7d`; `whodunit find --help` lists its terms".to_owned()
    });
    CliError::usage(words, hint)
}

/// Runs it.
pub(crate) async fn run(
    args: &FindArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if let Some(exit) = saved_lines(args, terminal)? {
        return Ok(exit);
    }
    let query = read_line(&args.line, terminal.form.zone)?;
    if args.follow {
        return follow::run(&Wanted::Line(&query, args.limit), client, terminal).await;
    }
    if args.facets || args.density {
        return figures(args, &query, client, terminal).await;
    }
    let asked = FindQuery {
        line: query.to_string(),
        order: args.oldest.then_some(Order::Forward),
        cursor: args.cursor.clone(),
        limit: (!args.all).then_some(args.limit),
        reveal: args.reveal,
    };
    let as_lines = terminal.form.json && args.all;
    let mut lines = client.find(&asked).await?;
    let mut rows = Rows::default();
    let bar = bar(terminal);
    let mut stopped = std::pin::pin!(interrupted());
    let mut reached = None;
    let end = loop {
        let line = tokio::select! {
            biased;
            () = &mut stopped => break None,
            line = lines.next() => line?,
        };
        let Some(line) = line else {
            return Err(client.cut_short().into());
        };
        if as_lines {
            bar.suspend(|| terminal.record(&line))?;
        }
        match line {
            FindLine::Event(_) | FindLine::Decision(_) if as_lines => {}
            FindLine::Event(event) => rows.events.push(event),
            FindLine::Decision(decision) => rows.decisions.push(decision),
            FindLine::Progress(at) => {
                let (done, matches) = (show::number(at.scanned), show::number(at.matches));
                bar.set_message(format!("{done} scanned, {matches} found"));
                reached = Some(at);
            }
            FindLine::End(end) => break Some(end),
        }
        if !terminal.form.json && rows.len() >= ROWS {
            bar.suspend(|| rows.print(terminal))?;
        }
    };
    bar.finish_and_clear();
    let Some(end) = end else {
        rows.print(terminal)?;
        return stopped_early(reached.as_ref(), args, terminal);
    };
    if terminal.form.json && !as_lines {
        terminal.document(&rows.page(&end))?;
    } else {
        rows.print(terminal)?;
    }
    finish(&end, terminal)
}

/// What is said when the search was stopped.
fn stopped_early(
    reached: Option<&FindProgress>,
    args: &FindArgs,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let scanned = show::number(reached.map_or(0, |at| at.scanned));
    let letter = if args.oldest { 'f' } else { 'b' };
    let on = reached.map_or_else(String::new, |at| {
        format!("; `--cursor {letter}{}` continues", at.next)
    });
    terminal.warn(format!(
        "stopped after scanning {scanned}: there may be more{on}"
    ))?;
    Ok(Exit::No)
}

fn bar(terminal: &Terminal<'_>) -> ProgressBar {
    if !terminal.form.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What was found and is not printed yet.
#[derive(Default)]
struct Rows {
    events: Vec<Event>,
    decisions: Vec<Decision>,
    widths: Option<Widths>,
}

impl Rows {
    fn len(&self) -> usize {
        self.events.len() + self.decisions.len()
    }

    /// The same as one page.
    fn page(self, end: &FindEnd) -> FindPage<FoundItem<Event, Decision>> {
        let events = self.events.into_iter().map(FoundItem::Event);
        let decisions = self.decisions.into_iter();
        let decisions = decisions.map(|decision| FoundItem::Decision(FoundDecision { decision }));
        FindPage {
            items: events.chain(decisions).collect(),
            next_cursor: end.next_cursor.clone(),
            head: end.head,
            scanned: end.scanned,
            query: Some(end.query.clone()),
            undecided: end.undecided.clone(),
            index: end.index.clone(),
            unknown_names: end.unknown_names.clone(),
            redacted_copy: end.redacted_copy,
        }
    }

    fn print(&mut self, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
        if self.len() == 0 {
            return Ok(());
        }
        let table = if self.decisions.is_empty() {
            let entries: Vec<_> = self.events.iter().map(Entry::Event).collect();
            history(&entries, terminal.form, false)
        } else {
            decisions::table(&self.decisions, terminal.form)
        };
        pages::print(terminal, &table, &mut self.widths)?;
        self.events.clear();
        self.decisions.clear();
        Ok(())
    }
}

/// Says what a search came to.
fn finish(end: &FindEnd, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if end.redacted_copy {
        terminal.warn(REDACTED_COPY)?;
    }
    undecided(end.undecided.as_ref(), terminal)?;
    names(&end.unknown_names, end.matches == 0, terminal)?;
    let n = show::number;
    if terminal.form.json {
        return Ok(Exit::Ok);
    }
    let index = end.index.clone().unwrap_or_default();
    let by = index.used.iter().find(|name| name.contains('.'));
    let looked_at = format!(
        "{} of {} scanned{}",
        n(end.scanned.min(end.head)),
        n(end.head),
        by.map_or_else(String::new, |field| format!(", by the index of `{field}`"))
    );
    if let Some(why) = &index.not_used {
        terminal.note(format!("every event was scanned: {}", shown(why)))?;
    }
    if end.matches == 0 && end.complete {
        terminal.note(format!("nothing matches; {looked_at}"))?;
    }
    if let Some(cursor) = &end.next_cursor {
        terminal.note(format!(
            "hint: there may be more: `--all` shows them, `--cursor {cursor}` continues"
        ))?;
    }
    Ok(Exit::Ok)
}

/// Says of how many records the line says neither yes nor no.
fn undecided(
    undecided: Option<&UndecidedOut>,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let Some(undecided) = undecided else {
        return Ok(());
    };
    let first = undecided.first;
    if undecided.undefined > 0 {
        terminal.note(format!(
            "the line could not be evaluated for {}, such as {first}: {}",
            counted(undecided.undefined, "record"),
            shown(&undecided.reason)
        ))?;
    }
    if undecided.unknown > 0 {
        terminal.warn(format!(
            "the line could not be decided for {}, such as {first}: {}",
            counted(undecided.unknown, "record"),
            undecided.reason
        ))?;
    }
    Ok(())
}

/// Checks, where a line found nothing, that its names are known at all.
pub(super) async fn check_names(
    line: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let query = read_line(line, terminal.form.zone)?;
    let fields = [
        Field::Type,
        Field::Actor,
        Field::Category,
        Field::Stream,
        Field::Correlation,
        Field::Rule,
    ];
    if fields
        .into_iter()
        .all(|field| query.names(field).is_empty())
    {
        return Ok(());
    }
    let asked = FindQuery {
        line: line.to_owned(),
        order: None,
        cursor: None,
        limit: Some(1),
        reveal: false,
    };
    let mut lines = client.find(&asked).await?;
    while let Some(line) = lines.next().await? {
        if let FindLine::End(end) = line {
            names(&end.unknown_names, end.matches == 0, terminal)?;
        }
    }
    Ok(())
}

/// Says which names are not known; an error where that is why nothing was found.
fn names(
    unknown: &[UnknownName],
    nothing: bool,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    for name in unknown {
        let message = name.sentence();
        let hint = match name.did_you_mean.as_slice() {
            [] if name.key == "rule" => {
                "`whodunit find outcome:rejected` shows the rules".to_owned()
            }
            [] if name.key == "correlation" => {
                "`whodunit event ID` shows an event's correlation id".to_owned()
            }
            [] => format!(
                "`whodunit find --facets` lists the {}",
                noun(0_u64, &name.key)
            ),
            names => {
                let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", quoted.join(" or "))
            }
        };
        if nothing {
            return Err(CliError::UnknownName { message, hint });
        }
        terminal.warn(format!("{message}; {hint}"))?;
    }
    Ok(())
}

async fn figures(
    args: &FindArgs,
    query: &Query,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let line = query.to_string();
    let top = (args.limit != LIMIT_DEFAULT).then_some(args.limit.min(1_000));
    let summary = client.find_summary(&line, Some(BUCKETS), top).await?;
    if summary.redacted_copy {
        terminal.warn(REDACTED_COPY)?;
    }
    if terminal.form.json {
        terminal.document(&summary)?;
        return Ok(Exit::Ok);
    }
    let found = &summary;
    let words = format!(
        "{} in {}",
        counted(found.matches, "event"),
        counted(found.streams, "stream")
    );
    terminal.line(terminal.paint(Token::Heading, &words))?;
    if found.matches == 0 {
        check_names(&line, client, terminal).await?;
    }
    if args.density {
        print_density(&summary, terminal)?;
    }
    if args.facets {
        for facet in &summary.facets {
            print_facet(facet, terminal)?;
        }
    }
    undecided(summary.undecided.as_ref(), terminal)?;
    if let Some(down_to) = summary.down_to {
        terminal.warn(format!(
            "these figures cover only the newest events, down to position {down_to}: {} scanned",
            counted(summary.scanned, "event")
        ))?;
    }
    Ok(Exit::Ok)
}

fn print_density(summary: &SummaryOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let Some(density) = &summary.density else {
        return Ok(());
    };
    let most = density.counts.iter().max().copied().unwrap_or(1).max(1);
    let marks: &[char] = if terminal.form.ascii {
        &['_', '.', ':', '#']
    } else {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    };
    let mark = |count: u64| {
        if count == 0 {
            return ' ';
        }
        let step = (count * marks.len() as u64).div_ceil(most);
        let index = usize::try_from(step.saturating_sub(1)).unwrap_or_default();
        marks.get(index).copied().unwrap_or('#')
    };
    let bars: String = density.counts.iter().map(|count| mark(*count)).collect();
    terminal.line(&bars)?;
    let zone = terminal.form.zone;
    let ends = format!(
        "{} … {}, at most {} in one part",
        zone.long(density.first),
        zone.long(density.last),
        show::number(most)
    );
    terminal.line(terminal.paint(Token::Muted, &ends))
}

fn print_facet(facet: &Facet, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let mut table = Table::new([
        Column::new(match facet.key.as_str() {
            "type" => "type",
            "actor" => "actor",
            "category" => "category",
            _ => "stream",
        })
        .at_least(30)
        .shrinks_to(20),
        Column::new("events").right(),
    ]);
    for value in &facet.values {
        let name = match &value.value {
            Some(name) => Cell::new(name, Token::Plain),
            None => Cell::new("(none)", Token::Muted),
        };
        table.row([name, show::number(value.events).into()]);
    }
    if facet.more_events > 0 {
        let words = format!("… {} more", show::number(facet.more_values));
        let words = if facet.exact {
            words
        } else {
            format!("{words}, and others that were counted together")
        };
        table.row([
            Cell::new(words, Token::Muted),
            show::number(facet.more_events).into(),
        ]);
    }
    terminal.line("")?;
    terminal.table(&table)
}
