//! How fine the times of a list are shown.
//!
//! Owns the rule: a time is short as long as nobody can mistake it. The year stands where one of the times is not of this
//! year, seconds and fractions where two different times would look alike.

use std::collections::BTreeSet;

use whodunit_core::time::Timestamp;

/// How a time is shown, as a pattern of `chrono`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern(&'static str);

/// From short to exact: month and day with a time of day, and the whole date with one.
const OF_THIS_YEAR: [&str; 4] = [
    "%b %d %H:%M",
    "%b %d %H:%M:%S",
    "%b %d %H:%M:%S%.3f",
    "%b %d %H:%M:%S%.6f",
];
const OF_A_DAY: [&str; 4] = ["%H:%M", "%H:%M:%S", "%H:%M:%S%.3f", "%H:%M:%S%.6f"];
const OF_ANY_YEAR: [&str; 4] = [
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.3f",
    "%Y-%m-%d %H:%M:%S%.6f",
];

/// What is shown however alike the times are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Least {
    /// Whether the year is shown even where all times are of this one.
    pub(crate) year: bool,
    pub(crate) seconds: bool,
}

impl Pattern {
    /// The shortest one that tells these times apart. `format` writes a time in the zone shown.
    pub(crate) fn telling_apart(
        times: impl IntoIterator<Item = Timestamp>,
        now: Timestamp,
        least: Least,
        format: impl Fn(Timestamp, &str) -> String,
    ) -> Self {
        let times: BTreeSet<Timestamp> = times.into_iter().collect();
        let year = |time| format(time, "%Y");
        let this_year = year(now);
        let is_of_this_year = times.iter().all(|&time| year(time) == this_year);
        let patterns = if least.year || !is_of_this_year {
            OF_ANY_YEAR
        } else {
            OF_THIS_YEAR
        };
        Self::first_of(patterns, usize::from(least.seconds), &times, format)
    }

    /// The same for times within a day or two, whose date stands beside them.
    pub(crate) fn of_a_day(
        times: impl IntoIterator<Item = Timestamp>,
        format: impl Fn(Timestamp, &str) -> String,
    ) -> Self {
        let times: BTreeSet<Timestamp> = times.into_iter().collect();
        Self::first_of(OF_A_DAY, 1, &times, format)
    }

    fn first_of(
        [minutes, seconds, millis, micros]: [&'static str; 4],
        from: usize,
        times: &BTreeSet<Timestamp>,
        format: impl Fn(Timestamp, &str) -> String,
    ) -> Self {
        let tells_apart = |pattern: &&str| {
            let shown: BTreeSet<String> = times.iter().map(|&t| format(t, pattern)).collect();
            shown.len() == times.len()
        };
        let mut tried = [minutes, seconds, millis].into_iter().skip(from);
        Self(tried.find(tells_apart).unwrap_or(micros))
    }

    /// The one for a time that stands alone: exact, with the fraction of the second where there is one.
    pub(crate) fn exact(time: Timestamp) -> Self {
        let [_, seconds, millis, micros] = OF_ANY_YEAR;
        Self(match time.as_micros().rem_euclid(1_000_000) {
            0 => seconds,
            n if n % 1000 == 0 => millis,
            _ => micros,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    const SHORT: Least = Least {
        year: false,
        seconds: false,
    };

    fn shown(times: &[&str], least: Least) -> Vec<String> {
        let times: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
        let now = "2025-06-01T00:00:00Z".parse().unwrap();
        let format = |time, pattern: &str| Zone::Utc.format(time, pattern);
        let pattern = Pattern::telling_apart(times.clone(), now, least, format);
        times.iter().map(|&t| format(t, pattern.as_str())).collect()
    }

    #[test]
    fn a_time_is_as_exact_as_it_has_to_be() {
        let day = ["2025-03-01T10:00:00Z", "2025-03-01T10:01:00Z"];
        assert_eq!(shown(&day, SHORT), ["Mar 01 10:00", "Mar 01 10:01"]);
        // The same moment twice is no other time.
        assert_eq!(shown(&[day[0], day[0]], SHORT)[0], "Mar 01 10:00");
        let seconds = ["2025-03-01T10:00:00Z", "2025-03-01T10:00:59Z"];
        assert_eq!(shown(&seconds, SHORT)[1], "Mar 01 10:00:59");
        let millis = ["2025-03-01T10:00:00.001Z", "2025-03-01T10:00:00Z"];
        assert_eq!(shown(&millis, SHORT)[0], "Mar 01 10:00:00.001");
        let micros = ["2025-03-01T10:00:00.000001Z", "2025-03-01T10:00:00Z"];
        assert_eq!(shown(&micros, SHORT)[0], "Mar 01 10:00:00.000001");
    }

    #[test]
    fn the_year_is_there_as_soon_as_it_is_another() {
        let years = [
            "2005-03-01T10:00:00Z",
            "2013-03-01T10:00:00Z",
            "2024-03-01T10:00:00Z",
        ];
        let expected = ["2005-03-01 10:00", "2013-03-01 10:00", "2024-03-01 10:00"];
        assert_eq!(shown(&years, SHORT), expected);
        assert_eq!(shown(&years[2..], SHORT), expected[2..]);
        let least = Least {
            year: true,
            seconds: true,
        };
        assert_eq!(
            shown(&["2025-03-01T10:00:00Z"], least),
            ["2025-03-01 10:00:00"]
        );
    }

    #[test]
    fn no_two_times_ever_look_alike() {
        let base: Timestamp = "2024-12-31T23:59:59Z".parse().unwrap();
        for step in [
            1,
            999,
            1_000,
            999_999,
            1_000_000,
            60_000_000,
            31_536_000_000_000,
        ] {
            let times = [base, base.plus_micros(step)].map(|time| time.to_string());
            let texts = shown(&[&times[0], &times[1]], SHORT);
            assert_ne!(texts[0], texts[1], "{step} µs apart");
        }
    }
}
