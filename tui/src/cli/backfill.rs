//! `whodunit backfill`: a range of history through handlers again.

use clap::Args;
use whodunit_core::api::pipeline::{BackfillIn, BackfillPlan, RunOut, RunStatus};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::args::{given, time, whole};
use super::exit::{CliError, Exit};
use super::progress::{self, Watched};
use super::show::{number, text};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use crate::client::{Client, ClientError};
use crate::humanize;
use crate::text::counted;

/// Arguments of `whodunit backfill`.
#[derive(Debug, Args)]
#[command(
    after_help = "Only the handlers you name run: for every event in the range, their mails are sent and their webhooks called. So without `--yes` the command only shows the plan with its counts, and starts nothing. All conditions must hold. Ctrl-C stops watching; the backfill continues.

Examples:
  whodunit backfill send_welcome_email --since 2d --type UserCreated --dry-run
  whodunit backfill send_welcome_email --since 2d --type UserCreated --yes
  whodunit backfill webhook:crm --from-position 1000 --to-position 2000 --yes
  whodunit backfill users --category user    re-fold the documents of a read model
  whodunit backfill                          the backfills since the daemon started"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct BackfillArgs {
    /// Handlers and projections (see `whodunit outbox` and `whodunit projections`)
    #[arg(value_name = "HANDLER", value_parser = given)]
    handlers: Vec<String>,
    /// From this position on
    #[arg(long, value_name = "POS", requires = "handlers", value_parser = whole)]
    from_position: Option<u64>,
    /// Up to this position [default: the log's head]
    #[arg(long, value_name = "POS", requires = "handlers", value_parser = whole)]
    to_position: Option<u64>,
    /// Not before this time, such as `2025-03-20T00:00:00Z` or `2h` (ago)
    #[arg(long, value_name = "TIME", value_parser = time, requires = "handlers")]
    since: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time, requires = "handlers")]
    until: Option<Timestamp>,
    /// Only this category
    #[arg(long, requires = "handlers", value_parser = given)]
    category: Option<String>,
    /// Only these event types; may be given several times
    #[arg(long = "type", value_name = "TYPE", requires = "handlers", value_parser = given)]
    event_types: Vec<String>,
    /// The whole log (handlers with effects need a range, or this)
    #[arg(long, requires = "handlers", conflicts_with_all = ["from_position", "to_position", "since", "until"])]
    all_history: bool,
    /// Show the plan with its counts, and start nothing
    #[arg(long, requires = "handlers", conflicts_with_all = ["yes", "no_wait"])]
    dry_run: bool,
    /// Carry out the plan: send the mails, call the webhooks
    #[arg(long, requires = "handlers")]
    yes: bool,
    /// Start it and return at once
    #[arg(long, requires = "handlers")]
    no_wait: bool,
    /// Cancel this backfill; the jobs it has made stay
    #[arg(long, value_name = "ID", conflicts_with = "handlers", value_parser = whole)]
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
            all_history: self.all_history,
            ..BackfillIn::default()
        }
    }
}

/// Plans a backfill or starts it, lists those there are, or ends one.
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
        return show_all(client, terminal).await;
    }
    if args.dry_run {
        let plan = client.plan_backfill(&args.body()).await?;
        show_plan(&plan, terminal)?;
        return Ok(Exit::Ok);
    }
    let started = match start(args, client).await {
        Ok(started) => started,
        Err(ClientError::Problem(problem)) if problem.code == Code::NotConfirmed => {
            return not_confirmed(&problem, args.yes, terminal);
        }
        Err(error) => return Err(error.into()),
    };
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
        terminal.note("hint: `whodunit outbox` shows the jobs")?;
    }
    Ok(exit)
}

/// With `--yes` the plan is confirmed as it is now; without, the daemon refuses what has effects, and says what it would do.
async fn start(args: &BackfillArgs, client: &Client) -> Result<RunOut, ClientError> {
    let body = args.body();
    if !args.yes {
        return client.backfill(&body).await;
    }
    let plan = client.plan_backfill(&body).await?;
    client
        .backfill(&BackfillIn {
            confirm: true,
            expected_jobs: Some(plan.jobs),
            ..body
        })
        .await
}

/// Nothing was started: the plan, and why.
fn not_confirmed(
    problem: &Problem,
    yes: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if let Some(plan) = &problem.plan {
        show_plan(plan, terminal)?;
    }
    if yes {
        terminal.note(format!("error: {}", shown(&problem.detail)))?;
        terminal
            .note("hint: the log has grown in the meantime; try again, or set `--to-position`")?;
        return Ok(Exit::Conflict);
    }
    terminal.note("nothing was started")?;
    terminal.note("hint: add `--yes` to start it")?;
    Ok(Exit::Usage)
}

fn show_plan(plan: &BackfillPlan, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if terminal.form.json {
        return terminal.document(plan);
    }
    terminal.line(format!(
        "plan: {} of positions {} to {}: {}",
        counted(plan.events, "event"),
        number(plan.from_position),
        number(plan.to_position),
        counted(plan.jobs, "job"),
    ))?;
    let mut table = Table::new([
        Column::new("handler"),
        Column::new("to").shrinks_to(12),
        Column::new("event type").shrinks_to(12),
        Column::new("jobs").right(),
    ]);
    for handler in &plan.handlers {
        if handler.event_types.is_empty() {
            table.row([
                handler.handler.as_str().into(),
                handler.target.as_str().into(),
                "".into(),
                "0".into(),
            ]);
        }
        for count in &handler.event_types {
            table.row([
                handler.handler.as_str().into(),
                handler.target.as_str().into(),
                count.event_type.as_str().into(),
                number(count.events).into(),
            ]);
        }
    }
    for projection in &plan.projections {
        table.row([
            projection.as_str().into(),
            "its own read model".into(),
            "".into(),
            "".into(),
        ]);
    }
    table.drop_empty_columns();
    terminal.table(&table)
}

fn what(run: &RunOut) -> String {
    format!("backfill {} of {}", run.id, shown(&run.of))
}

async fn show_all(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let page = client.backfills().await?;
    if terminal.form.json {
        terminal.document(&page)?;
    } else if page.items.is_empty() {
        terminal.note("no backfill since the daemon started")?;
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
    let times = form.times(runs.iter().map(|run| run.started_at));
    for run in runs {
        let (token, status) = status(run);
        table.row([
            Cell::from(run.id.to_string()),
            run.of.as_str().into(),
            Cell::new(status, token),
            number(run.done).into(),
            number(run.total).into(),
            number(run.jobs).into(),
            times.show(run.started_at).into(),
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
