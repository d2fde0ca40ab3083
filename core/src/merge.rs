//! The merge model, for categories without a model of their own: each event's data is a JSON Merge Patch (RFC 7396) on the
//! state, so that every stream can be folded and stepped. It has no commands.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::command::{Command, Rejection};
use crate::decider::{Decider, DecodedEvent, Evolution, Touched};
use crate::event::NewEvent;
use crate::json::{State, merge_patch};
use crate::model::{Model, ModelSpec};

/// Folds by merging.
#[derive(Debug, Clone, Copy)]
struct Merge;

/// The model of categories that no model was asked for.
pub fn model() -> Model {
    hiding(&[])
}

/// The same, with these fields hidden wherever something is shown.
pub fn hiding(secret_fields: &[&str]) -> Model {
    let spec = ModelSpec {
        name: "merge".to_owned(),
        category: None,
        description: "folds by JSON Merge Patch (RFC 7396) of each event's data; has no commands"
            .to_owned(),
        version: "merge-1".to_owned(),
        commands: Vec::new(),
        events: BTreeMap::new(),
        upcasters: Vec::new(),
        secret_fields: secret_fields.iter().map(|&name| name.to_owned()).collect(),
        plaintext_fields: Vec::new(),
        title: None,
        status: None,
        unique_keys: None,
        indexed: Vec::new(),
    };
    Model::without_commands(spec, Arc::new(Merge))
}

impl Decider for Merge {
    fn evolve(&self, state: &mut State, event: &DecodedEvent<'_>) -> Result<Evolution, String> {
        merge_patch(state, event.data);
        Ok(Evolution::Applied)
    }

    fn touched<'a>(&self, event: &DecodedEvent<'a>) -> Touched<'a> {
        Touched::Patch(event.data)
    }

    fn decide(&self, _state: &State, command: &Command) -> Result<Vec<NewEvent>, Rejection> {
        Err(Rejection::new(
            "command.unknown",
            format!("no model knows the command `{}`", command.command_type),
        ))
    }
}
