//! The streams screen: a list, a filter and a preview.

use tui_input::Input;
use whodunit_core::api::browse::Stream;
use whodunit_core::api::time_travel::StateOut;

use super::Remote;
use crate::client::{StreamSort, StreamsQuery};

/// Streams a page asks for.
pub(crate) const PAGE: usize = 200;

#[derive(Debug, Clone, Default)]
pub(crate) struct StreamsScreen {
    pub(crate) list: Remote<StreamList>,
    pub(crate) selected: usize,
    pub(crate) filter: Input,
    /// Whether keys go into the filter.
    pub(crate) filtering: bool,
    pub(crate) by_name: bool,
    pub(crate) category: Option<String>,
    pub(crate) preview: Remote<StateOut>,
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

    pub(crate) fn current(&self) -> Option<&Stream> {
        self.streams().get(self.selected)
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
        call
    }
}
