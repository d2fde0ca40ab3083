//! Bisect over many streams: what each of them comes to, line by line, as it is found.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use whodunit_core::api::investigate::{
    BisectEnd, BisectFailure, BisectLine, BisectProgress, UndefinedStreams,
};
use whodunit_core::bisect::Pick;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::predicate::Predicate;

use super::bisect::{matches, undefined};
use super::error::{ApiError, busy};
use crate::bisect::{Bisect, BisectError};
use crate::daemon::Parts;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::store::{StreamCursor, StreamFilter, StreamInfo, StreamOrder, View};
use crate::time_travel::TravelError;

/// Time after which what was found is sent, and other heavy work gets its turn.
const PIECE_TIME: Duration = Duration::from_millis(200);
/// Streams that are listed at a time.
const STREAMS_AT_A_TIME: usize = 64;
/// Streams whose failure is told in a line of its own; all are counted.
const FAILURES_MAX: u64 = 100;

/// What is looked for, and in which streams.
pub(super) struct Wide {
    pub(super) predicate: Predicate,
    pub(super) pick: Pick,
    /// Matches of one stream that are named.
    pub(super) limit: usize,
    /// Exactly this category; all of them when absent.
    pub(super) category: Option<String>,
}

/// A bisect under way.
struct Run {
    parts: Arc<Parts>,
    wide: Arc<Wide>,
    /// The log's head when it was asked for: what is logged later is not looked at.
    until: Position,
    /// Where the list of streams goes on; `None` once it is over.
    next: Option<Option<StreamCursor>>,
    end: BisectEnd,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

/// Answers with a line for each match, now and then the progress, and at the end what it came to.
pub(super) fn answer(parts: Arc<Parts>, wide: Wide) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&parts.gates.bisects).try_acquire_owned() else {
        return Err(busy("too many bisects over categories are running"));
    };
    let until = parts.store.head().borrow().position;
    let run = Run {
        end: BisectEnd {
            predicate: wide.predicate.to_string(),
            position: until,
            streams: 0,
            streams_holding: 0,
            matches_total: 0,
            revisions: 0,
            evaluations: 0,
            folds: 0,
            undefined: None,
            failed: 0,
            redacted_copy: parts.store.is_redacted_copy(),
        },
        parts,
        wide: Arc::new(wide),
        until,
        next: Some(None),
        is_over: false,
        _place: place,
    };
    let pieces = stream::unfold(run, Run::piece);
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok((
        [(header::CONTENT_TYPE, kind)],
        Body::from_stream(pieces.fuse()),
    )
        .into_response())
}

impl Run {
    /// The next lines. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.is_over {
            return None;
        }
        let Some(after) = self.next.take() else {
            self.is_over = true;
            let mut lines = Vec::new();
            let end = self.end.clone();
            return Some(match write(&mut lines, &BisectLine::End(end)) {
                Ok(()) => (Ok(lines.into()), self),
                Err(error) => (Err(error), self),
            });
        };
        let (parts, wide) = (Arc::clone(&self.parts), Arc::clone(&self.wide));
        let (until, end) = (self.until, self.end.clone());
        let heavy = &self.parts.gates.heavy;
        let done = heavy.read(&self.parts.store, move |view| {
            let mut part = Part {
                parts: &parts,
                wide: &wide,
                view,
                until,
                end,
                lines: Vec::new(),
            };
            let next = part.streams(after)?;
            Ok::<_, ApiError>((part.lines, part.end, next))
        });
        match done.await {
            Ok((lines, end, next)) => {
                (self.end, self.next) = (end, next);
                Some((Ok(lines.into()), self))
            }
            Err(error) => {
                self.is_over = true;
                let error = io::Error::other(error.0.detail.clone());
                Some((Err(error), self))
            }
        }
    }
}

/// Some of the streams.
struct Part<'a> {
    parts: &'a Parts,
    wide: &'a Wide,
    view: &'a dyn View,
    until: Position,
    end: BisectEnd,
    lines: Vec<u8>,
}

impl Part<'_> {
    /// Goes through streams for a while. Where to go on, if there are more.
    fn streams(
        &mut self,
        mut after: Option<StreamCursor>,
    ) -> Result<Option<Option<StreamCursor>>, ApiError> {
        let begun = Instant::now();
        let filter = StreamFilter {
            category: self.wide.category.clone(),
            ..StreamFilter::default()
        };
        loop {
            let page = self.view.streams(
                &filter,
                StreamOrder::Name,
                after.clone(),
                STREAMS_AT_A_TIME,
                SCAN_ENTRIES_MAX,
            )?;
            for info in page.streams {
                self.stream(&info)?;
                after = Some(StreamCursor::AfterName(info.stream.as_str().to_owned()));
                if begun.elapsed() >= PIECE_TIME {
                    self.progress()?;
                    return Ok(Some(after));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
    }

    fn progress(&mut self) -> Result<(), ApiError> {
        let progress = BisectLine::Progress(BisectProgress {
            streams: self.end.streams,
            revisions: self.end.revisions,
        });
        Ok(write(&mut self.lines, &progress).map_err(unwritten)?)
    }

    fn stream(&mut self, info: &StreamInfo) -> Result<(), ApiError> {
        let to = if info.last_position <= self.until {
            info.revision
        } else {
            self.view
                .revision_at(&info.stream, self.until)?
                .unwrap_or_default()
        };
        if to == Revision::ZERO {
            return Ok(());
        }
        let model = self.parts.models.for_stream(&info.stream).clone();
        let bisect = Bisect {
            travel: &self.parts.travel,
            view: self.view,
            model: &model,
            stream: &info.stream,
            predicate: &self.wide.predicate,
            range: (Revision::ZERO, to),
        };
        self.end.streams += 1;
        let found = match bisect.scan(self.wide.pick, self.wide.limit) {
            Ok(found) => found,
            Err(BisectError::Travel(TravelError::Store(error))) => return Err(error.into()),
            Err(error) => return self.failed(info, &error),
        };
        let end = &mut self.end;
        end.folds += found.folds;
        end.revisions += found.revisions;
        end.evaluations += found.evaluations;
        end.matches_total += found.matches_total;
        end.streams_holding += u64::from(found.matches.iter().any(|flip| flip.holds));
        if let Some(undefined) = undefined(&self.wide.predicate, &found) {
            let total = end.undefined.get_or_insert_with(|| UndefinedStreams {
                revisions: 0,
                stream: info.stream.clone(),
                first: undefined.first,
                reason: undefined.reason,
            });
            total.revisions += undefined.revisions;
        }
        for found in matches(self.view, &info.stream, &found)? {
            write(&mut self.lines, &BisectLine::Match(found)).map_err(unwritten)?;
        }
        Ok(())
    }

    /// A stream that cannot be looked at stops none of the others.
    fn failed(&mut self, info: &StreamInfo, error: &BisectError) -> Result<(), ApiError> {
        self.end.failed += 1;
        if self.end.failed <= FAILURES_MAX {
            let failure = BisectLine::Failed(BisectFailure {
                stream: info.stream.clone(),
                detail: error.to_string(),
            });
            write(&mut self.lines, &failure).map_err(unwritten)?;
        }
        Ok(())
    }
}

fn write(lines: &mut Vec<u8>, line: &BisectLine) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, line)?;
    lines.push(b'\n');
    Ok(())
}

fn unwritten(error: io::Error) -> crate::store::StoreError {
    crate::store::StoreError::Engine {
        doing: "writing a line of a bisect",
        source: error.into(),
    }
}
