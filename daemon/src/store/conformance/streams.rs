//! Lists of streams, categories, reading a stream, snapshots.

use std::ops::ControlFlow;

use super::*;
use crate::store::{
    CategoryInfo, Snapshot, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder,
    StreamPage, try_for_each_event,
};

/// Streams of several categories, in no order, grown in turns. The name of one may be nothing but its category, and another category
/// may stand between it and the others.
async fn garden(store: &Arc<dyn Store>) {
    let names = [
        "user-b", "user-a", "users-a", "use-r", "user-C", "order-7", "user-a-1", "order-10",
        "user-é", "order-1", "user", "user!x-1", "order",
    ];
    for round in 0..2 {
        for (n, stream) in names.iter().enumerate() {
            if round == 1 && n % 3 != 0 {
                continue;
            }
            let id = format!("{stream}/{round}");
            let mut append = facts(stream, &[&id]);
            if n % 2 == 0 {
                let status = if n % 4 == 0 { "active" } else { "deleted" };
                append.label = Some(label(&format!("Ms É{n}@example.org"), status));
            }
            ok(store, append).await;
        }
    }
}

/// All pages of a list, each of which must keep to its limit and budget.
fn paged(
    view: &dyn View,
    filter: &StreamFilter,
    order: StreamOrder,
    limit: usize,
    budget: u64,
) -> Vec<StreamInfo> {
    let (mut out, mut after) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = view.streams(filter, order, after, limit, budget).unwrap();
        assert!(page.streams.len() <= limit && page.scanned <= budget);
        out.extend(page.streams);
        match page.next {
            Some(next) => after = Some(next),
            None => return out,
        }
    }
    panic!("the list of {filter:?} never ends");
}

pub(super) async fn lists_of_streams_are_filtered_ordered_and_paged(store: &Arc<dyn Store>) {
    garden(store).await;
    let read_view = view(store);
    let mut everything = paged(
        &*read_view,
        &StreamFilter::default(),
        StreamOrder::Name,
        usize::MAX,
        u64::MAX,
    );
    assert_eq!(everything.len(), 13);
    assert!(everything.is_sorted_by(|a, b| a.stream.as_str() < b.stream.as_str()));
    let texts = [
        None,
        Some("USER-A"),
        Some("é"),
        Some("nothing"),
        Some("ms é4"),
    ];
    let categories = [
        None,
        Some("user"),
        Some("order"),
        Some("use"),
        Some("user-a"),
    ];
    let statuses = [None, Some("active"), Some("gone")];
    for order in [StreamOrder::Name, StreamOrder::Recent] {
        if order == StreamOrder::Recent {
            everything.sort_by_key(|info| std::cmp::Reverse(info.last_position));
        }
        for ((text, category), status) in texts
            .into_iter()
            .flat_map(|t| categories.map(|c| (t, c)))
            .flat_map(|tc| statuses.map(|s| (tc, s)))
        {
            let filter = StreamFilter {
                category: category.map(str::to_owned),
                status: status.map(str::to_owned),
                text: text.map(str::to_owned),
            };
            let passes = |info: &&StreamInfo| {
                let says = |part: &str| {
                    let title = info.label.title.clone().unwrap_or_default();
                    info.stream.as_str().to_lowercase().contains(part)
                        || title.to_lowercase().contains(part)
                };
                category.is_none_or(|c| info.stream.category() == c)
                    && status.is_none_or(|s| info.label.status.as_deref() == Some(s))
                    && text.is_none_or(|t| says(&t.to_lowercase()))
            };
            let expected: Vec<_> = everything.iter().filter(passes).cloned().collect();
            for (limit, budget) in [(1, 100), (3, 100), (100, 1), (2, 3), (100, 100)] {
                let found = paged(&*read_view, &filter, order, limit, budget);
                assert_eq!(found, expected, "{filter:?} {order:?} {limit} {budget}");
            }
        }
    }
}

