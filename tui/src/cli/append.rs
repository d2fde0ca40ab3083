//! `whodunit append`: a raw event, for real; no rules run.

use clap::Args;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::what_if::{Action, WhatIfIn};
use whodunit_core::api::write::{AppendIn, AppendedOut};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::{Json, without_values};
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::args::{given, time};
use super::exit::{CliError, Exit};
use super::files;
use super::names::{self, StreamArg};
use super::style::Token;
use super::terminal::Terminal;
use super::what_if;
use crate::client::{Client, ClientError, WhatIfQuery};

/// Arguments of `whodunit append`.
#[derive(Debug, Args)]
#[command(
    after_help = "No rules run: even what a model would refuse is recorded. `whodunit do` sends a command, which the rules decide.

Examples:
  whodunit append order-1 OrderPlaced --data '{\"total\": 3}' --expected-revision no_stream
  whodunit append order-1 OrderPaid --data @paid.json --actor shop --reason \"paid by card\"
  whodunit append order-1 OrderShipped --dry-run        what would happen; nothing is written
  echo '{\"total\": 4}' | whodunit append order-1 OrderChanged --data - --event-id 7f3c"
)]
pub(crate) struct AppendArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The event's type: what happened, such as `OrderPlaced`
    #[arg(value_name = "TYPE", value_parser = given)]
    event_type: String,
    /// Its payload, a JSON object: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, short, value_name = "JSON|@FILE|-", default_value = "{}")]
    data: String,
    /// Its metadata, given in the same way
    #[arg(long, value_name = "JSON|@FILE|-")]
    metadata: Option<String>,
    /// Only if the stream's head is: `any`, `no_stream`, `stream_exists` or a revision
    #[arg(long, value_name = "REV")]
    expected_revision: Option<ExpectedRevision>,
    /// Who caused it [default: the setting `actor`, or the user's name]
    #[arg(long, env = "WHODUNIT_ACTOR")]
    actor: Option<String>,
    /// The reason
    #[arg(long)]
    reason: Option<String>,
    /// Makes the append idempotent: sent twice, it is recorded once
    #[arg(long, value_name = "ID", value_parser = given)]
    event_id: Option<String>,
    /// Correlation id, shared by everything that belongs together
    #[arg(long, value_name = "ID", value_parser = given)]
    correlation: Option<String>,
    /// Id of the event or command that caused it
    #[arg(long, value_name = "ID", value_parser = given)]
    causation: Option<String>,
    /// Version of the payload's shape [default: the model's current one]
    #[arg(long, value_name = "N")]
    schema_version: Option<u32>,
    /// The source's own time [default: the daemon's clock]
    #[arg(long, value_name = "TIME", value_parser = time)]
    recorded_at: Option<Timestamp>,
    /// Only show what it would change; nothing is written
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &AppendArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    if args.data == "-" && args.metadata.as_deref() == Some("-") {
        return Err(CliError::usage(
            "`--data` and `--metadata` cannot both come from standard input",
            "pass one of them as `@FILE`",
        ));
    }
    if !args.dry_run {
        client.may_write()?;
    }
    let event = event(args, client.person())?;
    let expected = args.expected_revision;
    let stream = names::resolve_for_writing(&args.stream, expected, client, terminal).await?;
    if args.dry_run {
        return dry_run(&stream, event, expected, client, terminal).await;
    }
    let body = AppendIn {
        expected_revision: expected,
        events: vec![event],
    };
    let appended = client.append(&stream, &body).await?;
    if terminal.form.json {
        terminal.document(&appended)?;
    } else {
        print(&appended, terminal)?;
    }
    Ok(Exit::Ok)
}

fn print(appended: &AppendedOut, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let outcome = terminal.paint(Token::Added, "appended");
    let again = if appended.repeated {
        " (already recorded)"
    } else {
        ""
    };
    terminal.line(format!(
        "{outcome}{again}  {}  revision {}  position {}",
        appended.stream, appended.revision, appended.position
    ))?;
    for event in &appended.events {
        terminal.line(format!(
            "  {}  {}  {}",
            event.revision,
            shown(&event.event_type),
            shown(&event.event_id)
        ))?;
    }
    Ok(())
}

