//! The point of a stream's history that a request is about: the parameters that every such path takes.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts as Head;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use whodunit_core::api::warning::Warning;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::model::{Model, Models};
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;

use super::common::{asked_to_reveal, at_most_one};
use super::error::ApiError;
use super::extract::read_two;
use crate::daemon::Parts;
use crate::store::{StoreError, View};
use crate::time_travel::{
    Point, Resolved, TimeTravel, clock_went_back, faults, left_out, redacted_copy,
};

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PointParams {
    /// After this revision; 0 is the empty state. The head when neither is given.
    at_revision: Option<u64>,
    /// As it was recorded at this time (RFC 3339, with a zone).
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that is read; the log when absent.
    branch: Option<String>,
}

impl PointParams {
    const NAMES: [&str; 4] = ["at_revision", "as_of", "reveal", "branch"];

    /// The point that they name.
    pub(super) fn point(&self) -> Result<Point, ApiError> {
        at_most_one(
            ("at_revision", self.at_revision.is_some()),
            ("as_of", self.as_of.is_some()),
        )?;
        Ok(match (self.at_revision, self.as_of) {
            (Some(revision), _) => Point::Revision(Revision(revision)),
            (None, Some(at)) => Point::AsOf(at),
            (None, None) => Point::Head,
        })
    }

    /// Whether the reply shows secrets; leaves a trace of that.
    pub(super) fn reveal(&self, headers: &HeaderMap, what: &str, stream: &StreamName) -> Reveal {
        asked_to_reveal(self.reveal == Some(true), headers, what, stream.as_str())
    }
}

/// A question about a stream at a point, and what it is answered with.
pub(super) struct AtPoint {
    pub(super) stream: StreamName,
    pub(super) point: Point,
    pub(super) reveal: Reveal,
    pub(super) travel: Arc<TimeTravel>,
    pub(super) models: Arc<Models>,
    pub(super) model: Model,
    /// The branch that is read; `None` for the log.
    pub(super) branch: Option<String>,
    redacted_copy: Option<Warning>,
}

impl AtPoint {
    /// Reads the point, and notes who asks for secrets; `what` says of what.
    pub(super) fn new(
        at: PointParams,
        (parts, headers): (&Parts, &HeaderMap),
        what: &str,
        stream: StreamName,
    ) -> Result<Self, ApiError> {
        let point = at.point()?;
        Ok(Self {
            point,
            reveal: at.reveal(headers, what, &stream),
            travel: Arc::clone(&parts.travel),
            model: parts.models.for_stream(&stream).clone(),
            models: Arc::clone(&parts.models),
            redacted_copy: redacted_copy(parts.store.as_ref()),
            branch: at.branch,
            stream,
        })
    }

    /// What there is to know beside an answer that was folded up to the point.
    pub(super) fn warnings(
        &self,
        view: &dyn View,
        found: &Resolved,
        folded: &Folded,
    ) -> Result<Vec<Warning>, StoreError> {
        let from_the_start = (Revision::ZERO, found.revision);
        let warnings = [
            self.redacted_copy.clone(),
            left_out(view, self.point, found)?,
            clock_went_back(view, found, from_the_start)?,
            faults(folded),
        ];
        Ok(warnings.into_iter().flatten().collect())
    }
}

/// No parameters beside those of a point.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoMore {}

/// The query's parameters: those of a point, and a path's own.
#[derive(Debug)]
pub(crate) struct QueryAt<T>(pub(crate) PointParams, pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryAt<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Head, _state: &S) -> Result<Self, ApiError> {
        let (at, own) = read_two(head, &PointParams::NAMES)?;
        Ok(Self(at, own))
    }
}