pub(super) async fn pages_by_last_event_have_every_stream_once_whatever_is_written_meanwhile(
    store: &Arc<dyn Store>,
) {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        // A linear congruential generator does: the seed is fixed, and every run the same.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for n in 0..40 {
        ok(store, facts(&format!("user-{n}"), &[&format!("first/{n}")])).await;
    }
    for round in 0..20 {
        let everything = view(store)
            .streams(
                &StreamFilter::default(),
                StreamOrder::Recent,
                None,
                1_000,
                1_000,
            )
            .unwrap();
        let expected: Vec<_> = everything
            .streams
            .into_iter()
            .map(|info| info.stream)
            .collect();
        let (mut found, mut after, mut writes) = (Vec::new(), None, 0);
        loop {
            let limit = usize::try_from(1 + random(9)).unwrap();
            let all = StreamFilter::default();
            let page = view(store)
                .streams(&all, StreamOrder::Recent, after, limit, 1 + random(12))
                .unwrap();
            found.extend(page.streams.into_iter().map(|info| info.stream));
            after = page.next;
            if after.is_none() {
                break;
            }
            for _ in 0..random(6) {
                // Some are new: those are not of this list.
                let n = random(50 + round);
                ok(
                    store,
                    facts(&format!("user-{n}"), &[&format!("{round}/{writes}")]),
                )
                .await;
                writes += 1;
            }
        }
        assert_eq!(found, expected, "round {round}");
    }
}

pub(super) async fn a_page_of_no_streams_moves_nowhere(store: &Arc<dyn Store>) {
    garden(store).await;
    let read_view = view(store);
    let all = StreamFilter::default();
    for (order, cursor) in [
        (
            StreamOrder::Name,
            StreamCursor::AfterName("user-a".to_owned()),
        ),
        (
            StreamOrder::Recent,
            StreamCursor::BeforePosition {
                before: Position(5),
                head: read_view.head().position,
            },
        ),
    ] {
        let page = read_view
            .streams(&all, order, Some(cursor.clone()), 0, 100)
            .unwrap();
        let expected = StreamPage {
            streams: Vec::new(),
            next: Some(cursor),
            scanned: 0,
        };
        assert_eq!(page, expected);
    }
}

pub(super) async fn categories_are_counted(store: &Arc<dyn Store>) {
    assert_eq!(view(store).categories().unwrap(), []);
    garden(store).await;
    let read_view = view(store);
    let categories = read_view.categories().unwrap();
    let mut expected = std::collections::BTreeMap::<String, (u64, u64)>::new();
    let listed = paged(
        &*read_view,
        &StreamFilter::default(),
        StreamOrder::Name,
        100,
        100,
    );
    for info in listed {
        let counts = expected
            .entry(info.stream.category().to_owned())
            .or_default();
        counts.0 += 1;
        counts.1 += info.revision.0;
    }
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(category, (streams, events))| CategoryInfo {
            category,
            streams,
            events,
        })
        .collect();
    assert_eq!(categories, expected);
    assert_eq!(categories.len(), 5);
}

