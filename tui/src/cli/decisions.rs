//! `whodunit decisions`: what was asked for, and what the rules answered.

use clap::{Args, ValueEnum};
use whodunit_core::command::{Decision, Outcome};

use super::args::PageArgs;
use super::exit::{CliError, Exit};
use super::names::{Name, NamesStream, StreamArg};
use super::pages::{self, Nothing};
use super::show::{REJECTED, text};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use crate::client::{Client, DecisionsQuery, Order};
use crate::text::counted;

/// Arguments of `whodunit decisions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit decisions --outcome rejected        newest first; `--oldest` reverses it
  whodunit decisions --stream user-7f3c…")]
pub(crate) struct DecisionsArgs {
    /// Only for this stream
    #[arg(long, value_parser = StreamArg::parse)]
    stream: Option<StreamArg>,
    /// Only this outcome
    #[arg(long, value_enum)]
    outcome: Option<Wanted>,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// An outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// The rules accepted it
    Accepted,
    /// A rule rejected it
    Rejected,
}

impl NamesStream for DecisionsArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        self.stream.as_mut()
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &DecisionsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let form = terminal.form;
    let stream = args.stream.as_ref().map(StreamArg::name).transpose()?;
    let fetch = |cursor, limit| {
        let query = DecisionsQuery {
            line: None,
            stream: stream.clone(),
            rejected: args.outcome.map(|outcome| outcome == Wanted::Rejected),
            order: if args.oldest {
                Order::Forward
            } else {
                Order::Backward
            },
            cursor,
            limit: Some(limit),
            reveal: args.reveal,
        };
        async move { client.decisions(&query).await }
    };
    let names = [stream.as_ref().map(Name::Stream)];
    let nothing = Nothing::by_names("no decision matches", names, client);
    pages::list(
        terminal,
        &args.page,
        fetch,
        |_, items| table(items, form),
        nothing,
    )
    .await?;
    Ok(Exit::Ok)
}

/// A table of decisions.
pub(super) fn table(decisions: &[Decision], form: Form) -> Table {
    let mut table = Table::new([
        Column::new(""),
        Column::new(form.zone.heading()),
        Column::new("stream").shrinks_to(14).is_name(),
        Column::new("base").right().goes(1),
        Column::new("command").shrinks_to(12),
        Column::new("who").shrinks_to(10).goes(3),
        Column::new("outcome").shrinks_to(16),
        Column::new("why").shrinks_to(12).goes(2),
    ]);
    let times = form.times(decisions.iter().map(|decision| decision.decided_at));
    for decision in decisions {
        let (mark, token, outcome) = match &decision.result {
            Outcome::Accepted {
                revision, events, ..
            } => {
                let outcome = format!("{}, revision {revision}", counted(*events, "event"));
                ("✓", Token::Plain, outcome)
            }
            Outcome::Rejected { rule, message } => {
                (REJECTED, Token::Rejected, format!("{rule}: {message}"))
            }
        };
        table.row([
            Cell::new(mark, token),
            times.show(decision.decided_at).into(),
            decision.stream.as_str().into(),
            decision.base_revision.to_string().into(),
            Cell::new(&decision.command_type, token),
            Cell::new(text(decision.actor.as_ref()), Token::Accent),
            Cell::new(outcome, token),
            text(decision.reason.as_ref()).into(),
        ]);
    }
    table.drop_empty_columns();
    table
}
