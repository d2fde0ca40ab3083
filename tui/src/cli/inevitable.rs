//! `whodunit inevitable`: which commands an outcome depended on, and until when a single one would have avoided it. Nothing is written.

use clap::Args;
use indicatif::ProgressBar;
use whodunit_core::api::inevitable::{
    InevitableEnd, InevitableIn, InevitableLine, MomentOut, Necessity, NecessityOut,
};
use whodunit_core::api::what_if::Causes;
use whodunit_core::ids::StreamName;

use super::exit::{CliError, Exit};
use super::names::{self, NamesStream, StreamArg};
use super::show::{self, number};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use super::{bisect, progress};
use crate::client::{Client, ClientError};
use crate::curve;
use crate::text::{clause, counted};

/// Moments that are listed beside the curve.
const EXAMPLES_MAX: usize = 5;

/// Arguments of `whodunit inevitable`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit inevitable user-7f3c… '/status == \"deleted\"'    which commands led to it, and when was it too late?
  whodunit inevitable order-9 'state.total > 1000' --json

Each recorded command that may have affected the stream is dropped, one at a time, and the rules decide again. Then
simple commands of the model are added at each moment of the stream: the last moment at which one of them still avoids
the outcome is the point of no return.
Exit code 1: the outcome did not happen.")]
pub(crate) struct InevitableArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The outcome: a condition on the `state` that the stream ends with; `/status` is short for `state.status`
    predicate: String,
    /// What happens to a command whose direct cause is gone: it is not issued (`follow`), or is issued anyway (`keep`)
    #[arg(long, value_name = "WHICH", value_parser = ["follow", "keep"], default_value = "follow")]
    causes: String,
    /// Suppose that passwords that commands give for recorded ones are right, or wrong, where that was not found out
    #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
    password_correct: Option<String>,
}

/// A question, with its stream as it was typed.
struct Asked {
    stream: StreamArg,
    body: InevitableIn,
}

