//! `whodunit note`: what people write beside the log; and the notes that other commands show.

use std::io::Read as _;

use clap::{Args, Subcommand};
use whodunit_core::api::notes::{NoteIn, NotePage};
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::note::Note;
use whodunit_core::text::shown;

use super::args::{PageArgs, given};
use super::exit::{CliError, Exit};
use super::names::{self, StreamArg, if_there};
use super::pages::{self, Nothing, Paged};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, NotesQuery};
use crate::text::counted;
use crate::zone::Zone;

/// Notes that another command shows at most.
const BESIDE_MAX: usize = 20;

/// Arguments of `whodunit note`.
#[derive(Debug, Args)]
#[command(
    after_help = "Notes are kept beside the log, never in it: no hash, state or read model depends on them. They are part of backups and exports,
even redacted ones, and every client sees them. A text that holds a password hash, or the value of a secret field of its event, is
refused.

Examples:
  whodunit note add user-7f3c@4 \"the nightly batch, see incident 12\"
  whodunit note add user-7f3c -                     about the stream; the text comes from standard input
  whodunit note list user-7f3c
  whodunit note list --text batch
  whodunit note remove 0195c8d6-4ef8-7bb1-9c3f-0242ac120002"
)]
pub(crate) struct NoteArgs {
    #[command(subcommand)]
    action: NoteAction,
}

/// What to do with notes.
#[derive(Debug, Subcommand)]
enum NoteAction {
    /// Write a note about a stream, one of its revisions, or an event
    Add {
        /// A stream, `STREAM@REVISION`, `pos:POSITION`, or an event's id
        #[arg(value_parser = given)]
        about: String,
        /// The text; `-` for standard input
        #[arg(value_parser = given)]
        text: String,
        /// Who writes it [default: the setting `actor`, or the user's name]
        #[arg(long, env = "WHODUNIT_ACTOR")]
        actor: Option<String>,
        /// Makes it idempotent: sent twice, it is written once
        #[arg(long, value_name = "ID", value_parser = given)]
        id: Option<String>,
    },
    /// List notes, newest first
    List {
        /// Only about this stream, `STREAM@REVISION`, `pos:POSITION` or event
        #[arg(value_parser = given)]
        about: Option<String>,
        /// Only those that contain this text, ignoring case
        #[arg(long, value_parser = given)]
        text: Option<String>,
        /// Only by this writer
        #[arg(long, value_parser = given)]
        by: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Remove a note and its text
    Remove {
        /// Its id
        #[arg(value_parser = given)]
        id: String,
    },
}

impl NoteArgs {
    /// Whether its answer is a list.
    pub(crate) fn lists(&self) -> bool {
        matches!(self.action, NoteAction::List { .. })
    }
}

/// What a note is about.
enum About {
    Stream(StreamName),
    Event(Box<Event>),
}

impl About {
    async fn resolve(
        typed: &str,
        client: &Client,
        terminal: &mut Terminal<'_>,
    ) -> Result<Self, CliError> {
        let at_revision = typed.rsplit_once('@').is_some_and(|(_, revision)| {
            !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_digit())
        });
        let exact = StreamName::new(typed).ok();
        if let Some(stream) = &exact
            && if_there(client.stream(stream).await)?.is_some()
        {
            return Ok(Self::Stream(stream.clone()));
        }
        if at_revision || typed.starts_with("pos:") || typed.starts_with('#') {
            let event = names::event(typed, false, client, terminal).await?;
            return Ok(Self::Event(Box::new(event)));
        }
        if let Some(event) = if_there(client.event(typed, false).await)? {
            return Ok(Self::Event(Box::new(event)));
        }
        let stream =
            StreamArg::parse(typed).map_err(|why| CliError::usage(why, "name a stream"))?;
        let stream = names::resolve(stream.as_str(), client, terminal).await?;
        Ok(Self::Stream(stream))
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &NoteArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match &args.action {
        NoteAction::Add {
            about,
            text,
            actor,
            id,
        } => {
            client.may_write()?;
            let actor = actor.as_deref().or_else(|| client.person());
            let asked = NoteIn {
                text: read_text(text)?,
                actor: actor.unwrap_or_default().to_owned(),
                note_id: id.clone(),
                ..NoteIn::default()
            };
            add(about, asked, client, terminal).await
        }
        NoteAction::List {
            about,
            text,
            by,
            page,
        } => {
            let query = NotesQuery {
                text: text.clone(),
                actor: by.clone(),
                ..NotesQuery::default()
            };
            list(about.as_deref(), query, page, client, terminal).await
        }
        NoteAction::Remove { id } => {
            client.may_write()?;
            let note = client.remove_note(id).await?;
            if terminal.form.json {
                terminal.document(&note)?;
            } else {
                terminal.line(format!("removed  {}  about {}", shown(id), about(&note)))?;
            }
            Ok(Exit::Ok)
        }
    }
}

fn read_text(text: &str) -> Result<String, CliError> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut read = String::new();
    let limit = whodunit_core::note::NOTE_TEXT_BYTES_MAX as u64 + 2;
    let input = std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut read);
    input.map_err(|error| CliError::File {
        place: "standard input".to_owned(),
        error,
    })?;
    Ok(read.trim_end_matches(['\n', '\r']).to_owned())
}