pub(super) async fn a_stream_is_read_from_anywhere_in_both_directions(store: &Arc<dyn Store>) {
    use Direction::{Backward, Forward};
    for n in 1..=6 {
        ok(store, facts("a-1", &[&format!("a/{n}")])).await;
        ok(store, facts("b-1", &[&format!("b/{n}")])).await;
    }
    let read_view = view(store);
    let read = |from, direction, limit| -> Vec<u64> {
        let events = read_view
            .stream_events(&name("b-1"), Revision(from), direction, limit)
            .unwrap();
        assert!(events.iter().all(|event| event.stream == name("b-1")));
        events.iter().map(|event| event.revision.0).collect()
    };
    assert_eq!(read(0, Forward, 3), [1, 2, 3]);
    assert_eq!(read(4, Forward, 100), [4, 5, 6]);
    assert_eq!(read(7, Forward, 100), [0_u64; 0]);
    assert_eq!(read(4, Backward, 3), [4, 3, 2]);
    assert_eq!(read(u64::MAX, Backward, 2), [6, 5]);
    assert_eq!(read(0, Backward, 100), [0_u64; 0]);
    assert_eq!(read(1, Forward, 0), [0_u64; 0]);
    let each = |from, to, stop_after: usize| -> Vec<u64> {
        let mut seen = Vec::new();
        read_view
            .for_each_event(&name("a-1"), Revision(from), Revision(to), &mut |event| {
                seen.push(event.revision.0);
                Ok(if seen.len() < stop_after {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })
            .unwrap();
        seen
    };
    assert_eq!(each(2, 4, 100), [2, 3, 4]);
    assert_eq!(each(0, u64::MAX, 100), [1, 2, 3, 4, 5, 6]);
    assert_eq!(each(1, 6, 2), [1, 2]);
    assert_eq!(each(4, 2, 100), [0_u64; 0]);
    let none = name("c-1");
    let events = read_view.stream_events(&none, Revision(1), Forward, 9);
    assert_eq!(events.unwrap(), []);
}

pub(super) async fn the_nearest_snapshot_of_the_same_rules_is_found(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1", "2", "3", "4", "5"])).await;
    ok(store, facts("a-2", &["6"])).await;
    let snapshot = |stream: &str, revision, rules: &str, state: &[u8]| Snapshot {
        stream: name(stream),
        revision: Revision(revision),
        rules_hash: rules.to_owned(),
        state: state.to_vec(),
    };
    let mut announced = store.head();
    announced.mark_unchanged();
    for saved in [
        snapshot("a-1", 2, "r", b"two"),
        snapshot("a-1", 4, "r", b"old"),
        snapshot("a-1", 4, "r", b"four"),
        snapshot("a-1", 3, "s", b""),
        snapshot("a-9", 1, "r", b"of no stream"),
    ] {
        store.save_snapshot(saved).await.unwrap();
    }
    assert!(!announced.has_changed().unwrap(), "the log has not grown");
    let read_view = view(store);
    let find = |stream: &str, rules: &str, at_most| {
        read_view
            .snapshot(&name(stream), rules, Revision(at_most))
            .unwrap()
    };
    assert_eq!(find("a-1", "r", 1), None);
    assert_eq!(find("a-1", "r", 3), Some(snapshot("a-1", 2, "r", b"two")));
    assert_eq!(find("a-1", "r", 4), Some(snapshot("a-1", 4, "r", b"four")));
    assert_eq!(
        find("a-1", "r", u64::MAX),
        Some(snapshot("a-1", 4, "r", b"four"))
    );
    assert_eq!(find("a-1", "s", 9), Some(snapshot("a-1", 3, "s", b"")));
    assert_eq!(find("a-1", "t", 9), None);
    assert_eq!(find("a-2", "r", 9), None);
    assert_eq!(find("a-9", "r", 9), None);
    assert_eq!(store.stats().unwrap().snapshots, 3);
}

/// Work on events may fail in ways of its own: that is what its caller gets, at once.
pub(super) async fn a_reader_that_fails_says_why(store: &Arc<dyn Store>) {
    #[derive(Debug)]
    enum Failed {
        Store,
        At(u64),
    }
    impl From<StoreError> for Failed {
        fn from(_: StoreError) -> Self {
            Self::Store
        }
    }
    ok(store, facts("a-1", &["1", "2", "3"])).await;
    let (read_view, mut seen) = (view(store), 0);
    let all = (Revision(1), Revision(3));
    let failed = try_for_each_event(&*read_view, &name("a-1"), all, |event| {
        seen += 1;
        match event.revision.0 {
            2 => Err(Failed::At(2)),
            _ => Ok(ControlFlow::Continue(())),
        }
    });
    assert!(matches!(failed, Err(Failed::At(2))), "{failed:?}");
    assert_eq!(seen, 2);
    let stopped = read_view.for_each_event(&name("a-1"), all.0, all.1, &mut |_| {
        Err(StoreError::CursorTooOld)
    });
    assert!(matches!(stopped, Err(StoreError::CursorTooOld)));
}

pub(super) async fn single_events_are_found_by_their_places(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1"])).await;
    ok(store, facts("b-1", &["2", "3"])).await;
    ok(store, facts("a-1", &["4"])).await;
    let read_view = view(store);
    let id = |event: Option<Event>| event.map(|event| event.event_id);
    for position in 0..=5 {
        let found = id(read_view.event_at(Position(position)).unwrap());
        let expected = (1..=4).contains(&position).then(|| position.to_string());
        assert_eq!(found, expected);
    }
    for (stream, revision, expected) in [
        ("a-1", 0, None),
        ("a-1", 1, Some("1")),
        ("a-1", 2, Some("4")),
        ("a-1", 3, None),
        ("b-1", 2, Some("3")),
        ("c-1", 1, None),
    ] {
        let found = read_view.event_at_revision(&name(stream), Revision(revision));
        assert_eq!(id(found.unwrap()).as_deref(), expected);
    }
}
