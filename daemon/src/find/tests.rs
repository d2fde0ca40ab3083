//! Searches that are stopped, and pages that say how far they looked.

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{Clock, Zone};

use super::*;
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, Store};

async fn store(events: u64) -> Arc<dyn Store> {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let mut first = 0;
    while first < events {
        let new = (first..first + 500).map(|n| {
            let at = Timestamp::from_micros(n.cast_signed() * 1_000_000);
            let mut event = NewEvent::new(
                format!("Type{}", n % 7),
                json!({"n": n, "text": "x".repeat(50)}),
            );
            event.recorded_at = Some(at);
            event.event_id = Some(format!("event {n}"));
            event.actor = (n % 3_000 == 5).then(|| "rare".to_owned());
            event
        });
        let stream = StreamName::new(format!("thing-{}", first / 500 % 5)).unwrap();
        let append = Append::facts(stream, ExpectedRevision::Any, new.collect(), Timestamp::MIN);
        drop(store.append(append).await.unwrap());
        first += 500;
    }
    Arc::new(store)
}

fn find(store: &Arc<dyn Store>, line: &str) -> Find {
    let clock = Clock {
        now: Timestamp::MIN,
        zone: Zone::UTC,
    };
    Find {
        query: Arc::new(Query::parse(line, &clock).unwrap()),
        models: Arc::new(Models::new([]).unwrap()),
        travel: Arc::new(TimeTravel::start(Arc::clone(store))),
        reveal: Reveal::NO,
        projections: None,
    }
}

fn stretch(last: u64) -> Stretch {
    Stretch {
        from: None,
        last,
        direction: Direction::Backward,
        limit: usize::MAX,
        budget: u64::MAX,
        time: Duration::from_hours(1),
    }
}

/// What is stopped ends with the next event, whatever is being asked: here states, of which there is one fold for a stream.
#[tokio::test]
async fn a_stopped_search_ends() {
    let store = store(20_000).await;
    for line in [
        "\"no such text\"",
        "where:state.n > 100000000",
        "not-preceded-by(type:Type9) followed-by(type:Type8)",
    ] {
        let find = find(&store, line);
        let mut view = store.view().unwrap();
        let stop = Stop::new();
        view.set_stop(stop.clone());
        let (started, begun) = std::sync::mpsc::channel();
        let work = tokio::task::spawn_blocking(move || {
            started.send(()).unwrap();
            find.events(view.as_ref(), stretch(20_000))
        });
        begun.recv().unwrap();
        let before = Instant::now();
        stop.set();
        let ended = work.await.unwrap();
        println!("{line}: ended {:?} after it was stopped", before.elapsed());
        assert!(matches!(ended, Err(StoreError::Stopped(_))), "{line}");
    }
}

/// A page that is out of time or budget says where it goes on, and the pages together find everything once.
#[tokio::test]
async fn a_page_goes_on_where_its_bounds_ended_it() {
    let store = store(10_000).await;
    for line in [
        "actor:rare",
        "where:event.actor == \"rare\"",
        "stream:thing-* -type:Type1 actor:*",
    ] {
        let find = find(&store, line);
        let view = store.view().unwrap();
        let whole = find.events(view.as_ref(), stretch(10_000)).unwrap();
        let positions = |found: &Found<Event>| -> Vec<u64> {
            found.items.iter().map(|event| event.position.0).collect()
        };
        let expected = positions(&whole);
        assert!(!expected.is_empty() && whole.next.is_none());
        for (budget, time) in [(700, Duration::from_hours(1)), (u64::MAX, Duration::ZERO)] {
            let (mut from, mut found, mut pages) = (None, Vec::new(), 0);
            loop {
                let bounds = Stretch {
                    from,
                    budget,
                    time,
                    ..stretch(10_000)
                };
                let page = find.events(view.as_ref(), bounds).unwrap();
                found.extend(positions(&page));
                pages += 1;
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
            assert_eq!(found, expected, "{line}");
            println!("{line}: {pages} pages");
        }
    }
}
