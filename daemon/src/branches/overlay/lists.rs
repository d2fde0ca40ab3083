//! Lists of a branch: its streams, categories and words.

use std::collections::BTreeMap;

use whodunit_core::ids::{Position, StreamName};

use super::BranchView;
use super::stream::OtherStream;
use crate::store::redb::stream_passes;
use crate::store::{
    CategoryInfo, ReadStreams, ReadWords, StoreError, StreamCursor, StreamFilter, StreamInfo,
    StreamOrder, StreamPage, WordField, WordPage,
};

impl BranchView {
    /// The streams that differ and pass a filter.
    fn others_that_pass<'a>(
        &'a self,
        filter: &'a StreamFilter,
    ) -> impl Iterator<Item = &'a StreamInfo> {
        let others = self.overlay.streams.values();
        let infos = others.filter_map(|other| other.info.as_ref());
        infos.filter(|info| stream_passes(filter, info))
    }
}

impl BranchView {
    /// Where a stream's last event stands: one that is not on record comes after the recorded one of its position.
    fn last_place(&self, info: &StreamInfo) -> (Position, usize) {
        let last = self.other(&info.stream).and_then(OtherStream::last_own);
        let own = last.and_then(|event| self.overlay.own_by_id.get(&event.event_id));
        (info.last_position, own.map_or(0, |index| index + 1))
    }
}

impl ReadStreams for BranchView {
    fn stream(&self, stream: &StreamName) -> Result<Option<StreamInfo>, StoreError> {
        match self.other(stream) {
            Some(other) => Ok(other.info.clone()),
            None => self.base.stream(stream),
        }
    }

    fn streams(
        &self,
        filter: &StreamFilter,
        order: StreamOrder,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> Result<StreamPage, StoreError> {
        let mut page = self
            .base
            .streams(filter, order, after.clone(), limit, budget)?;
        page.streams
            .retain(|info| self.other(&info.stream).is_none());
        let others = self.others_that_pass(filter);
        match order {
            StreamOrder::Name => {
                let begins = match &after {
                    Some(StreamCursor::AfterName(name)) => Some(name.as_str()),
                    _ => None,
                };
                let ends = match &page.next {
                    Some(StreamCursor::AfterName(name)) => Some(name.clone()),
                    _ => None,
                };
                let others = others.filter(|info| {
                    begins.is_none_or(|after| info.stream.as_str() > after)
                        && ends
                            .as_deref()
                            .is_none_or(|last| info.stream.as_str() <= last)
                });
                page.streams.extend(others.cloned());
                page.streams.sort_by(|a, b| a.stream.cmp(&b.stream));
                if page.streams.len() > limit {
                    page.streams.truncate(limit.max(1));
                    let last = page.streams.last();
                    page.next =
                        last.map(|info| StreamCursor::AfterName(info.stream.as_str().to_owned()));
                }
            }
            StreamOrder::Recent => {
                let begins = match &after {
                    Some(StreamCursor::BeforePosition { before, .. }) => Some(*before),
                    _ => None,
                };
                let (ends, head) = match &page.next {
                    Some(StreamCursor::BeforePosition { before, head }) => (Some(*before), *head),
                    _ => (None, self.overlay.log_head.position),
                };
                let others = others.filter(|info| {
                    begins.is_none_or(|before| info.last_position < before)
                        && ends.is_none_or(|last| info.last_position >= last)
                });
                page.streams.extend(others.cloned());
                page.streams
                    .sort_by_key(|info| std::cmp::Reverse(self.last_place(info)));
                let at = |index: usize| page.streams.get(index).map(|info| info.last_position);
                // Streams with the same last position are of one page.
                let cut = (limit.max(1)..page.streams.len()).find(|n| at(*n) != at(n - 1));
                if let Some(cut) = cut {
                    page.next =
                        at(cut - 1).map(|before| StreamCursor::BeforePosition { before, head });
                    page.streams.truncate(cut);
                }
            }
        }
        Ok(page)
    }

    fn categories(&self) -> Result<Vec<CategoryInfo>, StoreError> {
        let recorded = self.base.categories()?;
        let mut all: BTreeMap<String, CategoryInfo> = recorded
            .into_iter()
            .map(|info| (info.category.clone(), info))
            .collect();
        for (name, other) in &self.overlay.streams {
            let category = name.category();
            let info = all
                .entry(category.to_owned())
                .or_insert_with(|| CategoryInfo {
                    category: category.to_owned(),
                    streams: 0,
                    events: 0,
                });
            let OtherStream {
                recorded,
                info: here,
                ..
            } = other;
            info.streams =
                (info.streams + u64::from(here.is_some())).saturating_sub(u64::from(*recorded > 0));
            info.events = (info.events + other.head().0).saturating_sub(*recorded);
        }
        let all = all.into_values();
        Ok(all.filter(|info| info.streams > 0).collect())
    }
}

impl ReadWords for BranchView {
    fn word_events(&self, field: WordField, word: &str) -> Result<u64, StoreError> {
        let recorded = self.base.word_events(field, word)?;
        let more = self.overlay.words.get(&(field, word.to_owned()));
        Ok(recorded.saturating_add_signed(more.copied().unwrap_or_default()))
    }

    fn words(
        &self,
        field: WordField,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<WordPage, StoreError> {
        let page = self.base.words(field, prefix, after, limit)?;
        let last = page.words.last().filter(|_| page.has_more);
        let last = last.map(|(word, _)| word.clone());
        let mut words: BTreeMap<String, u64> = page.words.into_iter().collect();
        for ((of, word), more) in &self.overlay.words {
            let is_of_page = *of == field
                && word.starts_with(prefix)
                && after.is_none_or(|after| word.as_str() > after)
                && last.as_ref().is_none_or(|last| word <= last);
            if is_of_page {
                let count = words.entry(word.clone()).or_default();
                *count = count.saturating_add_signed(*more);
            }
        }
        let mut words: Vec<_> = words.into_iter().filter(|(_, count)| *count > 0).collect();
        let has_more = page.has_more || words.len() > limit;
        words.truncate(limit);
        Ok(WordPage { words, has_more })
    }
}
