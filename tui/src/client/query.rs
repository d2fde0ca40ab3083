//! Query parameters of the endpoints, typed.

use std::borrow::Cow;
use std::fmt::Display;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::api::what_if::StepSelection;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

/// Parameters on their way into a URL.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(Cow<'static, str>, String)>);

impl Params {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn opt(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push((name.into(), value.to_string()));
        }
    }

    /// Only a set flag is sent: `false` is every flag's default.
    pub(super) fn flag(&mut self, name: &'static str, on: bool) {
        if on {
            self.0.push((name.into(), "true".to_owned()));
        }
    }

    /// A parameter whose name is known only when the program runs.
    fn named(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned().into(), value.to_owned()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()))
    }
}

/// A point of a stream's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// Its head.
    #[default]
    Head,
    /// After this revision.
    Revision(Revision),
    /// As it was recorded at this time.
    AsOf(Timestamp),
}

impl At {
    pub(super) fn params(self) -> Params {
        let mut params = Params::new();
        match self {
            Self::Head => {}
            Self::Revision(revision) => params.opt("at_revision", Some(revision)),
            Self::AsOf(time) => params.opt("as_of", Some(time)),
        }
        params
    }

    pub(super) fn value(self) -> Option<String> {
        match self {
            Self::Head => None,
            Self::Revision(revision) => Some(revision.to_string()),
            Self::AsOf(time) => Some(time.to_string()),
        }
    }
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// From old to new.
    #[default]
    Forward,
    /// From new to old.
    Backward,
}

impl Order {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }
}

/// How a list of streams is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamSort {
    /// By name.
    #[default]
    Name,
    /// By last change, newest first.
    Recent,
}

/// Of the tree of an event, a command or a correlation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceQuery {
    /// Whether the tree of an event or a command begins at the root of its causes.
    pub whole: bool,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Nodes at most.
    pub limit: Option<usize>,
}

impl TraceQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.flag("whole", self.whole);
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params
    }
}

/// Of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiffQuery {
    /// The point compared from.
    pub from: At,
    /// The point compared to.
    pub to: At,
    /// Another stream, of which `to` is a point.
    pub to_stream: Option<StreamName>,
    /// Another branch, of which `to` is a point, or `log`.
    pub to_branch: Option<String>,
    /// Only what is at or below this path.
    pub path: Option<String>,
    /// Whether to tell what set each side.
    pub blame: bool,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl DiffQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        // Left out, `to` is the head; what is no number is a time.
        params.opt("from", self.from.value());
        params.opt("to", self.to.value());
        params.opt("to_stream", self.to_stream.as_ref());
        params.opt("to_branch", self.to_branch.as_ref());
        params.opt("path", self.path.as_ref());
        params.flag("blame", self.blame);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/streams/{stream}/why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyQuery {
    /// The field's path.
    pub path: String,
    /// At which point.
    pub at: At,
    /// Whether causes that only gave the value on are wanted, too.
    pub copies: bool,
    /// Whether the later events are folded again without the one that set the value.
    pub necessity: bool,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl WhyQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = self.at.params();
        params.opt("path", Some(&self.path));
        params.flag("copies", self.copies);
        params.flag("necessity", self.necessity);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/world` and `GET /v1/world/diff`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorldQuery {
    /// Exactly this category.
    pub category: Option<String>,
    /// As recorded at this time.
    pub as_of: Option<Timestamp>,
    /// After the event at this position.
    pub at_position: Option<u64>,
    /// Of two moments the first: a position or a time.
    pub from: Option<String>,
    /// Of two moments the second one.
    pub to: Option<String>,
    /// A condition that must hold.
    pub condition: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Streams at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl WorldQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("category", self.category.as_ref());
        params.opt("as_of", self.as_of);
        params.opt("at_position", self.at_position);
        params.opt("from", self.from.as_ref());
        params.opt("to", self.to.as_ref());
        params.opt("where", self.condition.as_ref());
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/streams`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamsQuery {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this status.
    pub status: Option<String>,
    /// Occurs in name or title, without regard to case.
    pub matching: Option<String>,
    /// The order.
    pub sort: StreamSort,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
}

impl StreamsQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("category", self.category.as_ref());
        params.opt("status", self.status.as_ref());
        params.opt("match", self.matching.as_ref());
        if self.sort == StreamSort::Recent {
            params.opt("sort", Some("recent"));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params
    }
}

