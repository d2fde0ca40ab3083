//! A tail says what a look at every record says: the model in memory before its first batch, with the tail laid over it, is
//! the model with all of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::Revision;

use super::streams::Growth;
use super::*;
use crate::store::Job;
use crate::store::frame::samples::{HANDLERS, History, Random, STREAMS, key};
use crate::store::write::memory::Memory;
use crate::store::write::{JobLookup, Lookup, Placed, WriteTxn};

/// A history that is sealed up to somewhere.
struct Case {
    sealed: Memory,
    whole: Memory,
    tail: Tail,
    /// The first batch of the tail.
    from: usize,
    history: History,
}

fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let history = History::new(&mut random, 240);
    let from = random.below(200);
    let mut sealed = Memory::default();
    for batch in &history.batches[..from] {
        sealed.apply(Arc::clone(batch)).unwrap();
    }
    let mut tail = Tail::new(sealed.head().unwrap());
    for batch in &history.batches[from..] {
        tail.apply(batch);
    }
    Case {
        sealed,
        whole: history.memory.clone(),
        tail,
        from,
        history,
    }
}

fn for_each_case(check: impl Fn(&Case)) {
    for seed in 0..30 {
        check(&case(seed));
    }
}

fn names() -> impl Iterator<Item = StreamName> {
    STREAMS.iter().map(|name| StreamName::new(*name).unwrap())
}

#[test]
fn events_and_decisions_are_found_by_place_and_by_id() {
    for_each_case(|case| {
        assert_eq!(case.tail.head(), case.whole.head().unwrap());
        assert_eq!(case.tail.base(), case.sealed.head().unwrap());
        let base = case.sealed.events.len();
        for (index, placed) in case.whole.events.iter().enumerate() {
            let expected = (index >= base).then_some(placed);
            let event = &placed.event;
            let found = case.tail.event(event.position).map(EventRef::placed);
            assert_eq!(found, expected);
            let found = case.tail.event_by_id(&event.event_id).map(EventRef::placed);
            assert_eq!(found, expected);
        }
        assert!(case.tail.event(case.tail.head().position.next()).is_none());
        assert!(case.tail.event(Position::ZERO).is_none());
        assert!(case.tail.event_by_id("none").is_none());
        let base = case.sealed.decisions.len();
        for (index, decision) in case.whole.decisions.iter().enumerate() {
            let expected = (index >= base).then_some(decision);
            assert_eq!(case.tail.decision(decision.sequence), expected);
            assert_eq!(
                case.tail.decision_by_command(&decision.command_id),
                expected
            );
        }
        for name in names() {
            let expected = case.whole.decisions[base..]
                .iter()
                .filter(|decision| decision.stream == name)
                .map(|decision| {
                    let rejected = matches!(decision.result, Outcome::Rejected { .. });
                    (decision.sequence, rejected)
                });
            assert!(case.tail.decisions_of(&name).eq(expected));
        }
    });
}

/// A stream's events behind the sealed ones.
fn behind<'a>(case: &'a Case, name: &'a StreamName) -> Vec<&'a Placed> {
    case.whole
        .stream_events(name)
        .skip(case.sealed.stream_events(name).count())
        .collect()
}

#[test]
fn streams_are_as_their_batches_left_them() {
    for_each_case(|case| {
        for name in names() {
            let events = behind(case, &name);
            let Some(stream) = case.tail.streams().get(&name) else {
                assert!(events.is_empty());
                assert_eq!(
                    case.sealed.streams.get(&name),
                    case.whole.streams.get(&name)
                );
                continue;
            };
            assert_eq!(Some(stream.info()), case.whole.streams.get(&name));
            let entries = events.iter().map(|p| (p.event.position, p.effective_at));
            assert!(stream.entries().eq(entries));
            let sealed = case.sealed.stream_events(&name).count() as u64;
            assert_eq!(stream.first(), Revision(sealed + 1));
            for revision in 0..sealed + events.len() as u64 + 2 {
                let index = revision
                    .checked_sub(sealed + 1)
                    .map(|at| usize::try_from(at).unwrap());
                let expected = index.and_then(|index| events.get(index));
                let expected = expected.map(|p| (p.event.position, p.effective_at));
                assert_eq!(stream.entry(Revision(revision)), expected);
                let (after, to) = (Revision(revision), Revision(revision + 3));
                let late = events
                    .iter()
                    .filter(|p| p.is_late() && p.event.revision > after && p.event.revision <= to)
                    .map(|p| (p.event.revision, p.event.recorded_at));
                assert!(stream.late(after, to).eq(late));
            }
            for placed in &case.whole.events {
                let (at, position) = (placed.effective_at, placed.event.position);
                let last = |fits: &dyn Fn(&Placed) -> bool| {
                    let fitting = events.iter().take_while(|p| fits(p));
                    fitting.last().map(|p| p.event.revision)
                };
                let found = stream.last_where(|(_, effective)| effective <= at);
                assert_eq!(found, last(&|p| p.effective_at <= at));
                let found = stream.last_where(|(own, _)| own <= position);
                assert_eq!(found, last(&|p| p.event.position <= position));
            }
        }
    });
}

