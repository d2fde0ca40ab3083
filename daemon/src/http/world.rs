//! Worlds over HTTP: the states of a category at one moment, and what differs between two.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::warning::Warning;
use whodunit_core::api::world::{
    WorldChange, WorldChangeKind, WorldDiffOut, WorldItem, WorldMoment, WorldOut, WorldProgress,
};
use whodunit_core::diff::diff_within;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::predicate::Predicate;
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::time::{TimeError, Timestamp};
use whodunit_core::weight::{Unfinished, of_object};

use super::branch_view::answer_in;
use super::common::{asked_to_reveal, at_most_one, bad_cursor, page_limit};
use super::error::ApiError;
use super::extract::Query;
use super::impact::diff_weight;
use super::reply::Written;
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::limits::{DIFF_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{StreamInfo, View};
use crate::time_travel::{faults, left_out, redacted_copy};
use crate::world::{Left, Looked, Moment, World, resolved};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorldParams {
    /// Exactly this category; all streams when absent.
    category: Option<String>,
    /// As it was recorded at this time (RFC 3339, with a zone).
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// After the event at this position of the log. The head when neither is given.
    at_position: Option<u64>,
    /// Only streams for which this condition holds: see the section on predicates of the README.
    r#where: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Streams at most: 1 to 1000, 100 when absent. A page of large states, or one that takes long, ends early, with a cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// The states of a category's streams at one moment, by name, or of those for which a condition holds. All pages are of the
/// log as it was when the first was read.
#[utoipa::path(get, path = "/v1/world", tag = "time travel", params(WorldParams),
    responses((status = 200, body = WorldOut<Shown<WorldItem>>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_predicate`, with the column in `actual`, among others"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`position_beyond_head`")))]
pub(crate) async fn get_world(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<WorldParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    at_most_one(
        ("as_of", params.as_of.is_some()),
        ("at_position", params.at_position.is_some()),
    )?;
    let limit = page_limit(params.limit)?;
    let predicate = params.r#where.as_deref().map(condition).transpose()?;
    let cursor = params.cursor.as_deref().map(read_cursor).transpose()?;
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "world", "the log");
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let warnings = redacted_copy(parts.store.as_ref());
    answer_in(&parts, params.branch, move |view| {
        let Cursor {
            head,
            looked_at,
            after,
        } = cursor.unwrap_or_else(|| Cursor::start(view));
        let moment = moment(view, head, (params.at_position, params.as_of))?;
        let world = World {
            travel: &travel,
            models: &models,
            view,
            category: params.category.as_deref(),
            predicate: predicate.as_ref(),
        };
        let mut states = States {
            world: &world,
            moment,
            limit,
            items: Vec::new(),
            weight: 0,
        };
        let page = world.look_through(after, looked_at, &mut |info, progress| {
            states.add(info, progress)
        })?;
        let items = states.items.into_iter();
        let items = items.map(|item| shown_until(view, reveal, &models, item));
        Ok(WorldOut {
            as_of: moment.as_of,
            at_position: moment.at_position,
            predicate: predicate.as_ref().map(Predicate::to_string),
            items: items.collect::<Result<Vec<_>, _>>()?,
            next_cursor: page
                .after
                .map(|after| cursor_after(head, &page.progress, &after)),
            progress: page.progress,
            warnings: warnings.into_iter().collect(),
            category: params.category,
        })
    })
    .await
}

/// Reads a condition over states.
fn condition(text: &str) -> Result<Predicate, ApiError> {
    super::bisect::predicate_of("where", text)
}

/// The moment that is asked for, of the log as it was when the first page was read.
fn moment(
    view: &dyn View,
    head: Position,
    (position, as_of): (Option<u64>, Option<Timestamp>),
) -> Result<Moment, ApiError> {
    let at_position = position.map_or(head, Position);
    if at_position > view.head().position {
        let detail = format!(
            "the log's head is at position {}; there is no position {at_position} yet",
            view.head().position
        );
        return Err(Problem::new(Code::PositionBeyondHead, detail).into());
    }
    Ok(Moment { at_position, as_of })
}

/// Where a page begins.
struct Cursor {
    /// The log's head when the first page was read.
    head: Position,
    looked_at: u64,
    after: Option<String>,
}

impl Cursor {
    fn start(view: &dyn View) -> Self {
        Self {
            head: view.head().position,
            looked_at: 0,
            after: None,
        }
    }
}

fn cursor_after(head: Position, progress: &WorldProgress, after: &str) -> String {
    format!("{head}.{}.{after}", progress.looked_at)
}

fn read_cursor(cursor: &str) -> Result<Cursor, ApiError> {
    let mut parts = cursor.splitn(3, '.');
    let (Some(head), Some(looked_at), Some(after)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(bad_cursor());
    };
    let (Ok(head), Ok(looked_at)) = (head.parse(), looked_at.parse()) else {
        return Err(bad_cursor());
    };
    Ok(Cursor {
        head: Position(head),
        looked_at,
        after: Some(after.to_owned()),
    })
}

/// The states of a page.
struct States<'a> {
    world: &'a World<'a>,
    moment: Moment,
    limit: usize,
    items: Vec<WorldItem>,
    weight: usize,
}

impl States<'_> {
    fn add(&mut self, info: &StreamInfo, progress: &mut WorldProgress) -> Result<Looked, Left> {
        if self.items.len() == self.limit {
            return Ok(Looked::NoRoom);
        }
        let (world, view) = (self.world, self.world.view);
        let revision = self.moment.revision(view, info)?;
        if revision == Revision::ZERO {
            return Ok(Looked::NotYet);
        }
        let (folded, holds) = world.state(info, revision, progress)?;
        if holds == Some(false) {
            return Ok(Looked::Done);
        }
        self.weight += of_object(&folded.state);
        if self.weight > STEPS_WEIGHT_MAX && !self.items.is_empty() {
            return Ok(Looked::NoRoom);
        }
        let Some(event) = view.event_at_revision(&info.stream, revision)? else {
            return Ok(Looked::NotYet);
        };
        let found = resolved(info, revision);
        let warnings = [
            left_out(view, self.moment.point(revision), &found)?,
            faults(&folded),
        ];
        self.items.push(WorldItem {
            stream: info.stream.clone(),
            revision,
            position: event.position,
            recorded_at: event.recorded_at,
            state: folded.state,
            redacted: Vec::new(),
            head_revision: info.revision,
            warnings: warnings.into_iter().flatten().collect(),
        });
        Ok(Looked::Done)
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorldDiffParams {
    /// Exactly this category; all streams when absent.
    category: Option<String>,
    /// The first moment: a position of the log, or a time; position 0, the empty log, when absent.
    from: Option<String>,
    /// The second moment, possibly the earlier one; the head when absent.
    to: Option<String>,
    /// Only streams for which this condition holds at one of the two moments at least.
    r#where: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Streams at most: 1 to 1000, 100 when absent. A page of large differences, or one that takes long, ends early, with a cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

/// What differs between two moments: the streams of a category whose states are others, by name, with the differences.
#[utoipa::path(get, path = "/v1/world/diff", tag = "time travel", params(WorldDiffParams),
    responses((status = 200, body = WorldDiffOut<Shown<WorldChange>>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_predicate` or `bad_time`, among others"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`position_beyond_head`")))]
