//! Bounds are held by the work, and the work ends with its caller.

use std::time::Duration;

use super::*;
use crate::store::engine::{LoggedStore, StoreOptions};

const SOON: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

fn store() -> Arc<dyn Store> {
    Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap())
}

/// Work that says that it began, and then goes on until its token is set.
fn until_stopped(began: &mpsc::Sender<()>) -> impl FnOnce(&dyn View) -> Result<(), Failed> + use<> {
    let began = began.clone();
    move |view| {
        began.send(()).unwrap();
        loop {
            view.stop().check().map_err(StoreError::from)?;
            std::thread::yield_now();
        }
    }
}

async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

#[tokio::test]
async fn a_place_is_free_again_only_when_the_work_of_a_caller_that_left_has_ended() {
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).try_acquire_owned().unwrap();
    let (go_on, waits) = mpsc::channel::<()>();
    let (begin, began) = mpsc::channel();
    let readers = readers();
    let request = as_request(
        place,
        &readers,
        false,
        blocking(move || {
            begin.send(()).unwrap();
            waits.recv().unwrap();
            Ok::<_, StoreError>(())
        }),
    );
    let mut request = Box::pin(request);
    assert!(futures_util::poll!(&mut request).is_pending());
    tokio::task::spawn_blocking(move || began.recv_timeout(SOON).unwrap())
        .await
        .unwrap();
    drop(request);
    assert_eq!(places.available_permits(), 0, "the work goes on");
    go_on.send(()).unwrap();
    eventually(|| places.available_permits() == 1).await;
}

#[tokio::test]
async fn a_read_is_stopped_when_its_caller_leaves() {
    let (places, store) = (Arc::new(Semaphore::new(1)), store());
    let place = Arc::clone(&places).try_acquire_owned().unwrap();
    let (begin, began) = mpsc::channel();
    let readers = readers();
    let read = read(&store, until_stopped(&begin));
    let mut request = Box::pin(as_request(place, &readers, false, read));
    assert!(futures_util::poll!(&mut request).is_pending());
    tokio::task::spawn_blocking(move || began.recv_timeout(SOON).unwrap())
        .await
        .unwrap();
    drop(request);
    // Nothing else ends it.
    eventually(|| places.available_permits() == 1).await;
}

#[tokio::test]
async fn heavy_work_beyond_the_queue_is_refused_and_all_of_it_stops_with_the_daemon() {
    let (stopping, store) = (CancellationToken::new(), store());
    let pool = Arc::new(HeavyPool::new(stopping.clone()));
    let (begin, began) = mpsc::channel();
    let begin_one = || {
        let (pool, store, work) = (Arc::clone(&pool), Arc::clone(&store), until_stopped(&begin));
        tokio::spawn(async move { pool.read(&store, work).await })
    };
    let at_a_time = pool.running.available_permits();
    let mut all: Vec<_> = (0..at_a_time).map(|_| begin_one()).collect();
    eventually(|| pool.running.available_permits() == 0).await;
    all.extend((0..HEAVY_QUEUE_MAX).map(|_| begin_one()));
    eventually(|| pool.queue.available_permits() == 0).await;
    let refused = pool.read(&store, until_stopped(&begin)).await;
    assert!(matches!(refused, Err(Failed::Overloaded(_))), "{refused:?}");
    stopping.cancel();
    for work in all {
        let ended = tokio::time::timeout(SOON, work).await.unwrap().unwrap();
        assert!(
            matches!(ended, Err(Failed::Store(StoreError::Stopped(_)))),
            "{ended:?}"
        );
    }
    drop(began);
}
