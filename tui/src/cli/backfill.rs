//! `whodunit backfill`: a range of history through handlers again.

use clap::Args;
use whodunit_core::api::pipeline::{BackfillIn, RunOut, RunStatus};
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::args::time;
use super::exit::{CliError, Exit};
use super::progress::{self, Watched};
use super::show::{number, text};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use crate::client::Client;
use crate::humanize;

/// Arguments of `whodunit backfill`.
#[derive(Debug, Args)]
#[command(
    after_help = "Only the handlers named do anything: their mails are sent and their webhooks called, for every event in the
range. Everything given must hold. Ctrl-C stops the watching, not the backfill.

Examples:
  whodunit backfill send_welcome_email --since 2d --type UserCreated
  whodunit backfill webhook:crm --from-position 1000 --to-position 2000
  whodunit backfill users --category user    fold the documents of a read model anew
  whodunit backfill                          the backfills since the daemon began"
)]
pub(crate) struct BackfillArgs {
    /// Handlers and projections (see `whodunit outbox` and `whodunit projections`)
    #[arg(value_name = "HANDLER")]
    handlers: Vec<String>,
    /// Not before this position
    #[arg(long, value_name = "POS", requires = "handlers")]
    from_position: Option<u64>,
    /// Not after this position; the log's head when left out
    #[arg(long, value_name = "POS", requires = "handlers")]
    to_position: Option<u64>,
    /// Not before this time, such as `2025-03-20T00:00:00Z` or `2h` (ago)
    #[arg(long, value_name = "TIME", value_parser = time, requires = "handlers")]
    since: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time, requires = "handlers")]
    until: Option<Timestamp>,
    /// Only this category
    #[arg(long, requires = "handlers")]
    category: Option<String>,
    /// Only these event types; may be given several times
    #[arg(long = "type", value_name = "TYPE", requires = "handlers")]
    event_types: Vec<String>,
    /// Start it and come back at once
    #[arg(long, requires = "handlers")]
    no_wait: bool,
    /// End the backfill of this number; the jobs it has made stay
    #[arg(long, value_name = "ID", conflicts_with = "handlers")]
    cancel: Option<u64>,
}

impl BackfillArgs {
    fn body(&self) -> BackfillIn {
        BackfillIn {
            handlers: self.handlers.clone(),
            from_position: self.from_position,
            to_position: self.to_position,
            since: self.since,
            until: self.until,
            category: self.category.clone(),
            event_types: self.event_types.clone(),
        }
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &BackfillArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if let Some(id) = args.cancel {
        let run = client.cancel_backfill(id).await?;
        let what = what(&run);
        progress::report(terminal, &Watched::Ended(run), &what, "")?;
        return Ok(Exit::Ok);
    }
    if args.handlers.is_empty() {
        return list(client, terminal).await;
    }
    let started = client.backfill(&args.body()).await?;
    let (what, id) = (what(&started), started.id);
    let cancel = format!("whodunit backfill --cancel {id}");
    if args.no_wait {
        return progress::report(terminal, &Watched::Ended(started), &what, &cancel);
    }
    let bar = progress::bar(terminal, &what);
    let look = || async move { Ok(Some(client.backfill_run(id).await?)) };
    let watched = progress::watch(
        started,
        &bar,
        progress::EVERY,
        progress::interrupted(),
        look,
    )
    .await;
    bar.finish_and_clear();
    let watched = watched?;
    let exit = progress::report(terminal, &watched, &what, &cancel)?;
    if let Watched::Ended(run) = &watched
        && run.jobs > 0
    {
        terminal.note("hint: `whodunit outbox` shows how the jobs get on")?;
    }
    Ok(exit)
}

fn what(run: &RunOut) -> String {
    format!("backfill {} of {}", run.id, shown(&run.of))
}

async fn list(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let page = client.backfills().await?;
    if terminal.form.json {
        terminal.document(&page)?;
    } else if page.items.is_empty() {
        terminal.note("no backfill since the daemon began")?;
    } else {
        let table = table(&page.items, terminal.form);
        terminal.table(&table)?;
    }
    Ok(Exit::Ok)
}

fn table(runs: &[RunOut], form: Form) -> Table {
    let mut table = Table::new([
        Column::new("id").right(),
        Column::new("handlers").shrinks_to(12),
        Column::new("status"),
        Column::new("events").right(),
        Column::new("of").right(),
        Column::new("jobs").right(),
        Column::new(form.zone.heading()),
        Column::new("error").shrinks_to(10),
    ]);
    for run in runs {
        let (token, status) = status(run);
        table.row([
            Cell::from(run.id.to_string()),
            run.of.as_str().into(),
            Cell::new(status, token),
            number(run.done).into(),
            number(run.total).into(),
            number(run.jobs).into(),
            form.time(run.started_at).into(),
            Cell::new(text(run.error.as_ref()), Token::Error),
        ]);
    }
    table.drop_empty_columns();
    table
}

fn status(run: &RunOut) -> (Token, String) {
    match run.status {
        RunStatus::Running => (Token::Accent, format!("{} %", humanize::percent(run))),
        RunStatus::Completed => (Token::Added, "completed".to_owned()),
        RunStatus::Cancelled => (Token::Changed, "cancelled".to_owned()),
        RunStatus::Failed => (Token::Error, "failed".to_owned()),
    }
}
