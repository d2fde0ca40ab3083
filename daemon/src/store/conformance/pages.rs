//! Pages of the log: any filter, in any direction, through any limits, finds what looking at every event would find.

use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::store::StoreError;

/// All pages of the log, each of which must keep to its limit and budget.
fn paged(
    view: &dyn View,
    filter: &LogFilter,
    from: Option<Position>,
    direction: Direction,
    limit: usize,
    budget: u64,
) -> Vec<Event> {
    let (mut out, mut next) = (Vec::new(), from);
    for _ in 0..10_000 {
        let page = view.log(filter, next, direction, limit, budget).unwrap();
        assert!(page.events.len() <= limit && page.scanned <= budget);
        out.extend(page.events);
        match page.next {
            Some(position) => next = Some(position),
            None => return out,
        }
    }
    panic!("the log by {filter:?} never ends");
}

/// The promise of [`LogFilter`], read word by word.
fn wanted(filter: &LogFilter, event: &Event) -> bool {
    let is = |wanted: &Option<String>, actual: Option<&str>| {
        wanted.as_deref().is_none_or(|w| Some(w) == actual)
    };
    is(&filter.category, Some(event.stream.category()))
        && is(&filter.event_type, Some(&event.event_type))
        && is(&filter.actor, event.actor.as_deref())
        && is(&filter.correlation_id, event.correlation_id.as_deref())
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at <= until)
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

const CATEGORIES: &[&str] = &["user", "users", "order"];
const TYPES: &[&str] = &["Made", "Changed", "Gone"];
const ACTORS: &[&str] = &["eve", "eve2", "job:Clean-Up"];
const CORRELATIONS: &[&str] = &["c1", "c2"];

/// Moments in a few days around 1970, so that they meet on both sides of midnight and of zero.
fn moment() -> impl Strategy<Value = i64> {
    (
        -3i64..4,
        prop::sample::select(vec![-1i64, 0, 1, 43_200_000_000]),
    )
        .prop_map(|(day, offset)| day * 86_400_000_000 + offset)
}

fn event() -> impl Strategy<Value = (String, NewEvent)> {
    (
        (word(CATEGORIES), 0..3),
        word(TYPES),
        prop::option::of(word(ACTORS)),
        prop::option::of(word(CORRELATIONS)),
        moment(),
    )
        .prop_map(
            |((category, n), event_type, actor, correlation_id, at_micros)| {
                let mut event = NewEvent::new(event_type, json!({ "n": n }));
                event.actor = actor;
                event.correlation_id = correlation_id;
                event.recorded_at = Some(at(at_micros));
                (format!("{category}-{n}"), event)
            },
        )
}

fn filter() -> impl Strategy<Value = LogFilter> {
    (
        prop::option::weighted(0.3, word(&["user", "users", "order", "use"])),
        prop::option::weighted(0.3, word(TYPES)),
        prop::option::weighted(0.3, word(&["eve", "eve2", "ev", "job:Clean-Up"])),
        prop::option::weighted(0.3, word(CORRELATIONS)),
        prop::option::weighted(0.4, moment()),
        prop::option::weighted(0.4, moment()),
    )
        .prop_map(
            |(category, event_type, actor, correlation_id, since, until)| LogFilter {
                category,
                event_type,
                actor,
                correlation_id,
                since: since.map(at),
                until: until.map(at),
                words: Vec::new(),
            },
        )
}

async fn fill(store: &Arc<dyn Store>, events: Vec<(String, NewEvent)>) {
    let appends: Vec<_> = events
        .into_iter()
        .enumerate()
        .map(|(n, (stream, mut event))| {
            event.event_id = Some(format!("id/{n}"));
            let any = ExpectedRevision::Any;
            store.append(Append::facts(name(&stream), any, vec![event], at(0)))
        })
        .collect();
    for append in appends {
        append.await.unwrap();
    }
}

pub(super) async fn any_filter_finds_what_looking_at_every_event_finds(store: &Arc<dyn Store>) {
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    let events = prop::collection::vec(event(), 120);
    fill(store, events.new_tree(&mut runner).unwrap().current()).await;
    let read_view = view(store);
    let log = all(&*read_view);
    assert_eq!(log.len(), 120);
    let case = (
        filter(),
        prop::option::of(0u64..130),
        prop::sample::select(vec![(1, 1), (2, 50), (50, 3), (7, 7), (1000, 1000)]),
    );
    let mut nonempty = 0;
    for _ in 0..400 {
        let (filter, from, (limit, budget)) = case.new_tree(&mut runner).unwrap().current();
        for direction in [Direction::Forward, Direction::Backward] {
            let inside = |event: &&Event| match direction {
                Direction::Forward => from.is_none_or(|from| event.position.0 >= from),
                Direction::Backward => from.is_none_or(|from| event.position.0 <= from),
            };
            let mut expected: Vec<_> = log
                .iter()
                .filter(inside)
                .filter(|event| wanted(&filter, event))
                .cloned()
                .collect();
            if direction == Direction::Backward {
                expected.reverse();
            }
            nonempty += usize::from(!expected.is_empty());
            let found = paged(
                &*read_view,
                &filter,
                from.map(Position),
                direction,
                limit,
                budget,
            );
            assert_eq!(
                found, expected,
                "{filter:?} from {from:?} {direction:?} by {limit} within {budget}"
            );
        }
    }
    assert!(nonempty > 150, "only {nonempty} cases had anything to find");
}

