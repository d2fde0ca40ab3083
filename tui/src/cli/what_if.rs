//! `whodunit what-if`: what would have happened. Nothing is written.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args};
use serde_json::{Map, Value};
use whodunit_core::api::what_if::{
    Action, Causes, Continuation, DecisionRef, DropCommandEdit, DropEdit, Edit, InsertEdit,
    ReplaceEdit, StepKind, StepOutcome, StepSelection, WhatIfCommand, WhatIfIn, WhatIfOut,
    WhatIfStep,
};
use whodunit_core::event::NewEvent;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::{Json, without_values};
use whodunit_core::scenario::Scenario;
use whodunit_core::text::shown;

use super::args::{AtArgs, LIMIT_DEFAULT, limit};
use super::branch::{Keeping, keep};
use super::exit::{CliError, Exit};
use super::names::{self, StreamArg};
use super::show;
use super::terminal::Terminal;
use crate::client::{Client, WhatIfQuery};
use crate::scenario_file;

mod print;

use print::print;

/// Arguments of `whodunit what-if`.
#[derive(Debug, Args)]
#[command(
    after_help = "Commands run the rules; events do not. They happen in the order given.

Examples:
  whodunit what-if user-7f3c… --as-of 2025-03-24T15:47:00Z --command SuspendUser --reason fraud_detected
                                          would the rules have allowed it then? (exit code 1: no, or unknown)
  whodunit what-if user-7f3c… --at-revision 2 --event UserSuspended
                                          the same as a raw event: no rules run
  whodunit what-if user-7f3c… --drop 3    as if the suspension had not happened: the rules decide the later commands again,
                                          in every stream
  whodunit what-if user-7f3c… --drop 3 --refold
                                          the same, with the later events as recorded: no rules run
  whodunit what-if user-7f3c… --at-decision 17 --command 'ChangeEmail={\"email\": \"new@example.com\"}'
                                          just before a recorded decision, a rejected one too
  whodunit what-if user-7f3c… --drop 3 --save suspension.toml
                                          keeps it, with this answer, as a scenario for `whodunit check`
  whodunit what-if --file story.json      a what-if as JSON, as `POST /v1/what-if` takes it"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct WhatIfArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse, required_unless_present = "file")]
    stream: Option<StreamArg>,
    #[command(flatten)]
    at: AtArgs,
    /// Start after this position of the whole log
    #[arg(long, value_name = "POSITION", conflicts_with_all = ["at_revision", "as_of"])]
    at_position: Option<u64>,
    /// Start just before this decision, named by its sequence or its command's id
    #[arg(long, value_name = "DECISION", conflicts_with_all = ["at_revision", "as_of", "at_position"])]
    at_decision: Option<DecisionRef>,
    /// Decide commands by these rules from there on: a file as for `whodunit backtest`
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// As if this recorded event had not happened
    #[arg(long, value_name = "REV")]
    drop: Vec<u64>,
    /// As if this recorded event had held other data
    #[arg(long, value_name = "REV=JSON")]
    replace: Vec<String>,
    /// Suppose that another event had happened after this recorded revision
    #[arg(long, value_name = "REV:TYPE[=JSON]")]
    insert: Vec<String>,
    /// As if this command had not been sent: the sequence of its decision, or its id
    #[arg(long, value_name = "DECISION", conflicts_with_all = ["refold", "no_later"])]
    drop_command: Vec<DecisionRef>,
    /// Any other change, in the form of one of the `edits` of `POST /v1/what-if`
    #[arg(long, value_name = "JSON")]
    edit: Vec<String>,
    /// Then run this command: the rules decide. May be given several times
    #[arg(long, value_name = "TYPE[=JSON]")]
    command: Vec<String>,
    /// Then add this event: no rules run. May be given several times
    #[arg(long, value_name = "TYPE[=JSON]")]
    event: Vec<String>,
    /// The actor of these commands and events
    #[arg(long, default_value = "what-if")]
    actor: String,
    /// Whether the current password that a command gives is right: a what-if never checks a recorded one
    #[arg(long, value_name = "YES|NO", value_parser = yes_no)]
    password_correct: Option<bool>,
    /// The reason of these commands and events
    #[arg(long)]
    reason: Option<String>,
    /// Apply the events recorded after the base to the changed state; no rules run for them
    #[arg(long, conflicts_with = "no_later")]
    refold: bool,
    /// Ask the rules again about every later command that the changes can reach, in every stream. It is what is done unless
    /// nothing that is reached has a command on record: then the later events are as recorded, and the answer says so
    #[arg(long, conflicts_with_all = ["refold", "no_later"])]
    redecide: bool,
    /// Leave out what was recorded after the base
    #[arg(long)]
    no_later: bool,
    /// Whether a command whose direct cause is gone is issued anyway, when the rules are asked
    #[arg(long, value_name = "follow|keep", conflicts_with_all = ["refold", "no_later"], value_parser = causes)]
    causes: Option<Causes>,
    /// Which steps to list: those that were added, edited or have a different effect (`changed`), or `all`
    #[arg(long, value_name = "changed|all", default_value = "changed", value_parser = selection)]
    steps: StepSelection,
    /// At most this many steps
    #[arg(long, value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// Continue where an earlier page of steps ended
    #[arg(long)]
    cursor: Option<String>,
    /// Read the what-if from a JSON file, or from standard input with `-`
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "at_revision", "as_of", "at_position", "at_decision", "drop", "replace", "insert", "command", "event", "refold",
        "redecide", "no_later", "causes", "drop_command", "edit", "actor", "reason", "password_correct",
    ])]
    file: Option<PathBuf>,
    /// Save it, with its answer, as a scenario in this new file, for `whodunit check`
    #[arg(long, value_name = "FILE", conflicts_with = "cursor")]
    save: Option<PathBuf>,
    /// Keep it as a branch of this name (see `whodunit branch`); the rules are asked
    #[arg(long, value_name = "NAME", conflicts_with_all = ["refold", "cursor"])]
    save_branch: Option<String>,
    /// What the scenario says, in a sentence
    #[arg(long, value_name = "SENTENCE", requires = "save")]
    name: Option<String>,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

