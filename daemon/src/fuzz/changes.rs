//! Changes of a sample at random: bits, bytes, cuts, repetitions, pieces of other samples, lengths.

use crate::store::disk::simulated::Random;

/// Bytes that a changed sample has at most.
const BYTES_MAX: usize = 1 << 20;

/// Numbers at which decoders go wrong.
const LENGTHS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// A few changes of one of the samples.
pub(super) fn changed(random: &mut Random, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = samples[random.index(samples.len())].clone();
    for _ in 0..=random.below(4) {
        change(random, &mut bytes, samples);
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let length = bytes.len();
    let at = random.index(length + 1);
    match random.below(12) {
        0 | 1 if at < length => bytes[at] ^= 1 << random.below(8),
        2 | 3 if at < length => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        4 => bytes.truncate(at),
        5 => {
            let to = (at + random.index(32)).min(length);
            bytes.drain(at..to);
        }
        6 => {
            // What is there, again: now and then very often, which nests what opens.
            let to = (at + 1 + random.index(8)).min(length);
            let times = if random.below(4) == 0 { 4_000 } else { 2 };
            let piece = bytes[at..to].repeat(times);
            bytes.splice(at..at, piece);
        }
        7 => {
            let other = &samples[random.index(samples.len())];
            let from = random.index(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
        8 => {
            let other = &samples[random.index(samples.len())];
            let from = random.index(other.len() + 1);
            let to = (from + random.index(64)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        9 | 10 => {
            let number = length_of(random);
            let to = (at + number.len()).min(length);
            let keeps = random.below(2) == 0;
            bytes.splice(at..if keeps { at } else { to }, number);
        }
        _ => {
            let more = random.below(9);
            let more: Vec<u8> = (0..more)
                .map(|_| u8::try_from(random.below(256)).unwrap())
                .collect();
            bytes.splice(at..at, more);
        }
    }
}

/// A length as some format has it: four or eight bytes, seven bits a byte, or digits.
fn length_of(random: &mut Random) -> Vec<u8> {
    let mut number = LENGTHS[random.index(LENGTHS.len())];
    match random.below(5) {
        0 => number.to_le_bytes()[..4].to_vec(),
        1 => number.to_le_bytes().to_vec(),
        2 => number.to_be_bytes().to_vec(),
        3 => number.to_string().into_bytes(),
        _ => {
            let mut bytes = Vec::new();
            while number >= 0x80 {
                bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
                number >>= 7;
            }
            bytes.push(u8::try_from(number).unwrap());
            bytes
        }
    }
}
