//! Wire types of time travel: state, steps, diff.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Page;
use super::branch::BranchRead;
use super::investigate::EventCause;
use super::warning::Warning;
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::fold::{EventEffect, Fault};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// The state of a stream at a revision (`GET /v1/streams/{stream}/state`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision; 0 is the empty state.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of that revision's event; `null` at revision 0.
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// When that event was recorded; `null` at revision 0.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recorded_at: Option<Timestamp>,
    /// The state.
    #[schema(value_type = Object)]
    pub state: Map<String, Value>,
    /// JSON Pointers, from the state's root, of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The stream's head, to tell the past from the present.
    #[schema(value_type = u64)]
    pub head_revision: Revision,
    /// The model that folded it, such as `users`; `merge` when none was asked for.
    pub model: String,
    /// Content hash of its rules.
    pub rules_hash: String,
    /// Revision of the snapshot the fold started from; 0 when it started from the beginning.
    #[schema(value_type = u64)]
    pub snapshot_revision: Revision,
    /// Events that could not be applied on the way, the first twenty.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// How many events could not be applied on the way.
    #[serde(default)]
    pub faults_total: u64,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A page of steps (`GET /v1/streams/{stream}/steps`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepsOut<S = Step> {
    /// The steps, in the order asked for.
    pub items: Vec<S>,
    /// Send it as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// The log's head when the page was read.
    pub head: u64,
    /// How many events were looked at.
    #[serde(default)]
    pub scanned: u64,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

impl StepsOut {
    /// A page without warnings.
    pub fn into_page(self) -> Page<Step> {
        Page {
            items: self.items,
            next_cursor: self.next_cursor,
            head: self.head,
            scanned: self.scanned,
            redacted_copy: false,
        }
    }
}

/// An event and what it did to the state (`GET /v1/streams/{stream}/steps`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The event.
    pub event: Event,
    /// The changes to the state.
    pub diff: Vec<DiffEntry>,
    /// Whether the event was applied, is unknown to the model, or failed.
    pub applied: EventEffect,
    /// The payload after upcasting, when the stored one is of an older schema version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upcast: Option<UpcastOut>,
}

/// A payload brought to its current shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UpcastOut {
    /// The event type it is read as.
    pub event_type: String,
    /// The schema version it is read as.
    pub schema_version: u32,
    /// The payload in that shape.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

/// What set a value on one side of a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffSetBy {
    /// The revision that last set it, or removed it where it is not there; 0 for what the model's initial state has.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The event of that revision; `null` for revision 0.
    #[schema(required)]
    pub event: Option<EventCause>,
}

/// What set both sides of a difference. The later side of what was removed names what removed it; any other side without a
/// value names nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffBlame {
    /// The path of the difference.
    pub path: String,
    /// What set the side compared from.
    #[schema(required)]
    pub before: Option<DiffSetBy>,
    /// What set the side compared to.
    #[schema(required)]
    pub after: Option<DiffSetBy>,
}

/// The differences between two revisions (`GET /v1/streams/{stream}/diff`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision compared from.
    #[schema(value_type = u64)]
    pub from: Revision,
    /// The revision compared to; may be the earlier one.
    #[schema(value_type = u64)]
    pub to: Revision,
    /// The stream compared to, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to_stream: Option<StreamName>,
    /// The branch compared to, where the comparison is across worlds; absent for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_branch: Option<BranchRead>,
    /// The path that was compared, where not all was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The differences.
    pub diff: Vec<DiffEntry>,
    /// What set both sides of each difference, in the same order, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Vec<DiffBlame>>,
    /// JSON Pointers of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}
