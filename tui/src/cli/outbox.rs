//! `whodunit outbox`: the jobs of the handlers, and what to do about those that failed.

use clap::{Args, ValueEnum};
use whodunit_core::api::pipeline::{HandlerOut, JobOut, JobStatus, OutboxPage};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::text::shown;

use super::args::{PAGE_ITEMS, PageArgs, given, whole};
use super::exit::{CliError, Exit};
use super::names::{Name, NamesStream, StreamArg, did_you_mean};
use super::pages::{self, Nothing};
use super::show::{number, text};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use super::watch::{self, WatchArgs};
use crate::client::{Client, ClientError, Order, OutboxQuery};
use crate::text::counted;

/// Arguments of `whodunit outbox`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without `--status`, `--stream`, `--all` or `--cursor`: the jobs that are not done, failed ones first.

Examples:
  whodunit outbox                            each handler, and what failed or waits
  whodunit outbox --stream user-7f3c…        done and open jobs for this user
  whodunit outbox 8812                       everything about one job
  whodunit outbox --retry 8812               retry a failed job
  whodunit outbox --retry-all send_welcome_email"
)]
pub(crate) struct OutboxArgs {
    /// Show everything about this job
    #[arg(value_name = "ID", conflicts_with_all = ["handler", "status", "stream", "all", "cursor", "oldest", "watch"], value_parser = whole)]
    id: Option<u64>,
    /// Only for this handler
    #[arg(long, value_parser = given)]
    handler: Option<String>,
    /// Only with this status
    #[arg(long, value_enum)]
    status: Option<Wanted>,
    /// Only for this stream
    #[arg(long, value_parser = StreamArg::parse)]
    stream: Option<StreamArg>,
    /// Oldest first
    #[arg(long)]
    oldest: bool,
    /// Retry this failed job
    #[arg(long, value_name = "ID", conflicts_with_all = ["id", "handler", "status", "stream", "retry_all"], value_parser = whole)]
    retry: Option<u64>,
    /// Retry all failed jobs of a handler
    #[arg(long, value_name = "HANDLER", conflicts_with_all = ["id", "handler", "status", "stream"], value_parser = given)]
    retry_all: Option<String>,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

impl OutboxArgs {
    /// Whether it goes on until interrupted.
    pub(crate) fn watches(&self) -> bool {
        self.watch.watch.is_some()
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// Waiting
    Pending,
    /// Being worked on
    Processing,
    /// Done
    Completed,
    /// Given up, until it is retried
    Failed,
}

impl From<Wanted> for JobStatus {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Pending => Self::Pending,
            Wanted::Processing => Self::Processing,
            Wanted::Completed => Self::Completed,
            Wanted::Failed => Self::Failed,
        }
    }
}

impl OutboxArgs {
    fn query(&self) -> Result<OutboxQuery, CliError> {
        Ok(OutboxQuery {
            handler: self.handler.clone(),
            status: self.status.map(JobStatus::from),
            stream: self.stream.as_ref().map(StreamArg::name).transpose()?,
            order: if self.oldest {
                Order::Forward
            } else {
                Order::Backward
            },
            cursor: self.page.cursor.clone(),
            limit: Some(if self.page.all {
                PAGE_ITEMS
            } else {
                self.page.limit.min(PAGE_ITEMS)
            }),
        })
    }

    /// Whether no filter was given: then the jobs that need attention are listed.
    fn is_open(&self) -> bool {
        self.status.is_none()
            && self.stream.is_none()
            && !self.page.all
            && self.page.cursor.is_none()
    }
}

