//! The runtime: does what updates want done, and tells what came of it.
//!
//! Owns the tasks: one for each request under way, one for the live feed. Everything comes back as a message over one
//! bounded channel. Never touches the model.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use crate::client::{Client, ClientError, Live, LiveCursor, Order, OutboxQuery};
use crate::effect::{Effect, Failure, Reply, Request, Slot};
use crate::model::pipeline::{JOBS, Pipeline, Standing};
use crate::msg::Msg;

/// Pauses between tries to reach the daemon, in seconds; the last one repeats.
const BACK_OFF: [u64; 5] = [1, 2, 4, 8, 15];
/// Live messages taken together at most.
const BATCH_MAX: usize = 256;
/// How long changes are gathered before a screen is loaded again.
const REFRESH_AFTER: Duration = Duration::from_millis(150);

/// Jobs of the stream in front that are asked for.
const STREAM_JOBS: usize = 500;

/// Runs effects.
pub(crate) struct Runtime {
    client: Client,
    messages: mpsc::Sender<Msg>,
    requests: HashMap<Slot, JoinHandle<()>>,
    reconnect: watch::Sender<u64>,
    live: JoinHandle<()>,
}

/// Where the terminal's time comes from.
#[expect(clippy::disallowed_methods, reason = "the terminal's one clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}

impl Runtime {
    pub(crate) fn start(client: Client, messages: mpsc::Sender<Msg>) -> Self {
        let (reconnect, asked) = watch::channel(0);
        let live = tokio::spawn(follow(client.clone(), messages.clone(), asked));
        Self {
            client,
            messages,
            requests: HashMap::new(),
            reconnect,
            live,
        }
    }

    /// Does one effect; `Quit` and `Copy` are the loop's own business.
    pub(crate) fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Ask {
                slot,
                generation,
                request,
            } => {
                let (client, messages) = (self.client.clone(), self.messages.clone());
                let task = tokio::spawn(async move {
                    let reply = ask(&client, *request).await.map_err(|error| spoken(&error));
                    // Nobody listens any more only when the program ends.
                    let _ = messages
                        .send(Msg::Replied {
                            slot,
                            generation,
                            reply: Box::new(reply),
                        })
                        .await;
                });
                if let Some(older) = self.requests.insert(slot, task) {
                    older.abort();
                }
            }
            Effect::Cancel(slot) => {
                if let Some(task) = self.requests.remove(&slot) {
                    task.abort();
                }
            }
            Effect::Reconnect => self.reconnect.send_modify(|times| *times += 1),
            Effect::RefreshSoon => {
                let messages = self.messages.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(REFRESH_AFTER).await;
                    let _ = messages.send(Msg::RefreshDue).await;
                });
            }
            Effect::Quit | Effect::Copy(_) => {}
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.live.abort();
        for (_, task) in self.requests.drain() {
            task.abort();
        }
    }
}

async fn ask(client: &Client, request: Request) -> Result<Reply, ClientError> {
    Ok(match request {
        Request::Streams(query) => Reply::Streams(client.streams(&query).await?),
        Request::Stream(stream) => Reply::Stream(client.stream(&stream).await?),
        Request::Categories => Reply::Categories(client.categories().await?.items),
        Request::State(stream, at) => Reply::State(client.state(&stream, at, false).await?),
        Request::Steps(stream, query) => {
            Reply::Steps(client.steps(&stream, &query).await?.into_page())
        }
        Request::Diff(stream, from, to) => {
            Reply::Diff(client.diff(&stream, from, to, false).await?)
        }
        Request::Decisions(query) => Reply::Decisions(client.decisions(&query).await?),
        Request::Density(None, buckets) => Reply::Density(client.density(buckets).await?),
        Request::Density(Some(stream), buckets) => {
            Reply::Density(client.stream_density(&stream, buckets).await?)
        }
        Request::Model(category) => Reply::Model(client.model(&category).await?),
        Request::WhatIf(story) => Reply::WhatIf(client.what_if(&story, false).await?),
        Request::Events(query) => Reply::Events(client.events(&query).await?),
        Request::Pipeline(handler) => Reply::Pipeline(pipeline(client, handler).await?),
        Request::Standing(stream) => Reply::Standing(standing(client, stream).await?),
        Request::RetryJob(id) => Reply::Job(client.retry_job(id).await?),
        Request::RetryFailed(handler) => Reply::Retried(client.retry_failed(&handler).await?),
        Request::Rebuild(name) => Reply::Run(client.rebuild(&name).await?),
        Request::CancelRebuild(name) => Reply::Run(client.cancel_rebuild(&name).await?),
        Request::Check(name) => Reply::Check(client.check(&name).await?),
        Request::Backfill(body) => Reply::Run(client.backfill(&body).await?),
        Request::CancelBackfill(id) => Reply::Run(client.cancel_backfill(id).await?),
    })
}

