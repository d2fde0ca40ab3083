//! An index that misses an entry, or has one that it should not have, makes no false answer: what is answered is true, or says that
//! the index is damaged; and a verification finds it.
//!
//! Full campaign: `WHODUNIT_INDEXES=2000 cargo test --release -p whodunit-daemon --lib indexes -- --nocapture`.

use std::collections::BTreeMap;

use super::answers::ask;
use super::damages::{names_a_file, verified};
use super::work::Work;
use super::{cases, close, open};
use crate::store::Store;
use crate::store::disk::simulated::{Random, SimulatedDisk};
use crate::store::redb::tampering::{How, tables, tampered};

const APPENDS: u64 = 60;

/// What came of the entries of a table.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    refused: u64,
    said: u64,
    harmless: u64,
}

#[test]
fn an_index_that_misses_or_invents_an_entry_makes_no_false_answer() {
    let wanted = cases("WHODUNIT_INDEXES", 0);
    if wanted == 0 {
        println!("skipped: set `WHODUNIT_INDEXES`");
        return;
    }
    let disk = SimulatedDisk::default();
    let store = open(&disk).unwrap();
    let mut work = Work::new(2, 300);
    for _ in 0..APPENDS {
        work.append(&store).unwrap();
    }
    let head = *store.head().borrow();
    close(&store);
    drop(store);
    let files = disk.files();
    let truth = {
        let store = open(&SimulatedDisk::with_files(&files)).unwrap();
        ask(&store, APPENDS, head)
    };
    assert!(truth.values().all(Result::is_ok));
    let tables = tables();
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    // Each table at least once each way.
    let least = tables.len() as u64 * 2;
    for case in 0..wanted.max(least) {
        let table = tables[usize::try_from(case / 2).unwrap() % tables.len()];
        let number = Random::new(case).below(1 << 32);
        let how = [How::Miss(number), How::Invent(number)][usize::from(case % 2 == 1)];
        let disk = tampered(&files, table, how);
        let disk = disk.unwrap_or_else(|| panic!("`{table}` has nothing to tamper with"));
        let case = format!("case {case}, {how:?} in `{table}`");
        let count = counts.entry(table).or_default();
        let store = match open(&disk) {
            Ok(store) => store,
            Err(error) => {
                let error = error.with_cause();
                assert!(names_a_file(&error), "{case}: {error}");
                count.refused += 1;
                continue;
            }
        };
        let answers = ask(&store, APPENDS, head);
        let mut said = false;
        for (question, truth) in &truth {
            match answers.get(question).or(answers.get("view")) {
                Some(Err(error)) => {
                    said = true;
                    assert!(error.contains("is damaged"), "{case}: {question}: {error}");
                }
                answer => assert_eq!(answer, Some(truth), "{case}: {question}"),
            }
        }
        assert!(
            !verified(&store, &case).ok,
            "{case}: a verification finds nothing"
        );
        count.said += u64::from(said);
        count.harmless += u64::from(!said);
    }
    println!(
        "{:<24} {:>8} {:>8} {:>8}",
        "", "refused", "said", "harmless"
    );
    for (
        table,
        Counts {
            refused,
            said,
            harmless,
        },
    ) in counts
    {
        println!("{table:<24} {refused:>8} {said:>8} {harmless:>8}");
    }
}