pub(super) async fn each_filter_alone_finds_its_events(store: &Arc<dyn Store>) {
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    let events = prop::collection::vec(event(), 80);
    fill(store, events.new_tree(&mut runner).unwrap().current()).await;
    let read_view = view(store);
    let log = all(&*read_view);
    let none = LogFilter::default();
    let text = |word: &str| Some(word.to_owned());
    let filters = [
        LogFilter {
            category: text("user"),
            ..none.clone()
        },
        LogFilter {
            event_type: text("Gone"),
            ..none.clone()
        },
        LogFilter {
            actor: text("eve"),
            ..none.clone()
        },
        LogFilter {
            correlation_id: text("c2"),
            ..none.clone()
        },
        LogFilter {
            since: Some(at(0)),
            ..none.clone()
        },
        LogFilter {
            until: Some(at(-1)),
            ..none.clone()
        },
        LogFilter {
            since: Some(at(-1)),
            until: Some(at(1)),
            ..none.clone()
        },
    ];
    for filter in filters {
        let expected: Vec<_> = log.iter().filter(|e| wanted(&filter, e)).cloned().collect();
        assert!(
            !expected.is_empty() && expected.len() < log.len(),
            "{filter:?} tells nothing apart"
        );
        let found = paged(&*read_view, &filter, None, Direction::Forward, 3, 5);
        assert_eq!(found, expected, "{filter:?}");
    }
    // A range that ends before it begins holds nothing.
    let nothing = LogFilter {
        since: Some(at(1)),
        until: Some(at(0)),
        ..none
    };
    assert!(paged(&*read_view, &nothing, None, Direction::Forward, 9, 9).is_empty());
}

pub(super) async fn a_time_range_over_many_days_is_whole(store: &Arc<dyn Store>) {
    // More days than an index of days may care to merge, and not in the order of time.
    let days = 500i64;
    let events = (0..days)
        .map(|n| {
            let mut event = NewEvent::new("Made", json!({}));
            event.recorded_at = Some(at((n * 7 % days) * 86_400_000_000));
            ("a-1".to_owned(), event)
        })
        .collect();
    fill(store, events).await;
    let read_view = view(store);
    let log = all(&*read_view);
    for (since, until) in [(0, 499), (10, 300), (100, 110), (0, 0), (450, 10_000)] {
        let filter = LogFilter {
            since: Some(at(since * 86_400_000_000)),
            until: Some(at(until * 86_400_000_000)),
            ..LogFilter::default()
        };
        for direction in [Direction::Forward, Direction::Backward] {
            let mut expected: Vec<_> = log.iter().filter(|e| wanted(&filter, e)).cloned().collect();
            if direction == Direction::Backward {
                expected.reverse();
            }
            let found = paged(&*read_view, &filter, None, direction, 64, 200);
            assert_eq!(found, expected, "days {since} to {until} {direction:?}");
        }
    }
}

pub(super) async fn the_whole_log_is_walked_from_anywhere(store: &Arc<dyn Store>) {
    for n in 0..40 {
        let stream = format!("s-{}", n % 7);
        ok(store, facts(&stream, &[&format!("e{n}")])).await;
    }
    let view = view(store);
    let whole = all(&*view);
    for from in [0, 1, 2, 17, 39, 40, 41, u64::MAX] {
        for limit in [1, 3, 100] {
            let mut found = Vec::new();
            view.walk_log(Position(from), &mut |event| {
                found.push(event.to_event());
                Ok(if found.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })
            .unwrap();
            let expected = whole.iter().filter(|event| event.position.0 >= from);
            let expected: Vec<_> = expected.take(limit).cloned().collect();
            assert_eq!(found, expected, "{limit} from {from}");
        }
    }
    let failed = view.walk_log(Position(1), &mut |_| Err(StoreError::Closed));
    assert!(matches!(failed, Err(StoreError::Closed)));
}
