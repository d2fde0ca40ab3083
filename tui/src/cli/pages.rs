//! Lists: as many items as asked for, however the daemon cuts its pages.

use serde::Serialize;
use whodunit_core::api::Page;

use super::args::{PAGE_ITEMS, PageArgs};
use super::exit::CliError;
use super::table::{Table, Widths};
use super::terminal::Terminal;
use crate::client::ClientError;

/// Prints a list: `--json` as one document (or with `--all` a line an item), else as a table that lines up.
pub(crate) async fn list<T, F, Fut>(
    terminal: &mut Terminal<'_>,
    args: &PageArgs,
    mut fetch: F,
    mut rows: impl FnMut(&Terminal<'_>, &[T]) -> Table,
    nothing: &str,
) -> Result<(), CliError>
where
    T: Serialize,
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<Page<T>, ClientError>>,
{
    if args.all {
        return everything(terminal, fetch, rows, nothing).await;
    }
    let page = some(args, &mut fetch).await?;
    if terminal.form.json {
        return terminal.document(&page);
    }
    if page.items.is_empty() {
        return terminal.note(nothing);
    }
    let table = rows(terminal, &page.items);
    terminal.table(&table)?;
    match &page.next_cursor {
        None => Ok(()),
        Some(cursor) => terminal.note(format!(
            "hint: there is more: `--all`, or go on with `--cursor {cursor}`"
        )),
    }
}

/// Asks on while a page is short though there is more: the daemon looks at so many entries at a time.
async fn some<T, F, Fut>(args: &PageArgs, fetch: &mut F) -> Result<Page<T>, CliError>
where
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<Page<T>, ClientError>>,
{
    let mut page = fetch(args.cursor.clone(), args.limit.min(PAGE_ITEMS)).await?;
    while page.items.len() < args.limit && page.next_cursor.is_some() {
        let missing = args.limit - page.items.len();
        let next = fetch(page.next_cursor.take(), missing.min(PAGE_ITEMS)).await?;
        page.items.extend(next.items);
        page.next_cursor = next.next_cursor;
        page.head = next.head;
        page.scanned += next.scanned;
    }
    Ok(page)
}

async fn everything<T, F, Fut>(
    terminal: &mut Terminal<'_>,
    mut fetch: F,
    mut rows: impl FnMut(&Terminal<'_>, &[T]) -> Table,
    nothing: &str,
) -> Result<(), CliError>
where
    T: Serialize,
    F: FnMut(Option<String>, usize) -> Fut,
    Fut: Future<Output = Result<Page<T>, ClientError>>,
{
    let mut cursor = None;
    let mut widths: Option<Widths> = None;
    let mut any = false;
    loop {
        let page = fetch(cursor.take(), PAGE_ITEMS).await?;
        any |= !page.items.is_empty();
        if terminal.form.json {
            for item in &page.items {
                terminal.record(item)?;
            }
        } else if !page.items.is_empty() {
            let table = rows(terminal, &page.items);
            print(terminal, &table, &mut widths)?;
        }
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if any || terminal.form.json {
        return Ok(());
    }
    terminal.note(nothing)
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
            first
        }
    };
    for line in table.lines(widths, colours) {
        terminal.line(line)?;
    }
    Ok(())
}
