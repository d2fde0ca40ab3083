//! Admission: what a command or an event must look like before anything is done with it.
//!
//! Owns the one way from a request to a [`Command`] or [`NewEvent`] that may be decided or appended: the real endpoints and
//! the what-if go through it, so that each admits what the other does and refuses it with the same words. Checks structure
//! only, nothing that needs a state. Messages never quote a value of a payload: it might be a secret.

use std::time::Duration;

use crate::api::problem::{Code, Problem};
use crate::api::write::CommandIn;
use crate::command::Command;
use crate::event::{ExpectedRevision, NewEvent};
use crate::ids::{StreamName, check_id};
use crate::json::{Json, Token};
use crate::model::Model;
use crate::nearest::did_you_mean;
use crate::time::Timestamp;

/// Bytes of one event's data or metadata.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Levels of objects and arrays in one event's data or metadata. What is read back, wrapped in a reply, must still be
/// within what JSON readers accept (often 128).
pub const EVENT_DEPTH_MAX: usize = 100;
/// Bytes of a command's payload.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Bytes of an actor.
pub const ACTOR_BYTES_MAX: usize = 200;
/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 4_096;
/// How far ahead of the clock the `recorded_at` of an appended event may be. Imports are not bounded by it.
pub const APPEND_AHEAD_MAX: Duration = Duration::from_mins(5);

/// A command that may be prepared and decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// The command, with every id it came without.
    pub command: Command,
    /// What its author believes the stream's head to be.
    pub expected: ExpectedRevision,
    /// Whether it came with an id of its own, and so may repeat an earlier one.
    pub may_repeat: bool,
}

/// Admits a command as it was sent, to happen at `now`. `prefix` is where it stands in the request's body.
///
/// # Errors
/// What does not fit, with the field's pointer.
pub fn command(
    model: &Model,
    stream: &StreamName,
    asked: CommandIn,
    now: Timestamp,
    fresh_id: impl FnOnce() -> String,
    prefix: &str,
) -> Result<Admitted, Box<Problem>> {
    check_command(model, &asked, prefix)?;
    let may_repeat = asked.command_id.is_some();
    let command_id = asked.command_id.unwrap_or_else(fresh_id);
    Ok(Admitted {
        expected: asked.expected_revision.unwrap_or_default(),
        may_repeat,
        command: Command {
            stream: stream.clone(),
            command_type: asked.command_type,
            payload: asked.payload,
            actor: asked.actor,
            reason: asked.reason,
            correlation_id: asked.correlation_id.or_else(|| Some(command_id.clone())),
            causation_id: asked.causation_id,
            issued_at: now,
            command_id,
        },
    })
}

/// A command's payload that the step before the rules found malformed.
pub fn unprepared(pointer: &str, message: String, prefix: &str) -> Box<Problem> {
    Invalid::malformed(format!("/payload{pointer}"), message).into_problem(prefix)
}

/// Admits an event on its way into the log at `now`, and gives it the schema version that it leaves open.
///
/// # Errors
/// What does not fit.
pub fn appended(model: &Model, event: &mut NewEvent, now: Timestamp) -> Result<(), Invalid> {
    self::event(model, event)?;
    let ahead = i64::try_from(APPEND_AHEAD_MAX.as_micros()).unwrap_or(i64::MAX);
    match event.recorded_at {
        Some(at) if at > now.plus_micros(ahead) => Err(Invalid {
            hint: Some(
                "leave `recorded_at` out for an event that is recorded now; an import keeps the times of its source",
            ),
            ..Invalid::malformed(
                "/recorded_at",
                format!(
                    "is more than {} minutes ahead of the clock, which says {now}",
                    APPEND_AHEAD_MAX.as_secs() / 60
                ),
            )
        }),
        _ => Ok(()),
    }
}

/// A field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` {message}")]
pub struct Invalid {
    /// What kind of misfit.
    pub code: Code,
    /// JSON Pointer of the field.
    pub pointer: String,
    /// What is wrong with it, as in "is required".
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Invalid {
    /// A field that is not of the shape asked for.
    pub fn malformed(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Malformed, pointer, message)
    }

    fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// As a problem document, with the field's pointer prefixed by where it was found.
    pub fn into_problem(self, prefix: &str) -> Box<Problem> {
        let pointer = format!("{prefix}{}", self.pointer);
        let problem = Problem::new(self.code, format!("`{pointer}` {}", self.message));
        let problem = problem.field(pointer);
        if let Some(hint) = self.hint {
            return Box::new(problem.hint(hint));
        }
        Box::new(match self.code {
            Code::PlaintextSecret => problem.hint(
                "run the command instead, which keeps a hash; the event was not stored, the value not logged",
            ),
            _ => problem,
        })
    }
}

