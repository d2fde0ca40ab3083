//! The bytes of a document and of a piece of the apply log.
//!
//! Owns their encoding. Decoding never panics: what does not decode is damage, and a damaged read model is rebuilt.

use whodunit_core::consistency::{AppliedEvent, DIGEST_BYTES, Digest};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::State;

use super::super::error::ProjectionError;

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Number of its stream in this read model, by which the apply log names it.
    pub(crate) number: u64,
    /// The stream's revision that it reflects.
    pub(crate) revision: Revision,
    /// Position of that revision's event.
    pub(crate) position: Position,
    /// What it says.
    pub(crate) state: State,
}

const HEADER_BYTES: usize = 24;

/// Writes a document: number, revision and position, each 8 bytes, little endian, and the state as JSON.
pub(crate) fn encode_document(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    for number in [document.number, document.revision.0, document.position.0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    // A state is made of JSON: writing it into memory cannot fail.
    drop(serde_json::to_writer(&mut bytes, &document.state));
    bytes
}

/// The position that a document stands at, of its record alone.
pub(crate) fn position_of(record: &[u8]) -> Position {
    let bytes = record.get(16..HEADER_BYTES).unwrap_or_default();
    Position(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
}

/// Reads a document.
pub(crate) fn decode_document(key: &str, bytes: &[u8]) -> Result<Document, ProjectionError> {
    let damaged = |detail: String| ProjectionError::Damaged {
        place: format!("document `{key}`"),
        detail,
    };
    let (header, state) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("it is too short".to_owned()))?;
    let number = |index: usize| {
        let bytes = header.get(index * 8..index * 8 + 8).unwrap_or_default();
        u64::from_le_bytes(bytes.try_into().unwrap_or_default())
    };
    let state = serde_json::from_slice(state).map_err(|error| damaged(error.to_string()))?;
    Ok(Document {
        number: number(0),
        revision: Revision(number(1)),
        position: Position(number(2)),
        state,
    })
}

/// Adds an entry to a row of the apply log: the stream's number and whether it was re-folded, revision, position, digest.
pub(crate) fn encode_entry(row: &mut Vec<u8>, number: u64, entry: &AppliedEvent) {
    varint(row, number << 1 | u64::from(entry.refolded));
    varint(row, entry.revision.0);
    varint(row, entry.position.0);
    row.extend_from_slice(&entry.event.0);
    row.extend_from_slice(&entry.state.0);
}

/// Hands the entries of a row to `each`, with their streams' numbers. `None` when the row does not decode.
pub(crate) fn decode_entries(
    mut row: &[u8],
    mut each: impl FnMut(u64, AppliedEvent),
) -> Option<()> {
    while !row.is_empty() {
        let head = read_varint(&mut row)?;
        let revision = Revision(read_varint(&mut row)?);
        let position = Position(read_varint(&mut row)?);
        let (event, rest) = row.split_first_chunk::<DIGEST_BYTES>()?;
        let (state, rest) = rest.split_first_chunk::<DIGEST_BYTES>()?;
        row = rest;
        let entry = AppliedEvent {
            refolded: head & 1 == 1,
            revision,
            position,
            event: Digest(*event),
            state: Digest(*state),
        };
        each(head >> 1, entry);
    }
    Some(())
}

/// Seven bits a byte, low ones first; the high bit says that more follow.
fn varint(row: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        row.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    row.push(u8::try_from(number).unwrap_or_default());
}

fn read_varint(row: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = row.split_first()?;
        *row = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_survives_and_a_short_one_is_damage() {
        let state = json!({"b": 1, "a": {"c": [1.5, "x"]}});
        let document = Document {
            number: 7,
            revision: Revision(3),
            position: Position(u64::MAX),
            state: state.as_object().unwrap().clone(),
        };
        let bytes = encode_document(&document);
        assert_eq!(decode_document("k", &bytes).unwrap(), document);
        for length in 0..bytes.len() {
            let error = decode_document("k", &bytes[..length]).unwrap_err();
            assert!(error.is_damage(), "{length}: {error}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::seeded(256))]

        #[test]
        fn entries_survive(entries in prop::collection::vec((0_u64..u64::MAX >> 1, any::<(bool, u64, u64, [u8; 16], [u8; 16])>()), 0..20)) {
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(number, (refolded, revision, position, event, state))| {
                    let entry = AppliedEvent {
                        refolded,
                        revision: Revision(revision),
                        position: Position(position),
                        event: Digest(event),
                        state: Digest(state),
                    };
                    (number, entry)
                })
                .collect();
            let mut row = Vec::new();
            for (number, entry) in &entries {
                encode_entry(&mut row, *number, entry);
            }
            let mut read = Vec::new();
            prop_assert!(decode_entries(&row, |number, entry| read.push((number, entry))).is_some());
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _refused_or_not = decode_entries(&bytes, |_, _| ());
            let _refused_or_not = decode_document("k", &bytes).is_ok();
        }
    }
}
