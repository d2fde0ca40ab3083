//! Where the files are and what room there is: stores that contradict themselves, files that go away, a full disk.

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};

use std::path::PathBuf;

use super::*;
use crate::store::disk::Open;
use crate::store::disk::simulated::{Faults, SimulatedDisk};
use crate::store::redb::HEAD_NAME;

const DATA: &str = "/data";

fn open(disk: &SimulatedDisk, new: NewStore) -> Result<LoggedStore, StoreError> {
    testing::open(disk, new, 4)
}

fn plainly(disk: &SimulatedDisk) -> Result<LoggedStore, StoreError> {
    open(disk, NewStore::WhereNothingIsLeft)
}

fn fact(n: usize, bytes: usize) -> Append {
    let mut event = NewEvent::new("Happened", json!({"n": n, "text": "x".repeat(bytes)}));
    event.event_id = Some(format!("event {n}"));
    Append::facts(
        StreamName::new("a-1").unwrap(),
        ExpectedRevision::Any,
        vec![event],
        Timestamp::from_micros(1),
    )
}

/// A closed store with this many events.
async fn with_events(disk: &SimulatedDisk, from: usize, to: usize) {
    let store = plainly(disk).unwrap();
    for n in from..to {
        store.append(fact(n, 100)).await.unwrap();
    }
    store.close().await.unwrap();
}

fn file(name: &str) -> PathBuf {
    Path::new(DATA).join(name)
}

#[tokio::test]
async fn a_log_that_ends_before_what_was_acknowledged_is_refused() {
    let disk = SimulatedDisk::default();
    with_events(&disk, 0, 5).await;
    let older = disk.files();
    with_events(&disk, 5, 9).await;
    let now = disk.files();
    // Everything of an older moment, but for what was acknowledged.
    let mut files = older.clone();
    files.insert(file(HEAD_NAME), now[&file(HEAD_NAME)].clone());
    let mixed = SimulatedDisk::with_files(&files);
    let error = plainly(&mixed).unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(
            error,
            StoreError::Behind {
                found: 5,
                acknowledged: 9,
                ..
            }
        ),
        "{said}"
    );
    assert!(said.contains(HEAD_NAME), "{said}");
    // As it says: without that file it goes on.
    mixed.remove(&file(HEAD_NAME)).unwrap();
    assert_eq!(
        plainly(&mixed).unwrap().head().borrow().position,
        Position(5)
    );
    // The whole directory of an older moment contradicts nothing.
    assert!(plainly(&SimulatedDisk::with_files(&older)).is_ok());
    // The database alone of an older moment lacks nothing that the log has.
    let mut files = now;
    files.insert(file(FILE_NAME), older[&file(FILE_NAME)].clone());
    match plainly(&SimulatedDisk::with_files(&files)) {
        Ok(store) => assert_eq!(store.head().borrow().position, Position(9)),
        Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
    }
}

#[tokio::test]
async fn without_its_log_a_store_is_not_opened() {
    let disk = SimulatedDisk::default();
    with_events(&disk, 0, 5).await;
    let mut files = disk.files();
    files.retain(|path, _| !path.starts_with(file(LOG_NAME)));
    for how in [NewStore::WhereNothingIsLeft, NewStore::Insist] {
        let disk = SimulatedDisk::with_files(&files);
        let error = open(&disk, how).unwrap_err();
        assert!(matches!(error, StoreError::NoLog { .. }), "{error}");
        assert!(disk.files().keys().eq(files.keys()), "nothing is made");
    }
    // One of its files that is needed is named.
    let disk = SimulatedDisk::default();
    with_events(&disk, 0, 5).await;
    disk.rename(&file(LOG_NAME).join("wal-00000001"), &file("elsewhere"))
        .unwrap();
    let error = plainly(&disk).unwrap_err().to_string();
    assert!(error.contains("/data/log"), "{error}");
}

