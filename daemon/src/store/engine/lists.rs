//! Lists of streams, categories and decisions, sealed and not, as one.

use std::ops::Bound;

use whodunit_core::ids::{Position, StreamName};

use super::view::{MergedView, SealedView, is_rejected};
use crate::store::redb::stream_passes;
use crate::store::tail::StreamTail;
use crate::store::{
    CategoryInfo, DecisionFilter, DecisionPage, Direction, Stoppable, StoreError, StreamCursor,
    StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
};

type StoreResult<T> = Result<T, StoreError>;

/// Sealed streams that are read at a time.
const CHUNK: usize = 64;

/// The sealed streams by name, of one category or all, a few at a time.
struct ByName<'v, V> {
    sealed: &'v V,
    filter: StreamFilter,
    ready: std::vec::IntoIter<StreamInfo>,
    /// Where the next ones begin.
    after: Option<StreamCursor>,
    at_end: bool,
}

impl<'v, V: SealedView> ByName<'v, V> {
    fn new(sealed: &'v V, filter: &StreamFilter, after: Option<&str>) -> Self {
        Self {
            sealed,
            // What the tail says of a stream may pass where what is sealed does not.
            filter: StreamFilter {
                category: filter.category.clone(),
                ..StreamFilter::default()
            },
            ready: Vec::new().into_iter(),
            after: after.map(|name| StreamCursor::AfterName(name.to_owned())),
            at_end: false,
        }
    }

    fn next(&mut self) -> StoreResult<Option<StreamInfo>> {
        loop {
            if let Some(info) = self.ready.next() {
                return Ok(Some(info));
            }
            if self.at_end {
                return Ok(None);
            }
            let cursor = self.after.take();
            let order = StreamOrder::Name;
            let page = self
                .sealed
                .streams(&self.filter, order, cursor, CHUNK, u64::MAX)?;
            self.ready = page.streams.into_iter();
            self.at_end = page.next.is_none();
            self.after = page.next;
        }
    }
}

pub(super) fn by_name<V: SealedView>(
    view: &MergedView<V>,
    filter: &StreamFilter,
    after: Option<StreamCursor>,
    limit: usize,
    budget: u64,
) -> StoreResult<StreamPage> {
    let after = match after {
        Some(StreamCursor::AfterName(name)) => Some(name),
        Some(StreamCursor::BeforePosition { .. }) | None => None,
    };
    let mut sealed = ByName::new(&view.sealed, filter, after.as_deref());
    let name = after.as_deref().map(StreamName::new).transpose();
    // A cursor's name is that of a stream.
    let name = name.ok().flatten();
    let from = name.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let category = filter.category.as_deref();
    let in_category = |info: &StreamInfo| category.is_none_or(|own| info.stream.category() == own);
    let mut own = view
        .tail
        .streams()
        .by_name(from)
        .map(StreamTail::info)
        .filter(|info| in_category(info))
        .peekable();
    let mut next_sealed = sealed.next()?;
    let mut page = StreamPage::default();
    let mut last = after.unwrap_or_default();
    loop {
        view.stop().check()?;
        let own_first = match (own.peek(), &next_sealed) {
            (None, None) => return Ok(page),
            (Some(own), Some(sealed)) => own.stream <= sealed.stream,
            (own, _) => own.is_some(),
        };
        if page.streams.len() >= limit || page.scanned >= budget {
            page.next = Some(StreamCursor::AfterName(last));
            return Ok(page);
        }
        page.scanned += 1;
        let info = if own_first {
            let info = own.next().cloned();
            if info.as_ref().map(|info| &info.stream)
                == next_sealed.as_ref().map(|info| &info.stream)
            {
                next_sealed = sealed.next()?;
            }
            info
        } else {
            std::mem::replace(&mut next_sealed, sealed.next()?)
        };
        let Some(info) = info else { continue };
        info.stream.as_str().clone_into(&mut last);
        if stream_passes(filter, &info) {
            page.streams.push(info);
        }
    }
}

pub(super) fn recent<V: SealedView>(
    view: &MergedView<V>,
    filter: &StreamFilter,
    after: Option<&StreamCursor>,
    limit: usize,
    budget: u64,
) -> StoreResult<StreamPage> {
    let (mut before, head) = match after {
        Some(StreamCursor::BeforePosition { before, head }) => (*before, *head),
        _ => (view.head().position.next(), view.head().position),
    };
    let mut page = StreamPage::default();
    // At that head these stood in the tail, before all others.
    let mut listed: Vec<_> = view
        .tail
        .streams()
        .by_last()
        .filter_map(|(_, stream)| Some((listed_at(stream, head)?, stream.info())))
        .collect();
    listed.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
    listed.retain(|(position, _)| *position < before);
    for (position, info) in listed {
        view.stop().check()?;
        if page.streams.len() >= limit || page.scanned >= budget {
            page.next = Some(StreamCursor::BeforePosition { before, head });
            return Ok(page);
        }
        page.scanned += 1;
        before = position;
        if stream_passes(filter, info) {
            page.streams.push(info.clone());
        }
    }
    sealed_recent(view, filter, (before, head), limit, budget, &mut page)?;
    Ok(page)
}

/// Where a stream stood at a head, if that was in the tail.
fn listed_at(stream: &StreamTail, head: Position) -> Option<Position> {
    let revision = stream.last_where(|(position, _)| position <= head)?;
    stream.entry(revision).map(|(position, _)| position)
}

