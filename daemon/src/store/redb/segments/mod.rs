//! The sealed records of a log: segments in the tables of a file, and what is read of them.
//!
//! Owns how a segment is kept in tables, how a record is found in one, and that what is found is what was asked for: a block is
//! checked against the manifest, a record against the place or the id that led to it. Tables beside the segments hold what
//! belongs to the whole log: streams, unique keys, jobs, ids by their hashes. What a segment's bytes mean is `store/segment`'s.

mod causes;
mod check;
mod decisions;
mod log;
mod lookup;
mod parts;
mod records;
#[cfg(test)]
pub(super) mod rewrite;
mod runs;
mod seal;
mod streams;
#[cfg(test)]
mod tests;
mod times;
mod view;
pub(in crate::store) mod words;

pub(super) use self::check::SealedCheck;
pub(super) use self::lookup::SegmentLookup;
pub(super) use self::parts::Parts;
pub(super) use self::records::head;
#[cfg(test)]
pub(super) use self::runs::decode as decode_runs;
pub(super) use self::seal::{insert, seal};
pub(super) use self::view::SegmentView;

use crate::store::segment::uuid;

/// Bytes of a segment that are kept together: with its key it fills eight pages of the engine.
const CHUNK_BYTES: usize = 32 * 1024 - 64;

/// A hash of an id, and the position or sequence that it leads to.
pub(super) type HashKey = [u8; 12];

/// Bytes of the hash in a [`HashKey`]; the others are the number.
const HASH_BYTES: usize = 7;
/// Of these, the bytes that are the time of an id that begins with one: such ids are sealed in about the order of their keys, so
/// that the pages of a long log's keys are written once and not with every sealing.
const TIME_BYTES: usize = 4;

/// The key of an id. The number must be below 2^40.
fn hash_key(id: &str, number: u64) -> HashKey {
    let mut key = [0; 12];
    let mut hash = xxhash_rust::xxh3::xxh3_64(id.as_bytes()).to_be_bytes();
    if let Some(uuid) = uuid(id).filter(|uuid| uuid[6] >> 4 == 7) {
        for (to, from) in hash.iter_mut().zip(uuid).take(TIME_BYTES) {
            *to = from;
        }
    }
    let number = number.to_be_bytes();
    let bytes = hash.iter().take(HASH_BYTES).chain(number.iter().skip(3));
    for (to, from) in key.iter_mut().zip(bytes) {
        *to = *from;
    }
    key
}

/// The number in a key.
fn number_of(key: &HashKey) -> u64 {
    let number = key.iter().skip(HASH_BYTES);
    number.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Numbers that fit into a [`HashKey`].
const NUMBER_MAX: u64 = (1 << 40) - 1;

#[cfg(test)]
mod key_tests {
    use super::*;

    #[test]
    fn a_key_is_as_the_page_says() {
        let hash = xxhash_rust::xxh3::xxh3_64(b"e1").to_be_bytes();
        let number = [1, 2, 3, 4, 5];
        let key = hash_key("e1", 0x01_0203_0405);
        assert_eq!(key[..7], hash[..7]);
        assert_eq!(key[7..], number);
        assert_eq!(number_of(&key), 0x01_0203_0405);
        let (timed, other) = (
            "0195d3a1-7c2e-7000-8000-00000000000a",
            "0195d3a1-7c2e-4000-8000-00000000000a",
        );
        let hash = xxhash_rust::xxh3::xxh3_64(timed.as_bytes()).to_be_bytes();
        assert_eq!(hash_key(timed, 1)[..4], [0x01, 0x95, 0xd3, 0xa1]);
        assert_eq!(hash_key(timed, 1)[4..7], hash[4..7]);
        let hash = xxhash_rust::xxh3::xxh3_64(other.as_bytes()).to_be_bytes();
        assert_eq!(hash_key(other, 1)[..7], hash[..7]);
    }
}
