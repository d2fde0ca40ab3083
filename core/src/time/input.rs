//! Time input: how a text that a person types becomes a moment.
//!
//! Owns the one language of times that query lines, commands and screens share. What a text means depends on a moment that
//! stands for now and on a zone, which both come in as arguments: a text that says neither date nor zone is never guessed at.

use chrono::{Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use super::{TimeError, Timestamp};

/// Bytes of a text that may be a time.
const TEXT_BYTES_MAX: usize = 100;
/// What a minute and a day are longer than their first moment, in microseconds.
const MINUTE: i64 = 60_000_000 - 1;
const DAY: i64 = 86_400_000_000 - 1;

/// The zone in which a text without one is read.
#[derive(Debug, Clone, Copy)]
pub enum Zone {
    /// None was given: a text that needs one is refused.
    Unknown,
    /// So many seconds east of UTC, always.
    Fixed(i32),
    /// So many seconds east of UTC at that time.
    ByRule(fn(Timestamp) -> i32),
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads an offset: `Z`, `UTC`, `+02:00`, `-0430`, `+02`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
            return Some(Self::UTC);
        }
        offset(text).map(Self::Fixed)
    }

    fn seconds(self, at: Timestamp) -> Option<i32> {
        match self {
            Self::Unknown => None,
            Self::Fixed(seconds) => Some(seconds),
            Self::ByRule(rule) => Some(rule(at)),
        }
    }

    /// The date and time that the zone's clocks show at a moment.
    fn local(self, at: Timestamp) -> Option<NaiveDateTime> {
        let zone = FixedOffset::east_opt(self.seconds(at)?)?;
        Some(at.to_datetime().with_timezone(&zone).naive_local())
    }

    /// The moment at which the zone's clocks showed this.
    fn moment(self, local: NaiveDateTime) -> Option<Timestamp> {
        let as_utc = Timestamp::from(local.and_utc());
        let back = |at| Some(as_utc.plus_micros(-i64::from(self.seconds(at)?) * 1_000_000));
        // The offset of the moment that is looked for, not of the one that has the same digits in UTC.
        back(back(as_utc)?)
    }
}

/// What a text is read by.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What `now` is, `-2d` counts from, and whose day `15:46` is of.
    pub now: Timestamp,
    /// The zone of texts that name none.
    pub zone: Zone,
}

/// What a text means: a moment, or a whole minute or day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Its first microsecond.
    pub first: Timestamp,
    /// Its last one; the same where it is a moment.
    pub last: Timestamp,
}

impl Moment {
    fn exact(at: Timestamp) -> Self {
        let (first, last) = (at, at);
        Self { first, last }
    }

    fn lasting(first: Timestamp, micros: i64) -> Self {
        let last = first.plus_micros(micros);
        Self { first, last }
    }
}

/// Why a text is not understood as a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// It could be one of several moments, as no zone is known.
    #[error("time `{0}` has no zone; add `Z` for UTC or an offset such as `+02:00`")]
    NoZone(String),
    /// It is not a time.
    #[error("`{0}` is not a time; try `2025-03-24 15:46`, `yesterday 15:46`, `-2d` or `now`")]
    NoTime(String),
    /// It is a time, but none that can be used.
    #[error(transparent)]
    Time(TimeError),
}

/// Reads a time: RFC 3339, `2025-03-24`, `2025-03-24 15:46`, `Mar 24 15:46`, `15:46`, `3:46pm`, `yesterday 15:46`, `today`,
/// `-2d`, `+1h`, `2h`, `2h ago`, `3 days ago`, `now`.
///
/// A date is the whole day and a time without seconds the whole minute. A month without a year is the last one that is not
/// after now.
///
/// # Errors
/// When it is no time, or depends on a zone and none is known.
pub fn read(text: &str, clock: &Clock) -> Result<Moment, InputError> {
    let text = text.trim();
    if text.len() > TEXT_BYTES_MAX {
        let start: String = text.chars().take(40).collect();
        return Err(InputError::NoTime(format!("{start}…")));
    }
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Ok(Moment::exact(clock.now));
    }
    if let Some(micros) = relative(&lower) {
        return Ok(Moment::exact(clock.now.plus_micros(micros)));
    }
    match text.parse::<Timestamp>() {
        Ok(at) if names_a_minute(text) => return Ok(Moment::lasting(at, MINUTE)),
        Ok(at) => return Ok(Moment::exact(at)),
        Err(error @ TimeError::OutOfRange(_)) => return Err(InputError::Time(error)),
        Err(error @ TimeError::ZoneName(_)) if ends_with_a_zones_name(text) => {
            return Err(InputError::Time(error));
        }
        Err(_) => {}
    }
    let (local, zone) = match split_zone(&lower) {
        Some((local, seconds)) => (local, Zone::Fixed(seconds)),
        None => (lower.as_str(), clock.zone),
    };
    let own = Clock { zone, ..*clock };
    // Whether it is a time at all does not depend on the zone.
    let probe = Clock {
        zone: Zone::UTC,
        ..*clock
    };
    if day_and_clock(local, &probe).is_none() {
        return Err(InputError::NoTime(text.to_owned()));
    }
    day_and_clock(local, &own).ok_or_else(|| InputError::NoZone(text.to_owned()))
}

