//! `whodunit backtest`: the decision log decided again under other rules. Nothing is written.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use whodunit_core::api::backtest::{BacktestChange, BacktestEnd, BacktestIn, BacktestLine};
use whodunit_core::api::what_if::Causes;
use whodunit_core::time::Timestamp;

use super::args::{LIMIT_DEFAULT, given, limit, time};
use super::exit::{CliError, Exit};
use super::files::read_text;
use super::terminal::Terminal;
use super::{progress, show};
use crate::client::{Client, ClientError};

mod approved;
mod on_screen;
mod print;

pub(crate) use approved::{Approved, CameTo};
pub(crate) use on_screen::OnScreen;
use print::{Printed, print_end};

/// Arguments of `whodunit backtest`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(
    after_help = "A rules file is TOML. What it leaves out stays as it is without the file:

  model = \"users\"
  reason_required = [\"DeleteUser\", \"SuspendUser\", \"ReactivateUser\"]
  [lengths]
  username_min = 5
  [rules]
  \"email.unchanged\" = false              # off
  [[forbid]]
  command = \"DeleteUser\"                 # or a list
  actor = \"job:*\"                        # also unless_actor
  status = \"suspended\"
  rule = \"job.may_not_delete_suspended\"

Examples:
  whodunit backtest rules.toml            which decisions would have been different?
  whodunit backtest rules.toml --actor 'job:*' --since 30d
  whodunit backtest rules.toml --save-approved approved.toml
  whodunit backtest rules.toml --approved approved.toml      in CI: exit code 1 on any other change

Exit code 1: a command has another outcome, and it is not an approved one."
)]
pub(crate) struct BacktestArgs {
    /// The rules file; `-` for standard input
    rules: PathBuf,
    /// Only commands of this category are decided by these rules
    #[arg(long, value_parser = given)]
    category: Option<String>,
    /// Only commands by this actor; `*` stands for any text
    #[arg(long, value_parser = given)]
    actor: Option<String>,
    /// Only commands decided not before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only commands decided not after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// What happens to a command whose direct cause is gone: it is not issued (`follow`), or is issued anyway (`keep`)
    #[arg(long, value_name = "WHICH", value_parser = ["follow", "keep"], default_value = "follow")]
    causes: String,
    /// Assume that the current passwords that commands give are right, or wrong, where that was not checked
    #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
    password_correct: Option<String>,
    /// Approved changes: a file that `--save-approved` wrote
    #[arg(long, value_name = "FILE")]
    approved: Option<PathBuf>,
    /// Write the changes found to a new file, as approved ones
    #[arg(long, value_name = "FILE")]
    save_approved: Option<PathBuf>,
    /// At most this many changes; all are counted, and `--json` has them all
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
}

/// Reads a rules file. What its parameters mean is the daemon's to say.
pub(super) fn read_rules(path: &std::path::Path) -> Result<Map<String, Value>, CliError> {
    let text = read_text(path)?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        CliError::usage(
            format!("{}:{line}: {}", path.display(), error.message()),
            "a rules file is TOML: `whodunit backtest --help` shows one",
        )
    })
}

fn asked(args: &BacktestArgs) -> Result<BacktestIn, CliError> {
    Ok(BacktestIn {
        rules: read_rules(&args.rules)?,
        category: args.category.clone(),
        actor: args.actor.clone(),
        since: args.since,
        until: args.until,
        causes: match args.causes.as_str() {
            "keep" => Causes::Keep,
            _ => Causes::Follow,
        },
        password_correct: args.password_correct.as_deref().map(|word| word == "yes"),
    })
}

/// Runs `whodunit backtest`.
pub(crate) async fn run(
    args: &BacktestArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let asked = asked(args)?;
    let mut approved = args.approved.as_deref().map(Approved::read).transpose()?;
    let bar = progress::bar(terminal, "back-test");
    let mut found = Found {
        printed: Printed::new(args.limit),
        kept: args.save_approved.is_some().then(Vec::new),
        unapproved: 0,
    };
    let come = found.come(client, &asked, approved.as_mut(), (&bar, terminal));
    let end = come.await;
    bar.finish_and_clear();
    let end = end?;
    if !terminal.form.json {
        print_end(&end, &found.printed, terminal)?;
    }
    if let Some(approved) = &approved {
        approved.report(found.unapproved, &end, terminal)?;
    }
    if let (Some(path), Some(kept)) = (&args.save_approved, &found.kept) {
        approved::save(path, &end, kept)?;
        let count = show::number(kept.len() as u64);
        terminal.note(format!("{count} approved in {}", path.display()))?;
    }
    let is_settled = found.unapproved == 0 || args.save_approved.is_some();
    Ok(if is_settled { Exit::Ok } else { Exit::No })
}

/// What was found so far.
struct Found {
    printed: Printed,
    /// Changes to save as approved ones.
    kept: Option<Vec<BacktestChange>>,
    unapproved: u64,
}

impl Found {
    /// Takes the lines of the answer as they come.
    async fn come(
        &mut self,
        client: &Client,
        asked: &BacktestIn,
        mut approved: Option<&mut Approved>,
        (bar, terminal): (&ProgressBar, &mut Terminal<'_>),
    ) -> Result<BacktestEnd, CliError> {
        let mut lines = client.backtest(asked).await?;
        let mut end = None;
        while let Some(line) = lines.next().await? {
            if terminal.form.json {
                bar.suspend(|| terminal.record(&line))?;
            }
            match line {
                BacktestLine::Change(change) => {
                    let is_approved = approved
                        .as_deref_mut()
                        .is_some_and(|approved| approved.takes(&change));
                    self.unapproved += u64::from(!is_approved);
                    if !terminal.form.json {
                        bar.suspend(|| self.printed.change(&change, is_approved, terminal))?;
                    }
                    if let Some(kept) = &mut self.kept {
                        kept.push(*change);
                    }
                }
                BacktestLine::Progress(run) => progress::show(bar, &run),
                BacktestLine::Stream(stream) => self.printed.stream(stream),
                BacktestLine::End(out) => end = Some(*out),
                BacktestLine::Broken(why) => return Err(ClientError::Problem(why).into()),
            }
        }
        let cut = || ClientError::BadReply {
            url: client.url().to_owned(),
            reason: "its reply ended early".to_owned(),
        };
        Ok(end.ok_or_else(cut)?)
    }
}
