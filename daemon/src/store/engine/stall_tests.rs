//! A disk that stalls in the middle of a commit, or of a sealing.

use std::io;
use std::sync::{Condvar, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};

use super::testing::{open, wait};
use super::*;
use crate::store::disk::simulated::{Faults, SimulatedDisk};
use crate::store::disk::{DiskFile, Identity, Open};

fn fact(id: &str) -> Append {
    fact_of(id, 0)
}

/// An event with a text of this many bytes.
fn fact_of(id: &str, bytes: usize) -> Append {
    let mut event = NewEvent::new("Happened", json!({"text": "x".repeat(bytes)}));
    event.event_id = Some(id.to_owned());
    let stream = StreamName::new("order-1").unwrap();
    Append::facts(
        stream,
        ExpectedRevision::Any,
        vec![event],
        Timestamp::from_micros(1),
    )
}

/// Whether syncs wait, and how many do.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<(bool, u32)>,
    changed: Condvar,
}

impl Gate {
    fn close(&self, closed: bool) {
        self.state.lock().unwrap().0 = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.0).unwrap();
        state.1 -= 1;
    }

    fn until_one_waits(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.1 == 0)
                .unwrap(),
        );
    }
}

/// A disk in memory. The syncs of its files, or of the one of this name, wait at a gate.
#[derive(Debug, Clone)]
struct StallingDisk<D>(D, Arc<Gate>, Option<&'static str>);

#[derive(Debug)]
struct StallingFile(Arc<dyn DiskFile>, Arc<Gate>);

impl<D: Disk> Disk for StallingDisk<D> {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.open(path, how)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A file that is made has another ending at first.
        if self.2.is_some_and(|gated| !name.starts_with(gated)) {
            return Ok(file);
        }
        Ok(Arc::new(StallingFile(file, Arc::clone(&self.1))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.sync_directory(directory)
    }

    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        self.0.make_directory(directory)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        self.0.identity(path)
    }

    fn reserve_bytes(&self) -> u64 {
        self.0.reserve_bytes()
    }
}

impl DiskFile for StallingFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn identity(&self) -> io::Result<Identity> {
        self.0.identity()
    }

    fn lock(&self) -> io::Result<bool> {
        self.0.lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

/// Health, readiness and lists ask for these: they answer while a disk keeps a commit waiting.
#[test]
fn what_health_says_does_not_wait_for_a_commit() {
    let gate = Arc::new(Gate::default());
    let disk = StallingDisk(MemoryDisk::default(), Arc::clone(&gate), None);
    let store = Arc::new(open(&disk, NewStore::default(), 1_000).unwrap());
    wait(store.append(fact("e1"))).unwrap();
    gate.close(true);
    let writer = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || drop(wait(store.append(fact("e2"))).unwrap()))
    };
    gate.until_one_waits();
    let (said, says) = mpsc::channel();
    let asking = Arc::clone(&store);
    std::thread::spawn(move || {
        let found = asking.view().unwrap().event_by_id("e2").unwrap();
        let answer = (asking.stats().unwrap(), asking.read_only(), found);
        drop(said.send(answer));
    });
    let answer = says.recv_timeout(Duration::from_secs(30));
    gate.close(false);
    writer.join().unwrap();
    let (stats, read_only, found) = answer.expect("an answer before the disk has done");
    assert_eq!(
        (stats.head.position, stats.read_only, read_only),
        (Position(1), None, None)
    );
    assert!(found.is_none(), "what is not durable is not read");
    assert_eq!(store.stats().unwrap().head.position, Position(2));
}

/// A sealing that had begun when a full disk stopped writers gives the log's old files back: with their room writes go on, though
/// nothing else was removed. So a refusal for want of room may be over by the time that its client asks what health says.
#[test]
fn what_is_sealed_behind_a_refused_append_makes_room_for_the_next() {
    const RESERVE: u64 = 2 << 20;
    let (gate, disk) = (Arc::new(Gate::default()), SimulatedDisk::default());
    disk.set_reserve(RESERVE);
    let stalling: Arc<dyn Disk> = Arc::new(StallingDisk(
        disk.clone(),
        Arc::clone(&gate),
        Some(FILE_NAME),
    ));
    let tuning = Tuning {
        sealing: Sealing {
            events: 100,
            bytes: 1 << 30,
            behind: 1_000,
        },
        file_bytes: 32 << 10,
        threads: true,
    };
    let how = (StoreOptions::Durable, NewStore::default());
    let store = LoggedStore::open_with(&stalling, Path::new("/data"), how, tuning).unwrap();
    gate.close(true);
    let mut n = 0;
    let mut append = || {
        n += 1;
        wait(store.append(fact_of(&format!("e{n}"), 10_000)))
    };
    for _ in 0..100 {
        append().unwrap();
    }
    gate.until_one_waits();
    // The sealer is in the middle of it. From here on there is little room.
    disk.set_faults(Faults {
        room: Some(disk.used() + (16 << 10)),
        ..Faults::default()
    });
    let refused = (0..1_000).find_map(|_| append().err());
    let refused = refused.expect("an append that is refused");
    let full = AppendError::Store(StoreError::ReadOnly(ReadOnly::DiskFull));
    assert_eq!(refused.to_string(), full.to_string());
    assert_eq!(store.read_only(), Some(ReadOnly::DiskFull));
    gate.close(false);
    let until = Instant::now() + Duration::from_secs(30);
    while store.read_only().is_some() {
        assert!(Instant::now() < until, "no room was made");
        std::thread::yield_now();
    }
    append().unwrap();
}
