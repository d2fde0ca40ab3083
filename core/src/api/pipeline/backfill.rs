//! Wire types of backfills.

use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

use crate::time::Timestamp;

/// Body of `POST /v1/backfill`: which events, and which handlers and projections process them again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillIn {
    /// Handlers and projections, by name; at least one. Effects beyond the daemon happen only when named here.
    pub handlers: Vec<String>,
    /// First position; the log's first when absent.
    #[serde(default)]
    pub from_position: Option<u64>,
    /// Last position; the log's head when absent.
    #[serde(default)]
    pub to_position: Option<u64>,
    /// `recorded_at` not before this.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// `recorded_at` not after this.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Exactly this category.
    #[serde(default)]
    pub category: Option<String>,
    /// Only these event types; all when empty.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// The whole log, when no range is given. A backfill through handlers with effects needs a range or this.
    #[serde(default)]
    pub all_history: bool,
    /// Only the plan: nothing is started.
    #[serde(default)]
    pub dry_run: bool,
    /// Confirms the plan and its effects. Required, with `expected_jobs`, for handlers with effects.
    #[serde(default)]
    pub confirm: bool,
    /// The plan's `jobs`. If the plan has changed since, nothing is started.
    #[serde(default)]
    pub expected_jobs: Option<u64>,
}

/// What a backfill would do (200 of `POST /v1/backfill` with `dry_run`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackfillPlan {
    /// First position of the range.
    pub from_position: u64,
    /// Last position of the range.
    pub to_position: u64,
    /// The log's head when the plan was made.
    pub head: u64,
    /// Events in the range that are selected.
    pub events: u64,
    /// Jobs that would be created, all handlers together: mails that would be sent, webhooks that would be called. An event
    /// whose job for the same handler is still open by then gets no second one.
    pub jobs: u64,
    /// The plan of each handler with effects.
    pub handlers: Vec<HandlerPlan>,
    /// Projections whose documents would be re-folded; no effects beyond their read models.
    pub projections: Vec<String>,
}

/// What a backfill would do through one handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandlerPlan {
    /// Its name.
    pub handler: String,
    /// `mail`, `webhook`, ….
    pub kind: String,
    /// Where its effects go. Never a credential.
    pub target: String,
    /// Jobs that would be created.
    pub jobs: u64,
    /// By event type.
    pub event_types: Vec<EventCount>,
}

/// How many events of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// The type.
    pub event_type: String,
    /// The count.
    pub events: u64,
}
