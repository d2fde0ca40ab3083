//! Reading who held a unique key, and when.

use redb::{ReadOnlyTable, ReadTransaction};
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use super::engine;
use super::tables::{Hold, HoldKey, KEYS};
use crate::store::{KeyHold, StoreError};

const DOING: &str = "reading the keys";

/// The holds of one key, in the order of the log.
pub(super) struct KeyHolds<'a> {
    table: ReadOnlyTable<HoldKey, Hold>,
    category: &'a str,
    key: &'a UniqueKey,
}

impl<'a> KeyHolds<'a> {
    pub(super) fn open(
        txn: &ReadTransaction,
        category: &'a str,
        key: &'a UniqueKey,
    ) -> Result<Self, StoreError> {
        let table = txn.open_table(KEYS).map_err(engine(DOING))?;
        Ok(Self {
            table,
            category,
            key,
        })
    }

    /// The last one that began at this position or before.
    pub(super) fn last_until(&mut self, at: Position) -> Result<Option<KeyHold>, StoreError> {
        self.last(at, &mut |_| true)
    }

    /// The last one that fits. Goes through all of this key's holds, and through no other's.
    pub(super) fn find_back(
        &mut self,
        fits: &mut dyn FnMut(&KeyHold) -> bool,
    ) -> Result<Option<KeyHold>, StoreError> {
        self.last(Position(u64::MAX), fits)
    }

    fn last(
        &mut self,
        at: Position,
        fits: &mut dyn FnMut(&KeyHold) -> bool,
    ) -> Result<Option<KeyHold>, StoreError> {
        let (name, value) = (self.key.name.as_str(), self.key.value.as_str());
        let holds = self
            .table
            .range((self.category, name, value, 0)..=(self.category, name, value, at.0))
            .map_err(engine(DOING))?;
        for entry in holds.rev() {
            let (place, hold) = entry.map_err(engine(DOING))?;
            let hold = hold_of(self.key, place.value(), hold.value())?;
            if fits(&hold) {
                return Ok(Some(hold));
            }
        }
        Ok(None)
    }
}

/// A hold of a key as the table has it.
pub(super) fn hold_of(
    key: &UniqueKey,
    (.., since): (&str, &str, &str, u64),
    (holder, until, since_at, until_at): (&str, u64, i64, i64),
) -> Result<KeyHold, StoreError> {
    Ok(KeyHold {
        stream: StreamName::new(holder).map_err(|error| StoreError::Damaged {
            place: key.to_string(),
            detail: error.to_string(),
        })?,
        since: Position(since),
        until: (until != 0).then_some(Position(until)),
        since_at: Timestamp::from_micros(since_at),
        until_at: (until != 0).then(|| Timestamp::from_micros(until_at)),
    })
}
