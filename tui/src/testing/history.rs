//! Fixtures: the histories of three users, one of them Sarah's, and of a few orders, which have no model.

use serde_json::{Value, json};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;

use super::time;

pub(crate) fn sarah() -> StreamName {
    StreamName::new("user-sarah").unwrap()
}

/// Position, time, type, actor, reason and data of an event.
type Row = (
    u64,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Value,
);

fn events(stream: &str, prefix: &str, rows: Vec<Row>) -> Vec<Event> {
    (1..)
        .zip(rows)
        .map(
            |(revision, (position, at, event_type, actor, reason, data))| Event {
                position: Position(position),
                stream: StreamName::new(stream).unwrap(),
                revision: Revision(revision),
                event_id: format!("{prefix}-{revision}"),
                event_type: event_type.to_owned(),
                schema_version: 1,
                recorded_at: time(at),
                actor: Some(actor.to_owned()),
                reason: reason.map(str::to_owned),
                correlation_id: Some(format!("{prefix}-corr-{revision}")),
                causation_id: None,
                data: Json::from(data),
                metadata: None,
            },
        )
        .collect()
}

fn user(name: &str, email: &str, last: &str) -> Value {
    json!({"username": name, "email": email, "first_name": "Sarah", "last_name": last, "password_hash": "$argon2id$x"})
}

/// The batch that suspended Sarah, and another user.
const SCAN: &str = "fraud-scan-2025-03-20";

/// Created, renamed, suspended by mistake, refused a change, deleted.
pub(super) fn of_sarah() -> Vec<Event> {
    let rows = vec![
        (
            1100,
            "2025-03-04T09:12:04Z",
            "UserCreated",
            "api",
            None,
            user("sarah", "sarah@example.com", "Kim"),
        ),
        (
            1200,
            "2025-03-09T11:40:31Z",
            "UserNameChanged",
            "sarah",
            None,
            json!({"last_name": "Kimura"}),
        ),
        (
            1300,
            "2025-03-20T03:00:00Z",
            "UserSuspended",
            "fraud-scan",
            Some("fraud_detected"),
            json!({"reason": "fraud_detected"}),
        ),
        (
            1400,
            "2025-03-24T15:47:23Z",
            "UserDeleted",
            "job:inactive-cleanup",
            Some("inactive for 90 days"),
            json!({"reason": "inactive for 90 days"}),
        ),
    ];
    let mut events = events("user-sarah", "0195", rows);
    events[3].causation_id = Some("0195-3".to_owned());
    events[2].correlation_id = Some(SCAN.to_owned());
    events
}

/// Two more users: one active, one suspended, reactivated and suspended again.
#[expect(clippy::too_many_lines, reason = "a table of fixtures")]
pub(super) fn of_others() -> Vec<Event> {
    let change = |name: &str| json!({"first_name": name});
    let why = || Some("fraud_detected");
    let reason = || json!({"reason": "fraud_detected"});
    let mut all = events(
        "user-19aa",
        "19aa",
        vec![
            (
                1010,
                "2025-03-02T18:00:00Z",
                "UserCreated",
                "api",
                None,
                user("sarahk", "sarah.k@example.com", "Koh"),
            ),
            (
                1310,
                "2025-03-20T09:01:00Z",
                "UserNameChanged",
                "api",
                None,
                change("Sara"),
            ),
        ],
    );
    all.extend(events(
        "user-c410",
        "c410",
        vec![
            (
                1001,
                "2025-02-01T08:00:00Z",
                "UserCreated",
                "api",
                None,
                user("osara", "osara@example.com", "Osara"),
            ),
            (
                1002,
                "2025-02-03T08:00:00Z",
                "UserNameChanged",
                "osara",
                None,
                change("Ola"),
            ),
            (
                1003,
                "2025-02-07T08:00:00Z",
                "UserNameChanged",
                "osara",
                None,
                change("Olga"),
            ),
            (
                1004,
                "2025-02-09T08:00:00Z",
                "UserSuspended",
                "fraud-scan",
                why(),
                reason(),
            ),
            (
                1005,
                "2025-02-10T08:00:00Z",
                "UserReactivated",
                "support",
                None,
                json!({}),
            ),
            (
                1006,
                "2025-02-20T08:00:00Z",
                "UserNameChanged",
                "osara",
                None,
                change("Oda"),
            ),
            (
                1007,
                "2025-03-02T17:30:00Z",
                "UserSuspended",
                "fraud-scan",
                why(),
                reason(),
            ),
        ],
    ));
    if let Some(last) = all.last_mut() {
        last.correlation_id = Some(SCAN.to_owned());
    }
    all
}

/// Ten orders of three events each, of a category without a model.
pub(super) fn of_orders() -> Vec<Event> {
    let mut all = Vec::new();
    for order in 0_u64..10 {
        let stream = format!("order-{order}");
        let rows = (0_u64..3).map(|n| {
            let kind = ["OrderPlaced", "OrderPaid", "OrderShipped"][usize::try_from(n).unwrap()];
            let data = json!({"order": stream.clone(), "total": order * 10 + n});
            (
                2_000 + order * 10 + n,
                "2025-03-24T16:00:00Z",
                kind,
                "shop",
                None,
                data,
            )
        });
        all.extend(events(&stream, &stream, rows.collect()));
    }
    all
}

/// What each stream refused.
pub(super) fn decisions() -> Vec<Decision> {
    let rejected = |stream: &str, sequence: u64, base: (u64, u64), at: &str| {
        serde_json::from_value(json!({
            "sequence": sequence, "command_id": format!("c-{sequence}"), "stream": stream, "command_type": "ChangeEmail",
            "payload": {"email": "sk@new.org"}, "actor": "sarah", "reason": null, "correlation_id": "corr-9",
            "causation_id": null, "base_revision": base.0, "base_position": base.1, "rules_hash": "0011223344556677",
            "decided_at": at, "outcome": "rejected", "rule": "user.suspended", "message": "this user is suspended",
        }))
        .unwrap()
    };
    vec![
        rejected("user-c410", 4, (4, 1004), "2025-02-09T09:00:00Z"),
        rejected("user-sarah", 9, (3, 1350), "2025-03-22T10:02:18Z"),
    ]
}

/// Puts the commands behind Sarah's events on record.
pub(super) fn decide(events: &mut [Event], decisions: &mut Vec<Decision>) {
    let commands = [
        (
            1,
            "CreateUser",
            json!({"username": "sarah", "email": "sarah@example.com"}),
        ),
        (2, "ChangeName", json!({"last_name": "Kimura"})),
        (3, "SuspendUser", json!({})),
        (10, "DeleteUser", json!({})),
    ];
    for (event, (sequence, command, payload)) in events.iter_mut().take(4).zip(commands) {
        let id = format!("c-{sequence}");
        let cause = event.causation_id.replace(id.clone());
        let decision = json!({
            "sequence": sequence, "command_id": id, "stream": event.stream, "command_type": command, "payload": payload,
            "actor": event.actor, "reason": event.reason, "correlation_id": event.correlation_id, "causation_id": cause,
            "base_revision": event.revision.0 - 1, "base_position": event.position.0 - 1, "rules_hash": "0011223344556677",
            "decided_at": event.recorded_at, "outcome": "accepted", "revision": event.revision, "position": event.position,
            "events": 1,
        });
        decisions.push(serde_json::from_value(decision).unwrap());
    }
    decisions.sort_by_key(|decision| decision.sequence);
}
