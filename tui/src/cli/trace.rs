//! `whodunit trace`: what led to an event or command and what it led to, or everything of a correlation.

use clap::Args;
use serde_json::json;
use whodunit_core::api::causes::{
    CauseEnd, CauseFinding, CauseKind, CauseNode, CauseOutcome, CausesOut, CorrelationOut,
    ImpactPage, StreamImpact,
};
use whodunit_core::api::problem::Code;
use whodunit_core::text::shown;

use super::args::{LIMIT_DEFAULT, PAGE_ITEMS, given, limit};
use super::exit::{CliError, Exit};
use super::names;
use super::show::{self, REJECTED};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Terminal, Times};
use crate::client::{Client, ClientError, TraceQuery};
use crate::text::{clause, counted};

/// Levels that are set in; deeper ones stand below each other.
const LEVELS_MAX: u64 = 16;
/// Streams that are compared for one request.
const IMPACTS: usize = 20;

/// Arguments of `whodunit trace`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(after_help = "Examples:
  whodunit trace user-7f3c@4                  what led to this event, and what it led to
  whodunit trace 0195d3a1-7c2e-… --whole      the whole tree, from the first cause on
  whodunit trace fraud-scan-2025-03-20        everything of a correlation, and what it did to each stream

Exit code 1: something is wrong: a cause is not on record, causes form a cycle, or an effect comes before its cause.")]
pub(crate) struct TraceArgs {
    /// An event (`STREAM@REVISION`, `pos:POSITION`, or the beginning of its id), the id of a command, or a correlation id
    #[arg(value_name = "EVENT|COMMAND|CORRELATION", value_parser = given)]
    id: String,
    /// Read it as a correlation id, even if an event or a command has this id
    #[arg(long)]
    correlation: bool,
    /// The whole tree, from the first cause on
    #[arg(long, conflicts_with = "correlation")]
    whole: bool,
    /// At most this many events and commands
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// All of them; with `--json`, one per line
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Show secrets in what changed (the daemon logs that you did)
    #[arg(long)]
    reveal: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &TraceArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.correlation {
        return correlation(args, client, terminal).await;
    }
    match causes(args, &args.id, client, terminal).await {
        Err(error) if is(&error, Code::NoSuchEvent) => {}
        done => return done,
    }
    if !args.whole {
        match correlation(args, client, terminal).await {
            Err(error) if is(&error, Code::NoSuchCorrelation) => {}
            done => return done,
        }
    }
    let event = match names::event(&args.id, false, client, terminal).await {
        Err(error) if matches!(error.exit(), Exit::NotFound) => {
            return Err(CliError::NotThere {
                message: format!(
                    "no event, no command and no correlation is called `{}`",
                    shown(&args.id)
                ),
                hint: "an event can be named by the beginning of its id, as `STREAM@REVISION`, or as `pos:POSITION`".into(),
            });
        }
        event => event?,
    };
    causes(args, &event.event_id, client, terminal).await
}

fn is(error: &CliError, code: Code) -> bool {
    matches!(error, CliError::Client(ClientError::Problem(problem)) if problem.code == code)
}

/// How much is still wanted, and where to go on.
struct Pages {
    query: TraceQuery,
    left: usize,
}

impl Pages {
    fn new(args: &TraceArgs) -> Self {
        let left = if args.all { usize::MAX } else { args.limit };
        Self {
            query: TraceQuery {
                whole: args.whole,
                limit: Some(left.min(PAGE_ITEMS)),
                ..TraceQuery::default()
            },
            left,
        }
    }

    /// Whether another page is wanted.
    fn go_on(
        &mut self,
        shown: usize,
        next: Option<String>,
        terminal: &mut Terminal<'_>,
    ) -> Result<bool, CliError> {
        self.left = self.left.saturating_sub(shown);
        self.query.limit = Some(self.left.min(PAGE_ITEMS));
        match next {
            Some(next) if self.left > 0 => {
                self.query.cursor = Some(next);
                Ok(true)
            }
            Some(_) => {
                terminal.note("hint: there are more: `--all` shows them")?;
                Ok(false)
            }
            None => Ok(false),
        }
    }
}

