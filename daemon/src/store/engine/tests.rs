//! What is particular to this store: whatever is sealed and whatever is not, every read is that of a store that seals nothing.

use std::ops::ControlFlow;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::*;
use crate::store::frame::samples::{HANDLERS, History, Random, STREAMS, key, stream};
use crate::store::write::{self, Lookup};
use crate::store::{
    DecisionFilter, Direction, JobFilter, LateRange, LogFilter, StreamCursor, StreamFilter,
    StreamInfo, StreamOrder,
};

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Backward];

fn open(directory: &Path, events: u64) -> LoggedStore {
    let tuning = Tuning {
        threads: true,
        ..testing::tuning(events)
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let how = (StoreOptions::Durable, NewStore::WhereNothingIsLeft);
    LoggedStore::open_with(&disk, directory, how, tuning).unwrap()
}

/// One of a few words, or none.
fn word(random: &mut Random, words: &[&str]) -> Option<String> {
    random.one_in(2).then(|| (*random.of(words)).to_owned())
}

/// All events of the log that pass, page by page.
fn log(
    view: &dyn View,
    filter: &LogFilter,
    direction: Direction,
    from: Option<Position>,
) -> Vec<u64> {
    let (mut found, mut from) = (Vec::new(), from);
    loop {
        let page = view.log(filter, from, direction, 3, 7).unwrap();
        assert!(page.scanned <= 7 && page.events.len() <= 3);
        found.extend(page.events.iter().map(|event| event.position.0));
        let Some(next) = page.next else { return found };
        assert_ne!(Some(next), from, "it goes on");
        from = Some(next);
    }
}

/// All streams that pass, page by page.
fn streams(view: &dyn View, filter: &StreamFilter, order: StreamOrder) -> Vec<StreamInfo> {
    let (mut found, mut after) = (Vec::new(), None::<StreamCursor>);
    loop {
        let page = view.streams(filter, order, after.clone(), 2, 3).unwrap();
        assert!(page.scanned <= 3 && page.streams.len() <= 2);
        found.extend(page.streams);
        let Some(next) = page.next else { return found };
        assert_ne!(Some(&next), after.as_ref(), "it goes on");
        after = Some(next);
    }
}

/// All decisions that pass, page by page.
fn decisions(view: &dyn View, filter: &DecisionFilter, direction: Direction) -> Vec<u64> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = view.decisions(filter, from, direction, 2).unwrap();
        found.extend(page.decisions.iter().map(|decision| decision.sequence));
        let Some(next) = page.next else { return found };
        from = Some(next);
    }
}

/// All jobs that pass, page by page.
fn jobs(view: &dyn View, filter: &JobFilter, direction: Direction) -> Vec<Job> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = view.jobs(filter, from, direction, 3, 5).unwrap();
        found.extend(page.jobs);
        let Some(next) = page.next else { return found };
        from = Some(next);
    }
}

/// Asks both the same, of every kind.
fn compare(one: &dyn View, other: &dyn View, random: &mut Random) {
    assert_eq!(one.head(), other.head());
    compare_streams(one, other, random);
    compare_lists(one, other, random);
    compare_jobs(one, other, random);
    let both = |ask: &dyn Fn(&dyn View) -> String| assert_eq!(ask(one), ask(other));
    let name = stream(random);
    for buckets in [1, 4] {
        both(&|view| format!("{:?}", view.density(None, buckets)));
        both(&|view| format!("{:?}", view.density(Some(&name), buckets)));
    }
    for _ in 0..4 {
        let (key, at, time) = (key(random), random.below(60) as u64, random.time());
        for category in ["user", "order", "alone"] {
            both(&|view| format!("{:?}", view.key_holder(category, &key, None)));
            both(&|view| format!("{:?}", view.key_holder(category, &key, Some(Position(at)))));
            both(&|view| format!("{:?}", view.key_holder_as_of(category, &key, time, &name)));
        }
    }
}

