//! The streams screen: a list, a filter and a preview.

use tui_input::Input;
use whodunit_core::api::browse::{Category, Stream};
use whodunit_core::time::Timestamp;

use super::{Asked, Remote};
use crate::client::{Preview, StreamSort, StreamsQuery};

/// Streams a page asks for.
pub(crate) const PAGE: usize = 200;

#[derive(Debug, Clone, Default)]
pub(crate) struct StreamsScreen {
    pub(crate) asked: Asked,
    pub(crate) list: Remote<StreamList>,
    pub(crate) selected: usize,
    pub(crate) filter: Input,
    /// Whether keys go into the filter.
    pub(crate) filtering: bool,
    pub(crate) by_name: bool,
    pub(crate) category: Option<String>,
    pub(crate) preview: Remote<Preview>,
    /// The moment that the preview was asked for; now where none was held.
    pub(crate) preview_as_of: Option<Timestamp>,
    /// What the choice of categories shows.
    pub(crate) categories: Remote<Vec<Category>>,
    /// What the list answers; another query makes it an old one.
    pub(crate) listed: Option<StreamsQuery>,
    /// Whether the first stream is to be opened when the list is there: Enter came before it.
    pub(crate) open_first: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StreamList {
    pub(crate) streams: Vec<Stream>,
    pub(crate) next: Option<String>,
}

impl StreamsScreen {
    pub(crate) fn query(&self) -> StreamsQuery {
        let filter = self.filter.value().trim();
        StreamsQuery {
            category: self.category.clone(),
            matching: (!filter.is_empty()).then(|| filter.to_owned()),
            sort: if self.by_name {
                StreamSort::Name
            } else {
                StreamSort::Recent
            },
            limit: Some(PAGE),
            ..StreamsQuery::default()
        }
    }

    pub(crate) fn streams(&self) -> &[Stream] {
        self.list.value().map_or(&[], |list| &list.streams)
    }

    /// Whether the list on screen is not that of the query: the filter has changed and its answer is on its way.
    pub(crate) fn is_outdated(&self) -> bool {
        self.listed.as_ref() != Some(&self.query())
    }

    pub(crate) fn current(&self) -> Option<&Stream> {
        self.streams().get(self.selected)
    }

    /// The preview, unless it is one of another stream.
    pub(crate) fn preview_of_current(&self) -> Option<&Preview> {
        let current = self.current()?;
        let preview = self.preview.value();
        preview.filter(|preview| preview.state.stream == current.stream)
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        let mut call = "whodunit streams".to_owned();
        let filter = self.filter.value().trim();
        if !filter.is_empty() {
            call.push(' ');
            call.push_str(&crate::model::stream::quote(filter));
        }
        if let Some(category) = &self.category {
            call.push_str(" --category ");
            call.push_str(&crate::model::stream::quote(category));
        }
        if self.query().sort == StreamSort::Name {
            call.push_str(" --sort name");
        }
        call
    }
}