/// A type and its parameters or data.
#[derive(Debug, Clone, PartialEq)]
struct Typed {
    name: String,
    fields: Map<String, Value>,
}

/// Runs it. `matches` is its own: it knows in which order commands and events were given.
pub(crate) async fn run(
    args: &WhatIfArgs,
    matches: &ArgMatches,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = match &args.stream {
        Some(named) => Some(names::resolve_if_there(named, client, terminal).await?),
        None => None,
    };
    let mut asked = match &args.file {
        Some(path) => from_file(path, stream.as_ref())?,
        None => from_args(args, stream, matches)?,
    };
    // In a branch the rules are asked.
    let of_a_branch = args.save_branch.is_some() || client.reads_branch().is_some();
    if of_a_branch && asked.continuation == Continuation::None {
        asked.continuation = Continuation::Redecide;
    }
    let query = WhatIfQuery {
        steps: args.steps,
        limit: Some(args.limit),
        cursor: args.cursor.clone(),
        reveal: args.reveal,
    };
    if args.save.is_some() && asked.rules.is_some() {
        return Err(CliError::usage(
            "a scenario cannot hold other rules",
            "leave out `--save`, or `--rules`",
        ));
    }
    let out = client.what_if_steps(&asked, &query).await?;
    let exit = answer(&out, terminal)?;
    if let Some(name) = &args.save_branch {
        let keeping = Keeping {
            name,
            on: client.reads_branch(),
            note: None,
            replace: false,
        };
        let kept = keep(asked.clone(), &keeping, client).await?.branch;
        terminal.note(format!(
            "kept as branch {}: `--branch {}` reads it",
            shown(&kept.name),
            shown(&kept.name)
        ))?;
    }
    if let Some(path) = &args.save {
        // Secrets are no part of what is expected.
        let whole = client.what_if_whole(&asked).await?;
        let name = args.name.clone();
        let name = name.unwrap_or_else(|| scenario_file::name(&whole));
        let scenario = Scenario::of(&name, &asked, &whole);
        super::scenario::write(&scenario, Some(path), client, terminal).await?;
    }
    Ok(exit)
}

