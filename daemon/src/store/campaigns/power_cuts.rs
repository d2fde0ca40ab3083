//! What was acknowledged is there after the power went, at any moment, and nothing else is.
//!
//! Full campaign: `WHODUNIT_CUTS=20000 cargo test --release -p whodunit-daemon --lib power_cuts -- --nocapture`, or a million.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;

use super::work::{HANDLER, STREAMS, Work, snapshot, stream};
use super::{cases, close, open, wait};
use crate::store::disk::simulated::{Faults, Random, SimulatedDisk};
use crate::store::engine::LoggedStore;
use crate::store::{
    Append, AppendError, AppendResult, DecisionFilter, Direction, Job, JobChange, LogFilter, Store,
    StoreError, View,
};

/// Appends between two cuts at most.
const APPENDS: u64 = 40;
/// Operations on the disk before the power goes, at most: some cuts come while the store is opened, most under load.
const OPERATIONS: u64 = 400;

/// What was acknowledged, in order, and what was asked for last without an answer.
#[derive(Default, Clone)]
struct Ledger {
    events: Vec<Event>,
    decisions: u64,
    /// Jobs that were completed.
    completed: Vec<u64>,
    /// What was asked for since, without an answer. Of these one at most may be there: each that fails makes the one before void.
    unanswered: Vec<Append>,
}

impl Ledger {
    fn acknowledge(&mut self, appended: &AppendResult) {
        self.events.extend(appended.events.iter().cloned());
        self.decisions += u64::from(appended.decision.is_some());
        self.unanswered.clear();
    }
}

/// Works until the power goes, or long enough. A write that fails on the way is tried no second time.
fn work(store: &LoggedStore, work: &mut Work, ledger: &mut Ledger, random: &mut Random) {
    for _ in 0..APPENDS {
        let append = work.next();
        ledger.unanswered.push(append.clone());
        match wait(store.append(append)) {
            Ok(appended) => {
                work.note(&appended);
                ledger.acknowledge(&appended);
            }
            Err(AppendError::KeyTaken { .. }) => drop(ledger.unanswered.pop()),
            Err(AppendError::Store(StoreError::ReadOnly(_))) => return,
            Err(_the_disk_failed_or_the_power_is_off) => continue,
        }
        if random.below(3) == 0 {
            complete_a_job(store, ledger, random);
        }
        if random.below(6) == 0 {
            let snapshot = snapshot(random, 1 + ledger.events.len() as u64);
            drop(wait(store.save_snapshot(snapshot)));
        }
    }
}

/// Begins the first open job of a stream, and completes it.
fn complete_a_job(store: &LoggedStore, ledger: &mut Ledger, random: &mut Random) {
    let name = stream(random.below(STREAMS));
    let first = store
        .view()
        .and_then(|view| view.first_open_job(HANDLER, &name));
    let Ok(Some(Job { id, .. })) = first else {
        return;
    };
    let at = Timestamp::from_micros(1);
    let change =
        |change| matches!(wait(store.change_jobs(vec![change], at)), Ok(jobs) if jobs[0].is_some());
    if change(JobChange::Begin { id }) && change(JobChange::Complete { id }) {
        ledger.completed.push(id);
        // It is in a frame behind them, which makes them void.
        ledger.unanswered.clear();
    }
}

/// Whether the log is what was acknowledged, and perhaps what was not answered, as a whole. The ledger goes on from there.
fn check(store: &LoggedStore, ledger: &mut Ledger) {
    let view = store.view().unwrap();
    let all = usize::MAX;
    let log = view
        .log(
            &LogFilter::default(),
            None,
            Direction::Forward,
            all,
            u64::MAX,
        )
        .unwrap()
        .events;
    let decisions = view
        .decisions(&DecisionFilter::default(), None, Direction::Forward, all)
        .unwrap()
        .decisions;
    assert!(
        log.len() >= ledger.events.len(),
        "acknowledged events are lost"
    );
    let (acknowledged, more) = log.split_at(ledger.events.len());
    assert_eq!(
        acknowledged, ledger.events,
        "acknowledged events have changed"
    );
    let more_decisions = decisions.len() as u64 - ledger.decisions;
    if !more.is_empty() || more_decisions > 0 {
        // Another stream may hold a key that it would take: then it is recorded as rejected.
        let rejected = decisions
            .last()
            .is_some_and(|last| matches!(last.result, Outcome::Rejected { .. }));
        let found: Vec<_> = more.iter().map(|event| Some(&event.event_id)).collect();
        let is_this = |append: &Append| {
            let asked = append.events.iter().map(|event| event.event_id.as_ref());
            let asked = asked.filter(|_| more_decisions == 0 || !rejected);
            asked.eq(found.iter().copied())
                && more_decisions == u64::from(append.decision.is_some())
        };
        assert!(
            ledger.unanswered.iter().any(is_this),
            "invented, or a part of one: {found:?}"
        );
    }
    for id in &ledger.completed {
        let status = view.job(*id).unwrap().map(|job| job.status);
        assert_eq!(status, Some(JobStatus::Completed), "job {id}");
    }
    agrees(view.as_ref(), &log, &decisions);
    ledger.events = log;
    ledger.decisions = decisions.len() as u64;
    ledger.unanswered.clear();
}

