//! Stores that are damaged in every way: what is salvaged is what was recorded, and what is not is said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::store::campaigns::cases;
use crate::store::campaigns::damaged_stores::{files as closed_store, moments};
use crate::store::campaigns::damages::damaged;
use crate::store::disk::simulated::Random;

/// What an export says: events by position, decisions by sequence.
#[derive(Debug, Default, PartialEq)]
struct Said {
    events: BTreeMap<u64, Value>,
    decisions: BTreeMap<u64, Value>,
}

fn said(lines: &[u8]) -> Said {
    let mut said = Said::default();
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let line: Value = serde_json::from_slice(line).unwrap();
        if let Some(position) = line["position"].as_u64() {
            said.events.insert(position, line);
        } else if let Some(sequence) = line["decision"]["sequence"].as_u64() {
            let mut decision = line["decision"].clone();
            // Which events tell its place is told as far as they are there.
            for name in ["event_ids", "base_event_id", "base_stream_event_id"] {
                decision.as_object_mut().unwrap().remove(name);
            }
            said.decisions.insert(sequence, decision);
        }
    }
    said
}

/// Puts files into a directory and salvages them; the files stay as they are.
fn salvaged(files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(Said, Salvaged), SalvageError> {
    let folder = tempfile::tempdir().unwrap();
    let place = |path: &Path| folder.path().join(path.strip_prefix("/data").unwrap());
    for (path, bytes) in files {
        let path = place(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let mut lines = Vec::new();
    let found = salvage(folder.path(), &mut lines, &mut |_| {});
    for (path, bytes) in files {
        assert!(
            std::fs::read(place(path)).unwrap() == *bytes,
            "{path:?} is not touched"
        );
    }
    found.map(|found| (said(&lines), found))
}

#[test]
fn an_undamaged_store_is_salvaged_whole() {
    for closed in [true, false] {
        let files = closed_store(closed);
        let (said, found) = salvaged(&files).unwrap();
        assert!(found.is_whole(), "{found:?}");
        assert_eq!(said.events.len() as u64, found.expected_events);
        assert_eq!(said.decisions.len() as u64, found.expected_decisions);
        assert_eq!((found.unproven_events, found.unproven_decisions), (0, 0));
        assert!(
            found.notes.is_empty() && found.streams.is_empty(),
            "{found:?}"
        );
    }
}

/// Every kind of damage to any of the files, at random: nothing that is written out differs from what was recorded, and what is missing is
/// counted: written and missing make up the whole.
#[test]
fn what_is_salvaged_is_what_was_recorded() {
    let (files, older) = moments();
    let (truth, whole) = salvaged(&files).unwrap();
    let (mut complete, mut partial) = (0, 0);
    for seed in 0..cases("WHODUNIT_SALVAGES", 200) {
        let mut damaged_files = files.clone();
        let mut random = Random::new(seed);
        let Some(how) = damaged(&mut random, &mut damaged_files, &older) else {
            continue;
        };
        let case = format!("seed {seed}, {how}");
        let (said, found) = match salvaged(&damaged_files) {
            Ok(found) => found,
            Err(error) => panic!("{case}: {error}"),
        };
        for (position, event) in &said.events {
            assert_eq!(Some(event), truth.events.get(position), "{case}");
        }
        for (sequence, decision) in &said.decisions {
            assert_eq!(Some(decision), truth.decisions.get(sequence), "{case}");
        }
        let lost = survey::count(&found.missing_events) + survey::count(&found.altered_events);
        assert_eq!(said.events.len() as u64 + lost, found.expected_events);
        let lost_decisions =
            survey::count(&found.missing_decisions) + survey::count(&found.altered_decisions);
        assert_eq!(
            said.decisions.len() as u64 + lost_decisions,
            found.expected_decisions
        );
        let placed: u64 = found
            .streams
            .iter()
            .map(|own| survey::count(&own.revisions))
            .sum();
        assert_eq!(placed + found.unplaced_events, lost, "{case}");
        let has_all = found.has_all()
            && (found.expected_events, found.expected_decisions)
                == (whole.expected_events, whole.expected_decisions);
        if has_all {
            complete += 1;
        } else {
            assert!(!found.is_whole(), "{case}: {found:?}");
            partial += 1;
        }
    }
    assert!(
        complete > 10 && partial > 10,
        "{complete} whole, {partial} in part"
    );
}

/// The table's own pages may be lost: segments are found without them.
#[test]
fn segments_are_found_without_the_engines_own_pages() {
    let files = closed_store(true);
    let (_, whole) = salvaged(&files).unwrap();
    let path = Path::new("/data").join(FILE_NAME);
    let mut damaged = files;
    let bytes = damaged.get_mut(&path).unwrap();
    // The engine's header, and our own with the store's id.
    bytes[..4096].fill(0);
    let (said, found) = salvaged(&damaged).unwrap();
    assert_eq!(said.events.len() as u64, whole.expected_events);
    assert!(
        found.notes.iter().any(|note| note.contains("header")),
        "{found:?}"
    );
    // Nothing is left that says which store it was.
    damaged.retain(|own, _| *own == path);
    let error = salvaged(&damaged).unwrap_err();
    assert!(matches!(error, SalvageError::NoStore { .. }), "{error}");
    let nothing = BTreeMap::new();
    assert!(matches!(
        salvaged(&nothing),
        Err(SalvageError::NoStore { .. })
    ));
}
