//! Moments: UTC, microseconds, always written with a zone.
//!
//! Owns parsing and printing of times. Never reads a clock.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment in microseconds since 1970-01-01T00:00:00Z, between the years 1 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// The text names a local time: which moment that is depends on where one stands.
    #[error("time `{0}` has no zone; add `Z` for UTC or an offset such as `+02:00`")]
    NoZone(String),
    /// Not an RFC 3339 time.
    #[error("`{0}` is not a time; write it like `2025-03-24T15:47:23Z`")]
    Malformed(String),
    /// Outside the years 1 to 9999.
    #[error("time `{0}` is outside the years 1 to 9999")]
    OutOfRange(String),
}

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

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
        f.write_str(
            &self
                .to_datetime()
                .to_rfc3339_opts(SecondsFormat::AutoSi, true),
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        match DateTime::parse_from_rfc3339(text) {
            Ok(at) => {
                let micros = at.timestamp_micros();
                if RANGE.contains(&micros) {
                    Ok(Self(micros))
                } else {
                    Err(TimeError::OutOfRange(text.to_owned()))
                }
            }
            Err(_) if is_local(text) => Err(TimeError::NoZone(text.to_owned())),
            Err(_) => Err(TimeError::Malformed(text.to_owned())),
        }
    }
}

fn is_local(text: &str) -> bool {
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .any(|format| NaiveDateTime::parse_from_str(text, format).is_ok())
        || chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
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
        }
        assert!(matches!(
            "3:47 PM".parse::<Timestamp>(),
            Err(TimeError::Malformed(_))
        ));
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