/// Checks a command against what its model knows.
fn check_command(model: &Model, command: &CommandIn, prefix: &str) -> Result<(), Box<Problem>> {
    let category = model.spec().category.as_deref().unwrap_or_default();
    let Some(wrong) = model.check_payload(&command.command_type, &command.payload) else {
        let known: Vec<_> = model
            .spec()
            .commands
            .iter()
            .map(|c| format!("`{}`", c.name))
            .collect();
        let asked = crate::text::shown(&command.command_type);
        let names = model.spec().commands.iter().map(|c| c.name.as_str());
        let meant = did_you_mean(&command.command_type, names);
        let problem = Problem::new(
            Code::UnknownCommand,
            format!(
                "`{category}` has no command `{asked}`; it has {}",
                known.join(", ")
            ),
        )
        .field(format!("{prefix}/type"));
        return Err(match meant {
            Some(meant) => problem.hint(meant),
            None => problem,
        }
        .into());
    };
    let envelope = || {
        if command
            .actor
            .as_deref()
            .is_none_or(|actor| actor.trim().is_empty())
        {
            return Err(Invalid::malformed("/actor", "is required: who sends it"));
        }
        actor(command.actor.as_deref())?;
        reason(command.reason.as_deref())?;
        id("/command_id", command.command_id.as_deref())?;
        id("/correlation_id", command.correlation_id.as_deref())?;
        id("/causation_id", command.causation_id.as_deref())
    };
    envelope().map_err(|invalid| invalid.into_problem(prefix))?;
    if let Some(error) = wrong.into_iter().next() {
        let invalid = Invalid::malformed(format!("/payload{}", error.pointer), error.message);
        return Err(invalid.into_problem(prefix));
    }
    let bytes = serde_json::to_vec(&command.payload).map_or(usize::MAX, |text| text.len());
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(too_large("/payload", bytes, PAYLOAD_BYTES_MAX).into_problem(prefix));
    }
    Ok(())
}

/// Checks an event on its way into the log, and gives it the schema version that it leaves open.
///
/// # Errors
/// The field that does not fit, with its JSON Pointer.
pub fn event(model: &Model, event: &mut NewEvent) -> Result<(), Invalid> {
    check_id(&event.event_type)
        .map_err(|error| Invalid::malformed("/event_type", error.to_string()))?;
    if !event.data.is_object() {
        return Err(Invalid::malformed("/data", "must be a JSON object"));
    }
    if event
        .metadata
        .as_ref()
        .is_some_and(|metadata| !metadata.is_object())
    {
        return Err(Invalid::malformed("/metadata", "must be a JSON object"));
    }
    if event.schema_version == Some(0) {
        return Err(Invalid::malformed("/schema_version", "must be 1 or more"));
    }
    id("/event_id", event.event_id.as_deref())?;
    actor(event.actor.as_deref())?;
    reason(event.reason.as_deref())?;
    id("/correlation_id", event.correlation_id.as_deref())?;
    id("/causation_id", event.causation_id.as_deref())?;
    payload(model, "/data", &event.data)?;
    if let Some(metadata) = &event.metadata {
        payload(model, "/metadata", metadata)?;
    }
    event
        .schema_version
        .get_or_insert_with(|| model.schema_version(&event.event_type));
    Ok(())
}

/// Checks that what is stored can be read back, and that it puts no plaintext secret into the log.
fn payload(model: &Model, pointer: &str, json: &Json) -> Result<(), Invalid> {
    let bytes = json.as_str().len();
    if bytes > EVENT_BYTES_MAX {
        return Err(too_large(pointer, bytes, EVENT_BYTES_MAX));
    }
    if depth(json) > EVENT_DEPTH_MAX {
        let reason = format!("is nested deeper than {EVENT_DEPTH_MAX} levels");
        return Err(Invalid::malformed(pointer, reason));
    }
    if !model.may_hold_plaintext(json) {
        return Ok(());
    }
    match model.plaintext_field(&json.to_value()) {
        None => Ok(()),
        Some(found) => Err(Invalid::new(
            Code::PlaintextSecret,
            format!("{pointer}{found}"),
            "would put a plaintext secret into the log",
        )),
    }
}

/// Levels of objects and arrays.
fn depth(json: &Json) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in json.tokens() {
        match token {
            Token::Open => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            Token::Close => depth = depth.saturating_sub(1),
            Token::Key(_) | Token::Text(_) | Token::Number(_) | Token::Word(_) => {}
        }
    }
    deepest
}

fn actor(actor: Option<&str>) -> Result<(), Invalid> {
    text("/actor", actor, ACTOR_BYTES_MAX)
}

fn reason(reason: Option<&str>) -> Result<(), Invalid> {
    text("/reason", reason, REASON_BYTES_MAX)
}

fn text(pointer: &str, text: Option<&str>, max: usize) -> Result<(), Invalid> {
    match text {
        Some(text) if text.len() > max => Err(too_large(pointer, text.len(), max)),
        _ => Ok(()),
    }
}

fn id(pointer: &str, id: Option<&str>) -> Result<(), Invalid> {
    id.map_or(Ok(()), check_id)
        .map_err(|error| Invalid::malformed(pointer, error.to_string()))
}

fn too_large(pointer: &str, bytes: usize, max: usize) -> Invalid {
    Invalid::new(
        Code::LimitExceeded,
        pointer,
        format!("is {bytes} bytes long, at most {max} are allowed"),
    )
}
