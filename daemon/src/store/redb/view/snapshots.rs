//! Reading saved states.

use whodunit_core::ids::{Revision, StreamName};

use super::{RedbView, StoreResult};
use crate::store::{ReadSnapshots, Snapshot};

impl ReadSnapshots for RedbView {
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> StoreResult<Option<Snapshot>> {
        let Some((number, _)) = self.tables.numbered(stream)? else {
            return Ok(None);
        };
        let range = (number, rules_hash, 0)..=(number, rules_hash, at_most.0);
        let Some((key, state)) = self
            .tables
            .snapshots
            .range(range)?
            .next_back()
            .transpose()?
        else {
            return Ok(None);
        };
        Ok(Some(Snapshot {
            stream: stream.clone(),
            revision: Revision(key.value().2),
            rules_hash: rules_hash.to_owned(),
            state: state.value().to_vec(),
        }))
    }
}
