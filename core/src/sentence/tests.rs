//! Sentences say what is on record, and no more.

use serde_json::json;

use super::*;
use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;

fn event(stream: &str, event_type: &str, actor: Option<&str>, reason: Option<&str>) -> Event {
    Event {
        position: Position(9),
        stream: StreamName::new(stream).unwrap(),
        revision: Revision(3),
        event_id: "e-3".to_owned(),
        event_type: event_type.to_owned(),
        schema_version: 1,
        recorded_at: "2025-03-24T15:47:23Z".parse().unwrap(),
        actor: actor.map(str::to_owned),
        reason: reason.map(str::to_owned),
        correlation_id: None,
        causation_id: None,
        data: Json::from(json!({})),
        metadata: None,
    }
}

fn utc(_: Timestamp) -> Option<i32> {
    None
}

fn said(event: &Event) -> String {
    of_event(event, None, None, &utc).to_string()
}

#[test]
fn an_event_says_who_did_what_when_and_why() {
    let deleted = event(
        "user-1",
        "UserDeleted",
        Some("job:cleanup"),
        Some("inactive for 90 days"),
    );
    assert_eq!(
        said(&deleted),
        r#"job:cleanup DELETED this on Mon 24 Mar 2025 15:47:23 UTC: "inactive for 90 days""#
    );
    let parts = of_event(&deleted, Some("sarah@example.com"), None, &utc);
    assert!(parts.to_string().contains("DELETED sarah@example.com on"));
    let verb = parts.parts().iter().find(|part| part.role == Role::Verb);
    assert_eq!(verb.unwrap().text, "DELETED");
    let email = event("user-1", "UserEmailChanged", Some("sarah"), None);
    assert_eq!(
        said(&email),
        "sarah CHANGED the email on Mon 24 Mar 2025 15:47:23 UTC, no reason given"
    );
    assert!(
        of_event(&email, Some("user-1"), None, &utc)
            .to_string()
            .starts_with("sarah CHANGED the email of user-1 on")
    );
    let unnamed = event("user-1", "UserDeleted", None, None);
    assert!(said(&unnamed).starts_with("an actor not on record DELETED this"));
}

#[test]
fn a_type_that_leaves_room_for_doubt_stands_by_its_name() {
    let deeds = [
        ("UserDeleted", "user", Some(("DELETED", None))),
        ("UserDeleted", "users", Some(("DELETED", None))),
        ("user.deleted", "user", Some(("DELETED", None))),
        ("USER_DELETED", "user", Some(("DELETED", None))),
        ("UserDeletedV2", "user", Some(("DELETED", None))),
        ("Deleted", "user", Some(("DELETED", None))),
        (
            "PurchaseOrderPlaced",
            "purchase_order",
            Some(("PLACED", None)),
        ),
        ("OrderPlaced", "shop", Some(("PLACED", Some("order")))),
        ("UserEmailChanged", "user", Some(("CHANGED", Some("email")))),
        ("APIKeyRevoked", "user", Some(("REVOKED", Some("API key")))),
        // What failed, expired or happened was not done by the actor.
        ("PaymentFailed", "order", None),
        ("SessionExpired", "session", None),
        ("UserLoggedIn", "user", None),
        ("UserRegistered", "user", None),
        // What was not done, or may not have been.
        ("UserNotDeleted", "user", None),
        ("OrderCouldNotBePlaced", "order", None),
        ("PaymentToBeApproved", "payment", None),
        ("OrderPartiallyShipped", "order", None),
        ("DeletedUserRestored", "user", None),
        // Calls and nouns.
        ("DeleteUser", "iamuser", None),
        ("Heartbeat", "probe", None),
        ("", "user", None),
        ("漢字", "user", None),
        ("42", "user", None),
    ];
    for (event_type, category, expected) in deeds {
        let found = deed(event_type, category);
        let found = found
            .as_ref()
            .map(|d| (d.verb.as_str(), d.object.as_deref()));
        assert_eq!(found, expected, "{event_type} of {category}");
    }
    let failed = event("order-1", "PaymentFailed", Some("shop"), Some("no funds"));
    assert_eq!(
        said(&failed),
        r#"PaymentFailed by shop on Mon 24 Mar 2025 15:47:23 UTC: "no funds""#
    );
}

#[test]
fn a_refused_call_was_only_tried() {
    let mut call = event("iamuser-1", "UserDeleted", Some("mallory"), None);
    call.metadata = Some(Json::from(json!({"outcome": "refused"})));
    assert_eq!(
        said(&call),
        "mallory tried UserDeleted on Mon 24 Mar 2025 15:47:23 UTC and was REFUSED, no reason given"
    );
    let decision: Decision = serde_json::from_value(json!({
        "sequence": 9, "command_id": "c", "stream": "user-1", "command_type": "ChangeEmail", "payload": {}, "actor": "sarah",
        "reason": null, "correlation_id": null, "causation_id": null, "base_revision": 3, "base_position": 9,
        "rules_hash": "0011223344556677", "decided_at": "2025-03-22T10:02:18Z", "outcome": "rejected",
        "rule": "user.suspended", "message": "this user is suspended",
    }))
    .unwrap();
    assert_eq!(
        of_decision(&decision, &utc).to_string(),
        "sarah tried ChangeEmail on Sat 22 Mar 2025 10:02:18 UTC and was REFUSED by user.suspended: \"this user is suspended\""
    );
}

#[test]
fn a_cause_is_said_with_its_batch_and_its_stream_where_it_is_another() {
    let deleted = event("user-1", "UserDeleted", Some("job:cleanup"), None);
    let cause = event("user-1", "UserSuspended", Some("fraud-scan"), Some("fraud"));
    let batch = |streams, more| Some(Batch { streams, more });
    assert_eq!(
        because(&cause, &deleted, batch(9, false), &utc).to_string(),
        "because of rev 3 UserSuspended by fraud-scan on Mon 24 Mar 2025 15:47:23 UTC, \"fraud\", one of a batch of 9 streams"
    );
    let cause = event("order-7", "OrderPlaced", None, None);
    let text = because(&cause, &deleted, batch(1, false), &utc).to_string();
    assert_eq!(
        text,
        "because of order-7 rev 3 OrderPlaced by an actor not on record on Mon 24 Mar 2025 15:47:23 UTC"
    );
    let many = of_event(&cause, None, batch(200, true), &utc).to_string();
    assert!(
        many.ends_with("one of a batch of at least 200 streams"),
        "{many}"
    );
}

#[test]
fn a_moment_has_its_zone_and_its_fraction() {
    let at = |text: &str| text.parse().unwrap();
    assert_eq!(
        moment(at("2025-03-24T15:47:23.500Z"), Some(3600)),
        "Mon 24 Mar 2025 16:47:23.500 +01:00"
    );
    assert_eq!(
        moment(at("2025-03-24T15:47:23.000001Z"), None),
        "Mon 24 Mar 2025 15:47:23.000001 UTC"
    );
    assert_eq!(
        day(at("2025-12-31T23:30:00Z"), Some(3600)),
        "Thu 01 Jan 2026"
    );
}

#[test]
fn text_of_the_log_cannot_drive_a_terminal() {
    let evil = event(
        "user-1",
        "User\u{1b}[2JDeleted",
        Some("a\u{9b}1m"),
        Some("\u{202e}x\u{7}"),
    );
    let text = said(&evil);
    assert!(!text.chars().any(crate::text::is_unsafe), "{text:?}");
}
