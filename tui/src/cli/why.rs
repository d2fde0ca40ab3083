//! `whodunit why`: the chain of causes behind a value.

use clap::Args;
use whodunit_core::api::causes::{CauseEnd, CauseKind, CauseOutcome};
use whodunit_core::api::why::{NecessityKind, NecessityOut, WhyHop, WhyOut};
use whodunit_core::text::shown;

use super::args::AtArgs;
use super::blame::pointer;
use super::exit::{CliError, Exit};
use super::names::{NamesStream, StreamArg};
use super::show::{self, REJECTED};
use super::style::Token;
use super::terminal::Terminal;
use crate::client::{Client, WhyQuery};
use crate::text::counted;

/// Arguments of `whodunit why`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit why user-7f3c… /status                 the event that set it, its command, and what caused that
  whodunit why cart-1 '/lines[id=7]/price' --as-of 2025-03-24T15:47:00Z
  whodunit why user-7f3c… /status --necessity     would it be different without that event?")]
pub(crate) struct WhyArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The field's path, such as /status
    #[arg(value_name = "POINTER", value_parser = pointer)]
    path: String,
    #[command(flatten)]
    at: AtArgs,
    /// Also causes that only passed the value on
    #[arg(long)]
    copies: bool,
    /// Fold the later events again without the one that set the value
    #[arg(long)]
    necessity: bool,
    /// Show secrets (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

impl NamesStream for WhyArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        Some(&mut self.stream)
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &WhyArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = WhyQuery {
        path: args.path.clone(),
        at: args.at.at(),
        copies: args.copies,
        necessity: args.necessity,
        reveal: args.reveal,
    };
    let out = client.why(&args.stream.name()?, &query).await?;
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        terminal.document(&out)?;
        return Ok(Exit::Ok);
    }
    print(&out, terminal)?;
    Ok(Exit::Ok)
}

fn print(out: &WhyOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let name = show::path(out.label.as_ref().unwrap_or(&out.path));
    let value = if out.absent {
        "(removed)".to_owned()
    } else {
        show::value(&out.value)
    };
    let heading = format!(
        "{}  revision {} of {}  {name} = {value}",
        out.stream, out.revision, out.head_revision
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    if out.other_fields > 0 {
        terminal.line(format!(
            "(of the {} there, the one that was set last)",
            counted(out.other_fields + 1, "field")
        ))?;
    }
    show::warnings(terminal, &out.warnings)?;
    if out.hops.is_empty() {
        terminal.line("(no event set it: it comes from the initial state)")?;
    }
    for (number, hop) in out.hops.iter().enumerate() {
        print_hop(hop, number == 0, terminal)?;
    }
    let id = shown(out.end_id.as_deref().unwrap_or_default()).into_owned();
    match out.end {
        CauseEnd::First => {}
        CauseEnd::NotOnRecord => terminal.line(format!("  ← {id} (not on record)"))?,
        CauseEnd::Cycle => terminal.line(format!("  ← {id} again: a cycle"))?,
        CauseEnd::Cut => terminal.line("  ← more causes, not followed")?,
    }
    if let Some(necessity) = &out.necessity {
        terminal.line("")?;
        print_necessity(necessity, terminal)?;
    }
    Ok(())
}

fn print_hop(hop: &WhyHop, is_first: bool, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let cause = &hop.cause;
    if hop.skipped > 0 {
        let causes = counted(hop.skipped, "cause");
        let text = format!("    ({causes} in between that only passed it on)");
        terminal.line(terminal.paint(Token::Muted, &text))?;
    }
    let arrow = if is_first { "" } else { "← " };
    let kind = shown(&cause.kind_of).into_owned();
    let what = match (cause.kind, cause.outcome) {
        (CauseKind::Event, _) => format!("{kind}  {} revision {}", cause.stream, cause.revision),
        (_, Some(CauseOutcome::Rejected)) => format!("{REJECTED} command {kind}  {}", cause.stream),
        _ => format!("command {kind}  {}", cause.stream),
    };
    let part = |mark: &str, text: &Option<String>, end: &str| {
        text.as_deref()
            .map_or_else(String::new, |text| format!("{mark}{}{end}", shown(text)))
    };
    terminal.line(format!("  {arrow}{}", terminal.paint(Token::Accent, &what)))?;
    terminal.line(format!(
        "      {}{}{}",
        terminal.form.zone.exact(cause.at),
        part("  ", &cause.actor, ""),
        part("  “", &cause.reason, "”"),
    ))?;
    if let (Some(rule), Some(message)) = (&cause.rule, &cause.message) {
        let text = format!("      {}: {}", shown(rule), shown(message));
        terminal.line(terminal.paint(Token::Rejected, &text))?;
    }
    if let Some(pointer) = &hop.pointer {
        let text = format!("      has it at {}", show::path(pointer));
        terminal.line(terminal.paint(Token::Muted, &text))?;
    }
    if let Some(next) = &hop.next {
        let (stream, revision) = (&next.stream, next.revision);
        let text = match &next.path {
            Some(path) => format!("whodunit why {stream} {path} --at-revision {revision}"),
            None => format!("whodunit steps {stream} --from {revision} --limit 1"),
        };
        let text = format!("      {}", shown(&text));
        terminal.line(terminal.paint(Token::Muted, &text))?;
    }
    Ok(())
}

fn print_necessity(of: &NecessityOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let by = match (&of.event, of.by) {
        (Some(event), Some(by)) => format!("revision {by} ({})", shown(&event.event_type)),
        (None, Some(by)) => format!("revision {by}"),
        (_, None) => String::new(),
    };
    let text = match of.kind {
        NecessityKind::Necessary if of.absent_without => {
            "necessary: without this event, the field would not exist".to_owned()
        }
        NecessityKind::Necessary => {
            let without = of
                .without
                .as_ref()
                .map_or_else(|| "null".to_owned(), show::value);
            format!("necessary: without this event, it would be {without}")
        }
        NecessityKind::Masked => format!("masked: {by} set it anyway"),
        NecessityKind::Overdetermined => {
            format!("overdetermined: without this event, {by} would have set the same value")
        }
        NecessityKind::NoEffect => "no effect: without this event, it would be the same".to_owned(),
    };
    terminal.line(text)?;
    let how = format!(
        "({} folded again without it; commands are not decided again)",
        counted(of.events.saturating_sub(1), "event")
    );
    if of.faults_more > 0 {
        terminal.line(format!(
            "! {} of them could not be applied without it",
            show::number(of.faults_more)
        ))?;
    }
    terminal.line(terminal.paint(Token::Muted, &how))
}
