//! Consistency check of a read model: whether a document is what the log leads to, and if not, since which event.
//!
//! Owns the digests of states and events, and the comparison of three sources for one stream: its events, folded again
//! (the expected states); the apply log, which the projection wrote as it applied them; and the stored document. Does no
//! reading: the caller passes entries and events one by one, in order, so memory does not grow with the stream.

use sha2::{Digest as _, Sha256};

use crate::api::pipeline::FindingKind;
use crate::event::Event;
use crate::ids::{Position, Revision};
use crate::json::{State, Value};
use crate::number::canonical;

/// Bytes of a digest: SHA-256, truncated to 128 bits, so that the author of an event cannot construct a collision.
pub const DIGEST_BYTES: usize = 16;

/// A stable hash of a state or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(pub [u8; DIGEST_BYTES]);

impl Digest {
    /// The digest of a state. Two states that are equal as JSON have the same one, whatever the order of their keys.
    pub fn of_state(state: &State) -> Self {
        let mut hash = Sha256::new();
        hash_object(&mut hash, state);
        Self::cut(hash)
    }

    /// The digest of an event as the log holds it: every field, the payload to the letter.
    pub fn of_event(event: &Event) -> Self {
        let mut hash = Sha256::new();
        hash_text(&mut hash, event.stream.as_str());
        hash_text(&mut hash, &event.event_id);
        hash_text(&mut hash, &event.event_type);
        hash.update(event.position.0.to_le_bytes());
        hash.update(event.revision.0.to_le_bytes());
        hash.update(event.schema_version.to_le_bytes());
        hash.update(event.recorded_at.as_micros().to_le_bytes());
        let texts = [
            event.actor.as_deref(),
            event.reason.as_deref(),
            event.correlation_id.as_deref(),
            event.causation_id.as_deref(),
            Some(event.data.as_str()),
            event.metadata.as_ref().map(crate::json::Json::as_str),
        ];
        for text in texts {
            hash.update([u8::from(text.is_some())]);
            hash_text(&mut hash, text.unwrap_or_default());
        }
        Self::cut(hash)
    }

    /// The digest of a sequence: this one is that of its beginning, `next` that of its next element.
    #[must_use]
    pub fn chain(self, next: Self) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(next.0);
        Self::cut(hash)
    }

    fn cut(hash: Sha256) -> Self {
        let full = hash.finalize();
        let mut bytes = [0; DIGEST_BYTES];
        bytes.copy_from_slice(&full[..DIGEST_BYTES]);
        Self(bytes)
    }
}

/// With its length first, so that no two sequences of texts are the same bytes.
fn hash_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn hash_object(hash: &mut Sha256, state: &State) {
    let mut entries: Vec<(&String, &Value)> = state.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    hash.update((entries.len() as u64).to_le_bytes());
    for (key, value) in entries {
        hash_text(hash, key);
        hash_value(hash, value);
    }
}

fn hash_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(true) => hash.update(b"t"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Number(number) => {
            hash.update(b"#");
            hash_text(hash, &canonical(number));
        }
        Value::String(text) => {
            hash.update(b"\"");
            hash_text(hash, text);
        }
        Value::Array(items) => {
            hash.update(b"[");
            hash.update((items.len() as u64).to_le_bytes());
            for item in items {
                hash_value(hash, item);
            }
        }
        Value::Object(map) => {
            hash.update(b"{");
            hash_object(hash, map);
        }
    }
}

/// An entry of the apply log: an event that the projection applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedEvent {
    /// Whether the document was re-folded up to here, rather than moved past one event: its account starts again.
    pub refolded: bool,
    /// Revision of the event.
    pub revision: Revision,
    /// Position of the event.
    pub position: Position,
    /// Digest of the event as it was read then; where the document was re-folded, the [chain](Digest::chain) of the
    /// stream's events up to it, from the default digest on.
    pub event: Digest,
    /// Digest of the document's state after it.
    pub state: Digest,
}

/// An event as the log holds it now, and what the current rules make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Revision of the event.
    pub revision: Revision,
    /// Position of the event.
    pub position: Position,
    /// Digest of the event.
    pub event: Digest,
    /// Digest of the state after it.
    pub state: Digest,
}

/// The stored document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The revision it says it reflects.
    pub revision: Revision,
    /// Digest of what it says.
    pub digest: Digest,
}

/// The first point at which a document and the log diverge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// What is wrong.
    pub kind: FindingKind,
    /// Revision of the event after which they diverge; 0 when there is no event at all.
    pub revision: Revision,
    /// Its position.
    pub position: Position,
}

