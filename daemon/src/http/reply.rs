//! JSON on its way out.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::time_travel::StepsOut;
use whodunit_core::api::{Page, browse, ops, pipeline, write};
use whodunit_core::shown::Shown;

use super::error::ApiError;

/// What a reply may hold: what redaction made, and what has no place for a secret. An event, a decision or a state is only
/// shown as [`Shown`].
pub(crate) trait Showable: Serialize {}

impl<T: Serialize> Showable for Shown<T> {}
impl<T: Showable> Showable for Page<T> {}
impl<T: Showable> Showable for &T {}
impl<T: Showable> Showable for StepsOut<T> {}

/// Types without a place for a secret: names, counts, times, and documents that a projection keeps without secrets.
macro_rules! showable {
    ($($type:ty),* $(,)?) => { $(impl Showable for $type {})* };
}

showable!(
    browse::Category,
    browse::DensityOut,
    browse::LiveHead,
    browse::ModelOut,
    browse::Stream,
    ops::HealthOut,
    pipeline::BackfillPlan,
    pipeline::CheckOut,
    pipeline::DocumentOut,
    pipeline::DocumentPage,
    pipeline::JobOut,
    pipeline::NotYetOut,
    pipeline::OutboxPage,
    pipeline::ProjectionOut,
    pipeline::ReadModelOut,
    pipeline::RetriedOut,
    pipeline::RunOut,
    write::ImportReport,
);

/// A JSON reply.
#[derive(Debug)]
pub(crate) struct Reply<T>(pub(crate) T);

impl<T: Showable> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let kind = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, kind)], body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a reply could not be written as JSON");
                ApiError::from(Problem::new(
                    Code::Internal,
                    "the reply could not be written",
                ))
                .into_response()
            }
        }
    }
}
