//! Streams by prefix or title.

use whodunit_core::api::browse::Stream;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::StreamName;
use whodunit_core::text::shown;

use super::super::exit::CliError;
use super::super::terminal::Terminal;
use super::similar::similar;
use super::{LOOKUPS_MAX, NAMED_MAX, StreamArg, if_there, in_words, marked};
use crate::client::{Client, ClientError, StreamSort, StreamsQuery};
use crate::text::counted;

/// Streams asked for at a time.
const PAGE: usize = 200;
/// Streams among which a mistyped name is looked for.
const NEIGHBOURS: usize = 500;

/// The streams that a text may mean.
struct Candidates {
    /// Their names begin with it.
    by_prefix: Vec<Stream>,
    /// Their titles are it, without regard to case.
    by_title: Vec<Stream>,
    /// It occurs in their names or titles.
    others: Vec<Stream>,
    /// Whether there may be more.
    more: bool,
    /// How many streams were looked at, where these were not all.
    unfinished: Option<u64>,
}

impl Candidates {
    fn all(&self) -> impl Iterator<Item = &Stream> {
        let titled = self
            .by_title
            .iter()
            .filter(|stream| !contains(&self.by_prefix, stream));
        self.by_prefix.iter().chain(titled)
    }
}

fn contains(streams: &[Stream], stream: &Stream) -> bool {
    streams.iter().any(|known| known.stream == stream.stream)
}

