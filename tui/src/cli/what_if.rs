//! `whodunit what-if`: what would have happened. Nothing is written.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args};
use serde_json::{Map, Value};
use whodunit_core::api::what_if::{
    Action, Continuation, DecisionRef, DropEdit, Edit, InsertEdit, ReplaceEdit, StepKind,
    StepOutcome, StepSelection, WhatIfCommand, WhatIfIn, WhatIfOut, WhatIfStep,
};
use whodunit_core::event::NewEvent;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;

use super::args::{AtArgs, LIMIT_DEFAULT, limit, stream};
use super::exit::{CliError, Exit};
use super::show::{self, REJECTED, value};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, WhatIfQuery};

/// Arguments of `whodunit what-if`.
#[derive(Debug, Args)]
#[command(
    after_help = "Commands run the rules; events do not. Both may be given several times and happen in the order given.

Examples:
  whodunit what-if user-7f3c… --as-of 2025-03-24T15:47:00Z --command SuspendUser --reason fraud_detected
                                          would the rules have allowed it then? (exit code 1: no, or unknown)
  whodunit what-if user-7f3c… --at-revision 2 --event UserSuspended
                                          the same as a raw event: no rules run
  whodunit what-if user-7f3c… --drop 3 --refold
                                          as if the suspension had not happened, the later events applied again
  whodunit what-if user-7f3c… --at-decision 17 --command 'ChangeEmail={\"email\": \"new@example.com\"}'
                                          just before a recorded decision, a rejected one too
  whodunit what-if --file story.json      a whole story, as `POST /v1/what-if` takes it"
)]
pub(crate) struct WhatIfArgs {
    /// The stream
    #[arg(value_parser = stream, required_unless_present = "file")]
    stream: Option<StreamName>,
    #[command(flatten)]
    at: AtArgs,
    /// After this position of the whole log
    #[arg(long, value_name = "POSITION", conflicts_with_all = ["at_revision", "as_of"])]
    at_position: Option<u64>,
    /// Just before this decision: its sequence, or its command's id
    #[arg(long, value_name = "DECISION", conflicts_with_all = ["at_revision", "as_of", "at_position"])]
    at_decision: Option<DecisionRef>,
    /// As if this recorded event had not happened
    #[arg(long, value_name = "REV")]
    drop: Vec<u64>,
    /// As if this recorded event had said something else
    #[arg(long, value_name = "REV=JSON", value_parser = replace)]
    replace: Vec<ReplaceEdit>,
    /// As if something more had happened after this recorded revision
    #[arg(long, value_name = "REV:TYPE[=JSON]", value_parser = insert)]
    insert: Vec<InsertEdit>,
    /// Then, this command (the rules run)
    #[arg(long, value_name = "TYPE[=JSON]", value_parser = typed)]
    command: Vec<Typed>,
    /// Then, this event (no rules run)
    #[arg(long, value_name = "TYPE[=JSON]", value_parser = typed)]
    event: Vec<Typed>,
    /// Who asks, in the what-if
    #[arg(long, default_value = "what-if")]
    actor: String,
    /// Whether a password that a command gives for a recorded one is right: a what-if never compares them
    #[arg(long, value_name = "YES|NO", value_parser = yes_no)]
    password_correct: Option<bool>,
    /// Why, in the what-if
    #[arg(long)]
    reason: Option<String>,
    /// Then apply the events recorded after the base to the changed state; no rules run for them
    #[arg(long)]
    refold: bool,
    /// Which steps are listed: those that were made, changed, or had another effect than they had; or all of them
    #[arg(long, value_name = "changed|all", default_value = "changed", value_parser = selection)]
    steps: StepSelection,
    /// Steps at most
    #[arg(long, value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// Where the page of steps before ended
    #[arg(long)]
    cursor: Option<String>,
    /// The what-if from a file of JSON, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "at_revision", "as_of", "at_position", "at_decision", "drop", "replace", "insert", "command", "event", "refold",
        "actor", "reason", "password_correct",
    ])]
    file: Option<PathBuf>,
    /// Show secrets (which the daemon puts on its own record)
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
    let asked = match &args.file {
        Some(path) => from_file(path, args.stream.as_ref())?,
        None => from_args(args, matches)?,
    };
    let query = WhatIfQuery {
        steps: args.steps,
        limit: Some(args.limit),
        cursor: args.cursor.clone(),
        reveal: args.reveal,
    };
    let out = client.what_if_steps(&asked, &query).await?;
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(&out)?;
    } else {
        print(&out, terminal)?;
    }
    // Of all steps, listed here or not.
    let no = out.outcomes.rejected + out.outcomes.unknown > 0;
    Ok(if no { Exit::No } else { Exit::Ok })
}

