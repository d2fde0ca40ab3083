//! Random logs of live appends, rejections and restored decisions: whatever a reader goes on after, it gets what it has not
//! seen, once.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use whodunit_core::command::{Command, Outcome, Rejection};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::*;
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, DecisionPlace, PendingDecision, RestoredDecision, Store, View};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// What an entry is, in few words: an event by its position, a decision by its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Name {
    Event(u64),
    Decision(u64),
}

fn name(entry: &Entry) -> Name {
    match entry {
        Entry::Event(event) => Name::Event(event.position.0),
        Entry::Decision(decision) => Name::Decision(decision.sequence),
    }
}

fn stream(n: usize) -> StreamName {
    StreamName::new(format!("s-{n}")).unwrap()
}

fn fact(id: &str) -> NewEvent {
    let mut event = NewEvent::new("Happened", json!({}));
    event.event_id = Some(id.to_owned());
    event
}

fn command(stream: StreamName, id: &str) -> Command {
    Command {
        command_id: id.to_owned(),
        stream,
        command_type: "DoIt".to_owned(),
        payload: Map::<String, Value>::new(),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        issued_at: Timestamp::from_micros(1),
    }
}

fn rejection() -> Rejection {
    Rejection::new("a.rule", "no")
}

/// A command's decision, as the daemon itself takes it.
fn live(n: usize, at: StreamName, base: Revision, accepted: bool) -> Append {
    let events = if accepted {
        vec![fact(&format!("e{n}"))]
    } else {
        Vec::new()
    };
    let expected = ExpectedRevision::Exact(base);
    let mut append = Append::facts(at.clone(), expected, events, Timestamp::from_micros(1));
    append.decision = Some(PendingDecision {
        command: command(at, &format!("c{n}")),
        base_revision: base,
        rules_hash: "rules".to_owned(),
        rejection: (!accepted).then(rejection),
    });
    append
}

/// A decision from elsewhere that led to no event, right after this event of the log.
fn restored(n: usize, after: Option<String>, rejected: bool) -> RestoredDecision {
    let command = command(stream(99), &format!("r{n}"));
    let Rejection { rule, message } = rejection();
    let result = if rejected {
        Outcome::Rejected { rule, message }
    } else {
        Outcome::Accepted {
            revision: Revision(0),
            position: Position(0),
            events: 0,
        }
    };
    RestoredDecision {
        decision: Decision {
            sequence: 1,
            command_id: command.command_id,
            stream: command.stream,
            command_type: command.command_type,
            payload: Value::Object(command.payload).into(),
            actor: None,
            reason: None,
            correlation_id: None,
            causation_id: None,
            base_revision: Revision(0),
            base_position: Position(0),
            rules_hash: "rules".to_owned(),
            decided_at: command.issued_at,
            result,
        },
        place: DecisionPlace::After {
            log: after,
            stream: None,
        },
    }
}

async fn write(store: &Arc<dyn Store>, n: usize, dice: &mut Dice) {
    let at = stream(dice.roll(3));
    let view = store.view().unwrap();
    let base = view.stream(&at).unwrap();
    let base = base.map_or(Revision(0), |info| info.revision);
    match dice.roll(6) {
        0 | 1 => {
            let events = vec![fact(&format!("e{n}"))];
            let any = ExpectedRevision::Any;
            let append = Append::facts(at, any, events, Timestamp::from_micros(1));
            store.append(append).await.unwrap();
        }
        2 => drop(store.append(live(n, at, base, true)).await.unwrap()),
        3 => drop(store.append(live(n, at, base, false)).await.unwrap()),
        _ => {
            let head = usize::try_from(view.head().position.0).unwrap();
            let position = Position(dice.roll(head + 1) as u64);
            let after = view.event_at(position).unwrap();
            let decision = restored(n, after.map(|event| event.event_id), dice.roll(3) > 0);
            assert!(store.restore_decision(decision).await.unwrap());
        }
    }
}

/// Everything after a cursor, read in batches of this size.
fn read_on(
    view: &dyn View,
    mut from: Cursor,
    only_rejected: bool,
    limit: usize,
) -> Vec<(Name, Cursor)> {
    let mut all = Vec::new();
    loop {
        let batch = batch(view, from, view.head(), only_rejected, limit).unwrap();
        all.extend(
            batch
                .entries
                .iter()
                .map(|(entry, cursor)| (name(entry), *cursor)),
        );
        if batch.entries.is_empty() {
            return all;
        }
        from = batch.end;
    }
}

