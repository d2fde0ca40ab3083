//! What is particular to the file: reopening, formats, a second opener, failing storage.

use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::InMemoryBackend;
use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};

use super::*;
use crate::store::disk::pages::{Kind, PageHeader};
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

fn open(directory: &Path) -> RedbStore {
    RedbStore::open(directory, StoreOptions::Durable).unwrap()
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
    let error = RedbStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
    assert!(matches!(&error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn a_file_of_another_format_is_refused_and_left_alone() {
    for (format, found_format) in [(1u32, "3 or older"), (3, "3 or older"), (99, "99")] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        if format > 3 {
            let header = PageHeader {
                format,
                kind: Kind::Events,
                store: StoreId([7; 16]),
            };
            PageFile::make(&RealDisk, &path, &path, header).unwrap();
        } else {
            let database = Database::create(&path).unwrap();
            let txn = database.begin_write().unwrap();
            txn.open_table(tables::META)
                .unwrap()
                .insert("format", format.to_le_bytes().as_slice())
                .unwrap();
            txn.commit().unwrap();
        }
        let before = std::fs::read(&path).unwrap();
        let error = RedbStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
        assert!(
            matches!(&error, StoreError::UnknownFormat { found, known: tables::FORMAT, .. } if *found == found_format),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), before, "left alone");
        let said = error.to_string();
        assert!(
            said.contains("export with the version that wrote it"),
            "{said}"
        );
    }

    let other = tempfile::tempdir().unwrap();
    {
        let database = Database::create(other.path().join(FILE_NAME)).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(redb::TableDefinition::<u64, u64>::new("something_else"))
            .unwrap();
        txn.commit().unwrap();
    }
    let error = RedbStore::open(other.path(), StoreOptions::Durable).unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownFormat { .. }),
        "{error}"
    );
}

#[test]
fn garbage_is_refused_with_a_message() {
    for bytes in [b"not a database at all".to_vec(), vec![0xff; 100_000]] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        std::fs::write(&path, &bytes).unwrap();
        let error = RedbStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
        assert!(error.to_string().contains("events.redb"), "{error}");
        assert_eq!(
            std::fs::read(&path).unwrap(),
            bytes,
            "the file is left as it was"
        );
    }
}

/// Storage that fails every write and sync after the n-th.
#[derive(Debug)]
struct Failing {
    inner: Arc<InMemoryBackend>,
    left: Arc<AtomicU64>,
}

impl Failing {
    fn spend(&self) -> std::io::Result<()> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(drop)
            .map_err(|_none_left| std::io::Error::other("the disk is gone"))
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> std::io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.spend()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.spend()?;
        self.inner.write(offset, data)
    }
}

/// What is left of a failed store's memory, to be opened again.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<InMemoryBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write(offset, data)
    }
}

/// However many writes succeed before the disk fails: what was acknowledged is there, what is there is whole and dense.
#[tokio::test]
async fn whatever_write_fails_the_acknowledged_events_survive() {
    let (mut failed, mut reasons) = (0, 0);
    for budget in (40..400).step_by(7) {
        let memory = Arc::new(InMemoryBackend::new());
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let backend = Failing {
            inner: Arc::clone(&memory),
            left: Arc::clone(&left),
        };
        let store = RedbStore::open_backend(backend, StoreOptions::Durable).unwrap();
        left.store(budget, Ordering::SeqCst);
        let mut acknowledged = 0;
        for n in 1..=20 {
            match store.append(fact("a-1", n)).await {
                Ok(appended) => acknowledged = appended.position.0,
                Err(error) => {
                    // The operator must be able to read why, not only that it failed.
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    reasons += u32::from(cause.is_some_and(|why| why.contains("the disk is gone")));
                    break;
                }
            }
        }
        failed += u32::from(acknowledged < 20);
        // And the stats say so.
        let read_only = store.stats().unwrap().read_only;
        assert_eq!(read_only.is_some(), acknowledged < 20, "budget {budget}");
        left.store(0, Ordering::SeqCst);
        drop(store.close().await);
        drop(store);
        let store = RedbStore::open_backend(Shared(memory), StoreOptions::Durable).unwrap();
        let page = store
            .view()
            .unwrap()
            .log(&LogFilter::default(), None, Direction::Forward, 100, 100)
            .unwrap();
        let there: Vec<u64> = page.events.iter().map(|event| event.position.0).collect();
        assert!(
            there.len() as u64 >= acknowledged,
            "budget {budget}: {acknowledged} acknowledged, {there:?} there"
        );
        assert_eq!(
            there,
            (1..=there.len() as u64).collect::<Vec<_>>(),
            "budget {budget}"
        );
    }
    assert!(
        failed > 10,
        "the disk failed in only {failed} of the runs: the test does not bite"
    );
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

/// A damaged record fails the request that needs it, not other requests that share its commit.
#[tokio::test]
async fn a_damaged_record_is_reported_and_harms_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.append(fact("a-1", 1)).await.unwrap();
    store.append(fact("b-1", 1)).await.unwrap();
    store.close().await.unwrap();
    {
        let storage = opening::storage(&directory.path().join(FILE_NAME));
        let database = Database::builder().create_with_backend(storage).unwrap();
        let txn = database.begin_write().unwrap();
        let damage: &[(u64, &[u8])] = &[(1, &[1, 2, 3]), (2, &[])];
        for (number, bytes) in damage {
            txn.open_table(tables::STREAMS)
                .unwrap()
                .insert(number, bytes)
                .unwrap();
        }
        txn.open_table(tables::EVENTS)
            .unwrap()
            .insert(1, [9u8].as_slice())
            .unwrap();
        txn.commit().unwrap();
    }
    let store = open(directory.path());
    for round in 0..20 {
        let (bad, good) = (
            store.append(fact("a-1", 2)),
            store.append(fact("c-1", round)),
        );
        let error = bad.await.unwrap_err();
        assert!(
            matches!(&error, AppendError::Store(StoreError::Damaged { place, .. }) if place.contains("stream number 1")),
            "{error}"
        );
        assert_eq!(good.await.unwrap().revision.0, round + 1);
    }
    let view = store.view().unwrap();
    let error = view.event_by_id("a-1/1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the event at position 1 is damaged: record version 9 is unknown"
    );
    assert!(view.event_by_id("b-1/1").unwrap().is_some());
}

/// However many wait, a commit takes no more than its bounds say; none is left behind for good.
#[test]
fn a_group_is_bounded_by_requests_and_by_bytes() {
    use crate::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX};
    let groups = |bytes: usize, count: usize| {
        let (queue, mut waiting) = mpsc::channel(count);
        for _ in 0..count {
            let mut append = fact("a-1", 1);
            append.events[0].data = json!({"text": "x".repeat(bytes)}).into();
            let (to, _answer) = oneshot::channel();
            let write = Write::Append(Box::new(append), to);
            assert!(queue.try_send(Request::Write(write)).is_ok());
        }
        let (mut sizes, mut closing) = (Vec::new(), Vec::new());
        while let Ok(first) = waiting.try_recv() {
            sizes.push(writer::take_group(first, &mut waiting, &mut closing).len());
        }
        sizes
    };
    let third = GROUP_BYTES_MAX / 3;
    assert_eq!(groups(third, 7), [3, 3, 1]);
    assert_eq!(
        groups(2 * GROUP_BYTES_MAX, 2),
        [1, 1],
        "a large one goes alone"
    );
    assert_eq!(
        groups(1, 2 * GROUP_REQUESTS_MAX + 1),
        [GROUP_REQUESTS_MAX, GROUP_REQUESTS_MAX, 1]
    );
}