fn compare_streams(one: &dyn View, other: &dyn View, random: &mut Random) {
    let both = |ask: &dyn Fn(&dyn View) -> String| assert_eq!(ask(one), ask(other));
    for name in STREAMS.map(|name| StreamName::new(name).unwrap()) {
        both(&|view| format!("{:?}", view.stream(&name)));
        for direction in DIRECTIONS {
            let (from, limit) = (Revision(random.below(25) as u64), random.below(20));
            both(&|view| format!("{:?}", view.stream_events(&name, from, direction, limit)));
            both(&|view| {
                format!(
                    "{:?}",
                    view.stream_events(&name, Revision(0), direction, 1_000)
                )
            });
        }
        let (from, to) = (
            Revision(random.below(12) as u64),
            Revision(random.below(25) as u64),
        );
        both(&|view| {
            let mut found = Vec::new();
            view.for_each_event(&name, from, to, &mut |event| {
                found.push(event);
                Ok(match found.len() {
                    9.. => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            })
            .unwrap();
            format!("{found:?}")
        });
        for _ in 0..4 {
            let (at, position) = (random.time(), Position(random.below(80) as u64));
            both(&|view| format!("{:?}", view.revision_as_of(&name, at)));
            both(&|view| format!("{:?}", view.revision_at(&name, position)));
            both(&|view| format!("{:?}", view.effective_at(&name, from)));
            let range = LateRange {
                after: from,
                to,
                recorded_by: random.one_in(2).then_some(at),
            };
            both(&|view| format!("{:?}", view.late_events(&name, range, 3, 100)));
        }
    }
}

fn compare_lists(one: &dyn View, other: &dyn View, random: &mut Random) {
    for _ in 0..6 {
        let filter = LogFilter {
            category: word(random, &["user", "order", "none"]),
            event_type: word(random, &["Made", "Changed"]),
            actor: word(random, &["a", "admin:eve"]),
            correlation_id: word(random, &["a", "x-1"]).filter(|_| random.one_in(3)),
            since: random.one_in(4).then(|| random.time()),
            until: random.one_in(4).then(|| random.time()),
        };
        let from = random.one_in(2).then(|| Position(random.below(90) as u64));
        for direction in DIRECTIONS {
            let found = log(one, &filter, direction, from);
            assert_eq!(found, log(other, &filter, direction, from), "{filter:?}");
        }
        let filter = StreamFilter {
            category: word(random, &["user", "order", "alone"]),
            status: word(random, &["a", "x-1"]).filter(|_| random.one_in(2)),
            text: word(random, &["1", "ZOË", "a"]).filter(|_| random.one_in(2)),
        };
        for order in [StreamOrder::Name, StreamOrder::Recent] {
            let found = streams(one, &filter, order);
            assert_eq!(found, streams(other, &filter, order), "{filter:?}");
        }
        let filter = DecisionFilter {
            stream: random.one_in(2).then(|| stream(random)),
            rejected: random.one_in(2).then(|| random.one_in(2)),
            ..DecisionFilter::default()
        };
        for direction in DIRECTIONS {
            let found = decisions(one, &filter, direction);
            assert_eq!(found, decisions(other, &filter, direction), "{filter:?}");
        }
    }
    assert_eq!(one.categories().unwrap(), other.categories().unwrap());
    for n in 0..40 {
        let (event, command) = (format!("event-{n}"), format!("command-{n}"));
        let position = Position(n);
        assert_eq!(
            one.event_by_id(&event).unwrap(),
            other.event_by_id(&event).unwrap()
        );
        assert_eq!(
            one.event_at(position).unwrap(),
            other.event_at(position).unwrap()
        );
        assert_eq!(one.decision(n).unwrap(), other.decision(n).unwrap());
        let found = one.rejection_before(position).unwrap();
        assert_eq!(found, other.rejection_before(position).unwrap());
        let found = one.jobs_of_event(position).unwrap();
        assert_eq!(found, other.jobs_of_event(position).unwrap());
        let found = one.decision_by_command(&command).unwrap();
        assert_eq!(found, other.decision_by_command(&command).unwrap());
    }
}

fn compare_jobs(one: &dyn View, other: &dyn View, random: &mut Random) {
    for _ in 0..6 {
        let filter = JobFilter {
            handler: word(random, &HANDLERS),
            status: random.one_in(2).then(|| *random.of(&JobStatus::ALL)),
            stream: random.one_in(3).then(|| stream(random)),
        };
        for direction in DIRECTIONS {
            let found = jobs(one, &filter, direction);
            assert_eq!(found, jobs(other, &filter, direction), "{filter:?}");
        }
    }
    assert_eq!(one.job_counts().unwrap(), other.job_counts().unwrap());
    for handler in HANDLERS {
        let name = stream(random);
        let found = one.first_open_job(handler, &name).unwrap();
        assert_eq!(found, other.first_open_job(handler, &name).unwrap());
    }
    for id in 0..30 {
        assert_eq!(one.job(id).unwrap(), other.job(id).unwrap());
    }
}

/// Asks both stores for the same.
async fn step(history: &mut History, random: &mut Random, one: &LoggedStore, other: &LoggedStore) {
    if random.one_in(3) {
        let (changes, at) = (history.some_changes(random), random.time());
        let (own, theirs) = (
            one.change_jobs(changes.clone(), at).await,
            other.change_jobs(changes.clone(), at).await,
        );
        assert_eq!(own.unwrap(), theirs.unwrap());
        write::change_jobs(&mut history.memory, &changes, at)
            .unwrap()
            .0
            .unwrap();
        return;
    }
    let append = history.some_append(random);
    // Now and then again, which changes nothing.
    for _ in 0..=usize::from(random.one_in(5)) {
        let (own, theirs) = (
            one.append(append.clone()).await,
            other.append(append.clone()).await,
        );
        match (own, theirs) {
            (Ok(own), Ok(theirs)) => assert_eq!(own, theirs),
            (own, theirs) => assert_eq!(format!("{own:?}"), format!("{theirs:?}")),
        }
        drop(write::append(&mut history.memory, &append).unwrap());
    }
    if random.one_in(8) {
        let snapshot = Snapshot {
            stream: append.stream,
            revision: Revision(random.below(9) as u64),
            rules_hash: "r".to_owned(),
            state: vec![u8::try_from(random.below(250)).unwrap()],
        };
        one.save_snapshot(snapshot.clone()).await.unwrap();
        other.save_snapshot(snapshot).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_is_that_of_a_store_that_seals_nothing() {
    for seed in 0..5 {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut events = 1 + random.below(40) as u64;
        let mut one = open(directory.path(), events);
        let other = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
        let mut history = History::default();
        for n in 0..120 {
            step(&mut history, &mut random, &one, &other).await;
            if n % 10 == 9 {
                let (own, theirs) = (one.view().unwrap(), other.view().unwrap());
                compare(&*own, &*theirs, &mut random);
                let (name, at) = (stream(&mut random), Revision(random.below(9) as u64));
                let found = own.snapshot(&name, "r", at).unwrap();
                assert_eq!(found, theirs.snapshot(&name, "r", at).unwrap());
            }
            if random.one_in(25) {
                one.close().await.unwrap();
                drop(one);
                events = 1 + random.below(40) as u64;
                one = open(directory.path(), events);
            }
        }
        assert_eq!(history.memory.head().unwrap(), *one.head().borrow());
    }
}
