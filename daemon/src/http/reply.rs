//! JSON replies.
//!
//! Owns the bound on replies that their clients have not taken yet. Large ones are written where blocking is allowed.

use std::io::{self, Write as _};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use whodunit_core::api::branch::{self, BranchCompareOut, BranchRead};
use whodunit_core::api::causes::{self, ImpactPage};
use whodunit_core::api::find::{self, FindPage, FoundItem};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::time_travel::StepsOut;
use whodunit_core::api::world::{WorldDiffOut, WorldOut};
use whodunit_core::api::{Page, browse, investigate, names, notes, ops, pipeline, write};
use whodunit_core::event::EventView;
use whodunit_core::model::Models;
use whodunit_core::note::Note;
use whodunit_core::shown::{Reveal, Shown, ShownEvent};
use whodunit_core::stop::Stop;

use super::error::{ApiError, busy};
use crate::daemon::Parts;
use crate::limits::{COMPRESSED_BYTES_MIN, REPLY_BYTES_MAX};
use crate::memory::Memory;
use crate::reading::{read_owned, takes_gzip};
use crate::store::{StoreError, View};

/// Replies below this many bytes are not counted against the bound: connections bound them well enough.
const COUNTED_FROM_BYTES: usize = 64 << 10;

/// What is found, as it is written. Which type it has is of no matter here: what reads the log and writes replies is built once, not
/// for each of them.
pub(super) trait Found {
    fn write(&self, out: &mut Stoppable<'_>) -> serde_json::Result<()>;
}

impl<T: Showable> Found for T {
    fn write(&self, out: &mut Stoppable<'_>) -> serde_json::Result<()> {
        serde_json::to_writer(out, self)
    }
}

/// Work on what something is found in: a view of the log, or two worlds.
pub(super) type Work<In> = Box<dyn FnOnce(&mut In) -> Result<Box<dyn Found>, ApiError> + Send>;

/// What a reply may hold: what redaction made, and what has no place for a secret. An event, a decision or a state is only
/// shown as [`Shown`].
pub(crate) trait Showable: Serialize {}

impl<T: Serialize> Showable for Shown<T> {}
impl Showable for ShownEvent {}
impl<T: Showable> Showable for Page<T> {}
impl<T: Showable> Showable for FindPage<T> {}
impl<E: Showable, D: Showable> Showable for FoundItem<E, D> {}
impl<T: Showable> Showable for &T {}
impl<T: Showable> Showable for StepsOut<T> {}
impl<T: Showable> Showable for ImpactPage<T> {}
impl<T: Showable> Showable for WorldOut<T> {}
impl<T: Showable> Showable for WorldDiffOut<T> {}
impl<T: Showable> Showable for BranchCompareOut<T> {}

/// Types without a place for a secret: names, counts, times, and documents that a projection keeps without secrets.
macro_rules! showable {
    ($($type:ty),* $(,)?) => { $(impl Showable for $type {})* };
}

showable!(
    branch::BranchPage,
    browse::Category,
    browse::DensityOut,
    browse::LiveHead,
    browse::ModelOut,
    browse::Stream,
    find::DiffersOut,
    names::NamesOut,
    find::SummaryOut,
    causes::CausesOut,
    causes::CorrelationOut,
    investigate::BisectOut,
    notes::NotePage,
    whodunit_core::branch::BranchFile,
    Note,
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
            Ok(body) => json(Bytes::from(body)),
            Err(error) => unwritable(&error).into_response(),
        }
    }
}

fn json(body: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], Body::from(body)).into_response()
}

fn unwritable(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "a reply could not be written as JSON");
    Problem::new(Code::Internal, "the reply could not be written").into()
}

/// An event of a reply, as it may be shown.
pub(crate) fn shown_event(
    reveal: Reveal,
    models: &Models,
    event: &EventView<'_>,
) -> Result<ShownEvent, StoreError> {
    reveal.show_event(models, event).map_err(unwritten)
}

fn unwritten(error: serde_json::Error) -> StoreError {
    StoreError::Engine {
        doing: "writing an event",
        source: error.into(),
    }
}

/// A JSON reply that is written already. Its share of the replies' memory is released when the client has received it.
#[derive(Debug)]
pub(crate) struct Written {
    bytes: Bytes,
    is_gzip: bool,
}

/// The bytes of a reply and their share of the memory.
struct Counted {
    bytes: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Memory that is written to until it is to stop, or full.
pub(super) struct Stoppable<'a> {
    bytes: Vec<u8>,
    is_full: bool,
    stop: &'a Stop,
}