/// The stream that a text means: to read it. The caller knows that no stream has it as its whole name.
pub(crate) async fn resolve(
    typed: &str,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<StreamName, CliError> {
    match candidates(typed, client).await? {
        found if found.all().next().is_none() => Err(unknown(typed, &found, client).await?),
        found => only(typed, &found, terminal),
    }
}

/// The same of any text: a whole name that is there is that stream.
pub(crate) async fn resolve_to_read(
    named: &StreamArg,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<StreamName, CliError> {
    if let Some(exact) = named.exact()
        && if_there(client.stream(&exact).await)?.is_some()
    {
        return Ok(exact);
    }
    resolve(named.as_str(), client, terminal).await
}

/// The same where a stream need not be there: a whole name that nothing resembles is left as it is.
pub(crate) async fn resolve_if_there(
    named: &StreamArg,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<StreamName, CliError> {
    let typed = named.as_str();
    let Some(exact) = named.exact() else {
        return resolve(typed, client, terminal).await;
    };
    if if_there(client.stream(&exact).await)?.is_some() {
        return Ok(exact);
    }
    match candidates(typed, client).await? {
        found if found.all().next().is_none() => Ok(exact),
        found => only(typed, &found, terminal),
    }
}

/// The stream that a text means: to write to it. A whole name may begin a new stream, so the beginning of another name is not
/// taken for that one unless it says so (`user-7f3…`): it is refused, and nothing is written.
pub(crate) async fn resolve_for_writing(
    named: &StreamArg,
    expected: Option<ExpectedRevision>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<StreamName, CliError> {
    let typed = named.as_str();
    let Some(exact) = named.exact() else {
        return resolve(typed, client, terminal).await;
    };
    let is_new = expected == Some(ExpectedRevision::NoStream);
    if is_new || if_there(client.stream(&exact).await)?.is_some() {
        return Ok(exact);
    }
    let found = candidates(typed, client).await?;
    if found.by_prefix.is_empty() {
        if found.by_title.is_empty() {
            return Ok(exact);
        }
        return only(typed, &found, terminal);
    }
    Err(CliError::usage(
        format!(
            "there is no stream `{}`, but {} that begins with it: {}",
            shown(typed),
            if found.by_prefix.len() == 1 {
                "one"
            } else {
                "several"
            },
            described(&found)
        ),
        format!(
            "write the whole name, or `{}…`, to change that one; `--expected-revision no_stream` begins a new stream",
            shown(typed)
        ),
    ))
}

/// The one candidate there is.
fn only(
    typed: &str,
    found: &Candidates,
    terminal: &mut Terminal<'_>,
) -> Result<StreamName, CliError> {
    let mut all = found.all();
    let (first, second) = (all.next(), all.next());
    let (Some(stream), None, false) = (first, second, found.more) else {
        return Err(CliError::usage(
            format!("`{}` is ambiguous: {}", shown(typed), described(found)),
            "give more of the name; `whodunit streams PART` lists them all",
        ));
    };
    if let Some(looked_at) = found.unfinished {
        let by_prefix = !found.by_prefix.is_empty();
        let looked_at = counted(looked_at, "stream");
        if !by_prefix {
            return Err(CliError::usage(
                format!(
                    "`{}` is the title of {}, but only {looked_at} could be compared",
                    shown(typed),
                    describe(stream)
                ),
                "give the stream's name instead",
            ));
        }
        terminal.note(format!(
            "note: only the titles of {looked_at} were compared"
        ))?;
    }
    terminal.note(format!("`{}` is {}", shown(typed), describe(stream)))?;
    Ok(stream.stream.clone())
}

fn describe(stream: &Stream) -> String {
    match &stream.title {
        Some(title) => format!("`{}` ({})", stream.stream, shown(title)),
        None => format!("`{}`", stream.stream),
    }
}

fn described(found: &Candidates) -> String {
    let names: Vec<String> = found.all().map(describe).collect();
    in_words(&names, found.more)
}

async fn candidates(typed: &str, client: &Client) -> Result<Candidates, ClientError> {
    let prefix = marked(typed).unwrap_or(typed);
    let mut by_prefix = with_prefix(prefix, client).await?;
    if marked(typed).is_some()
        && let Ok(exact) = StreamName::new(prefix)
    {
        by_prefix.extend(if_there(client.stream(&exact).await)?);
    }
    let more = by_prefix.len() > NAMED_MAX;
    by_prefix.truncate(NAMED_MAX);
    let mut found = Candidates {
        by_prefix,
        by_title: Vec::new(),
        others: Vec::new(),
        more,
        unfinished: None,
    };
    if more || marked(typed).is_some() {
        return Ok(found);
    }
    let wanted = typed.to_lowercase();
    let mut query = StreamsQuery {
        matching: Some(typed.to_owned()),
        limit: Some(PAGE),
        ..StreamsQuery::default()
    };
    let mut scanned = 0;
    for _ in 0..LOOKUPS_MAX {
        let page = client.streams(&query).await?;
        scanned += page.scanned;
        for stream in page.items {
            let title = stream.title.as_ref().map(|title| title.to_lowercase());
            if title.as_ref() == Some(&wanted) {
                found.by_title.push(stream);
            } else if found.others.len() < NEIGHBOURS && !contains(&found.by_prefix, &stream) {
                found.others.push(stream);
            }
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() || found.by_title.len() > NAMED_MAX {
            break;
        }
    }
    found.unfinished = query.cursor.map(|_| scanned);
    Ok(found)
}

/// Streams whose names begin so, a few more than are ever named.
async fn with_prefix(prefix: &str, client: &Client) -> Result<Vec<Stream>, ClientError> {
    let mut streams = client.streams_from(prefix, NAMED_MAX + 1).await?;
    streams.retain(|stream| stream.stream.as_str().starts_with(prefix));
    Ok(streams)
}

/// That nothing is meant by it, and what it may have been meant for.
async fn unknown(
    typed: &str,
    found: &Candidates,
    client: &Client,
) -> Result<CliError, ClientError> {
    let detail = format!("there is no stream `{}`", shown(typed));
    let mut problem = Problem::new(Code::NoSuchStream, detail);
    let mut known: Vec<String> = Vec::new();
    let mut note = |stream: &Stream| {
        known.push(stream.stream.to_string());
        known.extend(stream.title.clone());
    };
    found.others.iter().for_each(&mut note);
    if found.others.is_empty() {
        // A slip leaves the beginning as it is more often than not.
        let half: String = typed
            .chars()
            .take(typed.chars().count().div_ceil(2))
            .collect();
        let near = client.streams_from(&half, NEIGHBOURS).await?;
        near.iter().for_each(&mut note);
        let query = StreamsQuery {
            sort: StreamSort::Recent,
            limit: Some(NEIGHBOURS),
            ..StreamsQuery::default()
        };
        client
            .streams(&query)
            .await?
            .items
            .iter()
            .for_each(&mut note);
    }
    let names = similar(typed, known.iter().map(String::as_str));
    if !names.is_empty() {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("`{}`", shown(name)))
            .collect();
        let hint = format!("did you mean {}?", names.join(" or "));
        return Ok(CliError::NotThere {
            message: problem.detail,
            hint: hint.into(),
        });
    }
    problem.hint = None;
    Ok(ClientError::Problem(Box::new(problem)).into())
}
