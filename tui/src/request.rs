//! Requests: what screens ask the daemon, one row each.
//!
//! Owns the table that a request, its slot, its reply and its call are made from, so that none can fit another's. A new
//! question is a row here, a place that asks it and an arm that takes its reply.

use std::time::Duration;

use tokio::sync::mpsc;
use whodunit_core::api::Page;
use whodunit_core::api::branch::{
    BranchCompareOut, BranchIn, BranchOut, BranchPage, BranchPatch, BranchStream,
};
use whodunit_core::api::browse::{Category, DensityOut, ModelOut, Stream};
use whodunit_core::api::causes::{CauseNode, CausesOut, CorrelationOut};
use whodunit_core::api::find::{
    DiffersBy, DiffersOut, FindEnd, FindLine, FindProgress, SummaryOut,
};
use whodunit_core::api::investigate::{BisectIn, BisectOut, BlameOut, FieldOut};
use whodunit_core::api::names::{NameKind, NamesOut};
use whodunit_core::api::pipeline::{
    BackfillIn, BackfillPlan, CheckOut, JobOut, RetriedOut, RunOut,
};
use whodunit_core::api::time_travel::{DiffOut, StateOut, StepsOut};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::api::world::{WorldDiffOut, WorldOut};
use whodunit_core::command::Decision;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use crate::client::{
    At, Changed, Client, ClientError, CompareQuery, DecisionsQuery, DiffQuery, FieldQuery,
    FindQuery, FollowCounts, LiveCursor, LiveItem, Order, Origin, Pipeline, Preview, Sides,
    StreamEventsQuery, StreamStatus, StreamsQuery, Subject, TraceQuery, WhatIfQuery, WorldQuery,
    branch_of,
};
use crate::config::queries::{self, Keep as KeepLine, Kept as KeptLine};
use crate::effect::Ticket;
use crate::model::run::{Found, Of};
use crate::msg::Msg;
use crate::run_request::run;
use crate::scenario_file::{SaveIn, Saved, save};

macro_rules! requests {
    ($client:ident, $parts:ident; $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $reply:ty = $call:expr;)*) => {
        /// A question to the daemon.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Request { $($(#[$doc])* $name($($type),*),)* }

        /// The place in a screen that waits for a reply: one for each kind of request, so that a screen asks one question of
        /// a kind at a time.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Slot { $($name,)* }

        #[cfg(test)]
        impl Slot {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }

        /// What the daemon replied. Always boxed where it waits.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Reply { $($name($reply),)* }

        impl Request {
            pub(crate) fn slot(&self) -> Slot {
                match self { $(Self::$name(..) => Slot::$name,)* }
            }

            /// Asks the daemon; what comes bit by bit goes out in parts.
            pub(crate) async fn send(self, $client: &Client, $parts: &Parts) -> Result<Reply, ClientError> {
                Ok(match self { $(Self::$name($($arg),*) => Reply::$name($call.await?),)* })
            }
        }
    };
}

/// Steps of a what-if that a page asks for.
const STEPS: usize = 200;

fn steps_page(cursor: Option<String>) -> WhatIfQuery {
    WhatIfQuery {
        limit: Some(STEPS),
        cursor,
        ..WhatIfQuery::default()
    }
}

/// Branches of a page.
const BRANCHES: usize = 100;

/// A what-if to be kept as a branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keep {
    pub(crate) name: String,
    /// The branch that it is built on.
    pub(crate) on: Option<String>,
    /// Whether it takes the place of the branch that has the name.
    pub(crate) replace: bool,
    pub(crate) asked: WhatIfIn,
}

fn adopt() -> BranchPatch {
    BranchPatch {
        adopt: Some(true),
        ..BranchPatch::default()
    }
}

async fn keep(client: &Client, kept: Keep) -> Result<BranchOut, ClientError> {
    let branch = branch_of(kept.asked, kept.on.as_deref(), client.person());
    let branch = BranchIn {
        name: Some(kept.name.clone()),
        ..branch
    };
    if kept.replace {
        client.put_branch(&kept.name, &branch).await
    } else {
        client.create_branch(&branch).await
    }
}

