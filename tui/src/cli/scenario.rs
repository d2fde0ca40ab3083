//! `whodunit scenario`: a scenario of what happened, to be checked from now on.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use whodunit_core::api::what_if::{StepOutcome, WhatIfOut};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::scenario::{Scenario, Then, When, again, is_step};
use whodunit_core::shown::has_mark;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::names;
use super::terminal::Terminal;
use crate::client::{Client, FindQuery};
use crate::scenario_file::{self, NotWritten};
use crate::text::counted;

/// Arguments of `whodunit scenario`.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    #[command(subcommand)]
    command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
enum ScenarioCommand {
    /// Write a scenario of a decision on record: the same command at the same moment must get the same answer
    From(FromArgs),
}

/// Arguments of `whodunit scenario from`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit scenario from --decision 0195bd4d-a810-76fc-92e2-d16f3b2a6c6c > email.toml
  whodunit scenario from --decision user-7f3c@4 --save cleanup.toml     the command that led to this event
  whodunit check cleanup.toml")]
struct FromArgs {
    /// The id of a command, or an event that a command led to (`STREAM@REVISION`, `pos:POSITION`, or its id)
    #[arg(long, value_name = "ID")]
    decision: String,
    /// What the scenario says, in a sentence [default: the command and its outcome]
    #[arg(long, value_name = "SENTENCE")]
    name: Option<String>,
    /// Write it to this new file, not to standard output
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(
    args: &ScenarioArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let ScenarioCommand::From(args) = &args.command;
    let decision = decision(&args.decision, client, terminal).await?;
    if has_mark(&decision.payload) {
        return Err(CliError::usage(
            format!(
                "this {} has secret parameters, which are not on record: it cannot be decided again",
                shown(&decision.command_type)
            ),
            "write the scenario by hand, with a payload of its own: docs/SCENARIOS.md says how",
        ));
    }
    let asked = again(&decision);
    let out = client.what_if_whole(&asked).await?;
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| Scenario::name_of(&decision));
    let mut scenario = Scenario::of(&name, &asked, &out);
    if let Some(otherwise) = otherwise(&decision, &out) {
        expect_what_is_on_record(&mut scenario, &decision);
        terminal.warn(format!(
            "the rules in use now decide differently: {otherwise}; the scenario expects what is on record"
        ))?;
    }
    write(&scenario, args.save.as_deref(), client, terminal).await?;
    Ok(Exit::Ok)
}

/// Writes a scenario to a new file, or to standard output. One with a secret in it is refused: files are passed on.
pub(super) async fn write(
    scenario: &Scenario,
    path: Option<&Path>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let secrets = scenario_file::secrets(client, scenario).await?;
    scenario_file::check_secrets(scenario, &secrets).map_err(not_written)?;
    let Some(path) = path else {
        return terminal.bytes(scenario.to_toml().as_bytes());
    };
    scenario_file::write(scenario, path, false).map_err(not_written)?;
    terminal.note(format!(
        "written to {0}; `whodunit check {0}` checks it",
        path.display()
    ))
}

fn not_written(why: NotWritten) -> CliError {
    let message = why.to_string();
    match why {
        NotWritten::Secret(_) => CliError::usage(
            message,
            "scenario files are kept and shared; use a what-if without it",
        ),
        NotWritten::IsThere(_) => CliError::usage(
            message,
            "name a new file: existing files are not overwritten",
        ),
        NotWritten::File(place, error) => CliError::File { place, error },
    }
}

/// The decision that is meant: by its command, or by an event that it led to.
async fn decision(
    id: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Decision, CliError> {
    if let Some(decision) = of_command(id, client).await? {
        return Ok(decision);
    }
    let event = names::event(id, false, client, terminal)
        .await
        .map_err(|error| match error.exit() {
            Exit::NotFound => CliError::NotThere {
                message: format!("no command and no event is called `{}`", shown(id)),
                hint: "`whodunit decisions --json` lists commands with their ids".into(),
            },
            _ => error,
        })?;
    let command = match &event.causation_id {
        Some(command) => of_command(command, client).await?,
        None => None,
    };
    command.ok_or_else(|| CliError::NotThere {
        message: format!(
            "no command led to `{}`: it is a raw event, or was imported",
            shown(id)
        ),
        hint: "the rules were not asked for it; `whodunit what-if … --save FILE` keeps any what-if"
            .into(),
    })
}

async fn of_command(id: &str, client: &Client) -> Result<Option<Decision>, CliError> {
    let quoted = Value::String(id.to_owned());
    let query = FindQuery {
        line: format!("id:{quoted}"),
        limit: Some(1),
        ..FindQuery::default()
    };
    let page = client.find_decisions(&query).await?;
    let mut decisions = page.items.into_iter();
    Ok(decisions.find(|decision| decision.command_id == id))
}

/// What the rules answer now, where that is not what is on record.
fn otherwise(decision: &Decision, out: &WhatIfOut) -> Option<String> {
    let step = out.steps.iter().find(|step| is_step(step))?;
    let same = match &decision.result {
        Outcome::Accepted { events, .. } => {
            step.outcome == StepOutcome::Accepted && step.events.len() == *events as usize
        }
        Outcome::Rejected { rule, .. } => step.rule.as_ref() == Some(rule),
    };
    if same {
        return None;
    }
    Some(match (&step.rule, step.outcome) {
        (Some(rule), _) => format!("refused by {}", shown(rule)),
        (None, StepOutcome::Unknown) => {
            "that depends on a password, which is never checked here".to_owned()
        }
        (None, _) => format!("accepted, {}", counted(step.events.len(), "event")),
    })
}

fn expect_what_is_on_record(scenario: &mut Scenario, decision: &Decision) {
    scenario.then = Then::default();
    for when in &mut scenario.when {
        let When::Action { expected, .. } = when else {
            continue;
        };
        expected.events = None;
        (expected.outcome, expected.rule) = match &decision.result {
            Outcome::Accepted { .. } => (Some(StepOutcome::Accepted), None),
            Outcome::Rejected { rule, .. } => (Some(StepOutcome::Rejected), Some(rule.clone())),
        };
    }
}
