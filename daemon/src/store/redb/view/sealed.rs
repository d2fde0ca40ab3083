//! What a view of the sealed part of a log is asked beyond a view's reads.

use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;

use super::keys::hold_of;
use super::{RedbView, StoreResult};
use crate::store::KeyHold;
use crate::store::engine::SealedView;

impl SealedView for RedbView {
    fn holds(&self, category: &str, key: &UniqueKey, at: Position) -> StoreResult<Vec<KeyHold>> {
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let range = (category, name, value, 0)..=(category, name, value, at.0);
        let mut holds = Vec::new();
        for entry in self.tables.keys.range(range)?.rev() {
            let (place, hold) = entry?;
            holds.push(hold_of(key, place.value(), hold.value())?);
        }
        Ok(holds)
    }

    fn each_time(&self, stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> StoreResult<()> {
        let Some(stream) = stream else {
            for entry in self.tables.by_time.entries()? {
                self.stop.check()?;
                each(entry?.1.value());
            }
            return Ok(());
        };
        let Some(number) = self.tables.number(stream)? else {
            return Ok(());
        };
        let range = (number, 0)..=(number, u64::MAX);
        for entry in self.tables.stream_events.range(range)? {
            self.stop.check()?;
            each(entry?.1.value().1);
        }
        Ok(())
    }

    fn last_rejection(&self) -> StoreResult<u64> {
        match self.head.decision {
            0 => Ok(0),
            last => Ok(self.rejections(last)?.last),
        }
    }
}
