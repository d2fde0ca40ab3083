//! Causes over HTTP: what led to an event or command and what it led to, and everything of a correlation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::causes::{
    CauseFinding, CauseJob, CauseKind, CauseNode, CauseOutcome, CausesOut, CorrelationOut,
    ImpactPage, StreamImpact,
};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::causes::{self, Findings, NODES_MAX, Records as _};
use whodunit_core::ids::Position;
use whodunit_core::shown::Shown;
use whodunit_core::time::Timestamp;

use super::branch_view::answer_in;
use super::common::{asked_to_reveal, bad_cursor, bounded, page_limit};
use super::error::ApiError;
use super::extract::{PathText, Query};
use super::impact::{self, Impacts};
use super::reply::Written;
use crate::causes::LogUntil;
use crate::daemon::Parts;
use crate::limits::{CORRELATION_STREAMS_MAX, IMPACTS_DEFAULT, IMPACTS_MAX};
use crate::store::{Head, StoreError, View};
use crate::time_travel::redacted_copy;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CausesParams {
    /// Whether the tree begins at the root of the causes instead of at what was asked for.
    whole: Option<bool>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Nodes at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// What led to an event or a command, up to the first cause, and what it led to, across streams: events, commands (refused
/// ones too) and jobs. What does not fit together is among the findings: causes that are not on record, causes that lead back to
/// where they began, effects before their causes.
#[utoipa::path(get, path = "/v1/events/{event_id}/causes", tag = "time travel",
    params(("event_id" = String, Path, description = "an event's id, or a command's"), CausesParams),
    responses((status = 200, body = CausesOut), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_event`: no event and no command has this id")))]
pub(crate) async fn get_causes(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(params): Query<CausesParams>,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let cursor = params.cursor.as_deref().map(read_cursor).transpose()?;
    let warnings = redacted_copy(parts.store.as_ref());
    answer_in(&parts, params.branch, move |view| {
        let (head, offset) = cursor.unwrap_or((view.head(), 0));
        let mut log = LogUntil { view, head };
        // An event, as this is its address; a command where no event has the id.
        let asked = match log.event(&id)? {
            Some(event) => Some(event),
            None => log.command(&id)?,
        };
        let asked = asked.ok_or_else(|| no_such_event(&id))?;
        let mut findings = Findings::default();
        let chain = causes::chain(&mut log, &asked, &mut findings)?;
        let top = match chain.causes.last() {
            Some(root) if params.whole == Some(true) => root.clone(),
            _ => asked.clone(),
        };
        let mut of_tree = Findings::default();
        let top = CauseNode { depth: 0, ..top };
        let tree = causes::tree(&mut log, top, NODES_MAX, &mut of_tree)?;
        let (findings, findings_total) = merged([findings, of_tree]);
        let page = Page::new(tree.nodes, head, offset, limit);
        Ok(CausesOut {
            id,
            kind: asked.kind,
            causes: chain.causes,
            end: chain.end,
            end_id: chain.end_id,
            nodes: page.nodes,
            next_cursor: page.next_cursor,
            items: with_jobs(view, page.items)?,
            cut: tree.cut,
            findings,
            findings_total,
            head: head.position.0,
            warnings: warnings.into_iter().collect(),
        })
    })
    .await
}

fn no_such_event(id: &str) -> ApiError {
    let detail = format!("there is no event and no command `{}`", echo(id));
    Problem::new(Code::NoSuchEvent, detail).into()
}

/// What was found by chain and tree: what both came upon is one finding.
fn merged(found: [Findings; 2]) -> (Vec<CauseFinding>, u64) {
    let mut total = found.iter().map(|found| found.total).sum::<u64>();
    let mut all: Vec<CauseFinding> = Vec::new();
    for finding in found.into_iter().flat_map(|found| found.first) {
        if all.contains(&finding) {
            total -= 1;
        } else if all.len() < causes::FINDINGS_MAX {
            all.push(finding);
        }
    }
    (all, total)
}

/// A page of nodes.
struct Page {
    items: Vec<CauseNode>,
    nodes: u64,
    next_cursor: Option<String>,
}

impl Page {
    fn new(nodes: Vec<CauseNode>, head: Head, offset: usize, limit: usize) -> Self {
        let (count, next) = (nodes.len(), offset.saturating_add(limit));
        Self {
            items: nodes.into_iter().skip(offset).take(limit).collect(),
            nodes: count as u64,
            next_cursor: (next < count).then(|| cursor(head, next)),
        }
    }
}

fn cursor(head: Head, next: usize) -> String {
    format!("{}.{}.{next}", head.position, head.decision)
}

/// The moment that the first page was of, and where to go on.
fn read_cursor(cursor: &str) -> Result<(Head, usize), ApiError> {
    let mut numbers = cursor.split('.').map(str::parse::<u64>);
    match (
        numbers.next(),
        numbers.next(),
        numbers.next(),
        numbers.next(),
    ) {
        (Some(Ok(position)), Some(Ok(decision)), Some(Ok(next)), None) => {
            let next = usize::try_from(next).map_err(|_too_large| bad_cursor())?;
            let position = Position(position);
            Ok((Head { position, decision }, next))
        }
        _ => Err(bad_cursor()),
    }
}

/// Nodes with the jobs of the events among them.
fn with_jobs(view: &dyn View, mut nodes: Vec<CauseNode>) -> Result<Vec<CauseNode>, StoreError> {
    for node in nodes
        .iter_mut()
        .filter(|node| node.kind == CauseKind::Event)
    {
        view.stop().check()?;
        let jobs = view.jobs_of(node.position, &node.id)?.into_iter();
        let jobs = jobs.map(|job| CauseJob {
            id: job.id,
            handler: job.handler,
            status: job.status,
            attempts: job.attempts,
            last_error: job.last_error,
        });
        node.jobs = jobs.collect();
    }
    Ok(nodes)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CorrelationParams {
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Nodes at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// Everything of a correlation: its events and commands (refused ones too), each below its cause, with what they led to, and the
/// streams it has to do with.
#[utoipa::path(get, path = "/v1/correlations/{correlation_id}", tag = "time travel",
    params(("correlation_id" = String, Path, description = "the correlation id"), CorrelationParams),
    responses((status = 200, body = CorrelationOut), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_correlation`")))]
pub(crate) async fn get_correlation(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(params): Query<CorrelationParams>,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let cursor = params.cursor.as_deref().map(read_cursor).transpose()?;
    let warnings = redacted_copy(parts.store.as_ref());
    answer_in(&parts, params.branch, move |view| {
        let (head, offset) = cursor.unwrap_or((view.head(), 0));
        let mut log = LogUntil { view, head };
        let (members, more) = members(&log, &id)?;
        let found = causes::correlation(&mut log, &id, &members, NODES_MAX)?;
        let count = |is: fn(&&CauseNode) -> bool| members.iter().filter(is).count() as u64;
        let times = members.iter().map(|node| node.at);
        let (first_at, last_at) = (times.clone().min(), times.max());
        let outside = found.tree.nodes.iter().filter(|node| node.outside);
        let outside = outside.count() as u64;
        let page = Page::new(found.tree.nodes, head, offset, limit);
        let streams = found.streams.len() as u64;
        Ok(CorrelationOut {
            nodes: page.nodes,
            next_cursor: page.next_cursor,
            items: with_jobs(view, page.items)?,
            events: count(|node| node.kind == CauseKind::Event),
            commands: count(|node| node.kind == CauseKind::Command),
            refused: count(|node| node.outcome == Some(CauseOutcome::Rejected)),
            outside,
            first_at: first_at.unwrap_or(Timestamp::MIN),
            last_at: last_at.unwrap_or(Timestamp::MAX),
            streams: found
                .streams
                .into_values()
                .take(CORRELATION_STREAMS_MAX)
                .collect(),
            streams_total: streams,
            cut: found.tree.cut || more,
            findings: found.findings.first,
            findings_total: found.findings.total,
            head: head.position.0,
            warnings: warnings.into_iter().collect(),
            correlation_id: id,
        })
    })
    .await
}

/// What carries a correlation id; an error where nothing does.
fn members(log: &LogUntil<'_>, id: &str) -> Result<(Vec<CauseNode>, bool), ApiError> {
    let (members, more) = log.members(id)?;
    if members.is_empty() {
        let detail = format!(
            "no event and no command has the correlation id `{}`",
            echo(id)
        );
        return Err(Problem::new(Code::NoSuchCorrelation, detail).into());
    }
    Ok((members, more))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImpactParams {
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Streams at most: 1 to 100, 20 when absent. A page of large differences ends early, with a cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// What a correlation did to each stream: the revisions before its first event and after its last one, and the differences
/// between these two states.
#[utoipa::path(get, path = "/v1/correlations/{correlation_id}/streams", tag = "time travel",
    params(("correlation_id" = String, Path, description = "the correlation id"), ImpactParams),
    responses((status = 200, body = ImpactPage<Shown<StreamImpact>>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_correlation`")))]
pub(crate) async fn get_correlation_streams(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(params): Query<ImpactParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let limit = bounded("limit", params.limit, IMPACTS_DEFAULT, IMPACTS_MAX)?;
    let cursor = params.cursor.as_deref().map(read_cursor).transpose()?;
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "correlation", &id);
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    answer_in(&parts, params.branch, move |view| {
        let (head, offset) = cursor.unwrap_or((view.head(), 0));
        let log = LogUntil { view, head };
        let (members, more) = members(&log, &id)?;
        let streams = causes::streams(&members);
        let total = streams.len();
        let by = Impacts {
            travel: &travel,
            models: &models,
            view,
            reveal,
        };
        let wanted = streams.into_values().skip(offset).take(limit);
        let items = impact::impacts(&by, wanted)?;
        let next = offset + items.len();
        Ok(ImpactPage {
            correlation_id: id,
            next_cursor: (next < total && !items.is_empty()).then(|| self::cursor(head, next)),
            items,
            streams_total: total as u64,
            cut: more,
            head: head.position.0,
        })
    })
    .await
}
