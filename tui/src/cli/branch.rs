//! `whodunit branch`: named what-ifs that are kept, compared, exported and imported.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use whodunit_core::api::branch::{
    BranchCompareOut, BranchFlip, BranchLine, BranchOut, BranchPage, BranchPatch, BranchStream,
    LogStanding, WorldOutcome,
};
use whodunit_core::api::what_if::{DecisionRef, DropCommandEdit, DropEdit, Edit, WhatIfIn};
use whodunit_core::branch::LOG;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::text::shown;

use super::args::{AtArgs, PageArgs, given};
use super::exit::{CliError, Exit};
use super::names::{self, StreamArg};
use super::pages::{self, Nothing, Paged};
use super::show;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use super::what_if::from_file;
use crate::client::{Client, CompareQuery};
use crate::text::{clause, counted};
use crate::zone::Zone;

/// Arguments of `whodunit branch`.
#[derive(Debug, Args)]
#[command(
    after_help = "A branch is a what-if with a name: the rules decide again whatever its changes can reach, and every command that reads the log
reads the branch instead with `--branch NAME`. Nothing is written to the log. The revisions, decisions and positions that a branch
names are those of the log, even where it is built on another branch.

Examples:
  whodunit branch create no-suspension user-7f3c… --drop 3
  whodunit state user-7f3c… --branch no-suspension
  whodunit branch compare no-suspension           with what happened
  whodunit branch create both user-91aa… --on no-suspension --drop-command 17
  whodunit diff user-7f3c… --branch no-suspension --to-branch both
  whodunit branch export no-suspension > no-suspension.json"
)]
pub(crate) struct BranchArgs {
    #[command(subcommand)]
    action: BranchAction,
}

/// What to do with branches.
#[derive(Debug, Subcommand)]
enum BranchAction {
    /// List branches, by name
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Keep a what-if under a name
    Create(Box<CreateArgs>),
    /// Show a branch: its edits, and how its log relates to this one
    Show {
        /// Its name
        #[arg(value_parser = given)]
        name: String,
    },
    /// Give a branch another name
    Rename {
        /// Its name
        #[arg(value_parser = given)]
        name: String,
        /// Its new name
        #[arg(value_parser = given)]
        new_name: String,
    },
    /// Delete a branch; those that were built on it stay
    Delete {
        /// Its name
        #[arg(value_parser = given)]
        name: String,
    },
    /// Accept this log as the branch's own: for a branch that was imported, or whose log was restored
    Adopt {
        /// Its name
        #[arg(value_parser = given)]
        name: String,
    },
    /// Print a branch, or write it to a file
    Export {
        /// Its name
        #[arg(value_parser = given)]
        name: String,
        /// Write it to this new file
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Include secrets of recorded events (the daemon logs that you did)
        #[arg(long)]
        reveal: bool,
    },
    /// Read a branch from a file, and keep it
    Import {
        /// The file; `-` for standard input
        file: PathBuf,
        /// The name it gets [default: its own]
        #[arg(long, value_parser = given)]
        name: Option<String>,
    },
    /// Compare a branch with what happened, or with another branch
    Compare {
        /// The branch
        #[arg(value_parser = given)]
        name: String,
        /// The branch to compare it with [default: what happened]
        #[arg(value_parser = given)]
        with: Option<String>,
        #[command(flatten)]
        page: PageArgs,
        /// Show secrets (the daemon logs that you did)
        #[arg(long)]
        reveal: bool,
    },
}

/// Arguments of `whodunit branch create`.
#[derive(Debug, Args)]
struct CreateArgs {
    /// Its name: letters, digits, `.`, `_` and `-`
    #[arg(value_parser = given)]
    name: String,
    /// The stream
    #[arg(value_parser = StreamArg::parse, required_unless_present = "file")]
    stream: Option<StreamArg>,
    /// The branch that it is built on
    #[arg(long, value_name = "BRANCH", value_parser = given)]
    on: Option<String>,
    /// What it is for
    #[arg(long, value_name = "SENTENCE")]
    note: Option<String>,
    #[command(flatten)]
    at: AtArgs,
    /// Start after this position of the whole log
    #[arg(long, value_name = "POSITION", conflicts_with_all = ["at_revision", "as_of"])]
    at_position: Option<u64>,
    /// As if this recorded event had not happened
    #[arg(long, value_name = "REV")]
    drop: Vec<u64>,
    /// As if this command had not been sent: the sequence of its decision, or its id
    #[arg(long, value_name = "DECISION")]
    drop_command: Vec<DecisionRef>,
    /// Read the what-if from a JSON file, or from standard input with `-`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["at_revision", "as_of", "at_position", "drop", "drop_command"])]
    file: Option<PathBuf>,
    /// Replace the branch of this name
    #[arg(long)]
    replace: bool,
}

