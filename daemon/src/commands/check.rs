//! What a command or an event must look like before anything is done with it.
//!
//! Owns the structural checks that do not need a state. Messages never quote a value of a payload: it might be a secret.

use serde_json::Value;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::write::CommandIn;
use whodunit_core::event::NewEvent;
use whodunit_core::ids::check_id;
use whodunit_core::json::Json;
use whodunit_core::model::Model;

use crate::limits::{
    ACTOR_BYTES_MAX, EVENT_BYTES_MAX, EVENT_DEPTH_MAX, PAYLOAD_BYTES_MAX, REASON_BYTES_MAX,
};

/// A field that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}` {message}")]
pub(crate) struct Invalid {
    /// What kind of misfit.
    pub(crate) code: Code,
    /// JSON Pointer of the field.
    pub(crate) pointer: String,
    /// What is wrong with it, as in "is required".
    pub(crate) message: String,
}

impl Invalid {
    pub(crate) fn malformed(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Malformed, pointer, message)
    }

    fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            pointer: pointer.into(),
            message: message.into(),
        }
    }

    /// As a problem document, with the field's pointer prefixed by where it was found.
    pub(crate) fn into_problem(self, prefix: &str) -> Box<Problem> {
        let pointer = format!("{prefix}{}", self.pointer);
        let problem = Problem::new(self.code, format!("`{pointer}` {}", self.message));
        let problem = problem.field(pointer);
        Box::new(match self.code {
            Code::PlaintextSecret => problem.hint(
                "run the command instead, which keeps a hash; the event was not stored, the value not logged",
            ),
            _ => problem,
        })
    }
}

/// Checks a command against what its model knows.
pub(super) fn command(model: &Model, command: &CommandIn) -> Result<(), Box<Problem>> {
    let category = model.spec().category.as_deref().unwrap_or_default();
    let Some(wrong) = model.check_payload(&command.command_type, &command.payload) else {
        let known: Vec<_> = model
            .spec()
            .commands
            .iter()
            .map(|c| format!("`{}`", c.name))
            .collect();
        let asked = whodunit_core::text::shown(&command.command_type);
        return Err(Problem::new(
            Code::UnknownCommand,
            format!(
                "`{category}` has no command `{asked}`; it has {}",
                known.join(", ")
            ),
        )
        .field("/type")
        .into());
    };
    let envelope = || {
        if command
            .actor
            .as_deref()
            .is_none_or(|actor| actor.trim().is_empty())
        {
            return Err(Invalid::malformed("/actor", "is required: who asks"));
        }
        actor(command.actor.as_deref())?;
        reason(command.reason.as_deref())?;
        id("/command_id", command.command_id.as_deref())?;
        id("/correlation_id", command.correlation_id.as_deref())?;
        id("/causation_id", command.causation_id.as_deref())
    };
    envelope().map_err(|invalid| invalid.into_problem(""))?;
    if let Some(error) = wrong.into_iter().next() {
        let invalid = Invalid::malformed(format!("/payload{}", error.pointer), error.message);
        return Err(invalid.into_problem(""));
    }
    let bytes = serde_json::to_vec(&command.payload).map_or(usize::MAX, |text| text.len());
    if bytes > PAYLOAD_BYTES_MAX {
        return Err(too_large("/payload", bytes, PAYLOAD_BYTES_MAX).into_problem(""));
    }
    Ok(())
}

/// Checks an event on its way into the log, and gives it the schema version that it leaves open.
pub(crate) fn event(model: &Model, event: &mut NewEvent) -> Result<(), Invalid> {
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
    let value = json.to_value();
    if depth(&value) > EVENT_DEPTH_MAX {
        let reason = format!("is nested deeper than {EVENT_DEPTH_MAX} levels");
        return Err(Invalid::malformed(pointer, reason));
    }
    match model.plaintext_field(&value) {
        None => Ok(()),
        Some(found) => Err(Invalid::new(
            Code::PlaintextSecret,
            format!("{pointer}{found}"),
            "would put a plaintext secret into the log",
        )),
    }
}

/// Levels of objects and arrays. The parser has bounded them, so recursion is safe.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
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
