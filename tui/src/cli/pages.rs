//! Lists: as many items as asked for, however the daemon cuts its pages.

use serde::Serialize;
use whodunit_core::api::Page;
use whodunit_core::api::pipeline::{DocumentOut, DocumentPage, JobOut, OutboxPage};

use super::args::{PAGE_ITEMS, PageArgs};
use super::exit::CliError;
use super::names::{Name, check_known};
use super::table::{Table, Widths};
use super::terminal::Terminal;
use crate::client::{Client, ClientError};

/// What is said beside an answer out of a redacted copy.
pub(crate) const REDACTED_COPY: &str =
    "this log is a redacted copy: values shown as `[redacted]` are not what was recorded";

/// A page of a list, whatever stands beside its items.
pub(crate) trait Paged: Serialize {
    /// What it lists.
    type Item: Serialize;

    /// What is on it.
    fn items(&self) -> &[Self::Item];

    /// Where the list goes on; `None` at its end.
    fn next_cursor(&self) -> Option<&str>;

    /// Takes the page that follows behind its own items.
    fn absorb(&mut self, next: Self);

    /// Whether it says that the log is a redacted copy.
    fn redacted_copy(&self) -> bool {
        false
    }
}

impl<T: Serialize> Paged for Page<T> {
    type Item = T;

    fn items(&self) -> &[T] {
        &self.items
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn absorb(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_cursor = next.next_cursor;
        self.head = next.head;
        self.scanned += next.scanned;
        self.redacted_copy |= next.redacted_copy;
    }

    fn redacted_copy(&self) -> bool {
        self.redacted_copy
    }
}

impl Paged for OutboxPage {
    type Item = JobOut;

    fn items(&self) -> &[JobOut] {
        &self.items
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn absorb(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_cursor = next.next_cursor;
        self.head = next.head;
        self.handlers = next.handlers;
    }
}

impl Paged for DocumentPage {
    type Item = DocumentOut;

    fn items(&self) -> &[DocumentOut] {
        &self.items
    }

    fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    fn absorb(&mut self, next: Self) {
        self.items.extend(next.items);
        self.next_cursor = next.next_cursor;
        // The whole reflects no more than its oldest part does.
        self.checkpoint = self.checkpoint.min(next.checkpoint);
        self.head = next.head;
        self.scanned += next.scanned;
    }
}

/// What is said of a list without items.
pub(crate) struct Nothing<'a> {
    text: &'a str,
    names: Vec<Name<'a>>,
    client: Option<&'a Client>,
}

impl<'a> Nothing<'a> {
    /// That nothing is there is all there is to say.
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            names: Vec::new(),
            client: None,
        }
    }

    /// The list was asked for by these names: each must be one that there is.
    pub(crate) fn by_names(
        text: &'a str,
        names: impl IntoIterator<Item = Option<Name<'a>>>,
        client: &'a Client,
    ) -> Self {
        Self {
            text,
            names: names.into_iter().flatten().collect(),
            client: Some(client),
        }
    }

    /// Refuses a name that there is not.
    pub(crate) async fn check(&self, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
        match self.client {
            Some(client) => check_known(&self.names, client, terminal).await,
            None => Ok(()),
        }
    }
}