/// Values of a field that are asked for.
const FIELD_VALUES: usize = 500;

fn field_query(path: String, at: At) -> FieldQuery {
    FieldQuery {
        path,
        at,
        order: Order::Backward,
        cursor: None,
        limit: Some(FIELD_VALUES),
        reveal: false,
    }
}

/// Parts of the time axis that the density of what was found is asked in.
const FIND_BUCKETS: usize = 240;
/// Values of each facet, and differences, that are asked for.
const FACET_VALUES: usize = 8;
const DIFFERENCES: usize = 8;
/// Names among which a completion offers the most frequent ones.
const NAMES: usize = 200;
/// Lines of a search that make one part at most.
const PART_LINES: usize = 256;

/// Some of a reply that comes bit by bit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) rows: Vec<Subject>,
    pub(crate) progress: Option<FindProgress>,
    /// How far a long run is.
    pub(crate) run: Option<RunOut>,
}

/// Where the parts of a reply go before it is whole.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) ticket: Ticket,
    pub(crate) messages: mpsc::Sender<Msg>,
}

impl Parts {
    async fn send(&self, part: Part) {
        let (ticket, part) = (self.ticket, Box::new(part));
        // The loop is gone only when the program ends.
        let _ = self.messages.send(Msg::Part { ticket, part }).await;
    }

    /// How far a long run is.
    pub(crate) async fn progress(&self, run: RunOut) {
        self.send(Part {
            rows: Vec::new(),
            progress: None,
            run: Some(run),
        })
        .await;
    }
}

/// What a query line finds: what is there already makes one part.
async fn search(client: &Client, query: &FindQuery, parts: &Parts) -> Result<FindEnd, ClientError> {
    let mut lines = client.find(query).await?;
    let mut part = Part {
        rows: Vec::new(),
        progress: None,
        run: None,
    };
    loop {
        let line = if part.rows.is_empty() && part.progress.is_none() {
            Some(lines.next().await)
        } else if part.rows.len() < PART_LINES {
            tokio::time::timeout(Duration::ZERO, lines.next())
                .await
                .ok()
        } else {
            None
        };
        match line.transpose()? {
            Some(Some(FindLine::Event(event))) => part.rows.push(Subject::Event(Box::new(event))),
            Some(Some(FindLine::Decision(decision))) => {
                part.rows.push(Subject::Decision(Box::new(decision)));
            }
            Some(Some(FindLine::Progress(progress))) => part.progress = Some(progress),
            Some(Some(FindLine::End(end))) => {
                parts.send(part).await;
                return Ok(end);
            }
            Some(None) => return Err(client.cut_short()),
            None => {
                let rows = std::mem::take(&mut part.rows);
                let progress = part.progress.take();
                parts
                    .send(Part {
                        rows,
                        progress,
                        run: None,
                    })
                    .await;
            }
        }
    }
}

/// What a live feed brings, one part each; how many there were, once it has ended.
async fn tail(client: &Client, line: &str, after: u64, parts: &Parts) -> Result<u64, ClientError> {
    let after = LiveCursor {
        position: after,
        ..LiveCursor::default()
    };
    let after = (after.position > 0).then_some(after);
    let mut live = client.live_of(after, Some(line)).await?;
    let mut sent = 0;
    while let Some(message) = live.next().await? {
        let row = match message.item {
            LiveItem::Event(event) => Subject::Event(event),
            LiveItem::Decision(decision) => Subject::Decision(decision),
            LiveItem::Head(_) => continue,
        };
        let (rows, progress) = (vec![row], None);
        parts
            .send(Part {
                rows,
                progress,
                run: None,
            })
            .await;
        sent += 1;
    }
    Ok(sent)
}