fn event(args: &AppendArgs, person: Option<&str>) -> Result<NewEvent, CliError> {
    let actor = args.actor.as_deref().or(person);
    Ok(NewEvent {
        schema_version: args.schema_version,
        event_id: args.event_id.clone(),
        recorded_at: args.recorded_at,
        actor: actor.filter(|actor| !actor.is_empty()).map(str::to_owned),
        reason: args.reason.clone(),
        correlation_id: args.correlation.clone(),
        causation_id: args.causation.clone(),
        metadata: args
            .metadata
            .as_deref()
            .map(|text| object("--metadata", text))
            .transpose()?,
        ..NewEvent::new(&*args.event_type, object("--data", &args.data)?)
    })
}

/// A JSON object, as it was written: numbers keep their digits.
fn object(option: &str, text: &str) -> Result<Json, CliError> {
    let hint = "write an object, such as '{\"total\": 3}', `@FILE`, or `-` for standard input";
    let text = match text.strip_prefix('@') {
        Some(path) => files::read_text(path.as_ref())?,
        None if text == "-" => files::read_text("-".as_ref())?,
        None => text.to_owned(),
    };
    let json: Json = whodunit_core::json::read(&text).map_err(|error| {
        let why = without_values(&error.to_string());
        CliError::usage(format!("`{option}` is not JSON: {why}"), hint)
    })?;
    if json.to_value().is_object() {
        return Ok(json);
    }
    Err(CliError::usage(
        format!("`{option}` is JSON, but not an object"),
        hint,
    ))
}

/// What the event would come to at the stream's head, by a what-if.
async fn dry_run(
    stream: &StreamName,
    event: NewEvent,
    expected: Option<ExpectedRevision>,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let head = match names::if_there(client.stream(stream).await)? {
        Some(found) => found.revision,
        None => Revision(0),
    };
    if let Some(expected) = expected
        && !holds(expected, head)
    {
        let detail = format!("stream `{stream}` is at revision {head}, not as expected");
        let problem = Problem::new(Code::WrongRevision, detail);
        return Err(ClientError::Problem(Box::new(problem)).into());
    }
    let asked = WhatIfIn {
        actions: vec![Action::Event(event)],
        ..WhatIfIn::new(stream.clone())
    };
    let out = client
        .what_if_steps(&asked, &WhatIfQuery::default())
        .await?;
    let exit = what_if::answer(&out, terminal)?;
    terminal.note("nothing was written: `--dry-run`")?;
    Ok(exit)
}

fn holds(expected: ExpectedRevision, head: Revision) -> bool {
    match expected {
        ExpectedRevision::Any => true,
        ExpectedRevision::NoStream => head.0 == 0,
        ExpectedRevision::StreamExists => head.0 > 0,
        ExpectedRevision::Exact(revision) => revision == head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_an_object_and_keeps_its_digits() {
        let json = object("--data", r#"{"n": 1.10, "big": 123456789012345678901}"#).unwrap();
        let text = serde_json::to_string(&json).unwrap();
        assert!(text.contains("1.10") && text.contains("123456789012345678901"));
        for text in ["[1]", "3", "{", "\"x\"", ""] {
            let error = object("--data", text).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{text}");
            assert!(error.to_string().contains("--data"), "{error}");
        }
        let missing = object("--data", "@/nowhere/x.json").unwrap_err();
        assert_eq!(missing.exit(), Exit::NotFound);
    }

    #[test]
    fn a_dry_run_expects_what_the_append_would() {
        assert!(holds(ExpectedRevision::Any, Revision(0)));
        assert!(holds(ExpectedRevision::NoStream, Revision(0)));
        assert!(!holds(ExpectedRevision::NoStream, Revision(1)));
        assert!(!holds(ExpectedRevision::StreamExists, Revision(0)));
        assert!(holds(ExpectedRevision::Exact(Revision(3)), Revision(3)));
        assert!(!holds(ExpectedRevision::Exact(Revision(3)), Revision(4)));
    }
}