async fn causes(
    args: &TraceArgs,
    id: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let mut pages = Pages::new(args);
    loop {
        let page = client.causes(id, &pages.query).await?;
        let is_first = pages.query.cursor.is_none();
        if is_first {
            show::warn(terminal, &page.warnings)?;
        }
        if terminal.form.json && !args.all {
            terminal.document(&page)?;
            return Ok(ended(page.findings_total, page.cut));
        }
        if terminal.form.json {
            for node in &page.items {
                terminal.record(node)?;
            }
        } else {
            if is_first {
                print_chain(&page, terminal)?;
            }
            print_nodes(&page.items, terminal)?;
        }
        let shown = page.items.len();
        if !pages.go_on(shown, page.next_cursor.clone(), terminal)? {
            print_findings((&page.findings, page.findings_total), page.cut, terminal)?;
            return Ok(ended(page.findings_total, page.cut));
        }
    }
}

fn ended(findings: u64, cut: bool) -> Exit {
    if findings > 0 || cut {
        Exit::No
    } else {
        Exit::Ok
    }
}

fn print_chain(out: &CausesOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let heading = |terminal: &mut Terminal<'_>, text: &str| {
        let text = terminal.paint(Token::Heading, text);
        terminal.line(text)
    };
    heading(terminal, "caused by")?;
    if out.causes.is_empty() && out.end == CauseEnd::First {
        terminal.line("(nothing: it names no cause)")?;
    } else {
        let mut chain = out.causes.clone();
        for node in &mut chain {
            node.depth = 0;
        }
        if !chain.is_empty() {
            print_nodes(&chain, terminal)?;
        }
        let id = shown(out.end_id.as_deref().unwrap_or_default()).into_owned();
        let rest = match out.end {
            CauseEnd::First => None,
            CauseEnd::NotOnRecord => Some(format!("(then {id}, which is not on record)")),
            CauseEnd::Cycle => Some(format!("(then {id} again: a cycle)")),
            CauseEnd::Cut => Some(format!("(then {id} and more that are not followed)")),
        };
        if let Some(rest) = rest {
            terminal.line(rest)?;
        }
    }
    terminal.line("")?;
    let effects = out.nodes.saturating_sub(1);
    let text = match effects {
        0 => "led to nothing".to_owned(),
        _ => format!("led to {} more", show::number(effects)),
    };
    heading(terminal, &text)
}

/// A table of nodes, each set in below its cause.
fn print_nodes(nodes: &[CauseNode], terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let times = terminal.form.times(nodes.iter().map(|node| node.at));
    let mut table = Table::new([
        Column::new("what").shrinks_to(16),
        Column::new("stream").shrinks_to(14).cut_in_the_middle(),
        Column::new("rev").right(),
        Column::new(terminal.form.zone.heading()),
        Column::new("who").shrinks_to(10),
        Column::new("why").shrinks_to(12),
    ]);
    for node in nodes {
        table.row(row(node, times));
        if let (Some(rule), Some(message)) = (&node.rule, &node.message) {
            let indent = "  ".repeat(level(node.depth));
            table.under(Cell::new(
                format!("{indent}{rule}: {message}"),
                Token::Rejected,
            ));
        }
        for job in &node.jobs {
            let indent = "  ".repeat(level(node.depth + 1));
            let what = format!("{indent}job {} {}", job.id, job.handler);
            let why = match &job.last_error {
                Some(error) => format!("{}: {error}", job.status.as_str()),
                None => job.status.as_str().to_owned(),
            };
            table.row([
                what.into(),
                "".into(),
                "".into(),
                "".into(),
                "".into(),
                Cell::from(why),
            ]);
        }
    }
    terminal.table(&table)
}

fn level(depth: u64) -> usize {
    usize::try_from(depth.min(LEVELS_MAX)).unwrap_or_default()
}

fn row(node: &CauseNode, times: Times) -> Vec<Cell> {
    let indent = "  ".repeat(level(node.depth));
    let (mark, token) = match (node.kind, node.outcome) {
        (CauseKind::Event, _) => ("", Token::Plain),
        (CauseKind::Command, Some(CauseOutcome::Rejected)) => (REJECTED, Token::Rejected),
        (CauseKind::Command, _) => ("→", Token::Muted),
    };
    let space = if mark.is_empty() { "" } else { " " };
    let why = show::text(node.reason.as_ref());
    let revision = match node.kind {
        CauseKind::Event => node.revision.to_string(),
        CauseKind::Command => String::new(),
    };
    let what = format!("{indent}{mark}{space}{}", node.kind_of);
    vec![
        Cell::new(what, token),
        node.stream.as_str().into(),
        revision.into(),
        times.show(node.at).into(),
        Cell::new(show::text(node.actor.as_ref()), Token::Accent),
        why.into(),
    ]
}

