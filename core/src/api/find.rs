//! Wire types of finding: what a query line finds, page by page or line by line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::branch::BranchRead;
use super::browse::DensityOut;
use super::is_false;
use crate::time::Timestamp;

/// Something that a query line found: an event, or, where the line asks for decisions, `{"decision": Decision}`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FoundItem<E, D> {
    /// An event.
    Event(E),
    /// A decision.
    Decision(FoundDecision<D>),
}

/// A decision among what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundDecision<D> {
    /// It.
    pub decision: D,
}

/// A page of what a query line finds (`GET /v1/events`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindPage<T> {
    /// What was found, in the order asked for.
    pub items: Vec<T>,
    /// Give it back as `cursor` for the next page; `null` at the end. May be set on a short or empty page when the bounds on
    /// what is looked at were reached before the page was full.
    pub next_cursor: Option<String>,
    /// The log's head when the page was read.
    pub head: u64,
    /// How many entries were looked at to find these.
    #[serde(default)]
    pub scanned: u64,
    /// The query line with its times in full; absent where nothing in particular was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Records of which the line says neither yes nor no; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<UndecidedOut>,
    /// Which indexes were used; absent for decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexUse>,
    /// Names in the line that the log does not know at all: no event has them. Absent where all are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_names: Vec<UnknownName>,
    /// Whether the log is a redacted copy: some of what its events say is not what was recorded. Absent where it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted_copy: bool,
}

/// Which indexes a search used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IndexUse {
    /// What was looked up, in place of reading all events: keys of terms (`type`, `actor`, `category`, `correlation`, `stream`,
    /// `since`, `until`), or a field whose values are indexed (`state.email`). Empty where everything was read.
    pub used: Vec<String>,
    /// Why the values of an indexed field that the line asks for were not looked up; absent where they were, and where it asks
    /// for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_used: Option<String>,
}

/// A name in a query line that no event has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnknownName {
    /// The key before it: `type`, `actor`, `category`, `stream`, `correlation` or `rule`.
    pub key: String,
    /// The name.
    pub name: String,
    /// Names that are known and near to it.
    pub did_you_mean: Vec<String>,
}

impl UnknownName {
    /// What is said of it, as a sentence without its full stop.
    pub fn sentence(&self) -> String {
        let (key, name) = (&self.key, crate::text::shown(&self.name));
        match key.as_str() {
            "rule" => format!("no command was refused by the rule `{name}`"),
            _ => format!("no event has the {key} `{name}`"),
        }
    }
}

/// Records of which a query line says neither yes nor no. They are not among what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndecidedOut {
    /// How many there are because the condition needs a value that is missing or of another type.
    pub undefined: u64,
    /// How many could not be decided within the bounds: of these it is not known whether they match.
    pub unknown: u64,
    /// The position of the first one met, or the sequence of a decision.
    pub first: u64,
    /// Why, of that one.
    pub reason: String,
}

impl UndecidedOut {
    /// Adds those of a later page.
    pub fn add(&mut self, other: &Self) {
        if self.undefined + self.unknown == 0 {
            other.clone_into(self);
            return;
        }
        self.undefined += other.undefined;
        self.unknown += other.unknown;
    }
}

/// A line of what a query line finds, as it is found (`GET /v1/events` as NDJSON).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a line is made, written and dropped: lists keep what is in it"
)]
pub enum FindLine<E, D> {
    /// An event that matches.
    Event(E),
    /// A decision that matches.
    Decision(D),
    /// How far it is.
    Progress(FindProgress),
    /// The last line.
    End(FindEnd),
}

