//! Finding over HTTP: the query line of a request, pages of what it finds, and what it finds line by line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use whodunit_core::api::branch::BranchRead;
use whodunit_core::api::find::{
    FindEnd, FindLine, FindPage, FindProgress, FoundDecision, FoundItem, IndexUse, UnknownName,
};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::query::{Query, QueryError};
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::time::input::{Clock, Zone};

use super::branch_view::{answer_in, answer_light_in, named, open};
use super::common::Order;
use super::error::{ApiError, busy};
use super::reply::Written;
use crate::branches::BranchView;
use crate::daemon::Parts;
use crate::find::{Find, Found, Stretch, last, unknown_names};
use crate::limits::{FIND_PAGE_TIME, SCAN_ENTRIES_MAX};
use crate::reading::read;
use crate::store::{StoreError, View};

/// Time after which what was found so far is sent: soon for the first lines, later for the others.
const FIRST_PIECE_TIME: Duration = Duration::from_millis(20);
const PIECE_TIME: Duration = Duration::from_millis(100);
/// Records that a piece finds at most.
const PIECE_ITEMS: usize = 500;

/// The media type of lines.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// What is found: an event, or a decision where the line asks for those.
pub(super) type Item = FoundItem<Shown<Event>, Shown<Decision>>;

/// The query line of a request. Of one that is wrong it says where and what to write instead.
pub(super) fn read_line(
    parts: &Parts,
    line: Option<&str>,
    zone: Option<&str>,
) -> Result<Query, ApiError> {
    let zone = match zone {
        None => Zone::Unknown,
        Some(text) => Zone::parse(text).ok_or_else(|| {
            Problem::new(Code::BadParameter, "`zone` is not an offset from UTC")
                .field("zone")
                .hint("write it like `+02:00`, or `Z` for UTC")
        })?,
    };
    let Some(line) = line else {
        return Ok(Query::everything());
    };
    let now = parts.clock.now();
    Query::parse(line, &Clock { now, zone }).map_err(|error| bad_line(&error))
}

fn bad_line(error: &QueryError) -> ApiError {
    let mut problem = Problem::new(Code::BadQuery, error.to_string()).field("q");
    problem.actual = Some(serde_json::json!({ "column": error.column }));
    let zone = "add a zone to the time, or send the zone of the whole line as `zone=+02:00`";
    match &error.hint {
        _ if error.needs_zone => problem.hint(zone),
        Some(hint) => problem.hint(hint),
        None => problem,
    }
    .into()
}

/// Whether a client asks for lines.
pub(super) fn wants_lines(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let kinds = values.filter_map(|value| value.to_str().ok());
    kinds
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().unwrap_or_default().trim() == NDJSON)
}

/// What a list asks for.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) order: Order,
    pub(super) from: Option<u64>,
    pub(super) reveal: Reveal,
    /// The branch that is read; `None` for the log.
    pub(super) branch: Option<String>,
}

impl Asked {
    fn find(&self, parts: &Parts) -> Find {
        Find {
            query: Arc::new(self.query.clone()),
            models: Arc::clone(&parts.models),
            travel: Arc::clone(&parts.travel),
            reveal: self.reveal,
            projections: Some(Arc::clone(&parts.projections)),
        }
    }

    fn stretch(&self, last: u64, limit: usize) -> Stretch {
        Stretch {
            from: self.from,
            last,
            direction: self.order.into(),
            limit,
            budget: SCAN_ENTRIES_MAX,
            time: FIND_PAGE_TIME,
        }
    }
}

/// Answers with a page of events or, where the line asks for those, decisions.
pub(super) async fn answer_page(
    parts: &Arc<Parts>,
    asked: Asked,
    limit: usize,
) -> Result<Written, ApiError> {
    let (find, branch) = (asked.find(parts), asked.branch.clone());
    let redacted_copy = parts.store.is_redacted_copy();
    let is_heavy = find.is_heavy();
    let work = move |view: &dyn View| -> Result<FindPage<Item>, ApiError> {
        let of_decisions = find.query.is_of_decisions();
        let stretch = asked.stretch(last(view, of_decisions), limit);
        let page = if of_decisions {
            find.decisions(view, stretch)?.map(decision_item)
        } else {
            find.events(view, stretch)?.map(FoundItem::Event)
        };
        let mut page = page_of(page, &asked, view, redacted_copy);
        if asked.from.is_none() {
            page.unknown_names = unknown_names(view, &find.models, &find.query, of_decisions)?;
        }
        Ok(page)
    };
    if is_heavy {
        answer_in(parts, branch, work).await
    } else {
        answer_light_in(parts, branch, work).await
    }
}

