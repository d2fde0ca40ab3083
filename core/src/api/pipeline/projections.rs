//! Wire types of projections, read models and their consistency check.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::RunOut;
use crate::ids::{Position, Revision};

/// Whether a projection keeps up with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionStatus {
    /// At the log's head, or moving and close to it.
    Live,
    /// Behind, and moving.
    CatchingUp,
    /// Behind, and held back while an import runs: it catches up when that ends or pauses, or when a reader waits for a position.
    WaitsForImport,
    /// Behind, and not moving: `error` says why if it is known.
    Stalled,
}

/// A projection (`GET /v1/projections`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProjectionOut {
    /// Its name, which is its read model's.
    pub name: String,
    /// What it keeps, in one sentence.
    pub description: String,
    /// The log's head.
    pub head: u64,
    /// Position of the last event that its read model reflects.
    pub checkpoint: u64,
    /// Head minus checkpoint.
    pub lag_events: u64,
    /// Seconds since it was last at the log's head; 0 while it is.
    pub lag_seconds: f64,
    /// Events per second, recently.
    pub events_per_second: f64,
    /// Whether it keeps up with the log.
    pub status: ProjectionStatus,
    /// How many documents its read model holds; null while its file cannot be read, which `error` explains.
    pub documents: Option<u64>,
    /// Hash of the projection's code version and of the models it folds by.
    pub rules_hash: String,
    /// The error that stops it, or the last one that did.
    pub error: Option<String>,
    /// The rebuild in progress, or the last one since the daemon started.
    pub rebuild: Option<RunOut>,
    /// The consistency check in progress, or the last one since the daemon started.
    pub check: Option<RunOut>,
}

/// What is wrong with a document of a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The event was not applied.
    Missed,
    /// The event was applied a second time.
    AppliedTwice,
    /// The event was applied after one that follows it.
    OutOfOrder,
    /// The event was applied in order, but the log now holds a different one in its place: it was changed on disk.
    EventChanged,
    /// The event was applied in order but by other rules, with a different result.
    RulesChanged,
    /// The events were applied correctly, but the document is not their result.
    Altered,
    /// The events were applied correctly, but the document is missing.
    Lost,
    /// There is a document but no event it could come from.
    Orphan,
    /// The document is right, but an index does not have it.
    Unindexed,
}

impl FindingKind {
    /// The value as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::AppliedTwice => "applied_twice",
            Self::OutOfOrder => "out_of_order",
            Self::EventChanged => "event_changed",
            Self::RulesChanged => "rules_changed",
            Self::Altered => "altered",
            Self::Lost => "lost",
            Self::Orphan => "orphan",
            Self::Unindexed => "unindexed",
        }
    }
}

/// The first point at which a document and the log diverge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingOut {
    /// What is wrong.
    pub kind: FindingKind,
    /// Key of the document.
    pub key: String,
    /// Position of the first event after which document and log diverge; 0 when no single event is to blame.
    pub position: u64,
    /// Its revision; 0 when no single event is to blame.
    pub revision: u64,
    /// Its type; empty when no single event is to blame.
    pub event_type: String,
    /// A sentence.
    pub detail: String,
}

/// 200 of `POST /v1/projections/{name}/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckOut {
    /// The projection.
    pub projection: String,
    /// The position up to which read model and log were compared.
    pub checkpoint: u64,
    /// Documents compared.
    pub documents: u64,
    /// Events folded.
    pub events: u64,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The first findings, at most 1000, one a document.
    pub findings: Vec<FindingOut>,
    /// How many there are.
    pub findings_total: u64,
}

/// A read model (`GET /v1/read-models`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadModelOut {
    /// Its name.
    pub name: String,
    /// What it keeps, in one sentence.
    pub description: String,
    /// How many documents it holds; `null` while its file cannot be read, and `error` says why.
    pub documents: Option<u64>,
    /// Position of the last event that it reflects.
    pub checkpoint: u64,
    /// Why its file cannot be read now.
    pub error: Option<String>,
    /// The fields that `sort=` takes.
    pub sorts: Vec<String>,
    /// The parameters that find documents by a field, such as `username`.
    pub fields: Vec<String>,
}

/// A document of a read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentOut {
    /// Its key: the stream it is made from.
    pub key: String,
    /// The stream's revision that it reflects.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of that revision's event.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The content.
    #[schema(value_type = Object)]
    pub document: Map<String, Value>,
    /// Position of the last event that its read model reflects: the document is the newest as of this.
    #[serde(default)]
    pub checkpoint: u64,
}

/// A page of a read model (`GET /v1/read-models/{name}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentPage {
    /// The documents, in the order asked for.
    pub items: Vec<DocumentOut>,
    /// Give it back as `cursor` for the next page; `null` at the end. May be set on a short page when the scan budget
    /// was used up.
    pub next_cursor: Option<String>,
    /// Position of the last event that the page reflects.
    pub checkpoint: u64,
    /// The log's head when the page was read.
    pub head: u64,
    /// How many documents were looked at to find these.
    #[serde(default)]
    pub scanned: u64,
}

/// 202 of a query with `min_position=`: the read model did not reach that position within `wait_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotYetOut {
    /// Always `not_yet`.
    pub status: String,
    /// The command's type.
    pub min_position: u64,
    /// Position of the last event that the read model reflects.
    pub checkpoint: u64,
    /// The log's head.
    pub head: u64,
    /// What to do next.
    pub hint: String,
}