#[test]
fn lists_of_streams_and_categories_are_whole() {
    for_each_case(|case| {
        let streams = case.tail.streams();
        let touched: Vec<_> = names().filter(|name| streams.get(name).is_some()).collect();
        let mut sorted = touched.clone();
        sorted.sort();
        let listed = |from: Bound<&StreamName>| -> Vec<StreamName> {
            let list = streams.by_name(from);
            list.map(|stream| stream.info().stream.clone()).collect()
        };
        assert_eq!(listed(Bound::Unbounded), sorted);
        for (index, name) in sorted.iter().enumerate() {
            assert_eq!(listed(Bound::Excluded(name)), sorted[index + 1..]);
        }
        let mut by_last: Vec<_> = touched
            .iter()
            .filter_map(|name| behind(case, name).last().map(|p| (p.event.position, name)))
            .collect();
        by_last.sort();
        let found = streams
            .by_last()
            .map(|(at, stream)| (at, &stream.info().stream));
        assert!(found.eq(by_last));
        let mut growths: BTreeMap<&str, Growth> = BTreeMap::new();
        let grown: Vec<_> = names().collect();
        for name in &grown {
            let events = behind(case, name).len() as u64;
            if events > 0 {
                let growth = growths.entry(name.category()).or_default();
                growth.events += events;
                growth.streams += u64::from(case.sealed.stream_events(name).count() == 0);
            }
        }
        assert!(
            streams
                .categories()
                .eq(growths.iter().map(|(name, growth)| (*name, *growth)))
        );
        let new = growths.values().map(|growth| growth.streams).sum::<u64>();
        assert_eq!(streams.new_streams(), new);
    });
}

#[test]
fn holds_take_the_place_of_those_that_began_where_they_did() {
    for_each_case(|case| {
        let mut random = Random::new(1);
        for _ in 0..12 {
            let key = key(&mut random);
            for category in ["user", "order", "alone", "ord"] {
                let place = (category.to_owned(), key.clone());
                let of = |memory: &Memory| memory.holds.get(&place).cloned().unwrap_or_default();
                let mut merged: BTreeMap<_, _> = of(&case.sealed)
                    .into_iter()
                    .map(|hold| (hold.since, hold))
                    .collect();
                let own = case.tail.holds(category, &key);
                merged.extend(own.map(|hold| (hold.since, hold.clone())));
                assert!(merged.into_values().eq(of(&case.whole)));
            }
        }
    });
}

