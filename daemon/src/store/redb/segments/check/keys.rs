//! Whether the holds of unique keys fit their events, and no key has two holders at once.
//!
//! What the states hold is compared above the seam, where the models are.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::ids::Position;
use whodunit_core::keys::UniqueKey;

use super::super::super::view::hold_of;
use super::{SealedCheck, StoreResult};
use crate::store::KeyHold;
use crate::store::check::Check;

impl SealedCheck<'_> {
    /// Walks the holds: those of a key stand together, by where they began.
    pub(super) fn keys(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let mut before: Option<(String, UniqueKey, KeyHold)> = None;
        let table = ("keys", &self.tables.keys);
        self.walk(check, table, |check, place, hold| {
            let (category, name, value, since) = place;
            let key = UniqueKey {
                name: name.to_owned(),
                value: value.to_owned(),
            };
            let at = || VerifyPlace::position(Position(since)).within("keys");
            let Some(hold) = check.readable(at, hold_of(&key, place, hold))? else {
                return Ok(());
            };
            self.hold(check, &key, &hold)?;
            if hold.stream.category() != category {
                let detail = format!("{key} of category `{category}` is held by {}", hold.stream);
                check.found(VerifyCode::KeyWrong, at(), detail);
            }
            if let Some((own, other, last)) = &before
                && (own.as_str(), other) == (category, &key)
                && last.until.is_none_or(|until| until > hold.since)
            {
                let detail = format!("{} takes {key} while {} holds it", hold.stream, last.stream);
                check.found(VerifyCode::KeyWrong, at(), detail);
            }
            before = Some((category.to_owned(), key, hold));
            Ok(())
        })?;
        Ok(())
    }

    /// Looks at the events at which a hold begins and ends.
    fn hold(&self, check: &mut Check<'_>, key: &UniqueKey, hold: &KeyHold) -> StoreResult<()> {
        let place = || {
            VerifyPlace::stream(&hold.stream)
                .at(hold.since)
                .within("keys")
        };
        let records = self.records();
        let ends = [
            Some((hold.since, hold.since_at)),
            hold.until.zip(hold.until_at),
        ];
        for (position, time) in ends.into_iter().flatten() {
            if !self.is_sealed(position.0) {
                let detail = format!(
                    "{key} changes hands at position {position}, which the log does not have"
                );
                check.found(VerifyCode::KeyWrong, place(), detail);
                continue;
            }
            let found = self.read(check, place, || {
                let (block, within) = records.at(position)?;
                Ok((block.stream(within).cloned(), block.effective_at(within)))
            })?;
            if found.is_some_and(|found| found != (Some(hold.stream.clone()), Some(time))) {
                let detail = format!(
                    "{key} changes hands at position {position}, where no event of its holder has that time"
                );
                check.found(VerifyCode::KeyWrong, place(), detail);
            }
        }
        if hold.until.is_some_and(|until| until <= hold.since) {
            let detail = format!("{key} is released before it is taken");
            check.found(VerifyCode::KeyWrong, place(), detail);
        }
        Ok(())
    }
}
