//! Which events pass a filter of the log.

use whodunit_core::event::Event;
use whodunit_core::query::{Field, Words};

use crate::store::LogFilter;

/// Whether an event passes the filter.
pub(crate) fn passes(filter: &LogFilter, event: &Event) -> bool {
    let is = |wanted: &Option<String>, actual: Option<&str>| {
        wanted.as_deref().is_none_or(|w| actual == Some(w))
    };
    is(&filter.category, Some(event.stream.category()))
        && is(&filter.event_type, Some(&event.event_type))
        && is(&filter.actor, event.actor.as_deref())
        && is(&filter.correlation_id, event.correlation_id.as_deref())
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at <= until)
        && filter.words.iter().all(|words| has_words(words, event))
}

fn has_words(words: &Words, event: &Event) -> bool {
    words.admits(match words.field {
        Field::Type => Some(&event.event_type),
        Field::Category => Some(event.stream.category()),
        Field::Stream => Some(event.stream.as_str()),
        Field::Actor => event.actor.as_deref(),
        Field::Correlation => event.correlation_id.as_deref(),
        Field::Causation => event.causation_id.as_deref(),
        Field::Id => Some(&event.event_id),
        // Rules are of decisions.
        Field::Rule => None,
    })
}
