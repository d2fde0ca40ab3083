//! What is particular to files: reopening, a second opener, a disk that fails.

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};

use super::*;
use crate::store::disk::simulated::{Faults, SimulatedDisk};
use crate::store::{Direction, LogFilter};

fn fact(stream: &str, n: u64) -> Append {
    let mut event = NewEvent::new("Happened", json!({"n": n}));
    event.event_id = Some(format!("{stream}/{n}"));
    Append::facts(
        StreamName::new(stream).unwrap(),
        ExpectedRevision::Any,
        vec![event],
        Timestamp::from_micros(1),
    )
}

fn open(directory: &Path) -> LoggedStore {
    LoggedStore::open(directory, StoreOptions::Durable).unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for n in 1..=5 {
        store.append(fact("a-1", n)).await.unwrap();
    }
    store.close().await.unwrap();
    assert!(matches!(
        store.append(fact("a-1", 6)).await,
        Err(AppendError::Closed)
    ));
    drop(store);
    let store = open(directory.path());
    let view = store.view().unwrap();
    let events = view
        .stream_events(
            &StreamName::new("a-1").unwrap(),
            Revision(1),
            Direction::Forward,
            100,
        )
        .unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.revision.0)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(store.head().borrow().position.0, 5);
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path());
    let error = LoggedStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
    assert!(matches!(&error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn garbage_is_refused_with_a_message() {
    for bytes in [b"not a database at all".to_vec(), vec![0xff; 100_000]] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        std::fs::write(&path, &bytes).unwrap();
        let error = LoggedStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
        assert!(error.to_string().contains("events.redb"), "{error}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "the file is left as it was"
        );
    }
}

/// However many operations of the disk succeed before one fails, once: nothing acknowledged is lost, the log goes on by
/// itself, and what is there is whole and dense.
#[tokio::test]
async fn after_a_write_that_failed_the_log_goes_on_by_itself() {
    let (mut failed, mut reasons, mut read_only) = (0, 0, 0);
    for (operations, events) in (0..90).flat_map(|n| [(n, 4), (n, 1_000)]) {
        let case = format!("fails after {operations} operations, seals after {events} events");
        let disk = SimulatedDisk::default();
        let store = testing::open(&disk, NewStore::WhereNothingIsLeft, events).unwrap();
        disk.set_faults(Faults {
            fails_after: Some(operations),
            ..Faults::default()
        });
        let mut acknowledged = Vec::new();
        for n in 1..=40 {
            match store.append(fact("a-1", n)).await {
                Ok(appended) => acknowledged.push(appended.events[0].event_id.clone()),
                Err(AppendError::Store(StoreError::ReadOnly(why))) => {
                    assert_eq!(why, ReadOnly::DiskFailed, "{case}");
                    if store.stats().unwrap().read_only.is_some() {
                        // What it failed at was the file behind the log: only opening it again helps.
                        read_only += 1;
                        break;
                    }
                }
                Err(error) => {
                    failed += 1;
                    // The operator must be able to read why, not only that it failed.
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let cause = cause.unwrap_or_default();
                    reasons += u32::from(cause.contains("input/output error"));
                    assert_eq!(store.stats().unwrap().read_only, None, "{case}");
                }
            }
        }
        disk.set_faults(Faults::default());
        drop(store.close().await);
        drop(store);
        let store = testing::open(&disk, NewStore::WhereNothingIsLeft, events).unwrap();
        let all = LogFilter::default();
        let view = store.view().unwrap();
        let page = view.log(&all, None, Direction::Forward, 100, 100).unwrap();
        let there: Vec<_> = page.events.iter().map(|event| &event.event_id).collect();
        let kept = there.iter().filter(|id| acknowledged.contains(id)).count();
        assert_eq!(kept, acknowledged.len(), "{case}: {there:?}");
        let positions = page.events.iter().map(|event| event.position.0);
        assert!(positions.eq(1..=there.len() as u64), "{case}");
    }
    assert!(failed > 10 && read_only > 2, "{failed} failed, {read_only}");
    assert_eq!(reasons, failed, "each failure names the disk");
}

#[tokio::test]
async fn closing_gives_the_file_up_while_the_store_and_its_views_live() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.append(fact("a-1", 1)).await.unwrap();
    let view = store.view().unwrap();
    store.close().await.unwrap();
    let again = open(directory.path());
    assert_eq!(again.head().borrow().position.0, 1);
    // What the old handles are still asked for is answered with the reason.
    assert!(matches!(store.view().err(), Some(StoreError::Closed)));
    assert!(matches!(store.stats(), Err(StoreError::Closed)));
    let late = view.event_by_id("a-1/1");
    assert!(
        matches!(&late, Ok(Some(_)) | Err(StoreError::Closed)),
        "{late:?}"
    );
}

#[tokio::test]
async fn dropping_the_store_finishes_what_was_queued_and_gives_the_file_up() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let store = open(directory.path());
        let queued: Vec<_> = (0..100)
            .map(|n| store.append(fact("a-1", round * 100 + n)))
            .collect();
        drop(store);
        for append in queued {
            append.await.unwrap();
        }
    }
    assert_eq!(open(directory.path()).head().borrow().position.0, 500);
}