fn from_file(path: &Path, stream: Option<&StreamName>) -> Result<WhatIfIn, CliError> {
    let text = super::files::read_text(path)?;
    let story: WhatIfIn = whodunit_core::json::read(&text).map_err(|error| {
        CliError::usage(
            format!("`{}` is not a what-if: {error}", path.display()),
            "it is the body that `POST /v1/what-if` takes: {\"stream\": …, \"edits\": […], \"do\": […]}",
        )
    })?;
    match stream {
        Some(stream) if *stream != story.stream => Err(CliError::usage(
            format!("the story is about `{}`, not `{stream}`", story.stream),
            "leave the stream out: the file names it",
        )),
        _ => Ok(story),
    }
}

fn from_args(args: &WhatIfArgs, matches: &ArgMatches) -> Result<WhatIfIn, CliError> {
    let Some(stream) = args.stream.clone() else {
        return Err(CliError::usage(
            "which stream?",
            "name it, or give a story with `--file`",
        ));
    };
    let mut edits: Vec<Edit> = Vec::new();
    edits.extend(args.drop.iter().map(|revision| {
        Edit::Drop(DropEdit {
            revision: Revision(*revision),
        })
    }));
    edits.extend(args.replace.iter().cloned().map(Edit::Replace));
    edits.extend(args.insert.iter().cloned().map(Edit::Insert));
    let actions = in_order(args, matches);
    if edits.is_empty() && actions.is_empty() {
        return Err(CliError::usage(
            "what if what?",
            "say so with `--drop`, `--replace`, `--insert`, `--command`, `--event`, or `--file`",
        ));
    }
    Ok(WhatIfIn {
        at_revision: args.at.at_revision.map(Revision),
        as_of: args.at.as_of,
        at_position: args.at_position.map(Position),
        at_decision: args.at_decision.clone(),
        password_correct: args.password_correct,
        edits,
        actions,
        continuation: if args.refold {
            Continuation::Refold
        } else {
            Continuation::None
        },
        ..WhatIfIn::new(stream)
    })
}

/// Commands and events as they were given one after the other on the command line.
fn in_order(args: &WhatIfArgs, matches: &ArgMatches) -> Vec<Action> {
    let places = |id: &str| -> Vec<usize> {
        matches
            .indices_of(id)
            .map(Iterator::collect)
            .unwrap_or_default()
    };
    let commands = args.command.iter().map(|typed| command(args, typed));
    let events = args.event.iter().map(|typed| event(args, typed));
    let mut all: Vec<(usize, Action)> = places("command").into_iter().zip(commands).collect();
    all.extend(places("event").into_iter().zip(events));
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, action)| action).collect()
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
        _ => Err("it is `yes` or `no`".to_owned()),
    }
}

fn selection(text: &str) -> Result<StepSelection, String> {
    match text {
        "changed" => Ok(StepSelection::Changed),
        "all" => Ok(StepSelection::All),
        _ => Err("it is `changed` or `all`".to_owned()),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match whodunit_core::json::read(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(format!(
            "`{text}` is JSON, but not an object like {{\"field\": 1}}"
        )),
        Err(error) => Err(format!("`{text}` is not JSON: {error}")),
    }
}

fn typed(text: &str) -> Result<Typed, String> {
    let (name, fields) = match text.split_once('=') {
        None => (text, Map::new()),
        Some((name, json)) => (name, object(json)?),
    };
    if name.is_empty() {
        return Err("a type is needed, such as `SuspendUser`".to_owned());
    }
    Ok(Typed {
        name: name.to_owned(),
        fields,
    })
}

fn revision(text: &str) -> Result<Revision, String> {
    text.parse()
        .map(Revision)
        .map_err(|_not_a_number| format!("`{text}` is not a revision"))
}

fn replace(text: &str) -> Result<ReplaceEdit, String> {
    let (at, json) = text
        .split_once('=')
        .ok_or("it must be of the form `REV=JSON`, such as `3={\"email\": \"x@example.com\"}`")?;
    Ok(ReplaceEdit {
        revision: revision(at)?,
        data: Json::from(&Value::Object(object(json)?)),
    })
}

fn insert(text: &str) -> Result<InsertEdit, String> {
    let (at, rest) = text
        .split_once(':')
        .ok_or("it must be of the form `REV:TYPE=JSON`, such as `2:UserSuspended={}`")?;
    let Typed { name, fields } = typed(rest)?;
    Ok(InsertEdit {
        after_revision: revision(at)?,
        event_type: name,
        data: Json::from(&Value::Object(fields)),
    })
}

fn print(out: &WhatIfOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let mode = match out.mode {
        Continuation::None => "",
        Continuation::Refold => ", later events re-folded",
    };
    let decision = out.base.decision.map_or_else(String::new, |sequence| {
        format!(", just before decision {sequence}")
    });
    let heading = format!(
        "what if: {} from revision {}{decision}{mode} (nothing is written)",
        out.stream, out.base_revision
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    show::warnings(terminal, &out.warnings)?;
    terminal.line("")?;
    terminal.table(&steps(out))?;
    if out.steps_unchanged > 0 {
        terminal.line(format!(
            "{} recorded events had the effect that they had, and are not listed (`--steps all`)",
            show::number(out.steps_unchanged)
        ))?;
    }
    if let Some(cursor) = &out.next_cursor {
        terminal.line(format!(
            "there are more steps: go on with `--cursor {cursor}`"
        ))?;
    }
    terminal.line("")?;
    terminal.line(match out.first_divergence {
        Some(revision) => format!("first divergence at revision {revision}"),
        None => "no divergence: the events are those that happened".to_owned(),
    })?;
    terminal.line("")?;
    terminal.table(&worlds(out))
}

fn steps(out: &WhatIfOut) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new("rev").right(),
        Column::new("type").shrinks_to(14),
        Column::new("as"),
        Column::new("outcome").shrinks_to(20),
    ]);
    for step in &out.steps {
        let (mark, token) = verdict_token(step);
        let rev = match step.outcome {
            StepOutcome::Rejected | StepOutcome::Dropped | StepOutcome::Unknown => String::new(),
            StepOutcome::Accepted | StepOutcome::Applied | StepOutcome::Failed => {
                step.revision.to_string()
            }
        };
        table.row([
            Cell::new(mark, token),
            rev.into(),
            Cell::new(&step.step_type, token),
            Cell::new(kind(step), Token::Muted),
            Cell::new(outcome(step), token),
        ]);
    }
    table
}

