//! Reading the catalogue.

use whodunit_core::ids::StreamName;
use whodunit_core::search::Search;

use super::super::FILE_NAME;
use super::super::lookup::counted;
use super::{RedbView, StoreResult};
use crate::store::{CategoryInfo, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamPage};

impl RedbView {
    /// The record of a stream.
    pub(in crate::store::redb) fn stream(
        &self,
        stream: &StreamName,
    ) -> StoreResult<Option<StreamInfo>> {
        self.tables.stream(stream)
    }

    /// All categories, with how much they hold.
    pub(in crate::store::redb) fn categories(&self) -> StoreResult<Vec<CategoryInfo>> {
        let mut out = Vec::new();
        for entry in self.tables.categories.entries()? {
            let (category, counts) = entry?;
            let (streams, events) = counts.value();
            out.push(CategoryInfo {
                category: category.value().to_owned(),
                streams,
                events,
            });
        }
        let (streams, events) = (self.tables.streams.len()?, self.head.position.0);
        let said = |count: fn(&CategoryInfo) -> u64| out.iter().map(count).sum::<u64>();
        let said = (said(|own| own.streams), said(|own| own.events));
        if said != (streams, events) {
            return Err(StoreError::Damaged {
                place: format!("the index of categories in `{FILE_NAME}`"),
                detail: format!(
                    "it counts {} streams and {} events, but there are {streams} and {events}",
                    said.0, said.1
                ),
            });
        }
        Ok(out)
    }

    /// Streams by name.
    pub(in crate::store::redb) fn streams_by_name(
        &self,
        filter: &StreamFilter,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> StoreResult<StreamPage> {
        let numbers = &self.tables.stream_numbers;
        counted("stream names", numbers, self.tables.streams.len()?)?;
        // A category's streams stand together, between `category-` and the next character after `-`.
        let (mut low, mut high) = (String::new(), None);
        if let Some(category) = &filter.category {
            low = format!("{category}-");
            high = Some(format!("{category}."));
        }
        let after = after.and_then(|cursor| match cursor {
            StreamCursor::AfterName(name) => Some(name),
            StreamCursor::BeforePosition { .. } => None,
        });
        if let Some(name) = &after {
            // The smallest text after a name is the name and a zero character.
            low = low.max(format!("{name}\0"));
        }
        let entries = match &high {
            Some(high) if *high <= low => return Ok(StreamPage::default()),
            Some(high) => numbers.range(low.as_str()..high.as_str())?,
            None => numbers.range(low.as_str()..)?,
        };
        let mut page = StreamPage::default();
        let mut last = after.unwrap_or_default();
        for entry in entries {
            self.stop.check()?;
            let (name, number) = entry?;
            if page.streams.len() >= limit || page.scanned >= budget {
                page.next = Some(StreamCursor::AfterName(last));
                break;
            }
            name.value().clone_into(&mut last);
            page.scanned += 1;
            let info = self.tables.info(number.value())?;
            if stream_passes(filter, &info) {
                page.streams.push(info);
            }
        }
        Ok(page)
    }
}

pub(crate) fn stream_passes(filter: &StreamFilter, info: &StreamInfo) -> bool {
    filter
        .category
        .as_deref()
        .is_none_or(|category| info.stream.category() == category)
        && filter.status.is_none_or_eq(info.label.status.as_deref())
        && filter
            .text
            .as_deref()
            .and_then(Search::new)
            .is_none_or(|text| {
                let title = info.label.title.as_deref();
                text.in_text(info.stream.as_str()) || title.is_some_and(|title| text.in_text(title))
            })
}

/// "Absent, or equal", for filters.
trait NoneOrEq {
    fn is_none_or_eq(&self, actual: Option<&str>) -> bool;
}

impl NoneOrEq for Option<String> {
    fn is_none_or_eq(&self, actual: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wanted| actual == Some(wanted))
    }
}
