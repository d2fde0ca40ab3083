//! Filters against the plain meaning of the words: every event of the log, looked at one by one.

use proptest::prelude::*;
use serde_json::json;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};

use super::testing::wait;
use super::*;
use crate::store::{Direction, LogFilter, LogPage};

const DAY: i64 = 86_400_000_000;

/// What an event of these tests varies in: category, type, actor, correlation and time, each of few values.
type Sketch = (u8, u8, Option<u8>, Option<u8>, i64);

fn sketch() -> impl Strategy<Value = Sketch> {
    // Times in steps of a quarter of a day, so that bounds fall on them, between them and on the edge of a day.
    let time = (-8i64..40).prop_map(|quarter| quarter * (DAY / 4));
    (
        0..3u8,
        0..4u8,
        prop::option::of(0..3u8),
        prop::option::of(0..3u8),
        time,
    )
}

fn filter() -> impl Strategy<Value = LogFilter> {
    let word = |name: &'static str, values: u8| {
        prop::option::of((0..=values).prop_map(move |n| format!("{name}{n}")))
    };
    let time = || prop::option::of((-9i64..42).prop_map(|q| Timestamp::from_micros(q * (DAY / 4))));
    let words = (
        word("category", 3),
        word("Type", 4),
        word("actor", 3),
        word("work", 3),
    );
    (words, time(), time()).prop_map(
        |((category, event_type, actor, correlation_id), since, until)| LogFilter {
            category,
            event_type,
            actor,
            correlation_id,
            since,
            until,
            words: Vec::new(),
        },
    )
}

/// A store with these events, which seals after so many.
fn store_of(sketches: &[Sketch], sealed_after: u64) -> LoggedStore {
    let disk = MemoryDisk::default();
    let store = testing::open(&disk, NewStore::WhereNothingIsLeft, sealed_after).unwrap();
    let mut appends = Vec::new();
    for (n, &(category, event_type, actor, correlation, at)) in sketches.iter().enumerate() {
        let mut event = NewEvent::new(format!("Type{event_type}"), json!({ "n": n }));
        event.event_id = Some(format!("event {n}"));
        event.recorded_at = Some(Timestamp::from_micros(at));
        event.actor = actor.map(|n| format!("actor{n}"));
        event.correlation_id = correlation.map(|n| format!("work{n}"));
        let stream = StreamName::new(format!("category{category}-{}", n % 5)).unwrap();
        appends.push(store.append(Append::facts(
            stream,
            ExpectedRevision::Any,
            vec![event],
            Timestamp::MIN,
        )));
    }
    for append in appends {
        wait(append).unwrap();
    }
    store
}

fn page(
    store: &LoggedStore,
    filter: &LogFilter,
    from: Option<Position>,
    direction: Direction,
    (limit, budget): (usize, u64),
) -> LogPage {
    let view = store.view().unwrap();
    view.log(filter, from, direction, limit, budget).unwrap()
}

fn whole_log(store: &LoggedStore) -> Vec<Event> {
    let all = (usize::MAX, u64::MAX);
    page(store, &LogFilter::default(), None, Direction::Forward, all).events
}

/// What the words of [`LogFilter`] say, without any index.
fn wanted(filter: &LogFilter, event: &Event) -> bool {
    let is = |wanted: &Option<String>, actual: Option<&str>| {
        wanted
            .as_deref()
            .is_none_or(|wanted| Some(wanted) == actual)
    };
    is(&filter.category, Some(event.stream.category()))
        && is(&filter.event_type, Some(&event.event_type))
        && is(&filter.actor, event.actor.as_deref())
        && is(&filter.correlation_id, event.correlation_id.as_deref())
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at <= until)
}