#[test]
fn jobs_take_the_place_of_those_of_their_ids() {
    for_each_case(|case| {
        let jobs = case.tail.jobs();
        let mut merged = case.sealed.jobs.clone();
        for id in 0..=case.whole.last_job().unwrap() {
            match jobs.get(id) {
                None => {}
                Some(JobState::Is(job)) => drop(merged.insert(id, job.clone())),
                Some(JobState::Pruned) => drop(merged.remove(&id)),
            }
        }
        assert_eq!(merged, case.whole.jobs);
        let last = jobs.last().unwrap_or(case.sealed.last_job().unwrap());
        assert_eq!(last, case.whole.last_job().unwrap());
        let own = |fits: &dyn Fn(&Job) -> bool, (low, high): (u64, u64)| -> Vec<u64> {
            let own = case.whole.jobs.values().filter(|job| {
                matches!(jobs.get(job.id), Some(JobState::Is(_)))
                    && (low..=high).contains(&job.id)
                    && fits(job)
            });
            own.map(|job| job.id).collect()
        };
        for range in [(0, u64::MAX), (5, 40)] {
            assert!(jobs.ids(range.0, range.1).eq(own(&|_| true, range)));
            for name in names() {
                let expected = own(&|job| job.stream == name, range);
                assert!(jobs.of_stream(&name, range).eq(expected));
            }
            for (handler, status) in HANDLERS
                .iter()
                .flat_map(|h| JobStatus::ALL.map(|s| (*h, s)))
            {
                let expected = own(&|job| job.handler == handler && job.status == status, range);
                assert!(jobs.of_status(handler, status, range).eq(expected));
            }
        }
        for (handler, name) in HANDLERS.iter().flat_map(|h| names().map(move |n| (*h, n))) {
            let open = |job: &Job| job.handler == handler && job.stream == name && job.is_open();
            let expected = own(&open, (0, u64::MAX)).first().copied();
            assert_eq!(jobs.first_open(handler, &name), expected);
        }
    });
}

#[test]
fn counts_of_jobs_come_on_top() {
    for_each_case(|case| {
        let jobs = case.tail.jobs();
        let count = |memory: &Memory, handler: &str, status| {
            let own = memory.jobs.values();
            let own = own.filter(|job| job.handler == handler && job.status == status);
            i64::try_from(own.count()).unwrap()
        };
        for handler in HANDLERS {
            let growth = jobs.growth_of(handler);
            let more =
                |status| count(&case.whole, handler, status) - count(&case.sealed, handler, status);
            assert_eq!(growth.pending, more(JobStatus::Pending));
            assert_eq!(growth.processing, more(JobStatus::Processing));
            assert_eq!(growth.failed, more(JobStatus::Failed));
            assert_eq!(growth.completed - growth.pruned, more(JobStatus::Completed));
            for position in 1..=case.tail.head().position.0 {
                let position = Position(position);
                let expected = case.whole.has_open_job(position, handler).unwrap();
                let sealed = case.sealed.has_open_job(position, handler).unwrap();
                assert_eq!(jobs.has_open(position, handler).unwrap_or(sealed), expected);
            }
        }
        assert!(jobs.growths().count() <= HANDLERS.len());
    });
}

#[test]
fn a_copy_stays_as_it_is_while_the_log_grows() {
    for_each_case(|case| {
        let (early, late) = case.history.batches[case.from..].split_at(20);
        let mut tail = Tail::new(case.tail.base());
        for batch in early {
            tail.apply(batch);
        }
        let copy = tail.clone();
        let events: Vec<_> = copy
            .events
            .iter()
            .map(|event| event.placed().clone())
            .collect();
        for batch in late {
            tail.apply(batch);
        }
        assert_eq!(tail.head(), case.tail.head());
        assert!(copy.events.iter().map(EventRef::placed).eq(&events));
        assert_eq!(copy.batches().len(), 20);
        assert!(copy.bytes() < tail.bytes());
    });
}

#[test]
fn without_what_is_sealed_it_is_what_it_would_be_behind_that() {
    for_each_case(|case| {
        let cut = 25;
        let rest = case.tail.without_first(cut);
        let mut sealed = case.sealed.clone();
        for batch in &case.history.batches[case.from..case.from + cut] {
            sealed.apply(Arc::clone(batch)).unwrap();
        }
        assert_eq!(rest.base(), sealed.head().unwrap());
        assert_eq!(rest.head(), case.tail.head());
        for name in names() {
            let count = rest
                .streams()
                .get(&name)
                .map_or(0, |stream| stream.entries().count());
            assert_eq!(
                count,
                case.whole.stream_events(&name).count() - sealed.stream_events(&name).count()
            );
        }
        assert_eq!(
            case.tail.without_first(0).batches().len(),
            case.tail.batches().len()
        );
        let none = case.tail.without_first(case.tail.batches().len());
        assert_eq!(
            (none.base(), none.head()),
            (case.tail.head(), case.tail.head())
        );
        assert_eq!(none.bytes(), 0);
    });
}