impl NamesStream for Asked {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs `whodunit inevitable`.
pub(crate) async fn run(
    args: &InevitableArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let predicate = bisect::predicate(&args.predicate)?;
    let password_correct = args.password_correct.as_deref().map(|word| word == "yes");
    let causes = match args.causes.as_str() {
        "keep" => Causes::Keep,
        _ => Causes::Follow,
    };
    let body = InevitableIn {
        // Replaced by the stream that the name stands for.
        stream: StreamName::new("unnamed")
            .map_err(|error| CliError::usage(error.to_string(), ""))?,
        predicate,
        causes,
        password_correct,
    };
    let asked = Asked {
        stream: args.stream.clone(),
        body,
    };
    names::by_name(asked, client, terminal, run_asked).await
}

async fn run_asked(
    asked: &Asked,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let body = InevitableIn {
        stream: asked.stream.name()?,
        ..asked.body.clone()
    };
    let bar = progress::bar(terminal, "asking again");
    let end = come(&body, client, &bar).await;
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

async fn come(
    body: &InevitableIn,
    client: &Client,
    bar: &ProgressBar,
) -> Result<InevitableEnd, CliError> {
    let mut lines = client.inevitable(body).await?;
    while let Some(line) = lines.next().await? {
        match line {
            InevitableLine::Progress(run) => progress::show(bar, &run),
            InevitableLine::End(end) => return Ok(*end),
            InevitableLine::Broken(why) => return Err(ClientError::Problem(why).into()),
        }
    }
    let cut = ClientError::BadReply {
        url: client.url().to_owned(),
        reason: "its reply ended early".to_owned(),
    };
    Err(cut.into())
}

fn print(end: &InevitableEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    terminal.line(terminal.paint(Token::Heading, &end.answer))?;
    if !end.holds {
        return Ok(());
    }
    if !end.commands.is_empty() {
        terminal.line("")?;
        let table = commands(&end.commands, terminal);
        terminal.table(&table)?;
    }
    moments(end, terminal)?;
    left_out(end, terminal)?;
    let work = format!(
        "{} dropped, {} without effect",
        counted(end.dropped, "command"),
        number(end.without_effect)
    );
    terminal.line(terminal.paint(Token::Muted, &work))?;
    let work = format!(
        "decided again {}, {} in all",
        counted(end.runs, "time"),
        counted(end.asked, "command")
    );
    terminal.line(terminal.paint(Token::Muted, &work))
}

fn commands(commands: &[NecessityOut], terminal: &Terminal<'_>) -> Table {
    let times = terminal
        .form
        .times(commands.iter().map(|command| command.decided_at));
    let mut table = Table::new([
        Column::new("decision").right(),
        Column::new("").at_least(9),
        Column::new(terminal.form.zone.heading()),
        Column::new("stream").shrinks_to(10).cut_in_the_middle(),
        Column::new("who").shrinks_to(8),
        Column::new("type").shrinks_to(10),
        Column::new("why").shrinks_to(8),
    ]);
    for command in commands {
        let (word, token) = match (command.necessity, command.masked_by) {
            (Necessity::Necessary, _) => ("necessary".to_owned(), Token::Removed),
            (Necessity::Masked, Some(by)) => (format!("masked by {by}"), Token::Changed),
            (Necessity::Masked, None) => ("masked".to_owned(), Token::Muted),
            (Necessity::Unknown, _) => ("unknown".to_owned(), Token::Changed),
            (Necessity::WithoutEffect, _) => ("no effect".to_owned(), Token::Muted),
        };
        table.row([
            command.decision.to_string().into(),
            Cell::new(word, token),
            times.show(command.decided_at).into(),
            command.stream.as_str().into(),
            Cell::new(show::text(command.actor.as_ref()), Token::Accent),
            command.command_type.as_str().into(),
            show::text(command.reason.as_ref()).into(),
        ]);
    }
    table
}

fn moments(end: &InevitableEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if end.moments.is_empty() {
        return Ok(());
    }
    terminal.line("")?;
    terminal.line("how many of the commands that the rules accept would avoid it, by moment:")?;
    let width = terminal.form.width.unwrap_or(80).min(100);
    let no_return = end.point_of_no_return.as_ref();
    let times = terminal
        .form
        .times(end.moments.iter().flat_map(|moment| [moment.at]));
    let show = |at| times.show(at);
    for line in curve::draw(&end.moments, no_return, (width, terminal.form.ascii), show) {
        terminal.line(line)?;
    }
    let avoiding: Vec<&MomentOut> = end
        .moments
        .iter()
        .filter(|moment| moment.avoiding > 0)
        .collect();
    let from = avoiding.len().saturating_sub(EXAMPLES_MAX);
    for moment in avoiding.iter().skip(from) {
        let example = moment
            .example
            .as_ref()
            .map_or("", |tried| tried.command_type.as_str());
        terminal.line(format!(
            "  at revision {}: {} of {}, such as {}",
            moment.revision,
            moment.avoiding,
            moment.legal,
            whodunit_core::text::shown(example)
        ))?;
    }
    Ok(())
}

/// What was not looked at.
fn left_out(end: &InevitableEnd, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if !end.all_dropped {
        terminal.warn("the log has too many commands to drop every one: only those of this stream and of the streams that caused them were dropped")?;
    }
    if end.left_out > 0 {
        terminal.warn(format!(
            "{} not dropped",
            clause(end.left_out, "older command", "was")
        ))?;
    }
    if !end.all_pairs {
        terminal.warn("not all pairs of masked commands were tried")?;
    }
    if end.moments_left_out > 0 {
        let moments = clause(end.moments_left_out, "older moment", "was");
        terminal.warn(format!("{moments} not tried"))?;
    }
    let unknown: u64 = end.moments.iter().map(|moment| moment.unknown).sum();
    if unknown > 0 {
        terminal.warn(format!(
            "the outcome of {} is unknown",
            counted(unknown, "attempt")
        ))?;
    }
    if !end.not_tried.is_empty() {
        let named = end.not_tried.iter().map(|not| {
            let kind = whodunit_core::text::shown(&not.command_type);
            format!("{kind} ({})", not.reason)
        });
        let named: Vec<String> = named.collect();
        terminal.note(format!("not tried: {}", named.join(", ")))?;
    }
    Ok(())
}
