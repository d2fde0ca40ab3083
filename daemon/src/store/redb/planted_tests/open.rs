//! A store that is open: what is damaged under it, and what is written beside a verification.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use whodunit_core::api::verify::VerifyCode;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::{Building, assert_found, models, name, open, quick, sound, sound_files, verified};
use crate::store::disk::Disk;
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::testing::{tuning, wait};
use crate::store::engine::{LoggedStore, NewStore, StoreOptions};
use crate::store::{Append, Scope, Store as _, StoreError};
use crate::verify::verify;

/// A store whose end is not sealed.
fn with_a_tail(disk: &SimulatedDisk) -> LoggedStore {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let how = (StoreOptions::Durable, NewStore::WhereNothingIsLeft);
    LoggedStore::open_with(&disk, Path::new("/data"), how, tuning(1_000)).unwrap()
}

fn building(store: LoggedStore) -> Building {
    Building {
        store,
        models: models(),
        states: std::collections::BTreeMap::new(),
        clock: 1_742_000_000_000_000,
    }
}

#[test]
fn what_is_not_sealed_yet_is_verified_too() {
    let disk = SimulatedDisk::default();
    let mut building = building(with_a_tail(&disk));
    sound(&mut building);
    let out = verified(&building.store);
    assert_eq!(out.counts.len(), 1, "{:#?}", out.findings);
    assert!(out.checked.frames > 0 && out.checked.segments == 0);
    assert_eq!((out.checked.events, out.checked.keys), (18, 7));
    assert_eq!(quick(&building.store).findings_total, 0);
    // A decision that was not decided where it says.
    let mut wrong = building.planned("user-3", vec![super::event("UserSuspended", json!({}))]);
    wrong.decision = Some(building.decision("user-3", "command-9"));
    wrong.decision.as_mut().unwrap().base_revision.0 = 7;
    building.append(wrong);
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::DecisionWrong, "");
}

#[test]
fn a_frame_that_is_damaged_under_an_open_store_is_found() {
    let disk = SimulatedDisk::default();
    let mut building = building(with_a_tail(&disk));
    sound(&mut building);
    let files = disk.files();
    let log: Vec<&PathBuf> = files
        .keys()
        .filter(|path| path.to_string_lossy().contains("/log/wal-0"))
        .collect();
    disk.tamper(log[0], |bytes| bytes[512 + 100] ^= 1);
    let out = verified(&building.store);
    assert_found(&out, VerifyCode::FrameUnreadable, "");
    assert_eq!(out.findings[0].place.file.as_deref(), Some("wal-00000001"));
    assert!(!out.ok);
    // Every answer is still right: it is in memory.
    assert_eq!(out.errors, 1, "{:#?}", out.findings);
}

#[test]
fn the_note_of_what_was_acknowledged_is_looked_at() {
    let disk = SimulatedDisk::with_files(&sound_files());
    let store = open(&disk);
    disk.tamper(Path::new("/data/events.head"), |bytes| bytes[30] ^= 1);
    let out = verified(&store);
    assert_found(&out, VerifyCode::HeadNoteWrong, "");
    assert!(out.ok);
}

#[test]
fn a_page_that_is_damaged_on_disk_and_still_in_memory_is_a_warning() {
    let disk = SimulatedDisk::with_files(&sound_files());
    let store = open(&disk);
    assert_eq!(verified(&store).warnings, 0);
    disk.tamper(Path::new("/data/events.redb"), |bytes| {
        let pages = (bytes.len() - 4096) / 4112;
        for page in 0..pages {
            bytes[4096 + page * 4112 + 7] ^= 1;
        }
    });
    let out = verified(&store);
    assert_found(&out, VerifyCode::PageUnreadable, "");
    assert!(out.warnings > 0);
}

#[test]
fn a_verification_beside_a_writer_finds_nothing() {
    let disk = SimulatedDisk::default();
    let store = {
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let how = (StoreOptions::Durable, NewStore::WhereNothingIsLeft);
        // With threads, as a daemon has them.
        let tuning = crate::store::engine::Tuning {
            threads: true,
            ..tuning(20)
        };
        LoggedStore::open_with(&disk, Path::new("/data"), how, tuning).unwrap()
    };
    let (store, done) = (Arc::new(store), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..600_i64 {
                let event = NewEvent::new("Changed", json!({"n": n, "text": "x".repeat(200)}));
                let append = Append {
                    fresh_ids: vec![format!("event-{n}")],
                    ..Append::facts(
                        name(&format!("order-{}", n % 7)),
                        ExpectedRevision::Any,
                        vec![event],
                        Timestamp::from_micros(n),
                    )
                };
                wait(store.append(append)).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let (mut verifications, mut last) = (0, false);
        while !last {
            last = done.load(Ordering::SeqCst);
            let out = verified(store.as_ref());
            assert_eq!(out.findings, [], "at position {}", out.head);
            verifications += 1;
        }
        assert!(verifications > 1);
    });
}

#[test]
fn a_verification_ends_when_it_is_stopped() {
    let store = open(&SimulatedDisk::with_files(&sound_files()));
    // At every phase on its own.
    let mut phases = Vec::new();
    let all = |store: &LoggedStore, stop: &Stop, say: &mut dyn FnMut(&str)| {
        verify(store, &models(), Scope::All, stop, &mut |at| say(&at.phase))
    };
    all(&store, &Stop::new(), &mut |phase| {
        phases.push(phase.to_owned());
    })
    .unwrap();
    assert!(phases.len() > 8, "{phases:?}");
    for phase in &phases {
        let stop = Stop::new();
        let mut after = 0;
        let done = all(&store, &stop, &mut |now| {
            after += u64::from(stop.is_set());
            if now == phase {
                stop.set();
            }
        });
        let is_last = Some(phase) == phases.last();
        assert!(
            matches!(done, Err(StoreError::Stopped(_))) || is_last,
            "{phase}: {done:?}"
        );
        assert!(after <= 2, "{phase}: it went on for {after} phases");
    }
}
