//! Opening what is damaged, and what another process holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;

use super::*;
use crate::store::disk::simulated::SimulatedDisk;

fn fact(n: u64) -> Append {
    let mut event = NewEvent::new("Happened", json!({"n": n, "text": "x".repeat(100)}));
    event.event_id = Some(format!("event {n}"));
    Append::facts(
        StreamName::new("a-1").unwrap(),
        ExpectedRevision::Any,
        vec![event],
        Timestamp::from_micros(1),
    )
}

/// The files of a store with some history.
async fn store_files() -> BTreeMap<PathBuf, Vec<u8>> {
    let disk = SimulatedDisk::default();
    let store = testing::open(&disk, NewStore::WhereNothingIsLeft, 40).unwrap();
    let appends: Vec<_> = (1..=100).map(|n| store.append(fact(n))).collect();
    for append in appends {
        append.await.unwrap();
    }
    store.close().await.unwrap();
    disk.files()
}

/// Truncated anywhere, a page zeroed, a byte flipped: opening answers, and an error names the file.
#[tokio::test]
async fn a_damaged_file_is_answered_with_an_error_never_a_panic() {
    let files = store_files().await;
    let path = Path::new("/data").join(FILE_NAME);
    let good = &files[&path];
    let cut = [10, 100, 320, 4096, 5000, good.len() / 2, good.len() - 1];
    let mut damaged: Vec<Vec<u8>> = cut.iter().map(|&at| good[..at].to_vec()).collect();
    for page in (0..good.len()).step_by(4096) {
        let mut bytes = good.clone();
        bytes[page..(page + 4096).min(good.len())].fill(0);
        damaged.push(bytes);
        let mut bytes = good.clone();
        bytes[page + 3] ^= 0x55;
        damaged.push(bytes);
    }
    let mut refused = 0;
    for bytes in damaged {
        let mut files = files.clone();
        files.insert(path.clone(), bytes);
        let disk = SimulatedDisk::with_files(&files);
        if let Err(error) = testing::open(&disk, NewStore::WhereNothingIsLeft, 40) {
            refused += 1;
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let text = format!("{error}: {}", cause.unwrap_or_default());
            assert!(text.contains(FILE_NAME), "{text}");
        }
    }
    assert!(refused > 10, "only {refused} were refused");
}

#[test]
fn directories_are_made_and_a_file_in_their_place_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let deep = directory.path().join("a/b/c");
    drop(LoggedStore::open(&deep, StoreOptions::Durable).unwrap());
    assert!(deep.join(FILE_NAME).is_file());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&deep).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}: others may look into it");
    }

    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let error = LoggedStore::open(&file.join("data"), StoreOptions::Durable).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("file"), "{cause}");
}

/// Set for the process that the next test starts: the directory that it must not get.
const HELD: &str = "WHODUNIT_TEST_HELD_DIRECTORY";

#[test]
fn another_process_is_refused() {
    if let Some(held) = std::env::var_os(HELD) {
        let error = LoggedStore::open(Path::new(&held), StoreOptions::Durable).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let _store = LoggedStore::open(directory.path(), StoreOptions::Durable).unwrap();
    let name = format!("{}::another_process_is_refused", module_path!());
    let (_, name) = name.split_once("::").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(HELD, directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "the other process ran: {text}");
}