async fn add(
    typed: &str,
    asked: NoteIn,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if asked.actor.is_empty() {
        return Err(CliError::usage(
            "a note needs an author",
            "give `--actor NAME`, or `whodunit config set actor NAME` once and for all",
        ));
    }
    let asked = match About::resolve(typed, client, terminal).await? {
        About::Stream(stream) => NoteIn {
            stream: Some(stream),
            ..asked
        },
        About::Event(event) => NoteIn {
            event_id: Some(event.event_id),
            ..asked
        },
    };
    let note = client.add_note(&asked).await?;
    if terminal.form.json {
        terminal.document(&note)?;
    } else {
        let id = shown(&note.note_id).into_owned();
        terminal.line(format!("noted  {id}  about {}", about(&note)))?;
    }
    Ok(Exit::Ok)
}

async fn list(
    typed: Option<&str>,
    query: NotesQuery,
    page: &PageArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let query = match typed {
        None => query,
        Some(typed) => match About::resolve(typed, client, terminal).await? {
            About::Stream(stream) => NotesQuery {
                stream: Some(stream),
                ..query
            },
            About::Event(event) => NotesQuery {
                event_id: Some(event.event_id),
                ..query
            },
        },
    };
    let fetch = |cursor, limit| {
        let query = NotesQuery {
            cursor,
            limit: Some(limit),
            ..query.clone()
        };
        async move { client.notes(&query).await }
    };
    let rows = |terminal: &Terminal<'_>, notes: &[Note]| table(notes, terminal.form.zone);
    pages::list(
        terminal,
        page,
        fetch,
        rows,
        Nothing::new("there are no notes"),
    )
    .await?;
    unreadable(client, terminal).await?;
    Ok(Exit::Ok)
}

/// Says of notes that are lost to a damage.
async fn unreadable(client: &Client, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let query = NotesQuery {
        limit: Some(1),
        ..NotesQuery::default()
    };
    warn(&client.notes(&query).await?, terminal)
}

fn warn(page: &NotePage, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    match page.unreadable {
        0 => Ok(()),
        lines => terminal.warn(format!(
            "{} damaged in the file of notes: the notes there are not shown",
            crate::text::clause(lines, "line", "is")
        )),
    }
}

impl Paged for NotePage {
    type Item = Note;

    fn items(&self) -> &[Note] {
        &self.items
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn absorb(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_cursor = next.next_cursor;
        self.notes = next.notes;
        self.unreadable = next.unreadable;
    }
}

/// What a note is about, as it is typed.
fn about(note: &Note) -> String {
    match note.revision {
        Some(revision) => format!("{}@{revision}", note.stream),
        None => note.stream.to_string(),
    }
}

fn table(notes: &[Note], zone: Zone) -> Table {
    let mut table = Table::new([
        Column::new("about").shrinks_to(16),
        Column::new("when"),
        Column::new("who").shrinks_to(8),
        Column::new("note").shrinks_to(24),
        Column::new("id").shrinks_to(8),
    ]);
    for note in notes {
        table.row([
            Cell::from(about(note)),
            Cell::from(zone.exact(note.written_at)),
            Cell::from(&note.actor),
            Cell::from(&note.text),
            Cell::new(&note.note_id, Token::Muted),
        ]);
    }
    table
}

/// The notes about an event, or about a stream and its revisions. Where they cannot be had, that is said, and nothing else is held up.
pub(super) async fn beside(
    query: NotesQuery,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Option<NotePage>, CliError> {
    let query = NotesQuery {
        limit: Some(BESIDE_MAX),
        ..query
    };
    match client.notes(&query).await {
        Ok(page) => Ok(Some(page)),
        Err(error) => {
            terminal.warn(format!("the notes are not shown: {error}"))?;
            Ok(None)
        }
    }
}

/// Prints notes below what they are about.
pub(super) fn print(page: &NotePage, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    if !page.items.is_empty() {
        terminal.line(terminal.paint(Token::Muted, "notes"))?;
    }
    let zone = terminal.form.zone;
    for note in &page.items {
        let place = note
            .revision
            .map_or_else(String::new, |revision| format!("  revision {revision}"));
        let (who, when) = (shown(&note.actor), zone.exact(note.written_at));
        terminal.line(format!("  {who}  {when}{place}"))?;
        for line in note.text.lines() {
            terminal.line(format!("    {}", shown(line)))?;
        }
    }
    if page.next_cursor.is_some() {
        let some = counted(page.items.len(), "note");
        terminal.note(format!(
            "hint: only the newest {some} shown; `whodunit note list` shows all"
        ))?;
    }
    warn(page, terminal)
}