/// Keeps a line in the user's settings, aside: a disk may be slow.
async fn keep_line(asked: KeepLine) -> Result<KeptLine, ClientError> {
    let name = asked.name.clone();
    let kept = tokio::task::spawn_blocking(move || queries::keep(asked)).await;
    Ok(kept.unwrap_or_else(|error| KeptLine {
        name,
        all: None,
        refused: Some(error.to_string()),
        is_there: false,
    }))
}

requests! { client, parts;
    Streams(query: StreamsQuery) -> Page<Stream> = client.streams(&query);
    /// A further page of the same list.
    MoreStreams(query: StreamsQuery) -> Page<Stream> = client.streams(&query);
    /// The selected stream at a moment, and what led to that.
    Preview(stream: StreamName, at: At) -> Preview = client.preview(stream, at);
    Categories() -> Page<Category> = client.categories();
    Stream(stream: StreamName) -> Stream = client.stream(&stream);
    Steps(stream: StreamName, query: StreamEventsQuery) -> StepsOut = client.steps(&stream, &query);
    State(stream: StreamName, at: At) -> StateOut = client.state(&stream, at, false);
    /// The state as it was recorded at a time, to move there.
    StateAsOf(stream: StreamName, time: Timestamp) -> StateOut = client.state(&stream, At::AsOf(time), false);
    /// Which event set each field.
    Blame(stream: StreamName, at: At) -> BlameOut = client.blame(&stream, at, None, false, false);
    /// The values that a field had up to a revision, newest first.
    Field(stream: StreamName, path: String, at: At) -> FieldOut = client.field(&stream, &field_query(path, at));
    /// The next or previous revision at which a predicate holds.
    RunTo(asked: BisectIn) -> BisectOut = client.bisect(&asked);
    /// What led to an event.
    Origin(of: Subject) -> Origin = client.origin(&of);
    /// What can be followed from an event, counted.
    FollowCounts(of: Subject) -> FollowCounts = client.follow_counts(of);
    /// What a query line finds; the rows come in parts.
    Find(query: FindQuery) -> FindEnd = search(client, &query, parts);
    /// Further rows of the same search.
    MoreFound(query: FindQuery) -> FindEnd = search(client, &query, parts);
    /// What a query line finds, in figures.
    Summary(line: String) -> SummaryOut = client.find_summary(&line, Some(FIND_BUCKETS), Some(FACET_VALUES));
    /// What tells what it finds from the rest.
    Differs(line: String) -> DiffersOut = client.what_differs(&line, DiffersBy::Stream, None, DIFFERENCES);
    /// Keeps a line in the user's settings.
    KeepLine(asked: KeepLine) -> KeptLine = keep_line(asked);
    /// Names that may follow a key of a query line.
    Names(kind: NameKind, prefix: String) -> NamesOut = client.names(kind, &prefix, NAMES);
    /// What the events found did to their streams.
    Changes(events: Vec<(StreamName, Revision)>) -> Vec<Changed> = client.changes(events);
    /// What differs between two points, with what set it.
    Compare(stream: StreamName, query: DiffQuery) -> DiffOut = client.compare(&stream, &query);
    /// Both points with the events that led to them.
    Sides(from: (StreamName, At), to: (StreamName, At)) -> Sides = client.sides(&from, &to);
    /// What led to an event or a command, and what it led to.
    Causes(id: String, query: TraceQuery) -> CausesOut = client.causes(&id, &query);
    /// A further page of the same tree.
    MoreCauses(id: String, query: TraceQuery) -> CausesOut = client.causes(&id, &query);
    /// Everything of a correlation.
    Correlation(id: String, query: TraceQuery) -> CorrelationOut = client.correlation(&id, &query);
    /// A further page of the same correlation.
    MoreCorrelation(id: String, query: TraceQuery) -> CorrelationOut = client.correlation(&id, &query);
    /// A node of a tree as it was recorded.
    Recorded(node: Box<CauseNode>) -> Option<Subject> = client.recorded(&node);
    /// The states of many streams at one moment.
    World(query: WorldQuery) -> WorldOut = client.world(&query);
    /// A further page of the same world.
    MoreWorld(query: WorldQuery) -> WorldOut = client.world(&query);
    /// What differs between two moments.
    WorldDiff(query: WorldQuery) -> WorldDiffOut = client.world_diff(&query);
    /// A further page of the same comparison.
    MoreWorldDiff(query: WorldQuery) -> WorldDiffOut = client.world_diff(&query);
    Decisions(query: DecisionsQuery) -> Page<Decision> = client.decisions(&query);
    StreamDensity(stream: StreamName, buckets: usize) -> DensityOut = client.stream_density(&stream, buckets);
    /// How far jobs and projections are with the stream's events.
    StreamStatus(stream: StreamName) -> StreamStatus = client.stream_status(stream);
    Model(category: String) -> ModelOut = client.model(&category);
    WhatIf(scenario: WhatIfIn) -> WhatIfOut = client.what_if_steps(&scenario, &steps_page(None));
    /// A further page of the same what-if's steps.
    MoreWhatIf(scenario: WhatIfIn, cursor: String) -> WhatIfOut =
        client.what_if_steps(&scenario, &steps_page(Some(cursor)));
    /// A what-if, written to a file with the answer that it has now.
    SaveScenario(asked: SaveIn) -> Saved = save(client, asked);
    /// A long question; how far it is comes in parts.
    Run(of: Of) -> Found = run(client, of, parts);
    /// A what-if, kept as a branch of this name; in the place of another one where that is asked for.
    KeepBranch(kept: Keep) -> BranchOut = keep(client, kept);
    /// Branches, by name.
    Branches() -> BranchPage = client.branches(None, Some(BRANCHES));
    /// A further page of them.
    MoreBranches(cursor: String) -> BranchPage = client.branches(Some(&cursor), Some(BRANCHES));
    /// A branch with all that it says.
    Branch(name: String) -> BranchOut = client.branch(&name);
    RenameBranch(name: String, patch: BranchPatch) -> BranchOut = client.change_branch(&name, &patch);
    /// A branch is right on the log that is here, which is not the one that it was made on.
    AdoptBranch(name: String) -> BranchOut = client.change_branch(&name, &adopt());
    RemoveBranch(name: String) -> BranchOut = client.remove_branch(&name);
    /// What differs from one world to the other.
    CompareBranch(name: String, query: CompareQuery) -> BranchCompareOut<BranchStream> = client.compare_branch(&name, &query);
    /// Further streams that differ.
    MoreCompared(name: String, query: CompareQuery) -> BranchCompareOut<BranchStream> = client.compare_branch(&name, &query);
    /// The newest of the log that a line matches; the rows come in parts.
    Log(query: FindQuery) -> FindEnd = search(client, &query, parts);
    /// Older rows of the same.
    OlderLog(query: FindQuery) -> FindEnd = search(client, &query, parts);
    /// What comes after a position and matches a line, as it is committed. It ends with the daemon.
    Tail(line: String, after: u64) -> u64 = tail(client, &line, after, parts);
    LogDensity(buckets: usize) -> DensityOut = client.density(buckets);
    /// Projections, handlers, backfills, and the jobs of a handler (or all) that are not done.
    Pipeline(handler: Option<String>) -> Pipeline = client.pipeline(handler);
    Check(projection: String) -> CheckOut = client.check(&projection);
    RetryJob(id: u64) -> JobOut = client.retry_job(id);
    RetryFailed(handler: String) -> RetriedOut = client.retry_failed(&handler);
    Rebuild(projection: String) -> RunOut = client.rebuild(&projection);
    CancelRebuild(projection: String) -> RunOut = client.cancel_rebuild(&projection);
    PlanBackfill(body: BackfillIn) -> BackfillPlan = client.plan_backfill(&body);
    Backfill(body: BackfillIn) -> RunOut = client.backfill(&body);
    CancelBackfill(id: u64) -> RunOut = client.cancel_backfill(id);
}
