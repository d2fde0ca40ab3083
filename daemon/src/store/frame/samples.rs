//! Histories made by chance, for tests: every kind of batch that planning can come to, applied to the store's model in
//! memory.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use whodunit_core::command::{Command, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::write::memory::Memory;
use crate::store::write::{Batch, Lookup, Plan, WriteTxn, plan, plan_jobs};
use crate::store::{Append, JobChange, NewJob, PendingDecision, StreamLabel};

pub(crate) const STREAMS: [&str; 8] = [
    "user-1",
    "user-2",
    "user-Zoë",
    "order-1",
    "order-2",
    "order-10",
    "alone",
    "ord-1",
];
pub(crate) const HANDLERS: [&str; 3] = ["mail", "webhook:a", "webhook:b"];

/// A pseudo-random sequence; the same for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn text(&mut self) -> Option<String> {
        let texts = ["", "a", "admin:eve", "zwölf \u{1F600}", "a\tb", "x-1"];
        self.one_in(2).then(|| (*self.of(&texts)).to_owned())
    }

    pub(crate) fn time(&mut self) -> Timestamp {
        match self.below(20) {
            0 => Timestamp::MIN,
            1 => Timestamp::MAX,
            _ => Timestamp::from_micros(i64::try_from(self.below(2_000)).unwrap() - 500),
        }
    }
}

pub(crate) fn stream(random: &mut Random) -> StreamName {
    StreamName::new(*random.of(&STREAMS)).unwrap()
}

/// A history as it grows.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The model with all batches applied.
    pub(crate) memory: Memory,
    /// They.
    pub(crate) batches: Vec<Arc<Batch>>,
    made: usize,
}

impl History {
    /// A history of about so many batches.
    pub(crate) fn new(random: &mut Random, batches: usize) -> Self {
        let mut history = Self::default();
        while history.batches.len() < batches {
            history.grow(random);
        }
        history
    }

    /// Tries to make it one batch longer.
    pub(crate) fn grow(&mut self, random: &mut Random) {
        let batch = if random.below(3) == 0 {
            Some(self.jobs(random))
        } else {
            self.append(random)
        };
        let Some(batch) = batch else { return };
        if batch == Batch::default() {
            return;
        }
        self.memory.apply(Arc::new(batch.clone())).unwrap();
        self.batches.push(Arc::new(batch));
    }

    /// Decisions and events are numbered, so that ids are new.
    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{}", self.made)
    }

    fn append(&mut self, random: &mut Random) -> Option<Batch> {
        let append = self.some_append(random);
        match plan(&self.memory, &append) {
            Ok(Plan::Write(planned)) => Some(planned.batch),
            Ok(Plan::Repeat(_)) | Err(_) => None,
        }
    }

    /// An append that may be admitted.
    pub(crate) fn some_append(&mut self, random: &mut Random) -> Append {
        let stream = stream(random);
        let head = self.memory.stream(&stream).unwrap();
        let head = head.map_or(Revision::ZERO, |info| info.revision);
        let decided = random.one_in(2);
        let rejected = decided && random.one_in(4);
        let events = match (decided, rejected) {
            (_, true) => 0,
            (true, _) => random.below(3),
            (false, _) => 1 + random.below(3),
        };
        let events: Vec<_> = (0..events).map(|_| self.event(random)).collect();
        let mut append = Append::facts(stream, ExpectedRevision::Any, events, random.time());
        let count = append.events.len();
        if decided {
            append.decision = Some(self.decision(random, &append.stream, head, rejected));
        }
        if count > 0 {
            append.keys = (0..random.below(4))
                .map(|_| KeyChange {
                    event: random.below(count),
                    key: key(random),
                    taken: !random.one_in(3),
                })
                .collect();
            // A handler has one job of an event.
            append.jobs = HANDLERS[random.below(HANDLERS.len())..]
                .iter()
                .take(random.below(3))
                .map(|handler| NewJob {
                    event: random.below(count),
                    handler: (*handler).to_owned(),
                })
                .collect();
        }
        append.label = random.one_in(3).then(|| StreamLabel {
            title: random.text(),
            status: random.text(),
        });
        append
    }

    fn event(&mut self, random: &mut Random) -> NewEvent {
        let data = *random.of(&[
            "{}",
            r#"{"b":1.50,"a":[1e3,12345678901234567890123]}"#,
            r#"{"s":" \" x","é":null}"#,
        ]);
        NewEvent {
            event_type: (*random.of(&["Made", "Changed", "Gone"])).to_owned(),
            data: Json::parse(data).unwrap(),
            schema_version: random.one_in(3).then_some(70_000),
            event_id: Some(self.id("event")),
            recorded_at: random.one_in(2).then(|| random.time()),
            actor: random.text(),
            reason: random.text(),
            correlation_id: random.text(),
            causation_id: random.text(),
            metadata: random.one_in(4).then(|| Json::from(json!({"ip": "::1"}))),
        }
    }

    fn decision(
        &mut self,
        random: &mut Random,
        stream: &StreamName,
        base_revision: Revision,
        rejected: bool,
    ) -> PendingDecision {
        let mut payload = Map::new();
        payload.insert("n".to_owned(), Value::from(random.below(100)));
        PendingDecision {
            command: Command {
                command_id: self.id("command"),
                stream: stream.clone(),
                command_type: "DoIt".to_owned(),
                payload,
                actor: random.text(),
                reason: random.text(),
                correlation_id: random.text(),
                causation_id: random.text(),
                issued_at: random.time(),
            },
            base_revision,
            rules_hash: "rules-1".to_owned(),
            rejection: rejected.then(|| Rejection::new("a.rule", "it may not be")),
        }
    }

    fn jobs(&mut self, random: &mut Random) -> Batch {
        let changes = self.some_changes(random);
        let (batch, _) = plan_jobs(&self.memory, &changes, random.time()).unwrap();
        batch
    }

    /// Changes of jobs that may apply.
    pub(crate) fn some_changes(&self, random: &mut Random) -> Vec<JobChange> {
        let ids: Vec<u64> = self.memory.jobs.keys().copied().collect();
        (0..=random.below(4))
            .map(|_| {
                let id = if ids.is_empty() { 1 } else { *random.of(&ids) };
                let error = "it failed".to_owned();
                match random.below(9) {
                    0..=2 => JobChange::Begin { id },
                    3 | 4 => JobChange::Complete { id },
                    5 => JobChange::TryAgain {
                        id,
                        next_attempt_at: random.time(),
                        error,
                    },
                    6 => JobChange::Fail { id, error },
                    7 if random.one_in(4) => JobChange::ReleaseAll,
                    7 => JobChange::Retry { id },
                    _ => JobChange::Add {
                        handler: (*random.of(&HANDLERS)).to_owned(),
                        position: Position(random.below(self.memory.events.len() + 2) as u64),
                    },
                }
            })
            .collect()
    }
}

pub(crate) fn key(random: &mut Random) -> UniqueKey {
    let name = *random.of(&["email", "phone"]);
    let value = *random.of(&["a", "b", "c"]);
    UniqueKey::caseless(name, value)
}