/// What ran: never to be confused.
fn kind(step: &WhatIfStep) -> &'static str {
    match (step.kind, step.edited) {
        (StepKind::Command, _) => "command (rules ran)",
        (StepKind::Event, _) => "event (no rules ran)",
        (StepKind::Recorded, false) => "recorded (no rules ran)",
        (StepKind::Recorded, true) => "recorded, edited",
    }
}

fn verdict_token(step: &WhatIfStep) -> (&'static str, Token) {
    match step.outcome {
        StepOutcome::Accepted => ("+", Token::Added),
        StepOutcome::Applied if step.kind == StepKind::Event => ("+", Token::Added),
        StepOutcome::Applied if step.edited => ("~", Token::Changed),
        StepOutcome::Applied => ("", Token::Plain),
        StepOutcome::Dropped => ("-", Token::Removed),
        StepOutcome::Rejected => (REJECTED, Token::Rejected),
        StepOutcome::Failed => ("!", Token::Error),
        StepOutcome::Unknown => ("?", Token::Error),
    }
}

fn outcome(step: &WhatIfStep) -> String {
    let said = || {
        let message = step.message.clone().unwrap_or_default();
        match &step.rule {
            Some(rule) => format!("{rule}: {message}"),
            None => message,
        }
    };
    match step.outcome {
        StepOutcome::Accepted => {
            let types: Vec<&str> = step.events.iter().map(|e| e.event_type.as_str()).collect();
            if types.is_empty() {
                "accepted, without an event".to_owned()
            } else {
                format!("accepted → {}", types.join(", "))
            }
        }
        StepOutcome::Rejected => format!("rejected  {}", said()),
        StepOutcome::Applied => "applied".to_owned(),
        StepOutcome::Dropped => "dropped".to_owned(),
        StepOutcome::Failed => format!("failed  {}", said()),
        StepOutcome::Unknown => format!("unknown  {}", said()),
    }
}

/// The state at the end, beside the one that really was.
fn worlds(out: &WhatIfOut) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new("field").shrinks_to(10),
        Column::new("as it was").shrinks_to(12),
        Column::new("what if").shrinks_to(12),
    ]);
    let actual = &out.actual.state;
    let fields = actual
        .keys()
        .chain(out.state.keys().filter(|key| !actual.contains_key(*key)));
    for field in fields {
        let show = |side: Option<&Value>| side.map_or_else(|| "(none)".to_owned(), value);
        let (was, would) = (actual.get(field), out.state.get(field));
        let (mark, token, what_if) = match (was, would) {
            (was, would) if was == would => ("", Token::Muted, "=".to_owned()),
            (None, would) => ("+", Token::Added, show(would)),
            (_, None) => ("-", Token::Removed, show(None)),
            (_, would) => ("~", Token::Changed, show(would)),
        };
        table.row([
            Cell::new(mark, token),
            field.as_str().into(),
            show(was).into(),
            Cell::new(what_if, token),
        ]);
    }
    table
}

#[cfg(test)]
#[path = "what_if_tests.rs"]
mod tests;
