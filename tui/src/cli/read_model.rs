//! `whodunit read-model`: what the read models hold, and how old it is.

use clap::Args;
use whodunit_core::api::pipeline::{DocumentOut, DocumentPage, NotYetOut, ReadModelOut};
use whodunit_core::text::shown;

use super::args::{PAGE_ITEMS, PageArgs, given, whole};
use super::exit::{CliError, Exit};
use super::pages;
use super::show::{number, state, value};
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::Terminal;
use crate::client::{Client, ClientError, DocumentsQuery, Order, Reached, Wait};
use crate::text::counted;

/// Arguments of `whodunit read-model`.
#[derive(Debug, Args)]
#[command(
    after_help = "A read model follows the log with a delay. `--min-position` waits until it reflects a position, such as the one that `whodunit do` reported; exit code 1: it did not get there in time.

Examples:
  whodunit read-model                        the read models, and what each can be asked for
  whodunit read-model users --match sarah --sort email
  whodunit read-model users --where status=suspended --all --json
  whodunit read-model states --where category=order --filter /total=3
  whodunit read-model users user-7f3c… --min-position 18204 --wait 10"
)]
pub(crate) struct ReadModelArgs {
    /// The read model
    #[arg(value_name = "NAME", value_parser = given)]
    name: Option<String>,
    /// One document: the stream that it is made from
    #[arg(value_name = "KEY", requires = "name", conflicts_with_all = ["matching", "filters", "fields", "sort", "reverse", "all", "cursor"], value_parser = given)]
    key: Option<String>,
    /// Only documents with this in a searched field, ignoring case
    #[arg(long = "match", value_name = "PART", requires = "name")]
    matching: Option<String>,
    /// Only documents with this value at this path, such as `/address/city=Kyoto`; may be given several times
    #[arg(long = "filter", value_name = "/PATH=VALUE", value_parser = filter, requires = "name")]
    filters: Vec<String>,
    /// Only documents with this in one of the read model's own fields, such as `status=active`; may be given several times
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = field, requires = "name")]
    fields: Vec<(String, String)>,
    /// The field to sort by
    #[arg(long, value_name = "FIELD", requires = "name", value_parser = given)]
    sort: Option<String>,
    /// Reverse the order
    #[arg(long, requires = "name")]
    reverse: bool,
    /// Wait until it reflects this position
    #[arg(long, value_name = "POS", requires = "name", value_parser = whole)]
    min_position: Option<u64>,
    /// How long to wait for that, up to 30 seconds [default: the daemon's own]
    #[arg(long, value_name = "SECONDS", requires = "min_position", value_parser = clap::value_parser!(u64).range(0..=30))]
    wait: Option<u64>,
    #[command(flatten)]
    page: PageArgs,
}

fn filter(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((path, _)) if path.is_empty() || path.starts_with('/') => Ok(text.to_owned()),
        _ => Err("write a path and a value, such as `/address/city=Kyoto`".to_owned()),
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write a field and a value, such as `status=active`".to_owned()),
    }
}

impl ReadModelArgs {
    fn wait(&self) -> Wait {
        Wait {
            min_position: self.min_position,
            wait_ms: self.wait.map(|seconds| seconds * 1_000),
        }
    }

    fn query(&self) -> DocumentsQuery {
        DocumentsQuery {
            matching: self.matching.clone(),
            filters: self.filters.clone(),
            fields: self.fields.clone(),
            sort: self.sort.clone(),
            order: if self.reverse {
                Order::Backward
            } else {
                Order::Forward
            },
            cursor: self.page.cursor.clone(),
            limit: Some(if self.page.all {
                PAGE_ITEMS
            } else {
                self.page.limit.min(PAGE_ITEMS)
            }),
            wait: self.wait(),
        }
    }
}

/// Runs it.
pub(crate) async fn run(
    args: &ReadModelArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    match (&args.name, &args.key) {
        (None, _) => list(client, terminal).await,
        (Some(name), None) => documents(name, args, client, terminal).await,
        (Some(name), Some(key)) => match client.document(name, key, args.wait()).await? {
            Reached::Here(document) => show(&document, terminal),
            Reached::NotYet(behind) => not_yet(name, &behind, terminal),
        },
    }
}

