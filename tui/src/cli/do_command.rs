//! `whodunit do`: a command, for real.

use clap::Args;
use serde_json::{Map, Value};
use whodunit_core::api::browse::CommandOut;
use whodunit_core::api::write::{CommandAccepted, CommandIn};
use whodunit_core::event::ExpectedRevision;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::names::{self, StreamArg};
use super::secret;
use super::style::Token;
use super::terminal::Terminal;
use crate::client::Client;

/// Arguments of `whodunit do`.
#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are asked for when they are left out, or read from standard input with `FIELD=-`.

Examples:
  whodunit do user-7f3c… SuspendUser --reason fraud_detected --actor anna
  whodunit do user-7f3c… ChangeEmail email=sarah@example.org
  whodunit do user-new1 CreateUser username=jodoe email=jo@example.com first_name=Jo last_name=Doe password=- < secret.txt"
)]
pub(crate) struct DoArgs {
    /// The stream
    #[arg(value_parser = StreamArg::parse)]
    stream: StreamArg,
    /// The command, such as `SuspendUser` (see `whodunit models user`)
    #[arg(value_name = "COMMAND")]
    command: String,
    /// Its fields: `FIELD=TEXT`, `FIELD:=JSON`, or `FIELD=-` for a line of standard input
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// Who sends it
    #[arg(long, env = "WHODUNIT_ACTOR")]
    actor: Option<String>,
    /// The reason
    #[arg(long)]
    reason: Option<String>,
    /// Only if the stream's head is: `any`, `no_stream`, `stream_exists` or a revision
    #[arg(long, value_name = "REV")]
    expected_revision: Option<ExpectedRevision>,
    /// Makes the command idempotent: sent twice, it runs once
    #[arg(long, value_name = "ID")]
    command_id: Option<String>,
    /// Correlation id, shared by everything that belongs together
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Id of the event or command that caused it
    #[arg(long, value_name = "ID")]
    causation: Option<String>,
}

/// Runs it.
pub(crate) async fn run(
    args: &DoArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    client.may_write()?;
    let actor = args
        .actor
        .clone()
        .or_else(|| client.person().map(str::to_owned));
    let Some(actor) = actor else {
        return Err(CliError::usage(
            "no actor was given",
            "give `--actor NAME`, or `whodunit config set actor NAME`",
        ));
    };
    let fields = args
        .fields
        .iter()
        .map(|text| Field::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let stream =
        names::resolve_for_writing(&args.stream, args.expected_revision, client, terminal).await?;
    // Of a category without a model, the daemon says so itself when it gets the command.
    let known = client.model(stream.category()).await.ok();
    let known = known.and_then(|model| {
        let mut commands = model.commands.into_iter();
        commands.find(|command| command.name == args.command)
    });
    let payload = payload(fields, known.as_ref(), terminal)?;
    let command = CommandIn {
        command_type: args.command.clone(),
        payload,
        actor: Some(actor),
        reason: args.reason.clone(),
        command_id: args.command_id.clone(),
        correlation_id: args.correlation.clone(),
        causation_id: args.causation.clone(),
        expected_revision: args.expected_revision,
    };
    let accepted = client.command(&stream, &command).await?;
    if terminal.form.json {
        terminal.document(&accepted)?;
    } else {
        print_accepted(&accepted, terminal)?;
    }
    Ok(Exit::Ok)
}

fn print_accepted(accepted: &CommandAccepted, terminal: &mut Terminal<'_>) -> Result<(), CliError> {
    let verdict = terminal.paint(Token::Added, "accepted");
    let again = if accepted.repeated {
        " (already recorded)"
    } else {
        ""
    };
    terminal.line(format!(
        "{verdict}{again}  {}  revision {}  position {}",
        accepted.stream, accepted.revision, accepted.position
    ))?;
    for event in &accepted.events {
        terminal.line(format!(
            "  {}  {}",
            event.revision,
            shown(&event.event_type)
        ))?;
    }
    Ok(())
}

/// A parameter as it was written.
#[derive(Debug, PartialEq)]
struct Field {
    name: String,
    given: Given,
}

#[derive(Debug, PartialEq)]
enum Given {
    Value(Value),
    Stdin,
}

impl Field {
    fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |why: &str| {
            CliError::usage(
                format!("`{text}` {why}"),
                "write `FIELD=TEXT`, `FIELD:=JSON`, or `FIELD=-` for a line of standard input",
            )
        };
        let (name, value) = text.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let (name, given) = match name.strip_suffix(':') {
            Some(name) => {
                let value = whodunit_core::json::read(value)
                    .map_err(|error| wrong(&format!("is not JSON after `:=`: {error}")))?;
                (name, Given::Value(value))
            }
            None if value == "-" => (name, Given::Stdin),
            None => (name, Given::Value(Value::String(value.to_owned()))),
        };
        if name.is_empty() {
            return Err(wrong("has no field"));
        }
        Ok(Self {
            name: name.to_owned(),
            given,
        })
    }
}

