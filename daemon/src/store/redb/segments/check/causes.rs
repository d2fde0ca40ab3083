//! Whether the indexes of correlations and causes have what the records name, and nothing else.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use super::super::{HashKey, hash_key, number_of};
use super::{SealedCheck, StoreResult, Table};
use crate::store::check::Check;

type IdTable = Table<&'static [u8; 12], ()>;
/// Finds the id that the record of a number names.
type IdOf<'a> = &'a dyn Fn(u64) -> StoreResult<Option<String>>;

/// How many of the ids that records name are found in each index.
#[derive(Debug, Default)]
pub(super) struct Named {
    event_correlations: u64,
    event_causes: u64,
    decision_correlations: u64,
    decision_causes: u64,
}

impl SealedCheck<'_> {
    fn has_key(
        &self,
        check: &mut Check<'_>,
        place: impl FnOnce() -> VerifyPlace,
        (table, key): (&IdTable, HashKey),
    ) -> StoreResult<Option<bool>> {
        self.read(check, place, || Ok(table.get(&key)?.is_some()))
    }

    /// Looks whether an event is found by what it names; `false` where that cannot be told.
    pub(super) fn event_names(
        &self,
        check: &mut Check<'_>,
        event: &Event,
        named: &mut Named,
    ) -> StoreResult<bool> {
        let at = event.position;
        let place = |table| VerifyPlace::stream(&event.stream).at(at).within(table);
        let mut told = true;
        if let Some(id) = &event.correlation_id {
            let (name, key) = ("event_correlations", hash_key(id, at.0));
            let table = (&self.tables.event_correlations, key);
            let found = self.has_key(check, || place(name), table)?;
            told &= found.is_some();
            named.event_correlations += u64::from(found == Some(true));
            if found == Some(false) {
                let detail = format!("the event is not found by its correlation id `{id}`");
                check.found(VerifyCode::IndexMissing, place(name), detail);
            }
        }
        if let Some(id) = &event.causation_id {
            let (name, key) = ("event_causes", hash_key(id, at.0));
            let table = (&self.tables.event_causes, key);
            let found = self.has_key(check, || place(name), table)?;
            told &= found.is_some();
            named.event_causes += u64::from(found == Some(true));
            if found == Some(false) {
                let decided = self.read(check, || place(name), || self.is_decided(event, id))?;
                if decided == Some(false) {
                    let detail = format!("the event is not found by its cause `{id}`");
                    check.found(VerifyCode::IndexMissing, place(name), detail);
                }
            }
        }
        Ok(told)
    }

    /// Whether the decision on the command that an event names says where the event stands.
    fn is_decided(&self, event: &Event, command: &str) -> StoreResult<bool> {
        let records = self.records();
        let Some(sequence) = records.sequence_of(command)? else {
            return Ok(false);
        };
        let decision = records.decision(sequence)?;
        Ok(decision.is_some_and(|decision| match decision.result {
            Outcome::Accepted {
                revision, events, ..
            } => {
                let first = (revision.0 + 1).saturating_sub(u64::from(events));
                decision.stream == event.stream && (first..=revision.0).contains(&event.revision.0)
            }
            Outcome::Rejected { .. } => false,
        }))
    }

    /// The same of a decision.
    pub(super) fn decision_names(
        &self,
        check: &mut Check<'_>,
        decision: &Decision,
        named: &mut Named,
    ) -> StoreResult<bool> {
        let tables = &self.tables;
        let lists = [
            (
                "decision_correlations",
                &tables.decision_correlations,
                &decision.correlation_id,
                &mut named.decision_correlations,
            ),
            (
                "decision_causes",
                &tables.decision_causes,
                &decision.causation_id,
                &mut named.decision_causes,
            ),
        ];
        let mut told = true;
        for (name, table, id, count) in lists {
            let Some(id) = id else { continue };
            let place = || VerifyPlace::decision(decision.sequence).within(name);
            let key = hash_key(id, decision.sequence);
            let found = self.has_key(check, place, (table, key))?;
            told &= found.is_some();
            *count += u64::from(found == Some(true));
            if found == Some(false) {
                let detail = format!("the decision is not found by the id `{id}` that it names");
                check.found(VerifyCode::IndexMissing, place(), detail);
            }
        }
        Ok(told)
    }

    /// Looks whether these indexes have others.
    pub(super) fn more_names(&self, check: &mut Check<'_>, named: &Named) -> StoreResult<()> {
        let records = self.records();
        let event = |number| records.event_at(Position(number));
        let decision = |number| records.decision(number);
        let event_correlation = |number| Ok(event(number)?.and_then(|own| own.correlation_id));
        let event_cause = |number| Ok(event(number)?.and_then(|own| own.causation_id));
        let correlation = |number| Ok(decision(number)?.and_then(|own| own.correlation_id));
        let cause = |number| Ok(decision(number)?.and_then(|own| own.causation_id));
        let tables = &self.tables;
        let lists: [(&str, &IdTable, u64, IdOf<'_>); 4] = [
            (
                "event_correlations",
                &tables.event_correlations,
                named.event_correlations,
                &event_correlation,
            ),
            (
                "event_causes",
                &tables.event_causes,
                named.event_causes,
                &event_cause,
            ),
            (
                "decision_correlations",
                &tables.decision_correlations,
                named.decision_correlations,
                &correlation,
            ),
            (
                "decision_causes",
                &tables.decision_causes,
                named.decision_causes,
                &cause,
            ),
        ];
        for (name, table, expected, id_of) in lists {
            let entries = self.walk(check, (name, table), |_, _, ()| Ok(()))?;
            if !self.has_more(check, name, (entries, expected)) {
                continue;
            }
            self.walk(check, (name, table), |check, key, ()| {
                let number = number_of(key);
                let place = || VerifyPlace::table(name);
                let id = self.read(check, place, || id_of(number))?;
                let is_named =
                    |id: Option<String>| id.is_some_and(|id| hash_key(&id, number) == *key);
                if id.is_some_and(|id| !is_named(id)) {
                    let detail = format!("an entry leads to {number}, which does not name its id");
                    check.found(VerifyCode::IndexInvented, place(), detail);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
