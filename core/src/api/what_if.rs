//! Wire types of the what-if.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::write::CommandIn;
use crate::event::{ExpectedRevision, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

mod edits;
mod redecided;
mod reply;

pub use edits::{
    ChangeEdit, CommandPlace, DropCommandEdit, DropEdit, Edit, InsertCommandEdit, InsertEdit,
    MoveCommandEdit, MoveEdit, ReplaceCommandEdit, ReplaceEdit,
};
pub use redecided::{
    Causes, FLIPS_MAX, Flip, RecordedOutcome, Redecided, RedecidedCounts, STREAMS_MAX, StepChange,
    StreamWorlds,
};
pub use reply::{
    ActualState, ModeReason, OutcomeCounts, StepKind, StepOutcome, WhatIfBase, WhatIfOut,
    WhatIfStep,
};

/// Body of `POST /v1/what-if`. The scenario it evaluates: the recorded history up to the base with the edits made, then
/// `do`, then, as `continue` says, what was recorded after the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfIn {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The base: after this revision of the stream. At most one base may be given; without one it is the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_revision: Option<Revision>,
    /// The base: this time. Who held a key then goes by the effective times of the streams, not by positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// The base: after this position of the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_position: Option<Position>,
    /// The base: just before this decision, by its sequence or its command's id. A rejected one has a place in the log too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_decision: Option<DecisionRef>,
    /// Whether passwords that commands give for recorded ones are right; a command may say it for itself. A what-if never
    /// compares a password with a recorded one: where it is not said, a step that depends on it is `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
    /// Other rules, as a rules file has them: from the base on commands are decided by them, those of `do` and recorded ones. What they
    /// do not say is as it is without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub rules: Option<Map<String, Value>>,
    /// Changes to the recorded history.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What happens at the base, in order.
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
    /// What becomes of the history recorded after the base.
    #[serde(default, rename = "continue")]
    pub continuation: Continuation,
    /// Whether a recorded command is asked again when its direct cause is gone. Only where commands are decided again.
    #[serde(default, skip_serializing_if = "Causes::is_default")]
    pub causes: Causes,
}

impl WhatIfIn {
    /// Nothing changed and nothing done, on the head of a stream.
    pub fn new(stream: StreamName) -> Self {
        Self {
            stream,
            at_revision: None,
            as_of: None,
            at_position: None,
            at_decision: None,
            password_correct: None,
            rules: None,
            edits: Vec::new(),
            actions: Vec::new(),
            continuation: Continuation::None,
            causes: Causes::default(),
        }
    }
}

/// Names a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum DecisionRef {
    /// Its sequence in the decision log: a JSON number.
    Sequence(u64),
    /// The id of its command: a JSON string.
    Command(String),
}

impl<'de> Deserialize<'de> for DecisionRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl<'de> Visitor<'de> for Named {
            type Value = DecisionRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decision's sequence (a whole number) or its command's id (a text)")
            }

            fn visit_u64<E>(self, sequence: u64) -> Result<DecisionRef, E> {
                Ok(DecisionRef::Sequence(sequence))
            }

            fn visit_str<E>(self, id: &str) -> Result<DecisionRef, E> {
                Ok(DecisionRef::Command(id.to_owned()))
            }

            // A number that is no whole number comes like this as well.
            fn visit_map<A: MapAccess<'de>>(self, _fields: A) -> Result<DecisionRef, A::Error> {
                Err(de::Error::invalid_type(
                    Unexpected::Other("something else"),
                    &self,
                ))
            }
        }

        deserializer.deserialize_any(Named)
    }
}

impl FromStr for DecisionRef {
    type Err = Infallible;

    /// A number is a sequence, everything else a command's id.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text
            .parse()
            .map_or_else(|_id| Self::Command(text.to_owned()), Self::Sequence))
    }
}

impl fmt::Display for DecisionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::Command(id) => f.write_str(id),
        }
    }
}

/// Something that happens at the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A command: the rules run.
    Command(WhatIfCommand),
    /// A raw event: no rules run.
    Event(NewEvent),
}

/// A command of a what-if: what the real endpoint takes, and what is supposed of its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfCommand {
    /// What is asked for, in the imperative.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Its parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
    /// Who asks. Required, as for the real command.
    #[serde(default)]
    pub actor: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its id; one of the what-if's own when absent.
    #[serde(default)]
    pub command_id: Option<String>,
    /// What it belongs to; the command's own id when absent.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// What directly caused it.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// What the stream's revision in the what-if must be; `any` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "any")]
    pub expected_revision: Option<ExpectedRevision>,
    /// Whether a password that it gives for a recorded one is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
}

impl From<CommandIn> for WhatIfCommand {
    fn from(command: CommandIn) -> Self {
        Self {
            command_type: command.command_type,
            payload: command.payload,
            actor: command.actor,
            reason: command.reason,
            command_id: command.command_id,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            expected_revision: command.expected_revision,
            password_correct: None,
        }
    }
}

impl From<WhatIfCommand> for CommandIn {
    fn from(command: WhatIfCommand) -> Self {
        Self {
            command_type: command.command_type,
            payload: command.payload,
            actor: command.actor,
            reason: command.reason,
            command_id: command.command_id,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            expected_revision: command.expected_revision,
        }
    }
}

/// Which steps of a what-if a reply lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepSelection {
    /// Those that were made or changed by an edit or by `do`, and recorded ones that had another effect than they had.
    #[default]
    Changed,
    /// Every step from the first edit or action on.
    All,
}

/// What becomes of the history recorded after the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Continuation {
    /// Nothing: the scenario ends after `do`.
    #[default]
    None,
    /// The recorded events are applied to the changed state; no rules run.
    Refold,
    /// The recorded commands that the changes can reach are decided again, in every stream: the rules run.
    Redecide,
    /// `redecide`, unless nothing that the changes reach has a command on record: `refold` then. The reply says which it was.
    Auto,
}

impl Continuation {
    /// Whether recorded commands may be decided again.
    pub fn asks_rules(self) -> bool {
        matches!(self, Self::Redecide | Self::Auto)
    }
}
