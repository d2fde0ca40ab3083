//! Numbers and texts as bytes, written and read one after another.
//!
//! Owns their encoding: numbers seven bits a byte, the low ones first; texts behind their length. Reading never panics and
//! never takes more memory than there are bytes.

use whodunit_core::ids::StreamName;
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

/// What could not be read.
pub(super) type Read<T> = Result<T, String>;

/// Appends fields to bytes.
#[derive(Debug)]
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(super) fn u64(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.byte(value.to_le_bytes()[0])
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.u64(u64::from(value))
    }

    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        self.u64(count as u64)
    }

    /// Small numbers of either sign take few bytes.
    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.u64((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned())
    }

    pub(super) fn time(&mut self, at: Timestamp) -> &mut Self {
        self.i64(at.as_micros())
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn optional<T>(
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

    pub(super) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        self.optional(text, |out, text| {
            out.text(text);
        })
    }
}

/// Takes fields from bytes.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Read<u8> {
        let (&byte, rest) = self.0.split_first().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(byte)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
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
        Err("a number is too large".to_owned())
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        u32::try_from(self.u64()?).map_err(|error| format!("a number is too large: {error}"))
    }

    /// How many entries follow, each of which takes at least a byte.
    pub(super) fn count(&mut self) -> Read<usize> {
        let count = self.u64()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.0.len())
            .ok_or_else(|| format!("{count} entries are more than there are bytes"))
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        let value = self.u64()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn time(&mut self) -> Read<Timestamp> {
        let micros = self.i64()?;
        let at = Timestamp::from_micros(micros);
        if at.as_micros() == micros {
            Ok(at)
        } else {
            Err("a time is outside the years 1 to 9999".to_owned())
        }
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|error| format!("a text is not UTF-8: {error}"))
    }

    pub(super) fn owned(&mut self) -> Read<String> {
        Ok(self.text()?.to_owned())
    }

    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(format!("{other} is neither absent nor there")),
        }
    }

    pub(super) fn optional_text(&mut self) -> Read<Option<String>> {
        self.optional(Self::owned)
    }

    pub(super) fn stream(&mut self) -> Read<StreamName> {
        StreamName::new(self.text()?).map_err(|error| format!("the stream's name {error}"))
    }

    pub(super) fn json(&mut self) -> Read<Json> {
        Json::from_compact(self.owned()?).map_err(|error| format!("a payload is not JSON: {error}"))
    }

    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.count()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(super) fn end(&self) -> Read<()> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(format!("{more} bytes too many")),
        }
    }
}