impl Divergence {
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
            FindingKind::Missed => format!("{event} was skipped"),
            FindingKind::AppliedTwice => format!("{event} was applied a second time"),
            FindingKind::OutOfOrder => {
                format!("{event} was applied after a later event")
            }
            FindingKind::EventChanged => format!(
                "{event} or an event before it that was applied with it, has changed since it was applied: the log was changed on disk"
            ),
            FindingKind::RulesChanged => {
                format!(
                    "{event} was applied by other rules: its effect differs from that under the current rules"
                )
            }
            FindingKind::Altered => format!(
                "all events up to revision {} at position {} were applied correctly, but the document is not their result",
                self.revision, self.position
            ),
            FindingKind::Lost => format!(
                "all events up to revision {} at position {} were applied correctly, but there is no document",
                self.revision, self.position
            ),
            FindingKind::Orphan => "the log has no event that it could have come from".to_owned(),
            FindingKind::Unindexed => {
                "the document is right, but an index does not have it".to_owned()
            }
        }
    }
}

/// Compares the three accounts of one stream.
#[derive(Debug)]
pub struct Comparer<'a> {
    entries: &'a [AppliedEvent],
    stored: Option<Stored>,
    /// The entry that should be of the next event.
    next: usize,
    /// Chain of the stream's events so far.
    chain: Digest,
    last: Option<Expected>,
    divergence: Option<Divergence>,
}

impl<'a> Comparer<'a> {
    /// Starts with the apply log of the stream, in the order it was written, and its document, if there is one.
    pub fn new(entries: &'a [AppliedEvent], stored: Option<Stored>) -> Self {
        // What was applied before the document was last re-folded does not matter to it.
        let start = entries.iter().rposition(|entry| entry.refolded);
        Self {
            entries: &entries[start.unwrap_or(0)..],
            stored,
            next: 0,
            chain: Digest::default(),
            last: None,
            divergence: None,
        }
    }

    /// Takes the next event, in order of revisions. Returns whether it needs to see more of them.
    pub fn event(&mut self, expected: Expected) -> bool {
        if self.divergence.is_some() {
            return false;
        }
        self.last = Some(expected);
        self.chain = self.chain.chain(expected.event);
        let Some(entry) = self.entries.get(self.next) else {
            return self.diverge(FindingKind::Missed, expected.revision, expected.position);
        };
        let is_base = self.next == 0 && entry.refolded;
        if is_base && entry.revision > expected.revision {
            return true;
        }
        if entry.revision < expected.revision {
            let kind = FindingKind::AppliedTwice;
            return self.diverge(kind, entry.revision, entry.position);
        }
        if entry.revision > expected.revision {
            let later = self.entries[self.next..]
                .iter()
                .any(|entry| entry.revision == expected.revision);
            let kind = if later {
                FindingKind::OutOfOrder
            } else {
                FindingKind::Missed
            };
            return self.diverge(kind, expected.revision, expected.position);
        }
        let event = if is_base { self.chain } else { expected.event };
        if entry.event != event {
            let kind = FindingKind::EventChanged;
            return self.diverge(kind, expected.revision, expected.position);
        }
        if entry.state != expected.state {
            let kind = FindingKind::RulesChanged;
            return self.diverge(kind, expected.revision, expected.position);
        }
        self.next += 1;
        true
    }

    fn diverge(&mut self, kind: FindingKind, revision: Revision, position: Position) -> bool {
        self.divergence = Some(Divergence::at(kind, revision, position));
        false
    }

    /// What is wrong, after the last event.
    pub fn finish(self) -> Option<Divergence> {
        if self.divergence.is_some() {
            return self.divergence;
        }
        let Some(last) = self.last else {
            let nothing = self.stored.is_none() && self.entries.is_empty();
            return (!nothing)
                .then(|| Divergence::at(FindingKind::Orphan, Revision::ZERO, Position::ZERO));
        };
        if let Some(entry) = self.entries.get(self.next) {
            let kind = if entry.revision <= last.revision {
                FindingKind::AppliedTwice
            } else {
                FindingKind::Orphan
            };
            return Some(Divergence::at(kind, entry.revision, entry.position));
        }
        match self.stored {
            None => Some(Divergence::at(
                FindingKind::Lost,
                last.revision,
                last.position,
            )),
            Some(stored) if stored.digest != last.state || stored.revision != last.revision => {
                Some(Divergence::at(
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