/// Whether positions, revisions and decisions are dense, and the indexes agree with the log.
fn agrees(view: &dyn View, log: &[Event], decisions: &[Decision]) {
    let all = usize::MAX;
    let mut streams: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for (position, event) in (1..).zip(log) {
        assert_eq!(event.position.0, position, "positions are dense");
        let events = streams.entry(&event.stream).or_default();
        events.push(event);
        assert_eq!(event.revision.0, events.len() as u64, "revisions are dense");
    }
    for (sequence, decision) in (1..).zip(decisions) {
        assert_eq!(decision.sequence, sequence, "decisions are dense");
    }
    for (stream, events) in &streams {
        let index = view
            .stream_events(stream, Revision(1), Direction::Forward, all)
            .unwrap();
        assert_eq!(
            index.iter().collect::<Vec<_>>(),
            *events,
            "the index agrees"
        );
    }
    for event in log.iter().rev().take(3) {
        assert_eq!(
            view.event_by_id(&event.event_id).unwrap().as_ref(),
            Some(event)
        );
    }
    let categories = view.categories().unwrap();
    let counted: u64 = categories.iter().map(|category| category.events).sum();
    assert_eq!(counted, log.len() as u64);
}

/// A store whose power goes several times; how many cuts that were.
fn life(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut works = Work::new(seed, 600);
    let (mut disk, mut ledger) = (SimulatedDisk::default(), Ledger::default());
    let cuts = 1 + random.below(4);
    for _ in 0..cuts {
        // Now and then an operation fails before the power goes.
        let fails = (random.below(3) == 0).then(|| random.below(OPERATIONS));
        disk.set_faults(Faults {
            power_for: Some(random.below(OPERATIONS)),
            fails_after: fails,
            ..Faults::default()
        });
        let opened = match open(&disk) {
            Err(_the_disk_failed) if fails.is_some() && !disk.is_dead() => open(&disk),
            opened => opened,
        };
        match opened {
            Ok(store) => {
                check(&store, &mut ledger);
                work(&store, &mut works, &mut ledger, &mut random);
            }
            Err(error) => assert!(disk.is_dead(), "it was opened with the power on: {error}"),
        }
        disk = if random.below(5) == 0 {
            disk.killed()
        } else {
            disk.cut(&mut random)
        };
    }
    check(&open(&disk).unwrap(), &mut ledger);
    cuts
}

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut() {
    let (mut seed, mut cuts) = (0, 0);
    let wanted = cases("WHODUNIT_CUTS", 250);
    while cuts < wanted {
        seed += 1;
        let lived = catch_unwind(AssertUnwindSafe(|| life(seed)));
        cuts += lived.unwrap_or_else(|_| panic!("seed {seed}: see above"));
    }
    println!("{cuts} cuts, {seed} stores: nothing acknowledged was lost, nothing was invented");
}

/// What is found after the power went on a disk that lies about syncing the log.
#[derive(Debug, Default)]
struct Lies {
    nothing_lost: u64,
    caught: u64,
}

#[test]
fn a_disk_that_lies_about_syncing_is_caught() {
    let mut found = Lies::default();
    for seed in 1..=cases("WHODUNIT_LIES", 40) {
        let lies_about = ["events.redb", "/log/"][usize::from(seed % 2 == 0)];
        let (disk, mut ledger) = (SimulatedDisk::default(), Ledger::default());
        let mut works = Work::new(seed, 600);
        close(&open(&disk).unwrap());
        let store = open(&disk).unwrap();
        disk.set_faults(Faults {
            lies_about: Some(lies_about),
            ..Faults::default()
        });
        work(&store, &mut works, &mut ledger, &mut Random::new(seed));
        // The head is synced with it, on a disk that does not lie.
        close(&store);
        match open(&disk.cut(&mut Random::new(seed))) {
            Ok(store) => {
                check(&store, &mut ledger);
                found.nothing_lost += 1;
            }
            Err(StoreError::Behind {
                found: end,
                acknowledged,
                ..
            }) => {
                assert_eq!(acknowledged, ledger.events.len() as u64, "seed {seed}");
                assert!(end <= acknowledged, "seed {seed}");
                found.caught += 1;
            }
            Err(StoreError::Damaged { .. } | StoreError::UnknownFormat { .. }) => found.caught += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(found.caught > 10, "the lies had no effect: {found:?}");
    println!("{found:?}");
}
