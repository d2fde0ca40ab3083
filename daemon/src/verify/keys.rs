//! Unique keys, against what the states hold.
//!
//! Only the keys of categories whose model has any are compared: without the model, nothing says which keys a state holds.

use std::ops::ControlFlow;

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::model::Models;
use whodunit_core::time::Timestamp;

use crate::store::{Check, KeyHold, StoreError, Verifiable};

type StoreResult<T> = Result<T, StoreError>;

/// The keys that a stream's state holds, and what is on record of each.
#[derive(Debug, Default)]
pub(super) struct Held {
    open: Vec<(UniqueKey, Option<KeyHold>)>,
    count: u64,
}

impl Held {
    /// How many holds began that are on record.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Goes on to the state after an event of a position and effective time: looks whether what changes hands there is on record.
    pub(super) fn now(
        &mut self,
        moment: &dyn Verifiable,
        stream: &StreamName,
        (keys, (position, at)): (Vec<UniqueKey>, (Position, Timestamp)),
        check: &mut Check<'_>,
    ) -> StoreResult<()> {
        let place = || VerifyPlace::stream(stream).at(position).within("keys");
        let given_up = self.open.extract_if(.., |(key, _)| !keys.contains(key));
        for (key, hold) in given_up {
            let Some(hold) = hold else { continue };
            if (hold.until, hold.until_at) != (Some(position), Some(at)) {
                let detail = format!("{key} is released there, but no release is on record");
                check.found(VerifyCode::KeyWrong, place(), detail);
            }
        }
        for key in keys {
            if self.open.iter().any(|(held, _)| *held == key) {
                continue;
            }
            check.checked.keys += 1;
            let hold = moment.hold(stream.category(), &key, position);
            let Some(hold) = check.readable(place, hold)? else {
                self.open.push((key, None));
                continue;
            };
            match &hold {
                None => {
                    let detail = format!("{key} is taken there, but that is not on record");
                    check.found(VerifyCode::KeyMissing, place(), detail);
                }
                Some(hold) => {
                    self.count += 1;
                    if hold.stream != *stream || hold.since_at != at {
                        let detail = format!(
                            "{key} is taken there, but on record for {} since {}",
                            hold.stream, hold.since_at
                        );
                        check.found(VerifyCode::KeyWrong, place(), detail);
                    }
                }
            }
            self.open.push((key, hold));
        }
        Ok(())
    }

    /// At the stream's head: what is held is not given up.
    pub(super) fn end(&mut self, check: &mut Check<'_>) {
        for (key, hold) in self.open.drain(..) {
            let Some(hold) = hold else { continue };
            if let Some(until) = hold.until {
                let place = VerifyPlace::stream(&hold.stream).at(until).within("keys");
                let detail = format!("{key} is on record as released there, but is still held");
                check.found(VerifyCode::KeyWrong, place, detail);
            }
        }
    }
}

/// Looks whether there are holds on record that no state leads to: there are as many as states lead to, or they are looked for.
pub(super) fn others(
    moment: &dyn Verifiable,
    models: &Models,
    check: &mut Check<'_>,
    expected: u64,
) -> StoreResult<()> {
    let mut count = 0_u64;
    let has_keys = |category: &str| models.for_category(category).has_unique_keys();
    let counted = moment.each_hold(&mut |category, _, _| {
        check.tick()?;
        count += u64::from(has_keys(category));
        Ok(())
    });
    if check
        .readable(|| VerifyPlace::table("keys"), counted)?
        .is_none()
        || count == expected
    {
        return Ok(());
    }
    let walked = moment.each_hold(&mut |category, key, hold| {
        check.tick()?;
        if !has_keys(category) {
            return Ok(());
        }
        let place = || {
            VerifyPlace::stream(&hold.stream)
                .at(hold.since)
                .within("keys")
        };
        let taken = is_taken(moment, models, key, hold);
        if check.readable(place, taken)? == Some(false) {
            let detail = format!("{key} is on record as taken there, but is not");
            check.found(VerifyCode::KeyInvented, place(), detail);
        }
        Ok(())
    });
    check.readable(|| VerifyPlace::table("keys"), walked)?;
    Ok(())
}

/// Whether the state takes a key at the event at which a hold began.
fn is_taken(
    moment: &dyn Verifiable,
    models: &Models,
    key: &UniqueKey,
    hold: &KeyHold,
) -> StoreResult<bool> {
    let model = models.for_stream(&hold.stream);
    let mut folded = Folded::start(model);
    let (mut before, mut taken) = (false, false);
    let all = (Revision(1), Revision(u64::MAX));
    let view = moment.view();
    view.for_each_event(&hold.stream, all.0, all.1, &mut |event| {
        folded.push(model, &event);
        let holds = model.unique_keys(&folded.state).contains(key);
        if event.position == hold.since {
            taken = holds && !before;
        }
        before = holds;
        Ok(if event.position < hold.since {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(taken)
}
