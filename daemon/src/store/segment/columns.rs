//! Columns: the values of many records, kind by kind, so that alike stands beside alike and compresses well.
//!
//! Owns three areas of bytes, numbers, ids and texts, and how one value of each kind goes into them and comes out. Texts are one
//! piece of UTF-8, checked once. Never knows what the records are.

use std::collections::HashMap;

use whodunit_core::event::IdText;

use crate::store::bytes::{Malformed, Read, Reader, Writer};

/// Where a text stands among the texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of no text.
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };

    fn range(self) -> (usize, usize) {
        (self.start as usize, self.end as usize)
    }
}

/// An id as it stands in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// A UUID in its usual spelling (lower case, with hyphens), as its sixteen bytes.
    Uuid([u8; 16]),
    /// Any other text.
    Text(Span),
}

const ABSENT: u64 = 0;
const AS_BEFORE: u64 = 1;
const UUID: u64 = 2;
/// A UUID of version 7 whose time is near that of its record: by how much, and what follows the time.
pub(super) const TIMED: u64 = 3;
/// A text of length n is n + this.
const TEXT: u64 = 4;
/// Milliseconds up to which such a time is near: as many as three bytes of a number hold.
pub(super) const NEAR: i64 = 1 << 20;
/// Bytes of a UUID of version 7 that are its time, in milliseconds.
const TIME_BYTES: usize = 6;

/// Words seen so far, in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct Words<'a>(HashMap<&'a str, u64>);

/// Puts values into columns.
#[derive(Debug, Default)]
pub(super) struct ColumnsWriter {
    numbers: Vec<u8>,
    ids: Vec<u8>,
    texts: String,
}

impl ColumnsWriter {
    pub(super) fn number(&mut self, value: u64) {
        Writer(&mut self.numbers).u64(value);
    }

    pub(super) fn size(&mut self, value: usize) {
        self.number(value as u64);
    }

    pub(super) fn signed(&mut self, value: i64) {
        Writer(&mut self.numbers).i64(value);
    }

    pub(super) fn delta(&mut self, before: &mut i64, value: i64) {
        Writer(&mut self.numbers).delta(before, value);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.size(text.len());
        self.texts.push_str(text);
    }

    pub(super) fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.number(ABSENT),
            Some(text) => {
                self.number(text.len() as u64 + 1);
                self.texts.push_str(text);
            }
        }
    }

    /// A text that others of its column may share.
    pub(super) fn word<'a>(&mut self, words: &mut Words<'a>, text: Option<&'a str>) {
        let Some(text) = text else {
            return self.number(ABSENT);
        };
        let next = words.0.len() as u64 + 1;
        let index = *words.0.entry(text).or_insert(next);
        self.number(index);
        if index == next {
            self.text(text);
        }
    }

    /// A checksum or a hash: bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.ids.extend(bytes);
    }

    /// An id of a record of this time, in microseconds; `before` is the one before it in its column.
    pub(super) fn id<'a>(&mut self, before: &mut Option<&'a str>, id: Option<&'a str>, at: i64) {
        match id {
            None => self.number(ABSENT),
            Some(id) if *before == Some(id) => self.number(AS_BEFORE),
            Some(id) => match uuid(id) {
                Some(bytes) => self.uuid(bytes, at),
                None => {
                    self.number(id.len() as u64 + TEXT);
                    self.texts.push_str(id);
                }
            },
        }
        *before = id.or(*before);
    }

    fn uuid(&mut self, bytes: [u8; 16], at: i64) {
        // Times of UUIDs have 48 bits, and those in milliseconds 54.
        let later = time_of(bytes).map(|time| time - at.div_euclid(1_000));
        if let Some(later) = later.filter(|later| (-NEAR..NEAR).contains(later)) {
            self.number(TIMED);
            self.signed(later);
            self.ids.extend(bytes.iter().skip(TIME_BYTES));
        } else {
            self.number(UUID);
            self.ids.extend(bytes);
        }
    }

    /// The columns as one piece.
    pub(super) fn finish(self) -> Vec<u8> {
        let Self {
            numbers,
            ids,
            texts,
        } = self;
        let mut out = Vec::with_capacity(numbers.len() + ids.len() + texts.len() + 12);
        Writer(&mut out).count(numbers.len()).count(ids.len());
        out.extend(numbers);
        out.extend(ids);
        out.extend(texts.into_bytes());
        out
    }
}

/// The bytes of a UUID in its usual spelling; any other spelling would not come back as it was.
pub(crate) fn uuid(text: &str) -> Option<[u8; 16]> {
    let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let mut out = [0; 16];
    let mut digits = bytes.iter().enumerate();
    for byte in &mut out {
        let mut digit = || -> Option<u8> {
            loop {
                return match digits.next()? {
                    (8 | 13 | 18 | 23, b'-') => continue,
                    (8 | 13 | 18 | 23, _) => None,
                    (_, digit @ b'0'..=b'9') => Some(digit - b'0'),
                    (_, digit @ b'a'..=b'f') => Some(digit - b'a' + 10),
                    _ => None,
                };
            }
        };
        *byte = digit()? << 4 | digit()?;
    }
    Some(out)
}

/// The time of a UUID of version 7, in milliseconds.
fn time_of(bytes: [u8; 16]) -> Option<i64> {
    let version = bytes.get(TIME_BYTES)? >> 4;
    let time = bytes.iter().take(TIME_BYTES);
    let time = time.fold(0, |time, byte| time << 8 | i64::from(*byte));
    (version == 7).then_some(time)
}

