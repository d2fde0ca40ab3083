//! What an import changes in an event, and keeps in its metadata: texts that are too long, times that are too fine, and
//! the source's own revision.

use serde_json::Value;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::Revision;
use whodunit_core::json::{Json, Map};

use crate::commands::RawAppend;
use crate::limits::{ACTOR_BYTES_MAX, REASON_BYTES_MAX};

/// What was cut in an event.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cut {
    pub(super) texts: bool,
    pub(super) time: bool,
}

/// Cuts an actor or a reason that is too long, and keeps the whole in the metadata; so too of a time (`full_time`) that was
/// cut when it was read.
pub(super) fn shorten(event: &mut NewEvent, full_time: Option<String>) -> Cut {
    if event
        .metadata
        .as_ref()
        .is_some_and(|json| !json.is_object())
    {
        return Cut::default();
    }
    let mut whole = Map::new();
    for (name, text, max) in [
        ("full_actor", &mut event.actor, ACTOR_BYTES_MAX),
        ("full_reason", &mut event.reason, REASON_BYTES_MAX),
    ] {
        if let Some(text) = text
            && text.len() > max
        {
            let end = text.floor_char_boundary(max - '…'.len_utf8());
            let beginning = format!("{}…", text.get(..end).unwrap_or_default());
            let whole_text = std::mem::replace(text, beginning);
            whole.insert(name.to_owned(), whole_text.into());
        }
    }
    let mut cut = Cut {
        texts: !whole.is_empty(),
        time: false,
    };
    if let Some(time) = full_time {
        cut.time = true;
        whole.insert("full_time".to_owned(), time.into());
    }
    if !whole.is_empty() {
        add_metadata(event, whole);
    }
    cut
}

/// Adds to an event's metadata; what the event itself says there stands.
fn add_metadata(event: &mut NewEvent, more: Map<String, Value>) {
    let mut metadata = match event.metadata.as_ref().map(Json::to_value) {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    for (name, value) in more {
        metadata.entry(name).or_insert(value);
    }
    event.metadata = Some(Json::from(Value::Object(metadata)));
}

/// An event that takes whatever revision comes, and says which one it had.
pub(super) fn with_source_revision(mut raw: RawAppend, revision: Revision) -> RawAppend {
    raw.expected = ExpectedRevision::Any;
    for event in &mut raw.events {
        let own = ("source_revision".to_owned(), revision.0.into());
        add_metadata(event, Map::from_iter([own]));
    }
    raw
}