fn print_findings(
    (findings, total): (&[CauseFinding], u64),
    cut: bool,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    if terminal.form.json {
        return Ok(());
    }
    for finding in findings {
        let text = format!("! {}", shown(&finding.detail));
        terminal.line(terminal.paint(Token::Error, &text))?;
    }
    let more = total.saturating_sub(findings.len() as u64);
    if more > 0 {
        terminal.line(format!("! and {}", counted(more, "more finding")))?;
    }
    if cut {
        let text = "! not everything was followed: trace one of those below by its id";
        terminal.line(terminal.paint(Token::Error, text))?;
    }
    Ok(())
}

async fn correlation(
    args: &TraceArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let mut pages = Pages::new(args);
    loop {
        let page = client.correlation(&args.id, &pages.query).await?;
        let is_first = pages.query.cursor.is_none();
        if is_first {
            show::warn(terminal, &page.warnings)?;
        }
        if terminal.form.json && !args.all {
            let streams = client
                .correlation_streams(&args.id, None, IMPACTS, args.reveal)
                .await?;
            terminal.document(&json!({ "correlation": page, "streams": streams }))?;
            return Ok(ended(page.findings_total, page.cut));
        }
        if terminal.form.json {
            for node in &page.items {
                terminal.record(node)?;
            }
        } else {
            if is_first {
                print_summary(&page, terminal)?;
            }
            print_nodes(&page.items, terminal)?;
        }
        let shown = page.items.len();
        if !pages.go_on(shown, page.next_cursor.clone(), terminal)? {
            print_findings((&page.findings, page.findings_total), page.cut, terminal)?;
            if !terminal.form.json {
                streams(args, client, terminal).await?;
            }
            return Ok(ended(page.findings_total, page.cut));
        }
    }
}

fn print_summary(out: &CorrelationOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let zone = terminal.form.zone;
    let heading = format!(
        "correlation {}  {} in {}, {} ({} refused)",
        shown(&out.correlation_id),
        counted(out.events, "event"),
        counted(out.streams_total, "stream"),
        counted(out.commands, "command"),
        show::number(out.refused),
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    let times = format!(
        "from {} to {}",
        zone.long(out.first_at),
        zone.long(out.last_at)
    );
    terminal.line(terminal.paint(Token::Muted, &times))?;
    show::warnings(terminal, &out.warnings)?;
    if out.outside > 0 {
        let text = format!(
            "{} carry another correlation id, or none: they are effects of it",
            show::number(out.outside)
        );
        terminal.line(text)?;
    }
    Ok(())
}

/// What it did to each stream.
async fn streams(
    args: &TraceArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let mut cursor: Option<String> = None;
    loop {
        let page: ImpactPage = client
            .correlation_streams(&args.id, cursor.as_deref(), IMPACTS, args.reveal)
            .await?;
        for stream in &page.items {
            print_impact(stream, terminal)?;
        }
        match page.next_cursor {
            Some(next) if args.all => cursor = Some(next),
            Some(_) => {
                let rest = page.streams_total.saturating_sub(page.items.len() as u64);
                let rest = counted(rest, "more stream");
                terminal.note(format!("hint: {rest}: `--all` shows all"))?;
                return Ok(());
            }
            None => return Ok(()),
        }
    }
}

fn print_impact(of: &StreamImpact, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    terminal.line("")?;
    let refused = match of.refused {
        0 => String::new(),
        count => format!("  {} refused", show::number(count)),
    };
    let heading = format!(
        "{}  revision {} → {}{refused}",
        of.stream, of.revision_before, of.revision_after
    );
    terminal.line(terminal.paint(Token::Heading, &heading))?;
    if of.other_events > 0 {
        let others = clause(of.other_events, "event", "does");
        terminal.line(format!(
            "! {others} not belong to this correlation, but came in between:\n  what they changed is shown too"
        ))?;
    }
    show::warnings(terminal, &of.warnings)?;
    match &of.failed {
        Some(why) => terminal.line(format!("! not compared: {}", shown(why)))?,
        None if of.diff.is_empty() => terminal.line("(no difference)")?,
        None => {}
    }
    for line in show::diff(terminal, &of.diff, 2) {
        terminal.line(line)?;
    }
    Ok(())
}
