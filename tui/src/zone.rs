//! Time zones: how a moment is written where the reader is.
//!
//! Owns every time on screen and in the answers of commands. A local time has the offset of its own day.

use chrono::{DateTime, FixedOffset, TimeZone, Utc};
use whodunit_core::sentence::{day, moment};
use whodunit_core::time::{Timestamp, input};

use crate::times::{Least, Pattern};

/// A zone's offset from UTC at a time, in seconds.
pub(crate) type OffsetAt = fn(Timestamp) -> i32;

/// In which zone times are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// The terminal's own zone. Its offset depends on the day: summer time.
    Local(OffsetAt),
}

/// The offset of this machine's own zone from UTC at a time, in seconds.
pub(crate) fn machine_offset(at: Timestamp) -> i32 {
    at.to_datetime()
        .with_timezone(&chrono::Local)
        .offset()
        .local_minus_utc()
}

impl Zone {
    /// The offset at a time in seconds; `None` for UTC.
    pub(crate) fn offset_at(self, time: Timestamp) -> Option<i32> {
        match self {
            Self::Utc => None,
            Self::Local(offset_at) => Some(offset_at(time)),
        }
    }

    /// The same for times that are typed.
    pub(crate) fn for_input(self) -> input::Zone {
        match self {
            Self::Utc => input::Zone::UTC,
            Self::Local(offset_at) => input::Zone::ByRule(offset_at),
        }
    }

    fn offset(self, time: Timestamp) -> i32 {
        self.offset_at(time).unwrap_or(0)
    }

    fn at(self, time: Timestamp) -> DateTime<FixedOffset> {
        let utc: DateTime<Utc> = time.to_datetime();
        match FixedOffset::east_opt(self.offset(time)) {
            Some(offset) => offset.from_utc_datetime(&utc.naive_utc()),
            None => utc.fixed_offset(),
        }
    }

    /// `UTC`, or the offset at a time: `+02:00`.
    pub(crate) fn name(self, time: Timestamp) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Local(_) => self.at(time).format("%:z").to_string(),
        }
    }

    /// The name for a column's heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Utc => "time (UTC)",
            Self::Local(_) => "time (local)",
        }
    }

    /// By a pattern of `chrono`.
    pub(crate) fn format(self, time: Timestamp, pattern: &str) -> String {
        self.at(time).format(pattern).to_string()
    }

    /// The pattern that tells these times apart, no longer than it has to be.
    pub(crate) fn pattern(
        self,
        times: impl IntoIterator<Item = Timestamp>,
        now: Timestamp,
    ) -> Pattern {
        let least = Least {
            year: false,
            seconds: false,
        };
        Pattern::telling_apart(times, now, least, |time, pattern| {
            self.format(time, pattern)
        })
    }

    /// `Mar 24 15:47`, or `2025-03-24 15:47` and longer where the pattern says so.
    pub(crate) fn show(self, time: Timestamp, pattern: Pattern) -> String {
        self.format(time, pattern.as_str())
    }

    /// One time alone: `Mar 24 15:47`, with its year where that is not this one.
    pub(crate) fn short(self, time: Timestamp, now: Timestamp) -> String {
        self.show(time, self.pattern([time], now))
    }

    /// `Mon 24 Mar 2025 15:47:23 UTC`, with the fraction of the second where there is one.
    pub(crate) fn long(self, time: Timestamp) -> String {
        moment(time, self.offset_at(time))
    }

    /// `2025-03-24 15:47:23.500`: all of it, for a time that stands alone in a column.
    pub(crate) fn exact(self, time: Timestamp) -> String {
        self.format(time, Pattern::exact(time).as_str())
    }

    /// `Mon 24 Mar 2025`.
    pub(crate) fn day(self, time: Timestamp) -> String {
        day(time, self.offset_at(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_chosen_zone() {
        let time: Timestamp = "2025-03-24T15:47:23Z".parse().unwrap();
        assert_eq!(Zone::Utc.long(time), "Mon 24 Mar 2025 15:47:23 UTC");
        assert_eq!(Zone::Local(|_| 7200).short(time, time), "Mar 24 17:47");
        assert_eq!(Zone::Local(|_| -19_800).name(time), "-05:30");
        let half = time.plus_micros(500_000);
        assert_eq!(Zone::Utc.exact(half), "2025-03-24 15:47:23.500");
    }

    /// As in central Europe: two hours from the last Sunday of March on, one hour before.
    fn summer_time(time: Timestamp) -> i32 {
        let change: Timestamp = "2025-03-30T01:00:00Z".parse().unwrap();
        if time < change { 3600 } else { 7200 }
    }

    #[test]
    fn each_time_is_shown_with_the_offset_of_its_own_day() {
        let zone = Zone::Local(summer_time);
        let cases = [
            ("2025-03-24T15:47:23Z", "Mon 24 Mar 2025 16:47:23 +01:00"),
            ("2025-07-24T15:47:23Z", "Thu 24 Jul 2025 17:47:23 +02:00"),
        ];
        for (utc, local) in cases {
            assert_eq!(zone.long(utc.parse().unwrap()), local);
        }
    }
}
