//! Undo plans hold, are shortest, and where there is none exhaustive search finds none either.

use std::convert::Infallible;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::command::Command;
use crate::decide::decide;
use crate::event::Event;
use crate::fold::fold;
use crate::ids::{Position, Revision, StreamName};
use crate::users;

struct NoPasswords;

impl users::Passwords for NoPasswords {
    fn hash(&self, _plaintext: &str) -> Result<String, String> {
        Err("not here".to_owned())
    }

    fn verify(&self, _plaintext: &str, _hash: &str) -> Result<bool, String> {
        Err("not here".to_owned())
    }
}

fn model() -> Model {
    users::model(Arc::new(NoPasswords)).unwrap()
}

fn state(events: &[(&str, Value)]) -> State {
    let events = (1..).zip(events).map(|(n, (kind, data))| Event {
        position: Position(n),
        stream: StreamName::new("user-1").unwrap(),
        revision: Revision(n),
        event_id: format!("e{n}"),
        event_type: (*kind).to_owned(),
        schema_version: 1,
        recorded_at: "2025-03-01T09:00:00Z".parse().unwrap(),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: data.into(),
        metadata: None,
    });
    let events: Vec<Event> = events.collect();
    fold(&model(), &events).state
}

/// Gives commands to a state, by the rules alone.
fn give(start: &State, commands: &[PlannedCommand]) -> Option<State> {
    let model = model();
    let mut state = start.clone();
    for planned in commands {
        let command = Command {
            command_id: "c".to_owned(),
            stream: StreamName::new("user-1").unwrap(),
            command_type: planned.command_type.clone(),
            payload: planned.payload.clone(),
            actor: Some("ops".to_owned()),
            reason: Some("undo".to_owned()),
            correlation_id: None,
            causation_id: None,
            issued_at: "2025-03-02T09:00:00Z".parse().unwrap(),
        };
        state = decide(&model, &state, Revision::ZERO, &command).ok()?.state;
    }
    Some(state)
}

/// The length of a shortest plan, by trying every sequence.
fn shortest(
    start: &State,
    wanted: &State,
    fields: &[Pointer],
    commands: &[PlannedCommand],
    steps: usize,
) -> Option<usize> {
    let mut all: Vec<Vec<PlannedCommand>> = vec![Vec::new()];
    for length in 0..=steps {
        let back = |plan: &Vec<PlannedCommand>| {
            give(start, plan).is_some_and(|after| are_back(&after, wanted, fields))
        };
        if all.iter().any(back) {
            return Some(length);
        }
        let longer = |plan: &Vec<PlannedCommand>| {
            let with = |command: &PlannedCommand| {
                [plan.as_slice(), std::slice::from_ref(command)].concat()
            };
            commands.iter().map(with).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    None
}

#[test]
fn plans_hold_and_are_as_short_as_exhaustive_search_finds() {
    let created = (
        "UserCreated",
        json!({"username": "sarah", "email": "a@example.com", "first_name": "S", "last_name": "C"}),
    );
    let mail = |email: &str| ("UserEmailChanged", json!({"email": email}));
    let name = |first: &str| ("UserNameChanged", json!({"first_name": first}));
    let suspended = ("UserSuspended", json!({"reason": "x"}));
    let reactivated = ("UserReactivated", json!({}));
    let deleted = ("UserDeleted", json!({"reason": "x"}));
    let histories: Vec<Vec<(&str, Value)>> = vec![
        vec![created.clone(), mail("b@example.com")],
        vec![created.clone(), mail("b@example.com"), suspended.clone()],
        vec![
            created.clone(),
            name("T"),
            mail("b@example.com"),
            suspended.clone(),
        ],
        vec![created.clone(), suspended.clone(), reactivated],
        vec![created.clone(), deleted],
        vec![created.clone(), suspended],
        vec![created],
    ];
    let (mut found, mut none) = (0, 0);
    for events in &histories {
        for to in 0..events.len() {
            for fields in [
                &["/email"][..],
                &["/status"],
                &["/email", "/status"],
                &["/first_name", "/email", "/status"],
                &["/deleted_at"],
            ] {
                let fields: Vec<Pointer> =
                    fields.iter().map(|field| field.parse().unwrap()).collect();
                let (now, wanted) = (state(events), state(&events[..to]));
                let commands = commands(&model(), &wanted, &[]);
                let mut giving = |plan: &[PlannedCommand]| Ok::<_, Infallible>(give(&now, plan));
                let searched = plan((&now, &wanted), &fields, &commands, 3, &mut giving).unwrap();
                assert!(searched.exhausted);
                let by_hand = shortest(&now, &wanted, &fields, &commands, 3);
                let length = searched.plan.as_ref().map(|plan| plan.commands.len());
                assert_eq!(length, by_hand, "{events:?} {to} {fields:?}");
                match searched.plan {
                    Some(plan) => {
                        let after = give(&now, &plan.commands).unwrap();
                        assert!(are_back(&after, &wanted, &fields));
                        found += 1;
                    }
                    None => none += 1,
                }
            }
        }
    }
    assert!(found > 10 && none > 5, "{found} {none}");
}

#[test]
fn beyond_the_bound_it_says_that_not_everything_was_tried() {
    let commands: Vec<PlannedCommand> = (0..50)
        .map(|n| PlannedCommand {
            command_type: format!("c{n}"),
            payload: State::new(),
        })
        .collect();
    let mut n = 0;
    let mut giving = |_: &[PlannedCommand]| {
        n += 1;
        Ok::<_, Infallible>(Some(std::iter::once(("n".to_owned(), json!(n))).collect()))
    };
    let wanted: State = std::iter::once(("m".to_owned(), json!(1))).collect();
    let fields: Vec<Pointer> = vec!["/m".parse().unwrap()];
    let searched = plan((&State::new(), &wanted), &fields, &commands, 4, &mut giving).unwrap();
    assert_eq!(
        (searched.plan, searched.attempts, searched.exhausted),
        (None, ATTEMPTS_MAX, false)
    );
}
