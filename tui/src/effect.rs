//! Effects: what an update wants done, as data.
//!
//! Owns the vocabulary between the pure update and the runtime. An update never does any of it itself.

use whodunit_core::api::Page;
use whodunit_core::api::browse::{Category, DensityOut, ModelOut, Stream};
use whodunit_core::api::pipeline::{BackfillIn, CheckOut, JobOut, RetriedOut, RunOut};
use whodunit_core::api::time_travel::{DiffOut, StateOut, Step};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;

use crate::client::{At, DecisionsQuery, EventsQuery, StreamEventsQuery, StreamsQuery};
use crate::model::pipeline::{Pipeline, Standing};

/// Something to be done outside the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// End the program.
    Quit,
    /// Put a text on the clipboard.
    Copy(String),
    /// Ask the daemon; the answer comes back with the same slot and generation. A newer request of a slot cancels the
    /// older one.
    Ask {
        slot: Slot,
        generation: u64,
        request: Box<Request>,
    },
    /// Give up on a request.
    Cancel(Slot),
    /// Try to reach the daemon now instead of waiting.
    Reconnect,
    /// Look at the daemon's answer again after a moment: many events in a row make one refresh.
    RefreshSoon,
}

/// The place in the model that waits for an answer. Each has at most one request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Slot {
    Streams,
    MoreStreams,
    Preview,
    Categories,
    Stream,
    Steps,
    Decisions,
    Density,
    State,
    Diff,
    Jump,
    Model,
    WhatIf,
    Log,
    OlderLog,
    LogDecisions,
    LogDensity,
    Pipeline,
    /// Where the stream in front stands in the pipeline.
    Standing,
    /// Something done to the pipeline.
    PipelineAct,
    Check,
}

/// A question to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    Streams(StreamsQuery),
    Stream(StreamName),
    Categories,
    State(StreamName, At),
    Steps(StreamName, StreamEventsQuery),
    Diff(StreamName, At, At),
    Decisions(DecisionsQuery),
    Density(Option<StreamName>, usize),
    Model(String),
    WhatIf(WhatIfIn),
    Events(EventsQuery),
    /// Projections, handlers, backfills, and the jobs of a handler (or all) that are not done.
    Pipeline(Option<String>),
    Standing(StreamName),
    RetryJob(u64),
    RetryFailed(String),
    Rebuild(String),
    CancelRebuild(String),
    Check(String),
    Backfill(BackfillIn),
    CancelBackfill(u64),
}

/// An answer of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Streams(Page<Stream>),
    Stream(Stream),
    Categories(Vec<Category>),
    State(StateOut),
    Steps(Page<Step>),
    Diff(DiffOut),
    Decisions(Page<Decision>),
    Density(DensityOut),
    Model(ModelOut),
    WhatIf(WhatIfOut),
    Events(Page<Event>),
    Pipeline(Pipeline),
    Standing(Standing),
    Job(JobOut),
    Retried(RetriedOut),
    Run(RunOut),
    Check(CheckOut),
}

/// Why there is no answer, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The problem's stable code, if the daemon answered with one.
    pub(crate) code: Option<String>,
    /// What failed.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Whether the daemon could not be reached at all.
    pub(crate) unreachable: bool,
}
