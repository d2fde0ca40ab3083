//! Truth: whether a document of a read model is what the log leads to, and if not, since which event.
//!
//! Owns the digest of a state and the comparison of three accounts of one stream: its events, folded anew (the shadow);
//! the trail that a projection left when it applied them; and the document as it stands. Never reads any of them: they
//! come in one by one, in order, so that a stream may be as long as it likes.

use crate::api::pipeline::FindingKind;
use crate::ids::{Position, Revision};
use crate::json::{State, Value};
use crate::number::canonical;

/// A stable hash of a state. Two states that are equal as JSON have the same one, whatever the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of a state.
    pub fn of(state: &State) -> Self {
        Self(object(state))
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a.
fn bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    }
    hash
}

/// Spreads every bit over the whole number, so that sums of such numbers still tell their parts apart.
fn spread(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn object(state: &State) -> u64 {
    // A sum does not depend on the order of the keys, and needs no sorting.
    state.iter().fold(state.len() as u64, |sum, (key, inner)| {
        let entry = bytes(FNV_OFFSET, key.as_bytes());
        sum.wrapping_add(spread(value(spread(entry), inner)))
    })
}

fn value(hash: u64, of: &Value) -> u64 {
    match of {
        Value::Null => bytes(hash, b"n"),
        Value::Bool(true) => bytes(hash, b"t"),
        Value::Bool(false) => bytes(hash, b"f"),
        Value::Number(number) => bytes(bytes(hash, b"#"), canonical(number).as_bytes()),
        Value::String(text) => bytes(bytes(hash, b"\""), text.as_bytes()),
        Value::Array(items) => items.iter().fold(bytes(hash, b"["), |hash, item| {
            spread(value(bytes(hash, b","), item))
        }),
        Value::Object(map) => spread(bytes(hash, b"{") ^ object(map)),
    }
}

/// What a projection left on its trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whether the document was folded anew up to here, rather than moved past one event: its account begins again.
    pub rederived: bool,
    /// Revision of the event.
    pub revision: Revision,
    /// Position of the event.
    pub position: Position,
    /// Digest of the document's state after it.
    pub digest: Digest,
}

/// An event and what the rules of today make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadow {
    /// Revision of the event.
    pub revision: Revision,
    /// Position of the event.
    pub position: Position,
    /// Digest of the state after it.
    pub digest: Digest,
}

/// The document as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The revision it says it reflects.
    pub revision: Revision,
    /// Digest of what it says.
    pub digest: Digest,
}

/// The first point at which a document and the log part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// What is wrong.
    pub kind: FindingKind,
    /// Revision of the event after which they part; 0 when there is no event at all.
    pub revision: Revision,
    /// Its position.
    pub position: Position,
}

impl Parting {
    fn at(kind: FindingKind, revision: Revision, position: Position) -> Self {
        Self {
            kind,
            revision,
            position,
        }
    }

    /// What is wrong, in a sentence.
    pub fn sentence(&self, event_type: &str) -> String {
        let event = format!(
            "{event_type}, revision {} at position {},",
            self.revision, self.position
        );
        match self.kind {
            FindingKind::Missed => format!("{event} was passed over"),
            FindingKind::AppliedTwice => format!("{event} was applied a second time"),
            FindingKind::OutOfOrder => {
                format!("{event} was applied after an event that follows it")
            }
            FindingKind::RulesChanged => {
                format!("{event} was applied by other rules: its effect was another than today's")
            }
            FindingKind::Altered => format!(
                "all events up to revision {} at position {} were applied as they should, and the document is not what they led to",
                self.revision, self.position
            ),
            FindingKind::Lost => format!(
                "all events up to revision {} at position {} were applied as they should, and there is no document",
                self.revision, self.position
            ),
            FindingKind::Unfounded => "the log has no event that it could come from".to_owned(),
        }
    }
}

/// Compares the accounts of one stream.
#[derive(Debug)]
pub struct Examiner<'a> {
    entries: &'a [Entry],
    stored: Option<Stored>,
    /// The entry that stands for the next event.
    next: usize,
    last: Option<Shadow>,
    parting: Option<Parting>,
}

impl<'a> Examiner<'a> {
    /// Begins with the trail of the stream, in the order it was left, and its document, if there is one.
    pub fn new(entries: &'a [Entry], stored: Option<Stored>) -> Self {
        // What was applied before the document was last folded anew has no bearing on it.
        let start = entries.iter().rposition(|entry| entry.rederived);
        Self {
            entries: &entries[start.unwrap_or(0)..],
            stored,
            next: 0,
            last: None,
            parting: None,
        }
    }

    /// Takes the next event, in order of revisions. Returns whether it needs to see more of them.
    pub fn event(&mut self, shadow: Shadow) -> bool {
        if self.parting.is_some() {
            return false;
        }
        self.last = Some(shadow);
        let Some(entry) = self.entries.get(self.next) else {
            return self.part(FindingKind::Missed, shadow.revision, shadow.position);
        };
        let is_base = self.next == 0 && entry.rederived;
        if is_base && entry.revision > shadow.revision {
            return true;
        }
        if entry.revision < shadow.revision {
            let kind = FindingKind::AppliedTwice;
            return self.part(kind, entry.revision, entry.position);
        }
        if entry.revision > shadow.revision {
            let later = self.entries[self.next..]
                .iter()
                .any(|entry| entry.revision == shadow.revision);
            let kind = if later {
                FindingKind::OutOfOrder
            } else {
                FindingKind::Missed
            };
            return self.part(kind, shadow.revision, shadow.position);
        }
        if entry.digest != shadow.digest {
            let kind = FindingKind::RulesChanged;
            return self.part(kind, shadow.revision, shadow.position);
        }
        self.next += 1;
        true
    }

    fn part(&mut self, kind: FindingKind, revision: Revision, position: Position) -> bool {
        self.parting = Some(Parting::at(kind, revision, position));
        false
    }

    /// What is wrong, after the last event.
    pub fn finish(self) -> Option<Parting> {
        if self.parting.is_some() {
            return self.parting;
        }
        let Some(last) = self.last else {
            let nothing = self.stored.is_none() && self.entries.is_empty();
            return (!nothing)
                .then(|| Parting::at(FindingKind::Unfounded, Revision::ZERO, Position::ZERO));
        };
        if let Some(entry) = self.entries.get(self.next) {
            let kind = if entry.revision <= last.revision {
                FindingKind::AppliedTwice
            } else {
                FindingKind::Unfounded
            };
            return Some(Parting::at(kind, entry.revision, entry.position));
        }
        match self.stored {
            None => Some(Parting::at(FindingKind::Lost, last.revision, last.position)),
            Some(stored) if stored.digest != last.digest || stored.revision != last.revision => {
                Some(Parting::at(
                    FindingKind::Altered,
                    last.revision,
                    last.position,
                ))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
