//! What is particular to the database: files of another format, records that are damaged.

use std::path::Path;
use std::sync::Arc;

use redb::Database;
use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::*;
use crate::store::disk::pages::{Kind, PageFile, PageHeader};
use crate::store::disk::{Disk, RealDisk, StoreId};
use crate::store::engine::testing::tuning;
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Append, AppendError, Store};

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

/// A store that seals each event at once.
pub(super) fn sealing(directory: &Path) -> LoggedStore {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let how = (StoreOptions::Durable, NewStore::WhereNothingIsLeft);
    LoggedStore::open_with(&disk, directory, how, tuning(1)).unwrap()
}

#[test]
fn a_file_of_another_format_is_refused_and_left_alone() {
    for (format, found_format) in [
        (1u32, "3 or older"),
        (3, "3 or older"),
        (4, "4"),
        (99, "99"),
    ] {
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
        let error = LoggedStore::open(directory.path(), StoreOptions::Durable).unwrap_err();
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
    let error = LoggedStore::open(other.path(), StoreOptions::Durable).unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownFormat { .. }),
        "{error}"
    );
}

/// A damaged record fails the request that needs it, not other requests that share its commit.
#[tokio::test]
async fn a_damaged_record_is_reported_and_harms_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = sealing(directory.path());
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
        txn.commit().unwrap();
    }
    let store = sealing(directory.path());
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
    let name = StreamName::new("a-1").unwrap();
    let error = view.stream(&name).unwrap_err();
    assert!(error.to_string().contains("stream number 1"), "{error}");
    let name = StreamName::new("c-1").unwrap();
    assert!(view.stream(&name).unwrap().is_some());
}
