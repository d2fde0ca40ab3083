//! Blame and field histories over HTTP.

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
use whodunit_core::blame::{Blame, FieldPath, RemovedFields};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::Value;
use whodunit_core::model::Model;
use whodunit_core::pointer::Pointer;
use whodunit_core::shown::Shown;
use whodunit_core::time::Timestamp;

use super::causes::Causes;
use super::common::{Order, asked_to_reveal, page_limit};
use super::error::ApiError;
use super::extract::{Query, StreamPath};
use super::reply::{Written, answer_heavy};
use super::travel::{asked_point, shown_until};
use crate::daemon::Parts;
use crate::store::{Direction, StoreError, View};
use crate::time_travel::{StateAt, clock_went_back, faults, left_out, redacted_copy, resolve};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BlameParams {
    /// After this revision. The head when neither is given.
    at_revision: Option<u64>,
    /// As it was recorded at this time (RFC 3339, with a zone).
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Only fields at or below this JSON Pointer.
    path: Option<String>,
    /// Whether to tell of fields that were removed, too. The stream is folded from its beginning then.
    removed: Option<bool>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// For each field of a state, the event that last set it: when, who and why. A field is set by the last event that changed
/// it; elements of lists are followed by identity or content, as in a diff.
#[utoipa::path(get, path = "/v1/streams/{stream}/blame", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), BlameParams),
    responses((status = 200, body = Shown<BlameOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event` or `no_such_field`")))]
pub(crate) async fn get_blame(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<BlameParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let point = asked_point(params.at_revision, params.as_of)?;
    let under = params.path.as_deref().unwrap_or_default();
    let under: Pointer = under.parse().map_err(|error| bad_path(under, &error))?;
    let removed = params.removed == Some(true);
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "blame",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_heavy(&parts, move |view| {
        let found = resolve(view, &stream, point)?;
        let reached = travel.state_with_blame(view, &model, &stream, found.revision, removed)?;
        let warnings = [
            redacted_copy,
            left_out(view, point, &found)?,
            clock_went_back(view, &found, (Revision::ZERO, found.revision))?,
            faults(&reached.folded),
        ];
        let blame = reached.blame.clone().unwrap_or_default();
        let mut causes = Causes::new(view, &stream);
        let fields = blamed_fields((&reached, &blame), &under, &mut causes)?;
        let gone = removed_fields(&blame, &under, &mut causes)?;
        if fields.is_empty() && !under.is_root() && gone.as_ref().is_none_or(Vec::is_empty) {
            return Err(no_such_field(&stream, &under.to_string(), found.revision));
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
            warnings: warnings.into_iter().flatten().collect(),
            stream,
        };
        shown_until(view, reveal, &models, out)
    })
    .await
}

fn blamed_fields(
    (reached, blame): (&StateAt, &Blame),
    under: &Pointer,
    causes: &mut Causes<'_>,
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

fn bad_path(path: &str, error: &dyn std::error::Error) -> ApiError {
    let detail = format!("`path` is `{path}`: {error}");
    Problem::new(Code::BadParameter, detail)
        .field("path")
        .into()
}

fn no_such_field(stream: &StreamName, path: &str, revision: Revision) -> ApiError {
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
    /// Up to this revision. The head when neither is given.
    at_revision: Option<u64>,
    /// Up to what was recorded at this time (RFC 3339, with a zone).
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// `forward` from old to new (when absent), or `backward`.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Values at most: 1 to 1000, 100 when absent. A page of large values ends early, with a cursor.
    limit: Option<usize>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// Every value that a field had, with the event that brought it: when, who and why.
#[utoipa::path(get, path = "/v1/streams/{stream}/field", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), FieldParams),
    responses((status = 200, body = Shown<FieldOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head`, `before_first_event`, or `no_such_field`: it never had a value")))]
pub(crate) async fn get_field(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<FieldParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let point = asked_point(params.at_revision, params.as_of)?;
    let path: FieldPath = params
        .path
        .parse()
        .map_err(|error| bad_path(&params.path, &error))?;
    let order = params.order.unwrap_or_default();
    let cursor = order.read_cursor(params.cursor.as_deref())?.map(Revision);
    let limit = page_limit(params.limit)?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "field",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    if !reveal.yes() {
        refuse_secret_identity(&path, &model)?;
    }
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_heavy(&parts, move |view| {
        let found = resolve(view, &stream, point)?;
        let (after, to) = match (order, cursor) {
            (Order::Forward, after) => (after, found.revision),
            (Order::Backward, Some(before)) => (
                None,
                Revision(before.0.saturating_sub(1)).min(found.revision),
            ),
            (Order::Backward, None) => (None, found.revision),
        };
        let direction = Direction::from(order);
        let page = (direction, limit);
        let mut read = travel.field_values(view, &model, (&stream, &path), (after, to), page)?;
        if direction == Direction::Backward {
            read.values.make_contiguous().reverse();
        }
        if read.values.is_empty() && cursor.is_none() {
            return Err(no_such_field(&stream, &path.to_string(), found.revision));
        }
        let last = read.values.back().map(|value| value.revision.0);
        let values = with_causes(view, &stream, read.values)?;
        let warnings = [
            redacted_copy,
            left_out(view, point, &found)?,
            clock_went_back(view, &found, (Revision::ZERO, found.revision))?,
            faults(&read.folded),
        ];
        let out = FieldOut {
            path: path.to_string(),
            revision: found.revision,
            values,
            next_cursor: last
                .filter(|_| read.has_more)
                .map(|last| order.cursor(last)),
            redacted: Vec::new(),
            warnings: warnings.into_iter().flatten().collect(),
            stream,
        };
        shown_until(view, reveal, &models, out)
    })
    .await
}

/// An element cannot be asked for by what is hidden: the answer would tell it.
fn refuse_secret_identity(path: &FieldPath, model: &Model) -> Result<(), ApiError> {
    let mut identities = path.identity_fields();
    let Some(secret) = identities.find(|name| model.is_secret(name)) else {
        return Ok(());
    };
    let detail = format!("`path` names an element by `{secret}`, which is a secret");
    let problem = Problem::new(Code::BadParameter, detail).field("path");
    Err(problem.hint("name it by its index").into())
}

fn with_causes(
    view: &dyn View,
    stream: &StreamName,
    values: impl IntoIterator<Item = crate::time_travel::FieldValue>,
) -> Result<Vec<FieldValueOut>, ApiError> {
    let mut causes = Causes::new(view, stream);
    let told = values.into_iter().map(|found| {
        Ok(FieldValueOut {
            revision: found.revision,
            absent: found.value.is_none(),
            value: found.value.unwrap_or(Value::Null),
            event: causes.at(found.revision)?,
        })
    });
    told.collect()
}
