//! Requests: what screens ask the daemon, one row each.
//!
//! Owns the table that a request, its slot, its reply and its call are made from, so that none can fit another's. A new
//! question is a row here, a place that asks it and an arm that takes its reply.

use whodunit_core::api::Page;
use whodunit_core::api::browse::{Category, DensityOut, ModelOut, Stream};
use whodunit_core::api::investigate::{BisectIn, BisectOut, BlameOut, FieldOut};
use whodunit_core::api::pipeline::{
    BackfillIn, BackfillPlan, CheckOut, JobOut, RetriedOut, RunOut,
};
use whodunit_core::api::time_travel::{DiffOut, StateOut, StepsOut};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use crate::client::{
    At, Changed, Client, ClientError, DecisionsQuery, EventsQuery, FieldQuery, FollowCounts, Order,
    Origin, Pipeline, Preview, StreamEventsQuery, StreamStatus, StreamsQuery, Subject, WhatIfQuery,
};

macro_rules! requests {
    ($client:ident; $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $reply:ty = $call:expr;)*) => {
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
        #[expect(clippy::large_enum_variant, reason = "it is boxed where it waits")]
        pub(crate) enum Reply { $($name($reply),)* }

        impl Request {
            pub(crate) fn slot(&self) -> Slot {
                match self { $(Self::$name(..) => Slot::$name,)* }
            }

            /// Asks the daemon.
            pub(crate) async fn send(self, $client: &Client) -> Result<Reply, ClientError> {
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

requests! { client;
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
    Find(query: EventsQuery) -> Page<Event> = client.events(&query);
    /// A further page of the same search.
    MoreFound(query: EventsQuery) -> Page<Event> = client.events(&query);
    /// What the events found did to their streams.
    Changes(events: Vec<(StreamName, Revision)>) -> Vec<Changed> = client.changes(events);
    Diff(stream: StreamName, from: At, to: At) -> DiffOut = client.diff(&stream, from, to, false);
    Decisions(query: DecisionsQuery) -> Page<Decision> = client.decisions(&query);
    StreamDensity(stream: StreamName, buckets: usize) -> DensityOut = client.stream_density(&stream, buckets);
    /// How far jobs and projections are with the stream's events.
    StreamStatus(stream: StreamName) -> StreamStatus = client.stream_status(stream);
    Model(category: String) -> ModelOut = client.model(&category);
    WhatIf(scenario: WhatIfIn) -> WhatIfOut = client.what_if_steps(&scenario, &steps_page(None));
    /// A further page of the same what-if's steps.
    MoreWhatIf(scenario: WhatIfIn, cursor: String) -> WhatIfOut =
        client.what_if_steps(&scenario, &steps_page(Some(cursor)));
    Log(query: EventsQuery) -> Page<Event> = client.events(&query);
    /// A further page of the same events.
    OlderLog(query: EventsQuery) -> Page<Event> = client.events(&query);
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
