//! Blame and field histories over HTTP.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::investigate::{
    BlameOut, BlamedFieldOut, FieldOut, FieldValueOut, RemovedFieldOut,
};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::why::RefusedAttempts;
use whodunit_core::blame::{Blame, FieldPath, RemovedFields};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::Value;
use whodunit_core::pointer::Pointer;
use whodunit_core::shown::Shown;

use super::branch_view::answer_in;
use super::causes::Causes;
use super::common::{Order, page_limit};
use super::error::ApiError;
use super::extract::StreamPath;
use super::point::{AtPoint, PointParams, QueryAt};
use super::refused::{Refused, refused};
use super::reply::Written;
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::store::{Direction, StoreError, View};
use crate::time_travel::{FieldValue, StateAt, resolve};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BlameParams {
    /// Only fields at or below this JSON Pointer.
    path: Option<String>,
    /// Whether to tell of fields that were removed, too. The stream is folded from its beginning then.
    removed: Option<bool>,
}

/// For each field of a state, the event that last set it: when, who and why. A field is set by the last event that changed
/// it; elements of lists are followed by identity or content, as in a diff.
#[utoipa::path(get, path = "/v1/streams/{stream}/blame", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), PointParams, BlameParams),
    responses((status = 200, body = Shown<BlameOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event` or `no_such_field`")))]
pub(crate) async fn get_blame(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    QueryAt(at, params): QueryAt<BlameParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let under = params.path.as_deref().unwrap_or_default();
    let under: Pointer = under.parse().map_err(|error| bad_path(under, &error))?;
    let removed = params.removed == Some(true);
    let asked = AtPoint::new(at, (&parts, &headers), "blame", stream)?;
    answer_in(&parts, asked.branch.clone(), move |view| {
        let (travel, model, stream) = (&asked.travel, &asked.model, &asked.stream);
        let found = resolve(view, stream, asked.point)?;
        let reached = travel.state_with_blame(view, model, stream, found.revision, removed)?;
        let refused = refused(view, stream, (found.revision, asked.point))?;
        let mut warnings = asked.warnings(view, &found, &reached.folded)?;
        warnings.extend(refused.warning());
        let blame = reached.blame.clone().unwrap_or_default();
        let mut causes = Causes::new(view, stream);
        let fields = blamed_fields((&reached, &blame), &under, &mut causes, &refused)?;
        let gone = removed_fields(&blame, &under, &mut causes)?;
        if fields.is_empty() && !under.is_root() && gone.as_ref().is_none_or(Vec::is_empty) {
            return Err(no_such_field(stream, &under.to_string(), found.revision));
        }
        let out = BlameOut {
            revision: found.revision,
            fields,
            removed: gone,
            removed_dropped: blame.removed().map_or(0, RemovedFields::dropped),
            redacted: Vec::new(),
            head_revision: found.info.revision,
            model: model.name().to_owned(),
            snapshot_revision: reached.snapshot_revision,
            warnings,
            stream: stream.clone(),
        };
        shown_until(view, asked.reveal, &asked.models, out)
    })
    .await
}

fn blamed_fields(
    (reached, blame): (&StateAt, &Blame),
    under: &Pointer,
    causes: &mut Causes<'_>,
    refused: &Refused,
) -> Result<Vec<BlamedFieldOut>, ApiError> {
    let (mut fields, mut failed) = (Vec::new(), None);
    blame.for_each_field(&reached.folded.state, under, &mut |field| {
        match causes.at(field.set_by) {
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            Ok(event) => fields.push(BlamedFieldOut {
                path: field.path.to_owned(),
                label: field.label.map(str::to_owned),
                value: field.value.clone(),
                revision: field.set_by,
                refused: refused.since(field.path, event.as_ref(), field.set_by),
                event,
            }),
        }
        ControlFlow::Continue(())
    });
    failed.map_or(Ok(fields), |error: StoreError| Err(error.into()))
}

fn removed_fields(
    blame: &Blame,
    under: &Pointer,
    causes: &mut Causes<'_>,
) -> Result<Option<Vec<RemovedFieldOut>>, ApiError> {
    let Some(removed) = blame.removed() else {
        return Ok(None);
    };
    let is_wanted = |path: &str| path.parse().is_ok_and(|path| under.covers(&path));
    let mut out = Vec::new();
    for field in removed.iter().filter(|field| is_wanted(&field.path)) {
        out.push(RemovedFieldOut {
            path: field.path.clone(),
            label: field.label.clone(),
            value: field.value.clone(),
            set_by: field.set_by,
            revision: field.removed_by,
            event: causes.at(field.removed_by)?,
        });
    }
    Ok(Some(out))
}

pub(super) fn bad_path(path: &str, error: &dyn std::error::Error) -> ApiError {
    let detail = format!("`path` is `{path}`: {error}");
    Problem::new(Code::BadParameter, detail)
        .field("path")
        .into()
}

pub(super) fn no_such_field(stream: &StreamName, path: &str, revision: Revision) -> ApiError {
    let detail = format!("stream `{stream}` has nothing at `{path}` at revision {revision}");
    Problem::new(Code::NoSuchField, detail)
        .stream(stream.clone())
        .hint("`GET /v1/streams/{stream}/blame` without `path` lists all fields")
        .into()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FieldParams {
    /// JSON Pointer of the field. An element of a list is named by its index, or as in `/lines[id=7]/price` by its identity:
    /// then it is followed wherever it moves.
    path: String,
    /// `forward` from old to new (when absent), or `backward`.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Values at most: 1 to 1000, 100 when absent. A page of large values ends early, with a cursor.
    limit: Option<usize>,
}

/// Every value that a field had, with the event that brought it: when, who and why.
#[utoipa::path(get, path = "/v1/streams/{stream}/field", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), PointParams, FieldParams),
    responses((status = 200, body = Shown<FieldOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event`, or `no_such_field`: it never had a value")))]
pub(crate) async fn get_field(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    QueryAt(at, params): QueryAt<FieldParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let path = field_path(&params.path)?;
    let order = params.order.unwrap_or_default();
    let cursor = order.read_cursor(params.cursor.as_deref())?.map(Revision);
    let limit = page_limit(params.limit)?;
    let asked = AtPoint::new(at, (&parts, &headers), "field", stream)?;
    refuse_secret_identity(&path, &asked)?;
    answer_in(&parts, asked.branch.clone(), move |view| {
        let (travel, model, stream) = (&asked.travel, &asked.model, &asked.stream);
        let found = resolve(view, stream, asked.point)?;
        let (after, to) = range(order, cursor, found.revision);
        let direction = Direction::from(order);
        let page = (direction, limit);
        let mut read = travel.field_values(view, model, (stream, &path), (after, to), page)?;
        if direction == Direction::Backward {
            read.values.make_contiguous().reverse();
        }
        if read.values.is_empty() && cursor.is_none() {
            return Err(no_such_field(stream, &path.to_string(), found.revision));
        }
        let last = read.values.back().map(|value| value.revision.0);
        let refused = refused(view, stream, (found.revision, asked.point))?;
        // Where the page's last value in time ends: at the next one, or not by then.
        let until = match order {
            Order::Forward => read.next_revision,
            Order::Backward => cursor,
        };
        let of_page = OfPage {
            path: path.as_pointer(),
            order,
            until: until.unwrap_or(found.revision.next()),
            has_first: match order {
                Order::Forward => cursor.is_none(),
                Order::Backward => !read.has_more,
            },
        };
        let (values, refused_before) = of_page.told(view, stream, read.values, &refused)?;
        let mut warnings = asked.warnings(view, &found, &read.folded)?;
        warnings.extend(refused.warning());
        let out = FieldOut {
            refused_before,
            path: path.to_string(),
            revision: found.revision,
            values,
            next_cursor: last
                .filter(|_| read.has_more)
                .map(|last| order.cursor(last)),
            redacted: Vec::new(),
            warnings,
            stream: stream.clone(),
        };
        shown_until(view, asked.reveal, &asked.models, out)
    })
    .await
}

/// The field that a request names.
pub(super) fn field_path(path: &str) -> Result<FieldPath, ApiError> {
    path.parse().map_err(|error| bad_path(path, &error))
}

/// An element cannot be asked for by what is hidden: the answer would tell it.
pub(super) fn refuse_secret_identity(path: &FieldPath, asked: &AtPoint) -> Result<(), ApiError> {
    if asked.reveal.yes() {
        return Ok(());
    }
    let mut identities = path.identity_fields();
    let Some(secret) = identities.find(|name| asked.model.is_secret(name)) else {
        return Ok(());
    };
    let detail = format!("`path` names an element by `{secret}`, which is a secret");
    let problem = Problem::new(Code::BadParameter, detail).field("path");
    Err(problem.hint("name it by its index").into())
}

/// The revision after which a page of values begins, and the last one of it.
fn range(order: Order, cursor: Option<Revision>, at: Revision) -> (Option<Revision>, Revision) {
    match (order, cursor) {
        (Order::Forward, after) => (after, at),
        (Order::Backward, Some(before)) => (None, Revision(before.0.saturating_sub(1)).min(at)),
        (Order::Backward, None) => (None, at),
    }
}

/// What surrounds the values of a page.
struct OfPage<'a> {
    path: &'a Pointer,
    order: Order,
    /// Where the last of them in time ends.
    until: Revision,
    /// Whether the first value that the field had is among them.
    has_first: bool,
}

impl OfPage<'_> {
    /// Values with their causes and the refused attempts while they held, and the attempts before the first value.
    fn told(
        &self,
        view: &dyn View,
        stream: &StreamName,
        values: VecDeque<FieldValue>,
        refused: &Refused,
    ) -> Result<(Vec<FieldValueOut>, RefusedAttempts), ApiError> {
        let mut causes = Causes::new(view, stream);
        let mut ends: Vec<Revision> = match self.order {
            Order::Forward => values.iter().skip(1).map(|value| value.revision).collect(),
            Order::Backward => values
                .iter()
                .rev()
                .skip(1)
                .map(|value| value.revision)
                .collect(),
        };
        ends.push(self.until);
        if self.order == Order::Backward {
            ends.reverse();
        }
        let first = values.iter().map(|value| value.revision).min();
        let mut told = Vec::with_capacity(values.len());
        for (found, end) in values.into_iter().zip(ends) {
            let event = causes.at(found.revision)?;
            told.push(FieldValueOut {
                revision: found.revision,
                absent: found.value.is_none(),
                value: found.value.unwrap_or(Value::Null),
                refused: refused.between(self.path, event.as_ref(), (found.revision, end)),
                event,
            });
        }
        let first = first.filter(|_| self.has_first).unwrap_or_default();
        let before = refused.between(self.path, None, (Revision::ZERO, first));
        Ok((told, before))
    }
}