pub(crate) async fn get_world_diff(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<WorldDiffParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let limit = page_limit(params.limit)?;
    let from = named_moment("from", params.from.as_deref())?.unwrap_or((Some(0), None));
    let to = named_moment("to", params.to.as_deref())?.unwrap_or((None, None));
    let predicate = params.r#where.as_deref().map(condition).transpose()?;
    let cursor = params.cursor.as_deref().map(read_cursor).transpose()?;
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "world", "the log");
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let warnings: Vec<Warning> = redacted_copy(parts.store.as_ref()).into_iter().collect();
    answer_in(&parts, params.branch, move |view| {
        let Cursor {
            head,
            looked_at,
            after,
        } = cursor.unwrap_or_else(|| Cursor::start(view));
        let (from, to) = (moment(view, head, from)?, moment(view, head, to)?);
        let world = World {
            travel: &travel,
            models: &models,
            view,
            category: params.category.as_deref(),
            predicate: predicate.as_ref(),
        };
        let mut changes = Changes {
            world: &world,
            moments: (from, to),
            reveal,
            limit,
            items: Vec::new(),
            weight: 0,
            same_state: 0,
        };
        let page = world.look_through(after, looked_at, &mut |info, progress| {
            changes.add(info, progress)
        })?;
        let shown = |moment: Moment| WorldMoment {
            as_of: moment.as_of,
            at_position: moment.at_position,
        };
        Ok(WorldDiffOut {
            from: shown(from),
            to: shown(to),
            predicate: predicate.as_ref().map(Predicate::to_string),
            items: changes.items,
            next_cursor: page
                .after
                .map(|after| cursor_after(head, &page.progress, &after)),
            same_state: changes.same_state,
            progress: page.progress,
            warnings,
            category: params.category,
        })
    })
    .await
}

