//! The log as its caller sees it: what is written is read, in files that come and go.

use std::path::{Path, PathBuf};

use super::*;
use crate::store::disk::simulated::{Faults, Random, SimulatedDisk};
use crate::store::disk::{Disk, Open, RealDisk};

/// A file of so many sectors, one of them its header.
pub(super) const SECTORS: usize = 16;

pub(super) fn options() -> WalOptions {
    WalOptions {
        store: [7; 16],
        file_bytes: (SECTORS * SECTOR) as u64,
        ahead: false,
        durable: true,
        salt: || 99,
    }
}

/// The folder of the log.
const LOG: &str = "/log";

/// A file of it.
pub(super) fn file(name: &str) -> PathBuf {
    Path::new(LOG).join(name)
}

fn folder(disk: &SimulatedDisk) -> Folder {
    Folder::new(Arc::new(disk.clone()), Path::new(LOG))
}

/// The names of the files.
pub(super) fn names(disk: &SimulatedDisk) -> Vec<String> {
    disk.list(Path::new(LOG)).unwrap()
}

/// Lets all operations after the next so many fail; `None`: none any more.
pub(super) fn fail_after(disk: &SimulatedDisk, operations: Option<u64>) {
    disk.set_faults(Faults {
        fails_after: operations,
        fails_for_good: true,
        ..Faults::default()
    });
}

pub(super) fn open(
    disk: &SimulatedDisk,
    sealed: Option<Place>,
) -> Result<(Wal, Recovered), WalError> {
    Wal::open(folder(disk), options(), sealed)
}

/// What a log that is there holds behind a place.
pub(super) fn payloads(disk: &SimulatedDisk, sealed: Place) -> Result<Vec<Vec<u8>>, WalError> {
    let (_, recovered) = open(disk, Some(sealed))?;
    Ok(recovered
        .frames
        .into_iter()
        .map(|frame| frame.payload)
        .collect())
}

/// Payloads of about this many bytes.
pub(super) fn some(random: &mut Random, count: usize, bytes: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| {
            let length = random.index(bytes);
            random.bytes(length)
        })
        .collect()
}

/// A new log with these frames.
pub(super) fn filled(payloads: &[Vec<u8>]) -> (SimulatedDisk, Wal, Vec<Place>) {
    let disk = SimulatedDisk::default();
    let (mut wal, _) = open(&disk, None).unwrap();
    let places = payloads.iter().map(|payload| wal.append(payload).unwrap());
    let places = places.collect();
    (disk, wal, places)
}

#[test]
fn what_is_written_is_read_whatever_its_length() {
    let mut random = Random::new(1);
    let mut written = some(&mut random, 60, 2 * SECTOR);
    written
        .extend([0, 1, 467, 468, 469, 508, 7000, 7600, 20_000].map(|length| random.bytes(length)));
    let (disk, wal, places) = filled(&written);
    assert!(places.is_sorted());
    assert!(
        places.last().unwrap().file > 3,
        "it goes through several files"
    );
    drop(wal);
    assert_eq!(payloads(&disk, Place::START).unwrap(), written);
    // From any frame on.
    for (index, place) in places.iter().enumerate() {
        assert_eq!(payloads(&disk, *place).unwrap(), written[index + 1..]);
    }
}

#[test]
fn it_goes_on_where_it_ended() {
    let mut random = Random::new(2);
    let disk = SimulatedDisk::default();
    drop(open(&disk, None).unwrap());
    let mut written = Vec::new();
    for _ in 0..40 {
        let (mut wal, recovered) = open(&disk, Some(Place::START)).unwrap();
        assert_eq!(recovered.frames.len(), written.len());
        assert_eq!(recovered.notes, [""; 0]);
        let next = random.bytes(700);
        wal.append(&next).unwrap();
        written.push(next);
    }
    assert_eq!(payloads(&disk, Place::START).unwrap(), written);
}

#[test]
fn files_that_are_sealed_are_used_again() {
    let mut random = Random::new(3);
    let written = some(&mut random, 200, 1_500);
    let disk = SimulatedDisk::default();
    let (mut wal, _) = open(&disk, None).unwrap();
    let mut places = Vec::new();
    for payload in &written {
        places.push(wal.append(payload).unwrap());
        if let [.., sealed, _, _, _, _, _] = places.as_slice() {
            wal.sealed(*sealed);
        }
        assert!(names(&disk).len() <= 6, "{:?}", names(&disk));
    }
    drop(wal);
    let sealed = places[places.len() - 6];
    assert_eq!(
        payloads(&disk, sealed).unwrap(),
        written[written.len() - 5..]
    );
    // What is not needed any more is gone after an opening.
    let first = places[0];
    assert!(matches!(
        payloads(&disk, first),
        Err(WalError::Missing { .. })
    ));
}

