//! A branch is kept as it was given, so no command of it may hold a secret.

use serde_json::{Map, Value};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::what_if::{Action, Edit};
use whodunit_core::branch::Layer;
use whodunit_core::json::pointer_token;
use whodunit_core::model::{Model, Models};

/// Refuses a layer whose commands hold a secret, or whose events a plaintext one.
pub(crate) fn check_secrets(models: &Models, layer: &Layer) -> Result<(), Box<Problem>> {
    let own = models.for_stream(&layer.stream);
    for (index, edit) in layer.edits.iter().enumerate() {
        let (model, kind, payload, place) = match edit {
            Edit::InsertCommand(edit) => (
                models.for_stream(edit.stream.as_ref().unwrap_or(&layer.stream)),
                Some(edit.command.command_type.as_str()),
                Some(&edit.command.payload),
                "insert_command/command/payload",
            ),
            // Which stream it is of is not looked up: a field that is a secret of any model is one.
            Edit::ReplaceCommand(edit) => (
                own,
                edit.command_type.as_deref(),
                edit.payload.as_ref(),
                "replace_command/payload",
            ),
            _ => continue,
        };
        if let Some(payload) = payload
            && let Some(field) = secret_of(models, (model, kind), payload)
        {
            return Err(refused(format!("/edits/{index}/{place}{field}")));
        }
    }
    for (index, action) in layer.actions.iter().enumerate() {
        let Action::Command(command) = action else {
            continue;
        };
        let kind = Some(command.command_type.as_str());
        if let Some(field) = secret_of(models, (own, kind), &command.payload) {
            return Err(refused(format!("/do/{index}/command/payload{field}")));
        }
    }
    Ok(())
}

fn refused(field: String) -> Box<Problem> {
    let detail = format!("`{field}` is a secret, and a branch is kept as it was given");
    let problem = Problem::new(Code::PlaintextSecret, detail).field(field);
    Box::new(problem.hint("try the command with `POST /v1/what-if`, which keeps nothing"))
}

/// The first field of a payload that holds a secret.
fn secret_of(
    models: &Models,
    (model, kind): (&Model, Option<&str>),
    payload: &Map<String, Value>,
) -> Option<String> {
    let write_only = |name: &str| {
        let command = model.command(kind?)?;
        let field = command.schema.get("properties")?.get(name)?;
        field.get("writeOnly")?.as_bool()
    };
    payload.iter().find_map(|(name, value)| {
        let at = format!("/{}", pointer_token(name));
        if write_only(name) == Some(true) || is_secret(models, name) {
            return Some(at);
        }
        within(models, value).map(|below| format!("{at}{below}"))
    })
}

fn is_secret(models: &Models, name: &str) -> bool {
    models.all().any(|model| model.is_secret(name))
}

fn within(models: &Models, value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let at = format!("/{}", pointer_token(name));
            if is_secret(models, name) {
                return Some(at);
            }
            within(models, value).map(|below| format!("{at}{below}"))
        }),
        Value::Array(items) => (0..).zip(items).find_map(|(index, item): (u64, _)| {
            within(models, item).map(|below| format!("/{index}{below}"))
        }),
        _ => None,
    }
}
