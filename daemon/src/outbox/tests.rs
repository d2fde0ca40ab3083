//! Workers with handlers that are told what to do: order, retries, panics, hangs, restarts.

mod script;

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};

use super::*;
use crate::clock::SystemClock;
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, NewJob, View};
use script::{Act, Script};

fn store() -> Arc<dyn Store> {
    Arc::new(LoggedStore::in_memory(StoreOptions::Relaxed).unwrap())
}

fn quick() -> Settings {
    Settings {
        retries: Retries {
            retries: 3,
            first: Duration::from_millis(2),
        },
        timeout: Duration::from_mins(1),
        at_a_time: 4,
        shutdown_timeout: Duration::from_secs(10),
    }
}

fn start(store: &Arc<dyn Store>, handler: &Arc<Script>, settings: Settings) -> Outbox {
    start_with(store, vec![Arc::clone(handler) as _], settings)
}

fn start_with(
    store: &Arc<dyn Store>,
    handlers: Vec<Arc<dyn Handler>>,
    settings: Settings,
) -> Outbox {
    let dependencies = Dependencies {
        store: Arc::clone(store),
        models: Arc::new(Models::default()),
        travel: Arc::new(TimeTravel::start(Arc::clone(store))),
        clock: Arc::new(SystemClock),
    };
    Outbox::start(dependencies, handlers, settings)
}

/// Appends `n` events to a stream, each with a job.
async fn append(store: &Arc<dyn Store>, stream: &str, n: usize) {
    append_of(store, stream, vec![NewEvent::new("Happened", json!({})); n]).await;
}

async fn append_of(store: &Arc<dyn Store>, stream: &str, events: Vec<NewEvent>) {
    let n = events.len();
    let mut append = Append::facts(
        StreamName::new(stream).unwrap(),
        ExpectedRevision::Any,
        events,
        SystemClock.now(),
    );
    let head = store.head().borrow().position.0;
    append.fresh_ids = (0..n)
        .map(|index| format!("{stream}/{head}/{index}"))
        .collect();
    append.jobs = (0..n)
        .map(|event| NewJob {
            event,
            handler: "told".to_owned(),
        })
        .collect();
    store.append(append).await.unwrap();
}

