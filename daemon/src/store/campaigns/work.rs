//! Random work for a store: appends of every kind, with decisions, keys, jobs and clocks that go back.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use whodunit_core::command::{Command, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::disk::simulated::Random;
use crate::store::{
    Append, AppendError, AppendResult, NewJob, PendingDecision, Snapshot, Store, StreamLabel,
};

pub(super) const STREAMS: u64 = 6;
pub(super) const KEYS: u64 = 4;
pub(super) const RULES: &str = "rules-1";
pub(super) const HANDLER: &str = "crm";

pub(super) fn stream(n: u64) -> StreamName {
    let category = if n.is_multiple_of(2) { "order" } else { "user" };
    StreamName::new(format!("{category}-{n}")).unwrap()
}

pub(super) fn key(n: u64) -> UniqueKey {
    UniqueKey::caseless("email", &format!("key-{n}"))
}

pub(super) fn event_id(append: u64, n: u64) -> String {
    format!("event-{append}-{n}")
}

pub(super) fn command_id(append: u64) -> String {
    format!("command-{append}")
}

/// A run of appends.
pub(super) struct Work {
    random: Random,
    /// How many appends were made of it.
    pub(super) number: u64,
    /// Bytes of text that an event has at most.
    largest: u64,
    revisions: BTreeMap<StreamName, u64>,
}

impl Work {
    pub(super) fn new(seed: u64, largest: u64) -> Self {
        Self {
            random: Random::new(seed),
            number: 0,
            largest,
            revisions: BTreeMap::new(),
        }
    }

    /// The next append.
    pub(super) fn next(&mut self) -> Append {
        let (number, random) = (self.number, &mut self.random);
        self.number += 1;
        let stream = stream(random.below(STREAMS));
        let seconds = number * 60 + random.below(600);
        let at = 1_741_000_000_000_000 + i64::try_from(seconds * 1_000_000).unwrap();
        let events = 1 + random.below(3);
        let mut append = Append::facts(
            stream.clone(),
            ExpectedRevision::Any,
            (0..events)
                .map(|n| event(random, number, n, self.largest))
                .collect(),
            Timestamp::from_micros(at),
        );
        // Caused by an event before, or by the command that it is decided on.
        let cause = match random.below(4) {
            0 => Some(event_id(number.saturating_sub(1), 0)),
            1 => Some(command_id(number)),
            _ => None,
        };
        for event in &mut append.events {
            event.causation_id.clone_from(&cause);
        }
        append.label = Some(StreamLabel {
            title: Some(format!("title {number}")),
            status: None,
        });
        if random.below(3) == 0 {
            let base = self.revisions.get(&stream).copied().unwrap_or_default();
            append.expected = ExpectedRevision::Exact(Revision(base));
            append.decision = Some(decision(random, &stream, number, base));
            if append
                .decision
                .as_ref()
                .is_some_and(|it| it.rejection.is_some())
            {
                append.events.clear();
                return append;
            }
        }
        if random.below(3) == 0 {
            append.keys = vec![KeyChange {
                event: 0,
                key: key(random.below(KEYS)),
                taken: random.below(2) == 0,
            }];
        }
        if random.below(2) == 0 {
            append.jobs = vec![NewJob {
                event: 0,
                handler: HANDLER.to_owned(),
            }];
        }
        append
    }

    /// Notes what a stream's head is now.
    pub(super) fn note(&mut self, appended: &AppendResult) {
        if let Some(event) = appended.events.last() {
            self.revisions
                .insert(event.stream.clone(), event.revision.0);
        }
    }

    /// Makes the next append; `None` where a key was taken.
    pub(super) fn append(
        &mut self,
        store: &dyn Store,
    ) -> Result<Option<AppendResult>, AppendError> {
        match super::wait(store.append(self.next())) {
            Ok(appended) => {
                self.note(&appended);
                Ok(Some(appended))
            }
            Err(AppendError::KeyTaken { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn event(random: &mut Random, number: u64, n: u64, largest: u64) -> NewEvent {
    let text: String = (0..random.below(largest + 1))
        .map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap()))
        .collect();
    let kind = ["Placed", "Paid", "Sent"][random.index(3)];
    let mut event = NewEvent::new(kind, json!({"number": number, "n": n, "text": text}));
    event.event_id = Some(event_id(number, n));
    event.actor = Some(format!("actor-{}", random.below(3)));
    event.correlation_id = Some(format!("correlation-{}", number % 7));
    event
}

fn decision(random: &mut Random, stream: &StreamName, number: u64, base: u64) -> PendingDecision {
    let mut payload = Map::new();
    payload.insert("asked".to_owned(), Value::from(number));
    PendingDecision {
        command: Command {
            command_id: command_id(number),
            stream: stream.clone(),
            command_type: "DoIt".to_owned(),
            payload,
            actor: Some("admin:eve".to_owned()),
            reason: None,
            correlation_id: Some(format!("correlation-{}", number % 7)),
            causation_id: Some(event_id(number.saturating_sub(2), 0)),
            issued_at: Timestamp::from_micros(5_000),
        },
        base_revision: Revision(base),
        rules_hash: RULES.to_owned(),
        rejection: (random.below(4) == 0)
            .then(|| Rejection::new("not.today", "it may not be done today")),
    }
}

/// A snapshot of a stream at a revision.
pub(super) fn snapshot(random: &mut Random, revision: u64) -> Snapshot {
    Snapshot {
        stream: stream(random.below(STREAMS)),
        revision: Revision(revision),
        rules_hash: RULES.to_owned(),
        state: (0..random.below(3_000))
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect(),
    }
}