/// Answers with a page of decisions, whatever the line asks for.
pub(super) async fn page_of_decisions(
    parts: &Arc<Parts>,
    asked: Asked,
    limit: usize,
) -> Result<Written, ApiError> {
    let (find, branch) = (asked.find(parts), asked.branch.clone());
    let redacted_copy = parts.store.is_redacted_copy();
    let is_heavy = find.is_heavy();
    let work = move |view: &dyn View| -> Result<FindPage<Shown<Decision>>, ApiError> {
        let stretch = asked.stretch(last(view, true), limit);
        let page = find.decisions(view, stretch)?.map(|decision| decision);
        Ok(page_of(page, &asked, view, redacted_copy))
    };
    if is_heavy {
        answer_in(parts, branch, work).await
    } else {
        answer_light_in(parts, branch, work).await
    }
}

fn decision_item(decision: Shown<Decision>) -> Item {
    FoundItem::Decision(FoundDecision { decision })
}

/// What was found, as items of a page.
#[expect(clippy::struct_field_names, reason = "they are the items")]
struct Items<T> {
    items: Vec<T>,
    next: Option<u64>,
    scanned: u64,
    undecided: Option<whodunit_core::api::find::UndecidedOut>,
    index: Option<IndexUse>,
}

impl<T> Found<T> {
    fn map<U>(self, item: impl Fn(Shown<T>) -> U) -> Items<U> {
        Items {
            items: self.items.into_iter().map(item).collect(),
            next: self.next,
            scanned: self.scanned,
            undecided: self.undecided,
            index: self.index,
        }
    }
}

fn page_of<T>(page: Items<T>, asked: &Asked, view: &dyn View, redacted_copy: bool) -> FindPage<T> {
    let query = (!asked.query.is_everything()).then(|| asked.query.to_string());
    FindPage {
        items: page.items,
        next_cursor: page.next.map(|next| asked.order.cursor(next)),
        head: view.head().position.0,
        scanned: page.scanned,
        query,
        undecided: page.undecided,
        index: page.index,
        unknown_names: Vec::new(),
        redacted_copy,
    }
}

/// A search under way.
struct Run {
    parts: Arc<Parts>,
    find: Find,
    asked: Asked,
    /// How many are still wanted.
    rest: usize,
    /// The log's end when the search began, and where it goes on.
    last: u64,
    next: Option<u64>,
    is_first: bool,
    end: FindEnd,
    is_over: bool,
    /// The branch that is read, once the first piece was.
    world: Option<(BranchView, BranchRead)>,
    _place: OwnedSemaphorePermit,
}

/// Answers with a line for each record that matches, now and then the progress, and at the end what it came to.
pub(super) fn lines(
    parts: Arc<Parts>,
    asked: Asked,
    limit: Option<usize>,
) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&parts.gates.finds).try_acquire_owned() else {
        return Err(busy("too many searches are running"));
    };
    let head = *parts.store.head().borrow();
    let find = asked.find(&parts);
    let last = if find.query.is_of_decisions() {
        head.decision
    } else {
        head.position.0
    };
    let run = Run {
        end: FindEnd {
            query: find.query.to_string(),
            head: head.position.0,
            redacted_copy: parts.store.is_redacted_copy(),
            ..FindEnd::default()
        },
        next: asked.from,
        rest: limit.unwrap_or(usize::MAX),
        find,
        asked,
        parts,
        last,
        is_first: true,
        is_over: false,
        world: None,
        _place: place,
    };
    let pieces = stream::unfold(run, Run::piece);
    let body = Body::from_stream(pieces.fuse());
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// What a piece brings: its lines, how many of them are records, where the search goes on, and what was undecided.
struct Piece {
    lines: Vec<u8>,
    items: Items<()>,
    /// Where they were asked for: with the first piece.
    unknown_names: Option<Vec<UnknownName>>,
}

