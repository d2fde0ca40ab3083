//! `whodunit doctor`: whether settings, daemon and pipeline are as they should be.

use chrono::Utc;
use clap::Args;
use serde::Serialize;
use whodunit_core::api::pipeline::ProjectionStatus;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::show::number;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, OutboxQuery};
use crate::config::{Target, is_private, load, path};
use crate::text::counted;

/// How far two clocks may be apart, in seconds: the daemon tells its own in whole ones.
const CLOCK_SECONDS_MAX: i64 = 3;

/// Arguments of `whodunit doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1: something was found. Nothing is changed.")]
pub(crate) struct DoctorArgs {}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something to mend.
    Finding,
    /// It could not be looked at.
    NotChecked,
}

/// A check.
#[derive(Debug, Clone, Serialize)]
struct Check {
    #[serde(rename = "check")]
    what: &'static str,
    outcome: Outcome,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, check: &'static str, outcome: Outcome, detail: impl Into<String>) {
        self.0.push(Check {
            what: check,
            outcome,
            detail: detail.into(),
            hint: None,
        });
    }

    fn hint(&mut self, hint: impl Into<String>) {
        if let Some(last) = self.0.last_mut() {
            last.hint = Some(hint.into());
        }
    }
}

/// Runs it.
pub(crate) async fn run(
    target: Result<Target, CliError>,
    connect: impl FnOnce(&Target) -> Result<Client, CliError>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let mut checks = Checks::default();
    settings(&mut checks);
    match target.and_then(|target| Ok((connect(&target)?, target))) {
        Ok((client, target)) => {
            let by = match &target.context {
                Some((name, context)) if context.read_only => {
                    format!(", context {name}, read-only")
                }
                Some((name, _)) => format!(", context {name}"),
                None => String::new(),
            };
            checks.add("address", Outcome::Ok, format!("{}{by}", client.url()));
            daemon(&mut checks, &client).await;
        }
        Err(error) => {
            checks.add("address", Outcome::Finding, error.to_string());
            if let Some(hint) = error.hint() {
                checks.hint(hint);
            }
        }
    }
    let found = checks
        .0
        .iter()
        .any(|check| check.outcome == Outcome::Finding);
    show(&checks.0, terminal)?;
    Ok(if found { Exit::No } else { Exit::Ok })
}

fn show(checks: &[Check], terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if terminal.form.json {
        return terminal.document(&serde_json::json!({ "items": checks }));
    }
    let mut table = Table::new([Column::new(""), Column::new(""), Column::new("")]);
    for check in checks {
        let (mark, token) = match check.outcome {
            Outcome::Ok => ("✓", Token::Added),
            Outcome::Note => ("·", Token::Plain),
            Outcome::Finding => ("✗", Token::Error),
            Outcome::NotChecked => ("?", Token::Muted),
        };
        table.row([
            Cell::new(mark, token),
            Cell::new(check.what, Token::Muted),
            Cell::new(&check.detail, token),
        ]);
        if let Some(hint) = &check.hint {
            table.under(Cell::new(format!("hint: {hint}"), Token::Plain));
        }
    }
    let widths = table.widths(None);
    for line in table.lines(&widths, terminal.form.colours) {
        terminal.line(line)?;
    }
    Ok(())
}

