//! `whodunit world`: the states of a category at one moment, or what differs between two.

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use whodunit_core::api::world::{
    WorldChange, WorldChangeKind, WorldDiffOut, WorldItem, WorldMoment, WorldOut, WorldProgress,
};
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::args::{LIMIT_DEFAULT, PAGE_ITEMS, given, limit, time, whole};
use super::exit::{CliError, Exit};
use super::names::{Name, check_known};
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, WorldQuery};
use crate::text::{counted, cut};

/// Columns that a state takes at least.
const STATE_WIDTH: usize = 20;

/// Arguments of `whodunit world`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit world user --as-of 2025-03-24T15:47:00Z         every user as it was then
  whodunit world user --where '/status == \"suspended\"' --at-position 873
  whodunit world user --from 2025-03-20T00:00:00Z --to 2025-03-21T00:00:00Z
                                                           which users differ, and in what
Exit code 1: no stream was found.")]
pub(crate) struct WorldArgs {
    /// The category [default: all streams]
    #[arg(value_parser = given)]
    category: Option<String>,
    /// As recorded at this time
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["at_position", "from", "to"])]
    as_of: Option<Timestamp>,
    /// After the event at this position of the log
    #[arg(long, value_name = "POS", value_parser = whole, conflicts_with_all = ["from", "to"])]
    at_position: Option<u64>,
    /// What differs since this position or time
    #[arg(long, value_name = "POS|TIME", value_parser = moment)]
    from: Option<String>,
    /// What differs up to this position or time [default: the head]
    #[arg(long, value_name = "POS|TIME", value_parser = moment, requires = "from")]
    to: Option<String>,
    /// Only streams for which this condition holds; with two moments, at either
    #[arg(long = "where", value_name = "PREDICATE", value_parser = condition)]
    condition: Option<String>,
    /// At most this many streams
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// All of them; with `--json`, one per line
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

/// Reads a position or a time.
fn moment(text: &str) -> Result<String, String> {
    match text.parse::<u64>() {
        Ok(position) => Ok(position.to_string()),
        Err(_not_a_number) => time(text)
            .map(|time| time.to_string())
            .map_err(|error| format!("neither a position nor a time: {error}")),
    }
}

fn condition(text: &str) -> Result<String, String> {
    match whodunit_core::predicate::Predicate::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &WorldArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let bar = if terminal.form.progress {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    } else {
        ProgressBar::hidden()
    };
    let mut pages = Pages {
        query: WorldQuery {
            category: args.category.clone(),
            as_of: args.as_of,
            at_position: args.at_position,
            from: args.from.clone(),
            to: args.to.clone(),
            condition: args.condition.clone(),
            cursor: None,
            limit: None,
            reveal: args.reveal,
        },
        left: if args.all { usize::MAX } else { args.limit },
        whole_json: terminal.form.json && !args.all,
        found: 0,
        looked: Looked::default(),
        bar,
    };
    let exit = if args.from.is_some() {
        two(&mut pages, client, terminal).await?
    } else {
        one(&mut pages, client, terminal).await?
    };
    let category = args.category.as_deref().map(Name::Category);
    if pages.looked.total == 0 {
        check_known(category.as_slice(), client, terminal).await?;
    }
    Ok(exit)
}

/// What was passed over on all pages.
#[derive(Default)]
struct Looked {
    /// How many streams there are to look at.
    total: u64,
    not_yet: u64,
    undefined: u64,
    why: Option<String>,
    failed: u64,
}

struct Pages {
    query: WorldQuery,
    left: usize,
    /// One page as one document, for scripts.
    whole_json: bool,
    found: usize,
    looked: Looked,
    bar: ProgressBar,
}

impl Pages {
    fn begin(&mut self) -> &WorldQuery {
        self.query.limit = Some(self.left.min(PAGE_ITEMS));
        &self.query
    }

    /// Takes note of a page; whether another one is wanted.
    fn go_on(
        &mut self,
        items: usize,
        next: Option<String>,
        progress: &WorldProgress,
        terminal: &mut Terminal<'_>,
    ) -> Result<bool, CliError> {
        self.found += items;
        self.left = self.left.saturating_sub(items);
        self.looked.not_yet += progress.not_yet;
        self.looked.failed += progress.failed_total;
        if let Some(undefined) = &progress.undefined {
            self.looked.undefined += undefined.revisions;
            self.looked
                .why
                .get_or_insert_with(|| undefined.reason.clone());
        }
        for failed in &progress.failed {
            let text = format!("{} was not checked: {}", failed.stream, failed.detail);
            self.bar.suspend(|| terminal.warn(text))?;
        }
        let (at, of) = (
            show::number(progress.looked_at),
            counted(progress.streams_total, "stream"),
        );
        self.bar.set_message(format!("{at} of {of} checked"));
        match next {
            Some(next) if self.left > 0 => {
                self.query.cursor = Some(next);
                Ok(true)
            }
            Some(_) => {
                self.bar.finish_and_clear();
                terminal.note("hint: there may be more: `--all` looks at every stream")?;
                Ok(false)
            }
            None => {
                self.bar.finish_and_clear();
                Ok(false)
            }
        }
    }

