//! Worlds: the streams of a category at one moment of the log, looked at one after the other.
//!
//! Owns what a moment is for many streams at once, and how long is worked for one page. What is logged after the first page was
//! read is in none of them. Blocks; never writes, but for snapshots on the way.

use std::time::{Duration, Instant};

use whodunit_core::api::investigate::UndefinedStreams;
use whodunit_core::api::world::{WorldFailure, WorldProgress};
use whodunit_core::bisect::Probe;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Models;
use whodunit_core::predicate::{Predicate, Truth};
use whodunit_core::time::Timestamp;

use crate::bisect::{Bisect, BisectError};
use crate::limits::SCAN_ENTRIES_MAX;
use crate::store::{StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, View};
use crate::time_travel::{Point, Resolved, TimeTravel, TravelError};

/// Time after which a page ends, whatever it has.
const PAGE_TIME: Duration = Duration::from_secs(1);
/// Streams that are listed at a time.
const STREAMS_AT_A_TIME: usize = 64;
/// Streams whose failure is named; all are counted.
const FAILURES_MAX: usize = 100;

/// A moment of the log: what is recorded up to a position and, where there is a time, was recorded by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at_position: Position,
    pub(crate) as_of: Option<Timestamp>,
}

impl Moment {
    /// The revision that a stream has at the moment; 0 where it has no event yet.
    pub(crate) fn revision(
        self,
        view: &dyn View,
        info: &StreamInfo,
    ) -> Result<Revision, StoreError> {
        let of_log = if info.last_position <= self.at_position {
            info.revision
        } else {
            let found = view.revision_at(&info.stream, self.at_position)?;
            found.unwrap_or_default()
        };
        let Some(at) = self.as_of else {
            return Ok(of_log);
        };
        let by_then = view.revision_as_of(&info.stream, at)?;
        Ok(by_then.unwrap_or_default().min(of_log))
    }

    /// The moment, as a stream's own point.
    pub(crate) fn point(self, revision: Revision) -> Point {
        self.as_of.map_or(Point::Revision(revision), Point::AsOf)
    }
}

/// What is looked through, and with what.
pub(crate) struct World<'a> {
    pub(crate) travel: &'a TimeTravel,
    pub(crate) models: &'a Models,
    pub(crate) view: &'a dyn View,
    pub(crate) category: Option<&'a str>,
    pub(crate) predicate: Option<&'a Predicate>,
}

/// A page of it.
pub(crate) struct WorldPage {
    pub(crate) progress: WorldProgress,
    /// The name of the last stream looked at, where there are more.
    pub(crate) after: Option<String>,
}

/// Why a stream is not in an answer.
pub(crate) enum Left {
    /// Nothing is answered.
    Store(StoreError),
    /// It could not be looked at.
    Failed(String),
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TravelError> for Left {
    fn from(error: TravelError) -> Self {
        match error {
            TravelError::Store(error) => Self::Store(error),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<BisectError> for Left {
    fn from(error: BisectError) -> Self {
        match error {
            BisectError::Travel(error) => error.into(),
            other @ BisectError::TooMuchWork { .. } => Self::Failed(other.to_string()),
        }
    }
}

/// What was made of a stream.
pub(crate) enum Looked {
    /// It is in the answer, or is none of its business.
    Done,
    /// It has no event yet.
    NotYet,
    /// The page has no room for it.
    NoRoom,
}

impl World<'_> {
    /// How many streams there are to look at.
    pub(crate) fn streams_total(&self) -> Result<u64, StoreError> {
        let categories = self.view.categories()?.into_iter();
        let wanted =
            categories.filter(|found| self.category.is_none_or(|own| own == found.category));
        Ok(wanted.map(|found| found.streams).sum())
    }

    /// Hands one stream after the other to `each`, by name, until it has no room, or it took long.
    pub(crate) fn look_through(
        &self,
        after: Option<String>,
        looked_at: u64,
        each: &mut dyn FnMut(&StreamInfo, &mut WorldProgress) -> Result<Looked, Left>,
    ) -> Result<WorldPage, StoreError> {
        let begun = Instant::now();
        let mut progress = WorldProgress {
            streams_total: self.streams_total()?,
            looked_at,
            not_yet: 0,
            undefined: None,
            failed: Vec::new(),
            failed_total: 0,
        };
        let filter = StreamFilter {
            category: self.category.map(str::to_owned),
            ..StreamFilter::default()
        };
        let mut last = after;
        loop {
            let cursor = last.clone().map(StreamCursor::AfterName);
            let page = (STREAMS_AT_A_TIME, SCAN_ENTRIES_MAX);
            let order = StreamOrder::Name;
            let page = self.view.streams(&filter, order, cursor, page.0, page.1)?;
            for info in page.streams {
                self.view.stop().check()?;
                if begun.elapsed() >= PAGE_TIME && progress.looked_at > looked_at {
                    return Ok(WorldPage {
                        progress,
                        after: last,
                    });
                }
                match each(&info, &mut progress) {
                    Ok(Looked::Done) => {}
                    Ok(Looked::NotYet) => progress.not_yet += 1,
                    Ok(Looked::NoRoom) => {
                        return Ok(WorldPage {
                            progress,
                            after: last,
                        });
                    }
                    Err(Left::Store(error)) => return Err(error),
                    Err(Left::Failed(detail)) => {
                        progress.failed_total += 1;
                        if progress.failed.len() < FAILURES_MAX {
                            let stream = info.stream.clone();
                            progress.failed.push(WorldFailure { stream, detail });
                        }
                    }
                }
                progress.looked_at += 1;
                last = Some(info.stream.as_str().to_owned());
            }
            match page.next {
                None => {
                    return Ok(WorldPage {
                        progress,
                        after: None,
                    });
                }
                Some(StreamCursor::AfterName(name)) => last = Some(name),
                Some(StreamCursor::BeforePosition { .. }) => {}
            }
        }
    }

    /// The state of a stream at a revision, and what the condition says of it; `None` where there is no condition.
    pub(crate) fn state(
        &self,
        info: &StreamInfo,
        revision: Revision,
        progress: &mut WorldProgress,
    ) -> Result<(Folded, Option<bool>), Left> {
        let model = self.models.for_stream(&info.stream);
        let Some(predicate) = self.predicate else {
            let reached = self
                .travel
                .state(self.view, model, &info.stream, revision)?;
            return Ok((reached.folded, None));
        };
        let bisect = Bisect {
            travel: self.travel,
            view: self.view,
            model,
            stream: &info.stream,
            predicate,
            range: (revision, revision),
        };
        let (folded, before) = bisect.start(revision)?;
        let event = bisect.event_at(revision)?;
        let mut probe = Probe::new(model, predicate);
        let truth = probe.start(&folded, event.as_ref(), before.as_ref());
        let truth =
            truth.map_err(|error| Left::Failed(format!("at revision {revision} {error}")))?;
        if let Truth::Undefined(why) = truth {
            let undefined = progress.undefined.get_or_insert_with(|| UndefinedStreams {
                revisions: 0,
                stream: info.stream.clone(),
                first: revision,
                reason: predicate.describe(why),
            });
            undefined.revisions += 1;
        }
        Ok((folded, Some(truth.holds())))
    }
}

/// A stream at a revision that it has.
pub(crate) fn resolved(info: &StreamInfo, revision: Revision) -> Resolved {
    Resolved {
        revision,
        info: info.clone(),
    }
}
