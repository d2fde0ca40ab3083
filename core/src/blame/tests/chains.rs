//! Chains of causes: copies, cycles, events that are not on record.

use std::convert::Infallible;

use serde_json::json;

use super::super::*;
use crate::command::{Decision, Outcome};
use crate::ids::{Position, StreamName};
use crate::json::Json;

#[derive(Default)]
struct Record {
    events: Vec<Event>,
    decisions: Vec<Decision>,
}

impl Causes for Record {
    type Error = Infallible;

    fn event(&mut self, event_id: &str) -> Result<Option<Event>, Infallible> {
        let found = self.events.iter().find(|event| event.event_id == event_id);
        Ok(found.cloned())
    }

    fn decision(&mut self, command_id: &str) -> Result<Option<Decision>, Infallible> {
        let found = self
            .decisions
            .iter()
            .find(|one| one.command_id == command_id);
        Ok(found.cloned())
    }
}

fn event(id: &str, cause: Option<&str>, data: &str) -> Event {
    let mut event = crate::fold::tests::changed(1);
    event.event_id = id.to_owned();
    event.causation_id = cause.map(str::to_owned);
    event.data = Json::parse(data).unwrap();
    event
}

fn decision(id: &str, cause: Option<&str>, payload: &str) -> Decision {
    Decision {
        sequence: 1,
        command_id: id.to_owned(),
        stream: StreamName::new("user-7").unwrap(),
        command_type: "ChangeEmail".to_owned(),
        payload: Json::parse(payload).unwrap(),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: cause.map(str::to_owned),
        base_revision: Revision(0),
        base_position: Position(0),
        rules_hash: "h".to_owned(),
        decided_at: "2025-03-24T15:47:23Z".parse().unwrap(),
        result: Outcome::Accepted {
            revision: Revision(1),
            position: Position(1),
            events: 1,
        },
    }
}

fn told(record: &mut Record, first: Event, name: &str, value: &Value) -> (Vec<String>, ChainEnd) {
    let Ok(chain) = why(record, first, name, value);
    let hops = chain.hops.iter().map(|hop| {
        let pointer = hop.pointer.as_deref().unwrap_or("-");
        format!(
            "{} {pointer}{}",
            hop.link.id(),
            if hop.is_copy { " copy" } else { "" }
        )
    });
    (hops.collect(), chain.end)
}

#[test]
fn a_value_is_followed_through_copies_to_where_it_comes_from() {
    let mut record = Record {
        events: vec![
            event("e1", Some("c1"), r#"{"profile":{"email":"a@b.c"}}"#),
            event("e0", None, r#"{"batch":7}"#),
        ],
        decisions: vec![
            decision("c2", Some("e1"), r#"{"email":"a@b.c"}"#),
            decision("c1", Some("e0"), r#"{"address":"a@b.c"}"#),
        ],
    };
    let first = event("e2", Some("c2"), r#"{"email":"a@b.c"}"#);
    let (hops, end) = told(&mut record, first, "email", &json!("a@b.c"));
    let expected = [
        "e2 /email",
        "c2 /email copy",
        "e1 /profile/email copy",
        "c1 /address",
        "e0 -",
    ];
    assert_eq!(hops, expected);
    assert_eq!(end, ChainEnd::First);
}

#[test]
fn a_value_met_by_chance_is_no_copy() {
    let mut record = Record {
        decisions: vec![decision("c1", None, r#"{"urgent":true,"n":[1]}"#)],
        ..Record::default()
    };
    let first = event("e1", Some("c1"), r#"{"active":true}"#);
    let (hops, _) = told(&mut record, first, "active", &json!(true));
    assert_eq!(hops, ["e1 /active", "c1 -"]);
}

#[test]
fn chains_end_where_they_are_broken_or_go_round() {
    let mut record = Record::default();
    let first = event("e1", Some("gone"), "{}");
    let (hops, end) = told(&mut record, first, "a", &json!(1));
    assert_eq!(
        (hops.len(), end),
        (1, ChainEnd::NotOnRecord("gone".to_owned()))
    );

    record.events = vec![event("e1", Some("e2"), "{}"), event("e2", Some("e1"), "{}")];
    let first = record.events[0].clone();
    let (hops, end) = told(&mut record, first, "a", &json!(1));
    assert_eq!((hops.len(), end), (2, ChainEnd::Cycle("e1".to_owned())));

    record.events = (0..200)
        .map(|n| event(&format!("e{n}"), Some(&format!("e{}", n + 1)), "{}"))
        .collect();
    let first = record.events[0].clone();
    let (hops, end) = told(&mut record, first, "a", &json!(1));
    assert_eq!((hops.len(), end), (HOPS_MAX, ChainEnd::Cut));
}