/// How far the search is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindProgress {
    /// How many entries were looked at so far.
    pub scanned: u64,
    /// How many matched.
    pub matches: u64,
    /// The position, or the sequence of a decision, that is looked at next.
    pub next: u64,
    /// The last of them in the log.
    pub last: u64,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindEnd {
    /// The query line with its times in full.
    pub query: String,
    /// How many entries were looked at.
    pub scanned: u64,
    /// How many matched.
    pub matches: u64,
    /// Whether everything was looked at; otherwise as many were found as were asked for.
    pub complete: bool,
    /// Where to go on; `null` when everything was looked at.
    #[schema(required)]
    pub next_cursor: Option<String>,
    /// The log's head when the search began: what is logged later is not looked at.
    pub head: u64,
    /// Records of which the line says neither yes nor no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<UndecidedOut>,
    /// Which indexes were used; absent for decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexUse>,
    /// Names in the line that the log does not know at all: no event has them. Absent where all are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_names: Vec<UnknownName>,
    /// Whether the log is a redacted copy. Absent where it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted_copy: bool,
    /// The branch that was read; absent for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchRead>,
}

/// What a query line finds, in figures (`GET /v1/find/summary`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SummaryOut {
    /// The query line with its times in full.
    pub query: String,
    /// How many events match, of those that were looked at.
    pub matches: u64,
    /// In how many streams.
    pub streams: u64,
    /// How many entries were looked at.
    pub scanned: u64,
    /// Whether everything was looked at. If not, all figures are of the newest events, from `down_to` on.
    pub complete: bool,
    /// The last position that was looked at; `null` when everything was.
    #[schema(required)]
    pub down_to: Option<u64>,
    /// How the matches are spread over time, between the first and the last of them; `null` when there are none.
    #[schema(required)]
    pub density: Option<DensityOut>,
    /// The most frequent types, actors, categories and streams.
    pub facets: Vec<Facet>,
    /// The log's head.
    pub head: u64,
    /// Events of which the line says neither yes nor no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided: Option<UndecidedOut>,
    /// Whether the log is a redacted copy. Absent where it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted_copy: bool,
}

/// How often each value of a field stands among what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Facet {
    /// The key of the field in a query line.
    pub key: String,
    /// The most frequent values, the most frequent first.
    pub values: Vec<FacetValue>,
    /// How many further values there are.
    pub more_values: u64,
    /// How many events have one of those.
    pub more_events: u64,
    /// Whether all values were kept apart. If not, those of the rest are among `more_events`, and the order is of those kept.
    pub exact: bool,
}

/// A value and how often it stands among what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// The value; `null` where the field is absent.
    #[schema(required)]
    pub value: Option<String>,
    /// How many events have it.
    pub events: u64,
}

/// What tells the selection of a query line from the rest (`GET /v1/what-differs`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffersOut {
    /// The query line with its times in full.
    pub query: String,
    /// What to compare.
    pub by: DiffersBy,
    /// How many are selected: streams with an event that matches, or events that match.
    pub selected: u64,
    /// How many they are compared with: the others of the same categories.
    pub rest: u64,
    /// The moment at which the rest is looked at: that of the selection's middle one. `null` where events are compared, each of
    /// which has its own.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    pub moment: Option<Timestamp>,
    /// Streams of the rest that had no event yet at that moment; they are not among the rest.
    pub not_yet: u64,
    /// Whether all of the selection and the rest was looked at. If not, `selected` and `rest` say how many were.
    pub complete: bool,
    /// The differences, the most surprising first.
    pub differences: Vec<DifferenceOut>,
    /// How many values were looked at to find these.
    pub looked_at: u64,
    /// How many values had no room: of fields with very many.
    pub left_out: u64,
    /// The log's head.
    pub head: u64,
    /// Whether the log is a redacted copy. Absent where it is not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted_copy: bool,
}

/// What to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiffersBy {
    /// Streams with an event that matches, each as it was before the first of them, with the other streams of their categories.
    #[default]
    Stream,
    /// Events that match, each with the state before it, with the other events of their categories.
    Event,
}

/// A value that the selection has more often than the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceOut {
    /// What has the value: `before.status` is a field of the state before.
    pub attribute: String,
    /// The value; `null` for its absence.
    #[schema(required)]
    pub value: Option<String>,
    /// How many of the selection have it.
    pub selected: u64,
    /// How many of the rest have it.
    pub rest: u64,
    /// The log-likelihood ratio G², by which differences are sorted.
    pub g2: f64,
    /// The share of the selection less that of the rest.
    pub difference: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end of it.
    pub high: f64,
    /// The chance that any of the values looked at differs so much when nothing does.
    pub p: f64,
}