proptest! {
    #![proptest_config(crate::seeded::seeded(96))]

    /// Any filter, either direction, from anywhere, in pages of any size under any budget: exactly the events that it is
    /// about, each once, in order, and every page within its bounds.
    #[test]
    fn every_filter_finds_what_looking_at_every_event_finds(
        sketches in prop::collection::vec(sketch(), 0..60),
        filters in prop::collection::vec(filter(), 12),
        backward in any::<bool>(),
        from in prop::option::of(0..70u64),
        limit in 1..8usize,
        budget in 1..12u64,
        sealed_after in 1..90u64,
    ) {
        let store = store_of(&sketches, sealed_after);
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let mut log = whole_log(&store);
        prop_assert_eq!(log.len(), sketches.len());
        if backward {
            log.reverse();
        }
        for filter in filters {
            let expected: Vec<&Event> = log
                .iter()
                .filter(|event| from.is_none_or(|from| match direction {
                    Direction::Forward => event.position.0 >= from,
                    Direction::Backward => event.position.0 <= from,
                }))
                .filter(|event| wanted(&filter, event))
                .collect();
            let mut found = Vec::new();
            let mut next = from.map(Position);
            // One page per event and one more would do, whatever the bounds.
            for _ in 0..=log.len() {
                let page = page(&store, &filter, next, direction, (limit, budget));
                prop_assert!(page.events.len() <= limit && page.scanned <= budget);
                prop_assert!(page.next.is_none() || page.next != next);
                found.extend(page.events);
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            prop_assert_eq!(next, None, "the pages come to an end");
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{:?}", filter);
        }
    }
}

/// 2,000 events: a rare type among those of one busy actor, the days one after another.
fn busy() -> LoggedStore {
    let sketch = |n: i64| -> Sketch {
        let event_type = u8::from(n % 500 == 499);
        (0, event_type, Some(0), None, n * DAY / 100)
    };
    store_of(&(0..2_000).map(sketch).collect::<Vec<_>>(), 1)
}

#[test]
fn the_rarest_word_decides_how_much_is_looked_at() {
    let store = busy();
    let filter = LogFilter {
        category: Some("category0".to_owned()),
        actor: Some("actor0".to_owned()),
        event_type: Some("Type1".to_owned()),
        ..LogFilter::default()
    };
    for direction in [Direction::Forward, Direction::Backward] {
        let page = page(&store, &filter, None, direction, (100, 100));
        assert_eq!((page.events.len(), page.next), (4, None));
        assert!(page.scanned <= 8, "{} looked at", page.scanned);
    }
}

#[test]
fn a_time_range_bounds_what_is_looked_at_for_a_word() {
    let store = busy();
    let filter = LogFilter {
        category: Some("category0".to_owned()),
        since: Some(Timestamp::from_micros(15 * DAY)),
        until: Some(Timestamp::from_micros(16 * DAY - 1)),
        ..LogFilter::default()
    };
    for direction in [Direction::Forward, Direction::Backward] {
        let page = page(&store, &filter, None, direction, (1_000, 1_000));
        assert_eq!(page.events.len(), 100);
        // And a few stretches of the log that are passed over.
        assert!(page.scanned <= 110, "{} looked at", page.scanned);
    }
}

/// Two words that take turns and never meet: the budget still ends the search, and the pages end too.
#[test]
fn words_that_never_meet_use_up_the_budget() {
    let sketch =
        |n: u16| -> Sketch { (0, u8::from(n % 2 == 1), Some(u8::from(n % 2 == 1)), None, 0) };
    let store = store_of(&(0..4_000).map(sketch).collect::<Vec<_>>(), 1);
    let filter = LogFilter {
        actor: Some("actor0".to_owned()),
        event_type: Some("Type1".to_owned()),
        ..LogFilter::default()
    };
    let first = page(&store, &filter, None, Direction::Forward, (10, 2));
    assert_eq!((first.events.len(), first.scanned), (0, 2));
    let (mut next, mut pages) = (first.next, 1);
    while let Some(from) = next {
        assert!(pages < 100, "{pages} pages");
        let page = page(&store, &filter, Some(from), Direction::Forward, (10, 2));
        assert_eq!(page.events, []);
        (next, pages) = (page.next, pages + 1);
    }
    assert!(pages > 1);
}