/// All that the pipeline screen shows, asked for at once.
async fn pipeline(client: &Client, handler: Option<String>) -> Result<Pipeline, ClientError> {
    let of = |status| OutboxQuery {
        handler: handler.clone(),
        status: Some(status),
        limit: Some(JOBS),
        ..OutboxQuery::default()
    };
    let (failed, busy, waiting) = (
        of(JobStatus::Failed),
        of(JobStatus::Processing),
        of(JobStatus::Pending),
    );
    let (projections, backfills, failed, busy, waiting) = tokio::try_join!(
        client.projections(),
        client.backfills(),
        client.outbox(&failed),
        client.outbox(&busy),
        client.outbox(&waiting),
    )?;
    let lists = [failed, busy, waiting];
    let mut all = Pipeline {
        projections: projections.items,
        backfills: backfills.items,
        ..Pipeline::default()
    };
    for list in lists {
        all.more |= list.next_cursor.is_some();
        all.head = all.head.max(list.head);
        all.handlers = list.handlers;
        // A job may have moved from one list to another between two answers.
        for job in list.items {
            if !all.jobs.iter().any(|known| known.id == job.id) {
                all.jobs.push(job);
            }
        }
    }
    Ok(all)
}

/// The newest jobs of a stream, and how far the projections are.
async fn standing(client: &Client, stream: StreamName) -> Result<Standing, ClientError> {
    let query = OutboxQuery {
        stream: Some(stream.clone()),
        order: Order::Backward,
        limit: Some(STREAM_JOBS),
        ..OutboxQuery::default()
    };
    let (projections, jobs) = tokio::try_join!(client.projections(), client.outbox(&query))?;
    Ok(Standing {
        stream,
        more: jobs.next_cursor.is_some(),
        jobs: jobs.items,
        projections: projections.items,
    })
}

fn spoken(error: &ClientError) -> Failure {
    Failure {
        code: error.code().map(|code| code.to_string()),
        message: error.to_string(),
        hint: error.hint(),
        unreachable: matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::Timeout { .. }
        ),
    }
}

/// Keeps the live feed open: reads it, and when it ends tries again, resuming where it was.
async fn follow(client: Client, messages: mpsc::Sender<Msg>, mut asked: watch::Receiver<u64>) {
    let mut cursor: Option<LiveCursor> = None;
    let mut failures = 0;
    loop {
        let cause = match client.live(cursor).await {
            Ok(mut live) => {
                failures = 0;
                if messages.send(Msg::Connected(now())).await.is_err() {
                    return;
                }
                let cause = read(&mut live, &messages).await;
                cursor = Some(live.cursor()).filter(|cursor| *cursor != LiveCursor::default());
                cause
            }
            Err(error) => Some(error.to_string()),
        };
        let Some(cause) = cause else { return };
        let pause = BACK_OFF
            .get(failures)
            .or(BACK_OFF.last())
            .copied()
            .unwrap_or(15);
        failures += 1;
        let at = now();
        let retry_at = at.plus_micros(i64::try_from(pause * 1_000_000).unwrap_or_default());
        if messages
            .send(Msg::Disconnected {
                at,
                retry_at,
                cause,
            })
            .await
            .is_err()
        {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
            changed = asked.changed() => if changed.is_err() { return },
        }
    }
}

/// Hands the feed's messages on; why it ended, or `None` when nobody listens any more.
async fn read(live: &mut Live, messages: &mpsc::Sender<Msg>) -> Option<String> {
    loop {
        let mut batch = Vec::new();
        match live.next().await {
            Ok(Some(message)) => batch.push(message),
            Ok(None) => return Some("the daemon ended the live feed".to_owned()),
            Err(error) => return Some(error.to_string()),
        }
        // What is there already comes along, so that a burst is one update.
        while batch.len() < BATCH_MAX {
            match tokio::time::timeout(Duration::ZERO, live.next()).await {
                Ok(Ok(Some(message))) => batch.push(message),
                _ => break,
            }
        }
        if messages.send(Msg::Live(batch)).await.is_err() {
            return None;
        }
    }
}
