//! Backups of stores under random work, taken at any moment: what is restored of one answers everything as the store did then.
//!
//! Full campaign: `WHODUNIT_BACKUPS=1000 cargo test --release -p whodunit-daemon --lib backups -- --nocapture`.

use super::answers::{Answers, ask};
use super::work::Work;
use super::{cases, close, open};
use crate::store::backup::{Backup, restore};
use crate::store::disk::simulated::{Random, SimulatedDisk};
use crate::store::engine::{LoggedStore, StoreOptions};
use crate::store::{Head, Store};
use whodunit_core::time::Timestamp;

const APPENDS: u64 = 120;

/// A backup under way, and what is true of its moment.
struct Taken {
    source: Box<dyn Backup>,
    bytes: Vec<u8>,
    appends: u64,
    head: Head,
    truth: Answers,
}

impl Taken {
    fn begin(store: &LoggedStore, appends: u64) -> Self {
        let head = *store.head().borrow();
        Self {
            source: store.backup(Timestamp::from_micros(1)).unwrap(),
            bytes: Vec::new(),
            appends,
            head,
            truth: ask(store, appends, head),
        }
    }

    /// Takes one more piece; whether there was one.
    fn go_on(&mut self) -> bool {
        let piece = self.source.next().unwrap();
        self.bytes.extend(piece.iter().flatten());
        piece.is_some()
    }

    fn compare(mut self, seed: u64) {
        while self.go_on() {}
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("restored");
        restore(&self.bytes[..], &directory, &mut |_| {}).unwrap();
        let store = LoggedStore::open(&directory, StoreOptions::Durable).unwrap();
        let answers = ask(&store, self.appends, self.head);
        assert_eq!(answers.len(), self.truth.len());
        for (question, answer) in &self.truth {
            assert_eq!(
                answers.get(question),
                Some(answer),
                "seed {seed}: {question}"
            );
        }
    }
}

#[test]
fn what_is_restored_answers_everything_as_the_store_did_then() {
    for seed in 0..cases("WHODUNIT_BACKUPS", 6) {
        let store = open(&SimulatedDisk::default()).unwrap();
        let (mut work, mut random) = (Work::new(seed, 800), Random::new(seed));
        let mut under_way: Vec<Taken> = Vec::new();
        for number in 0..APPENDS {
            work.append(&store).unwrap();
            if random.below(30) == 0 || number + 1 == APPENDS {
                under_way.push(Taken::begin(&store, work.number));
            }
            // Those under way go on at their own pace, while the log is written and sealed.
            for taken in &mut under_way {
                if random.below(4) == 0 {
                    taken.go_on();
                }
            }
        }
        for taken in under_way {
            taken.compare(seed);
        }
        close(&store);
    }
}
