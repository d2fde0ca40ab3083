//! Imports over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request, State};
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use utoipa::{IntoParams, ToSchema};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::write::ImportReport;
use whodunit_core::mapping::Mapping;

use super::error::{ApiError, busy, unavailable};
use super::extract::{Query, content_type};
use super::reply::Reply;
use crate::daemon::Parts;
use crate::import::{ImportFailure, Importer, Options};
use crate::limits::{
    BODY_DISCARD_BYTES_MAX, BODY_TIMEOUT, IMPORT_MAPPING_BYTES_MAX, IMPORT_SPOOL_BYTES_MAX,
};

/// What became of an import whose body did not come to its end.
const ADDS_THE_REST: &str =
    "what was read before may be in the log; importing the file again adds only the rest";
/// Bytes of spooled records that are read at a time.
const SPOOL_PIECE_BYTES: usize = 64 << 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Whether to stop at the first bad record. Records already submitted by then stay in the log.
    strict: Option<bool>,
    /// Whether to take redacted records into a log that holds other history; it is labelled as a redacted copy then. An
    /// empty log takes them without asking, and is one as well.
    allow_redacted: Option<bool>,
    /// Whether to give events that cannot keep their own revision the next one; theirs is then kept in their metadata
    /// (`source_revision`), and the report counts them by stream. Otherwise they are refused.
    renumber: Option<bool>,
    /// Whether to import nothing and report what an import would do: the counts, and the first events.
    dry_run: Option<bool>,
}

/// Records of another system, with what they mean.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the form; its parts are read one by one"
)]
struct ImportForm {
    /// A mapping file (TOML): how records become events. Best sent first: then the records are not kept waiting for it.
    mapping: String,
    /// The records, one JSON value a line.
    records: String,
}

impl From<ImportFailure> for ApiError {
    fn from(failure: ImportFailure) -> Self {
        match failure {
            ImportFailure::Store(error) => error.into(),
            ImportFailure::Stopping => unavailable().into(),
            ImportFailure::Format(said) => Problem::new(
                Code::UnsupportedMediaType,
                format!("{said}; nothing was imported"),
            )
            .into(),
            ImportFailure::Redacted => Problem::new(Code::RedactedExport, failure.to_string())
                .hint(crate::import::REDACTED_HINT)
                .into(),
        }
    }
}

/// Imports records, any number of them: as `application/x-ndjson` in our own export format, or as `multipart/form-data`
/// with the parts `mapping` (TOML) and `records` (NDJSON). Importing the same file again adds nothing.
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
        dry_run: params.dry_run == Some(true),
    };
    let Ok(_place) = Arc::clone(&parts.gates.imports).try_acquire_owned() else {
        return Err(busy("too many imports are running"));
    };
    match content_type(request.headers()).as_str() {
        "multipart/form-data" => parted(&parts, options, request).await,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            plain(&parts, options, request).await
        }
        _ => Err(Problem::new(
            Code::UnsupportedMediaType,
            "the content type is neither NDJSON nor a form with a mapping",
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
        if let Err(failure) = importer.feed(&piece.map_err(broken)?).await {
            // A client that is still sending would not see the answer: some of the rest is read and thrown away.
            let mut bytes = 0;
            while bytes < BODY_DISCARD_BYTES_MAX
                && let Ok(Some(Ok(piece))) = in_time(pieces.next()).await
            {
                bytes += piece.len();
            }
            return Err(failure.into());
        }
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
    let mut read = Form::default();
    while let Some(mut part) = in_time(form.next_field()).await?.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        if let Err(refused) = read.part(parts, options, &name, &mut part).await {
            // What follows is read to its end: a client that is still sending would not see the answer.
            drop(part);
            while let Some(mut part) = in_time(form.next_field()).await?.map_err(broken)? {
                while next_piece(&mut part).await?.is_some() {}
            }
            return Err(refused);
        }
    }
    read.finish(parts, options).await
}

/// The parts of a form, in whichever order they come.
#[derive(Default)]
struct Form {
    mapping: Option<Mapping>,
    /// Records that came before their mapping.
    records: Option<tokio::fs::File>,
    report: Option<ImportReport>,
}

