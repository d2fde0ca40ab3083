//! Undo plans: commands, legal under the rules now, that bring chosen fields back to what they were.
//!
//! Owns the search: breadth first over the commands that may be given, so the plan that is found is a shortest one. A plan is run before it
//! is shown; where there is none within the bounds, that is the answer.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use crate::api::undo::{PlannedCommand, UndoPlan};
use crate::inevitable::has_secret;
use crate::json::State;
use crate::model::Model;
use crate::pointer::Pointer;
use crate::same::same;

/// Commands of a plan at most.
pub const STEPS_MAX: usize = 4;
/// Attempts at most: commands that are asked on a state.
pub const ATTEMPTS_MAX: u64 = 5_000;

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The plan; `None` where there is none within the bounds.
    pub plan: Option<UndoPlan>,
    /// Attempts that were made.
    pub attempts: u64,
    /// Whether all plans of up to `steps_max` commands were tried.
    pub exhausted: bool,
}

/// What giving commands, one after another, comes to: the state after them, `None` where the rules refuse one, or it cannot be told.
pub type Giving<'a, E> = &'a mut dyn FnMut(&[PlannedCommand]) -> Result<Option<State>, E>;

/// Finds a shortest plan that brings these fields to what they are in `wanted`.
///
/// # Errors
/// When an attempt fails.
pub fn plan<E>(
    (state, wanted): (&State, &State),
    fields: &[Pointer],
    commands: &[PlannedCommand],
    steps_max: usize,
    give: Giving<'_, E>,
) -> Result<Searched, E> {
    let mut searched = Searched {
        plan: None,
        attempts: 0,
        exhausted: true,
    };
    let mut seen: HashSet<String> = HashSet::new();
    seen.insert(spelt(state));
    let mut next: VecDeque<Vec<PlannedCommand>> = VecDeque::new();
    if are_back(state, wanted, fields) {
        searched.plan = Some(UndoPlan {
            commands: Vec::new(),
        });
        return Ok(searched);
    }
    next.push_back(Vec::new());
    while let Some(given) = next.pop_front() {
        if given.len() >= steps_max {
            continue;
        }
        for command in commands {
            if searched.attempts == ATTEMPTS_MAX {
                searched.exhausted = false;
                return Ok(searched);
            }
            searched.attempts += 1;
            let mut plan = given.clone();
            plan.push(command.clone());
            let Some(after) = give(&plan)? else {
                continue;
            };
            if are_back(&after, wanted, fields) {
                searched.plan = Some(UndoPlan { commands: plan });
                return Ok(searched);
            }
            if seen.insert(spelt(&after)) {
                next.push_back(plan);
            }
        }
    }
    Ok(searched)
}

/// Whether these fields are what they are in `wanted`: absent where they are absent there.
pub fn are_back(state: &State, wanted: &State, fields: &[Pointer]) -> bool {
    fields
        .iter()
        .all(|field| match (field.lookup(state), field.lookup(wanted)) {
            (None, None) => true,
            (Some(is), Some(was)) => same(is, was),
            _ => false,
        })
}

/// A state's text. Everything a plan does happens at one time, so states that are alike are reached in many ways.
fn spelt(state: &State) -> String {
    let mut fields: Vec<(&String, &Value)> = state.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    serde_json::to_string(&fields).unwrap_or_default()
}

/// Commands that may bring a state back: of each type without secrets its payload out of the state that is wanted, whole and field by field,
/// and those that were tried elsewhere.
pub fn commands(model: &Model, wanted: &State, others: &[PlannedCommand]) -> Vec<PlannedCommand> {
    let mut commands: Vec<PlannedCommand> = Vec::new();
    let mut add = |command_type: &str, payload: State| {
        let planned = PlannedCommand {
            command_type: command_type.to_owned(),
            payload,
        };
        let is_well_formed = model
            .check_payload(command_type, &planned.payload)
            .is_some_and(|wrong| wrong.is_empty());
        if is_well_formed && !commands.contains(&planned) {
            commands.push(planned);
        }
    };
    for spec in model
        .spec()
        .commands
        .iter()
        .filter(|spec| !has_secret(spec))
    {
        let properties = spec.schema.get("properties").and_then(Value::as_object);
        let names = properties.into_iter().flat_map(serde_json::Map::keys);
        let known = |name: &String| wanted.get(name).map(|value| (name.clone(), value.clone()));
        let whole: State = names.filter_map(known).collect();
        for (name, value) in &whole {
            add(
                &spec.name,
                std::iter::once((name.clone(), value.clone())).collect(),
            );
        }
        add(&spec.name, whole);
        add(&spec.name, State::new());
    }
    for other in others {
        add(&other.command_type, other.payload.clone());
    }
    commands
}

#[cfg(test)]
mod tests;
