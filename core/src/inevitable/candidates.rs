//! Commands to try: each type of the model, with simple payloads from the history.

use serde_json::Value;

use super::TRIED_MAX;
use crate::api::inevitable::{CommandTried, NotTried};
use crate::command::Decision;
use crate::json::State;
use crate::model::{CommandSpec, Model};

/// Payloads of one type that are tried.
const PAYLOADS_MAX: usize = 3;

/// Commands to try, and those that are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// What is tried.
    pub tried: Vec<CommandTried>,
    /// What is not, and why.
    pub not_tried: Vec<NotTried>,
}

/// Chooses commands to try: of each type without secrets, the payloads that were recorded, nearest first, and the empty one where that
/// is well formed.
pub fn candidates<'a>(
    model: &Model,
    recorded: impl IntoIterator<Item = &'a Decision>,
) -> Candidates {
    let specs = &model.spec().commands;
    let mut payloads: Vec<Vec<State>> = vec![Vec::new(); specs.len()];
    for decision in recorded {
        let index = specs
            .iter()
            .position(|spec| spec.name == decision.command_type);
        let Some(payloads) = index.and_then(|index| payloads.get_mut(index)) else {
            continue;
        };
        if let Value::Object(payload) = decision.payload.to_value()
            && payloads.len() < PAYLOADS_MAX
            && !payloads.contains(&payload)
        {
            payloads.push(payload);
        }
    }
    let mut found = Candidates::default();
    for (spec, mut payloads) in specs.iter().zip(payloads) {
        if has_secret(spec) {
            found.not_tried.push(NotTried {
                command_type: spec.name.clone(),
                reason: "it takes a secret, and none is on record".to_owned(),
            });
            continue;
        }
        let is_well_formed = |payload: &State| {
            model
                .check_payload(&spec.name, payload)
                .is_some_and(|wrong| wrong.is_empty())
        };
        payloads.insert(0, State::new());
        payloads.dedup();
        let mut any = false;
        for payload in payloads.into_iter().filter(is_well_formed) {
            any = true;
            if found.tried.len() < TRIED_MAX {
                found.tried.push(CommandTried {
                    command_type: spec.name.clone(),
                    payload,
                });
            } else {
                found.not_tried.push(NotTried {
                    command_type: spec.name.clone(),
                    reason: format!("{TRIED_MAX} commands are tried at most"),
                });
            }
        }
        if !any {
            found.not_tried.push(NotTried {
                command_type: spec.name.clone(),
                reason: "no payload of it is on record".to_owned(),
            });
        }
    }
    found
}

/// Whether a payload has a field that is only ever written.
pub(crate) fn has_secret(spec: &CommandSpec) -> bool {
    let fields = spec.schema.get("properties").and_then(Value::as_object);
    fields
        .into_iter()
        .flat_map(serde_json::Map::values)
        .any(|field| field.get("writeOnly") == Some(&Value::Bool(true)))
}
