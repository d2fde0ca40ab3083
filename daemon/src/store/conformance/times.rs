//! Time: `recorded_at`, effective times, and what was recorded as of a moment, against a naive model.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::store::LateRange;

/// An append of one fact, with a time of its own or at the daemon's.
fn timed(stream: &str, event_id: &str, given: Option<i64>, now: i64) -> Append {
    let mut append = facts(stream, &[event_id]);
    append.events[0].recorded_at = given.map(at);
    append.now = at(now);
    append
}

pub(super) async fn every_event_keeps_the_time_that_its_clock_said(store: &Arc<dyn Store>) {
    // (given, the daemon's clock, expected recorded_at)
    let cases = [
        (None, 100, 100),
        (None, 90, 90),
        (Some(150), 95, 150),
        (None, 120, 120),
        (Some(110), 120, 110),
        (None, 130, 130),
        (None, 160, 160),
    ];
    for (n, (given, now, expected)) in cases.into_iter().enumerate() {
        let appended = ok(store, timed("a-1", &n.to_string(), given, now)).await;
        assert_eq!(appended.events[0].recorded_at, at(expected), "event {n}");
    }
    let info = view(store).stream(&name("a-1")).unwrap().unwrap();
    assert_eq!(info.clock_back_at, Some(Revision(2)));
    assert_eq!((info.first_at, info.last_at), (at(100), at(160)));
    // Within one append the same holds; another stream has a clock of its own.
    let mut mixed = facts("a-2", &["x", "y", "z"]);
    mixed.now = at(10);
    mixed.events[1].recorded_at = Some(at(30));
    let times: Vec<_> = ok(store, mixed)
        .await
        .events
        .iter()
        .map(|event| event.recorded_at)
        .collect();
    assert_eq!(times, [at(10), at(30), at(10)]);
    let info = view(store).stream(&name("a-2")).unwrap().unwrap();
    assert_eq!(info.clock_back_at, Some(Revision(3)));
    let read_view = view(store);
    let late = |after, to, by: Option<i64>, limit, budget| {
        let (after, to) = (Revision(after), Revision(to));
        let range = LateRange {
            after,
            to,
            recorded_by: by.map(at),
        };
        let found = read_view.late_events(&name("a-1"), range, limit, budget);
        let found = found.unwrap();
        let revisions: Vec<_> = found.revisions.iter().map(|r| r.0).collect();
        (revisions, found.count, found.unseen_from.map(|r| r.0))
    };
    assert_eq!(late(0, 7, None, 9, 9), (vec![2, 4, 5, 6], 4, None));
    assert_eq!(late(2, 6, Some(120), 1, 9), (vec![4], 2, None));
    assert_eq!(late(1, 7, None, 9, 2), (vec![2, 4], 2, Some(5)));
    assert_eq!(late(7, 7, None, 9, 9), (vec![], 0, None));
}

pub(super) async fn a_moment_is_resolved_to_the_last_revision_not_after_it(store: &Arc<dyn Store>) {
    for (n, given) in [100, 200, 200, 150, 300].into_iter().enumerate() {
        ok(store, timed("a-1", &n.to_string(), Some(given), 0)).await;
    }
    let read_view = view(store);
    let cases = [
        (Timestamp::MIN, 0),
        (at(99), 0),
        (at(100), 1),
        (at(149), 1),
        (at(150), 1),
        (at(199), 1),
        (at(200), 4),
        (at(299), 4),
        (at(300), 5),
        (Timestamp::MAX, 5),
    ];
    for (moment, expected) in cases {
        let resolved = read_view.revision_as_of(&name("a-1"), moment).unwrap();
        assert_eq!(resolved, Some(Revision(expected)), "{moment}");
    }
    let effective = [
        None,
        Some(100),
        Some(200),
        Some(200),
        Some(200),
        Some(300),
        None,
    ];
    for (revision, expected) in (0..).map(Revision).zip(effective) {
        let found = read_view.effective_at(&name("a-1"), revision).unwrap();
        assert_eq!(found, expected.map(at), "{revision}");
    }
    let none = name("a-2");
    assert_eq!(read_view.revision_as_of(&none, at(100)).unwrap(), None);
    assert_eq!(read_view.effective_at(&none, Revision(1)).unwrap(), None);
}