/// Prints a list: `--json` as one document (or with `--all` a line an item), else as a table that lines up.
pub(crate) async fn list<P, F, Fut>(
    terminal: &mut Terminal<'_>,
    args: &PageArgs,
    mut fetch: F,
    mut rows: impl FnMut(&Terminal<'_>, &[P::Item]) -> Table,
    nothing: Nothing<'_>,
) -> Result<(), CliError>
where
    P: Paged,
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<P, ClientError>>,
{
    if args.all {
        return everything(terminal, fetch, rows, nothing).await;
    }
    let page = some(args, &mut fetch).await?;
    if page.redacted_copy() {
        terminal.warn(REDACTED_COPY)?;
    }
    if page.items().is_empty() {
        nothing.check(terminal).await?;
    }
    if terminal.form.json {
        return terminal.document(&page);
    }
    if page.items().is_empty() {
        return terminal.note(nothing.text);
    }
    let table = rows(terminal, page.items());
    terminal.table(&table)?;
    match page.next_cursor() {
        None => Ok(()),
        Some(cursor) => terminal.note(format!(
            "hint: there are more: `--all` shows them, `--cursor {cursor}` continues"
        )),
    }
}

/// Asks on while a page is short though there is more: the daemon looks at so many entries at a time.
async fn some<P, F, Fut>(args: &PageArgs, fetch: &mut F) -> Result<P, CliError>
where
    P: Paged,
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<P, ClientError>>,
{
    let mut page = fetch(args.cursor.clone(), args.limit.min(PAGE_ITEMS)).await?;
    while page.items().len() < args.limit {
        let Some(cursor) = page.next_cursor().map(str::to_owned) else {
            break;
        };
        let missing = args.limit - page.items().len();
        page.absorb(fetch(Some(cursor), missing.min(PAGE_ITEMS)).await?);
    }
    Ok(page)
}

async fn everything<P, F, Fut>(
    terminal: &mut Terminal<'_>,
    mut fetch: F,
    mut rows: impl FnMut(&Terminal<'_>, &[P::Item]) -> Table,
    nothing: Nothing<'_>,
) -> Result<(), CliError>
where
    P: Paged,
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<P, ClientError>>,
{
    let mut cursor = None;
    let mut widths: Option<Widths> = None;
    let (mut any, mut warned) = (false, false);
    loop {
        let page = fetch(cursor.take(), PAGE_ITEMS).await?;
        if page.redacted_copy() && !std::mem::replace(&mut warned, true) {
            terminal.warn(REDACTED_COPY)?;
        }
        any |= !page.items().is_empty();
        if terminal.form.json {
            for item in page.items() {
                terminal.record(item)?;
            }
        } else if !page.items().is_empty() {
            let table = rows(terminal, page.items());
            print(terminal, &table, &mut widths)?;
        }
        match page.next_cursor() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    if any {
        return Ok(());
    }
    nothing.check(terminal).await?;
    if terminal.form.json {
        return Ok(());
    }
    terminal.note(nothing.text)
}

/// Prints rows under those before, at the widths of the first.
pub(crate) fn print(
    terminal: &mut Terminal<'_>,
    table: &Table,
    widths: &mut Option<Widths>,
) -> Result<(), CliError> {
    let colours = terminal.form.colours;
    let widths = match widths {
        Some(widths) => widths,
        None => {
            let first = widths.insert(table.widths(terminal.form.width));
            terminal.line(table.heading(first, colours))?;
            terminal.left_out(table, first)?;
            first
        }
    };
    for line in table.lines(widths, colours) {
        terminal.line(line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::{Cell, Column};
    use crate::cli::terminal::Form;

    /// Three pages: a full one, an empty one (the daemon looked at enough for now), a last one.
    fn page(cursor: Option<&str>, limit: usize) -> Page<u64> {
        let (items, next) = match cursor {
            None => (vec![1, 2, 3], Some("b")),
            Some("b") => (vec![], Some("c")),
            _ => (vec![4, 5], None),
        };
        let cut = items.len() > limit;
        Page {
            items: items.into_iter().take(limit).collect(),
            next_cursor: if cut { Some("cut") } else { next }.map(str::to_owned),
            head: 5,
            scanned: 3,
            redacted_copy: false,
        }
    }

    async fn listed(args: PageArgs, json: bool) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let form = Form {
            json,
            ..Form::default()
        };
        let mut terminal = Terminal::new(form, &mut out, &mut err);
        let fetch =
            |cursor: Option<String>, limit| async move { Ok(page(cursor.as_deref(), limit)) };
        let rows = |_: &Terminal<'_>, items: &[u64]| {
            let mut table = Table::new([Column::new("n")]);
            for item in items {
                table.row([Cell::from(item.to_string())]);
            }
            table
        };
        list(&mut terminal, &args, fetch, rows, Nothing::new("nothing"))
            .await
            .unwrap();
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    fn args(limit: usize, all: bool) -> PageArgs {
        PageArgs {
            limit,
            all,
            cursor: None,
        }
    }

    #[tokio::test]
    async fn a_short_page_is_not_the_end() {
        let (out, err) = listed(args(4, false), false).await;
        assert_eq!(out, "n\n1\n2\n3\n4\n");
        assert!(err.contains("--cursor cut"), "{err}");
        let (out, err) = listed(args(50, false), false).await;
        assert_eq!((out.lines().count(), err.as_str()), (6, ""));
    }

    #[tokio::test]
    async fn everything_is_a_document_a_line_in_json() {
        assert_eq!(listed(args(1, true), true).await.0, "1\n2\n3\n4\n5\n");
        let (out, _) = listed(args(4, false), true).await;
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(document["items"], serde_json::json!([1, 2, 3, 4]));
        assert_eq!(document["next_cursor"], "cut");
    }
}