impl Run {
    /// The next lines. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.is_over {
            return None;
        }
        let stretch = Stretch {
            from: self.next,
            time: if self.is_first {
                FIRST_PIECE_TIME
            } else {
                PIECE_TIME
            },
            ..self.asked.stretch(self.last, self.rest.min(PIECE_ITEMS))
        };
        let find = self.find.clone();
        let is_heavy = find.is_heavy();
        let with_names = self.is_first;
        let done = match named(self.asked.branch.clone()) {
            Some(name) => self.in_branch(name, find, stretch).await,
            None => {
                let work = move |view: &dyn View| look(&find, view, stretch, with_names);
                let store = &self.parts.store;
                if is_heavy {
                    self.parts.gates.heavy.read(store, work).await
                } else {
                    read(store, work).await
                }
            }
        };
        let written = done.map_err(|error| io::Error::other(error.0.detail.clone()));
        let written = written.and_then(|piece| self.absorb(piece));
        if written.is_err() {
            self.is_over = true;
        }
        Some((written.map(Bytes::from), self))
    }

    /// A piece of a branch: all of them are of the log as it was when the first was read.
    async fn in_branch(
        &mut self,
        name: String,
        find: Find,
        mut stretch: Stretch,
    ) -> Result<Piece, ApiError> {
        let (parts, world, with_names) =
            (Arc::clone(&self.parts), self.world.take(), self.is_first);
        let heavy = &self.parts.gates.heavy;
        let work = move |view: Box<dyn View>| -> Result<_, ApiError> {
            let (view, read) = match world {
                Some((mut kept, read)) => {
                    kept.set_stop(view.stop().clone());
                    (kept, read)
                }
                None => {
                    let (world, read) = open(&parts, &name, view.as_ref())?;
                    (BranchView::new(view, world), read)
                }
            };
            stretch.last = last(&view, find.query.is_of_decisions());
            let piece = look(&find, &view, stretch, with_names)?;
            Ok((piece, stretch.last, (view, read)))
        };
        let (piece, last, world) = heavy.read_owned(&self.parts.store, work).await?;
        self.last = last;
        self.end.branch = Some(world.1.clone());
        self.world = Some(world);
        Ok(piece)
    }

    fn absorb(&mut self, piece: Piece) -> io::Result<Vec<u8>> {
        let Piece {
            mut lines,
            items,
            unknown_names,
        } = piece;
        if let Some(names) = unknown_names {
            self.end.unknown_names = names;
        }
        self.is_first = false;
        self.rest -= items.items.len();
        self.next = items.next;
        self.end.scanned += items.scanned;
        self.end.matches += items.items.len() as u64;
        self.end.index = items.index;
        if let Some(undecided) = &items.undecided {
            let all = self.end.undecided.get_or_insert_default();
            all.add(undecided);
        }
        match self.next {
            Some(next) if self.rest > 0 => {
                let progress = FindProgress {
                    scanned: self.end.scanned,
                    matches: self.end.matches,
                    next,
                    last: self.last,
                };
                write(&mut lines, &FindLine::<(), ()>::Progress(progress))?;
            }
            next => {
                self.is_over = true;
                self.end.complete = next.is_none();
                self.end.next_cursor = next.map(|next| self.asked.order.cursor(next));
                write(&mut lines, &FindLine::<(), ()>::End(self.end.clone()))?;
            }
        }
        Ok(lines)
    }
}

/// Looks at a stretch of the log, and writes what it finds.
fn look(
    find: &Find,
    view: &dyn View,
    stretch: Stretch,
    with_names: bool,
) -> Result<Piece, ApiError> {
    let of_decisions = find.query.is_of_decisions();
    let mut lines = Vec::new();
    let items = if of_decisions {
        let found = find.decisions(view, stretch)?;
        for decision in &found.items {
            let line = FindLine::<(), _>::Decision(decision);
            write(&mut lines, &line).map_err(unwritten)?;
        }
        found.map(|_| ())
    } else {
        let found = find.events(view, stretch)?;
        for event in &found.items {
            write(&mut lines, &FindLine::<_, ()>::Event(event)).map_err(unwritten)?;
        }
        found.map(|_| ())
    };
    let names = || unknown_names(view, &find.models, &find.query, of_decisions);
    Ok(Piece {
        lines,
        items,
        unknown_names: with_names.then(names).transpose()?,
    })
}

fn write<E: Serialize, D: Serialize>(lines: &mut Vec<u8>, line: &FindLine<E, D>) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, line)?;
    lines.push(b'\n');
    Ok(())
}

fn unwritten(error: io::Error) -> StoreError {
    StoreError::Engine {
        doing: "writing a line of what was found",
        source: error.into(),
    }
}