/// `--create` is about a store that is missing. Beside one that is there, it changes nothing: what would be refused still is.
#[tokio::test]
async fn insisting_on_a_new_store_does_not_hide_what_is_wrong_with_one_that_is_there() {
    let insist = |files: &std::collections::BTreeMap<PathBuf, Vec<u8>>| {
        open(&SimulatedDisk::with_files(files), NewStore::Insist)
    };
    let (one, other) = (SimulatedDisk::default(), SimulatedDisk::default());
    with_events(&one, 0, 3).await;
    let older = one.files();
    with_events(&one, 3, 9).await;
    with_events(&other, 0, 3).await;
    let store = insist(&one.files()).unwrap();
    assert_eq!(store.head().borrow().position, Position(9));
    let mut behind = older;
    behind.insert(file(HEAD_NAME), one.files()[&file(HEAD_NAME)].clone());
    let error = insist(&behind).unwrap_err();
    assert!(matches!(error, StoreError::Behind { .. }), "{error}");
    let mut foreign = one.files();
    foreign.insert(file(HEAD_NAME), other.files()[&file(HEAD_NAME)].clone());
    let error = insist(&foreign).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

/// A new store that the operator insists on is one that opens again without being insisted on.
#[tokio::test]
async fn what_is_left_of_an_older_store_is_set_aside() {
    let (one, other) = (SimulatedDisk::default(), SimulatedDisk::default());
    with_events(&one, 0, 3).await;
    with_events(&other, 0, 3).await;
    let mut files = one.files();
    let read_model = files.remove(&file(FILE_NAME)).unwrap();
    files.insert(file("read-models/users.redb"), read_model.clone());
    let disk = SimulatedDisk::with_files(&files);
    let store = open(&disk, NewStore::Insist).unwrap();
    let id = store.id();
    store.close().await.unwrap();
    drop(store);
    let aside = file(&format!("read-models/users.redb.before-{id}"));
    assert_eq!(disk.files()[&aside], read_model);
    assert_eq!(plainly(&disk).unwrap().id(), id);
}

/// A log with anything in it belongs to a store, though it is all that is left.
#[tokio::test]
async fn a_single_file_of_a_log_with_something_in_it_is_no_new_store() {
    let disk = SimulatedDisk::default();
    with_events(&disk, 0, 1).await;
    let mut files = disk.files();
    files.retain(|path, _| path.ends_with("wal-00000001"));
    assert_eq!(files.len(), 1);
    let disk = SimulatedDisk::with_files(&files);
    let error = plainly(&disk).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(disk.files() == files, "nothing is made or changed");
}

/// A panic in the middle of a commit ends the writer: the store says that it takes no writes, not that it is closed, and is
/// read as before.
#[test]
fn a_panic_in_a_commit_makes_the_store_read_only_and_it_says_so() {
    let mut ended = 0;
    for after in 0..6 {
        let disk = SimulatedDisk::default();
        let store = plainly(&disk).unwrap();
        testing::wait(store.append(fact(1, 10))).unwrap();
        disk.set_faults(Faults {
            fails_after: Some(after),
            panics: true,
            ..Faults::default()
        });
        let appended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            testing::wait(store.append(fact(2, 10)))
        }));
        disk.set_faults(Faults::default());
        let stats = store.stats().unwrap();
        if appended.is_ok() && stats.read_only.is_none() {
            // The disk was asked for less than that, or what panicked was reading, which is an error of that read.
            continue;
        }
        ended += 1;
        assert_eq!(stats.read_only, Some(ReadOnly::WriterEnded));
        let error = testing::wait(store.append(fact(3, 10))).unwrap_err();
        assert_eq!(why(&error), Some(ReadOnly::WriterEnded), "{error}");
        let view = store.view().unwrap();
        assert!(view.event_at(Position(1)).unwrap().is_some());
        drop((view, store));
        // Opened again, it goes on.
        let store = plainly(&disk).unwrap();
        testing::wait(store.append(fact(3, 10))).unwrap();
    }
    assert!(ended > 0);
}

#[tokio::test]
async fn files_of_two_stores_are_refused() {
    let (one, other) = (SimulatedDisk::default(), SimulatedDisk::default());
    with_events(&one, 0, 3).await;
    with_events(&other, 0, 3).await;
    let mut files = one.files();
    files.insert(file(FILE_NAME), other.files()[&file(FILE_NAME)].clone());
    let error = plainly(&SimulatedDisk::with_files(&files)).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    // So is a log beside a read model of another: the header says whose it is.
    let mut files = one.files();
    let log = other.files()[&file(FILE_NAME)].clone();
    files.insert(file("read-models/users.redb"), log);
    let error = plainly(&SimulatedDisk::with_files(&files)).unwrap_err();
    assert!(error.to_string().contains("users.redb"), "{error}");
}

#[tokio::test]
async fn a_missing_or_empty_log_beside_what_is_left_is_no_new_store() {
    for empty in [false, true] {
        let disk = SimulatedDisk::default();
        with_events(&disk, 0, 3).await;
        let mut files = disk.files();
        files.remove(&file(FILE_NAME));
        if empty {
            files.insert(file(FILE_NAME), Vec::new());
        }
        let disk = SimulatedDisk::with_files(&files);
        let error = plainly(&disk).unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("--create"), "{error}");
        let store = open(&disk, NewStore::Insist).unwrap();
        store.append(fact(1, 10)).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        assert_eq!(
            plainly(&disk).unwrap().head().borrow().position,
            Position(1)
        );
    }
    // A read model alone is enough to tell.
    let mut files = std::collections::BTreeMap::new();
    files.insert(file("read-models/users.redb"), vec![1]);
    let error = plainly(&SimulatedDisk::with_files(&files)).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    // An empty file where nothing is left is a new store, as ever.
    let mut files = std::collections::BTreeMap::new();
    files.insert(file(FILE_NAME), Vec::new());
    assert!(plainly(&SimulatedDisk::with_files(&files)).is_ok());
}

