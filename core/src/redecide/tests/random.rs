//! Random histories and random edits of them.

use serde_json::{Map, Value, json};

use super::boxes::COMMANDS;
use super::memory::Log;
use crate::api::what_if::{
    Action, ChangeEdit, CommandPlace, DecisionRef, DropCommandEdit, DropEdit, Edit,
    InsertCommandEdit, InsertEdit, MoveCommandEdit, MoveEdit, ReplaceCommandEdit, ReplaceEdit,
    WhatIfCommand,
};
use crate::api::write::CommandIn;
use crate::command::Command;
use crate::event::NewEvent;
use crate::ids::{Revision, StreamName};
use crate::json::Json;
use crate::redecide::Entry;
use crate::time::Timestamp;

/// `SplitMix64`.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub(super) fn time(second: usize) -> Timestamp {
    Timestamp::from_micros(1_741_000_000_000_000 + i64::try_from(second).unwrap() * 1_000_000)
}

pub(super) fn box_named(n: usize) -> StreamName {
    StreamName::new(format!("box-{n}")).unwrap()
}

fn payload(random: &mut Random, keys: usize) -> Map<String, Value> {
    let (key, other) = (random.below(keys), random.below(keys));
    let payload = json!({"key": format!("k{key}"), "other": format!("o{other}")});
    payload.as_object().unwrap().clone()
}

fn kind(random: &mut Random) -> &'static str {
    // Open ones are more interesting than closed ones.
    if random.one_in(4) {
        "Open"
    } else {
        COMMANDS[random.below(COMMANDS.len())]
    }
}

fn raw(random: &mut Random, keys: usize) -> NewEvent {
    let (kind, data) = match random.below(4) {
        0 => ("Closed", json!({"by": "raw"})),
        1 => ("Incremented", json!({})),
        2 => ("Taken", json!({"key": format!("k{}", random.below(keys))})),
        _ => ("Poked", json!({"x": random.below(9)})),
    };
    NewEvent::new(kind, data)
}

/// A log of so many commands and raw events on so many streams, with contended keys, and causes among them.
pub(super) fn history(
    random: &mut Random,
    mut log: Log,
    (length, streams, keys): (usize, usize, usize),
) -> Log {
    let mut ids: Vec<String> = Vec::new();
    let mut second = 0;
    for n in 0..length {
        second += random.below(2);
        let stream = box_named(random.below(streams));
        let cause = (!ids.is_empty() && random.one_in(2)).then(|| {
            let recent = ids.len().saturating_sub(12);
            random.pick(&ids[recent..]).clone()
        });
        if random.one_in(8) {
            let mut event = raw(random, keys);
            event.event_id = Some(format!("r{n}"));
            event.causation_id = cause;
            if log.raw(&stream, &event, time(second)) {
                ids.push(format!("r{n}"));
            }
            continue;
        }
        let command = Command {
            command_id: format!("c{n}"),
            stream,
            command_type: kind(random).to_owned(),
            payload: payload(random, keys),
            actor: Some(format!("actor{}", random.below(3))),
            reason: random.one_in(2).then(|| "a reason".to_owned()),
            correlation_id: Some(format!("c{n}")),
            causation_id: cause,
            issued_at: time(second),
        };
        let traced = random.one_in(3);
        log.command(&command, &mut |_, index| {
            let metadata = traced.then(|| Json::from(json!({ "trace": n })));
            (format!("e{n}.{index}"), metadata)
        });
        ids.push(command.command_id);
        let entry = log.entries.last().unwrap();
        ids.extend(entry.events.iter().map(|event| event.event_id.clone()));
    }
    log
}

pub(super) fn command(random: &mut Random, keys: usize) -> WhatIfCommand {
    CommandIn {
        command_type: kind(random).to_owned(),
        payload: payload(random, keys),
        actor: Some("what-if".to_owned()),
        reason: None,
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_revision: None,
    }
    .into()
}

/// Edits and actions on a stream; no two are about the same entry.
pub(super) fn edits(
    random: &mut Random,
    log: &Log,
    stream: &StreamName,
    keys: usize,
) -> (Vec<Edit>, Vec<Action>) {
    let mut free: Vec<&Entry> = log.entries.iter().collect();
    let mut edits = Vec::new();
    for _ in 0..=random.below(3) {
        edits.extend(edit(random, &mut free, stream, keys));
    }
    let mut actions = Vec::new();
    if random.one_in(3) {
        actions.push(Action::Command(command(random, keys)));
    }
    if random.one_in(5) {
        actions.push(Action::Event(NewEvent::new("Closed", json!({"by": "do"}))));
    }
    (edits, actions)
}

