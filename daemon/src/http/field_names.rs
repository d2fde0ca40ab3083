//! Names of fields, as conditions write them: found by looking at what changed last.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Map, Value};
use whodunit_core::api::names::{NameOut, NamesOut};
use whodunit_core::pointer::Pointer;
use whodunit_core::predicate::{EVENT_FIELDS, dotted};

use crate::daemon::Parts;
use crate::limits::{FIELD_NAMES_EVENTS, FIELD_NAMES_STREAMS, FIELD_NAMES_TIME};
use crate::store::{Direction, LogFilter, StoreError, StreamFilter, StreamOrder, View};
use crate::time_travel::TravelError;

/// Levels of objects that are looked into.
const DEPTH: usize = 5;
/// Names that are kept at most.
const NAMES_MAX: usize = 5_000;

/// How a condition begins to name a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `/a/b`
    Pointer,
    /// `before.a.b`
    Before,
    /// `state.a.b` and `event.…`
    Dotted,
}

/// Fields that begin with a text: of the states of the streams that changed last, and of the newest events.
pub(super) fn fields(
    parts: &Parts,
    view: &dyn View,
    prefix: &str,
    limit: usize,
) -> Result<NamesOut, StoreError> {
    let spelling = match prefix {
        _ if prefix.starts_with('/') => Spelling::Pointer,
        _ if prefix.starts_with('b') => Spelling::Before,
        _ => Spelling::Dotted,
    };
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    let mut complete = true;
    let mut note = |name: String| {
        let is_known = names.contains_key(&name);
        if name.starts_with(prefix) && (is_known || names.len() < NAMES_MAX) {
            *names.entry(name).or_default() += 1;
        }
    };
    if !prefix.starts_with("event") {
        complete &= of_states(parts, view, &mut |tokens| {
            note(match spelling {
                Spelling::Pointer => Pointer::new(tokens.to_vec()).to_string(),
                Spelling::Before => dotted("before", tokens),
                Spelling::Dotted => dotted("state", tokens),
            });
        })?;
    }
    if spelling == Spelling::Dotted && !prefix.starts_with("state") {
        complete &= of_events(view, &mut note)?;
    }
    let all = names.len();
    let items = names.into_iter().take(limit);
    Ok(NamesOut {
        items: items
            .map(|(name, events)| NameOut { name, events })
            .collect(),
        more: all > limit,
        complete,
    })
}

/// Returns whether all streams were looked at.
fn of_states(
    parts: &Parts,
    view: &dyn View,
    each: &mut dyn FnMut(&[String]),
) -> Result<bool, StoreError> {
    let begun = Instant::now();
    let page = view.streams(
        &StreamFilter::default(),
        StreamOrder::Recent,
        None,
        FIELD_NAMES_STREAMS,
        FIELD_NAMES_STREAMS as u64,
    )?;
    for info in &page.streams {
        if begun.elapsed() > FIELD_NAMES_TIME {
            return Ok(false);
        }
        let model = parts.models.for_stream(&info.stream);
        match parts.travel.state(view, model, &info.stream, info.revision) {
            Ok(reached) => leaves(&reached.folded.state, &mut Vec::new(), each),
            Err(TravelError::Store(error)) => return Err(error),
            Err(_no_state) => {}
        }
    }
    Ok(page.next.is_none())
}

/// Returns whether all events were looked at.
fn of_events(view: &dyn View, note: &mut dyn FnMut(String)) -> Result<bool, StoreError> {
    let filter = LogFilter::default();
    let most = FIELD_NAMES_EVENTS;
    let page = view.log(&filter, None, Direction::Backward, most, most as u64)?;
    for event in &page.events {
        for name in EVENT_FIELDS {
            note(format!("event.{name}"));
        }
        let of = |root: &str, value: &Value, note: &mut dyn FnMut(String)| {
            if let Value::Object(map) = value {
                leaves(map, &mut Vec::new(), &mut |tokens| {
                    note(dotted(root, tokens));
                });
            }
        };
        of("event.data", &event.data.to_value(), note);
        if let Some(metadata) = &event.metadata {
            of("event.metadata", &metadata.to_value(), note);
        }
    }
    Ok(page.next.is_none())
}

fn leaves(map: &Map<String, Value>, path: &mut Vec<String>, each: &mut dyn FnMut(&[String])) {
    for (key, value) in map {
        path.push(key.clone());
        match value {
            Value::Object(inner) if !inner.is_empty() && path.len() < DEPTH => {
                leaves(inner, path, each);
            }
            _ => each(path),
        }
        path.pop();
    }
}
