//! Timestamps: UTC, microseconds, always written with a zone.
//!
//! Owns parsing and printing of times: RFC 3339, and other spellings that can mean only one moment. Never reads a clock.

pub mod input;
mod printed;
mod spelling;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use serde::{Deserialize, Serialize, Serializer};

use self::printed::Printed;

/// A moment in microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Timestamp(i64);

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// A local time without a zone: it could be any of several moments.
    #[error("time `{0}` has no zone; add `Z` for UTC or an offset such as `+02:00`")]
    NoZone(String),
    /// The text names its zone by letters that several zones share, or whose offset depends on the date.
    #[error(
        "time `{0}` names its zone by letters; write its offset instead, such as `+02:00`, or `Z` for UTC"
    )]
    ZoneName(String),
    /// A count since 1970, of units that it does not say.
    #[error(
        "`{0}` is a count, not a time; in a mapping write `{{seconds(…)}}` or `{{millis(…)}}`, elsewhere `2025-03-24T15:47:23Z`"
    )]
    Count(String),
    /// Not a time.
    #[error("`{0}` is not a time; write it like `2025-03-24T15:47:23Z`")]
    Malformed(String),
    /// Outside the years 1 to 9999.
    #[error("time `{0}` is outside the years 1 to 9999")]
    OutOfRange(String),
}

impl TimeError {
    /// The same without the text that was meant as a time, unless it has only what times are made of: anything may have been
    /// given by mistake, a password too.
    #[must_use]
    pub fn without_secret(mut self) -> Self {
        let (Self::NoZone(text)
        | Self::ZoneName(text)
        | Self::Count(text)
        | Self::Malformed(text)
        | Self::OutOfRange(text)) = &mut self;
        let of_a_time =
            |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | '+' | 'T' | 'Z' | ' ');
        if !text.chars().all(of_a_time) {
            "…".clone_into(text);
        }
        self
    }
}

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// chrono counts a leap second as a second of the nanoseconds of the one before it.
const NANOS_OF_A_SECOND: u32 = 1_000_000_000;

/// Characters of a text that an error repeats.
const QUOTED_CHARS_MAX: usize = 64;

impl Timestamp {
    /// The first moment there is: 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(*RANGE.start());
    /// The last moment there is: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(*RANGE.end());

    /// From microseconds since 1970; moments outside the years 1 to 9999 are moved to the nearest bound.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(*RANGE.start(), *RANGE.end()))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// The moment `micros` microseconds later (or earlier).
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Whether a text has digits of a second that a timestamp does not keep: those beyond microseconds.
    pub fn leaves_digits_of(text: &str) -> bool {
        let fraction = text.split_once(['.', ',']).map_or("", |(_, rest)| rest);
        let digits = fraction.bytes().take_while(u8::is_ascii_digit);
        digits.skip(6).any(|digit| digit != b'0')
    }

    /// Appends it as it is written in JSON, without quotes.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(Printed::of(self).as_str().as_bytes());
    }

    /// The moment as chrono's UTC date and time.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self::from_micros(at.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many sub-second digits (0, 3 or 6) as there is anything to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Printed::of(*self).as_str())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Printed::of(*self).as_str())
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return in_range(at, text);
        }
        match spelling::read(text) {
            Some(at) => in_range(at, text),
            None => Err(refused(text)),
        }
    }
}

fn in_range(at: DateTime<FixedOffset>, text: &str) -> Result<Timestamp, TimeError> {
    if at.nanosecond() >= NANOS_OF_A_SECOND && !may_be_a_leap_second(at) {
        return Err(TimeError::Malformed(cut(text)));
    }
    let micros = at.timestamp_micros();
    if RANGE.contains(&micros) {
        Ok(Timestamp(micros))
    } else {
        Err(TimeError::OutOfRange(cut(text)))
    }
}

/// Whether a second 60 stands where one may be: at the end of June or December, in UTC. Elsewhere it is a mistake, and
/// would become the next minute.
fn may_be_a_leap_second(at: DateTime<FixedOffset>) -> bool {
    let at = at.naive_utc();
    matches!((at.month(), at.day()), (6, 30) | (12, 31))
        && (at.hour(), at.minute(), at.second()) == (23, 59, 59)
}

/// Why a text is not a moment.
fn refused(text: &str) -> TimeError {
    if spelling::is_local(text) {
        return TimeError::NoZone(cut(text));
    }
    if spelling::has_zone_name(text) {
        return TimeError::ZoneName(cut(text));
    }
    let count = text.trim_start_matches('-');
    if count.len() > 7 && count.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return TimeError::Count(cut(text));
    }
    TimeError::Malformed(cut(text))
}

