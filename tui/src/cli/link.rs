//! Links to a revision of a stream of a store: printed by `event` and `state`, and opened by `whodunit open-link`.

use std::fmt;
use std::time::Duration;

use clap::Args;
use whodunit_core::api::{segment, unsegment};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::names::if_there;
use super::state;
use super::terminal::Terminal;
use crate::client::Client;
use crate::config::{Config, Target};
use crate::launch;

/// How every link begins.
const SCHEME: &str = "whodunit://";
/// How long a daemon may take to say which store it has.
const PATIENCE: Duration = Duration::from_secs(3);

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The store's id, or the name of a context.
    pub(crate) store: String,
    pub(crate) stream: StreamName,
    /// The head where it names none.
    pub(crate) revision: Option<Revision>,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (store, stream) = (segment(&self.store), segment(self.stream.as_str()));
        write!(f, "{SCHEME}{store}/{stream}")?;
        match self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

impl Link {
    /// Reads a link.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = || format!("a link looks like `{SCHEME}STORE/STREAM@REVISION`");
        let rest = text.trim().strip_prefix(SCHEME).ok_or_else(form)?;
        let (store, rest) = rest.split_once('/').ok_or_else(form)?;
        let (stream, revision) = match rest.split_once('@') {
            Some((stream, revision)) => (stream, Some(revision)),
            None => (rest, None),
        };
        let store = unsegment(store)
            .filter(|store| !store.is_empty())
            .ok_or_else(form)?;
        let stream = unsegment(stream).ok_or_else(form)?;
        let stream =
            StreamName::new(stream).map_err(|error| format!("the link's stream {error}"))?;
        let revision = revision.map(str::parse).transpose();
        let revision =
            revision.map_err(|_none| "the link's revision must be a whole number".to_owned())?;
        Ok(Self {
            store,
            stream,
            revision: revision.map(Revision),
        })
    }

    fn is_store_id(&self) -> bool {
        self.store.len() == 32 && self.store.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// Prints the link to a revision of this daemon's store.
pub(super) async fn print(
    stream: &StreamName,
    revision: Revision,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let link = Link {
        store: client.health().await?.store_id,
        stream: stream.clone(),
        revision: Some(revision),
    };
    if terminal.form.json {
        terminal.document(&serde_json::json!({ "link": link.to_string() }))?;
    } else {
        terminal.line(link.to_string())?;
    }
    Ok(Exit::Ok)
}

/// Arguments of `whodunit open-link`.
#[derive(Debug, Args)]
#[command(
    after_help = "The store's id decides which daemon is asked: the current one, or the one of a context that has this store. With `--daemon` or
`--context`, only that daemon is asked. A link can name a context in place of the id.

Examples:
  whodunit state user-7f3c --at-revision 4 --link           prints a link
  whodunit open-link whodunit://4f0c…/user-7f3c@4           the screens, on that revision
  whodunit open-link whodunit://prod/user-7f3c@4 --no-tui   the state, as `whodunit state` prints it"
)]
pub(crate) struct OpenLinkArgs {
    /// The link
    #[arg(value_parser = Link::parse)]
    link: Link,
    /// No screens: print the state
    #[arg(long)]
    no_tui: bool,
}

/// Which daemons may have the store of a link.
pub(crate) struct Asked<'a> {
    /// The daemon that commands ask.
    pub(crate) target: Target,
    /// Whether the command line names it: then no other is asked.
    pub(crate) is_named: bool,
    pub(crate) config: &'a Config,
}