/// A position or a time.
type Named = (Option<u64>, Option<Timestamp>);

fn named_moment(name: &str, text: Option<&str>) -> Result<Option<Named>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(position) = text.parse() {
        return Ok(Some((Some(position), None)));
    }
    let time = text.parse().map_err(|error: TimeError| {
        let detail = format!("`{name}` is neither a position nor a time: {error}");
        Problem::new(Code::BadTime, detail).field(name)
    })?;
    Ok(Some((None, Some(time))))
}

/// The streams of a page that differ.
struct Changes<'a> {
    world: &'a World<'a>,
    moments: (Moment, Moment),
    reveal: Reveal,
    limit: usize,
    items: Vec<Shown<WorldChange>>,
    weight: usize,
    same_state: u64,
}

impl Changes<'_> {
    fn add(&mut self, info: &StreamInfo, progress: &mut WorldProgress) -> Result<Looked, Left> {
        if self.items.len() == self.limit {
            return Ok(Looked::NoRoom);
        }
        let (world, view) = (self.world, self.world.view);
        let (from, to) = self.moments;
        let (at_from, at_to) = (from.revision(view, info)?, to.revision(view, info)?);
        if at_from.max(at_to) == Revision::ZERO {
            return Ok(Looked::NotYet);
        }
        if at_from == at_to {
            return Ok(Looked::Done);
        }
        let (before, holds_from) = world.state(info, at_from, progress)?;
        let (after, holds_to) = world.state(info, at_to, progress)?;
        if holds_from == Some(false) && holds_to == Some(false) {
            return Ok(Looked::Done);
        }
        let stop = view.stop();
        let diff = diff_within(&before.state, &after.state, DIFF_WEIGHT_MAX, stop);
        let diff = diff.map_err(|unfinished| match unfinished {
            Unfinished::Stopped(stopped) => Left::Store(stopped.into()),
            Unfinished::TooLarge(too_large) => Left::Failed(too_large.to_string()),
        })?;
        let change = match (at_from, at_to) {
            (Revision::ZERO, _) => WorldChangeKind::Appeared,
            (_, Revision::ZERO) => WorldChangeKind::Disappeared,
            _ if diff.is_empty() => {
                self.same_state += 1;
                return Ok(Looked::Done);
            }
            _ => WorldChangeKind::Changed,
        };
        self.weight += diff_weight(&diff);
        if self.weight > STEPS_WEIGHT_MAX && !self.items.is_empty() {
            return Ok(Looked::NoRoom);
        }
        let later = if at_from > at_to { &before } else { &after };
        let mut warnings = vec![
            left_out(view, from.point(at_from), &resolved(info, at_from))?,
            left_out(view, to.point(at_to), &resolved(info, at_to))?,
            faults(later),
        ];
        warnings.dedup();
        let change = WorldChange {
            stream: info.stream.clone(),
            change,
            from: at_from,
            to: at_to,
            holds_from,
            holds_to,
            diff,
            redacted: Vec::new(),
            warnings: warnings.into_iter().flatten().collect(),
        };
        let shown = self.reveal.show_until(world.models, change, stop);
        self.items
            .push(shown.map_err(|stopped| Left::Store(stopped.into()))?);
        Ok(Looked::Done)
    }
}