/// Whether the last word could name a zone: `CET`, `Europe/Berlin`. Another word is not a part of the time.
fn ends_with_a_zones_name(text: &str) -> bool {
    let word = text
        .rsplit([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        .next()
        .unwrap_or_default();
    word.contains('/') || word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether a time with its zone ends with its minutes: `2025-03-24T15:47+02:00`.
fn names_a_minute(text: &str) -> bool {
    text.get(13..14) == Some(":") && !matches!(text.get(16..17), Some(":" | "." | ","))
}

/// The microseconds of a length of time such as `90s`, `15m`, `2h`, `7d`, `2w` or `500ms`; `None` for anything else.
pub fn duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits)?;
    let count: i64 = count.parse().ok()?;
    let micros = match unit.trim_start() {
        "ms" => 1_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000,
        "h" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        "w" | "week" | "weeks" => 7 * 86_400_000_000,
        _ => return None,
    };
    count.checked_mul(micros)
}

/// A length of time as [`duration`] reads it, in the largest unit that leaves nothing over.
pub fn print_duration(micros: i64) -> String {
    let units = [
        (7 * 86_400_000_000, "w"),
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "m"),
        (1_000_000, "s"),
    ];
    let fits = |(size, _): &&(i64, &str)| micros > 0 && micros % size == 0;
    match units.iter().find(fits) {
        Some((size, unit)) => format!("{}{unit}", micros / size),
        None if micros == 0 => "0s".to_owned(),
        None => format!("{}ms", micros / 1_000),
    }
}

fn relative(text: &str) -> Option<i64> {
    if let Some(rest) = text.strip_prefix('+') {
        return duration(rest);
    }
    let rest = text.strip_suffix(" ago").unwrap_or(text);
    duration(rest.strip_prefix('-').unwrap_or(rest)).map(|micros| -micros)
}

/// A local time and the offset behind it.
fn split_zone(text: &str) -> Option<(&str, i32)> {
    for utc in [" utc", " gmt", "z"] {
        if let Some(local) = text.strip_suffix(utc) {
            return Some((local.trim_end(), 0));
        }
    }
    let (local, zone) = text.split_at_checked(text.rfind(['+', '-'])?)?;
    let zone = offset(zone).filter(|_| local.contains(':'))?;
    Some((local.trim_end(), zone))
}

/// Seconds east of UTC: `+02:00`, `-0430`, `+02`.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits = match digits.len() {
        2 => format!("{digits}00"),
        4 => digits.to_owned(),
        5 if digits.as_bytes().get(2) == Some(&b':') => digits.replace(':', ""),
        _ => return None,
    };
    let number: i32 = digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A day and a time of it, or one of the two; `None` too when the zone is needed and not known.
fn day_and_clock(text: &str, clock: &Clock) -> Option<Moment> {
    let today = clock.zone.local(clock.now)?;
    let (day, rest) = match day_of(text, today) {
        Some((day, rest)) => (day, rest),
        None => (today.date(), text),
    };
    if rest.is_empty() {
        if rest.len() == text.len() {
            return None;
        }
        let first = clock.zone.moment(day.and_time(NaiveTime::MIN))?;
        // A day that the clocks are put forward or back is shorter or longer.
        let next = day.checked_add_days(Days::new(1))?;
        let next = clock.zone.moment(next.and_time(NaiveTime::MIN));
        let last = next.map_or(first.plus_micros(DAY), |next| next.plus_micros(-1));
        return Some(Moment { first, last });
    }
    let (time, is_minute) = time_of_day(rest)?;
    let first = clock.zone.moment(day.and_time(time))?;
    Some(if is_minute {
        Moment::lasting(first, MINUTE)
    } else {
        Moment::exact(first)
    })
}