fn take_out<'a>(
    random: &mut Random,
    free: &mut Vec<&'a Entry>,
    fits: impl Fn(&Entry) -> bool,
) -> Option<&'a Entry> {
    let places: Vec<usize> = (0..free.len()).filter(|n| fits(free[*n])).collect();
    (!places.is_empty()).then(|| free.remove(*random.pick(&places)))
}

fn edit(
    random: &mut Random,
    free: &mut Vec<&Entry>,
    stream: &StreamName,
    keys: usize,
) -> Option<Edit> {
    if random.below(8) < 5 {
        event_edit(random, free, stream, keys)
    } else {
        command_edit(random, free, stream, keys)
    }
}

fn event_edit(
    random: &mut Random,
    free: &mut Vec<&Entry>,
    stream: &StreamName,
    keys: usize,
) -> Option<Edit> {
    let own = |entry: &Entry| entry.stream == *stream && !entry.events.is_empty();
    let entry = take_out(random, free, own)?;
    let revision = random.pick(&entry.events).revision;
    Some(match random.below(5) {
        0 => Edit::Drop(DropEdit { revision }),
        1 => Edit::Replace(ReplaceEdit {
            revision,
            data: Json::from(json!({"key": format!("k{}", random.below(keys))})),
        }),
        2 => Edit::Change(ChangeEdit {
            revision,
            actor: Some("another".to_owned()),
            reason: random.one_in(2).then(|| "another reason".to_owned()),
            recorded_at: random.one_in(2).then(|| time(random.below(40))),
        }),
        3 => {
            let new = raw(random, keys);
            let at_start = random.one_in(6);
            Edit::Insert(InsertEdit {
                after_revision: if at_start { Revision::ZERO } else { revision },
                event_type: new.event_type,
                data: new.data,
            })
        }
        _ => {
            let target = take_out(random, free, own)?;
            Edit::Move(MoveEdit {
                revision,
                after_revision: random.pick(&target.events).revision,
            })
        }
    })
}

fn decided(entry: &Entry) -> bool {
    entry.decision.is_some()
}

fn named(random: &mut Random, entry: &Entry) -> DecisionRef {
    let decision = entry.decision.as_ref().unwrap();
    if random.one_in(2) {
        DecisionRef::Sequence(decision.sequence)
    } else {
        DecisionRef::Command(decision.command_id.clone())
    }
}

fn beside(random: &mut Random, free: &mut Vec<&Entry>) -> Option<CommandPlace> {
    let other = take_out(random, free, decided)?;
    let named = named(random, other);
    Some(if random.one_in(2) {
        CommandPlace::Before(named)
    } else {
        CommandPlace::After(named)
    })
}

/// Beside a decision, or after an event of the stream that is asked about.
fn anywhere(
    random: &mut Random,
    free: &mut Vec<&Entry>,
    stream: &StreamName,
) -> Option<CommandPlace> {
    if random.one_in(2) {
        return beside(random, free);
    }
    let own = |entry: &Entry| entry.stream == *stream && !entry.events.is_empty();
    let entry = take_out(random, free, own)?;
    let revision = random.pick(&entry.events).revision;
    let at_start = random.one_in(6);
    Some(CommandPlace::AfterRevision(if at_start {
        Revision::ZERO
    } else {
        revision
    }))
}

fn command_edit(
    random: &mut Random,
    free: &mut Vec<&Entry>,
    stream: &StreamName,
    keys: usize,
) -> Option<Edit> {
    let entry = take_out(random, free, decided)?;
    let decision = named(random, entry);
    Some(match random.below(4) {
        0 => Edit::DropCommand(DropCommandEdit { decision }),
        1 => {
            let other = command(random, keys);
            let is_another = random.one_in(2);
            Edit::ReplaceCommand(ReplaceCommandEdit {
                decision,
                command_type: is_another.then_some(other.command_type),
                payload: is_another.then_some(other.payload),
                actor: random.one_in(2).then(|| "another".to_owned()),
                reason: None,
                at: random.one_in(3).then(|| time(random.below(40))),
                password_correct: None,
            })
        }
        2 => Edit::InsertCommand(InsertCommandEdit {
            place: anywhere(random, free, stream)?,
            stream: random.one_in(2).then(|| entry.stream.clone()),
            command: command(random, keys),
            at: None,
        }),
        _ => Edit::MoveCommand(MoveCommandEdit {
            decision,
            place: beside(random, free)?,
            at: random.one_in(3).then(|| time(random.below(40))),
        }),
    })
}