    fn end(&self, progress: &WorldProgress, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
        if !terminal.form.json {
            let count = |n: u64| show::number(n);
            let part = |n: u64, what: &str| match n {
                0 => String::new(),
                n => format!(", {} {what}", count(n)),
            };
            let text = format!(
                "{} of {} checked: {} found{}{}",
                count(progress.looked_at),
                counted(progress.streams_total, "stream"),
                count(self.found as u64),
                part(self.looked.not_yet, "had no event yet"),
                part(self.looked.failed, "could not be checked"),
            );
            terminal.line(terminal.paint(Token::Muted, &text))?;
            if let Some(why) = &self.looked.why {
                terminal.line(format!(
                    "the condition could not be evaluated for {}, and counts as not holding there: {}",
                    counted(self.looked.undefined, "stream"),
                    shown(why)
                ))?;
            }
        }
        let is_no = self.found == 0 || self.looked.failed > 0;
        Ok(if is_no { Exit::No } else { Exit::Ok })
    }
}

async fn one(
    pages: &mut Pages,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    loop {
        let is_first = pages.query.cursor.is_none();
        let page: WorldOut = client.world(pages.begin()).await?;
        pages.looked.total = page.progress.streams_total;
        if is_first {
            show::warn(terminal, &page.warnings)?;
        }
        if pages.whole_json {
            pages.bar.finish_and_clear();
            terminal.document(&page)?;
            let is_no = page.items.is_empty() || page.progress.failed_total > 0;
            return Ok(if is_no { Exit::No } else { Exit::Ok });
        }
        let bar = pages.bar.clone();
        bar.suspend(|| {
            if terminal.form.json {
                return page.items.iter().try_for_each(|item| terminal.record(item));
            }
            if is_first {
                let moment = WorldMoment {
                    as_of: page.as_of,
                    at_position: page.at_position,
                };
                let heading = format!(
                    "{} {}",
                    named(page.category.as_ref()),
                    at(&moment, terminal)
                );
                terminal.line(terminal.paint(Token::Heading, &heading))?;
            }
            print_states(&page.items, terminal)
        })?;
        let (items, next) = (page.items.len(), page.next_cursor);
        if !pages.go_on(items, next, &page.progress, terminal)? {
            return pages.end(&page.progress, terminal);
        }
    }
}

fn named(category: Option<&String>) -> String {
    category.map_or_else(
        || "all streams".to_owned(),
        |category| shown(category).into_owned(),
    )
}

fn at(moment: &WorldMoment, terminal: &Terminal<'_>) -> String {
    match moment.as_of {
        Some(at) => format!("as of {}", terminal.form.zone.long(at)),
        None => format!("at position {}", show::number(moment.at_position.0)),
    }
}

fn print_states(items: &[WorldItem], terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if items.is_empty() {
        return Ok(());
    }
    let times = terminal
        .form
        .times(items.iter().map(|item| item.recorded_at));
    let mut table = Table::new([
        Column::new("stream").shrinks_to(14).cut_in_the_middle(),
        Column::new("rev").right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("state").shrinks_to(STATE_WIDTH),
    ]);
    for item in items {
        let state = item.state.iter().map(|(name, value)| {
            let value = show::value(value);
            format!("{} {}", shown(name), value)
        });
        let state: Vec<_> = state.collect();
        let state = state.join(" · ");
        let state = match terminal.form.width {
            Some(width) => cut(&state, width * 2),
            None => state,
        };
        table.row([
            item.stream.as_str().into(),
            item.revision.to_string().into(),
            times.show(item.recorded_at).into(),
            Cell::from(state),
        ]);
        let warnings: Vec<_> = item.warnings.iter().map(crate::humanize::warning).collect();
        if !warnings.is_empty() {
            table.under(Cell::new(
                format!("! {}", warnings.join("; ")),
                Token::Error,
            ));
        }
    }
    terminal.table(&table)
}

async fn two(
    pages: &mut Pages,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    loop {
        let is_first = pages.query.cursor.is_none();
        let page: WorldDiffOut = client.world_diff(pages.begin()).await?;
        pages.looked.total = page.progress.streams_total;
        if is_first {
            show::warn(terminal, &page.warnings)?;
        }
        if pages.whole_json {
            pages.bar.finish_and_clear();
            terminal.document(&page)?;
            let is_no = page.items.is_empty() || page.progress.failed_total > 0;
            return Ok(if is_no { Exit::No } else { Exit::Ok });
        }
        let bar = pages.bar.clone();
        bar.suspend(|| {
            if terminal.form.json {
                return page.items.iter().try_for_each(|item| terminal.record(item));
            }
            if is_first {
                let (from, to) = (at(&page.from, terminal), at(&page.to, terminal));
                let heading = format!("{} {from} → {to}", named(page.category.as_ref()));
                terminal.line(terminal.paint(Token::Heading, &heading))?;
            }
            page.items
                .iter()
                .try_for_each(|item| print_change(item, terminal))
        })?;
        let (items, next) = (page.items.len(), page.next_cursor);
        if !pages.go_on(items, next, &page.progress, terminal)? {
            return pages.end(&page.progress, terminal);
        }
    }
}

fn print_change(change: &WorldChange, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let what = match change.change {
        WorldChangeKind::Appeared => "  appeared",
        WorldChangeKind::Disappeared => "  disappeared",
        WorldChangeKind::Changed => "",
    };
    let flip = match (change.holds_from, change.holds_to) {
        (Some(true), Some(false)) => "  no longer holds",
        (Some(false), Some(true)) => "  now holds",
        _ => "",
    };
    let heading = format!(
        "{}  revision {} → {}{what}{flip}",
        change.stream, change.from, change.to
    );
    terminal.line("")?;
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &change.warnings)?;
    if change.diff.is_empty() {
        terminal.line("  (no difference)")?;
    }
    for line in show::diff(terminal, &change.diff, 2) {
        terminal.line(line)?;
    }
    Ok(())
}