impl io::Write for Stoppable<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.stop.check().map_err(io::Error::other)?;
        if self.bytes.len() + piece.len() > REPLY_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::other("the reply is too large"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn new(
        found: &dyn Found,
        takes_gzip: bool,
        replies: &Memory,
        stop: &Stop,
    ) -> Result<Self, ApiError> {
        Self::of_branch(found, None, (takes_gzip, replies), stop)
    }

    /// A reply that was read from a branch: it names the branch first.
    pub(super) fn of_branch(
        found: &dyn Found,
        branch: Option<&BranchRead>,
        (takes_gzip, replies): (bool, &Memory),
        stop: &Stop,
    ) -> Result<Self, ApiError> {
        let mut out = Stoppable {
            bytes: Vec::with_capacity(128),
            is_full: false,
            stop,
        };
        let written = found.write(&mut out);
        stop.check().map_err(StoreError::from)?;
        if out.is_full {
            let detail = format!("the reply would be larger than {REPLY_BYTES_MAX} bytes");
            let problem = Problem::new(Code::LimitExceeded, detail);
            return Err(problem
                .hint("ask for less at a time: `limit`, or points nearer to each other")
                .into());
        }
        written.map_err(|error| unwritable(&error))?;
        if let Some(branch) = branch {
            name_branch(&mut out.bytes, branch).map_err(|error| unwritable(&error))?;
        }
        let is_gzip = takes_gzip && out.bytes.len() >= usize::from(COMPRESSED_BYTES_MIN);
        let bytes = if is_gzip {
            gzip(&out.bytes, stop)?
        } else {
            out.bytes
        };
        if bytes.len() < COUNTED_FROM_BYTES {
            let bytes = bytes.into();
            return Ok(Self { bytes, is_gzip });
        }
        let share = replies.reserve(bytes.capacity());
        let share =
            share.ok_or_else(|| busy("too much reply data is waiting for clients to read it"))?;
        let bytes = Bytes::from_owner(Counted {
            bytes,
            _share: share,
        });
        Ok(Self { bytes, is_gzip })
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        let mut response = json(self.bytes);
        if self.is_gzip {
            let headers = response.headers_mut();
            let (gzip, by) = ("gzip", "accept-encoding");
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(gzip));
            headers.insert(header::VARY, HeaderValue::from_static(by));
        }
        response
    }
}

/// Puts the branch into a reply, which is an object, as its first field.
fn name_branch(reply: &mut Vec<u8>, branch: &BranchRead) -> Result<(), serde_json::Error> {
    let mut field = b"\"branch\":".to_vec();
    serde_json::to_writer(&mut field, branch)?;
    if reply.get(1) != Some(&b'}') {
        field.push(b',');
    }
    reply.splice(1..1, field);
    Ok(())
}

/// Compresses a reply where blocking is allowed: on the threads that serve connections it would hold up the others.
fn gzip(text: &[u8], stop: &Stop) -> Result<Vec<u8>, ApiError> {
    let mut out = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    for piece in text.chunks(COUNTED_FROM_BYTES) {
        stop.check().map_err(StoreError::from)?;
        out.write_all(piece).map_err(|error| uncompressed(&error))?;
    }
    out.finish().map_err(|error| uncompressed(&error))
}

fn uncompressed(error: &io::Error) -> ApiError {
    tracing::error!(%error, "a reply could not be compressed");
    Problem::new(Code::Internal, "the reply could not be compressed").into()
}

/// Work on a view of the log, whatever it finds.
fn on_view<T: Showable + 'static>(
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Work<Box<dyn View>> {
    Box::new(move |view| Ok(Box::new(work(view.as_ref())?)))
}

/// Answers with what a read of the log finds.
pub(crate) async fn answer<T: Showable + 'static>(
    parts: &Parts,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    answer_work(parts, on_view(work)).await
}

async fn answer_work(parts: &Parts, work: Work<Box<dyn View>>) -> Result<Written, ApiError> {
    let (replies, takes_gzip) = (Arc::clone(&parts.gates.replies), takes_gzip());
    read_owned(&parts.store, move |mut view| {
        let found = work(&mut view)?;
        Written::new(found.as_ref(), takes_gzip, &replies, view.stop())
    })
    .await
}

/// Answers with what heavy work on the log finds: in a pool of its own.
pub(crate) async fn answer_heavy<T: Showable + 'static>(
    parts: &Parts,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    answer_heavy_work(parts, on_view(work)).await
}

async fn answer_heavy_work(parts: &Parts, work: Work<Box<dyn View>>) -> Result<Written, ApiError> {
    let (replies, takes_gzip) = (Arc::clone(&parts.gates.replies), takes_gzip());
    let heavy = &parts.gates.heavy;
    heavy
        .read_owned(&parts.store, move |mut view| {
            let found = work(&mut view)?;
            view.stop().check().map_err(StoreError::from)?;
            Written::new(found.as_ref(), takes_gzip, &replies, view.stop())
        })
        .await
}
