//! Times as texts: RFC 3339 in UTC, with as many sub-second digits (0, 3 or 6) as there is anything to say.
//!
//! Owns the digits. They are put together without a calendar library: events are written by the hundred thousand.

use super::Timestamp;

const MICROS_OF_A_DAY: i64 = 86_400_000_000;
/// Days from the first day of the year 0's March to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const DAYS_OF_400_YEARS: i64 = 146_097;
const LONGEST: usize = "2025-03-24T15:47:23.123456Z".len();

/// A time as it is written.
pub(super) struct Printed {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Printed {
    pub(super) fn of(at: Timestamp) -> Self {
        let days = at.0.div_euclid(MICROS_OF_A_DAY);
        let in_day = at.0.rem_euclid(MICROS_OF_A_DAY);
        let (year, month, day) = date(days);
        let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
        let mut printed = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        printed.number(year, 4).byte(b'-').number(month, 2);
        printed.byte(b'-').number(day, 2).byte(b'T');
        printed.number(seconds / 3_600, 2).byte(b':');
        printed.number(seconds / 60 % 60, 2).byte(b':');
        printed.number(seconds % 60, 2);
        if micros % 1_000 != 0 {
            printed.byte(b'.').number(micros, 6);
        } else if micros != 0 {
            printed.byte(b'.').number(micros / 1_000, 3);
        }
        printed.byte(b'Z');
        printed
    }

    pub(super) fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        // Digits and what stands between them.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
        self
    }

    /// A number of so many digits.
    fn number(&mut self, number: i64, digits: usize) -> &mut Self {
        let end = self.length + digits;
        let mut rest = number.unsigned_abs();
        if let Some(places) = self.bytes.get_mut(self.length..end) {
            for place in places.iter_mut().rev() {
                *place = b'0' + (rest % 10).to_le_bytes()[0];
                rest /= 10;
            }
            self.length = end;
        }
        self
    }
}

/// Year, month and day of a number of days since 1970: years are counted from March, so that the day that some have more is
/// their last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(DAYS_OF_400_YEARS);
    let of_era = days.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era =
        (of_era - of_era / 1_460 + of_era / 36_524 - of_era / (DAYS_OF_400_YEARS - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (year_of_era + era * 400 + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    fn by_the_calendar(at: Timestamp) -> String {
        at.to_datetime()
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    #[test]
    fn the_bounds_and_the_ends_of_february_are_written_as_the_calendar_says() {
        for text in [
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "2000-02-29T12:00:00.5Z",
            "1900-02-28T23:59:59Z",
            "1900-03-01T00:00:00Z",
            "2024-02-29T00:00:00.000001Z",
            "2024-12-31T23:59:59Z",
            "2025-01-01T00:00:00.010Z",
        ] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(Printed::of(at).as_str(), by_the_calendar(at), "{text}");
        }
        // Every day of 800 years.
        for day in -150_000..150_000 {
            let at = Timestamp::from_micros(day * MICROS_OF_A_DAY);
            assert_eq!(Printed::of(at).as_str(), by_the_calendar(at));
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::seeded(256))]

        #[test]
        fn any_moment_is_written_as_the_calendar_says(micros in Timestamp::MIN.0..=Timestamp::MAX.0, unit in 0_u32..7) {
            let unit = 10_i64.pow(unit);
            let at = Timestamp::from_micros(micros / unit * unit);
            let printed = Printed::of(at);
            prop_assert_eq!(printed.as_str(), by_the_calendar(at));
        }
    }
}