fn names(entries: &[(Name, Cursor)]) -> Vec<Name> {
    entries.iter().map(|(name, _)| *name).collect()
}

/// The order by its definition: a decision stands after the furthest place of those up to it.
fn expected(view: &dyn View, only_rejected: bool) -> Vec<Name> {
    let filter = DecisionFilter {
        rejected: only_rejected.then_some(true),
        ..DecisionFilter::default()
    };
    let page = view.decisions(&filter, None, Direction::Forward, usize::MAX);
    let mut furthest = Position(0);
    let mut order: Vec<_> = (1..=view.head().position.0)
        .map(|position| (position, Name::Event(position)))
        .collect();
    for decision in page.unwrap().decisions {
        furthest = furthest.max(decision.place());
        order.push((furthest.0, Name::Decision(decision.sequence)));
    }
    order.sort_unstable();
    order.into_iter().map(|(_, name)| name).collect()
}

/// A reader beside the writes, and what it has got.
struct Reader {
    cursor: Cursor,
    only_rejected: bool,
    limit: usize,
    got: Vec<(Name, Cursor)>,
}

impl Reader {
    fn read(&mut self, view: &dyn View) {
        let found = batch(
            view,
            self.cursor,
            view.head(),
            self.only_rejected,
            self.limit,
        )
        .unwrap();
        let entries = found.entries.iter();
        self.got
            .extend(entries.map(|(entry, cursor)| (name(entry), *cursor)));
        self.cursor = found.end;
    }
}

#[tokio::test]
async fn whatever_a_reader_goes_on_after_it_gets_the_rest_once() {
    for seed in 1..=20_u64 {
        println!("seed {seed}");
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let directory = tempfile::tempdir().unwrap();
        let store = LoggedStore::open(directory.path(), StoreOptions::Relaxed).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let mut readers: Vec<_> = [(true, 1), (true, 256), (false, 2)]
            .map(|(only_rejected, limit)| Reader {
                cursor: Cursor::default(),
                only_rejected,
                limit,
                got: Vec::new(),
            })
            .into();
        for n in 0..40 {
            write(&store, n, &mut dice).await;
            let reader = dice.roll(readers.len());
            readers[reader].read(&*store.view().unwrap());
        }
        let view = store.view().unwrap();
        for only_rejected in [true, false] {
            let whole = expected(&*view, only_rejected);
            for limit in [1, 2, 3, 7, 1_000] {
                let all = read_on(&*view, Cursor::default(), only_rejected, limit);
                assert_eq!(names(&all), whole, "batches of {limit}");
                for (n, (_, cursor)) in all.iter().enumerate() {
                    let rest = read_on(&*view, *cursor, only_rejected, limit);
                    assert_eq!(names(&rest), whole[n + 1..], "after {cursor:?}");
                }
            }
        }
        after_each_position(&*view);
        for reader in readers {
            let whole = expected(&*view, reader.only_rejected).len();
            for n in 0..=reader.got.len() {
                let (seen, _) = reader.got.split_at(n);
                let cursor = seen.last().map_or(Cursor::default(), |(_, cursor)| *cursor);
                let rest = read_on(&*view, cursor, reader.only_rejected, reader.limit);
                let once: HashSet<_> = names(seen).into_iter().chain(names(&rest)).collect();
                assert_eq!((once.len(), seen.len() + rest.len()), (whole, whole));
            }
        }
    }
}

/// After a position alone comes what a feed from the beginning brings after the event there.
fn after_each_position(view: &dyn View) {
    let whole = expected(view, true);
    for position in 0..=view.head().position.0 {
        let decision = view.rejection_before(Position(position)).unwrap();
        let cursor = Cursor { position, decision };
        let at = whole.iter().position(|name| *name == Name::Event(position));
        let rest = read_on(view, cursor, true, 256);
        let expected = &whole[at.map_or(0, |at| at + 1)..];
        assert_eq!(names(&rest), expected, "after position {position}");
    }
}
