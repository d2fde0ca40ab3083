//! Whether the indexes of ids have other entries than those of the log, and whether an id is there twice.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::ids::Position;

use super::super::{HASH_BYTES, HashKey, hash_key, number_of};
use super::{SealedCheck, StoreResult, Table, Tally};
use crate::store::StoreError;
use crate::store::check::Check;

/// Entries of the same hash that are compared with each other.
const ALIKE_MAX: usize = 16;

/// An index of ids.
struct Ids<'a> {
    name: &'static str,
    table: &'a Table<&'static [u8; 12], ()>,
    /// The id of the record of a number.
    id: &'a dyn Fn(u64) -> StoreResult<Option<String>>,
    place: fn(u64) -> VerifyPlace,
    last: u64,
}

impl SealedCheck<'_> {
    /// Looks at the index of event ids.
    pub(super) fn event_ids(&self, check: &mut Check<'_>, tally: &Tally) -> StoreResult<()> {
        let records = self.records();
        let id = |number| {
            let event = records.event_at(Position(number))?;
            Ok(event.map(|event| event.event_id))
        };
        let ids = Ids {
            name: "event_hashes",
            table: &self.tables.event_hashes,
            id: &id,
            place: |number| VerifyPlace::position(Position(number)),
            last: self.head.position.0,
        };
        self.ids(check, &ids, tally.whole.then_some(tally.events))
    }

    /// Looks at the index of command ids.
    pub(super) fn command_ids(&self, check: &mut Check<'_>, tally: &Tally) -> StoreResult<()> {
        let records = self.records();
        let id = |number| {
            let decision = records.decision(number)?;
            Ok(decision.map(|decision| decision.command_id))
        };
        let ids = Ids {
            name: "command_hashes",
            table: &self.tables.command_hashes,
            id: &id,
            place: VerifyPlace::decision,
            last: self.head.decision,
        };
        self.ids(check, &ids, tally.whole.then_some(tally.commands))
    }

    fn ids(&self, check: &mut Check<'_>, ids: &Ids<'_>, expected: Option<u64>) -> StoreResult<()> {
        let place = |number| (ids.place)(number).within(ids.name);
        let mut alike: Vec<HashKey> = Vec::new();
        let entries = self.walk(check, (ids.name, ids.table), |check, key, ()| {
            let number = number_of(key);
            if !(1..=ids.last).contains(&number) {
                let detail = format!("an entry leads to {number}, which the log does not have");
                check.found(VerifyCode::IndexInvented, place(number), detail);
                return Ok(());
            }
            let is_alike =
                |one: &HashKey| one.iter().take(HASH_BYTES).eq(key.iter().take(HASH_BYTES));
            alike.retain(is_alike);
            for one in &alike {
                self.twice(check, ids, (number_of(one), number))?;
            }
            if alike.len() < ALIKE_MAX {
                alike.push(*key);
            }
            Ok(())
        })?;
        let Some(expected) = expected else {
            return Ok(());
        };
        if !self.has_more(check, ids.name, (entries, expected)) {
            return Ok(());
        }
        self.walk(check, (ids.name, ids.table), |check, key, ()| {
            let number = number_of(key);
            let id = self.read(check, || place(number), || (ids.id)(number))?;
            if let Some(Some(id)) = id
                && hash_key(&id, number) != *key
            {
                let detail = "an entry with another id leads there";
                check.found(VerifyCode::IndexInvented, place(number), detail);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Looks whether two records have the same id.
    fn twice(
        &self,
        check: &mut Check<'_>,
        ids: &Ids<'_>,
        (one, other): (u64, u64),
    ) -> StoreResult<()> {
        let both = self.read(
            check,
            || (ids.place)(other),
            || Ok::<_, StoreError>(((ids.id)(one)?, (ids.id)(other)?)),
        )?;
        if let Some((Some(own), Some(id))) = both
            && own == id
            && one != other
        {
            let (one, place) = ((ids.place)(one), (ids.place)(other));
            let detail = format!("its id `{id}` is also that of {one}");
            check.found(VerifyCode::DuplicateId, place, detail);
        }
        Ok(())
    }
}
