//! Whether saved states are of streams and revisions that there are.
//!
//! What they say is compared above the seam, where states are folded.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::ids::Revision;

use super::{SealedCheck, StoreResult};
use crate::store::check::Check;

impl SealedCheck<'_> {
    /// Walks the saved states.
    pub(super) fn snapshots(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let table = ("snapshots", &self.tables.snapshots);
        self.walk(check, table, |check, (number, _, revision), _| {
            check.checked.snapshots += 1;
            let place = || VerifyPlace::table("snapshots").rev(Revision(revision));
            let info = self.read(check, place, || self.stream_of(number))?;
            if info.is_some_and(|info| info.is_none_or(|info| info.revision.0 < revision)) {
                let detail = format!("stream number {number} has no such revision");
                check.found(VerifyCode::SnapshotUnusable, place(), detail);
            }
            Ok(())
        })?;
        Ok(())
    }
}
