//! Reading who held a unique key, and when.

use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::StoreError;

/// The holders of unique keys.
pub trait ReadKeys {
    /// Who held the key of this category when the log's head was `at` (`None`: now).
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> Result<Option<KeyHold>, StoreError>;

    /// The holds of a key of this category that began after a position, the first one first.
    fn key_holds_since(
        &self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> Result<Vec<KeyHold>, StoreError>;

    /// A stream other than `except` that held the key of this category at a time: by the effective times of each stream, as
    /// their states at that time are. In a log that was imported stream by stream several may have; one of them is answered.
    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> Result<Option<KeyHold>, StoreError>;
}

/// How long a key was held, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHold {
    /// The holder.
    pub stream: StreamName,
    /// Position of the event that took it.
    pub since: Position,
    /// Position of the event that gave it up; `None` while held.
    pub until: Option<Position>,
    /// Effective time, in its stream, of the event that took it.
    pub since_at: Timestamp,
    /// Effective time, in its stream, of the event that gave it up; `None` while held.
    pub until_at: Option<Timestamp>,
}
