//! Backups that are whole and that are not; what is made of them.

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::time::Timestamp;

use super::*;
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::{LoggedStore, StoreOptions, testing};
use crate::store::redb::NewStore;
use crate::store::{Append, Direction, LogFilter, Store};

fn event(n: u64) -> Append {
    let mut event = NewEvent::new("Happened", json!({"n": n, "text": "x".repeat(50)}));
    event.event_id = Some(format!("event {n}"));
    Append::facts(
        StreamName::new(format!("a-{}", n % 7)).unwrap(),
        ExpectedRevision::Any,
        vec![event],
        Timestamp::from_micros(1),
    )
}

/// A store in memory, of which a part is sealed and a part is not.
fn store(events: u64) -> LoggedStore {
    let store = testing::open(&SimulatedDisk::default(), NewStore::WhereNothingIsLeft, 16);
    let store = store.unwrap();
    for n in 1..=events {
        testing::wait(store.append(event(n))).unwrap();
    }
    store
}

fn taken(store: &dyn Store) -> Vec<u8> {
    let mut backup = store.backup(Timestamp::from_micros(7)).unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = backup.next().unwrap() {
        bytes.extend(piece);
    }
    bytes
}

fn looked_at(bytes: &[u8]) -> Result<Checked, BackupError> {
    check(bytes, &mut |_| {})
}

#[test]
fn a_backup_is_of_the_moment_when_it_was_begun() {
    let store = store(100);
    let mut backup = store.backup(Timestamp::from_micros(7)).unwrap();
    let mut bytes = backup.next().unwrap().unwrap();
    let at_once = taken(&store);
    // Writes go on, and are sealed.
    for n in 101..300 {
        testing::wait(store.append(event(n))).unwrap();
    }
    while let Some(piece) = backup.next().unwrap() {
        bytes.extend(piece);
    }
    assert!(bytes == at_once);
    let checked = looked_at(&bytes).unwrap();
    assert_eq!(checked.header.position, 100);
    assert_eq!(checked.header.store_id, store.id().to_string());
    assert_eq!(checked.bytes, bytes.len() as u64);
    let segments = checked
        .end
        .parts
        .iter()
        .find(|part| part.name == "segments");
    assert!(segments.unwrap().records > 0, "a part of it was sealed");
    let log = checked.end.parts.iter().find(|part| part.name == "log");
    assert!(log.unwrap().records > 0, "a part of it was not");
}

#[test]
fn a_restored_store_is_the_one_that_was_backed_up() {
    let store = store(100);
    let bytes = taken(&store);
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("restored");
    let restored = restore(&bytes[..], &directory, &mut |_| {}).unwrap();
    assert_eq!(restored.backup.header.position, 100);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
    let again = LoggedStore::open(&directory, StoreOptions::Durable).unwrap();
    assert_eq!(again.id(), store.id());
    let (one, other) = (store.stats().unwrap(), again.stats().unwrap());
    assert_eq!((one.head, one.head_hash), (other.head, other.head_hash));
    let log = |store: &LoggedStore| {
        let view = store.view().unwrap();
        let filter = LogFilter::default();
        let page = view.log(&filter, Some(Position(1)), Direction::Forward, 1000, 5000);
        page.unwrap().events
    };
    assert_eq!(log(&store), log(&again));
    // Both go on alike.
    for store in [&store, &again] {
        testing::wait(store.append(event(101))).unwrap();
    }
    assert_eq!(
        store.stats().unwrap().head_hash,
        again.stats().unwrap().head_hash
    );
    // A backup of what was restored is again one.
    assert_eq!(looked_at(&taken(&again)).unwrap().header.position, 101);
}

#[test]
fn an_empty_store_is_backed_up_and_restored() {
    let bytes = taken(&store(0));
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("restored");
    restore(&bytes[..], &directory, &mut |_| {}).unwrap();
    let again = LoggedStore::open(&directory, StoreOptions::Durable).unwrap();
    assert_eq!(again.stats().unwrap().head, Head::default());
}

