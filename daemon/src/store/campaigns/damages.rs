//! Damage to any file of a store is said, and never answered with something that is not true; and a verification finds all of it
//! that is not harmless.
//!
//! Full campaign: `WHODUNIT_DAMAGES=20000 cargo test --release -p whodunit-daemon --lib damages -- --nocapture`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use whodunit_core::api::verify::VerifyOut;
use whodunit_core::stop::Stop;

use super::answers::{Answers, ask};
use super::work::{self, Work};
use super::{cases, close, open, wait};
use crate::builtin;
use crate::passwords::Cost;
use crate::store::disk::simulated::{Random, SimulatedDisk};
use crate::store::{Head, Scope, Store};
use crate::verify::verify;

pub(super) const APPENDS: u64 = 120;
/// Bytes of a page with its checksum, and of the header before the first.
pub(super) const FRAME: usize = 4096 + 16;
pub(super) const HEADER: usize = 4096;
const SECTOR: usize = 512;

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The files of one moment, and what is true then.
pub(super) struct Moment {
    pub(super) name: &'static str,
    pub(super) files: Files,
    /// The same files, earlier.
    older: Files,
    /// The store's file at moments before.
    pub(super) earlier: Vec<Vec<u8>>,
    pub(super) head: Head,
    pub(super) truth: Answers,
}

/// A store with a history, after it was closed and after it was killed.
pub(super) fn moments(seed: u64) -> [Moment; 2] {
    let disk = SimulatedDisk::default();
    let store = open(&disk).unwrap();
    let (mut work, mut random) = (Work::new(seed, 1_500), Random::new(seed));
    let (mut older, mut earlier) = (Files::new(), Vec::new());
    for number in 0..APPENDS {
        work.append(&store).unwrap();
        if number % 10 == 0 {
            wait(store.save_snapshot(work::snapshot(&mut random, number / 10))).unwrap();
            earlier.push(disk.files()[Path::new("/data/events.redb")].clone());
        }
        if number == APPENDS / 2 {
            older = disk.files();
        }
    }
    let head = *store.head().borrow();
    let said = ask(&store, APPENDS, head);
    assert!(said.values().all(Result::is_ok));
    let killed = disk.files();
    close(&store);
    drop(store);
    let closed = disk.files();
    let moment = |name, files: Files, unsaved: bool| {
        // The oracle: undamaged, it says the same, but for snapshots that a kill took.
        let store = open(&SimulatedDisk::with_files(&files)).unwrap();
        let truth = ask(&store, APPENDS, head);
        let is_of_snapshots =
            |question: &str| question.starts_with("snapshot") || question == "counts";
        for (question, answer) in &said {
            let lost = unsaved && is_of_snapshots(question);
            assert!(
                lost || truth.get(question) == Some(answer),
                "{name}: {question}"
            );
        }
        Moment {
            name,
            files,
            older: older.clone(),
            earlier: earlier.clone(),
            head,
            truth,
        }
    };
    [
        moment("after closing", closed, false),
        moment("after a kill", killed, true),
    ]
}

const KINDS: [&str; 12] = [
    "a bit flipped",
    "a byte changed",
    "cut short",
    "a sector zeroed",
    "a page zeroed",
    "two pages swapped",
    "a page repeated",
    "two sectors swapped",
    "a sector of garbage",
    "made longer",
    "a file of an older moment",
    "a file gone",
];

/// A place in the file, in what it holds rather than in room that was never used.
fn place(random: &mut Random, bytes: &[u8], unit: usize, from: usize) -> usize {
    let units = (bytes.len() - from).div_ceil(unit);
    let mut start = 0;
    for _ in 0..20 {
        start = from + random.index(units) * unit;
        let end = (start + unit).min(bytes.len());
        if bytes[start..end].iter().any(|&byte| byte != 0) {
            break;
        }
    }
    start
}

fn two(random: &mut Random, bytes: &[u8], unit: usize, from: usize) -> (usize, usize) {
    let (a, b) = (
        place(random, bytes, unit, from),
        place(random, bytes, unit, from),
    );
    let last = bytes.len().saturating_sub(unit);
    (a.min(last), b.min(last))
}

/// Damages a file; `false` where that left it as it was.
fn damage(random: &mut Random, kind: usize, path: &Path, files: &mut Files, older: &Files) -> bool {
    let before = files[path].clone();
    let from = if before.len() > HEADER { HEADER } else { 0 };
    let bytes = files.get_mut(path).unwrap();
    let frame = FRAME.min(bytes.len());
    match kind {
        0 | 1 => {
            let start = place(random, bytes, SECTOR, 0);
            let at = (start + random.index(SECTOR)).min(bytes.len() - 1);
            bytes[at] ^= if kind == 0 {
                1 << random.below(8)
            } else {
                u8::try_from(1 + random.below(255)).unwrap()
            };
        }
        2 => bytes.truncate(random.index(before.len())),
        3 | 8 => {
            let start = place(random, bytes, SECTOR, 0);
            let end = (start + SECTOR).min(bytes.len());
            for byte in &mut bytes[start..end] {
                *byte = if kind == 3 {
                    0
                } else {
                    u8::try_from(random.below(256)).unwrap()
                };
            }
        }
        4 => {
            let start = place(random, bytes, frame, from);
            let end = (start + frame).min(bytes.len());
            bytes[start..end].fill(0);
        }
        5 | 7 => {
            let (unit, from) = if kind == 5 {
                (frame, from)
            } else {
                (SECTOR.min(frame), 0)
            };
            let (a, b) = two(random, &before, unit, from);
            bytes[a..a + unit].copy_from_slice(&before[b..b + unit]);
            bytes[b..b + unit].copy_from_slice(&before[a..a + unit]);
        }
        6 => {
            let (a, b) = two(random, &before, frame, from);
            bytes[b..b + frame].copy_from_slice(&before[a..a + frame]);
        }
        9 => bytes.resize(before.len() + 1 + random.index(20_000), 0),
        10 if older.contains_key(path) => bytes.clone_from(&older[path]),
        _ => {
            files.remove(path);
        }
    }
    files.get(path) != Some(&before)
}

