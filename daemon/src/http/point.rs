//! The point of a stream's history that a request is about: the parameters that every such path takes.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts as Head;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;

use super::common::{asked_to_reveal, at_most_one};
use super::error::ApiError;
use super::extract::read_two;
use crate::time_travel::Point;

#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
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
}

impl PointParams {
    const NAMES: [&str; 3] = ["at_revision", "as_of", "reveal"];

    /// The point that they name.
    pub(super) fn point(self) -> Result<Point, ApiError> {
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
    pub(super) fn reveal(self, headers: &HeaderMap, what: &str, stream: &StreamName) -> Reveal {
        asked_to_reveal(self.reveal == Some(true), headers, what, stream.as_str())
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
