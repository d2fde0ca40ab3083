//! Branches over a restart, a power cut, and damage.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use whodunit_core::api::what_if::{Causes, DropEdit, Edit};
use whodunit_core::branch::{Branch, Layer, LayerBase, LogPoint};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::{Branches, BranchesError, IfThere};
use crate::limits::BRANCHES_MAX;
use crate::store::StoreId;
use crate::store::disk::simulated::{Faults, Random, SimulatedDisk};
use crate::store::disk::{Disk, MemoryDisk};

const STORE: StoreId = StoreId([7; 16]);

fn branch(name: &str) -> Branch {
    let stream = StreamName::new("user-1").unwrap();
    let at = Timestamp::from_micros(1);
    Branch {
        name: name.to_owned(),
        revision: 1,
        stream: stream.clone(),
        note: Some("what for".to_owned()),
        actor: None,
        created_at: at,
        changed_at: at,
        on: None,
        layers: vec![Layer {
            stream,
            base: LayerBase {
                revision: Revision(1),
                position: Position(1),
                at,
                before_decision: None,
                after_decision: Some(1),
            },
            edits: vec![Edit::Drop(DropEdit {
                revision: Revision(1),
            })],
            actions: Vec::new(),
        }],
        causes: Causes::default(),
        password_correct: None,
        log: LogPoint {
            store_id: STORE.to_string(),
            position: Position(1),
            decision: 1,
            head_hash: None,
            event_hash: None,
            decision_hash: None,
        },
        rules: BTreeMap::new(),
    }
}

fn open(disk: &Arc<dyn Disk>) -> Branches {
    Branches::open(disk, Some(Path::new("/data")), STORE)
}

fn names(branches: &Branches) -> Vec<(String, u64)> {
    let found = branches.find(None, usize::MAX).unwrap();
    let named = found.branches.into_iter();
    named.map(|branch| (branch.name, branch.revision)).collect()
}

fn now() -> Timestamp {
    Timestamp::from_micros(9)
}

#[test]
fn branches_are_there_again_as_they_were() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let branches = open(&disk);
    for name in ["a", "b", "c"] {
        branches.keep(branch(name), IfThere::Refuse).unwrap();
    }
    let again = branches.keep(branch("a"), IfThere::Refuse);
    assert!(matches!(again, Err(BranchesError::Exists(name)) if name == "a"));
    branches.keep(branch("a"), IfThere::Replace).unwrap();
    let renamed = |branch: &mut Branch| "d".clone_into(&mut branch.name);
    branches.change("b", now(), renamed).unwrap();
    let taken = branches.change("c", now(), renamed);
    assert!(matches!(taken, Err(BranchesError::Exists(_))));
    branches.remove("c").unwrap();
    let gone = branches.remove("c");
    assert!(matches!(gone, Err(BranchesError::NotFound(_))));
    let there = [("a".to_owned(), 2), ("d".to_owned(), 2)];
    assert_eq!(names(&branches), there);
    assert_eq!(names(&open(&disk)), there);
    // A change that changes nothing is none.
    assert_eq!(branches.change("a", now(), |_| {}).unwrap().revision, 2);
    let other = Branches::open(&disk, Some(Path::new("/data")), StoreId([8; 16]));
    let why = other.find(None, 1).unwrap_err().to_string();
    assert!(why.contains("belongs to store"), "{why}");
}

#[test]
fn there_is_room_for_so_many() {
    let branches = Branches::open(
        &(Arc::new(MemoryDisk::default()) as Arc<dyn Disk>),
        None,
        STORE,
    );
    for number in 0..BRANCHES_MAX {
        let one = branch(&format!("b{number}"));
        branches.keep(one, IfThere::Refuse).unwrap();
    }
    let more = branches.keep(branch("more"), IfThere::Refuse);
    assert!(matches!(more, Err(BranchesError::Full)));
    branches.keep(branch("b0"), IfThere::Replace).unwrap();
}

#[test]
fn an_acknowledged_branch_survives_a_power_cut_at_any_operation() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let simulated = SimulatedDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        disk.make_directory(Path::new("/data")).unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        let branches = open(&disk);
        simulated.set_faults(Faults {
            power_for: Some(seed % 40),
            ..Faults::default()
        });
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        // What was under way when the power went may be there or not.
        let mut maybe = None;
        for number in 0..12 {
            let name = format!("b{}", number % 5);
            let after = if number % 4 == 3 {
                branches.remove(&name).map(|_| None)
            } else {
                branches
                    .keep(branch(&name), IfThere::Replace)
                    .map(|kept| Some(kept.revision))
            };
            match after {
                Ok(Some(revision)) => drop(there.insert(name, revision)),
                Ok(None) => drop(there.remove(&name)),
                Err(BranchesError::NotFound(_)) => {}
                Err(_) => {
                    maybe = Some(name);
                    break;
                }
            }
        }
        let disk: Arc<dyn Disk> = Arc::new(simulated.cut(&mut random));
        let known = |names: Vec<(String, u64)>| -> BTreeMap<String, u64> {
            let names = names.into_iter();
            names
                .filter(|(name, _)| maybe.as_ref() != Some(name))
                .collect()
        };
        let found = known(names(&open(&disk)));
        assert_eq!(found, known(there.into_iter().collect()), "seed {seed}");
    }
}
