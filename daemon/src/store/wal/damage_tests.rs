//! Damage: files that were changed, cut, swapped or brought back are found out, or harm nothing. Never is a part of the log
//! left out in silence, and never does reading panic.

use super::format::Header;
use super::scan::scan;
use super::tests::{file, filled, names as file_names, payloads, some};
use super::*;
use crate::store::disk::Disk;
use crate::store::disk::simulated::{Random, SimulatedDisk};

/// A disk of its own with the same files.
fn copy(disk: &SimulatedDisk) -> SimulatedDisk {
    SimulatedDisk::with_files(&disk.files())
}

fn bytes_of(disk: &SimulatedDisk, name: &str) -> Vec<u8> {
    disk.files()[&file(name)].clone()
}

/// Reads a log that was damaged: all of it, or an error.
fn all_or_error(disk: &SimulatedDisk, written: &[Vec<u8>], what: &str) -> bool {
    match payloads(disk, Place::START) {
        Ok(found) => {
            assert_eq!(found, written, "{what}");
            false
        }
        Err(_) => true,
    }
}

#[test]
fn a_changed_byte_is_found_or_harms_nothing() {
    let mut random = Random::new(11);
    let written = some(&mut random, 30, 1_200);
    let (disk, wal, _) = filled(&written);
    drop(wal);
    let mut found = 0;
    for seed in 0..2_000 {
        let disk = copy(&disk);
        let names = file_names(&disk);
        let name = &names[random.index(names.len())];
        let length = bytes_of(&disk, name).len();
        let (at, bits) = (random.index(length), 1 + random.below(255));
        let bits = if seed % 2 == 0 {
            1 << random.below(8)
        } else {
            u8::try_from(bits).unwrap()
        };
        disk.tamper(&file(name), |bytes| bytes[at] ^= bits);
        found += usize::from(all_or_error(&disk, &written, &format!("{name} at {at}")));
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn a_changed_byte_of_the_last_frame_is_no_torn_write() {
    let written = vec![vec![1; 300], vec![2; 1_500]];
    let (disk, wal, places) = filled(&written);
    drop(wal);
    let start = usize::try_from(places[1].sector).unwrap() * SECTOR;
    for at in start..start + 4 * SECTOR {
        let disk = copy(&disk);
        disk.tamper(&file("wal-00000001"), |bytes| bytes[at] ^= 16);
        assert!(all_or_error(&disk, &written, "one byte"), "at {at}");
    }
}

#[test]
fn a_frame_that_is_missing_before_a_whole_one_is_found() {
    let written: Vec<_> = (0..12).map(|n| vec![n; 700]).collect();
    let (disk, wal, places) = filled(&written);
    drop(wal);
    for (lost, place) in places.iter().enumerate().take(11) {
        let disk = copy(&disk);
        let from = usize::try_from(place.sector).unwrap() * SECTOR;
        disk.tamper(&file(&format!("wal-{:08}", place.file)), |bytes| {
            bytes[from..from + 2 * SECTOR].fill(0);
        });
        assert!(all_or_error(&disk, &written, "zeros"), "frame {lost}");
    }
}

#[test]
fn files_cut_swapped_removed_or_of_an_older_moment_are_found() {
    let mut random = Random::new(12);
    let written = some(&mut random, 40, 1_200);
    let (early, wal, _) = filled(&written[..20]);
    drop(wal);
    let (disk, wal, _) = filled(&written);
    drop(wal);
    let names = file_names(&disk);
    let last = names.len() - 1;
    for (index, name) in names.iter().enumerate() {
        for length in [0, 100, SECTOR, 3 * SECTOR, 15 * SECTOR + 511] {
            let disk = copy(&disk);
            disk.tamper(&file(name), |bytes| bytes.truncate(length));
            assert!(all_or_error(&disk, &written, "cut"), "{name} to {length}");
        }
        let removed = copy(&disk);
        removed.remove(&file(name)).unwrap();
        let found = all_or_error_but(&removed, &written, index == last);
        assert!(found || index == last, "{name} removed");
        // Two sectors swapped.
        let swapped = copy(&disk);
        swapped.tamper(&file(name), |bytes| {
            let (one, other) = bytes.split_at_mut(5 * SECTOR);
            one[SECTOR..2 * SECTOR].swap_with_slice(&mut other[..SECTOR]);
        });
        // The last frame alone may move to where nothing was written: as if its write had never been.
        let found = all_or_error_but(&swapped, &written, index == last);
        assert!(found || index == last, "{name} swapped");
        if index < last && file_names(&early).contains(name) {
            let before = bytes_of(&early, name);
            let now = bytes_of(&disk, name);
            let brought_back = copy(&disk);
            brought_back.tamper(&file(name), |bytes| *bytes = before.clone());
            let found = all_or_error(&brought_back, &written, "older");
            assert_eq!(found, before != now, "{name} brought back");
        }
    }
}

/// What is gone of the last file takes its frames with it: nothing in the log says that there were any. What was
/// acknowledged is noted beside the store.
fn all_or_error_but(disk: &SimulatedDisk, written: &[Vec<u8>], last: bool) -> bool {
    match payloads(disk, Place::START) {
        Ok(found) => {
            assert!(last && written.starts_with(&found));
            false
        }
        Err(_) => true,
    }
}

#[test]
fn a_log_behind_what_was_sealed_is_found() {
    let written: Vec<_> = (0..9).map(|n| vec![n; 500]).collect();
    let (early, wal, _) = filled(&written[..4]);
    drop(wal);
    let (_, wal, places) = filled(&written);
    drop(wal);
    for sealed in places.into_iter().skip(4) {
        assert!(payloads(&early, sealed).is_err(), "{sealed:?}");
    }
}

#[test]
fn old_frames_under_a_new_header_are_not_read() {
    let written: Vec<_> = (0..8).map(|n| vec![n; 400]).collect();
    let (disk, wal, _) = filled(&written);
    drop(wal);
    // As a disk would leave it that says that zeros are written, and only the header is.
    let header = Header {
        store: [7; 16],
        number: 1,
        sectors: 16,
        salt: 100,
    };
    disk.tamper(&file("wal-00000001"), |bytes| {
        bytes[..SECTOR].copy_from_slice(&header.encode());
    });
    assert!(payloads(&disk, Place::START).is_err());
}

#[test]
fn no_bytes_make_reading_panic() {
    let mut random = Random::new(13);
    let header = Header {
        store: [7; 16],
        number: 1,
        sectors: 16,
        salt: 99,
    };
    let codec = Codec::new(&header);
    let (disk, wal, _) = filled(&some(&mut Random::new(14), 12, 900));
    drop(wal);
    let whole = bytes_of(&disk, "wal-00000001");
    for _ in 0..3_000 {
        let mut bytes = match random.index(3) {
            0 => {
                let length = random.index(4_000);
                random.bytes(length)
            }
            // A frame that is said to be of any length.
            1 => {
                let mut bytes = whole.clone();
                let length = random.next().to_le_bytes();
                bytes[SECTOR + 4..SECTOR + 8].copy_from_slice(&length[..4]);
                bytes
            }
            _ => whole.clone(),
        };
        for _ in 0..random.index(20) {
            if !bytes.is_empty() {
                let at = random.index(bytes.len());
                bytes[at] = random.next().to_le_bytes()[0];
            }
        }
        bytes.truncate(random.index(bytes.len() + 1));
        assert_ne!(Header::decode(&bytes), Ok(Header { salt: 1, ..header }));
        let scanned = scan(codec, &bytes, random.index(20), Some(random.next()));
        assert!(scanned.frames.len() <= 12);
        disk.tamper(&file("wal-00000001"), |file| *file = bytes);
        drop(payloads(&disk, Place::START));
    }
}