impl BranchArgs {
    /// Whether its answer is read.
    pub(crate) fn lists(&self) -> bool {
        matches!(
            self.action,
            BranchAction::List { .. } | BranchAction::Show { .. } | BranchAction::Compare { .. }
        )
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &BranchArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match &args.action {
        BranchAction::List { page } => return list(page, client, terminal).await,
        BranchAction::Create(args) => return create(args, client, terminal).await,
        BranchAction::Show { name } => {
            let branch = client.branch(name).await?;
            print(&branch, terminal)?;
        }
        BranchAction::Rename { name, new_name } => {
            let patch = BranchPatch {
                name: Some(new_name.clone()),
                ..BranchPatch::default()
            };
            let branch = client.change_branch(name, &patch).await?;
            done("renamed", &branch, terminal)?;
        }
        BranchAction::Delete { name } => {
            done("deleted", &client.remove_branch(name).await?, terminal)?;
        }
        BranchAction::Adopt { name } => {
            let patch = BranchPatch {
                adopt: Some(true),
                ..BranchPatch::default()
            };
            let branch = client.change_branch(name, &patch).await?;
            done("adopted", &branch, terminal)?;
        }
        BranchAction::Export { name, to, reveal } => {
            let file = client.export_branch(name, *reveal).await?;
            let text = crate::json::pretty(&file).map_err(std::io::Error::other)?;
            let text = super::terminal::json_safe(&text);
            match to {
                None => terminal.line(text)?,
                Some(path) => write_new(path, &text, terminal)?,
            }
        }
        BranchAction::Import { file, name } => {
            let text = super::files::read_text(file)?;
            let branch = client.import_branch(text, name.as_deref()).await?;
            done("imported", &branch, terminal)?;
        }
        BranchAction::Compare {
            name,
            with,
            page,
            reveal,
        } => {
            let query = CompareQuery {
                with: with.clone(),
                reveal: *reveal,
                ..CompareQuery::default()
            };
            return compare(name, query, page, client, terminal).await;
        }
    }
    Ok(Exit::Ok)
}

fn write_new(path: &Path, text: &str, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    use std::io::Write as _;
    let failed = |error| CliError::File {
        place: path.display().to_string(),
        error,
    };
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(format!("{text}\n").as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    terminal.note(format!("written  {}", path.display()))
}

async fn create(
    args: &CreateArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    client.may_write()?;
    let stream = match &args.stream {
        Some(named) => Some(names::resolve_if_there(named, client, terminal).await?),
        None => None,
    };
    let asked = match (&args.file, stream) {
        (Some(path), stream) => from_file(path, stream.as_ref())?,
        (None, Some(stream)) => WhatIfIn {
            at_revision: args.at.at_revision.map(Revision),
            as_of: args.at.as_of,
            at_position: args.at_position.map(Position),
            edits: edits(args),
            ..WhatIfIn::new(stream)
        },
        (None, None) => {
            return Err(CliError::usage(
                "no stream was given",
                "name one, or give a what-if with `--file`",
            ));
        }
    };
    let keeping = Keeping {
        name: &args.name,
        on: args.on.as_deref(),
        note: args.note.as_deref(),
        replace: args.replace,
    };
    let kept = keep(asked, &keeping, client).await?;
    done("kept", &kept, terminal)?;
    Ok(Exit::Ok)
}

fn edits(args: &CreateArgs) -> Vec<Edit> {
    let events = args.drop.iter().map(|revision| {
        Edit::Drop(DropEdit {
            revision: Revision(*revision),
        })
    });
    let commands = args.drop_command.iter().map(|decision| {
        let decision = decision.clone();
        Edit::DropCommand(DropCommandEdit { decision })
    });
    events.chain(commands).collect()
}

/// How a what-if is kept.
pub(super) struct Keeping<'a> {
    pub(super) name: &'a str,
    pub(super) on: Option<&'a str>,
    pub(super) note: Option<&'a str>,
    pub(super) replace: bool,
}

/// Keeps a what-if as a branch.
pub(super) async fn keep(
    asked: WhatIfIn,
    keeping: &Keeping<'_>,
    client: &Client,
) -> Result<BranchOut, CliError> {
    if asked.rules.is_some() {
        return Err(CliError::usage(
            "a branch always uses the rules in use; it cannot keep others",
            "leave the rules out",
        ));
    }
    let branch = crate::client::branch_of(asked, keeping.on, client.person());
    let branch = whodunit_core::api::branch::BranchIn {
        name: Some(keeping.name.to_owned()),
        note: keeping.note.map(str::to_owned),
        ..branch
    };
    Ok(if keeping.replace {
        client.put_branch(keeping.name, &branch).await?
    } else {
        client.create_branch(&branch).await?
    })
}

/// Begins to read a branch: it must be there, and the person is told that this is not what happened.
pub(crate) async fn begin(
    name: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let out = client.branch(name).await?;
    let branch = &out.branch;
    terminal.note(format!(
        "branch {} (revision {}): what would have happened, not what did",
        shown(&branch.name),
        branch.revision
    ))?;
    show::warn(terminal, &out.warnings)?;
    terminal.names_branch(&branch.name, branch.revision);
    Ok(())
}

/// Says what was done, and what is to know about the branch.
pub(super) fn done(
    what: &str,
    out: &BranchOut,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        return terminal.document(out);
    }
    let branch = &out.branch;
    terminal.line(format!(
        "{what}  {}  (revision {})",
        shown(&branch.name),
        branch.revision
    ))
}