/// Prints an answer; how it ends.
pub(crate) fn answer(out: &WhatIfOut, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(out)?;
    } else {
        print(out, terminal)?;
    }
    // Of all steps, listed here or not. A recorded command that is refused in the other world is part of the answer; one that was
    // given here is a question.
    let is_no =
        |step: &WhatIfStep| step.kind == StepKind::Command && step.outcome == StepOutcome::Rejected;
    let no = match out.mode {
        Continuation::Redecide | Continuation::Auto => {
            out.outcomes.unknown > 0 || out.steps.iter().any(is_no)
        }
        Continuation::None | Continuation::Refold => {
            out.outcomes.rejected + out.outcomes.unknown > 0
        }
    };
    Ok(if no { Exit::No } else { Exit::Ok })
}

pub(super) fn from_file(path: &Path, stream: Option<&StreamName>) -> Result<WhatIfIn, CliError> {
    let text = super::files::read_text(path)?;
    let story: WhatIfIn = whodunit_core::json::read(&text).map_err(|error| {
        CliError::usage(
            format!(
                "`{}` is not a what-if: {}",
                path.display(),
                without_values(&error.to_string())
            ),
            "it is the body that `POST /v1/what-if` takes: {\"stream\": …, \"edits\": […], \"do\": […]}",
        )
    })?;
    match stream {
        Some(stream) if *stream != story.stream => Err(CliError::usage(
            format!(
                "the what-if in the file is for stream `{}`, not `{stream}`",
                story.stream
            ),
            "leave out the stream: the file names it",
        )),
        _ => Ok(story),
    }
}

fn from_args(
    args: &WhatIfArgs,
    stream: Option<StreamName>,
    matches: &ArgMatches,
) -> Result<WhatIfIn, CliError> {
    let Some(stream) = stream else {
        return Err(CliError::usage(
            "no stream was given",
            "name one, or give a what-if with `--file`",
        ));
    };
    let mut edits: Vec<Edit> = Vec::new();
    edits.extend(args.drop.iter().map(|revision| {
        Edit::Drop(DropEdit {
            revision: Revision(*revision),
        })
    }));
    for text in &args.replace {
        edits.push(Edit::Replace(read("--replace", text, replace)?));
    }
    for text in &args.insert {
        edits.push(Edit::Insert(read("--insert", text, insert)?));
    }
    edits.extend(args.drop_command.iter().map(|decision| {
        let decision = decision.clone();
        Edit::DropCommand(DropCommandEdit { decision })
    }));
    for text in &args.edit {
        edits.push(read("--edit", text, edit)?);
    }
    let actions = in_order(args, matches)?;
    let rules = args
        .rules
        .as_deref()
        .map(super::backtest::read_rules)
        .transpose()?;
    if edits.is_empty() && actions.is_empty() && rules.is_none() {
        return Err(CliError::usage(
            "nothing to try: no edit, command or event was given",
            "add `--drop`, `--replace`, `--insert`, `--edit`, `--command` or `--event`, or give a file with `--file`",
        ));
    }
    Ok(WhatIfIn {
        at_revision: args.at.at_revision.map(Revision),
        as_of: args.at.as_of,
        at_position: args.at_position.map(Position),
        at_decision: args.at_decision.clone(),
        password_correct: args.password_correct,
        rules,
        edits,
        actions,
        continuation: match (args.refold, args.redecide, args.no_later) {
            (true, ..) => Continuation::Refold,
            (_, true, _) => Continuation::Redecide,
            (.., true) => Continuation::None,
            (false, false, false) => Continuation::Auto,
        },
        causes: args.causes.unwrap_or_default(),
        ..WhatIfIn::new(stream)
    })
}

/// Reads a value of an option. Not done by the parser of arguments, which would print what it refuses: it may hold a password.
fn read<T>(
    option: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, Misfit>,
) -> Result<T, CliError> {
    parse(text).map_err(|(message, form)| {
        CliError::usage(format!("`{option}`: {message}"), format!("write {form}"))
    })
}

/// Commands and events as they were given one after the other on the command line.
fn in_order(args: &WhatIfArgs, matches: &ArgMatches) -> Result<Vec<Action>, CliError> {
    let places = |id: &str| -> Vec<usize> {
        matches
            .indices_of(id)
            .map(Iterator::collect)
            .unwrap_or_default()
    };
    let mut all: Vec<(usize, Action)> = Vec::new();
    for (place, text) in places("command").into_iter().zip(&args.command) {
        all.push((place, command(args, &read("--command", text, typed)?)));
    }
    for (place, text) in places("event").into_iter().zip(&args.event) {
        all.push((place, event(args, &read("--event", text, typed)?)));
    }
    all.sort_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, action)| action).collect())
}