/// One damage by chance to one of the files, and what it is; `None` where it left all as it was.
pub(in crate::store) fn damaged(
    random: &mut Random,
    files: &mut Files,
    older: &Files,
) -> Option<String> {
    let paths = files.iter().filter(|(_, bytes)| !bytes.is_empty());
    let paths: Vec<PathBuf> = paths.map(|(path, _)| path.clone()).collect();
    let (path, kind) = (&paths[random.index(paths.len())], random.index(KINDS.len()));
    let is_other = damage(random, kind, path, files, older);
    is_other.then(|| format!("{} of {}", KINDS[kind], path.display()))
}

/// What came of a damage.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    refused: u64,
    said: u64,
    harmless: u64,
    /// Those that a verification found.
    found: u64,
}

pub(super) fn names_a_file(error: &str) -> bool {
    error.contains("events.") || error.contains("wal-")
}

/// Opens damaged files and asks everything. What it says must be true, or be said to be damaged.
fn try_damaged(moment: &Moment, files: &Files, case: &str, counts: &mut Counts) {
    let store = match open(&SimulatedDisk::with_files(files)) {
        Ok(store) => store,
        Err(error) => {
            let error = error.with_cause();
            assert!(names_a_file(&error), "{case}: {error} names no file");
            counts.refused += 1;
            return;
        }
    };
    let answers = ask(&store, APPENDS, moment.head);
    let mut said = false;
    for (question, truth) in &moment.truth {
        match answers.get(question).or(answers.get("view")) {
            Some(Err(error)) => {
                said = true;
                assert!(
                    error.contains("is damaged") && names_a_file(error),
                    "{case}: {question}: {error}"
                );
            }
            answer => assert_eq!(answer, Some(truth), "{case}: {question}"),
        }
    }
    // What some answer needs is found by a verification.
    let verified = verified(&store, case);
    assert!(
        !said || !verified.ok,
        "{case}: a verification finds nothing"
    );
    counts.found += u64::from(!verified.ok);
    // It may go on to be written: either as it should, or not at all.
    let mut work = Work::new(9, 100);
    work.number = APPENDS;
    if let Ok(Some(appended)) = work.append(&store) {
        assert_eq!(
            appended.position.0,
            moment.head.position.0 + appended.events.len() as u64,
            "{case}"
        );
    }
    if said {
        counts.said += 1;
    } else {
        counts.harmless += 1;
    }
}

/// What a verification of a damaged store comes to; it never gives up before its end.
pub(super) fn verified(store: &dyn Store, case: &str) -> VerifyOut {
    let models = builtin::models(&[], Cost::Light).unwrap();
    let out = verify(store, &models, Scope::All, &Stop::new(), &mut |_| {});
    out.unwrap_or_else(|error| panic!("{case}: {}", error.with_cause()))
}

#[test]
fn damages_are_said_and_never_served() {
    let moments = moments(1);
    let mut counts = [Counts::default(); KINDS.len()];
    let mut seed = 0;
    let mut left = cases("WHODUNIT_DAMAGES", 150);
    while left > 0 {
        seed += 1;
        let mut random = Random::new(seed);
        let moment = &moments[random.index(2)];
        let kind = random.index(KINDS.len());
        let mut files = moment.files.clone();
        let mut paths: Vec<_> = files.keys().cloned().collect();
        paths.retain(|path| !files[path].is_empty());
        // The database and the log three times as often as the small files beside them.
        let path = match random.below(8) {
            0 => paths[random.index(paths.len())].clone(),
            1..=3 => {
                paths.retain(|path| path.to_string_lossy().contains("/log/"));
                paths[random.index(paths.len())].clone()
            }
            _ => PathBuf::from("/data/events.redb"),
        };
        if !damage(&mut random, kind, &path, &mut files, &moment.older) {
            continue;
        }
        left -= 1;
        let case = format!(
            "seed {seed}, {}, {} of {}",
            moment.name,
            KINDS[kind],
            path.display()
        );
        let tried = catch_unwind(AssertUnwindSafe(|| {
            try_damaged(moment, &files, &case, &mut counts[kind]);
        }));
        assert!(tried.is_ok(), "{case}: see above");
    }
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8}",
        "", "refused", "said", "harmless", "found"
    );
    for (
        kind,
        Counts {
            refused,
            said,
            harmless,
            found,
        },
    ) in KINDS.iter().zip(counts)
    {
        println!("{kind:<28} {refused:>8} {said:>8} {harmless:>8} {found:>8}");
    }
}
