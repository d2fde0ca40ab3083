//! Wire types of operations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::verify::StartVerification;

/// `GET /v1/health` (always 200 while the process answers) and `GET /v1/ready` (503 unless it takes requests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthOut {
    /// `ok`, `shutting_down`, or `read_only` while nothing can be recorded.
    pub status: String,
    /// Why nothing can be recorded, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_because: Option<String>,
    /// The store's id: given when it was made, and in every file that belongs to it.
    #[serde(default)]
    pub store_id: String,
    /// The daemon's version.
    pub version: String,
    /// The log's head.
    pub head: u64,
    /// How many decisions are on record.
    pub decisions: u64,
    /// The head's hash, in hexadecimal: another, if any event or decision were changed, removed, inserted or moved. The last
    /// line of an export of the whole log has it too.
    #[serde(default)]
    pub head_hash: String,
    /// How many streams there are.
    pub streams: u64,
    /// Whether the log is a redacted copy: it was imported from an export without secrets, so some of what its events say
    /// is not what was recorded. Every reply of such a daemon says so in the header `whodunit-redacted-copy`.
    #[serde(default)]
    pub redacted_copy: bool,
    /// Bytes of the store's file.
    pub store_bytes: u64,
    /// The verification of ends and counts that the daemon made when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at_start: Option<StartVerification>,
    /// Seconds since the daemon began to serve.
    pub uptime_seconds: u64,
}
