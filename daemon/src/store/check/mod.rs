//! What a verification of a store finds, and how far it is.
//!
//! Owns the collection of findings: of each code the first ones are kept and all are counted, so that a store full of one
//! kind of damage neither fills the memory nor hides another kind. Never looks at a store itself: engines do, below the
//! seam, and `daemon/src/verify` does, above it.

mod decision;
pub(crate) mod pages;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use whodunit_core::api::verify::{
    Severity, VerifyChecked, VerifyCode, VerifyCount, VerifyFinding, VerifyPlace, VerifyProgress,
};
use whodunit_core::ids::Position;
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;

pub(crate) use self::decision::{Events, misfit};
use super::{HeadHash, KeyHold, StoreError, StreamInfo, View};
use crate::limits::FINDINGS_OF_A_CODE_MAX;

type StoreResult<T> = Result<T, StoreError>;

/// Time between two words about how far it is.
const SAY_EVERY: Duration = Duration::from_millis(200);

/// How much of a store is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The ends of the log, and the counts of the indexes.
    Quick,
    /// Everything.
    All,
}

/// A store at one moment, as a verification sees it: the view that readers have, and what is below the seam.
pub trait Verifiable: Send {
    /// The view that readers have.
    fn view(&self) -> &dyn View;

    /// The same, to be given a stop token.
    fn view_mut(&mut self) -> &mut dyn View;

    /// The head's hash.
    fn head_hash(&self) -> HeadHash;

    /// Looks at everything below the seam.
    fn check(&self, scope: Scope, check: &mut Check<'_>) -> StoreResult<()>;

    /// Hands what lists say of every stream to `each`; `None` for one of which it cannot be read.
    fn each_stream(
        &self,
        each: &mut dyn FnMut(Option<&StreamInfo>) -> StoreResult<()>,
    ) -> StoreResult<()>;

    /// The hold of a key that began at this position.
    fn hold(
        &self,
        category: &str,
        key: &UniqueKey,
        since: Position,
    ) -> StoreResult<Option<KeyHold>>;

    /// Hands every hold of a key to `each`.
    fn each_hold(
        &self,
        each: &mut dyn FnMut(&str, &UniqueKey, &KeyHold) -> StoreResult<()>,
    ) -> StoreResult<()>;
}

/// A verification under way.
pub struct Check<'a> {
    stop: Stop,
    say: &'a mut dyn FnMut(VerifyProgress),
    said: Instant,
    phase: &'static str,
    done: u64,
    total: u64,
    /// How much was looked at.
    pub checked: VerifyChecked,
    found: BTreeMap<VerifyCode, Found>,
    findings: u64,
}

/// What was found of one code.
#[derive(Debug, Default)]
struct Found {
    count: u64,
    first: Vec<VerifyFinding>,
}

impl std::fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("phase", &self.phase)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

impl<'a> Check<'a> {
    /// Begins one, which tells `say` how far it is of `total` records.
    pub fn new(stop: &Stop, total: u64, say: &'a mut dyn FnMut(VerifyProgress)) -> Self {
        Self {
            stop: stop.clone(),
            say,
            said: Instant::now(),
            phase: "",
            done: 0,
            total,
            checked: VerifyChecked::default(),
            found: BTreeMap::new(),
            findings: 0,
        }
    }

    /// Goes on to the next part of the work.
    pub fn phase(&mut self, phase: &'static str) {
        self.phase = phase;
        self.say();
    }

    fn say(&mut self) {
        self.said = Instant::now();
        (self.say)(VerifyProgress {
            phase: self.phase.to_owned(),
            done: self.done,
            total: self.total,
            findings: self.findings,
        });
    }

    /// Ends the work once its caller has left; now and then tells how far it is.
    pub fn tick(&mut self) -> StoreResult<()> {
        self.stop.check()?;
        if self.said.elapsed() >= SAY_EVERY {
            self.say();
        }
        Ok(())
    }

    /// One more record was looked at.
    pub fn step(&mut self) -> StoreResult<()> {
        self.done += 1;
        // The clock is not asked for each of them.
        if self.done.is_multiple_of(64) {
            self.tick()
        } else {
            Ok(self.stop.check()?)
        }
    }

    /// Something was found.
    pub fn found(&mut self, code: VerifyCode, place: VerifyPlace, detail: impl Into<String>) {
        self.findings += 1;
        let found = self.found.entry(code).or_default();
        found.count += 1;
        if found.first.len() < FINDINGS_OF_A_CODE_MAX {
            found.first.push(VerifyFinding {
                severity: code.severity(),
                code,
                place,
                detail: detail.into(),
                meaning: code.meaning().trim().to_owned(),
                hint: code.hint().to_owned(),
            });
        }
    }

    /// What was read; what could not be is a finding, and `None`. Ends with what is no damage: the caller left, or the store
    /// was closed.
    pub fn readable<T>(
        &mut self,
        place: impl FnOnce() -> VerifyPlace,
        read: StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Engine { .. })) => {
                self.found(VerifyCode::Unreadable, place(), error.with_cause());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How much was found so far.
    pub fn findings(&self) -> u64 {
        self.findings
    }

    /// How much of this severity was found.
    pub fn count(&self, severity: Severity) -> u64 {
        let found = self.found.iter();
        let found = found.filter(|(code, _)| code.severity() == severity);
        found.map(|(_, found)| found.count).sum()
    }

    /// How often each code was found, and the first findings of each: errors first.
    pub fn finish(self) -> (Vec<VerifyCount>, Vec<VerifyFinding>) {
        let (mut counts, mut findings) = (Vec::new(), Vec::new());
        // Codes stand by severity.
        for (code, found) in self.found {
            counts.push(VerifyCount {
                code,
                severity: code.severity(),
                count: found.count,
            });
            findings.extend(found.first);
        }
        (counts, findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_findings_are_counted_and_each_code_has_its_first() {
        let mut said = 0;
        let mut say = |_| said += 1;
        let mut check = Check::new(&Stop::new(), 0, &mut say);
        for position in 0..1_000 {
            let place = VerifyPlace::position(Position(position));
            check.found(VerifyCode::ClockBack, place, "it went back");
        }
        check.found(VerifyCode::KeyWrong, VerifyPlace::default(), "it is held");
        assert_eq!(check.findings(), 1_001);
        assert_eq!(check.count(Severity::Info), 1_000);
        let (counts, findings) = check.finish();
        assert_eq!(counts.len(), 2);
        assert_eq!(findings.len(), 1 + FINDINGS_OF_A_CODE_MAX);
        assert_eq!(findings[0].code, VerifyCode::KeyWrong, "errors come first");
    }

    #[test]
    fn it_ends_once_its_caller_left() {
        let stop = Stop::new();
        let mut say = |_| {};
        let mut check = Check::new(&stop, 0, &mut say);
        check.step().unwrap();
        stop.set();
        assert!(matches!(check.step(), Err(StoreError::Stopped(_))));
        assert!(matches!(check.tick(), Err(StoreError::Stopped(_))));
    }
}