fn settings(checks: &mut Checks) {
    let Some(path) = path() else {
        let detail = "there is no place for settings: neither HOME nor XDG_CONFIG_HOME is set";
        return checks.add("settings", Outcome::Note, detail);
    };
    let place = shown(&path.display().to_string()).into_owned();
    if !path.exists() {
        return checks.add(
            "settings",
            Outcome::Ok,
            format!("none: {place} does not exist"),
        );
    }
    match load(&path) {
        Err(error) => {
            checks.add("settings", Outcome::Finding, error.to_string());
            checks.hint("fix the file, or remove it");
        }
        Ok(_) if !is_private(&path) => {
            let detail = format!("{place} can be read or changed by other users");
            checks.add("settings", Outcome::Finding, detail);
            checks.hint("`chmod 600` it; `whodunit config set` does so too");
        }
        Ok(_) => checks.add("settings", Outcome::Ok, place),
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one check after another, each a few lines"
)]
async fn daemon(checks: &mut Checks, client: &Client) {
    let (health, date) = match client.health_and_date().await {
        Ok(answer) => answer,
        Err(error) => {
            checks.add("daemon", Outcome::Finding, error.to_string());
            if let Some(hint) = error.hint() {
                checks.hint(hint);
            }
            let detail = "no daemon answered: version, clock, pipeline and data folder";
            return checks.add("the rest", Outcome::NotChecked, detail);
        }
    };
    match &health.read_only_because {
        Some(why) => checks.add(
            "daemon",
            Outcome::Finding,
            format!("nothing can be recorded: {why}"),
        ),
        None if health.status == "ok" => {
            let detail = format!("answers; {}", counted(health.head, "event"));
            checks.add("daemon", Outcome::Ok, detail);
        }
        None => checks.add(
            "daemon",
            Outcome::Finding,
            format!("its status is {}", health.status),
        ),
    }
    let own = env!("CARGO_PKG_VERSION");
    if health.version == own {
        checks.add("version", Outcome::Ok, format!("both are {own}"));
    } else {
        let detail = format!("this program is {own}, the daemon {}", health.version);
        checks.add("version", Outcome::Finding, detail);
        checks.hint("use the program that came with the daemon");
    }
    match date {
        None => checks.add(
            "clock",
            Outcome::NotChecked,
            "the daemon did not say what time it has",
        ),
        Some(date) => {
            let apart =
                (crate::runtime::now().to_datetime() - date.with_timezone(&Utc)).num_seconds();
            if apart.abs() <= CLOCK_SECONDS_MAX {
                checks.add(
                    "clock",
                    Outcome::Ok,
                    "the daemon's agrees with this machine's",
                );
            } else {
                let way = if apart > 0 { "behind" } else { "ahead of" };
                let detail = format!(
                    "the daemon's is {} s {way} this machine's",
                    number(apart.unsigned_abs())
                );
                checks.add("clock", Outcome::Finding, detail);
                checks.hint("times such as `2h` (ago) are of this machine; set both clocks");
            }
        }
    }
    if health.redacted_copy {
        let detail = "the log is a redacted copy: some values are not what was recorded";
        checks.add("copy", Outcome::Note, detail);
    }
    pipeline(checks, client).await;
    checks.add(
        "data folder",
        Outcome::NotChecked,
        "the daemon does not say who can read it",
    );
    checks.hint("on its machine, `ls -ld DIR` should show no permissions for others");
}

async fn pipeline(checks: &mut Checks, client: &Client) {
    match client.projections().await {
        Err(error) => checks.add("projections", Outcome::Finding, error.to_string()),
        Ok(page) => {
            let stalled: Vec<&str> = page
                .items
                .iter()
                .filter(|projection| projection.status == ProjectionStatus::Stalled)
                .map(|projection| projection.name.as_str())
                .collect();
            if stalled.is_empty() {
                let detail = format!(
                    "{}, none stalled",
                    counted(page.items.len() as u64, "projection")
                );
                checks.add("projections", Outcome::Ok, detail);
            } else {
                checks.add(
                    "projections",
                    Outcome::Finding,
                    format!("stalled: {}", stalled.join(", ")),
                );
                checks.hint("`whodunit projections NAME` says why");
            }
        }
    }
    let query = OutboxQuery {
        limit: Some(1),
        ..OutboxQuery::default()
    };
    match client.outbox(&query).await {
        Err(error) => checks.add("outbox", Outcome::Finding, error.to_string()),
        Ok(page) => {
            let failed: Vec<String> = page
                .handlers
                .iter()
                .filter(|handler| handler.counts.failed > 0)
                .map(|handler| format!("{} of {}", number(handler.counts.failed), handler.handler))
                .collect();
            if failed.is_empty() {
                checks.add("outbox", Outcome::Ok, "no job has failed");
            } else {
                checks.add(
                    "outbox",
                    Outcome::Finding,
                    format!("failed jobs: {}", failed.join(", ")),
                );
                checks.hint("`whodunit outbox --status failed` shows them");
            }
        }
    }
}