/// However a backup is changed, it is not taken for one: cut anywhere, a flipped bit anywhere, a block of it left out, twice or
/// in another place, one of another store, something behind it.
#[test]
fn a_damaged_backup_is_refused() {
    let bytes = taken(&store(60));
    let refused = |bytes: &[u8], how: &str| {
        assert!(looked_at(bytes).is_err(), "{how}");
    };
    for at in 0..bytes.len() {
        refused(&bytes[..at], "cut");
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped, &format!("flipped at {at}"));
    }
    let mut more = bytes.clone();
    more.push(0);
    refused(&more, "more behind it");
    let other = taken(&store(60));
    // Ids differ from store to store, so the two need not be of one length.
    let head = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let line = head(&bytes);
    let mut mixed = bytes[..line].to_vec();
    mixed.extend(&other[head(&other)..]);
    refused(&mixed, "another's blocks");
    // Blocks of the same backup: a header line, then each up to its end.
    let mut blocks = Vec::new();
    let mut rest = &bytes[line..];
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[2..6].try_into().unwrap()) as usize + 26;
        let (block, after) = rest.split_at(length);
        blocks.push(block);
        rest = after;
    }
    let joined = |blocks: &[&[u8]]| [&bytes[..line], &blocks.concat()].concat();
    assert!(looked_at(&joined(&blocks)).is_ok());
    for at in 0..blocks.len() {
        let mut without = blocks.clone();
        without.remove(at);
        refused(&joined(&without), "a block is missing");
        let mut twice = blocks.clone();
        twice.insert(at, blocks[at]);
        refused(&joined(&twice), "a block is there twice");
        if at > 0 {
            let mut swapped = blocks.clone();
            swapped.swap(at - 1, at);
            refused(&joined(&swapped), "two blocks are swapped");
        }
    }
}

#[test]
fn a_restore_writes_over_nothing_and_leaves_no_store_when_it_fails() {
    let bytes = taken(&store(60));
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("own"), "mine").unwrap();
    let put_back = |bytes: &[u8]| restore(bytes, &directory, &mut |_| {});
    let error = put_back(&bytes).unwrap_err();
    assert!(matches!(error, BackupError::InTheWay { .. }), "{error}");
    assert_eq!(std::fs::read(directory.join("own")).unwrap(), b"mine");
    std::fs::remove_file(directory.join("own")).unwrap();
    // Cut short: the directory stays empty, and what was begun has a name that says so.
    let error = put_back(&bytes[..bytes.len() - 9]).unwrap_err();
    assert!(matches!(error, BackupError::CutShort { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    assert!(folder.path().join("data.restoring").is_dir());
    // The next one begins again, in an empty directory too.
    put_back(&bytes).unwrap();
    assert!(!folder.path().join("data.restoring").exists());
    let error = put_back(&bytes).unwrap_err();
    assert!(matches!(error, BackupError::InTheWay { .. }), "{error}");
    // A directory of another's with that name is left alone.
    let other = folder.path().join("other");
    std::fs::create_dir(folder.path().join("other.restoring")).unwrap();
    let error = restore(&bytes[..], &other, &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::InTheWay { .. }), "{error}");
    let error = restore(&b"{}\n"[..], &other, &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::NotOne), "{error}");
}

/// A store whose records are not what was written gives no whole backup.
#[test]
fn a_damaged_store_gives_no_whole_backup() {
    let disk = SimulatedDisk::default();
    let open = |disk: &SimulatedDisk| testing::open(disk, NewStore::WhereNothingIsLeft, 16);
    let store = open(&disk).unwrap();
    for n in 1..=60 {
        testing::wait(store.append(event(n))).unwrap();
    }
    testing::wait(store.close()).unwrap();
    drop(store);
    let files = disk.files();
    let path = std::path::Path::new("/data").join(crate::store::redb::FILE_NAME);
    let (mut whole, mut failed) = (0, 0);
    for at in (8192..files[&path].len()).step_by(1024) {
        let mut files = files.clone();
        files.get_mut(&path).unwrap()[at] ^= 0x40;
        let Ok(store) = open(&SimulatedDisk::with_files(&files)) else {
            continue;
        };
        let mut backup = store.backup(Timestamp::from_micros(7)).unwrap();
        let mut bytes = Vec::new();
        let ended = loop {
            match backup.next() {
                Ok(Some(piece)) => bytes.extend(piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let checked = looked_at(&bytes);
        assert_eq!(checked.is_ok(), ended, "flipped at {at}");
        if let Ok(checked) = checked {
            assert_eq!(checked.header.position, 60);
            whole += 1;
        } else {
            assert!(backup.next().unwrap().is_none(), "nothing follows a hole");
            failed += 1;
        }
    }
    assert!(failed > 3 && whole > 3, "{failed} failed, {whole} did not");
}
