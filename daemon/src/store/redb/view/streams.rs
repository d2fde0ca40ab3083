//! Reading the catalogue.

use whodunit_core::counted;
use whodunit_core::ids::StreamName;
use whodunit_core::search::Search;

use super::super::FILE_NAME;
use super::super::lookup::counted;
use super::super::open_tables::Entries;
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
                    "it counts {} and {}, but there are {streams} and {events}",
                    counted::counted(said.0, "stream"),
                    counted::counted(said.1, "event")
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
        let after = after.and_then(|cursor| match cursor {
            StreamCursor::AfterName(name) => Some(name),
            StreamCursor::BeforePosition { .. } => None,
        });
        // The smallest text after a name is the name and a zero character.
        let from = after.as_ref().map(|name| format!("{name}\0"));
        let from = from.as_deref().unwrap_or_default();
        let mut entries: Vec<Entries<'_, &str, u64>> = Vec::new();
        match &filter.category {
            None => entries.push(numbers.range(from..)?),
            Some(category) => {
                for (low, high) in names_of(category) {
                    let low = low.as_str().max(from);
                    if low < high.as_str() {
                        entries.push(numbers.range(low..high.as_str())?);
                    }
                }
            }
        }
        let mut page = StreamPage::default();
        let mut last = after.unwrap_or_default();
        for entry in entries.into_iter().flatten() {
            self.stop.check()?;
            let (name, number) = entry?;
            if page.streams.len() >= limit || page.scanned >= budget {
                page.next = Some(StreamCursor::AfterName(last));
                break;
            }
            name.value().clone_into(&mut last);
            page.scanned += 1;
            let info = self.tables.info_of(number.value(), name.value())?;
            if stream_passes(filter, &info) {
                page.streams.push(info);
            }
        }
        Ok(page)
    }
}

/// Where the names of a category's streams stand: the name that is the category alone, and those between `category-` and the next
/// character after `-`. Names of other categories may stand between the two.
pub(in crate::store::redb) fn names_of(category: &str) -> [(String, String); 2] {
    [
        (category.to_owned(), format!("{category}\0")),
        (format!("{category}-"), format!("{category}.")),
    ]
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
