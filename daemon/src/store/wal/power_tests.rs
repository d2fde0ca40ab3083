//! Cuts of the power: after each of them, everything that was acknowledged is there, in order, and nothing else but
//! perhaps the one frame that was under way.

use super::tests::{SECTORS, fail_after, open, payloads};
use super::*;
use crate::store::disk::simulated::{Random, SimulatedDisk};

/// Cuts in a run of this test.
const CUTS: usize = 20_000;

/// What was acknowledged at some moment.
struct Ledger {
    written: Vec<(Place, Vec<u8>)>,
    /// How many of them are sealed.
    sealed: usize,
}

impl Ledger {
    fn place(&self) -> Place {
        match self.sealed.checked_sub(1) {
            Some(last) => self.written[last].0,
            None => Place::START,
        }
    }

    /// Whether a disk holds what was acknowledged; `under_way` may be there or not.
    fn check(&self, disk: &SimulatedDisk, under_way: Option<&[u8]>, what: &str) {
        let found = match payloads(disk, self.place()) {
            Ok(found) => found,
            Err(error) => panic!("{what}: {error}"),
        };
        let expected = &self.written[self.sealed..];
        let acknowledged = found.iter().take(expected.len());
        assert!(
            acknowledged.eq(expected.iter().map(|(_, payload)| payload)),
            "{what}: {} of {} frames",
            found.len(),
            expected.len()
        );
        match &found[expected.len()..] {
            [] => {}
            [more] => assert_eq!(Some(more.as_slice()), under_way, "{what}"),
            more => panic!("{what}: {} frames that were never written", more.len()),
        }
    }
}

/// Cuts the power at each of the moments, in several ways; looks twice, for the first look changes the disk.
fn cut_at(
    moments: Vec<SimulatedDisk>,
    ledger: &Ledger,
    under_way: Option<&[u8]>,
    random: &mut Random,
    what: &str,
) -> usize {
    let mut cuts = 0;
    for moment in moments {
        for _ in 0..2 {
            let disk = moment.cut(random);
            disk.keep_moments();
            ledger.check(&disk, under_way, what);
            let opening = disk.moments();
            ledger.check(&disk, under_way, what);
            // While it was being opened the power may go again.
            for moment in opening {
                ledger.check(&moment.cut(random), under_way, what);
                cuts += 1;
            }
            go_on(&disk, ledger, random, what);
            cuts += 1;
        }
    }
    cuts
}

/// Writes on after a cut, and cuts again.
fn go_on(disk: &SimulatedDisk, ledger: &Ledger, random: &mut Random, what: &str) {
    let (mut wal, recovered) = open(disk, Some(ledger.place())).unwrap();
    let mut expected: Vec<_> = recovered.frames.into_iter().map(|f| f.payload).collect();
    for _ in 0..random.index(3) {
        let length = random.index(1_200);
        let next = random.bytes(length);
        wal.append(&next).unwrap();
        expected.push(next);
    }
    let disk = disk.cut(random);
    assert_eq!(payloads(&disk, ledger.place()).unwrap(), expected, "{what}");
}

#[test]
fn no_power_cut_takes_what_was_acknowledged() {
    let (mut cuts, mut seed) = (0, 0);
    while cuts < CUTS {
        cuts += run(seed);
        seed += 1;
    }
    assert!(seed >= 5, "{cuts} cuts in {seed} runs");
}

/// One log, cut again and again.
fn run(seed: u64) -> usize {
    let mut random = Random::new(seed);
    let disk = SimulatedDisk::default();
    let (mut wal, _) = open(&disk, None).unwrap();
    disk.keep_moments();
    let mut ledger = Ledger {
        written: Vec::new(),
        sealed: 0,
    };
    let mut cuts = 0;
    for step in 0..60 {
        let what = format!("seed {seed}, step {step}");
        let length = match random.index(10) {
            0 => SECTORS * 600,
            1..=3 => random.index(4_000),
            _ => random.index(900),
        };
        let payload = random.bytes(length);
        let fails = random.index(12) == 0;
        if fails {
            fail_after(&disk, Some(random.below(8)));
        }
        let appended = wal.append(&payload);
        fail_after(&disk, None);
        let under_way = Some(payload.as_slice());
        cuts += cut_at(disk.moments(), &ledger, under_way, &mut random, &what);
        match appended {
            Ok(place) => ledger.written.push((place, payload)),
            Err(WalError::NoNextFile(_)) => {}
            Err(WalError::Failed { .. }) => {
                wal.go_on().unwrap();
                cuts += cut_at(disk.moments(), &ledger, under_way, &mut random, &what);
                // Until a frame follows, the one that failed may be there.
                let next = random.bytes(20);
                let place = wal.append(&next).unwrap();
                disk.moments();
                ledger.written.push((place, next));
            }
            Err(other) => panic!("{what}: {other}"),
        }
        if random.index(6) == 0 && !ledger.written.is_empty() {
            ledger.sealed += random.index(ledger.written.len() - ledger.sealed + 1);
            if ledger.sealed > 0 {
                wal.sealed(ledger.place());
            }
            cuts += cut_at(disk.moments(), &ledger, None, &mut random, &what);
        }
    }
    cuts
}