fn print(out: &BranchOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    show::warn(terminal, &out.warnings)?;
    if terminal.form.json {
        return terminal.document(out);
    }
    let (branch, zone) = (&out.branch, terminal.form.zone);
    terminal.line(format!(
        "{}  revision {}",
        shown(&branch.name),
        branch.revision
    ))?;
    if let Some(note) = &branch.note {
        terminal.line(format!("  {}", shown(note)))?;
    }
    let by = branch
        .actor
        .as_deref()
        .map_or_else(String::new, |actor| format!(" by {}", shown(actor)));
    terminal.line(format!("  made {}{by}", zone.exact(branch.created_at)))?;
    if let Some(on) = &branch.on {
        let name = shown(&on.name);
        terminal.line(format!("  built on {name} (revision {})", on.revision))?;
    }
    terminal.line(format!(
        "  {}",
        standing(out.log_standing, branch.log.position)
    ))?;
    for layer in &branch.layers {
        terminal.line(format!("  on {}", shown(layer.stream.as_str())))?;
        let edits = layer.edits.iter().map(serde_json::to_string);
        let actions = layer.actions.iter().map(serde_json::to_string);
        for said in edits.chain(actions) {
            let said = said.map_err(std::io::Error::other)?;
            terminal.line(format!("    {}", shown(&said)))?;
        }
    }
    Ok(())
}

fn standing(of: LogStanding, position: Position) -> String {
    match of {
        LogStanding::Same => format!("the log has not grown since: it ends at position {position}"),
        LogStanding::Grown => {
            format!(
                "made when the log ended at position {position}; it also covers what came after"
            )
        }
        LogStanding::Other => "made on another log: it cannot be read here".to_owned(),
    }
}

async fn list(
    page: &PageArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let fetch = |cursor: Option<String>, limit| async move {
        client.branches(cursor.as_deref(), Some(limit)).await
    };
    let rows = |terminal: &Terminal<'_>, lines: &[BranchLine]| table(lines, terminal.form.zone);
    let nothing = Nothing::new("there are no branches; `whodunit branch create` makes one");
    pages::list(terminal, page, fetch, rows, nothing).await?;
    let unreadable = client.branches(None, Some(1)).await?.unreadable;
    if unreadable > 0 {
        terminal.warn(format!(
            "{} damaged in the file of branches: the branches there are not shown",
            clause(unreadable, "line", "is")
        ))?;
    }
    Ok(Exit::Ok)
}

