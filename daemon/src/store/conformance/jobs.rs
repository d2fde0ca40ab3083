//! The outbox: jobs come with their events, live through their statuses, and are found and counted.

use whodunit_core::api::pipeline::{JobCounts, JobStatus};

use super::*;
use crate::limits::OUTBOX_COMPLETED_KEPT;
use crate::store::{Job, JobChange, JobFilter, NewJob};

/// An append with one job of `handler` for each of its events.
fn with_jobs(mut append: Append, handler: &str) -> Append {
    append.jobs = (0..append.events.len())
        .map(|event| NewJob {
            event,
            handler: handler.to_owned(),
        })
        .collect();
    append
}

async fn change(store: &Arc<dyn Store>, change: JobChange) -> Option<Job> {
    let mut jobs = store.change_jobs(vec![change], at(9_000)).await.unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

fn job(store: &Arc<dyn Store>, id: u64) -> Job {
    view(store).job(id).unwrap().unwrap()
}

fn ids(store: &Arc<dyn Store>, filter: &JobFilter, direction: Direction) -> Vec<u64> {
    let (mut ids, mut from) = (Vec::new(), None);
    loop {
        // Pages of two, to see that they join.
        let page = view(store)
            .jobs(filter, from, direction, 2, u64::MAX)
            .unwrap();
        ids.extend(page.jobs.iter().map(|job| job.id));
        match page.next {
            Some(next) => from = Some(next),
            None => return ids,
        }
    }
}

fn counts(store: &Arc<dyn Store>, handler: &str) -> JobCounts {
    let all = view(store).job_counts().unwrap();
    all.into_iter()
        .find(|own| own.handler == handler)
        .map(|own| own.counts)
        .unwrap_or_default()
}

pub(super) async fn jobs_come_with_their_events_or_not_at_all(store: &Arc<dyn Store>) {
    ok(store, with_jobs(facts("a-1", &["1", "2"]), "mail")).await;
    let made = job(store, 2);
    assert_eq!(
        (made.position, made.revision, made.event_id.as_str()),
        (Position(2), Revision(2), "2")
    );
    assert_eq!(
        (made.status, made.attempts, made.created_at),
        (JobStatus::Pending, 0, at(1_000))
    );
    // Repeated, refused and conflicting appends make none.
    assert!(
        ok(store, with_jobs(facts("a-1", &["1", "2"]), "mail"))
            .await
            .repeated
    );
    let wrong = expecting(with_jobs(facts("a-1", &["3"]), "mail"), exactly(7));
    refusal(store, wrong).await;
    let mut holder = facts("a-2", &["4"]);
    holder.keys = vec![key_change(0, "eve@example.org", true)];
    ok(store, holder).await;
    let mut taken = with_jobs(accepted("a-1", "c-1", 2, &["5"]), "mail");
    taken.keys = vec![key_change(0, "eve@example.org", true)];
    assert!(ok(store, taken).await.events.is_empty());
    let mut stray = facts("a-3", &["6"]);
    stray.jobs = vec![NewJob {
        event: 1,
        handler: "mail".to_owned(),
    }];
    refusal(store, stray).await;
    assert_eq!(counts(store, "mail").pending, 2);
    assert_eq!(view(store).job(3).unwrap(), None);
}

pub(super) async fn a_job_lives_through_its_statuses(store: &Arc<dyn Store>) {
    ok(store, with_jobs(facts("a-1", &["1"]), "mail")).await;
    // What is not under way can neither be done nor fail.
    assert_eq!(change(store, JobChange::Complete { id: 1 }).await, None);
    assert_eq!(change(store, JobChange::Retry { id: 1 }).await, None);
    assert_eq!(change(store, JobChange::Begin { id: 9 }).await, None);
    let begun = change(store, JobChange::Begin { id: 1 }).await.unwrap();
    assert_eq!(
        (begun.status, begun.attempts, begun.updated_at),
        (JobStatus::Processing, 1, at(9_000))
    );
    assert_eq!(change(store, JobChange::Begin { id: 1 }).await, None);
    let error = "no such mailbox".to_owned();
    let again = JobChange::TryAgain {
        id: 1,
        next_attempt_at: at(20_000),
        error: error.clone(),
    };
    let waiting = change(store, again).await.unwrap();
    assert_eq!(
        (waiting.status, waiting.next_attempt_at),
        (JobStatus::Pending, Some(at(20_000)))
    );
    assert_eq!(waiting.last_error.as_deref(), Some(error.as_str()));
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    let given_back = change(store, JobChange::Release { id: 1 }).await.unwrap();
    assert_eq!(
        (given_back.status, given_back.attempts),
        (JobStatus::Pending, 1)
    );
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    let failed = change(store, JobChange::Fail { id: 1, error })
        .await
        .unwrap();
    assert_eq!((failed.status, failed.attempts), (JobStatus::Failed, 2));
    let retried = change(store, JobChange::Retry { id: 1 }).await.unwrap();
    assert_eq!((retried.status, retried.attempts), (JobStatus::Pending, 0));
    assert!(
        retried.last_error.is_some(),
        "what it said before stays known"
    );
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    let done = change(store, JobChange::Complete { id: 1 }).await.unwrap();
    assert_eq!(
        (done.status, done.last_error.clone()),
        (JobStatus::Completed, None)
    );
    assert_eq!(job(store, 1), done);
    let expected = JobCounts {
        completed: 1,
        ..JobCounts::default()
    };
    assert_eq!(counts(store, "mail"), expected);
}

pub(super) async fn the_first_open_job_of_a_stream_holds_back_the_others(store: &Arc<dyn Store>) {
    ok(store, with_jobs(facts("a-1", &["1", "2"]), "mail")).await;
    ok(store, with_jobs(facts("a-2", &["3"]), "mail")).await;
    ok(store, with_jobs(facts("a-1", &["4"]), "hook")).await;
    let held = |id| job(store, id).blocked_by;
    assert_eq!(
        [held(1), held(2), held(3), held(4)],
        [None, Some(1), None, None]
    );
    let first = |handler: &str| {
        let first = view(store).first_open_job(handler, &name("a-1")).unwrap();
        first.map(|job| job.id)
    };
    assert_eq!(
        (first("mail"), first("hook"), first("none")),
        (Some(1), Some(4), None)
    );
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    let error = String::new();
    change(store, JobChange::Fail { id: 1, error })
        .await
        .unwrap();
    assert_eq!((held(2), first("mail")), (Some(1), Some(1)));
    change(store, JobChange::Retry { id: 1 }).await.unwrap();
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    change(store, JobChange::Complete { id: 1 }).await.unwrap();
    assert_eq!((held(2), first("mail")), (None, Some(2)));
}

pub(super) async fn jobs_are_found_by_handler_status_and_stream(store: &Arc<dyn Store>) {
    for (stream, handler, event) in [
        ("a-1", "mail", "1"),
        ("a-2", "hook", "2"),
        ("a-1", "hook", "3"),
        ("a-2", "mail", "4"),
        ("a-3", "mail", "5"),
    ] {
        ok(store, with_jobs(facts(stream, &[event]), handler)).await;
    }
    change(store, JobChange::Begin { id: 2 }).await.unwrap();
    change(store, JobChange::Begin { id: 4 }).await.unwrap();
    let of = |handler: Option<&str>, status, stream: Option<&str>| JobFilter {
        handler: handler.map(str::to_owned),
        status,
        stream: stream.map(name),
    };
    let (pending, processing) = (Some(JobStatus::Pending), Some(JobStatus::Processing));
    let cases = [
        (of(None, None, None), vec![1, 2, 3, 4, 5]),
        (of(Some("mail"), None, None), vec![1, 4, 5]),
        (of(None, processing, None), vec![2, 4]),
        (of(Some("mail"), pending, None), vec![1, 5]),
        (of(None, None, Some("a-1")), vec![1, 3]),
        (of(Some("hook"), pending, Some("a-2")), vec![]),
        (of(Some("none"), None, None), vec![]),
    ];
    for (filter, mut expected) in cases {
        assert_eq!(
            ids(store, &filter, Direction::Forward),
            expected,
            "{filter:?}"
        );
        expected.reverse();
        assert_eq!(
            ids(store, &filter, Direction::Backward),
            expected,
            "{filter:?}"
        );
    }
}

pub(super) async fn a_crash_gives_back_what_was_under_way(store: &Arc<dyn Store>) {
    ok(store, with_jobs(facts("a-1", &["1"]), "mail")).await;
    ok(store, with_jobs(facts("a-2", &["2"]), "hook")).await;
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    change(store, JobChange::Begin { id: 2 }).await.unwrap();
    assert_eq!(change(store, JobChange::ReleaseAll).await, None);
    for id in [1, 2] {
        let job = job(store, id);
        assert_eq!((job.status, job.attempts), (JobStatus::Pending, 0));
    }
}

pub(super) async fn work_can_be_asked_for_again(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1", "2"])).await;
    let add = |position| JobChange::Add {
        handler: "mail".to_owned(),
        position: Position(position),
    };
    let made = change(store, add(2)).await.unwrap();
    assert_eq!((made.id, made.revision), (1, Revision(2)));
    assert_eq!(change(store, add(2)).await, None, "it is open already");
    assert_eq!(change(store, add(3)).await, None, "there is no such event");
    assert_eq!(change(store, add(0)).await, None);
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    change(store, JobChange::Complete { id: 1 }).await.unwrap();
    assert_eq!(change(store, add(2)).await.unwrap().id, 2);
}

pub(super) async fn only_the_newest_completed_jobs_are_kept_and_all_are_counted(
    store: &Arc<dyn Store>,
) {
    ok(store, facts("a-1", &["1"])).await;
    let mut changes = Vec::new();
    let total = OUTBOX_COMPLETED_KEPT + 3;
    for id in 1..=total {
        changes.extend([
            JobChange::Add {
                handler: "mail".to_owned(),
                position: Position(1),
            },
            JobChange::Begin { id },
            JobChange::Complete { id },
        ]);
    }
    // One that failed is older than all that are pruned, and stays.
    ok(store, with_jobs(facts("a-2", &["2"]), "hook")).await;
    let changes = changes.into_iter().map(|change| match change {
        JobChange::Begin { id } => JobChange::Begin { id: id + 1 },
        JobChange::Complete { id } => JobChange::Complete { id: id + 1 },
        other => other,
    });
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    let error = String::new();
    change(store, JobChange::Fail { id: 1, error })
        .await
        .unwrap();
    store.change_jobs(changes.collect(), at(1)).await.unwrap();
    assert_eq!(counts(store, "mail").completed, total);
    let of_stream = JobFilter {
        stream: Some(name("a-1")),
        ..JobFilter::default()
    };
    let page = view(store)
        .jobs(&of_stream, None, Direction::Forward, usize::MAX, u64::MAX)
        .unwrap();
    assert_eq!(page.jobs.len() as u64, OUTBOX_COMPLETED_KEPT);
    assert_eq!(page.jobs.first().unwrap().id, 5);
    assert_eq!(job(store, 1).status, JobStatus::Failed);
}

pub(super) async fn all_jobs_of_an_event_are_found(store: &Arc<dyn Store>) {
    ok(store, with_jobs(facts("a-1", &["1"]), "mail")).await;
    ok(store, with_jobs(facts("a-1", &["2"]), "mail")).await;
    let add = |handler: &str| JobChange::Add {
        handler: handler.to_owned(),
        position: Position(1),
    };
    change(store, JobChange::Begin { id: 1 }).await.unwrap();
    change(store, JobChange::Complete { id: 1 }).await.unwrap();
    assert_eq!(change(store, add("hook")).await.unwrap().id, 3);
    assert_eq!(change(store, add("mail")).await.unwrap().id, 4);
    assert_eq!(change(store, add("hook")).await, None, "it is open already");
    let of = |position| -> Vec<_> {
        let jobs = view(store).jobs_of_event(Position(position)).unwrap();
        jobs.into_iter().map(|job| (job.id, job.status)).collect()
    };
    let (completed, pending) = (JobStatus::Completed, JobStatus::Pending);
    assert_eq!(of(1), [(1, completed), (3, pending), (4, pending)]);
    assert_eq!(of(2), [(2, pending)]);
    assert_eq!(of(3), []);
    // Its stream's earlier job of the same handler has to end first.
    let blocked = &view(store).jobs_of_event(Position(1)).unwrap()[2];
    assert_eq!(blocked.blocked_by, Some(2));
}
