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
    BisectEnd, BisectFailure, BisectLine, BisectProgress, BisectWithin, UndefinedStreams,
};
use whodunit_core::bisect::Pick;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Model;
use whodunit_core::predicate::Predicate;

use super::bisect::{matches, undefined};
use super::error::{ApiError, busy};
use crate::bisect::{Bisect, BisectError, Found, Scanning};
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

/// Where the list of streams goes on.
enum Rest {
    Start,
    After(StreamCursor),
    /// In the middle of a stream.
    Within(Box<LongStream>),
    Nothing,
}

/// A stream that is looked at piece by piece.
struct LongStream {
    info: StreamInfo,
    to: Revision,
    scanning: Scanning,
}

/// A bisect under way.
struct Run {
    parts: Arc<Parts>,
    wide: Arc<Wide>,
    /// The log's head when it was asked for: what is logged later is not looked at.
    until: Position,
    rest: Rest,
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
        rest: Rest::Start,
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
    /// The next lines. Where it breaks off, the last line says why.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.is_over {
            return None;
        }
        let rest = match std::mem::replace(&mut self.rest, Rest::Nothing) {
            Rest::Nothing => return Some(self.end()),
            rest => rest,
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
                begun: Instant::now(),
            };
            // What was found before it broke off is sent, too.
            let rest = part.streams(rest);
            Ok::<_, ApiError>((part.lines, part.end, rest))
        });
        match done.await {
            Ok((lines, end, Ok(rest))) => {
                (self.end, self.rest) = (end, rest);
                Some((Ok(lines.into()), self))
            }
            Ok((lines, _, Err(error))) => Some(self.broken(lines, error)),
            Err(error) => Some(self.broken(Vec::new(), error)),
        }
    }

    /// The last line.
    fn end(self) -> (io::Result<Bytes>, Self) {
        let end = BisectLine::End(self.end.clone());
        self.last(Vec::new(), &end)
    }

    /// The last line of one that breaks off.
    fn broken(self, lines: Vec<u8>, error: ApiError) -> (io::Result<Bytes>, Self) {
        self.last(lines, &BisectLine::Broken(Box::new(error.0.bounded())))
    }

    fn last(mut self, mut lines: Vec<u8>, line: &BisectLine) -> (io::Result<Bytes>, Self) {
        self.is_over = true;
        match write(&mut lines, line) {
            Ok(()) => (Ok(lines.into()), self),
            Err(error) => (Err(error), self),
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
    begun: Instant,
}

impl Part<'_> {
    /// Goes through streams for a while.
    fn streams(&mut self, rest: Rest) -> Result<Rest, ApiError> {
        let mut after = match rest {
            Rest::Start => None,
            Rest::After(cursor) => Some(cursor),
            Rest::Nothing => return Ok(Rest::Nothing),
            Rest::Within(stream) => {
                let name = stream.info.stream.as_str().to_owned();
                if let Some(stream) = self.go_on(stream)? {
                    return Ok(Rest::Within(stream));
                }
                Some(StreamCursor::AfterName(name))
            }
        };
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
                let name = info.stream.as_str().to_owned();
                if let Some(stream) = self.stream(info)? {
                    return Ok(Rest::Within(stream));
                }
                if self.begun.elapsed() >= PIECE_TIME {
                    self.progress(None)?;
                    return Ok(Rest::After(StreamCursor::AfterName(name)));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Rest::Nothing),
            }
        }
    }

    /// Says how far it is, and how far within a stream that is looked at piece by piece.
    fn progress(&mut self, within: Option<&LongStream>) -> Result<(), ApiError> {
        let within = within.map(|stream| BisectWithin {
            stream: stream.info.stream.clone(),
            revision: stream.scanning.revision(),
            to: stream.to,
        });
        let looked_at = within.as_ref().map_or(0, |within| within.revision.0);
        let progress = BisectLine::Progress(BisectProgress {
            streams: self.end.streams,
            revisions: self.end.revisions + looked_at,
            within,
        });
        Ok(write(&mut self.lines, &progress).map_err(unwritten)?)
    }

    /// Begins with a stream; it is returned where it is not looked through yet.
    fn stream(&mut self, info: StreamInfo) -> Result<Option<Box<LongStream>>, ApiError> {
        let to = if info.last_position <= self.until {
            info.revision
        } else {
            self.view
                .revision_at(&info.stream, self.until)?
                .unwrap_or_default()
        };
        if to == Revision::ZERO {
            return Ok(None);
        }
        let model = self.parts.models.for_stream(&info.stream).clone();
        let begun = bisect(self, &model, &info, to).begin(self.wide.pick, self.wide.limit);
        match begun {
            Ok(scanning) => self.go_on(Box::new(LongStream { info, to, scanning })),
            Err(error) => {
                self.end.streams += 1;
                self.failed(&info, error)?;
                Ok(None)
            }
        }
    }

    /// Goes on with a stream; it is returned where it is not looked through yet.
    fn go_on(&mut self, mut stream: Box<LongStream>) -> Result<Option<Box<LongStream>>, ApiError> {
        let model = self.parts.models.for_stream(&stream.info.stream).clone();
        let begun = self.begun;
        let bisect = bisect(self, &model, &stream.info, stream.to);
        let mut pause = || begun.elapsed() >= PIECE_TIME;
        let went_on = bisect.go_on(&mut stream.scanning, &mut pause);
        if went_on.is_ok() && !stream.scanning.is_over() {
            self.progress(Some(&stream))?;
            return Ok(Some(stream));
        }
        self.end.streams += 1;
        if let Err(error) = went_on {
            self.failed(&stream.info, error)?;
            return Ok(None);
        }
        let found = bisect.found(stream.scanning);
        self.add(&stream.info, &found)?;
        Ok(None)
    }

    /// Adds what was found in a stream.
    fn add(&mut self, info: &StreamInfo, found: &Found) -> Result<(), ApiError> {
        let end = &mut self.end;
        end.folds += found.folds;
        end.revisions += found.revisions;
        end.evaluations += found.evaluations;
        end.matches_total += found.matches_total;
        end.streams_holding += u64::from(found.matches.iter().any(|flip| flip.holds));
        if let Some(undefined) = undefined(&self.wide.predicate, found) {
            let total = end.undefined.get_or_insert_with(|| UndefinedStreams {
                revisions: 0,
                stream: info.stream.clone(),
                first: undefined.first,
                reason: undefined.reason,
            });
            total.revisions += undefined.revisions;
        }
        for found in matches(self.view, &info.stream, found)? {
            write(&mut self.lines, &BisectLine::Match(found)).map_err(unwritten)?;
        }
        Ok(())
    }

    /// A stream that cannot be looked at stops none of the others; a store that fails does.
    fn failed(&mut self, info: &StreamInfo, error: BisectError) -> Result<(), ApiError> {
        if let BisectError::Travel(TravelError::Store(error)) = error {
            return Err(error.into());
        }
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

/// What looks at a stream up to a revision. It borrows nothing of what is found on the way.
fn bisect<'a>(part: &Part<'a>, model: &'a Model, info: &'a StreamInfo, to: Revision) -> Bisect<'a> {
    Bisect {
        travel: &part.parts.travel,
        view: part.view,
        model,
        stream: &info.stream,
        predicate: &part.wide.predicate,
        range: (Revision::ZERO, to),
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