async fn list(client: &Client, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let page = client.read_models().await?;
    if terminal.form.json {
        terminal.document(&page)?;
    } else if page.items.is_empty() {
        terminal.note("there are no read models")?;
    } else {
        let table = models(&page.items);
        terminal.table(&table)?;
        for model in &page.items {
            let words = |words: &[String]| shown(&words.join(" ")).into_owned();
            let name = shown(&model.name);
            if let Some(error) = &model.error {
                terminal.line(format!("{name}  cannot be read now: {}", shown(error)))?;
            }
            for (option, takes) in [("--where", &model.fields), ("--sort ", &model.sorts)] {
                if !takes.is_empty() {
                    terminal.line(format!("{name}  {option}  {}", words(takes)))?;
                }
            }
        }
    }
    Ok(Exit::Ok)
}

fn models(models: &[ReadModelOut]) -> Table {
    let mut table = Table::new([
        Column::new("read model").shrinks_to(6),
        Column::new("documents").right(),
        Column::new("as of").right(),
        Column::new("keeps").shrinks_to(12),
    ]);
    for model in models {
        table.row([
            Cell::new(&model.name, Token::Accent),
            match model.documents {
                Some(documents) => number(documents).into(),
                None => Cell::new("unreadable", Token::Error),
            },
            number(model.checkpoint).into(),
            Cell::new(&model.description, Token::Muted),
        ]);
    }
    table
}

async fn documents(
    name: &str,
    args: &ReadModelArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let first = match client.documents(name, &args.query()).await? {
        Reached::Here(page) => page,
        Reached::NotYet(behind) => return not_yet(name, &behind, terminal),
    };
    let (checkpoint, head) = (first.checkpoint, first.head);
    let mut first = Some(first);
    let fetch = |cursor, limit| {
        let ready = first.take();
        // What was waited for has come: the pages that follow need not wait again.
        let query = DocumentsQuery {
            cursor,
            limit: Some(limit),
            wait: Wait::default(),
            ..args.query()
        };
        async move {
            match ready {
                Some(page) => Ok(page),
                None => next(client, name, &query).await,
            }
        }
    };
    pages::list(
        terminal,
        &args.page,
        fetch,
        |_, items| table(items),
        pages::Nothing::new("no document matches"),
    )
    .await?;
    if !terminal.form.json && checkpoint < head {
        terminal.note(format!(
            "as of position {}: {} behind the log's head",
            number(checkpoint),
            counted(head - checkpoint, "event")
        ))?;
    }
    Ok(Exit::Ok)
}

async fn next(
    client: &Client,
    name: &str,
    query: &DocumentsQuery,
) -> Result<DocumentPage, ClientError> {
    match client.documents(name, query).await? {
        Reached::Here(page) => Ok(page),
        Reached::NotYet(_) => Err(ClientError::BadReply {
            url: client.url().to_owned(),
            reason: "\"not yet\" to a question without a position to wait for".to_owned(),
        }),
    }
}

fn table(documents: &[DocumentOut]) -> Table {
    let mut table = Table::new([
        Column::new("key").shrinks_to(14).cut_in_the_middle(),
        Column::new("rev").right(),
        Column::new("pos").right(),
        Column::new("document").shrinks_to(20),
    ]);
    for document in documents {
        let fields = document
            .document
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| format!("{}={}", shown(name), value(field)))
            .collect::<Vec<_>>();
        table.row([
            Cell::new(&document.key, Token::Accent),
            document.revision.to_string().into(),
            document.position.to_string().into(),
            fields.join("  ").into(),
        ]);
    }
    table
}

fn show(document: &DocumentOut, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if terminal.form.json {
        terminal.document(document)?;
        return Ok(Exit::Ok);
    }
    let key = terminal.paint(Token::Accent, &shown(&document.key));
    terminal.line(format!(
        "{key}  revision {}  position {}  as of position {}",
        document.revision,
        document.position,
        number(document.checkpoint)
    ))?;
    let table = state(terminal, &document.document);
    terminal.table(&table)?;
    Ok(Exit::Ok)
}

/// The read model is behind what was asked for: an answer of its own, no error.
fn not_yet(name: &str, behind: &NotYetOut, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    if terminal.form.json {
        terminal.document(behind)?;
        return Ok(Exit::No);
    }
    terminal.note(format!(
        "not yet: `{}` reflects position {}, and {} was asked for (the log's head is {})",
        shown(name),
        number(behind.checkpoint),
        number(behind.min_position),
        number(behind.head)
    ))?;
    let hint = if behind.min_position > behind.head {
        "no event has that position yet".to_owned()
    } else {
        format!(
            "wait longer with `--wait SECONDS`; `whodunit projections {}` shows its progress",
            shown(name)
        )
    };
    terminal.note(format!("hint: {hint}"))?;
    Ok(Exit::No)
}
