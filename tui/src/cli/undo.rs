//! `whodunit undo-plan`: commands that the rules accept now, and that bring fields back to what they were. Nothing is written.

use clap::Args;
use whodunit_core::api::undo::{PlannedCommand, UndoEnd, UndoIn, UndoLine};
use whodunit_core::ids::Revision;

use super::args::{given, whole};
use super::exit::{CliError, Exit};
use super::names::{self, NamesStream, StreamArg};
use super::style::Token;
use super::terminal::Terminal;
use super::{progress, show};
use crate::client::{Client, ClientError};
use crate::model::quote::quote;
use crate::text::counted;

/// Arguments of `whodunit undo-plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit undo-plan user-7f3c… --to 4 --field /status
  whodunit undo-plan user-7f3c… --to 2 --field /email --field /status --steps 4

The plan is as short as possible, and was tried on the current state. Nothing is written: send its commands with `whodunit do`.
Exit code 1: no plan was found within the bounds.")]
pub(crate) struct UndoArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The revision whose values to restore
    #[arg(long, value_name = "REV", value_parser = whole)]
    to: u64,
    /// A field, as a JSON Pointer; may be given several times
    #[arg(long, value_name = "/PATH", required = true, value_parser = given)]
    field: Vec<String>,
    /// Who would send the commands
    #[arg(long, default_value = "what-if", value_parser = given)]
    actor: String,
    /// At most this many commands in a plan: 1 to 4
    #[arg(long, value_name = "N", default_value_t = 3)]
    steps: usize,
}

/// A question, with its stream as it was typed.
struct Asked<'a> {
    stream: StreamArg,
    args: &'a UndoArgs,
}

impl NamesStream for Asked<'_> {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit undo-plan`.
pub(crate) async fn run(
    args: &UndoArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream = args.stream.clone();
    names::by_name(Asked { stream, args }, client, terminal, run_asked).await
}

async fn run_asked(
    asked: &Asked<'_>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let body = UndoIn {
        stream: asked.stream.name()?,
        to_revision: Revision(asked.args.to),
        fields: asked.args.field.clone(),
        actor: Some(asked.args.actor.clone()),
        steps: Some(asked.args.steps),
    };
    let bar = progress::bar(terminal, "trying plans");
    let end = async {
        let mut lines = client.undo(&body).await?;
        while let Some(line) = lines.next().await? {
            match line {
                UndoLine::Progress(run) => progress::show(&bar, &run),
                UndoLine::End(end) => return Ok(*end),
                UndoLine::Broken(why) => return Err(ClientError::Problem(why)),
            }
        }
        Err(ClientError::BadReply {
            url: client.url().to_owned(),
            reason: "its reply ended early".to_owned(),
        })
    };
    let end = end.await;
    bar.finish_and_clear();
    let end = end?;
    let exit = if end.plan.is_some() {
        Exit::Ok
    } else {
        Exit::No
    };
    if terminal.form.json {
        terminal.document(&end)?;
        return Ok(exit);
    }
    print(&end, &asked.args.actor, terminal)?;
    Ok(exit)
}

fn print(end: &UndoEnd, actor: &str, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    terminal.line(terminal.paint(Token::Heading, &end.answer))?;
    let shown = |value: Option<&serde_json::Value>| {
        value.map_or_else(|| "(absent)".to_owned(), whodunit_core::shown::value)
    };
    for field in &end.fields {
        let (now, wanted) = (shown(field.now.as_ref()), shown(field.wanted.as_ref()));
        terminal.line(format!("  {}: {now} -> {wanted}", show::path(&field.path)))?;
    }
    for planned in end.plan.iter().flat_map(|plan| &plan.commands) {
        terminal.line(format!(
            "  whodunit do {}",
            command_line(end, planned, actor)
        ))?;
    }
    if !end.side_effects.is_empty() {
        terminal.line("besides these fields, it would change:")?;
        for line in show::diff(terminal, &end.side_effects, 2) {
            terminal.line(line)?;
        }
    }
    let tried = format!(
        "{}, with {}; for revision {}",
        counted(end.attempts, "attempt"),
        counted(end.commands_tried.len(), "command"),
        end.revision
    );
    terminal.line(terminal.paint(Token::Muted, &tried))
}

/// How a command is given for real.
fn command_line(end: &UndoEnd, planned: &PlannedCommand, actor: &str) -> String {
    let mut words = vec![end.stream.to_string(), planned.command_type.clone()];
    words.extend(planned.payload.iter().map(|(name, value)| match value {
        serde_json::Value::String(text) if text != "-" => format!("{name}={text}"),
        value => format!("{name}:={value}"),
    }));
    words.extend([
        "--actor".to_owned(),
        actor.to_owned(),
        "--reason".to_owned(),
        "undo".to_owned(),
    ]);
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}
