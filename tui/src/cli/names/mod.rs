//! Names as people type them: a stream by its name, a prefix of it or its title; an event by stream and revision, position, or a
//! prefix of its id.
//!
//! Owns how such a text becomes the one thing that it means, in a bounded number of requests. An exact name always wins; an
//! ambiguous text is refused with the candidates; what was resolved is said on standard error.

mod event;
mod filters;
mod similar;
mod stream;

use whodunit_core::api::problem::Code;
use whodunit_core::ids::StreamName;
use whodunit_core::text::shown;

pub(crate) use event::event;
pub(crate) use filters::{Name, check_known};
pub(crate) use similar::did_you_mean;
pub(crate) use stream::{resolve, resolve_for_writing, resolve_if_there, resolve_to_read};

use super::exit::{CliError, Exit};
use super::terminal::Terminal;
use crate::client::{Client, ClientError};

/// Requests that a lookup makes at most beside the first one, each of which looks at a bounded number of entries.
const LOOKUPS_MAX: usize = 8;
/// Candidates that are named at most.
const NAMED_MAX: usize = 6;

/// A stream as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamArg(String);

impl StreamArg {
    /// Reads one from the command line: anything that may be a name, the beginning of one, or a title.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// It as a whole name.
    pub(crate) fn name(&self) -> Result<StreamName, CliError> {
        StreamName::new(&*self.0).map_err(|error| {
            CliError::usage(
                format!("`{}` is not a stream's name: it {error}", shown(&self.0)),
                "`whodunit streams PART` finds streams by part of their name or title",
            )
        })
    }

    /// It as a whole name, unless it says that it is only the beginning of one.
    fn exact(&self) -> Option<StreamName> {
        StreamName::new(&*self.0)
            .ok()
            .filter(|_| marked(&self.0).is_none())
    }
}

impl From<StreamName> for StreamArg {
    fn from(name: StreamName) -> Self {
        Self(name.to_string())
    }
}

/// What stands before the mark that says "and so on": `user-7f3…`, `user-7f3...` or `user-7f3*`.
fn marked(text: &str) -> Option<&str> {
    ["…", "...", "*"]
        .into_iter()
        .find_map(|mark| text.strip_suffix(mark))
        .filter(|prefix| !prefix.is_empty())
}

/// Arguments that name a stream.
pub(crate) trait NamesStream {
    /// Where it is named, if it is.
    fn stream_arg(&mut self) -> Option<&mut StreamArg>;
}

/// Runs a command that reads one stream. A whole name costs no request more; what is none, or is not there, is looked up, and
/// the command runs with what it was resolved to.
pub(crate) async fn by_name<A: NamesStream>(
    mut args: A,
    client: &Client,
    terminal: &mut Terminal<'_>,
    run: impl AsyncFn(&A, &Client, &mut Terminal<'_>) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let Some(named) = args.stream_arg() else {
        return run(&args, client, terminal).await;
    };
    if named.exact().is_none() {
        let typed = named.as_str().to_owned();
        *named = resolve(&typed, client, terminal).await?.into();
        return run(&args, client, terminal).await;
    }
    let typed = named.as_str().to_owned();
    match run(&args, client, terminal).await {
        Err(error) if is_unknown_stream(&error) => {
            let found = resolve(&typed, client, terminal).await?;
            if let Some(named) = args.stream_arg() {
                *named = found.into();
            }
            run(&args, client, terminal).await
        }
        done => done,
    }
}

fn is_unknown_stream(error: &CliError) -> bool {
    matches!(error, CliError::Client(error) if error.code() == Some(Code::NoSuchStream))
}

/// `None` for what is not there.
pub(crate) fn if_there<T>(found: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// A list of names for a sentence: the first few, and how many more there are.
fn in_words(names: &[String], more: bool) -> String {
    let mut text = names
        .iter()
        .take(NAMED_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if more {
        text.push_str(" and more");
    } else if names.len() > NAMED_MAX {
        text = format!("{text} and {} more", names.len() - NAMED_MAX);
    }
    text
}
