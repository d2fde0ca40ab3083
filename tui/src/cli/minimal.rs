//! `whodunit minimal`: the smallest part of a history that still leads to an outcome. Nothing is written.

use clap::Args;
use whodunit_core::api::minimal::{MinimalEnd, MinimalIn, MinimalItem, MinimalLine, MinimalOf};
use whodunit_core::ids::StreamName;

use super::exit::{CliError, Exit};
use super::names::{self, NamesStream, StreamArg};
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use super::{bisect, progress};
use crate::client::{Client, ClientError};

/// Arguments of `whodunit minimal`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit minimal user-7f3c… '/status == \"deleted\"'             which events suffice, applied as recorded?
  whodunit minimal user-7f3c… '/status == \"deleted\"' --commands  which commands suffice, the rules asked again?

Take away any one of what is left, and the outcome does not happen. Other parts of the history may lead to it too.
Exit code 1: the outcome did not happen.")]
pub(crate) struct MinimalArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The outcome: a condition on the `state` that the stream ends with; `/status` is short for `state.status`
    predicate: String,
    /// Reduce the commands that may affect the stream, with the rules run again, instead of its events as recorded
    #[arg(long)]
    commands: bool,
}

/// A question, with its stream as it was typed.
struct Asked {
    stream: StreamArg,
    predicate: String,
    of: MinimalOf,
}

impl NamesStream for Asked {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit minimal`.
pub(crate) async fn run(
    args: &MinimalArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let asked = Asked {
        stream: args.stream.clone(),
        predicate: bisect::predicate(&args.predicate)?,
        of: if args.commands {
            MinimalOf::Commands
        } else {
            MinimalOf::Events
        },
    };
    names::by_name(asked, client, terminal, run_asked).await
}

async fn run_asked(
    asked: &Asked,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let stream: StreamName = asked.stream.name()?;
    let body = MinimalIn {
        stream,
        predicate: asked.predicate.clone(),
        of: asked.of,
    };
    let bar = progress::bar(terminal, "testing parts");
    let end = async {
        let mut lines = client.minimal(&body).await?;
        while let Some(line) = lines.next().await? {
            match line {
                MinimalLine::Progress(run) => progress::show(&bar, &run),
                MinimalLine::End(end) => return Ok(*end),
                MinimalLine::Broken(why) => return Err(ClientError::Problem(why)),
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
    let exit = if end.holds { Exit::Ok } else { Exit::No };
    if terminal.form.json {
        terminal.document(&end)?;
        return Ok(exit);
    }
    print(&end, terminal)?;
    Ok(exit)
}

fn print(end: &MinimalEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    terminal.line(terminal.paint(Token::Heading, &end.answer))?;
    if !end.kept.is_empty() {
        let table = items(&end.kept, terminal);
        terminal.table(&table)?;
    }
    if !end.all {
        terminal.warn("the log has too many commands to try every one: only those of this stream and of the streams that caused them were tried")?;
    }
    let how = match end.of {
        MinimalOf::Events => "events as recorded, rules not asked",
        MinimalOf::Commands => "rules asked again",
    };
    terminal.line(terminal.paint(Token::Muted, how))
}

fn items(items: &[MinimalItem], terminal: &Terminal<'_>) -> Table {
    let times = terminal.form.times(items.iter().map(|item| item.at));
    let number = match items.first() {
        Some(item) if item.decision.is_some() => "decision",
        _ => "rev",
    };
    let mut table = Table::new([
        Column::new(number).right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("stream").shrinks_to(10).cut_in_the_middle(),
        Column::new("who").shrinks_to(10),
        Column::new("type").shrinks_to(13),
        Column::new("why").shrinks_to(12),
    ]);
    for item in items {
        let number = item.decision.or(item.revision.map(|revision| revision.0));
        table.row([
            number
                .map_or_else(String::new, |number| number.to_string())
                .into(),
            times.show(item.at).into(),
            item.stream.as_str().into(),
            Cell::new(show::text(item.actor.as_ref()), Token::Accent),
            item.item_type.as_str().into(),
            show::text(item.reason.as_ref()).into(),
        ]);
    }
    table
}
