//! Numbers and texts as bytes, written and read one after another: what frames of the log and parts of segments are made of.
//!
//! Owns their encoding: numbers seven bits a byte, the low ones first (LEB128), of either sign zigzag before that, as Protocol
//! Buffers do; texts behind their length. Reading never panics and never takes more memory than there are bytes. Never knows
//! what the numbers mean.

use std::borrow::Cow;

use whodunit_core::counted::counted;
use whodunit_core::ids::StreamName;
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

/// Why bytes could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) Cow<'static, str>);

impl From<&'static str> for Malformed {
    fn from(why: &'static str) -> Self {
        Self(why.into())
    }
}

impl From<String> for Malformed {
    fn from(why: String) -> Self {
        Self(why.into())
    }
}

/// What a reader of bytes returns.
pub(crate) type Read<T> = Result<T, Malformed>;

const TOO_SHORT: Malformed = Malformed(Cow::Borrowed("it ends too early"));
const TOO_LARGE: Malformed = Malformed(Cow::Borrowed("a number is too large"));

/// Appends fields to bytes.
#[derive(Debug)]
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(crate) fn u64(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.byte(value.to_le_bytes()[0])
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.u64(u64::from(value))
    }

    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.u64(count as u64)
    }

    /// Small numbers of either sign take few bytes.
    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.u64((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned())
    }

    /// The difference to the value before, wrapping, which is remembered.
    pub(crate) fn delta(&mut self, before: &mut i64, value: i64) -> &mut Self {
        let difference = value.wrapping_sub(*before);
        *before = value;
        self.i64(difference)
    }

    pub(crate) fn time(&mut self, at: Timestamp) -> &mut Self {
        self.i64(at.as_micros())
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn optional<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        self.optional(text, |out, text| {
            out.text(text);
        })
    }
}

/// Takes fields from bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Read<u8> {
        let (&byte, rest) = self.0.split_first().ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(byte)
    }

    /// The next `n` bytes.
    pub(crate) fn bytes(&mut self, n: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u64(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(TOO_LARGE)
    }

    pub(crate) fn u32(&mut self) -> Read<u32> {
        u32::try_from(self.u64()?).map_err(|_too_large| TOO_LARGE)
    }

    /// A length or an index in memory.
    pub(crate) fn size(&mut self) -> Read<usize> {
        usize::try_from(self.u64()?).map_err(|_too_large| TOO_LARGE)
    }

    /// How many entries follow, each of which takes at least a byte.
    pub(crate) fn count(&mut self) -> Read<usize> {
        let count = self.size()?;
        if count > self.0.len() {
            return Err(
                format!("its count of entries, {count}, is more than its bytes can hold").into(),
            );
        }
        Ok(count)
    }

    pub(crate) fn i64(&mut self) -> Read<i64> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The value whose difference to the one before comes next; remembers it.
    pub(crate) fn delta(&mut self, before: &mut i64) -> Read<i64> {
        *before = before.wrapping_add(self.i64()?);
        Ok(*before)
    }

    pub(crate) fn time(&mut self) -> Read<Timestamp> {
        let micros = self.i64()?;
        let at = Timestamp::from_micros(micros);
        if at.as_micros() == micros {
            Ok(at)
        } else {
            Err("a time is outside the years 1 to 9999".into())
        }
    }

    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let length = self.count()?;
        let text = self.bytes(length)?;
        Ok(std::str::from_utf8(text).map_err(|error| format!("a text is not UTF-8: {error}"))?)
    }

    pub(crate) fn owned(&mut self) -> Read<String> {
        Ok(self.text()?.to_owned())
    }

    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(format!("{other} is neither absent nor there").into()),
        }
    }

    pub(crate) fn optional_text(&mut self) -> Read<Option<String>> {
        self.optional(Self::owned)
    }

    pub(crate) fn stream(&mut self) -> Read<StreamName> {
        let name = StreamName::new(self.text()?);
        Ok(name.map_err(|error| format!("the stream's name {error}"))?)
    }

    pub(crate) fn json(&mut self) -> Read<Json> {
        let json = Json::from_compact(self.text()?);
        Ok(json.map_err(|error| format!("a payload is not JSON: {error}"))?)
    }

    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.count()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(crate) fn end(&self) -> Read<()> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(format!("it has {} too many", counted(more, "byte")).into()),
        }
    }
}
