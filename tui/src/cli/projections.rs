//! `whodunit projections`: how far each has come, and whether its read model matches the log.

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use whodunit_core::api::pipeline::{
    CheckOut, FindingOut, ProjectionOut, ProjectionStatus, RunOut, RunStatus,
};
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::progress;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use super::watch::{self, WatchArgs};
use crate::client::{Client, ClientError};
use crate::humanize;
use crate::text::{clause, counted, number};

/// How often a check is looked at for its progress.
const EVERY: Duration = Duration::from_millis(500);

/// Arguments of `whodunit projections`.
#[derive(Debug, Args)]
#[command(
    after_help = "A consistency check folds the log a second time and compares: for each document that differs, it names the first event after which it does. Exit code 1: it found a difference.

Examples:
  whodunit projections                       how far each has come, and how far it lags
  whodunit projections users                 everything about one
  whodunit projections users --check         does its read model match the log?"
)]
pub(crate) struct ProjectionsArgs {
    /// Only this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Compare the read model with the log (of every projection, if none is named)
    #[arg(long, conflicts_with = "watch")]
    check: bool,
    #[command(flatten)]
    watch: WatchArgs,
}

impl ProjectionsArgs {
    /// Whether it goes on until interrupted.
    pub(crate) fn watches(&self) -> bool {
        self.watch.watch.is_some()
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &ProjectionsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let ask = async |terminal: &mut Terminal<'_>| ask(args, client, terminal).await;
    watch::run(args.watch, terminal, ask).await
}

async fn ask(
    args: &ProjectionsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match (&args.name, args.check) {
        (Some(name), true) => {
            let found = check(name, client, terminal).await?;
            if terminal.form.json {
                terminal.document(&found)?;
            }
            Ok(if found.ok { Exit::Ok } else { Exit::No })
        }
        (None, true) => check_all(client, terminal).await,
        (Some(name), false) => {
            let projection = client.projection(name).await?;
            if terminal.form.json {
                terminal.document(&projection)?;
            } else {
                let table = facts(&projection, terminal.form);
                let widths = table.widths(terminal.form.width);
                for line in table.lines(&widths, terminal.form.colours) {
                    terminal.line(line)?;
                }
            }
            Ok(Exit::Ok)
        }
        (None, false) => list(client, terminal).await,
    }
}

async fn list(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let page = client.projections().await?;
    if terminal.form.json {
        terminal.document(&page)?;
        return Ok(Exit::Ok);
    }
    if page.items.is_empty() {
        terminal.note("there are no projections")?;
        return Ok(Exit::Ok);
    }
    let table = table(&page.items, terminal.form);
    terminal.table(&table)?;
    for projection in &page.items {
        for (token, text) in remarks(projection) {
            let line = format!("{}: {text}", shown(&projection.name));
            let line = terminal.paint(token, &line);
            terminal.line(line)?;
        }
    }
    Ok(Exit::Ok)
}

fn table(projections: &[ProjectionOut], form: Form) -> Table {
    let cells = if form.width.is_none_or(|width| width >= 100) {
        20
    } else {
        8
    };
    let mut table = Table::new([
        Column::new("projection").shrinks_to(6),
        Column::new("status"),
        Column::new(""),
        Column::new("checkpoint").right(),
        Column::new("lag").right(),
        Column::new("behind").right(),
        Column::new("events/s").right(),
        Column::new("documents").right(),
    ]);
    for projection in projections {
        let (token, status) = status(projection);
        let behind = if projection.lag_events == 0 {
            String::new()
        } else {
            humanize::duration(projection.lag_seconds)
        };
        table.row([
            Cell::new(&projection.name, Token::Accent),
            Cell::new(status, token),
            Cell::new(bar(projection, cells, form.ascii), token),
            number(projection.checkpoint).into(),
            Cell::new(number(projection.lag_events), token),
            behind.into(),
            humanize::rate(projection.events_per_second).into(),
            projection
                .documents
                .map_or_else(|| "?".to_owned(), number)
                .into(),
        ]);
    }
    table
}

/// How it keeps up, in a word; one that stands still has a mark of its own.
fn status(projection: &ProjectionOut) -> (Token, &'static str) {
    match projection.status {
        ProjectionStatus::Live => (Token::Added, "live"),
        ProjectionStatus::CatchingUp => (Token::Changed, "catching up"),
        ProjectionStatus::WaitsForImport => (Token::Changed, "waits for import"),
        ProjectionStatus::Stalled => (Token::Error, "! stalled"),
    }
}

/// How much of the log it has applied, in so many cells; full only when it has applied all of it.
fn bar(projection: &ProjectionOut, cells: usize, ascii: bool) -> String {
    let (full, empty) = if ascii { ("#", ".") } else { ("█", "░") };
    let filled = humanize::part(projection.checkpoint, projection.head, cells);
    format!("{}{}", full.repeat(filled), empty.repeat(cells - filled))
}

/// What is to be said beside the figures: why it stands still, and what runs over it.
fn remarks(projection: &ProjectionOut) -> Vec<(Token, String)> {
    let mut out = Vec::new();
    if let Some((still, said)) = humanize::trouble(projection) {
        let token = if still { Token::Error } else { Token::Muted };
        out.push((token, said));
    }
    for run in [&projection.rebuild, &projection.check]
        .into_iter()
        .flatten()
    {
        if run.status == RunStatus::Running {
            let text = format!(
                "{} under way, {}",
                shown(&run.kind),
                humanize::sentence(run)
            );
            out.push((Token::Accent, text));
        }
    }
    out
}

fn facts(projection: &ProjectionOut, form: Form) -> Table {
    let mut table = Table::new([Column::new(""), Column::new("").shrinks_to(20)]);
    let mut add = |name: &str, token: Token, value: &str| {
        table.row([Cell::new(name, Token::Muted), Cell::new(value, token)]);
    };
    let (token, word) = status(projection);
    let lag = if projection.lag_events == 0 {
        "0".to_owned()
    } else {
        format!(
            "{}, {} behind",
            counted(projection.lag_events, "event"),
            humanize::duration(projection.lag_seconds)
        )
    };
    add("projection", Token::Accent, &projection.name);
    add("keeps", Token::Plain, &projection.description);
    add("status", token, word);
    let of = format!(
        "{} of {}",
        number(projection.checkpoint),
        number(projection.head)
    );
    add("checkpoint", Token::Plain, &of);
    add("lag", token, &lag);
    let rate = format!("{} events/s", humanize::rate(projection.events_per_second));
    add("rate", Token::Plain, &rate);
    let documents = projection.documents.map(number);
    let documents = documents.as_deref().unwrap_or("cannot be read");
    add("documents", Token::Plain, documents);
    add("rules hash", Token::Muted, &projection.rules_hash);
    if let Some((still, said)) = humanize::trouble(projection) {
        let token = if still { Token::Error } else { Token::Muted };
        add("error", token, &said);
    }
    for run in [&projection.rebuild, &projection.check]
        .into_iter()
        .flatten()
    {
        add(&run.kind, Token::Plain, &of_run(run, form));
    }
    table
}

fn of_run(run: &RunOut, form: Form) -> String {
    let at = form.zone.exact(run.ended_at.unwrap_or(run.started_at));
    match run.status {
        RunStatus::Running => format!("under way, {}", humanize::sentence(run)),
        RunStatus::Completed => format!("done {at}, {}", counted(run.done, "event")),
        RunStatus::Cancelled => format!("cancelled {at}"),
        RunStatus::Failed => format!(
            "failed {at}: {}",
            run.error
                .as_deref()
                .unwrap_or("the daemon does not say why")
        ),
    }
}

async fn check_all(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let mut exit = Exit::Ok;
    let mut checks = Vec::new();
    for projection in client.projections().await?.items {
        let found = check(&projection.name, client, terminal).await?;
        if !found.ok {
            exit = Exit::No;
        }
        checks.push(found);
    }
    if terminal.form.json {
        terminal.document(&serde_json::json!({ "items": checks }))?;
    } else if checks.is_empty() {
        terminal.note("there are no projections")?;
    }
    Ok(exit)
}

/// Checks one, with its progress; prints what was found unless it is wanted as JSON.
async fn check(
    name: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<CheckOut, CliError> {
    let bar = progress::bar(terminal, &format!("checking {}", shown(name)));
    let found = watched(name, client, &bar).await;
    bar.finish_and_clear();
    let found = found?;
    if !terminal.form.json {
        print(&found, terminal)?;
    }
    Ok(found)
}

/// Waits for the answer of a check, and meanwhile asks how far it is.
async fn watched(name: &str, client: &Client, bar: &ProgressBar) -> Result<CheckOut, ClientError> {
    let mut answer = std::pin::pin!(client.check(name));
    loop {
        tokio::select! {
            biased;
            found = &mut answer => return found,
            () = tokio::time::sleep(EVERY), if !bar.is_hidden() => {}
        }
        // How far it is does not matter as much as the answer: that will say what is wrong.
        tokio::select! {
            biased;
            found = &mut answer => return found,
            projection = client.projection(name) => {
                if let Some(run) = projection.ok().and_then(|projection| projection.check) {
                    progress::show(bar, &run);
                }
            }
        }
    }
}

fn print(found: &CheckOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let compared = format!(
        "compared {} with {}, up to position {}",
        counted(found.documents, "document"),
        counted(found.events, "event"),
        number(found.checkpoint)
    );
    let name = shown(&found.projection).into_owned();
    if found.ok {
        let ok = terminal.paint(Token::Added, "✓");
        terminal.line(format!("{ok} {name} matches the log"))?;
        return terminal.line(compared);
    }
    let wrong = terminal.paint(Token::Error, "✗");
    terminal.line(format!(
        "{wrong} {name} does not match the log: {}",
        clause(found.findings_total, "document", "differs")
    ))?;
    terminal.line(compared)?;
    let table = findings(&found.findings);
    terminal.table(&table)?;
    let named = found.findings.len() as u64;
    if found.findings_total > named {
        terminal.note(format!(
            "… and {} more",
            number(found.findings_total - named)
        ))?;
    }
    terminal.note(format!(
        "hint: `whodunit event` and `whodunit steps KEY` show what the log says; `whodunit rebuild {name}` rebuilds the \
         read model"
    ))
}

fn findings(findings: &[FindingOut]) -> Table {
    let mut table = Table::new([
        Column::new("what"),
        Column::new("document").shrinks_to(12).cut_in_the_middle(),
        Column::new("pos").right(),
        Column::new("rev").right(),
        Column::new("event").shrinks_to(10),
        Column::new("detail").shrinks_to(12),
    ]);
    let blamed = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    for finding in findings {
        table.row([
            Cell::new(finding.kind.as_str().replace('_', " "), Token::Error),
            finding.key.as_str().into(),
            blamed(finding.position).into(),
            blamed(finding.revision).into(),
            finding.event_type.as_str().into(),
            finding.detail.as_str().into(),
        ]);
    }
    table.drop_empty_columns();
    table
}
