//! A page that the disk silently left as it was (a *lost write*) has the right checksum and stands in its place: what is answered from
//! it may be false, and a verification finds it then.
//!
//! Cases are every page of the store's file, as it was at each earlier moment at which it was another. Full campaign:
//! `WHODUNIT_LOST_WRITES=20000 cargo test --release -p whodunit-daemon --lib lost_writes -- --nocapture`.

use std::collections::BTreeSet;
use std::path::Path;

use super::answers::ask;
use super::damages::{APPENDS, FRAME, HEADER, Moment, moments, verified};
use super::{cases, open};
use crate::store::disk::simulated::SimulatedDisk;

/// Histories that the ordinary tests take cases of.
const SEEDS: u64 = 4;

/// A page as it was earlier: where it begins, and its bytes.
type Page<'m> = (usize, &'m [u8]);

/// Each page of the store's file as it was at each earlier moment, where it held something else then.
fn earlier_pages(moment: &Moment) -> BTreeSet<Page<'_>> {
    let now = &moment.files[Path::new("/data/events.redb")];
    let mut pages = BTreeSet::new();
    for then in &moment.earlier {
        let whole = now.len().min(then.len());
        for at in (HEADER..whole - FRAME + 1).step_by(FRAME) {
            let page = &then[at..at + FRAME];
            if page != &now[at..at + FRAME] && page.iter().any(|&byte| byte != 0) {
                pages.insert((at, page));
            }
        }
    }
    pages
}

/// What came of lost writes.
#[derive(Debug, Default)]
struct Counts {
    refused: u64,
    said: u64,
    silent: u64,
    harmless: u64,
    /// What is false and not found.
    missed: Vec<String>,
}

/// Loses a write and asks everything; what is false is found by a verification.
fn lose(moment: &Moment, (at, page): Page<'_>, seed: u64, counts: &mut Counts) {
    let mut files = moment.files.clone();
    let bytes = files.get_mut(Path::new("/data/events.redb")).unwrap();
    bytes[at..at + FRAME].copy_from_slice(page);
    let number = (at - HEADER) / FRAME + 1;
    let case = format!("seed {seed}, {}, page {number}", moment.name);
    let Ok(store) = open(&SimulatedDisk::with_files(&files)) else {
        counts.refused += 1;
        return;
    };
    let answers = ask(&store, APPENDS, moment.head);
    let said = |question: &String| answers.get(question).or(answers.get("view"));
    let is_said = answers.values().any(Result::is_err);
    // A saved state of an earlier moment is as true as it was then: states are folded on from it.
    let is_of_snapshots = |question: &str| question.starts_with("snapshot") || question == "counts";
    let mut truth = moment.truth.iter();
    let wrong =
        truth.find(|(question, truth)| !is_of_snapshots(question) && said(question) != Some(truth));
    let out = verified(&store, &case);
    let Some((question, truth)) = wrong else {
        counts.harmless += 1;
        return;
    };
    if out.ok {
        let said = said(question);
        counts.missed.push(format!(
            "{case}: `{question}` is {said:?} instead of {truth:?}"
        ));
        return;
    }
    if is_said {
        counts.said += 1;
    } else {
        counts.silent += 1;
    }
}

#[test]
fn lost_writes_that_make_an_answer_false_are_found_by_a_verification() {
    let (mut left, mut counts, mut seed) =
        (cases("WHODUNIT_LOST_WRITES", 160), Counts::default(), 0);
    let of_a_moment = left.div_ceil(SEEDS * 2);
    while left > 0 {
        seed += 1;
        for moment in &moments(seed) {
            let pages = earlier_pages(moment);
            let every = (pages.len() as u64 / of_a_moment).max(1);
            let every = usize::try_from(every).unwrap();
            for page in pages
                .into_iter()
                .step_by(every)
                .take(usize::try_from(left).unwrap())
            {
                left -= 1;
                lose(moment, page, seed, &mut counts);
            }
        }
    }
    println!(
        "lost writes of {seed} histories: {} refused, {} said, {} false and found by a verification, {} harmless",
        counts.refused, counts.said, counts.silent, counts.harmless
    );
    assert!(counts.silent > 0, "none made an answer false");
    let missed = &counts.missed;
    assert!(
        missed.is_empty(),
        "false, and nothing is found: {missed:#?}"
    );
}