fn command(args: &WhatIfArgs, typed: &Typed) -> Action {
    Action::Command(WhatIfCommand {
        command_type: typed.name.clone(),
        payload: typed.fields.clone(),
        actor: Some(args.actor.clone()),
        reason: args.reason.clone(),
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_revision: None,
        password_correct: None,
    })
}

fn event(args: &WhatIfArgs, typed: &Typed) -> Action {
    let data = Json::from(&Value::Object(typed.fields.clone()));
    let mut event = NewEvent::new(typed.name.clone(), data);
    event.actor = Some(args.actor.clone());
    event.reason.clone_from(&args.reason);
    Action::Event(event)
}

fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("must be `yes` or `no`".to_owned()),
    }
}

fn causes(text: &str) -> Result<Causes, String> {
    match text {
        "follow" => Ok(Causes::Follow),
        "keep" => Ok(Causes::Keep),
        _ => Err("must be `follow` or `keep`".to_owned()),
    }
}

fn selection(text: &str) -> Result<StepSelection, String> {
    match text {
        "changed" => Ok(StepSelection::Changed),
        "all" => Ok(StepSelection::All),
        _ => Err("must be `changed` or `all`".to_owned()),
    }
}

/// What is wrong with a value, which is never quoted, and the form that it should have.
type Misfit = (String, &'static str);

const TYPED: &str = "`TYPE` or `TYPE=JSON`, such as `ChangeEmail={\"email\": \"x@example.com\"}`";
const REPLACE: &str = "`REV=JSON`, such as `3={\"email\": \"x@example.com\"}`";
const INSERT: &str = "`REV:TYPE` or `REV:TYPE=JSON`, such as `2:UserSuspended={}`";

const EDIT: &str = "an edit as `POST /v1/what-if` takes it, such as `{\"change\": {\"revision\": 3, \"actor\": \"support\"}}`";

fn edit(text: &str) -> Result<Edit, Misfit> {
    whodunit_core::json::read(text).map_err(|error| {
        let message = without_values(&error.to_string());
        (format!("it is not an edit: {message}"), EDIT)
    })
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match whodunit_core::json::read(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("what follows `=` is JSON, but not an object like {\"field\": 1}".to_owned()),
        Err(error) => Err(format!("what follows `=` is not JSON: {error}")),
    }
}

fn typed(text: &str) -> Result<Typed, Misfit> {
    let (name, fields) = match text.split_once('=') {
        None => (text, Map::new()),
        Some((name, json)) => (name, object(json).map_err(|message| (message, TYPED))?),
    };
    if name.is_empty() {
        return Err(("the type is missing".to_owned(), TYPED));
    }
    Ok(Typed {
        name: name.to_owned(),
        fields,
    })
}

fn revision(text: &str, form: &'static str) -> Result<Revision, Misfit> {
    text.parse().map(Revision).map_err(|_not_a_number| {
        let message = "it does not begin with a revision, which is a whole number";
        (message.to_owned(), form)
    })
}

fn replace(text: &str) -> Result<ReplaceEdit, Misfit> {
    let (at, json) = text.split_once('=').ok_or((
        "a revision and the new data of its event are needed".to_owned(),
        REPLACE,
    ))?;
    Ok(ReplaceEdit {
        revision: revision(at, REPLACE)?,
        data: Json::from(&Value::Object(
            object(json).map_err(|message| (message, REPLACE))?,
        )),
    })
}

fn insert(text: &str) -> Result<InsertEdit, Misfit> {
    let (at, rest) = text
        .split_once(':')
        .ok_or(("a revision and a type are needed".to_owned(), INSERT))?;
    let at = revision(at, INSERT)?;
    let Typed { name, fields } = typed(rest).map_err(|(message, _)| (message, INSERT))?;
    Ok(InsertEdit {
        after_revision: at,
        event_type: name,
        data: Json::from(&Value::Object(fields)),
    })
}

#[cfg(test)]
#[path = "what_if_tests.rs"]
mod tests;