/// Waits until the outbox is as wanted; a store announces no change of a job, so this looks again and again.
async fn until(store: &Arc<dyn Store>, what: &str, holds: impl Fn(&dyn View) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds(store.view().unwrap().as_ref()) {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}

fn counts_by_status(view: &dyn View) -> (u64, u64, u64, u64) {
    let counts = view.job_counts().unwrap();
    counts.first().map_or((0, 0, 0, 0), |own| {
        let counts = own.counts;
        (
            counts.pending,
            counts.processing,
            counts.completed,
            counts.failed,
        )
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_stream_are_handled_in_order_and_each_once() {
    let (store, handler) = (store(), Script::new());
    // Some before the start, some after.
    append(&store, "a-1", 20).await;
    let outbox = start(&store, &handler, quick());
    for stream in ["a-2", "a-3", "a-1"] {
        append(&store, stream, 20).await;
    }
    until(&store, "all done", |view| {
        counts_by_status(view) == (0, 0, 80, 0)
    })
    .await;
    for (stream, n) in [("a-1", 40), ("a-2", 20), ("a-3", 20)] {
        let expected: Vec<_> = (1..=n).map(|revision| (revision, 1)).collect();
        assert_eq!(handler.attempts_at(stream), expected, "{stream}");
    }
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_always_fails_is_tried_four_times_and_holds_back_its_own_stream_only() {
    for act in [Act::Err, Act::Panic, Act::PanicAtOnce, Act::Hang] {
        let (store, handler) = (store(), Script::new());
        handler.set_act("a-1", act);
        let settings = Settings {
            timeout: Duration::from_millis(if act == Act::Hang { 20 } else { 60_000 }),
            ..quick()
        };
        let outbox = start(&store, &handler, settings);
        append(&store, "a-1", 2).await;
        append(&store, "a-2", 3).await;
        until(&store, "one failed, the others done", |view| {
            counts_by_status(view) == (1, 0, 3, 1)
        })
        .await;
        let expected = [(1, 1), (1, 2), (1, 3), (1, 4)];
        assert_eq!(handler.attempts_at("a-1"), expected, "{act:?}");
        let view = store.view().unwrap();
        let failed = view.job(1).unwrap().unwrap();
        assert_eq!((failed.status, failed.attempts), (JobStatus::Failed, 4));
        let error = failed.last_error.unwrap();
        let said = match act {
            Act::Hang => "did not finish within 0.02 s",
            Act::Panic | Act::PanicAtOnce => "panicked",
            Act::Err | Act::Succeed => "told to fail",
        };
        assert!(error.contains(said), "{error}");
        assert_eq!(view.job(2).unwrap().unwrap().blocked_by, Some(1));
        drop(view);

        // One call retries it, and what it blocked follows.
        handler.set_act("a-1", Act::Succeed);
        assert!(matches!(
            outbox.retry(2).await,
            Err(RetryError::NotFailed {
                status: JobStatus::Pending,
                ..
            })
        ));
        assert!(matches!(
            outbox.retry(9).await,
            Err(RetryError::NoSuchJob(9))
        ));
        outbox.retry(1).await.unwrap();
        until(&store, "all done", |view| {
            counts_by_status(view) == (0, 0, 5, 0)
        })
        .await;
        assert_eq!(handler.attempts_at("a-1")[4..], [(1, 1), (2, 1)]);
        outbox.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distances_between_attempts_grow() {
    let (store, handler) = (store(), Script::new());
    handler.set_act("a-1", Act::Err);
    let settings = Settings {
        retries: Retries {
            retries: 2,
            first: Duration::from_hours(1),
        },
        ..quick()
    };
    let outbox = start(&store, &handler, settings);
    append(&store, "a-1", 1).await;
    until(&store, "one attempt on record", |view| {
        let job = view.job(1).unwrap();
        job.is_some_and(|job| job.last_error.is_some())
    })
    .await;
    let job = store.view().unwrap().job(1).unwrap().unwrap();
    let distance = job.next_attempt_at.unwrap().as_micros() - job.updated_at.as_micros();
    let hour = 3_600_000_000;
    assert!((hour..=hour * 5 / 4).contains(&distance), "{distance} µs");
    assert_eq!((job.status, job.attempts), (JobStatus::Pending, 1));
    outbox.close().await;
    // The distance outlives a restart.
    let outbox = start(&store, &handler, settings);
    append(&store, "a-2", 1).await;
    until(&store, "the other is done", |view| {
        counts_by_status(view).2 == 1
    })
    .await;
    assert_eq!(handler.attempts_at("a-1").len(), 1);
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_failed_jobs_of_a_handler_are_retried_at_once() {
    let (store, handler) = (store(), Script::new());
    let streams: Vec<String> = (0..50).map(|n| format!("a-{n}")).collect();
    for stream in &streams {
        handler.set_act(stream, Act::Err);
        append(&store, stream, 2).await;
    }
    let outbox = start(&store, &handler, quick());
    until(&store, "all first ones failed", |view| {
        counts_by_status(view) == (50, 0, 0, 50)
    })
    .await;
    for stream in &streams {
        handler.set_act(stream, Act::Succeed);
    }
    assert_eq!(outbox.retry_all("told").await.unwrap(), 50);
    until(&store, "all done", |view| {
        counts_by_status(view) == (0, 0, 100, 0)
    })
    .await;
    assert_eq!(outbox.retry_all("told").await.unwrap(), 0);
    outbox.close().await;
}

/// Otherwise each of them would fold its stream from the beginning: the work would grow with the square of its length.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_a_long_stream_start_from_snapshots() {
    let (store, handler) = (store(), Script::new());
    let outbox = start(&store, &handler, quick());
    for _ in 0..10 {
        let long = json!({"text": "x".repeat(1_000)});
        append_of(&store, "a-1", vec![NewEvent::new("Happened", long); 20]).await;
    }
    until(&store, "all done", |view| {
        counts_by_status(view) == (0, 0, 200, 0)
    })
    .await;
    let model = Models::default().merge().rules_hash().to_owned();
    let stream = StreamName::new("a-1").unwrap();
    until(&store, "a snapshot", |view| {
        let last = Revision(200);
        view.snapshot(&stream, &model, last).unwrap().is_some()
    })
    .await;
    outbox.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_under_way_is_done_again() {
    let (store, handler) = (store(), Script::new());
    append(&store, "a-1", 2).await;
    let begun = vec![JobChange::Begin { id: 1 }];
    store.change_jobs(begun, SystemClock.now()).await.unwrap();
    let outbox = start(&store, &handler, quick());
    until(&store, "all done", |view| {
        counts_by_status(view) == (0, 0, 2, 0)
    })
    .await;
    assert_eq!(handler.attempts_at("a-1"), [(1, 1), (2, 1)]);
    outbox.close().await;
}

/// No worker handles them, so they are neither in progress nor, once retried, about to be.
#[tokio::test]
async fn jobs_of_a_handler_that_is_not_set_up_any_more_stand_where_they_are() {
    let store = store();
    append(&store, "a-1", 1).await;
    append(&store, "a-2", 1).await;
    let now = SystemClock.now();
    let (fails, error) = (2, "no".to_owned());
    let changes = vec![
        JobChange::Begin { id: 1 },
        JobChange::Begin { id: fails },
        JobChange::Fail { id: fails, error },
    ];
    store.change_jobs(changes, now).await.unwrap();
    let outbox = start_with(&store, Vec::new(), quick());
    until(&store, "one released", |view| {
        counts_by_status(view) == (1, 0, 0, 1)
    })
    .await;
    let retried = outbox.retry(fails).await;
    assert!(
        matches!(&retried, Err(RetryError::NotSetUp { id: 2, handler }) if handler == "told"),
        "{retried:?}"
    );
    assert_eq!(
        counts_by_status(store.view().unwrap().as_ref()),
        (1, 0, 0, 1)
    );
    outbox.close().await;
}

#[tokio::test]
async fn stopping_gives_back_what_hangs() {
    let (store, handler) = (store(), Script::new());
    handler.set_act("a-1", Act::Hang);
    let settings = Settings {
        shutdown_timeout: Duration::from_millis(1),
        ..quick()
    };
    let outbox = start(&store, &handler, settings);
    append(&store, "a-1", 1).await;
    let mut diary = handler.diary.subscribe();
    diary.wait_for(|diary| !diary.is_empty()).await.unwrap();
    outbox.close().await;
    let job = store.view().unwrap().job(1).unwrap().unwrap();
    assert_eq!((job.status, job.attempts), (JobStatus::Pending, 0));
}

#[test]
fn the_table_gives_each_event_its_handlers() {
    let handler: Arc<dyn Handler> = Arc::new(Script {
        takes: vec![EventPattern::parse("user/UserCreated").unwrap()],
        acts: std::sync::Mutex::default(),
        diary: tokio::sync::watch::Sender::new(Vec::new()),
    });
    let routes = Routes::for_handlers(&[handler]);
    let events = ["UserDeleted", "UserCreated"].map(|kind| NewEvent::new(kind, json!({})));
    let jobs = routes.jobs("user", &events);
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].event, jobs[0].handler.as_str()), (1, "told"));
    assert!(routes.jobs("order", &events).is_empty());
}
