//! A disk that stalls in the middle of a commit.

use std::io;
use std::sync::{Condvar, mpsc};
use std::time::Duration;

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, StreamName};

use super::testing::{open, wait};
use super::*;
use crate::store::disk::{DiskFile, Identity, Open};

fn fact(id: &str) -> Append {
    let mut event = NewEvent::new("Happened", json!({}));
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

/// A disk in memory whose syncs wait at a gate.
#[derive(Debug, Clone)]
struct StallingDisk(MemoryDisk, Arc<Gate>);

#[derive(Debug)]
struct StallingFile(Arc<dyn DiskFile>, Arc<Gate>);

impl Disk for StallingDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.open(path, how)?;
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
    let disk = StallingDisk(MemoryDisk::default(), Arc::clone(&gate));
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