impl Paged for BranchPage {
    type Item = BranchLine;

    fn items(&self) -> &[BranchLine] {
        &self.items
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn absorb(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_cursor = next.next_cursor;
        self.branches = next.branches;
        self.unreadable = next.unreadable;
    }
}

fn table(lines: &[BranchLine], zone: Zone) -> Table {
    let mut table = Table::new([
        Column::new("branch").shrinks_to(12),
        Column::new("stream").shrinks_to(16),
        Column::new("edits"),
        Column::new("on").shrinks_to(8),
        Column::new("log"),
        Column::new("changed"),
        Column::new("who").shrinks_to(8),
        Column::new("note").shrinks_to(16),
    ]);
    for line in lines {
        let log = match line.log_standing {
            LogStanding::Same => "same",
            LogStanding::Grown => "grown",
            LogStanding::Other => "another",
        };
        let on = line.on.as_ref().map(|on| on.name.as_str());
        table.row([
            Cell::from(&line.name),
            Cell::from(line.stream.as_str()),
            Cell::from((line.edits + line.actions).to_string()),
            Cell::from(on.unwrap_or_default()),
            Cell::new(log, Token::Muted),
            Cell::from(zone.exact(line.changed_at)),
            Cell::from(line.actor.as_deref().unwrap_or_default()),
            Cell::from(line.note.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

async fn compare(
    name: &str,
    query: CompareQuery,
    page: &PageArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = CompareQuery {
        cursor: page.cursor.clone(),
        limit: Some(page.limit),
        ..query
    };
    let out = client.compare_branch(name, &query).await?;
    if terminal.form.json {
        terminal.document(&out)?;
    } else {
        print_compared(name, &out, terminal)?;
    }
    Ok(if out.streams_total + out.flips_total > 0 {
        Exit::No
    } else {
        Exit::Ok
    })
}

fn print_compared(
    name: &str,
    out: &BranchCompareOut<BranchStream>,
    terminal: &mut Terminal<'_>,
) -> Result<(), CliError> {
    let with = match out.with.as_str() {
        LOG => "what happened".to_owned(),
        other => shown(other).into_owned(),
    };
    terminal.line(format!("from {with} to {}: {}", shown(name), out.answer))?;
    for flip in &out.flips {
        terminal.line(format!("  {}", flipped(flip)))?;
    }
    let more = out.flips_total.saturating_sub(out.flips.len() as u64);
    if more > 0 {
        terminal.line(format!("  and {}", counted(more, "more command")))?;
    }
    for stream in &out.streams {
        let first = stream
            .first_divergence
            .map_or_else(String::new, |first| format!("  from revision {first} on"));
        terminal.line(format!(
            "{}  {} -> {}{first}",
            shown(stream.stream.as_str()),
            stream.from_revision,
            stream.to_revision
        ))?;
        for line in show::diff(terminal, &stream.diff, 2) {
            terminal.line(line)?;
        }
        if stream.diff.is_empty() {
            terminal.line("  the same state, reached by other events")?;
        }
    }
    if let Some(cursor) = &out.next_cursor {
        let (here, all) = (out.streams.len(), counted(out.streams_total, "stream"));
        terminal.note(format!(
            "hint: {here} of {all}; `--cursor {cursor}` shows more"
        ))?;
    }
    Ok(())
}

fn flipped(flip: &BranchFlip) -> String {
    let by = flip
        .actor
        .as_deref()
        .map_or_else(String::new, |actor| format!(" by {}", shown(actor)));
    let outcome = |outcome: &WorldOutcome| match &outcome.rule {
        Some(rule) => format!("{} ({})", outcome.outcome, shown(rule)),
        None => outcome.outcome.clone(),
    };
    format!(
        "{} of {}{by}: {} instead of {}",
        shown(&flip.command_type),
        shown(flip.stream.as_str()),
        outcome(&flip.to),
        outcome(&flip.from)
    )
}