impl Form {
    async fn part(
        &mut self,
        parts: &Arc<Parts>,
        options: Options,
        name: &str,
        part: &mut Field<'_>,
    ) -> Result<(), ApiError> {
        let result = match name {
            "mapping" if self.report.is_some() => Err(malformed(
                "the form has two parts `mapping`; its records were imported by the first, the second was not read",
            )),
            "mapping" if self.mapping.is_some() => Err(malformed(
                "the form has two parts `mapping`; nothing was imported",
            )),
            "mapping" => {
                let mapping = read_mapping(part).await?;
                mapping.map(|mapping| self.mapping = Some(mapping))
            }
            "records" if self.report.is_some() => Err(malformed(
                "the form has two parts `records`; the first one was imported, the second was not",
            )),
            "records" if self.records.is_some() => Err(malformed(
                "the form has two parts `records`; nothing was imported",
            )),
            "records" => match self.mapping.take() {
                Some(mapping) => {
                    let mut importer = Importer::begin(parts, options, Some(mapping));
                    let fed = feed(&mut importer, part).await;
                    match fed {
                        Ok(()) => importer
                            .finish()
                            .await
                            .map_err(ApiError::from)
                            .map(|report| {
                                self.report = Some(report);
                            }),
                        Err(error) => Err(error),
                    }
                }
                None => spool(part).await.map(|file| self.records = Some(file)),
            },
            _ => {
                let imported = match self.report {
                    Some(_) => "the records before it were imported",
                    None => "nothing was imported",
                };
                Err(malformed(&format!(
                    "the form has a part that is neither `mapping` nor `records`; {imported}"
                )))
            }
        };
        if result.is_err() {
            while next_piece(part).await?.is_some() {}
        }
        result
    }

    /// Imports what waits for its mapping, now that the form is complete.
    async fn finish(
        self,
        parts: &Arc<Parts>,
        options: Options,
    ) -> Result<Reply<ImportReport>, ApiError> {
        if let Some(report) = self.report {
            return Ok(Reply(report));
        }
        let Some(mut records) = self.records else {
            return Err(malformed("the form has no part `records`"));
        };
        let mut importer = Importer::begin(parts, options, self.mapping);
        records
            .rewind()
            .await
            .map_err(|error| spool_failed(&error))?;
        let mut piece = vec![0; SPOOL_PIECE_BYTES];
        loop {
            let read = records.read(&mut piece).await;
            match read.map_err(|error| spool_failed(&error))? {
                0 => return Ok(Reply(importer.finish().await?)),
                read => importer.feed(piece.get(..read).unwrap_or_default()).await?,
            }
        }
    }
}

async fn feed(importer: &mut Importer, part: &mut Field<'_>) -> Result<(), ApiError> {
    while let Some(piece) = next_piece(part).await? {
        importer.feed(&piece).await?;
    }
    Ok(())
}

/// Keeps records that come before their mapping in a file without a name, gone when it is closed.
async fn spool(part: &mut Field<'_>) -> Result<tokio::fs::File, ApiError> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
    let file = file.unwrap_or_else(|_panicked| Err(std::io::ErrorKind::Other.into()));
    let mut file = tokio::fs::File::from_std(file.map_err(|error| spool_failed(&error))?);
    let mut bytes = 0_u64;
    while let Some(piece) = next_piece(part).await? {
        bytes += piece.len() as u64;
        if bytes > IMPORT_SPOOL_BYTES_MAX {
            let detail = format!(
                "the records before the mapping are more than {IMPORT_SPOOL_BYTES_MAX} bytes"
            );
            let problem = Problem::new(Code::TooLarge, detail).field("records");
            return Err(problem
                .hint("send the part `mapping` first; then there is no limit")
                .into());
        }
        let written = file.write_all(&piece).await;
        written.map_err(|error| spool_failed(&error))?;
    }
    file.flush().await.map_err(|error| spool_failed(&error))?;
    Ok(file)
}

fn spool_failed(error: &std::io::Error) -> ApiError {
    tracing::error!(%error, "records could not be stored until their mapping arrives");
    Problem::new(
        Code::Internal,
        "the records could not be stored until their mapping arrives",
    )
    .hint("send the part `mapping` first; the daemon's log says why")
    .into()
}

/// Reads the mapping's part. The inner error is about what it says.
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
                .hint(ADDS_THE_REST)
                .into()
        })
}

fn broken<E>(_error: E) -> ApiError {
    Problem::new(Code::Malformed, "the body ended before it was complete")
        .hint(ADDS_THE_REST)
        .into()
}

fn malformed(detail: &str) -> ApiError {
    Problem::new(Code::Malformed, detail).into()
}