impl NamesStream for OutboxArgs {
    fn stream_arg(&mut self) -> Option<&mut StreamArg> {
        self.stream.as_mut()
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &OutboxArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if let Some(id) = args.id {
        let job = client.job(id).await?;
        return show(&job, terminal);
    }
    if let Some(id) = args.retry {
        let job = client.retry_job(id).await?;
        return show(&job, terminal);
    }
    if let Some(handler) = &args.retry_all {
        return retry_all(handler, client, terminal).await;
    }
    let ask = async |terminal: &mut Terminal<'_>| ask(args, client, terminal).await;
    watch::run(args.watch, terminal, ask).await
}

/// The list.
async fn ask(
    args: &OutboxArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.is_open() {
        return open(args, client, terminal).await;
    }
    let asked = args.query()?;
    let first = client.outbox(&asked).await?;
    known(args, &first)?;
    if !terminal.form.json {
        counts(&first.handlers, args.handler.as_deref(), terminal)?;
    }
    let form = terminal.form;
    let handlers = first.handlers.clone();
    let mut first = Some(first);
    let fetch = |cursor, limit| {
        let ready = first.take();
        let query = OutboxQuery {
            cursor,
            limit: Some(limit),
            ..asked.clone()
        };
        async move {
            match ready {
                Some(page) => Ok(page),
                None => client.outbox(&query).await,
            }
        }
    };
    let names = [asked.stream.as_ref().map(Name::Stream)];
    pages::list(
        terminal,
        &args.page,
        fetch,
        |_, jobs| table(jobs, &handlers, form),
        Nothing::by_names("no job matches", names, client),
    )
    .await?;
    Ok(Exit::Ok)
}

/// That there is a handler of the name asked for: "nothing has failed" would be no answer about one that there is not.
fn known(args: &OutboxArgs, page: &OutboxPage) -> Result<(), CliError> {
    match &args.handler {
        Some(name) if page.handlers.iter().all(|known| known.handler != *name) => {
            let detail = format!("there is no handler `{}`, and no job of it", shown(name));
            let problem = Problem::new(Code::NoSuchHandler, detail);
            let error = ClientError::Problem(Box::new(problem)).into();
            let names = page.handlers.iter().map(|known| known.handler.as_str());
            Err(CliError::meant(error, did_you_mean(name, names)))
        }
        _ => Ok(()),
    }
}

async fn retry_all(
    handler: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let retried = client.retry_failed(handler).await?;
    if terminal.form.json {
        terminal.document(&retried)?;
    } else {
        terminal.line(format!(
            "retrying {} of {}",
            counted(retried.retried, "failed job"),
            shown(handler)
        ))?;
    }
    Ok(Exit::Ok)
}

/// The jobs that are not done, failed ones first.
async fn open(
    args: &OutboxArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let (page, more) = not_done(args, client).await?;
    known(args, &page)?;
    if terminal.form.json {
        terminal.document(&page)?;
    } else {
        counts(&page.handlers, args.handler.as_deref(), terminal)?;
        if page.items.is_empty() {
            terminal.note("no job is waiting, and none has failed")?;
        } else {
            let table = table(&page.items, &page.handlers, terminal.form);
            terminal.table(&table)?;
        }
    }
    if more {
        terminal.note("hint: there are more: `--status failed`, `--status pending`, or `--all`")?;
    }
    if page.items.iter().any(|job| job.status == JobStatus::Failed) && !terminal.form.json {
        terminal.note(
            "hint: `whodunit outbox ID` shows an error in full; `--retry ID` or `--retry-all HANDLER` retries",
        )?;
    }
    Ok(Exit::Ok)
}

/// Up to as many as asked for, and whether there are more.
async fn not_done(args: &OutboxArgs, client: &Client) -> Result<(OutboxPage, bool), CliError> {
    let limit = args.page.limit;
    let mut all: Option<OutboxPage> = None;
    let mut more = false;
    for status in [JobStatus::Failed, JobStatus::Processing, JobStatus::Pending] {
        let mut query = OutboxQuery {
            status: Some(status),
            ..args.query()?
        };
        loop {
            let page = client.outbox(&query).await?;
            query.cursor.clone_from(&page.next_cursor);
            match &mut all {
                None => all = Some(page),
                Some(all) => pages::Paged::absorb(all, page),
            }
            let enough = all.as_ref().is_some_and(|all| all.items.len() >= limit);
            if query.cursor.is_none() || enough {
                break;
            }
        }
        more |= query.cursor.is_some();
    }
    let mut page = all.unwrap_or(OutboxPage {
        items: Vec::new(),
        next_cursor: None,
        head: 0,
        handlers: Vec::new(),
    });
    more |= page.items.len() > limit;
    page.items.truncate(limit);
    // Three lists in one have no place to go on from.
    page.next_cursor = None;
    Ok((page, more))
}

/// How the jobs of each handler stand.
fn counts(
    handlers: &[HandlerOut],
    only: Option<&str>,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new([
        Column::new("handler").shrinks_to(16),
        Column::new("completed").right(),
        Column::new("pending").right(),
        Column::new("processing").right(),
        Column::new("failed").right(),
        Column::new("to").shrinks_to(12).cut_in_the_middle(),
    ]);
    for handler in handlers
        .iter()
        .filter(|handler| only.is_none_or(|only| handler.handler == only))
    {
        let counts = handler.counts;
        let failed = if counts.failed > 0 {
            Token::Error
        } else {
            Token::Plain
        };
        let to = if handler.kind == "none" {
            "(not set up now)"
        } else {
            &handler.target
        };
        table.row([
            Cell::new(&handler.handler, Token::Accent),
            number(counts.completed).into(),
            number(counts.pending).into(),
            number(counts.processing).into(),
            Cell::new(number(counts.failed), failed),
            Cell::new(to, Token::Muted),
        ]);
    }
    if handlers.is_empty() {
        return terminal.note("no handler is set up");
    }
    terminal.table(&table)?;
    terminal.line("")
}

fn table(jobs: &[JobOut], handlers: &[HandlerOut], form: Form) -> Table {
    let mut table = Table::new([
        Column::new("job").right(),
        Column::new("handler").shrinks_to(10),
        Column::new("stream").shrinks_to(12).is_name(),
        Column::new("rev").right(),
        Column::new("event").shrinks_to(8).goes(2),
        Column::new("status"),
        Column::new("tries").right().goes(1),
        Column::new("why").shrinks_to(12).goes(3),
    ]);
    // What went wrong matters more than the event's type, and has a line of its own where a column would only show its
    // first words.
    let roomy = form.width.is_none_or(|width| width >= 120);
    for job in jobs {
        let (mark, token) = mark(job.status);
        let why = why(job, handlers, form);
        table.row([
            Cell::from(job.id.to_string()),
            job.handler.as_str().into(),
            job.stream.as_str().into(),
            job.revision.to_string().into(),
            Cell::from(if roomy { job.event_type.as_str() } else { "" }),
            Cell::new(format!("{mark} {}", job.status.as_str()), token),
            job.attempts.to_string().into(),
            Cell::new(if roomy { why.as_str() } else { "" }, token),
        ]);
        if !roomy && !why.is_empty() {
            table.under(Cell::new(why, token));
        }
    }
    table.drop_empty_columns();
    table
}

fn mark(status: JobStatus) -> (&'static str, Token) {
    match status {
        JobStatus::Pending => ("…", Token::Plain),
        JobStatus::Processing => ("»", Token::Accent),
        JobStatus::Completed => ("✓", Token::Added),
        JobStatus::Failed => ("✗", Token::Error),
    }
}

/// What a job waits for, or what its last attempt said.
fn why(job: &JobOut, handlers: &[HandlerOut], form: Form) -> String {
    let mut parts = Vec::new();
    let waits = job.status == JobStatus::Pending;
    let mut of = handlers.iter().filter(|own| own.handler == job.handler);
    if waits && of.any(|own| own.kind == "none") {
        parts.push("its handler is not set up".to_owned());
    }
    if let Some(by) = job.blocked_by {
        parts.push(format!("blocked by job {by}"));
    }
    if let Some(at) = job.next_attempt_at {
        parts.push(format!("next {}", form.zone.exact(at)));
    }
    if let (Some(error), true) = (&job.last_error, job.status != JobStatus::Completed) {
        parts.push(error.clone());
    }
    parts.join(": ")
}

fn show(job: &JobOut, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if terminal.form.json {
        terminal.document(job)?;
        return Ok(Exit::Ok);
    }
    let form = terminal.form;
    let (sign, token) = mark(job.status);
    // Nothing is cut: an error is read in full here.
    let mut table = Table::new([Column::new(""), Column::new("")]);
    let mut add = |name: &str, token: Token, value: &str| {
        table.row([Cell::new(name, Token::Muted), Cell::new(value, token)]);
    };
    add("job", Token::Accent, &job.id.to_string());
    add("handler", Token::Plain, &job.handler);
    add("status", token, &format!("{sign} {}", job.status.as_str()));
    if let Some(by) = job.blocked_by {
        add("blocked by", Token::Changed, &format!("job {by}"));
    }
    let event = format!("{} revision {}", job.stream, job.revision);
    add("event", Token::Plain, &job.event_type);
    add("of", Token::Plain, &event);
    add("position", Token::Plain, &job.position.to_string());
    add("event id", Token::Plain, &job.event_id);
    add("attempts", Token::Plain, &job.attempts.to_string());
    if let Some(at) = job.next_attempt_at {
        add("next try", Token::Changed, &form.zone.long(at));
    }
    add("created", Token::Plain, &form.zone.long(job.created_at));
    add("changed", Token::Plain, &form.zone.long(job.updated_at));
    if job.last_error.is_some() {
        add("error", Token::Error, text(job.last_error.as_ref()));
    }
    let widths = table.widths(None);
    for line in table.lines(&widths, form.colours) {
        terminal.line(line)?;
    }
    if job.status == JobStatus::Failed {
        terminal.note(format!(
            "hint: `whodunit outbox --retry {}` retries it",
            job.id
        ))?;
    }
    Ok(Exit::Ok)
}
