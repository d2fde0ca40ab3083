//! JSON on its way out.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use whodunit_core::api::problem::{Code, Problem};

use super::error::ApiError;

/// A JSON reply.
#[derive(Debug)]
pub(crate) struct Reply<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Reply<T> {
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
