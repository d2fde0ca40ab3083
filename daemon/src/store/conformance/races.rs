//! Many writers at once, and readers beside them.

use super::*;
use crate::store::{StreamFilter, StreamOrder};
use std::collections::BTreeSet;

const RACERS: usize = 32;

/// Runs a task per racer on the store's futures, really in parallel, and gathers what they return.
async fn race<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let barrier = Arc::new(tokio::sync::Barrier::new(RACERS));
    let running: Vec<_> = tasks
        .map(|task| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    assert_eq!(running.len(), RACERS);
    let mut out = Vec::new();
    for task in running {
        out.push(task.await.unwrap());
    }
    out
}

fn assert_dense(view: &dyn View, stream: &str, count: u64) {
    let events = view
        .stream_events(&name(stream), Revision(1), Direction::Forward, usize::MAX)
        .unwrap();
    let revisions: Vec<_> = events.iter().map(|event| event.revision.0).collect();
    assert_eq!(revisions, (1..=count).collect::<Vec<_>>());
    let positions: Vec<_> = all(view).iter().map(|event| event.position.0).collect();
    assert_eq!(positions, (1..=view.head().position.0).collect::<Vec<_>>());
}

pub(super) async fn racers_with_exact_expectations_share_the_revisions(store: &Arc<dyn Store>) {
    const EACH: u64 = 5;
    let racers = (0..RACERS).map(|racer| {
        let store = Arc::clone(store);
        async move {
            let (mut won, mut lost, mut believed) = (Vec::new(), 0, 0);
            while (won.len() as u64) < EACH {
                let id = format!("{racer}/{}/{lost}", won.len());
                let append = expecting(facts("a-1", &[&id]), exactly(believed));
                match store.append(append).await {
                    Ok(appended) => {
                        assert_eq!(appended.revision.0, believed + 1);
                        won.push(believed + 1);
                        believed += 1;
                    }
                    Err(AppendError::WrongRevision { actual, .. }) => {
                        assert!(actual.0 > believed, "heads only grow");
                        lost += 1;
                        believed = actual.0;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (won, lost)
        }
    });
    let outcomes = race(racers).await;
    let won: Vec<_> = outcomes.iter().flat_map(|(won, _)| won).collect();
    let distinct: BTreeSet<_> = won.iter().collect();
    let total = RACERS as u64 * EACH;
    assert_eq!((won.len() as u64, distinct.len() as u64), (total, total));
    assert!(
        outcomes.iter().any(|(_, lost)| *lost > 0),
        "no append ever lost: there was no race"
    );
    let read_view = view(store);
    assert_eq!(read_view.head(), head(total, 0), "no loser is stored");
    assert_dense(&*read_view, "a-1", total);
}

pub(super) async fn racers_without_expectation_all_get_a_revision_of_their_own(
    store: &Arc<dyn Store>,
) {
    let racers = (0..RACERS).map(|racer| {
        let store = Arc::clone(store);
        async move {
            let mut got = Vec::new();
            for n in 0..5 {
                let id = format!("{racer}/{n}");
                got.push(ok(&store, facts("a-1", &[&id])).await.revision.0);
            }
            assert!(got.is_sorted(), "one author's appends stay in order");
            got
        }
    });
    let got: BTreeSet<u64> = race(racers).await.into_iter().flatten().collect();
    assert_eq!(got, (1..=RACERS as u64 * 5).collect());
    assert_dense(&*view(store), "a-1", RACERS as u64 * 5);
}

pub(super) async fn racers_with_the_same_event_store_it_once(store: &Arc<dyn Store>) {
    let racers = (0..RACERS).map(|_| store.append(facts("a-1", &["same"])));
    let answers = race(racers).await;
    let first = answers.iter().flatten().filter(|a| !a.repeated).count();
    assert_eq!(first, 1);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(view(store).head(), head(1, 0));
}

pub(super) async fn what_is_submitted_first_stands_first(store: &Arc<dyn Store>) {
    let submitted: Vec<_> = (0..500)
        .map(|n| store.append(facts(&format!("a-{}", n % 7), &[&n.to_string()])))
        .collect();
    // Awaited in another order than submitted.
    for (n, append) in submitted.into_iter().enumerate().rev() {
        assert_eq!(append.await.unwrap().position.0, n as u64 + 1);
    }
}

pub(super) async fn a_view_stays_as_it_was_while_writes_go_on(store: &Arc<dyn Store>) {
    let writer = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..150 {
                let ids = [format!("{n}/1"), format!("{n}/2")];
                ok(&store, facts("a-1", &[&ids[0], &ids[1]])).await;
                ok(&store, refused("a-1", &format!("c-{n}"), (n + 1) * 2)).await;
            }
        })
    };
    let mut seen = head(0, 0);
    let mut read_views = Vec::new();
    while !writer.is_finished() || read_views.is_empty() {
        let read_view = view(store);
        let now = read_view.head();
        assert!(now.position >= seen.position && now.decision >= seen.decision);
        assert_eq!(now.position.0 % 2, 0, "half an append was seen");
        seen = now;
        if read_views.len() < 20 {
            read_views.push(read_view);
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    for read_view in &read_views {
        let Head { position, decision } = read_view.head();
        assert_eq!(all(&**read_view).len() as u64, position.0);
        let info = read_view.stream(&name("a-1")).unwrap();
        assert_eq!(info.map_or(0, |info| info.revision.0), position.0);
        let decisions = read_view
            .decisions(
                &DecisionFilter::default(),
                None,
                Direction::Backward,
                usize::MAX,
            )
            .unwrap();
        assert_eq!(decisions.decisions.len() as u64, decision);
        let counted: u64 = read_view.density(None, 7).unwrap().counts.iter().sum();
        assert_eq!(counted, position.0);
        let listed = read_view
            .streams(&StreamFilter::default(), StreamOrder::Recent, None, 10, 10)
            .unwrap();
        assert_eq!(listed.streams.len(), usize::from(position.0 > 0));
    }
    assert_eq!(view(store).head(), head(300, 150));
}