fn payload(
    fields: Vec<Field>,
    known: Option<&CommandOut>,
    terminal: &mut Terminal<'_>,
) -> Result<Map<String, Value>, CliError> {
    let secrets = known.map(secret_fields).unwrap_or_default();
    let mut payload = Map::new();
    for Field { name, given } in fields {
        let value = match given {
            Given::Stdin => Value::String(secret::from_stdin(&name)?),
            Given::Value(value) => {
                if secrets.iter().any(|secret| secret.name == name) {
                    terminal.note(format!(
                        "hint: `{}` is a secret, and is in your shell's history now; leave it out to be asked for it",
                        shown(&name)
                    ))?;
                }
                value
            }
        };
        payload.insert(name, value);
    }
    for secret in secrets {
        if secret.required && !payload.contains_key(&secret.name) && secret::can_ask() {
            let answer = secret::ask(&shown(&secret.name))?;
            payload.insert(secret.name, Value::String(answer));
        }
    }
    Ok(payload)
}

pub(super) struct SecretField {
    pub(super) name: String,
    required: bool,
}

pub(super) fn secret_fields(command: &CommandOut) -> Vec<SecretField> {
    let required = |name: &str| {
        command.schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|n| n == name))
    };
    command.schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema["writeOnly"] == true)
        .map(|(name, _)| SecretField {
            name: name.clone(),
            required: required(name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Form;
    use serde_json::json;

    #[test]
    fn fields_are_texts_or_json() {
        let field = |text| Field::parse(text).unwrap();
        assert_eq!(field("a=b=c").given, Given::Value(json!("b=c")));
        assert_eq!(field("a:={\"b\":1}").given, Given::Value(json!({"b": 1})));
        assert_eq!(field("a=12").given, Given::Value(json!("12")));
        assert_eq!(field("a=").given, Given::Value(json!("")));
        assert_eq!(field("a=-").given, Given::Stdin);
        for text in ["a", "=b", "a:=b"] {
            assert!(
                matches!(Field::parse(text), Err(CliError::Usage { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_on_the_command_line_is_pointed_out() {
        let command: CommandOut = serde_json::from_value(json!({
            "name": "C", "description": "", "reason_required": false,
            "schema": {"required": ["password"], "properties": {"password": {"writeOnly": true}, "n": {}}}
        }))
        .unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal::new(Form::default(), &mut out, &mut err);
        let fields = vec![
            Field::parse("n=1").unwrap(),
            Field::parse("password=x").unwrap(),
        ];
        let payload = payload(fields, Some(&command), &mut terminal).unwrap();
        assert_eq!(Value::Object(payload), json!({"n": "1", "password": "x"}));
        let err = String::from_utf8(err).unwrap();
        assert!(err.starts_with("hint: `password` is a secret"), "{err}");
        assert_eq!(err.lines().count(), 1);
    }
}