/// Runs it.
pub(crate) async fn run(
    args: &OpenLinkArgs,
    asked: Asked<'_>,
    connect: impl Fn(&Target) -> Result<Client, CliError>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let link = &args.link;
    let (target, client) = follow(link, &asked, &connect).await?;
    let Some(stream) = if_there(client.stream(&link.stream).await)? else {
        return Err(CliError::NotThere {
            message: format!("the store of the link has no stream `{}`", link.stream),
            hint: "it may be an older copy of that store; `whodunit streams` lists what there is"
                .into(),
        });
    };
    if let Some(revision) = link.revision
        && revision > stream.revision
    {
        let head = stream.revision;
        return Err(CliError::NotThere {
            message: format!(
                "stream `{}` ends at revision {head}, and the link is to revision {revision}",
                link.stream
            ),
            hint: "the daemon may have an older copy of the store".into(),
        });
    }
    if args.no_tui {
        return state::of_link(&link.stream, link.revision, &client, terminal).await;
    }
    let at = (
        link.stream.clone(),
        link.revision.map(|revision| revision.0),
    );
    launch::screens::at_stream(&client, target.context, at, terminal).await
}

/// The daemon that has the store of a link.
async fn follow(
    link: &Link,
    asked: &Asked<'_>,
    connect: &impl Fn(&Target) -> Result<Client, CliError>,
) -> Result<(Target, Client), CliError> {
    let by_name = |(name, context): (&String, &crate::config::Context)| Target {
        address: context.address.clone(),
        context: Some((name.clone(), context.clone())),
    };
    let contexts = &asked.config.contexts;
    if !link.is_store_id() {
        let Some(named) = contexts.get_key_value(&link.store) else {
            let message = format!(
                "`{}` is neither the id of a store nor a context",
                shown(&link.store)
            );
            let hint = "`whodunit context list` lists the contexts".into();
            return Err(CliError::NotThere { message, hint });
        };
        let target = by_name(named);
        if asked.is_named && target.address != asked.target.address {
            let message = format!(
                "the link is for context `{}` ({}), but {} was asked for",
                shown(&link.store),
                shown(&target.address),
                shown(&asked.target.address)
            );
            return Err(CliError::usage(
                message,
                "leave `--daemon` and `--context` out",
            ));
        }
        let client = connect(&target)?;
        return Ok((target, client));
    }
    let mut targets = vec![asked.target.clone()];
    if !asked.is_named {
        let others = contexts.iter().map(by_name);
        targets.extend(others.filter(|other| other.address != asked.target.address));
    }
    let mut others = Vec::new();
    for target in targets {
        let client = connect(&target)?;
        let said = match tokio::time::timeout(PATIENCE, client.health()).await {
            Ok(Ok(health)) if health.store_id == link.store => return Ok((target, client)),
            Ok(Ok(health)) => format!("{} has store {}", client.url(), shown(&health.store_id)),
            Ok(Err(error)) => format!("{} does not answer ({error})", client.url()),
            Err(_elapsed) => format!("{} does not answer in time", client.url()),
        };
        others.push(said);
    }
    Err(CliError::NotThere {
        message: format!("the link is for store {}, but {}", link.store, others.join("; ")),
        hint: "name the daemon that has it: `--daemon URL`, or `whodunit context add NAME URL` once and for all".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_as_it_was_printed() {
        for (store, stream, revision) in [
            ("4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c", "user-7f3c", Some(4)),
            ("prod eu/1", "user-a@b/ü%50", Some(0)),
            ("prod", "user-a@3", None),
        ] {
            let link = Link {
                store: store.to_owned(),
                stream: StreamName::new(stream).unwrap(),
                revision: revision.map(Revision),
            };
            let text = link.to_string();
            assert!(!text.contains(' '), "{text}");
            assert_eq!(Link::parse(&text), Ok(link));
        }
        for bad in [
            "http://x/user-1@2",
            "whodunit://store",
            "whodunit:///user-1@2",
            "whodunit://store/user-1@two",
            "whodunit://store/user-1@-1",
            "whodunit://store/@1",
            "whodunit://store/user-%zz@1",
            "whodunit://store/%ff-1@1",
        ] {
            assert!(Link::parse(bad).is_err(), "{bad}");
        }
    }
}