/// The beginning of a text, for an error's words.
fn cut(text: &str) -> String {
    let mut out: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

impl TryFrom<String> for Timestamp {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_zone_is_refused_with_a_hint() {
        for text in ["2025-03-24T15:47:00", "2025-03-24 15:47", "2025-03-24"] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert_eq!(error, TimeError::NoZone(text.to_owned()));
            assert!(error.to_string().contains("add `Z`"));
            assert_eq!(error.clone().without_secret(), error);
        }
        assert!(matches!(
            "3:47 PM".parse::<Timestamp>(),
            Err(TimeError::Malformed(_))
        ));
    }

    #[test]
    fn spellings_that_mean_one_moment_are_taken() {
        let at: Timestamp = "2025-03-24T15:47:23Z".parse().unwrap();
        for text in [
            "2025-03-24t15:47:23z",
            "2025-03-24 15:47:23Z",
            "2025-03-24 15:47:23+00:00",
            "2025-03-24 15:47:23 +0000",
            "2025-03-24 15:47:23+00",
            "2025-03-24 15:47:23 UTC",
            "2025-03-24T17:47:23+0200",
            "2025-03-24T17:47:23+02",
            "2025-03-24 11:17:23-04:30",
            "2025-03-24T15:47:23-00:00",
            "20250324T154723Z",
            "20250324T174723+0200",
            "2025-03-24T16:47:23+01:00[Europe/Amsterdam]",
            "Mon, 24 Mar 2025 15:47:23 GMT",
            "Mon, 24 Mar 2025 16:47:23 +0100",
        ] {
            assert_eq!(text.parse(), Ok(at), "{text}");
        }
        let minute: Timestamp = "2025-03-24T15:47:00Z".parse().unwrap();
        for text in [
            "2025-03-24T15:47Z",
            "2025-03-24 17:47+02",
            "20250324T1547Z",
            "2025-03-24T15:47:00,000Z",
        ] {
            assert_eq!(text.parse(), Ok(minute), "{text}");
        }
        let fine: Timestamp = "2025-03-24T14:47:23.788001Z".parse().unwrap();
        for text in ["2025-03-24 15:47:23.788001+01", "20250324T144723.788001Z"] {
            assert_eq!(text.parse(), Ok(fine), "{text}");
        }
    }

    #[test]
    fn what_could_mean_several_moments_is_refused_with_a_hint() {
        let hint = |text: &str, words: &str| {
            let said = text.parse::<Timestamp>().unwrap_err().to_string();
            assert!(said.contains(words), "{text}: {said}");
        };
        for text in [
            "2025-03-24T15:47:23",
            "20250324T154723",
            "2025-03-24",
            "2025-03-24 15:47:23,5",
        ] {
            hint(text, "has no zone; add `Z`");
        }
        for text in [
            "2025-03-24 15:47:23 CET",
            "2025-03-24T15:47:23 Europe/Berlin",
            "Mon, 24 Mar 2025 15:47:23 EST",
        ] {
            hint(text, "write its offset instead");
        }
        for text in ["1742831243", "1742831243000", "1742831243.5", "20250324"] {
            hint(text, "is a count, not a time");
        }
        for text in [
            "",
            "infinity",
            "yesterday",
            "2025-02-30T00:00:00Z",
            "2025-03-24T15:47:23.Z",
            "2025-03-24T24:00:00Z",
            "03/04/2025 10:00:00Z",
            "2025-03-24T15:47:23+2",
            "2025-03-24T15:47:23+25:00",
            "2025-03-24T15:47:23Z[!x]",
            "5",
        ] {
            hint(text, "is not a time; write it like");
        }
        let long = "x".repeat(10_000);
        assert!(long.parse::<Timestamp>().unwrap_err().to_string().len() < 150);
    }

    #[test]
    fn a_leap_second_is_taken_where_there_may_be_one() {
        for text in ["2016-12-31T23:59:60Z", "2015-07-01T01:59:60.5+02:00"] {
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
        for text in [
            "2025-03-24T15:47:60Z",
            "2016-12-31T23:59:60+01:00",
            "20250324T154760Z",
            "Mon, 24 Mar 2025 15:47:60 GMT",
        ] {
            let error = text.parse::<Timestamp>().unwrap_err();
            assert_eq!(error, TimeError::Malformed(text.to_owned()));
        }
    }

    #[test]
    fn digits_beyond_microseconds_are_known() {
        for (text, leaves) in [
            ("2025-03-24T15:47:23Z", false),
            ("2025-03-24T15:47:23.123456Z", false),
            ("2025-03-24T15:47:23.123456000+02:00", false),
            ("Mon, 24 Mar 2025 15:47:23 GMT", false),
            ("2025-03-24T15:47:23.1234567Z", true),
            ("2025-03-24 15:47:23,123456001+01", true),
        ] {
            assert!(text.parse::<Timestamp>().is_ok());
            assert_eq!(Timestamp::leaves_digits_of(text), leaves, "{text}");
        }
    }

    #[test]
    fn offsets_become_utc_and_print_back() {
        let at: Timestamp = "2025-03-24T17:47:23.5+02:00".parse().unwrap();
        assert_eq!(at.to_string(), "2025-03-24T15:47:23.500Z");
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        assert_eq!(
            Timestamp::MAX.to_string().parse::<Timestamp>().unwrap(),
            Timestamp::MAX
        );
        assert_eq!(
            Timestamp::MIN.to_string().parse::<Timestamp>().unwrap(),
            Timestamp::MIN
        );
    }
}
