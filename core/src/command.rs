//! Commands and decisions: the intent to change a stream, and the recorded outcome.
//!
//! Owns their shape. Never holds a plaintext secret once a command is prepared.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;
use crate::same::same_text;
use crate::time::Timestamp;

/// Intent to change a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Makes the command idempotent.
    pub command_id: String,
    /// The stream it is about.
    pub stream: StreamName,
    /// The command's type, in the imperative, such as `SuspendUser`.
    pub command_type: String,
    /// Its parameters: a JSON object. Before `prepare` it may hold plaintext secrets, after it never.
    pub payload: serde_json::Map<String, serde_json::Value>,
    /// The actor: the person, job or service that sends it.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// Correlation id: what it belongs to.
    pub correlation_id: Option<String>,
    /// Causation id: the command or event that directly caused it.
    pub causation_id: Option<String>,
    /// When it is decided: the only `now` a decider sees.
    pub issued_at: Timestamp,
}

/// Why a rule refused a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Stable name of the rule, such as `user.suspended`.
    pub rule: String,
    /// What the rule says, for a person.
    pub message: String,
}

impl Rejection {
    /// A rejection by `rule`.
    pub fn new(rule: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            message: message.into(),
        }
    }
}

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It led to events (possibly none).
    Accepted {
        /// Revision of the stream after its last event.
        #[schema(value_type = u64)]
        revision: Revision,
        /// Position of its last event; the head at that time when it had none.
        #[schema(value_type = u64)]
        position: Position,
        /// How many events it led to: those up to `revision`.
        events: u32,
    },
    /// A rule refused it.
    Rejected {
        /// Stable name of the rule.
        rule: String,
        /// What the rule says.
        message: String,
    },
}

/// The recorded outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Index in the decision log, from 1, gapless.
    pub sequence: u64,
    /// The command's id.
    pub command_id: String,
    /// The stream it was about.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The command's type.
    pub command_type: String,
    /// Its parameters after `prepare`: no plaintext secrets.
    #[schema(value_type = Object)]
    pub payload: Json,
    /// The actor.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// Correlation id: what it belongs to.
    pub correlation_id: Option<String>,
    /// Causation id: the command or event that directly caused it.
    pub causation_id: Option<String>,
    /// The revision it was decided on.
    #[schema(value_type = u64)]
    pub base_revision: Revision,
    /// The log's head when it was decided: it stands between this position and the next.
    #[schema(value_type = u64)]
    pub base_position: Position,
    /// Content hash of the model that decided.
    pub rules_hash: String,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// The outcome.
    #[serde(flatten)]
    pub result: Outcome,
}

impl Decision {
    /// The position that it stands right after: that of the last event it led to, or the log's head when it was decided.
    pub fn place(&self) -> Position {
        match self.result {
            Outcome::Accepted { position, .. } => position,
            Outcome::Rejected { .. } => self.base_position,
        }
    }

    /// Whether it is this one, from another log: places are of the log that a decision stands in.
    pub fn is_repeated_by(&self, recorded: &Self) -> bool {
        let mut own = self.clone();
        own.sequence = recorded.sequence;
        own.base_position = recorded.base_position;
        own.base_revision = recorded.base_revision;
        if let (
            Outcome::Accepted {
                revision, position, ..
            },
            Outcome::Accepted {
                revision: r,
                position: p,
                ..
            },
        ) = (&mut own.result, &recorded.result)
        {
            (*revision, *position) = (*r, *p);
        }
        let payload = same_text(&own.payload, &recorded.payload);
        own.payload = recorded.payload.clone();
        payload && own == *recorded
    }
}