/// Of `GET /v1/streams/{stream}/events` and `…/steps`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamEventsQuery {
    /// The first revision wanted, instead of a cursor.
    pub from: Option<Revision>,
    /// Which way.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl StreamEventsQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("from", self.from);
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/streams/{stream}/field`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldQuery {
    /// The field's path.
    pub path: String,
    /// Up to which point.
    pub at: At,
    /// Which way.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Values at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl FieldQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = self.at.params();
        params.opt("path", Some(&self.path));
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/events`. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventsQuery {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this event type.
    pub event_type: Option<String>,
    /// Exactly this actor.
    pub actor: Option<String>,
    /// Exactly this correlation id.
    pub correlation: Option<String>,
    /// Recorded not before this.
    pub since: Option<Timestamp>,
    /// Recorded not after this.
    pub until: Option<Timestamp>,
    /// Occurs anywhere in the event, without regard to case.
    pub text: Option<String>,
    /// Which way.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl EventsQuery {
    fn filter_params(&self) -> Params {
        let mut params = Params::new();
        params.opt("category", self.category.as_ref());
        params.opt("type", self.event_type.as_ref());
        params.opt("actor", self.actor.as_ref());
        params.opt("correlation", self.correlation.as_ref());
        params.opt("since", self.since);
        params.opt("until", self.until);
        params.opt("text", self.text.as_ref());
        params
    }

    pub(super) fn params(&self) -> Params {
        let mut params = self.filter_params();
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/decisions`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionsQuery {
    /// Exactly this stream.
    pub stream: Option<StreamName>,
    /// A query line that they match.
    pub line: Option<String>,
    /// Only rejected (`Some(true)`) or only accepted (`Some(false)`) ones.
    pub rejected: Option<bool>,
    /// Which way.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl DecisionsQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("stream", self.stream.as_ref());
        params.opt("q", self.line.as_ref());
        params.opt(
            "outcome",
            self.rejected
                .map(|rejected| if rejected { "rejected" } else { "accepted" }),
        );
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/export`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportQuery {
    /// Which events. Its order, cursor and limit say nothing here.
    pub filter: EventsQuery,
    /// Only this stream.
    pub stream: Option<StreamName>,
    /// Only what this query line matches.
    pub line: Option<String>,
    /// Whether to include secrets. An export without them says so and cannot be restored as it was.
    pub reveal: bool,
}

impl ExportQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = self.filter.filter_params();
        params.opt("stream", self.stream.as_ref());
        params.opt("q", self.line.as_ref());
        params.flag("reveal", self.reveal);
        params
    }
}

/// Of `GET /v1/outbox`. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxQuery {
    /// Exactly this handler.
    pub handler: Option<String>,
    /// Exactly this status.
    pub status: Option<JobStatus>,
    /// Exactly this stream.
    pub stream: Option<StreamName>,
    /// Which way: by the jobs' numbers.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
}

impl OutboxQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("handler", self.handler.as_ref());
        params.opt("status", self.status.map(JobStatus::as_str));
        params.opt("stream", self.stream.as_ref());
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        params
    }
}

/// How far a read model must have come before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wait {
    /// The position that it must reflect.
    pub min_position: Option<u64>,
    /// How long the daemon may wait for that, in milliseconds; its own default when absent.
    pub wait_ms: Option<u64>,
}

impl Wait {
    pub(super) fn add_to(self, params: &mut Params) {
        params.opt("min_position", self.min_position);
        params.opt("wait_ms", self.wait_ms);
    }
}

/// Of `GET /v1/read-models/{name}`. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentsQuery {
    /// Occurs in a field that is searched, without regard to case.
    pub matching: Option<String>,
    /// `/pointer=value`, any number of them.
    pub filters: Vec<String>,
    /// The read model's own fields, such as `username`, with the value wanted.
    pub fields: Vec<(String, String)>,
    /// The field to sort by; the read model's own choice when absent.
    pub sort: Option<String>,
    /// Which way.
    pub order: Order,
    /// Where to go on.
    pub cursor: Option<String>,
    /// Items at most.
    pub limit: Option<usize>,
    /// How far the read model must have come.
    pub wait: Wait,
}

impl DocumentsQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        params.opt("match", self.matching.as_ref());
        for filter in &self.filters {
            params.named("filter", filter);
        }
        for (name, value) in &self.fields {
            params.named(name, value);
        }
        params.opt("sort", self.sort.as_ref());
        if self.order == Order::Backward {
            params.opt("order", Some(self.order.word()));
        }
        params.opt("cursor", self.cursor.as_ref());
        params.opt("limit", self.limit);
        self.wait.add_to(&mut params);
        params
    }
}

/// Query of `POST /v1/what-if`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhatIfQuery {
    /// Which steps are listed.
    pub steps: StepSelection,
    /// Steps at most.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Whether to show secrets.
    pub reveal: bool,
}

impl WhatIfQuery {
    pub(super) fn params(&self) -> Params {
        let mut params = Params::new();
        match self.steps {
            StepSelection::Changed => {}
            StepSelection::All => params.opt("steps", Some("all")),
        }
        params.opt("limit", self.limit);
        params.opt("cursor", self.cursor.as_deref());
        params.flag("reveal", self.reveal);
        params
    }
}
