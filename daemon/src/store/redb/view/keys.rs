//! Reading who held a unique key, and when.

use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use super::{RedbView, StoreResult};
use crate::store::{KeyHold, ReadKeys, StoreError};

impl RedbView {
    /// The last hold of a key that began at this position or before, and fits. Looks at this key's holds alone.
    fn last_hold(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Position,
        fits: impl Fn(&KeyHold) -> bool,
    ) -> StoreResult<Option<KeyHold>> {
        self.tables.whole(&self.tables.keys)?;
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let range = (category, name, value, 0)..=(category, name, value, at.0);
        for entry in self.tables.keys.range(range)?.rev() {
            let (place, hold) = entry?;
            let hold = hold_of(key, place.value(), hold.value())?;
            if fits(&hold) {
                return Ok(Some(hold));
            }
        }
        Ok(None)
    }
}

impl RedbView {
    /// All holds of a key that began at a position or before, the last one first.
    pub(in crate::store::redb) fn holds(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Position,
    ) -> StoreResult<Vec<KeyHold>> {
        self.tables.whole(&self.tables.keys)?;
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let range = (category, name, value, 0)..=(category, name, value, at.0);
        let mut holds = Vec::new();
        for entry in self.tables.keys.range(range)?.rev() {
            let (place, hold) = entry?;
            holds.push(hold_of(key, place.value(), hold.value())?);
        }
        Ok(holds)
    }
}

impl ReadKeys for RedbView {
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> StoreResult<Option<KeyHold>> {
        let at = at.unwrap_or(Position(u64::MAX));
        let last = self.last_hold(category, key, at, |_| true)?;
        // A hold that ended by then is no hold; `until` is the position at which it is already free.
        Ok(last.filter(|hold| hold.until.is_none_or(|until| until > at)))
    }

    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> StoreResult<Option<KeyHold>> {
        self.last_hold(category, key, Position(u64::MAX), |hold| {
            hold.since_at <= at
                && hold.until_at.is_none_or(|until| until > at)
                && hold.stream != *except
        })
    }
}

/// A hold of a key as the table has it.
pub(in crate::store::redb) fn hold_of(
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