/// The day that a text begins with, and what follows it.
fn day_of(text: &str, today: NaiveDateTime) -> Option<(NaiveDate, &str)> {
    let end = text.find([' ', 't']).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    if let Ok(day) = NaiveDate::parse_from_str(word, "%Y-%m-%d") {
        return Some((day, rest.strip_prefix('t').unwrap_or(rest).trim_start()));
    }
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    match first {
        "today" => return Some((today.date(), rest.trim_start())),
        "yesterday" => {
            let day = today.date().checked_sub_days(Days::new(1))?;
            return Some((day, rest.trim_start()));
        }
        _ => {}
    }
    let (second, rest) = rest
        .trim_start()
        .split_once(' ')
        .unwrap_or((rest.trim(), ""));
    let (month, day) = match (month(first), month(second)) {
        (Some(month), _) => (month, second),
        (None, Some(month)) => (month, first),
        _ => return None,
    };
    let day: u32 = day.trim_end_matches(',').parse().ok()?;
    let rest = rest.trim_start();
    let (third, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let third = third.trim_end_matches(',');
    if let Some(year) = third.parse().ok().filter(|_| third.len() == 4) {
        return Some((
            NaiveDate::from_ymd_opt(year, month, day)?,
            after.trim_start(),
        ));
    }
    let this_year = today.year();
    let found = (this_year - 8..=this_year).rev().find_map(|year| {
        NaiveDate::from_ymd_opt(year, month, day).filter(|day| *day <= today.date())
    });
    Some((found?, rest))
}

fn month(text: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if text.len() < 3 {
        return None;
    }
    let index = MONTHS.iter().position(|name| name.starts_with(text))?;
    u32::try_from(index + 1).ok()
}

/// `15:47`, `15:47:23`, `15:47:23.5`, `3:47 pm`, `3pm`, and whether it is a whole minute.
fn time_of_day(text: &str) -> Option<(NaiveTime, bool)> {
    let (clock, half) = match (text.strip_suffix("pm"), text.strip_suffix("am")) {
        (Some(clock), _) => (clock.trim_end(), Some(12)),
        (_, Some(clock)) => (clock.trim_end(), Some(0)),
        _ => (text, None),
    };
    let (hour, rest) = match (clock.split_once(':'), half) {
        (Some((hour, rest)), _) => (hour, rest),
        (None, Some(_)) => (clock, "00"),
        (None, None) => return None,
    };
    let number = |text: &str| -> Option<u32> {
        let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok())?
    };
    let hour = match (number(hour)?, half) {
        (hour, None) => hour,
        (hour @ 1..=12, Some(add)) => hour % 12 + add,
        _ => return None,
    };
    let (minute, second) = rest.split_once(':').unwrap_or((rest, ""));
    let minute = number(minute).filter(|_| minute.len() == 2)?;
    if second.is_empty() {
        return Some((NaiveTime::from_hms_opt(hour, minute, 0)?, true));
    }
    let text = format!("{hour:02}:{minute:02}:{second}");
    let time = NaiveTime::parse_from_str(&text, "%H:%M:%S%.f").ok()?;
    Some((time, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(zone: Zone) -> Clock {
        let now = "2025-03-24T15:47:23Z".parse().unwrap();
        Clock { now, zone }
    }

    fn span(text: &str, zone: Zone) -> (String, String) {
        let moment = read(text, &clock(zone)).unwrap_or_else(|error| panic!("{text}: {error}"));
        (moment.first.to_string(), moment.last.to_string())
    }

    #[test]
    fn every_spelling_means_its_moment() {
        let minute = |text: &str| {
            let end = text.replace(":00Z", ":59.999999Z");
            (text.to_owned(), end)
        };
        let exact = |text: &str| (text.to_owned(), text.to_owned());
        for (text, expected) in [
            ("now", exact("2025-03-24T15:47:23Z")),
            ("-2d", exact("2025-03-22T15:47:23Z")),
            ("+30s", exact("2025-03-24T15:47:53Z")),
            ("2h ago", exact("2025-03-24T13:47:23Z")),
            ("2h", exact("2025-03-24T13:47:23Z")),
            ("3 days ago", exact("2025-03-21T15:47:23Z")),
            ("2025-03-24T15:47:00Z", exact("2025-03-24T15:47:00Z")),
            ("2025-03-24T17:47:00+02:00", exact("2025-03-24T15:47:00Z")),
            ("2025-03-24 15:46", minute("2025-03-24T15:46:00Z")),
            ("2025-03-24T15:46Z", minute("2025-03-24T15:46:00Z")),
            ("2025-03-24t17:46+02:00", minute("2025-03-24T15:46:00Z")),
            ("15:46", minute("2025-03-24T15:46:00Z")),
            ("3:46pm", minute("2025-03-24T15:46:00Z")),
            ("3:46 PM", minute("2025-03-24T15:46:00Z")),
            ("3pm", minute("2025-03-24T15:00:00Z")),
            ("12:05am", minute("2025-03-24T00:05:00Z")),
            ("15:47:22", exact("2025-03-24T15:47:22Z")),
            ("15:47:22.5", exact("2025-03-24T15:47:22.500Z")),
            ("yesterday 15:46", minute("2025-03-23T15:46:00Z")),
            ("yesterday 15:46+02:00", minute("2025-03-23T13:46:00Z")),
            ("today 09:00", minute("2025-03-24T09:00:00Z")),
            ("Mar 24 15:46", minute("2025-03-24T15:46:00Z")),
            ("24 march 15:46", minute("2025-03-24T15:46:00Z")),
            ("Dec 3 09:10", minute("2024-12-03T09:10:00Z")),
            ("Dec 3 2021 09:10", minute("2021-12-03T09:10:00Z")),
            ("Feb 29 09:10", minute("2024-02-29T09:10:00Z")),
        ] {
            assert_eq!(span(text, Zone::UTC), expected, "{text}");
        }
        for text in ["2025-03-20", "mar 20", "20 Mar 2025"] {
            let day = ("2025-03-20T00:00:00Z", "2025-03-20T23:59:59.999999Z");
            assert_eq!(span(text, Zone::UTC), (day.0.to_owned(), day.1.to_owned()));
        }
    }

    #[test]
    fn a_text_without_a_zone_is_read_in_the_one_given_or_refused() {
        let summer = |at: Timestamp| {
            if at.to_string().as_str() < "2025-03-30T01" {
                3600
            } else {
                7200
            }
        };
        for zone in [Zone::Fixed(3600), Zone::ByRule(summer)] {
            let found = span("yesterday 00:30", zone);
            assert_eq!(found.0, "2025-03-22T23:30:00Z");
        }
        let day = span("2025-03-30", Zone::ByRule(summer));
        assert_eq!(day.0, "2025-03-29T23:00:00Z");
        assert_eq!(day.1, "2025-03-30T21:59:59.999999Z");
        for text in [
            "2025-03-24",
            "15:46",
            "yesterday",
            "Mar 24 15:46",
            "2025-03-24 15:46",
        ] {
            let refused = read(text, &clock(Zone::Unknown)).unwrap_err();
            assert_eq!(refused, InputError::NoZone(text.to_owned()));
        }
        for text in [
            "now",
            "-2d",
            "2h ago",
            "2025-03-24T15:47Z",
            "yesterday 15:46Z",
        ] {
            assert!(read(text, &clock(Zone::Unknown)).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "monday",
            "25:00",
            "2025-13-01",
            "13:00 PM",
            "15",
            "15:4",
            "--2d",
            "2 fortnights ago",
            "yesterday 15",
            "mar",
            "mar 32",
            "now now",
            "2025-03-24 15:46 x",
            "é",
            "−2d",
        ] {
            let refused = read(text, &clock(Zone::Unknown)).unwrap_err();
            assert!(
                matches!(refused, InputError::NoTime(_)),
                "{text}: {refused}"
            );
        }
        assert!(
            read(&"9".repeat(10_000), &clock(Zone::UTC))
                .unwrap_err()
                .to_string()
                .len()
                < 200
        );
    }

    #[test]
    fn durations_print_as_they_are_read() {
        for text in ["90s", "15m", "2h", "7d", "2w", "500ms", "0s"] {
            let micros = duration(text).unwrap();
            assert_eq!(duration(&print_duration(micros)), Some(micros), "{text}");
        }
        assert_eq!(print_duration(duration("7d").unwrap()), "1w");
        for text in ["", "d", "7", "7 x", "-7d", "99999999999999w"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn zones_are_offsets() {
        let of = |text| Zone::parse(text).and_then(|zone| zone.seconds(Timestamp::MIN));
        assert_eq!(of("Z"), Some(0));
        assert_eq!(of("+02:00"), Some(7200));
        assert_eq!(of("-0430"), Some(-16_200));
        for text in ["", "CET", "02:00", "+2", "+25:00"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