/// The sealed streams behind what the page has, but for those that stood in the tail at that head.
fn sealed_recent<V: SealedView>(
    view: &MergedView<V>,
    filter: &StreamFilter,
    (before, head): (Position, Position),
    limit: usize,
    budget: u64,
    page: &mut StreamPage,
) -> StoreResult<()> {
    let sealed_head = view.tail.base().position;
    let mut cursor = StreamCursor::BeforePosition {
        before,
        head: head.min(sealed_head),
    };
    loop {
        let rest = limit - page.streams.len();
        let (all, order) = (StreamFilter::default(), StreamOrder::Recent);
        // Also without room for any: whether there are more is asked then.
        let read = view.sealed.streams(
            &all,
            order,
            Some(cursor),
            rest.min(CHUNK),
            budget.saturating_sub(page.scanned),
        )?;
        page.scanned += read.scanned;
        for sealed in read.streams {
            let own = view.tail.streams().get(&sealed.stream);
            if own.is_some_and(|own| listed_at(own, head).is_some()) {
                continue;
            }
            let info = own.map_or(&sealed, StreamTail::info);
            if stream_passes(filter, info) {
                page.streams.push(info.clone());
            }
        }
        let Some(StreamCursor::BeforePosition { before, .. }) = read.next else {
            return Ok(());
        };
        if page.streams.len() >= limit || page.scanned >= budget {
            page.next = Some(StreamCursor::BeforePosition { before, head });
            return Ok(());
        }
        cursor = StreamCursor::BeforePosition {
            before,
            head: head.min(sealed_head),
        };
    }
}

pub(super) fn categories<V: SealedView>(view: &MergedView<V>) -> StoreResult<Vec<CategoryInfo>> {
    let mut categories = view.sealed.categories()?;
    for (category, growth) in view.tail.streams().categories() {
        match categories.binary_search_by(|info| info.category.as_str().cmp(category)) {
            Ok(index) => {
                if let Some(info) = categories.get_mut(index) {
                    info.streams += growth.streams;
                    info.events += growth.events;
                }
            }
            Err(index) => categories.insert(
                index,
                CategoryInfo {
                    category: category.to_owned(),
                    streams: growth.streams,
                    events: growth.events,
                },
            ),
        }
    }
    Ok(categories)
}

pub(super) fn decisions<V: SealedView>(
    view: &MergedView<V>,
    filter: &DecisionFilter,
    from: Option<u64>,
    direction: Direction,
    limit: usize,
) -> StoreResult<DecisionPage> {
    let (base, head) = (view.tail.base().decision, view.head().decision);
    match direction {
        Direction::Forward => {
            let from = from.unwrap_or(1).max(1);
            let mut page = DecisionPage::default();
            if from <= base {
                page = view
                    .sealed
                    .decisions(filter, Some(from), direction, limit)?;
            }
            if page.next.is_none() {
                let range = (from.max(base + 1), head);
                decisions_in_tail(view, filter, range, direction, limit, &mut page)?;
            }
            Ok(page)
        }
        Direction::Backward => {
            let from = from.unwrap_or(head).min(head);
            let mut page = DecisionPage::default();
            decisions_in_tail(view, filter, (base + 1, from), direction, limit, &mut page)?;
            if page.next.is_none() && base > 0 {
                let rest = limit - page.decisions.len();
                let from = Some(from.min(base));
                let sealed = view.sealed.decisions(filter, from, direction, rest)?;
                page.decisions.extend(sealed.decisions);
                page.next = sealed.next;
            }
            Ok(page)
        }
    }
}

fn decisions_in_tail<V: SealedView>(
    view: &MergedView<V>,
    filter: &DecisionFilter,
    (low, high): (u64, u64),
    direction: Direction,
    limit: usize,
    page: &mut DecisionPage,
) -> StoreResult<()> {
    let mut sequences: Vec<u64> = match &filter.stream {
        Some(stream) => view
            .tail
            .decisions_of(stream)
            .filter(|(_, rejected)| filter.rejected.is_none_or(|wanted| wanted == *rejected))
            .map(|(sequence, _)| sequence)
            .filter(|sequence| (low..=high).contains(sequence))
            .collect(),
        None => (low..=high).collect(),
    };
    if direction == Direction::Backward {
        sequences.reverse();
    }
    for sequence in sequences {
        view.stop().check()?;
        let Some(decision) = view.tail.decision(sequence) else {
            continue;
        };
        if page.decisions.len() >= limit {
            page.next = Some(sequence);
            break;
        }
        if filter.is_met_by(decision) {
            page.decisions.push(decision.clone());
        }
    }
    Ok(())
}

pub(super) fn rejection_before<V: SealedView>(
    view: &MergedView<V>,
    position: Position,
) -> StoreResult<u64> {
    let (base, head) = (view.tail.base().decision, view.head().decision);
    let sealed = view.sealed.rejection_before(position)?;
    if sealed < base {
        return Ok(sealed);
    }
    // All that are sealed stand before it.
    let mut last = None;
    let own = (base + 1..=head).filter_map(|sequence| view.tail.decision(sequence));
    for decision in own.filter(|decision| is_rejected(decision)) {
        if decision.place() >= position {
            return match last {
                Some(last) => Ok(last),
                None => view.sealed.last_rejection(),
            };
        }
        last = Some(decision.sequence);
    }
    Ok(head)
}
