//! Fields of events and decisions, as a predicate sees them.

use serde_json::Number;

use super::scope::Scope;
use super::types::Type;
use super::value::Seen;
use crate::command::{Decision, Outcome};
use crate::event::Event;

/// The fields of an event, with their types.
pub(super) const EVENT: [(&str, Type); 13] = [
    ("position", Type::Number),
    ("stream", Type::Text),
    ("revision", Type::Number),
    ("event_id", Type::Text),
    ("event_type", Type::Text),
    ("schema_version", Type::Number),
    ("recorded_at", Type::Time),
    ("actor", Type::Any),
    ("reason", Type::Any),
    ("correlation_id", Type::Any),
    ("causation_id", Type::Any),
    ("data", Type::Map),
    ("metadata", Type::Any),
];

/// The names of an event's fields.
pub(super) const fn event_names() -> [&'static str; EVENT.len()] {
    let mut names = [""; EVENT.len()];
    let mut index = 0;
    while index < EVENT.len() {
        names[index] = EVENT[index].0;
        index += 1;
    }
    names
}

/// The fields of a decision, with their types.
pub(super) const DECISION: [(&str, Type); 19] = [
    ("sequence", Type::Number),
    ("command_id", Type::Text),
    ("stream", Type::Text),
    ("command_type", Type::Text),
    ("payload", Type::Map),
    ("actor", Type::Any),
    ("reason", Type::Any),
    ("correlation_id", Type::Any),
    ("causation_id", Type::Any),
    ("base_revision", Type::Number),
    ("base_position", Type::Number),
    ("rules_hash", Type::Text),
    ("decided_at", Type::Time),
    ("outcome", Type::Text),
    ("rule", Type::Text),
    ("message", Type::Text),
    ("revision", Type::Number),
    ("position", Type::Number),
    ("events", Type::Number),
];

fn whole<'a>(number: impl Into<Number>) -> Seen<'a> {
    Seen::Owned(number.into())
}

fn optional(text: Option<&String>) -> Seen<'_> {
    text.map_or(Seen::Null, |text| Seen::Text(text))
}

/// A field of an event; `None` for a name that it has not.
pub(super) fn of_event<'a>(event: &'a Event, name: &str, scope: &'a Scope<'_>) -> Option<Seen<'a>> {
    Some(match name {
        "position" => whole(event.position.0),
        "stream" => Seen::Text(event.stream.as_str()),
        "revision" => whole(event.revision.0),
        "event_id" => Seen::Text(&event.event_id),
        "event_type" => Seen::Text(&event.event_type),
        "schema_version" => whole(event.schema_version),
        "recorded_at" => Seen::Time(event.recorded_at),
        "actor" => optional(event.actor.as_ref()),
        "reason" => optional(event.reason.as_ref()),
        "correlation_id" => optional(event.correlation_id.as_ref()),
        "causation_id" => optional(event.causation_id.as_ref()),
        "data" => Seen::from_value(scope.event_data(event)),
        "metadata" => Seen::from_value(scope.event_metadata(event)),
        _ => return None,
    })
}

/// A field of a decision; `None` for a name that it has not.
pub(super) fn of_decision<'a>(
    decision: &'a Decision,
    name: &str,
    scope: &'a Scope<'_>,
) -> Option<Seen<'a>> {
    let of_result = match (&decision.result, name) {
        (Outcome::Accepted { .. }, "outcome") => Some(Seen::Text("accepted")),
        (Outcome::Rejected { .. }, "outcome") => Some(Seen::Text("rejected")),
        (Outcome::Accepted { revision, .. }, "revision") => Some(whole(revision.0)),
        (Outcome::Accepted { position, .. }, "position") => Some(whole(position.0)),
        (Outcome::Accepted { events, .. }, "events") => Some(whole(*events)),
        (Outcome::Rejected { rule, .. }, "rule") => Some(Seen::Text(rule)),
        (Outcome::Rejected { message, .. }, "message") => Some(Seen::Text(message)),
        _ => None,
    };
    Some(match name {
        "sequence" => whole(decision.sequence),
        "command_id" => Seen::Text(&decision.command_id),
        "stream" => Seen::Text(decision.stream.as_str()),
        "command_type" => Seen::Text(&decision.command_type),
        "payload" => Seen::from_value(scope.payload(decision)),
        "actor" => optional(decision.actor.as_ref()),
        "reason" => optional(decision.reason.as_ref()),
        "correlation_id" => optional(decision.correlation_id.as_ref()),
        "causation_id" => optional(decision.causation_id.as_ref()),
        "base_revision" => whole(decision.base_revision.0),
        "base_position" => whole(decision.base_position.0),
        "rules_hash" => Seen::Text(&decision.rules_hash),
        "decided_at" => Seen::Time(decision.decided_at),
        _ => return of_result,
    })
}