pub(super) async fn any_clock_is_resolved_as_a_naive_reader_would(store: &Arc<dyn Store>) {
    let clocks = prop::collection::vec((prop::option::of(0i64..30), 0i64..30), 1..25);
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    for round in 0..60 {
        let clock = clocks.new_tree(&mut runner).unwrap().current();
        let stream = format!("a-{round}");
        let appends: Vec<_> = clock
            .iter()
            .enumerate()
            .map(|(n, (given, now))| {
                store.append(timed(&stream, &format!("{round}/{n}"), *given, *now))
            })
            .collect();
        for append in appends {
            append.await.unwrap();
        }
        let read_view = view(store);
        let events = read_view
            .stream_events(&name(&stream), Revision(1), Direction::Forward, usize::MAX)
            .unwrap();
        // The naive reading of the promise: the running maximum, and the last one that is not after the moment.
        let (mut effective, mut back) = (Vec::<i64>::new(), None);
        for (event, (given, now)) in events.iter().zip(&clock) {
            let before = effective.last().copied().unwrap_or(i64::MIN);
            let recorded = given.unwrap_or(*now);
            assert_eq!(event.recorded_at, at(recorded), "{clock:?}");
            if recorded < before && back.is_none() {
                back = Some(event.revision);
            }
            effective.push(recorded.max(before));
        }
        assert_eq!(effective.len(), clock.len());
        let info = read_view.stream(&name(&stream)).unwrap().unwrap();
        assert_eq!(info.clock_back_at, back, "{clock:?}");
        assert_eq!(info.last_at, at(*effective.last().unwrap()));
        for moment in -1..=30 {
            let naive = effective.iter().filter(|e| **e <= moment).count() as u64;
            let resolved = read_view
                .revision_as_of(&name(&stream), at(moment))
                .unwrap();
            assert_eq!(resolved, Some(Revision(naive)), "{moment} in {clock:?}");
        }
        assert_late(&*read_view, &events, &effective);
        for position in 0..=read_view.head().position.0 + 1 {
            let naive = events.iter().filter(|e| e.position.0 <= position).count() as u64;
            let found = read_view.revision_at(&name(&stream), Position(position));
            assert_eq!(found.unwrap(), Some(Revision(naive)), "{position}");
        }
        assert_density(&*read_view, Some(&stream), &effective);
    }
    let recorded: Vec<_> = all(&*view(store))
        .iter()
        .map(|event| event.recorded_at.as_micros())
        .collect();
    assert_density(&*view(store), None, &recorded);
}

/// What an *as of* leaves out though it was recorded by then, by index and by hand.
fn assert_late(view: &dyn View, events: &[Event], effective: &[i64]) {
    let Some(last) = events.last() else { return };
    for moment in -1..=30 {
        let after = effective.iter().filter(|e| **e <= moment).count() as u64;
        let naive: Vec<_> = events
            .iter()
            .filter(|event| event.revision.0 > after && event.recorded_at <= at(moment))
            .map(|event| event.revision)
            .collect();
        let range = LateRange {
            after: Revision(after),
            to: last.revision,
            recorded_by: Some(at(moment)),
        };
        let found = view.late_events(&last.stream, range, 3, u64::MAX).unwrap();
        assert_eq!(found.count, naive.len() as u64, "{moment}");
        assert!(found.revisions.iter().eq(naive.iter().take(3)), "{moment}");
    }
}

/// Every moment is in one bucket, and in the right one.
fn assert_density(view: &dyn View, stream: Option<&str>, moments: &[i64]) {
    let stream = stream.map(name);
    for buckets in [1, 2, 7, 100] {
        let density = view.density(stream.as_ref(), buckets).unwrap();
        let (first, last) = (moments.iter().min().unwrap(), moments.iter().max().unwrap());
        assert_eq!((density.first, density.last), (at(*first), at(*last)));
        let width = i64::try_from(buckets).unwrap();
        let mut counts = vec![0; buckets];
        for moment in moments {
            let bucket = (moment - first) * width / (last - first + 1);
            counts[usize::try_from(bucket).unwrap()] += 1;
        }
        assert_eq!(density.counts, counts, "{moments:?}");
    }
}

pub(super) async fn density_spans_days_and_counts_every_event(store: &Arc<dyn Store>) {
    const HOUR: i64 = 3_600_000_000;
    let empty = view(store).density(None, 4).unwrap();
    assert_eq!(empty.counts, [0; 4]);
    let moments = [5, -30, 100, 99, 24, 0, -1, 23, 47, 48].map(|hour| hour * HOUR);
    for (n, moment) in moments.into_iter().enumerate() {
        let stream = format!("a-{}", n % 2);
        ok(store, timed(&stream, &n.to_string(), Some(moment), 0)).await;
    }
    let read_view = view(store);
    assert_density(&*read_view, None, &moments);
    let none = read_view.density(Some(&name("a-9")), 3).unwrap();
    assert_eq!(none.counts, [0; 3]);
    // The ends of what a time may be.
    ok(store, timed("b-1", "min", Some(i64::MIN), 0)).await;
    ok(store, timed("b-1", "max", Some(i64::MAX), 0)).await;
    let widest = view(store).density(Some(&name("b-1")), 10).unwrap();
    assert_eq!(
        (widest.first, widest.last),
        (Timestamp::MIN, Timestamp::MAX)
    );
    assert_eq!(widest.counts, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let total: u64 = view(store).density(None, 10).unwrap().counts.iter().sum();
    assert_eq!(total, 12);
}