#[test]
fn a_log_that_is_not_there_is_no_new_one() {
    let (disk, wal, places) = filled(&[vec![1], vec![2]]);
    drop(wal);
    assert!(open(&disk, None).is_err(), "it would be written over");
    let empty = SimulatedDisk::default();
    assert!(matches!(
        payloads(&empty, Place::START),
        Err(WalError::Missing { .. })
    ));
    assert!(matches!(
        payloads(&empty, places[1]),
        Err(WalError::Missing { .. })
    ));
    // What a crash left of a log that was just being made does not get in the way.
    let (half, wal, _) = filled(&[]);
    drop(wal);
    open(&half, None).unwrap();
    assert_eq!(
        payloads(&half, Place::START).unwrap(),
        Vec::<Vec<u8>>::new()
    );
}

#[test]
fn files_of_others_are_refused() {
    let (disk, wal, _) = filled(&[vec![1]]);
    drop(wal);
    let other = WalOptions {
        store: [8; 16],
        ..options()
    };
    let opened = Wal::open(folder(&disk), other, Some(Place::START));
    assert!(matches!(opened, Err(WalError::Foreign { .. })));
    let second = disk.files()[&file("wal-00000001")].clone();
    disk.open(&file("wal-00000002"), Open::OrMake).unwrap();
    disk.tamper(&file("wal-00000002"), |bytes| *bytes = second);
    assert!(matches!(
        payloads(&disk, Place::START),
        Err(WalError::Damaged { .. })
    ));
}

#[test]
fn a_write_that_failed_is_void_and_the_log_goes_on_in_the_next_file() {
    // Fails at the write, at the sync; then the power goes, or not.
    for (operation, cut) in [(0, false), (1, false), (0, true), (1, true)] {
        for seed in 0..50 {
            let mut random = Random::new(seed);
            let (disk, mut wal, _) = filled(&[vec![1; 600], vec![2; 600]]);
            fail_after(&disk, Some(operation));
            let failed = wal.append(&[3; 1200]);
            assert!(matches!(failed, Err(WalError::Failed { .. })), "{failed:?}");
            let refused = wal.append(&[4]);
            assert!(matches!(refused, Err(WalError::Refused(_))), "{refused:?}");
            assert!(wal.go_on().is_err(), "the disk fails still");
            assert_eq!(wal.refusal(), Some(ReadOnly::DiskFailed));
            fail_after(&disk, None);
            assert_eq!(wal.refusal(), None, "it goes on");
            for next in [5, 6] {
                wal.append(&[next; 700]).unwrap();
            }
            drop(wal);
            let disk = if cut { disk.cut(&mut random) } else { disk };
            let expected = [vec![1; 600], vec![2; 600], vec![5; 700], vec![6; 700]];
            assert_eq!(
                payloads(&disk, Place::START).unwrap(),
                expected,
                "seed {seed}"
            );
        }
    }
}

#[test]
fn without_room_for_the_next_file_nothing_is_written_and_it_is_tried_again() {
    let (disk, mut wal, _) = filled(&[]);
    let mut written = 0;
    loop {
        // Of a full disk, only what takes new room fails: here, all that is not in the first file.
        fail_after(&disk, Some(2));
        match wal.append(&[9; 900]) {
            Ok(_) => written += 1,
            Err(WalError::NoNextFile(_)) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(written, 7);
    assert!(matches!(
        wal.append(&[9; 900]),
        Err(WalError::NoNextFile(_))
    ));
    fail_after(&disk, Some(2));
    wal.append(&[8]).unwrap();
    fail_after(&disk, None);
    wal.append(&[9; 900]).unwrap();
    drop(wal);
    assert_eq!(payloads(&disk, Place::START).unwrap().len(), 9);
}

#[test]
fn a_real_folder_holds_it_with_files_made_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let options = WalOptions {
        ahead: true,
        file_bytes: 64 << 10,
        ..options()
    };
    let at = || Folder::new(Arc::new(RealDisk), folder.path());
    let mut random = Random::new(5);
    let written = some(&mut random, 150, 6_000);
    let (mut wal, _) = Wal::open(at(), options, None).unwrap();
    let mut places = Vec::new();
    for payload in &written {
        places.push(wal.append(payload).unwrap());
        if let [.., sealed, _, _] = places.as_slice() {
            wal.sealed(*sealed);
        }
    }
    drop(wal);
    let sealed = places[places.len() - 3];
    let (wal, recovered) = Wal::open(at(), options, Some(sealed)).unwrap();
    let found: Vec<_> = recovered
        .frames
        .iter()
        .map(|frame| &frame.payload)
        .collect();
    assert_eq!(
        found,
        written[written.len() - 2..].iter().collect::<Vec<_>>()
    );
    assert!(wal.bytes() >= 128 << 10);
}
