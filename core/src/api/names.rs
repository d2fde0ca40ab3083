//! Wire types of names: what there is, by its beginning.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NameKind {
    /// Event types.
    Type,
    /// Actors.
    Actor,
    /// Categories.
    Category,
    /// Streams.
    Stream,
    /// Correlation ids. They have no index by name: those of the newest events are looked at.
    Correlation,
    /// Fields, as conditions write them. They have no index: what changed last is looked at.
    Field,
}

impl NameKind {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Actor => "actor",
            Self::Category => "category",
            Self::Stream => "stream",
            Self::Correlation => "correlation",
            Self::Field => "field",
        }
    }
}

/// Names that begin with a text (`GET /v1/names`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamesOut {
    /// The names: by name, but correlation ids newest first.
    pub items: Vec<NameOut>,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// Whether the whole log was looked at. If not, names and counts are of the newest events.
    pub complete: bool,
}

/// A name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameOut {
    /// It.
    pub name: String,
    /// How many events have it; of a field of states, how many of the streams that were looked at.
    pub events: u64,
}
