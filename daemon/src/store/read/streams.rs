//! Reading the catalogue: which streams and categories there are, and what is known of them without their events.

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use crate::store::StoreError;

/// The catalogue of streams.
pub trait ReadStreams {
    /// What is known of a stream; `None` when it has no event.
    fn stream(&self, stream: &StreamName) -> Result<Option<StreamInfo>, StoreError>;

    /// Streams that pass the filter, at most `limit`, looking at no more than `budget` streams.
    fn streams(
        &self,
        filter: &StreamFilter,
        order: StreamOrder,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> Result<StreamPage, StoreError>;

    /// All categories, by name.
    fn categories(&self) -> Result<Vec<CategoryInfo>, StoreError>;
}

/// How lists name a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamLabel {
    /// For people, such as a user's email.
    pub title: Option<String>,
    /// Such as `active` or `deleted`.
    pub status: Option<String>,
}

/// What the store knows of a stream without reading its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub stream: StreamName,
    /// Its head; never 0.
    pub revision: Revision,
    /// Position of its first event.
    pub first_position: Position,
    /// Position of its last event.
    pub last_position: Position,
    /// `recorded_at` of its first event.
    pub first_at: Timestamp,
    /// Effective time of its last event: the running maximum of `recorded_at`.
    pub last_at: Timestamp,
    /// Type, actor and reason of its last event.
    pub last_event_type: String,
    /// Actor of its last event.
    pub last_actor: Option<String>,
    /// Reason of its last event.
    pub last_reason: Option<String>,
    /// How lists name it.
    pub label: StreamLabel,
    /// First revision whose `recorded_at` is earlier than its predecessor's effective time, if any.
    pub clock_back_at: Option<Revision>,
}

/// Which streams are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamFilter {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this status.
    pub status: Option<String>,
    /// Occurs, without regard to case, in name or title.
    pub text: Option<String>,
}

/// How a list of streams is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamOrder {
    /// By name, ascending (bytes).
    #[default]
    Name,
    /// By last event's position, newest first.
    Recent,
}

/// Where a page of streams goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamCursor {
    /// After this name, for [`StreamOrder::Name`].
    AfterName(String),
    /// For [`StreamOrder::Recent`]: before this position, in the order that held at this head, which is that of the first
    /// page. Streams that have grown since are listed where they stood then.
    BeforePosition {
        /// The position that the last stream was listed at.
        before: Position,
        /// The head when the first page was read.
        head: Position,
    },
}

/// A page of streams.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamPage {
    /// The streams, in the order asked for.
    pub streams: Vec<StreamInfo>,
    /// Where to go on; `None` at the end. May be set though `streams` is short: the scan budget was used up.
    pub next: Option<StreamCursor>,
    /// How many streams were looked at.
    pub scanned: u64,
}

/// A category and how much it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryInfo {
    /// Its name.
    pub category: String,
    /// How many streams it has.
    pub streams: u64,
    /// How many events they have together.
    pub events: u64,
}