/// The bytes of a UUID that has this time, in milliseconds.
fn timed(time: i64, rest: [u8; 16 - TIME_BYTES]) -> Option<[u8; 16]> {
    let [0, 0, time @ ..] = time.to_be_bytes() else {
        return None;
    };
    let mut bytes = [0; 16];
    let (first, second) = bytes.split_at_mut(TIME_BYTES);
    first.copy_from_slice(&time);
    second.copy_from_slice(&rest);
    Some(bytes)
}

/// A UUID's usual spelling.
fn spelt(bytes: [u8; 16]) -> [u8; 36] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut out = [b'-'; 36];
    let mut places = out.iter_mut().enumerate();
    let nibbles = bytes.into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    for nibble in nibbles {
        for (index, place) in places.by_ref() {
            if !matches!(index, 8 | 13 | 18 | 23) {
                *place = DIGITS[usize::from(nibble)];
                break;
            }
        }
    }
    out
}

/// Takes values out of columns, in the order in which they were put in.
pub(super) struct ColumnsReader<'a> {
    numbers: Reader<'a>,
    ids: Reader<'a>,
    text: usize,
    texts: Texts,
}

/// The texts of a block.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts(String);

impl Texts {
    /// The text that stands there.
    pub(super) fn get(&self, span: Span) -> &str {
        // Spans are checked when they are made.
        let (start, end) = span.range();
        self.0.get(start..end).unwrap_or_default()
    }

    /// Whether an id is this one.
    pub(super) fn is(&self, id: Id, wanted: &str) -> bool {
        match id {
            Id::Uuid(bytes) => uuid(wanted) == Some(bytes),
            Id::Text(span) => self.get(span) == wanted,
        }
    }

    /// About how many bytes they take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// An id's text.
    pub(super) fn id(&self, id: Id) -> IdText<'_> {
        match id {
            Id::Uuid(bytes) => IdText::Uuid(spelt(bytes)),
            Id::Text(span) => IdText::Text(self.get(span)),
        }
    }
}

impl<'a> ColumnsReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Read<Self> {
        let mut reader = Reader(bytes);
        let (numbers, ids) = (reader.size()?, reader.size()?);
        let numbers = Reader(reader.bytes(numbers)?);
        let ids = Reader(reader.bytes(ids)?);
        let texts = std::str::from_utf8(reader.0)
            .map_err(|_not_text| Malformed::from("its texts are not UTF-8"))?;
        Ok(Self {
            numbers,
            ids,
            text: 0,
            texts: Texts(texts.to_owned()),
        })
    }

    pub(super) fn number(&mut self) -> Read<u64> {
        self.numbers.u64()
    }

    pub(super) fn size(&mut self) -> Read<usize> {
        self.numbers.size()
    }

    /// A count of records, of which each has at least one number.
    pub(super) fn count(&mut self) -> Read<usize> {
        self.numbers.count()
    }

    /// How many bytes of numbers are left: no more records than these can follow.
    pub(super) fn left(&self) -> usize {
        self.numbers.0.len()
    }

    pub(super) fn signed(&mut self) -> Read<i64> {
        self.numbers.i64()
    }

    pub(super) fn delta(&mut self, before: &mut i64) -> Read<i64> {
        self.numbers.delta(before)
    }

    pub(super) fn text(&mut self) -> Read<Span> {
        let length = self.size()?;
        self.span(length)
    }

    pub(super) fn optional(&mut self) -> Read<Option<Span>> {
        match self.size()? {
            0 => Ok(None),
            length => self.span(length - 1).map(Some),
        }
    }

    pub(super) fn word(&mut self, words: &mut Vec<Span>) -> Read<Option<Span>> {
        let number = self.word_number(words)?;
        Ok(number.and_then(|number| words.get(number).copied()))
    }

    /// The number of the next word among those seen so far, from 0.
    pub(super) fn word_number(&mut self, words: &mut Vec<Span>) -> Read<Option<usize>> {
        let Some(number) = self.size()?.checked_sub(1) else {
            return Ok(None);
        };
        if number == words.len() {
            let span = self.text()?;
            words.push(span);
        }
        if number < words.len() {
            Ok(Some(number))
        } else {
            Err("it names a word that it does not have".into())
        }
    }

    pub(super) fn raw<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.ids.array()
    }

    /// An id of a record of this time, in microseconds.
    pub(super) fn id(&mut self, before: &mut Option<Id>, at: i64) -> Read<Option<Id>> {
        let id = match self.number()? {
            ABSENT => return Ok(None),
            AS_BEFORE => before.ok_or("an id refers to none before it")?,
            UUID => Id::Uuid(self.ids.array()?),
            TIMED => {
                let time = at.div_euclid(1_000).checked_add(self.signed()?);
                let rest = self.ids.array()?;
                let bytes = time.and_then(|time| timed(time, rest));
                Id::Uuid(bytes.ok_or("an id has a time that none can have")?)
            }
            length => {
                let length = usize::try_from(length - TEXT)
                    .map_err(|_too_large| Malformed::from("a length is too large"))?;
                Id::Text(self.span(length)?)
            }
        };
        *before = Some(id);
        Ok(Some(id))
    }

    fn span(&mut self, length: usize) -> Read<Span> {
        let (start, end) = (self.text, self.text.saturating_add(length));
        if self.texts.0.get(start..end).is_none() {
            return Err("a text ends too early".into());
        }
        self.text = end;
        let place = |at| u32::try_from(at).map_err(|_too_large| Malformed::from("it is too long"));
        Ok(Span {
            start: place(start)?,
            end: place(end)?,
        })
    }

    /// The texts, once everything was taken out.
    pub(super) fn finish(self) -> Read<Texts> {
        self.numbers.end()?;
        self.ids.end()?;
        if self.text == self.texts.0.len() {
            Ok(self.texts)
        } else {
            Err("something follows its end".into())
        }
    }
}
