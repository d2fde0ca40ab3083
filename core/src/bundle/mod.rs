//! Incident files: what belongs to an incident, redacted, in one file that is read anywhere.
//!
//! Owns what such a file says beside the records of the log, how a whole one is written and read, and the page and the post-mortem draft that
//! are made of it. A file is an export of some streams, whole from their beginnings, with further lines: the incident as the daemon told it, branches and
//! scenarios. Never opens a file.

mod here;
mod html;
mod markdown;
mod read;
mod story;
mod write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::branch::{BranchFlip, BranchStream};
use crate::api::causes::CauseNode;
use crate::branch::{Branch, LogPoint};
use crate::command::Decision;
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::ids::{Revision, StreamName};
use crate::json::State;
use crate::note::Note;
use crate::time::Timestamp;
use crate::transfer::ExportHeader;

pub use self::html::to_html;
pub use self::markdown::to_markdown;
pub use self::read::{BadBundle, is_bundle, read};
pub use self::write::{BundleRecord, write};

/// Format of the file.
pub const BUNDLE_FORMAT: u32 = 1;
/// Bytes of an incident file that are read.
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;
/// Scenarios that a request may add.
pub const BUNDLE_SCENARIOS_MAX: usize = 100;
/// Bytes of a scenario.
pub const BUNDLE_SCENARIO_BYTES_MAX: usize = 64 << 10;

/// What an incident file is asked to be about: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleIn {
    /// The id of an event or a command: its causes, what it led to, and everything of the correlations of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<String>,
    /// A correlation id: everything of it, with its causes and what it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// A stream: its history, the causes of its events, and what its last event led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// Scenarios (TOML) that go into the file beside those that are made of the incident.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<String>,
}

/// What happened, as the daemon that wrote the file tells it: computed from the whole log, before anything was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// What was asked for.
    pub asked: BundleIn,
    /// When the file was written.
    pub written_at: Timestamp,
    /// The program that wrote it.
    pub written_by: String,
    /// The log that it is of, up to where.
    pub log: LogPoint,
    /// The rules that were in use.
    pub models: Vec<RulesInUse>,
    /// The event that it is about.
    pub subject: Option<String>,
    /// Its causes, its direct one first.
    pub causes: Vec<CauseNode>,
    /// What it led to, each before its effects.
    pub effects: Vec<CauseNode>,
    /// Batches: everything that has a correlation id with the event or a cause of it.
    pub correlations: Vec<Batch>,
    /// What the event and each cause of it changed.
    pub changes: Vec<EventChange>,
    /// What was done to each stream, the event's own first.
    pub streams: Vec<StreamPart>,
    /// What was tried: branches about these streams.
    pub what_ifs: Vec<WhatIfPart>,
    /// What is not in the file though it belongs to the incident, or may.
    pub left_out: Vec<LeftOut>,
}

/// The rules of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesInUse {
    /// The model's name.
    pub name: String,
    /// The category.
    pub category: String,
    /// Hash of its content.
    pub rules_hash: String,
}

/// Everything that has a correlation id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The id.
    pub correlation_id: String,
    /// Its events.
    pub events: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// The streams that it has events of.
    pub streams: Vec<StreamName>,
    /// Whether there may be more than were looked at.
    pub more: bool,
}

/// What an event changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventChange {
    /// The event.
    pub event_id: String,
    /// The differences.
    pub diff: Vec<DiffEntry>,
}

/// What the incident did to a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamPart {
    /// The stream.
    pub stream: StreamName,
    /// Its title.
    pub title: Option<String>,
    /// Whether the event, or a cause or an effect of it, is one of its events.
    pub in_chain: bool,
    /// Its last revision in the log.
    pub head: Revision,
    /// The last revision in the file; `None` where the stream is not in it.
    pub included: Option<Revision>,
    /// The revision before the incident's first event.
    pub revision_before: Revision,
    /// That of its last one.
    pub revision_after: Revision,
    /// Events of the incident.
    pub events: u64,
    /// Commands that were refused.
    pub refused: u64,
    /// The state before; for the event's own stream.
    pub before: Option<State>,
    /// The state after; for the event's own stream.
    pub after: Option<State>,
    /// The differences between the two.
    pub diff: Vec<DiffEntry>,
    /// Why there are none, where they could not be told.
    pub failed: Option<String>,
}

/// A branch, and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIfPart {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub note: Option<String>,
    /// Who made it.
    pub actor: Option<String>,
    /// What it supposes, a line each.
    pub supposes: Vec<String>,
    /// What differs, in a sentence.
    pub answer: String,
    /// Commands that ended otherwise.
    pub flips: Vec<BranchFlip>,
    /// How many there are.
    pub flips_total: u64,
    /// Streams that differ.
    pub streams: Vec<BranchStream>,
    /// How many there are.
    pub streams_total: u64,
    /// Why it has no answer.
    pub failed: Option<String>,
}

/// Something that is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// Of what, and why.
    pub what: String,
}

/// A scenario in an incident file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioText {
    /// What it says, in a sentence.
    pub name: String,
    /// The scenario, as a file.
    pub toml: String,
}

/// An incident file that was read whole.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Its first line.
    pub header: ExportHeader,
    /// What happened.
    pub incident: Incident,
    /// Events, in the order of the log.
    pub events: Vec<Event>,
    /// Decisions, in the order of the log.
    pub decisions: Vec<Decision>,
    /// Notes about its streams.
    pub notes: Vec<Note>,
    /// Branches about its streams, as they are kept in the log that it is of.
    pub branches: Vec<Branch>,
    /// Scenarios.
    pub scenarios: Vec<ScenarioText>,
    /// The checksum that its last line says.
    pub sha256: String,
}

#[cfg(test)]
mod tests;
