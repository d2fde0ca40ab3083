//! Scenarios of decisions on record: the same command at the same moment.

use serde_json::{Map, Value};

use super::Scenario;
use crate::api::what_if::{Action, DecisionRef, WhatIfCommand, WhatIfIn};
use crate::command::{Decision, Outcome};

/// The what-if that sends a command again, just before its decision.
pub fn again(decision: &Decision) -> WhatIfIn {
    let payload = match decision.payload.to_value() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let is_own = |id: &String| *id == decision.command_id;
    WhatIfIn {
        at_decision: Some(DecisionRef::Command(decision.command_id.clone())),
        actions: vec![Action::Command(WhatIfCommand {
            command_type: decision.command_type.clone(),
            payload,
            actor: decision.actor.clone(),
            reason: decision.reason.clone(),
            command_id: None,
            correlation_id: decision.correlation_id.clone().filter(|id| !is_own(id)),
            causation_id: decision.causation_id.clone(),
            expected_revision: None,
            password_correct: None,
        })],
        ..WhatIfIn::new(decision.stream.clone())
    }
}

impl Scenario {
    /// What a scenario of a decision says, in a sentence.
    pub fn name_of(decision: &Decision) -> String {
        let outcome = match &decision.result {
            Outcome::Accepted { .. } => "is accepted".to_owned(),
            Outcome::Rejected { rule, .. } => format!("is refused by {rule}"),
        };
        let by = decision
            .actor
            .as_ref()
            .map_or_else(String::new, |actor| format!(" by {actor}"));
        format!(
            "{}{by} on {} {outcome}",
            decision.command_type, decision.stream
        )
    }
}