fn why(error: &AppendError) -> Option<ReadOnly> {
    match error {
        AppendError::Store(StoreError::ReadOnly(why)) => Some(*why),
        _ => None,
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_went_away() {
    let disk = SimulatedDisk::default();
    let store = plainly(&disk).unwrap();
    store.append(fact(1, 10)).await.unwrap();
    disk.rename(&file(FILE_NAME), &file("elsewhere")).unwrap();
    let error = store.append(fact(2, 10)).await.unwrap_err();
    assert_eq!(why(&error), Some(ReadOnly::FileGone), "{error}");
    assert_eq!(store.stats().unwrap().read_only, Some(ReadOnly::FileGone));
    assert!(
        store
            .view()
            .unwrap()
            .event_at(Position(1))
            .unwrap()
            .is_some()
    );
    // Another file under its name is not the one that is open.
    disk.open(&file(FILE_NAME), Open::OrMake).unwrap();
    let error = store.append(fact(2, 10)).await.unwrap_err();
    assert_eq!(why(&error), Some(ReadOnly::FileGone), "{error}");
    // It is back.
    disk.rename(&file("elsewhere"), &file(FILE_NAME)).unwrap();
    store.append(fact(2, 10)).await.unwrap();
    assert_eq!(store.stats().unwrap().read_only, None);
    // So it is with every file of the log that is needed.
    let log = file(LOG_NAME).join("wal-00000001");
    disk.rename(&log, &file("elsewhere")).unwrap();
    let error = store.append(fact(3, 10)).await.unwrap_err();
    assert_eq!(why(&error), Some(ReadOnly::FileGone), "{error}");
    assert_eq!(store.stats().unwrap().read_only, Some(ReadOnly::FileGone));
    disk.rename(&file("elsewhere"), &log).unwrap();
    store.append(fact(3, 10)).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_deleted_directory_takes_no_acknowledged_event_with_it() {
    let above = tempfile::tempdir().unwrap();
    let data = above.path().join("data");
    for gone in ["", LOG_NAME] {
        let store = LoggedStore::open(&data, StoreOptions::Durable).unwrap();
        store.append(fact(1, 10)).await.unwrap();
        std::fs::remove_dir_all(data.join(gone)).unwrap();
        let error = store.append(fact(2, 10)).await.unwrap_err();
        assert_eq!(why(&error), Some(ReadOnly::FileGone), "{error}");
    }
}

/// The disk fills up at any point of the work: what was acknowledged stays, reads go on, and writes go on by themselves once
/// there is room, without a restart.
#[tokio::test]
async fn a_full_disk_stops_writes_before_the_engine_fails() {
    const RESERVE: u64 = 2 << 20;
    for room in (0..20).map(|step| step * 37_000) {
        let disk = SimulatedDisk::default();
        disk.set_reserve(RESERVE);
        let store = plainly(&disk).unwrap();
        disk.set_faults(Faults {
            room: Some(disk.used() + room),
            ..Faults::default()
        });
        let mut n = 0;
        let refused = loop {
            match store.append(fact(n, 20_000)).await {
                Ok(_) => n += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(
            why(&refused),
            Some(ReadOnly::DiskFull),
            "room {room}: {refused}"
        );
        assert_eq!(store.stats().unwrap().read_only, Some(ReadOnly::DiskFull));
        let last = Position(n as u64);
        assert_eq!(store.head().borrow().position, last);
        assert!(store.view().unwrap().event_at(last).unwrap().is_some());
        disk.set_faults(Faults::default());
        assert_eq!(store.stats().unwrap().read_only, None, "room {room}");
        let appended = store.append(fact(n, 20_000)).await.unwrap();
        assert_eq!(appended.position, Position(n as u64 + 1));
        store.close().await.unwrap();
    }
}

/// Closed while the disk is full, it closes cleanly, and opens again to be read.
#[tokio::test]
async fn a_store_on_a_full_disk_is_closed_and_opened() {
    let disk = SimulatedDisk::default();
    disk.set_reserve(2 << 20);
    let store = plainly(&disk).unwrap();
    disk.set_faults(Faults {
        room: Some(disk.used()),
        ..Faults::default()
    });
    let mut n = 0;
    while store.append(fact(n, 20_000)).await.is_ok() {
        n += 1;
    }
    store.close().await.unwrap();
    drop(store);
    let store = plainly(&disk).unwrap();
    assert_eq!(store.head().borrow().position, Position(n as u64));
    let error = store.append(fact(n, 10)).await.unwrap_err();
    assert_eq!(why(&error), Some(ReadOnly::DiskFull), "{error}");
}
