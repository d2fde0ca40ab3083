//! Imports over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request, State};
use futures_util::StreamExt;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::write::ImportReport;
use whodunit_core::mapping::Mapping;

use super::error::{ApiError, busy, unavailable};
use super::extract::{Query, content_type};
use super::reply::Reply;
use crate::daemon::Parts;
use crate::import::{ImportFailure, Importer, Options};
use crate::limits::{BODY_TIMEOUT, IMPORT_MAPPING_BYTES_MAX};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Whether to stop at the first bad record. Records that were on their way into the log by then stay in it.
    strict: Option<bool>,
    /// Whether to take redacted records into a log that holds other history; it is labelled as a redacted copy then. An
    /// empty log takes them without asking, and is one as well.
    allow_redacted: Option<bool>,
    /// Whether to give events that cannot keep their own revision the next one; theirs is then kept in their metadata
    /// (`source_revision`), and the report counts them by stream. Otherwise they are refused.
    renumber: Option<bool>,
}

/// Records of another system, with what they mean.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form; its parts are read one by one"
)]
struct ImportForm {
    /// A mapping file (TOML): how records become events. Comes first.
    mapping: String,
    /// The records, one JSON value a line.
    records: String,
}

impl From<ImportFailure> for ApiError {
    fn from(failure: ImportFailure) -> Self {
        match failure {
            ImportFailure::Store(error) => error.into(),
            ImportFailure::Stopping => unavailable().into(),
            ImportFailure::Redacted => Problem::new(Code::RedactedExport, failure.to_string())
                .hint(crate::import::REDACTED_HINT)
                .into(),
        }
    }
}

/// Imports records, any number of them: as `application/x-ndjson` in our own export format, or as `multipart/form-data`
/// with a part `mapping` (TOML) before a part `records` (NDJSON). Importing the same file again adds nothing.
#[utoipa::path(post, path = "/v1/import", tag = "write", params(ImportParams),
    request_body(content((String = "application/x-ndjson"), (ImportForm = "multipart/form-data"))),
    responses((status = 200, body = ImportReport),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn import_events(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<ImportParams>,
    request: Request,
) -> Result<Reply<ImportReport>, ApiError> {
    let options = Options {
        strict: params.strict == Some(true),
        allow_redacted: params.allow_redacted == Some(true),
        renumber: params.renumber == Some(true),
    };
    let Ok(_place) = Arc::clone(&parts.gates.imports).try_acquire_owned() else {
        return Err(busy("too many imports are under way"));
    };
    match content_type(request.headers()).as_str() {
        "multipart/form-data" => parted(&parts, options, request).await,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            plain(&parts, options, request).await
        }
        _ => Err(Problem::new(
            Code::UnsupportedMediaType,
            "the body is declared neither as NDJSON nor as a form with a mapping",
        )
        .hint("send `Content-Type: application/x-ndjson` or `multipart/form-data`")
        .into()),
    }
}

async fn plain(
    parts: &Arc<Parts>,
    options: Options,
    request: Request,
) -> Result<Reply<ImportReport>, ApiError> {
    let mut importer = Importer::begin(parts, options, None);
    let mut pieces = request.into_body().into_data_stream();
    while let Some(piece) = in_time(pieces.next()).await? {
        importer.feed(&piece.map_err(broken)?).await?;
    }
    Ok(Reply(importer.finish().await?))
}

async fn parted(
    parts: &Arc<Parts>,
    options: Options,
    request: Request,
) -> Result<Reply<ImportReport>, ApiError> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| malformed(&error.body_text()))?;
    let mut mapping = None;
    while let Some(mut part) = in_time(form.next_field()).await?.map_err(broken)? {
        match part.name() {
            Some("mapping") => mapping = Some(read_mapping(&mut part).await?),
            Some("records") => {
                let mapping = mapping.take().transpose();
                let mut importer = match mapping {
                    Ok(mapping) => Importer::begin(parts, options, mapping),
                    Err(error) => {
                        // The records are read to their end: a client that is still sending would not see the answer.
                        while next_piece(&mut part).await?.is_some() {}
                        return Err(error);
                    }
                };
                while let Some(piece) = next_piece(&mut part).await? {
                    importer.feed(&piece).await?;
                }
                return Ok(Reply(importer.finish().await?));
            }
            _ => {
                return Err(malformed(
                    "the form has a part that is neither `mapping` nor `records`",
                ));
            }
        }
    }
    mapping.transpose()?;
    Err(malformed("the form has no part `records`"))
}

/// Reads the mapping's part. What is wrong with it is told once the records are read.
async fn read_mapping(part: &mut Field<'_>) -> Result<Result<Mapping, ApiError>, ApiError> {
    let mut text = Vec::new();
    let mut too_large = false;
    while let Some(piece) = next_piece(part).await? {
        too_large |= text.len() + piece.len() > IMPORT_MAPPING_BYTES_MAX;
        if !too_large {
            text.extend_from_slice(&piece);
        }
    }
    if too_large {
        let detail = format!("the mapping is larger than {IMPORT_MAPPING_BYTES_MAX} bytes");
        return Ok(Err(Problem::new(Code::TooLarge, detail)
            .field("mapping")
            .into()));
    }
    let Ok(text) = String::from_utf8(text) else {
        return Ok(Err(malformed("the mapping is not UTF-8")));
    };
    Ok(Mapping::parse(&text).map_err(|error| {
        let detail = format!("the mapping does not fit: {error}");
        Problem::new(Code::Malformed, detail)
            .field("mapping")
            .into()
    }))
}

async fn next_piece(part: &mut Field<'_>) -> Result<Option<Bytes>, ApiError> {
    in_time(part.chunk()).await?.map_err(broken)
}

/// Waits for the client's next piece, but not forever.
async fn in_time<T>(next: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(BODY_TIMEOUT, next)
        .await
        .map_err(|_elapsed| {
            let seconds = BODY_TIMEOUT.as_secs();
            let detail = format!("nothing more of the body arrived within {seconds} seconds");
            Problem::new(Code::Timeout, detail)
            .hint("what was read before is in the log; importing the file again adds only the rest")
            .into()
        })
}

fn broken<E>(_error: E) -> ApiError {
    malformed("the body ended before it was complete")
}

fn malformed(detail: &str) -> ApiError {
    Problem::new(Code::Malformed, detail).into()
}
