//! Notes over a restart, a power cut, and damage.

use std::path::Path;
use std::sync::Arc;

use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::note::Note;
use whodunit_core::search::Search;
use whodunit_core::time::Timestamp;

use super::{FILE_NAME, Notes, NotesError, Wanted};
use crate::limits::NOTES_MAX;
use crate::store::StoreId;
use crate::store::disk::simulated::{Faults, Random, SimulatedDisk};
use crate::store::disk::{Disk, MemoryDisk, Open};

const STORE: StoreId = StoreId([7; 16]);

fn note(number: usize) -> Note {
    Note {
        note_id: format!("n-{number}"),
        stream: StreamName::new(format!("user-{}", number % 3)).unwrap(),
        revision: Some(Revision(1)),
        event_id: Some(format!("e-{number}")),
        actor: "ann".to_owned(),
        written_at: Timestamp::from_micros(i64::try_from(number).unwrap()),
        text: format!("Note {number}\nof the Übergabe"),
    }
}

fn open(disk: &Arc<dyn Disk>) -> Notes {
    Notes::open(disk, Some(Path::new("/data")), STORE)
}

fn ids(notes: &Notes) -> Vec<String> {
    let (all, _) = notes.all().unwrap();
    all.into_iter().map(|note| note.note_id).collect()
}

fn bytes(disk: &Arc<dyn Disk>) -> Vec<u8> {
    let file = disk
        .open(&Path::new("/data").join(FILE_NAME), Open::Existing)
        .unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn notes_are_there_again_and_removed_ones_leave_no_text() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let notes = open(&disk);
    for number in 0..5 {
        assert!(notes.add(note(number)).unwrap().1);
    }
    // The same again adds nothing, whatever the clock says; another of the same id is refused.
    let later = Note {
        written_at: Timestamp::from_micros(99),
        ..note(2)
    };
    assert_eq!(notes.add(later).unwrap(), (note(2), false));
    let other = Note {
        text: "other".to_owned(),
        ..note(2)
    };
    assert!(matches!(notes.add(other), Err(NotesError::Conflict(_))));
    let notes = open(&disk);
    assert_eq!(ids(&notes), ["n-0", "n-1", "n-2", "n-3", "n-4"]);
    assert_eq!(notes.remove("n-3").unwrap(), Some(note(3)));
    assert_eq!(notes.remove("n-3").unwrap(), None);
    assert!(!String::from_utf8(bytes(&disk)).unwrap().contains("Note 3"));
    let notes = open(&disk);
    assert_eq!(ids(&notes), ["n-0", "n-1", "n-2", "n-4"]);
    // Newest first, page by page.
    let wanted = Wanted {
        text: Search::new("ÜBERGABE"),
        ..Wanted::default()
    };
    let page = notes.find(&wanted, None, 3).unwrap();
    let first: Vec<_> = page
        .notes
        .iter()
        .map(|note| note.note_id.as_str())
        .collect();
    assert_eq!(
        (first.as_slice(), page.all),
        (["n-4", "n-2", "n-1"].as_slice(), 4)
    );
    let rest = notes.find(&wanted, page.next, 3).unwrap();
    assert_eq!((rest.notes[0].note_id.as_str(), rest.next), ("n-0", None));
    let of_stream = Wanted {
        stream: Some(note(1).stream),
        ..Wanted::default()
    };
    assert_eq!(notes.find(&of_stream, None, 9).unwrap().notes.len(), 2);
}

#[test]
fn an_acknowledged_note_survives_a_power_cut_at_any_operation() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let simulated = SimulatedDisk::default();
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        disk.make_directory(Path::new("/data")).unwrap();
        disk.sync_directory(Path::new("/")).unwrap();
        let notes = open(&disk);
        simulated.set_faults(Faults {
            power_for: Some(seed % 40),
            ..Faults::default()
        });
        let mut there: Vec<String> = Vec::new();
        let mut maybe = None;
        for number in 0..12 {
            let (id, removes) = (format!("n-{number}"), number % 5 == 4);
            match notes.add(note(number)) {
                Ok(_) => there.push(id),
                Err(_) => {
                    maybe = Some(id);
                    break;
                }
            }
            if removes {
                let id = there.remove(0);
                if notes.remove(&id).is_err() {
                    maybe = Some(id);
                    break;
                }
            }
        }
        let disk: Arc<dyn Disk> = Arc::new(simulated.cut(&mut random));
        let notes = open(&disk);
        let (found, damaged) = notes
            .all()
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found: Vec<String> = found.into_iter().map(|note| note.note_id).collect();
        let missing: Vec<_> = there.iter().filter(|id| !found.contains(id)).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?} of {found:?}");
        let known = |id: &&String| there.contains(id) || maybe.as_ref() == Some(*id);
        assert!(found.iter().all(|id| known(&id)), "seed {seed}: {found:?}");
        assert!(damaged <= 1, "seed {seed}");
        notes.add(note(100)).unwrap();
        assert!(
            ids(&open(&disk)).contains(&"n-100".to_owned()),
            "seed {seed}"
        );
    }
}

#[test]
fn damage_is_counted_and_kept_and_a_foreign_file_is_not_touched() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let notes = open(&disk);
    for number in 0..3 {
        notes.add(note(number)).unwrap();
    }
    let whole = bytes(&disk);
    let path = Path::new("/data").join(FILE_NAME);
    let at = whole.windows(6).position(|part| part == b"Note 1").unwrap();
    let file = disk.open(&path, Open::Existing).unwrap();
    file.write_at(at as u64, b"N0te").unwrap();
    let notes = open(&disk);
    assert_eq!((ids(&notes).len(), notes.all().unwrap().1), (2, 1));
    notes.remove("n-0").unwrap();
    assert!(String::from_utf8(bytes(&disk)).unwrap().contains("N0te 1"));
    assert_eq!(open(&disk).all().unwrap().1, 1);
    // Of another store: nothing is read, and nothing is written.
    let before = bytes(&disk);
    let other = Notes::open(&disk, Some(Path::new("/data")), StoreId([8; 16]));
    let Err(NotesError::Unusable(why)) = other.add(note(9)) else {
        panic!("taken");
    };
    assert!(
        why.contains(&STORE.to_string()) && why.contains(&StoreId([8; 16]).to_string()),
        "{why}"
    );
    assert_eq!(bytes(&disk), before);
}

#[test]
fn there_is_a_bound() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    let notes = Notes::open(&disk, None, STORE);
    for number in 0..NOTES_MAX {
        notes.add(note(number)).unwrap();
    }
    assert!(matches!(notes.add(note(NOTES_MAX)), Err(NotesError::Full)));
    notes.remove("n-0").unwrap();
    notes.add(note(NOTES_MAX)).unwrap();
}
