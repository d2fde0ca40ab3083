//! `whodunit streams`: which streams there are, and how they stand.

use clap::{Args, ValueEnum};
use whodunit_core::api::browse::Stream;

use super::args::{PageArgs, given};
use super::exit::{CliError, Exit};
use super::names::Name;
use super::pages::{self, Nothing};
use super::show::text;
use super::style::Token;
use super::table::{Cell, Column, Table};
use super::terminal::{Form, Terminal};
use super::watch::{self, WatchArgs};
use crate::client::{Client, StreamSort, StreamsQuery};

/// Columns from which on the model of each stream is shown.
const MODEL_WIDTH_MIN: usize = 140;

/// Arguments of `whodunit streams`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  whodunit streams sarah                     with `sarah` in the name or title
  whodunit streams --category user --status suspended --sort name
  whodunit streams --watch                   the latest change on top, refreshed
  whodunit streams --all --json | jq -r .stream")]
pub(crate) struct StreamsArgs {
    /// Only streams with this in their name or title, ignoring case
    #[arg(value_name = "MATCH")]
    matching: Option<String>,
    /// Only this category
    #[arg(long, value_parser = given)]
    category: Option<String>,
    /// Only streams with this status, such as `suspended`
    #[arg(long, value_parser = given)]
    status: Option<String>,
    /// Sort order
    #[arg(long, value_enum, default_value_t = Sort::Recent)]
    sort: Sort,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    watch: WatchArgs,
}

impl StreamsArgs {
    /// Whether it goes on until interrupted.
    pub(crate) fn watches(&self) -> bool {
        self.watch.watch.is_some()
    }
}

/// An order of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// By name
    Name,
    /// By last change, latest first
    Recent,
}

/// Runs it.
pub(crate) async fn run(
    args: &StreamsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let ask = async |terminal: &mut Terminal<'_>| ask(args, client, terminal).await;
    watch::run(args.watch, terminal, ask).await
}

async fn ask(
    args: &StreamsArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let form = terminal.form;
    let fetch = |cursor, limit| {
        let query = StreamsQuery {
            category: args.category.clone(),
            status: args.status.clone(),
            matching: args.matching.clone(),
            sort: match args.sort {
                Sort::Name => StreamSort::Name,
                Sort::Recent => StreamSort::Recent,
            },
            cursor,
            limit: Some(limit),
        };
        async move { client.streams(&query).await }
    };
    let names = [
        args.category.as_deref().map(Name::Category),
        args.status.as_deref().map(Name::Status),
    ];
    let nothing = Nothing::by_names("no stream matches", names, client);
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

fn table(streams: &[Stream], form: Form) -> Table {
    let mut table = Table::new([
        Column::new("stream").shrinks_to(14).is_name(),
        Column::new("title").shrinks_to(12).goes(7),
        Column::new("rev").right().goes(2),
        Column::new("status").goes(3),
        Column::new("last change").goes(6),
        Column::new("last event").shrinks_to(12).goes(1),
        Column::new("who").shrinks_to(8).goes(5),
        Column::new("why").shrinks_to(10).goes(4),
        Column::new("model").goes(0),
    ]);
    // On a narrower terminal it would cost a part of the names, which the next command needs.
    let with_model = form.width.is_none_or(|width| width >= MODEL_WIDTH_MIN);
    let times = form.times(streams.iter().map(|stream| stream.last_recorded_at));
    for stream in streams {
        let model = if with_model { &stream.model } else { "" };
        table.row([
            Cell::from(stream.stream.as_str()),
            text(stream.title.as_ref()).into(),
            stream.revision.to_string().into(),
            Cell::new(text(stream.status.as_ref()), Token::Accent),
            times.show(stream.last_recorded_at).into(),
            stream.last_event_type.as_str().into(),
            text(stream.last_actor.as_ref()).into(),
            text(stream.last_reason.as_ref()).into(),
            Cell::new(model, Token::Muted),
        ]);
    }
    table.drop_empty_columns();
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_of_streams() {
        let stream = |name: &str, title: Option<&str>, status: Option<&str>| {
            json!({
                "stream": name, "category": "user", "model": "users", "revision": 4, "first_position": 1, "last_position": 9,
                "first_recorded_at": "2025-03-01T09:12:04Z", "last_recorded_at": "2025-03-24T15:47:23Z",
                "last_event_type": "UserDeleted", "last_actor": "job:inactive-cleanup",
                "last_reason": "inactive for 90 days", "title": title, "status": status, "clock_back_at": null
            })
        };
        let streams: Vec<Stream> = serde_json::from_value(json!([
            stream("user-7f3c", Some("sarah@example.com"), Some("deleted")),
            stream(
                "user-19aa",
                Some("eve\u{1b}]0;x\u{7}@example.com"),
                Some("active")
            )
        ]))
        .unwrap();
        let form = Form {
            width: Some(110),
            ..Form::default()
        };
        let table = table(&streams, form);
        let widths = table.widths(Some(110));
        let mut lines = vec![table.heading(&widths, false)];
        lines.extend(table.lines(&widths, false));
        insta::assert_snapshot!(lines.join("\n"), @r"
        stream     title             rev  status   last change          last event   who               why
        user-7f3c  sarah@example.c…    4  deleted  2025-03-24 15:47:23  UserDeleted  job:inactive-cl…  inactive for 9…
        user-19aa  eve␛]0;x␇@examp…    4  active   2025-03-24 15:47:23  UserDeleted  job:inactive-cl…  inactive for 9…
        ");
    }
}
