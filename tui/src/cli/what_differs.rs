//! `whodunit what-differs`: what tells the streams or events that a query line finds from the others.

use clap::Args;
use whodunit_core::api::find::{DifferenceOut, DiffersBy, DiffersOut};

use super::args::limit;
use super::exit::{CliError, Exit};
use super::find::{check_names, read_line};
use super::pages::REDACTED_COPY;
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::Client;
use crate::text::{clause, counted};
use crate::zone::Zone;

/// Differences that are shown when nothing is said.
const SHOWN: usize = 20;

/// Arguments of `whodunit what-differs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit what-differs 'correlation:cleanup-2025-03-24'             the streams that a batch hit, against the others
  whodunit what-differs 'type:PaymentFailed since:-7d' --by event    the events themselves, against the others

Each stream with a matching event is taken as it was before the first one, and the other streams of its category as of that time.
Compared are fields of the state (`before.status`), earlier events, their actors, weekday and hour of the last one, and ages.
Sorted by the log-likelihood ratio G²: how surprising the difference is. `p` is the chance of one as large by accident.
Exit code 1: nothing was selected, or there is nothing to compare it with.")]
pub(crate) struct WhatDiffersArgs {
    /// The query line that selects them; `whodunit find --help` lists its terms
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: String,
    /// What to compare
    #[arg(long, value_enum, default_value_t = By::Stream)]
    by: By,
    /// At most this many differences
    #[arg(long, short = 'n', value_name = "N", default_value_t = SHOWN, value_parser = limit)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    /// Streams with a matching event against the other streams
    Stream,
    /// Matching events against the other events
    Event,
}

/// Runs it.
pub(crate) async fn run(
    args: &WhatDiffersArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let line = read_line(&args.line, terminal.form.zone)?.to_string();
    let by = match args.by {
        By::Stream => DiffersBy::Stream,
        By::Event => DiffersBy::Event,
    };
    let zone = match terminal.form.zone {
        Zone::Utc => "Z".to_owned(),
        local @ Zone::Local(_) => local.name(crate::runtime::now()),
    };
    let found = client
        .what_differs(&line, by, Some(&zone), args.limit.min(1_000))
        .await?;
    if found.redacted_copy {
        terminal.warn(REDACTED_COPY)?;
    }
    if terminal.form.json {
        terminal.document(&found)?;
    } else {
        print(&found, terminal)?;
    }
    if found.selected == 0 {
        check_names(&line, client, terminal).await?;
    }
    Ok(if found.selected == 0 || found.rest == 0 {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn print(found: &DiffersOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let what = match found.by {
        DiffersBy::Stream => "stream",
        DiffersBy::Event => "event",
    };
    let mut sentence = format!(
        "{} against {}",
        counted(found.selected, what),
        counted(found.rest, "other")
    );
    if let Some(moment) = found.moment {
        sentence = format!("{sentence}, as of {}", terminal.form.zone.long(moment));
    }
    terminal.line(terminal.paint(Token::Heading, &sentence))?;
    if found.selected == 0 {
        terminal.note("nothing matches: there is nothing to compare")?;
    } else if found.differences.is_empty() {
        terminal.note("nothing distinguishes them")?;
    } else {
        terminal.table(&table(found))?;
    }
    if found.not_yet > 0 {
        terminal.note(format!(
            "{} did not exist yet at that time",
            counted(found.not_yet, "stream")
        ))?;
    }
    if found.left_out > 0 {
        terminal.note(format!(
            "{} left out, of fields with very many values",
            clause(found.left_out, "value", "was")
        ))?;
    }
    if !found.complete {
        terminal.warn("not everything was read: these figures cover a part")?;
    }
    Ok(())
}

fn table(found: &DiffersOut) -> Table {
    let mut table = Table::new([
        Column::new("what").shrinks_to(16),
        Column::new("value").shrinks_to(14),
        Column::new("selected").right(),
        Column::new("rest").right(),
        Column::new("difference").right(),
        Column::new("95 %").right(),
        Column::new("G²").right(),
        Column::new("p").right(),
    ]);
    for difference in &found.differences {
        let value = match &difference.value {
            Some(value) => Cell::new(value, Token::Plain),
            None => Cell::new("(absent)", Token::Muted),
        };
        table.row([
            Cell::new(&difference.attribute, Token::Accent),
            value,
            share(difference.selected, found.selected).into(),
            share(difference.rest, found.rest).into(),
            percent(difference.difference).into(),
            format!(
                "{} to {}",
                percent(difference.low),
                percent(difference.high)
            )
            .into(),
            format!("{:.1}", difference.g2).into(),
            chance(difference).into(),
        ]);
    }
    table
}

fn share(some: u64, all: u64) -> String {
    format!("{}/{}", show::number(some), show::number(all))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn chance(difference: &DifferenceOut) -> String {
    if difference.p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{:.3}", difference.p)
    }
}
