//! Names in a query line that the log does not know, and which ones may have been meant.

use whodunit_core::api::find::UnknownName;
use whodunit_core::ids::StreamName;
use whodunit_core::nearest::nearest;
use whodunit_core::query::{Field, Query};

use crate::limits::{NAMES_COMPARED_MAX, SCAN_ENTRIES_MAX};
use crate::store::{StoreError, StreamFilter, StreamOrder, View, WordField};

/// Streams that are suggested at most.
const STREAMS_MAX: usize = 3;

/// Names that a line says in full and that no event has. Of decisions only streams are known by name.
pub(crate) fn unknown_names(
    view: &dyn View,
    query: &Query,
    of_decisions: bool,
) -> Result<Vec<UnknownName>, StoreError> {
    let mut unknown = Vec::new();
    for (field, words) in [
        (Field::Type, WordField::Type),
        (Field::Actor, WordField::Actor),
        (Field::Category, WordField::Category),
    ] {
        if of_decisions {
            continue;
        }
        for name in query.names(field) {
            if view.word_events(words, name)? > 0 {
                continue;
            }
            let page = view.words(words, "", None, NAMES_COMPARED_MAX)?;
            let known = page.words.iter().map(|(word, _)| word.as_str());
            let meant = nearest(name, known).into_iter().map(str::to_owned);
            unknown.push(named(field, name, meant.collect()));
        }
    }
    for name in query.names(Field::Stream) {
        let stream = StreamName::new(name).ok();
        let is_known = match &stream {
            Some(stream) => {
                view.stream(stream)?.is_some() || of_decisions && has_decisions(view, stream)?
            }
            None => false,
        };
        if !is_known {
            let filter = StreamFilter {
                text: Some(name.to_owned()),
                ..StreamFilter::default()
            };
            let (order, budget) = (StreamOrder::Recent, SCAN_ENTRIES_MAX);
            let page = view.streams(&filter, order, None, STREAMS_MAX, budget)?;
            let meant = page
                .streams
                .iter()
                .map(|info| info.stream.as_str().to_owned());
            unknown.push(named(Field::Stream, name, meant.collect()));
        }
    }
    Ok(unknown)
}

fn has_decisions(view: &dyn View, stream: &StreamName) -> Result<bool, StoreError> {
    let filter = crate::store::DecisionFilter {
        stream: Some(stream.clone()),
        ..crate::store::DecisionFilter::default()
    };
    let direction = crate::store::Direction::Forward;
    Ok(!view
        .decisions(&filter, None, direction, 1)?
        .decisions
        .is_empty())
}

fn named(field: Field, name: &str, did_you_mean: Vec<String>) -> UnknownName {
    UnknownName {
        key: field.key().to_owned(),
        name: name.to_owned(),
        did_you_mean,
    }
}
