//! Differences over HTTP: of any two points of a stream's history, or of two streams, with what set each side.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State as Extracted;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::api::time_travel::{DiffBlame, DiffOut, DiffSetBy};
use whodunit_core::api::warning::Warning;
use whodunit_core::blame::Blame;
use whodunit_core::diff::{DiffEntry, diff_within};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::pointer::Pointer;
use whodunit_core::shown::Shown;
use whodunit_core::time::TimeError;
use whodunit_core::weight::{StateBound, Unfinished, of_object};

use super::blame::bad_path;
use super::branch_view::{answer_in, in_worlds, named};
use super::causes::Causes;
use super::common::asked_to_reveal;
use super::diff_across::Across;
use super::error::ApiError;
use super::extract::{Query, StreamPath};
use super::reply::Written;
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::limits::{DIFF_WEIGHT_MAX, STATE_WEIGHT_MAX};
use crate::store::{StoreError, View, try_for_each_event};
use crate::time_travel::{
    Point, Resolved, StateAt, TimeTravel, TravelError, clock_went_back, faults, left_out,
    redacted_copy, resolve,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParams {
    /// A revision or a time; 0 when absent.
    from: Option<String>,
    /// A revision or a time, possibly the earlier one; the head when absent.
    to: Option<String>,
    /// Another stream, of which `to` is a point: its state is compared to. Both must be folded by the same model.
    #[param(value_type = Option<String>)]
    to_stream: Option<StreamName>,
    /// Only what is at or below this JSON Pointer.
    path: Option<String>,
    /// Whether to tell what set each side of each difference.
    blame: Option<bool>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
    /// Another branch, of which `to` is a point, or `log` for what happened: its state is compared to. `from` is the head then when
    /// absent.
    to_branch: Option<String>,
}

/// The differences between the states of a stream at two revisions or times, or between two streams.
#[utoipa::path(get, path = "/v1/streams/{stream}/diff", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), DiffParams),
    responses((status = 200, body = Shown<DiffOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event`, or `no_such_field`: neither state has anything at `path`")))]
pub(crate) async fn get_diff(
    Extracted(parts): Extracted<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<DiffParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let from = point("from", params.from.as_deref())?.unwrap_or(match params.to_branch {
        Some(_) => Point::Head,
        None => Point::Revision(Revision::ZERO),
    });
    let to = point("to", params.to.as_deref())?.unwrap_or(Point::Head);
    let under = params.path.as_deref().unwrap_or_default();
    let under: Pointer = under.parse().map_err(|error| bad_path(under, &error))?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "diff",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let other = params.to_stream.filter(|other| *other != stream);
    if let Some(other) = &other {
        let theirs = models.for_stream(other);
        if theirs.rules_hash() != model.rules_hash() {
            return Err(other_model(other, theirs, &model));
        }
    }
    let redacted_copy = redacted_copy(parts.store.as_ref());
    if let Some(to_branch) = params.to_branch {
        let across = Across {
            travel,
            models,
            model,
            reveal,
            with_blame: params.blame == Some(true),
            under,
            streams: (stream.clone(), other.unwrap_or(stream)),
            points: (from, to),
            redacted_copy,
        };
        let worlds = (named(params.branch), named(Some(to_branch)));
        return in_worlds(&parts, worlds.0, worlds.1, move |worlds| {
            across.diff(worlds)
        })
        .await;
    }
    let with_blame = params.blame == Some(true);
    answer_in(&parts, params.branch, move |view| {
        let comparing = Comparing {
            travel: &travel,
            view,
            model: &model,
            with_blame,
        };
        let mut out = comparing.diff((&stream, other.as_ref()), (from, to), &under)?;
        out.warnings.splice(0..0, redacted_copy);
        shown_until(view, reveal, &models, out)
    })
    .await
}

fn other_model(other: &StreamName, theirs: &Model, own: &Model) -> ApiError {
    let detail = format!(
        "stream `{}` is folded by `{}`, this one by `{}`: their states are not comparable",
        echo(other.as_str()),
        theirs.name(),
        own.name()
    );
    Problem::new(Code::BadParameter, detail)
        .field("to_stream")
        .into()
}

fn point(name: &str, text: Option<&str>) -> Result<Option<Point>, ApiError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: TimeError| {
            let detail = format!("`{name}` is neither a revision nor a time: {error}");
            Problem::new(Code::BadTime, detail).field(name).into()
        })
}

/// The field under which what stands at a path is compared; the path takes its place in the answer.
const NAME: &str = "x";

/// The differences of two states at or below a path.
pub(super) fn compared(
    view: &dyn View,
    (before, after): (&State, &State),
    under: &Pointer,
) -> Result<Vec<DiffEntry>, ApiError> {
    let within = |before: &State, after: &State| {
        let found = diff_within(before, after, DIFF_WEIGHT_MAX, view.stop());
        found.map_err(|unfinished| match unfinished {
            Unfinished::Stopped(stopped) => ApiError::from(StoreError::from(stopped)),
            Unfinished::TooLarge(too_large) => {
                let problem = Problem::new(Code::LimitExceeded, too_large.to_string());
                problem
                    .hint("compare two points that are nearer to each other, or a `path`")
                    .into()
            }
        })
    };
    if under.is_root() {
        return within(before, after);
    }
    // What is there is compared as the only field of a state.
    let part = |state: &State| {
        let value = under.lookup(state).cloned();
        value.map(|value| (NAME.to_owned(), value))
    };
    let (before, after) = (part(before), part(after));
    if before.is_none() && after.is_none() {
        let detail = format!("neither state has anything at `{under}`");
        return Err(Problem::new(Code::NoSuchField, detail).into());
    }
    let mut diff = within(&before.into_iter().collect(), &after.into_iter().collect())?;
    let renamed = |path: &str| {
        let rest = path.get(NAME.len() + 1..).unwrap_or_default();
        format!("{under}{rest}")
    };
    for entry in &mut diff {
        entry.path = renamed(&entry.path);
        entry.label = entry.label.as_deref().map(renamed);
    }
    Ok(diff)
}

/// What states are loaded with.
struct Comparing<'a> {
    travel: &'a TimeTravel,
    view: &'a dyn View,
    model: &'a Model,
    with_blame: bool,
}

impl Comparing<'_> {
    fn state(&self, stream: &StreamName, at: Revision) -> Result<StateAt, TravelError> {
        let (view, model) = (self.view, self.model);
        if self.with_blame {
            self.travel.state_with_blame(view, model, stream, at, false)
        } else {
            self.travel.state(view, model, stream, at)
        }
    }
}

impl Comparing<'_> {
    /// The differences of a stream's state, or of another's, at two points.
    fn diff(
        &self,
        (stream, other): (&StreamName, Option<&StreamName>),
        (from_point, to_point): (Point, Point),
        under: &Pointer,
    ) -> Result<DiffOut, ApiError> {
        let view = self.view;
        let to_stream = other.unwrap_or(stream);
        let from = resolve(view, stream, from_point)?;
        let to = resolve(view, to_stream, to_point)?;
        let before = self.state(stream, from.revision)?;
        let after = self.state(to_stream, to.revision)?;
        let points = ((from_point, &from), (to_point, &to));
        let both = (&before.folded, &after.folded);
        let warnings = self.warnings(points, both, other.is_none())?;
        let states = (&before.folded.state, &after.folded.state);
        let diff = compared(view, states, under)?;
        let sides = Sides {
            comparing: self,
            streams: (stream, to_stream),
            states: (&before, &after),
        };
        let blame = self.with_blame.then(|| sides.blame(&diff)).transpose()?;
        Ok(DiffOut {
            from: from.revision,
            to: to.revision,
            to_stream: other.cloned(),
            to_branch: None,
            path: (!under.is_root()).then(|| under.to_string()),
            diff,
            blame,
            redacted: Vec::new(),
            warnings,
            stream: stream.clone(),
        })
    }
}

/// A point as it was asked for, and what it was resolved to.
type Asked<'a> = (Point, &'a Resolved);

impl Comparing<'_> {
    /// Reasons to be careful with a comparison, each once.
    fn warnings(
        &self,
        (from, to): (Asked<'_>, Asked<'_>),
        (before, after): (&Folded, &Folded),
        same_stream: bool,
    ) -> Result<Vec<Warning>, StoreError> {
        let view = self.view;
        let back = |of: &Resolved, to: Revision| clock_went_back(view, of, (Revision::ZERO, to));
        let mut warnings = vec![left_out(view, from.0, from.1)?, left_out(view, to.0, to.1)?];
        if same_stream {
            // The later state went through all that the earlier one did.
            let is_backward = before.revision > after.revision;
            let later = if is_backward { before } else { after };
            warnings.extend([back(to.1, later.revision)?, faults(later)]);
        } else {
            warnings.extend([back(to.1, after.revision)?, faults(after)]);
            warnings.extend([back(from.1, before.revision)?, faults(before)]);
        }
        warnings.dedup();
        Ok(warnings.into_iter().flatten().collect())
    }
}

/// Both sides of a comparison.
struct Sides<'a> {
    comparing: &'a Comparing<'a>,
    streams: (&'a StreamName, &'a StreamName),
    states: (&'a StateAt, &'a StateAt),
}

impl Sides<'_> {
    /// What set both sides of each difference.
    fn blame(&self, diff: &[DiffEntry]) -> Result<Vec<DiffBlame>, ApiError> {
        let gone = self.gone(diff)?;
        let view = self.comparing.view;
        let mut causes = (
            Causes::new(view, self.streams.0),
            Causes::new(view, self.streams.1),
        );
        let mut told = Vec::with_capacity(diff.len());
        for entry in diff {
            let name = entry.label.as_ref().unwrap_or(&entry.path);
            let removed_by = gone.get(name).copied();
            let side = |state: &StateAt, is_there: bool, causes: &mut Causes<'_>| {
                let set_by = if is_there {
                    set_by(state, &entry.path)
                } else {
                    removed_by
                };
                set_by
                    .map(|revision| {
                        let event = causes.at(revision)?;
                        Ok::<_, StoreError>(DiffSetBy { revision, event })
                    })
                    .transpose()
            };
            told.push(DiffBlame {
                path: entry.path.clone(),
                before: side(self.states.0, entry.before.is_some(), &mut causes.0)?,
                after: side(self.states.1, entry.after.is_some(), &mut causes.1)?,
            });
        }
        Ok(told)
    }

    /// What removed the values that the later state does not have and the earlier one has, by their names. Of two streams
    /// there is no such thing.
    fn gone(&self, diff: &[DiffEntry]) -> Result<HashMap<String, Revision>, ApiError> {
        let mut gone = HashMap::new();
        let (before, after) = self.states;
        let is_backward = before.folded.revision > after.folded.revision;
        let (early, late) = if is_backward {
            (after, before)
        } else {
            (before, after)
        };
        let is_gone = |entry: &&DiffEntry| {
            let there = if is_backward {
                &entry.before
            } else {
                &entry.after
            };
            there.is_none()
        };
        if self.streams.0 != self.streams.1 || !diff.iter().any(|entry| is_gone(&entry)) {
            return Ok(gone);
        }
        let blame = self.removals(early, late.folded.revision)?;
        let removed = blame
            .removed()
            .map(|removed| removed.iter().collect::<Vec<_>>());
        let removed = removed.unwrap_or_default();
        for entry in diff.iter().filter(is_gone) {
            let name = entry.label.as_ref().unwrap_or(&entry.path);
            let is_of_it = |path: &str| {
                path.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let by = removed.iter().filter(|field| {
                is_of_it(field.label.as_ref().unwrap_or(&field.path)) || is_of_it(&field.path)
            });
            if let Some(by) = by.map(|field| field.removed_by).max() {
                gone.insert(name.clone(), by);
            }
        }
        Ok(gone)
    }

    /// What was removed after a state, up to a revision.
    fn removals(&self, early: &StateAt, to: Revision) -> Result<Blame, ApiError> {
        let (view, model, stream) = (self.comparing.view, self.comparing.model, self.streams.0);
        let mut folded = early.folded.clone();
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        let mut blame = Blame::start_with_removed();
        try_for_each_event(view, stream, (folded.revision.next(), to), |event| {
            let added = bound.add(event.data.as_str(), || of_object(&folded.state));
            added.map_err(|too_large| TravelError::StateTooLarge {
                stream: stream.clone(),
                revision: event.revision,
                too_large,
            })?;
            blame.push(model, &mut folded, &event);
            Ok::<_, TravelError>(ControlFlow::Continue(()))
        })?;
        Ok(blame)
    }
}

/// The revision that last set something at or below a path.
pub(super) fn set_by(state: &StateAt, path: &str) -> Option<Revision> {
    let (blame, path) = (state.blame.as_ref()?, path.parse::<Pointer>().ok()?);
    let mut last = None;
    blame.for_each_field(&state.folded.state, &path, &mut |field| {
        last = last.max(Some(field.set_by));
        ControlFlow::Continue(())
    });
    last
}
