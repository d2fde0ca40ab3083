//! Time input: a revision, or a time in many spellings.
//!
//! Owns how a typed text becomes one of the two. What a time means depends on the zone shown and on where the cursor
//! stands, never on the clock.

use whodunit_core::time::{TimeError, Timestamp};

use crate::model::log::ago;
use crate::zone::Zone;

const DAY_MICROS: i64 = 86_400_000_000;

/// A place in a stream's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Revision(u64),
    Time(Timestamp),
    /// The present.
    Now,
}

/// Where a typed text is read: what it leaves out comes from here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    /// The zone shown.
    pub(crate) zone: Zone,
    /// Where the cursor stands: its day completes a time of day, its year a date.
    pub(crate) cursor: Timestamp,
    pub(crate) now: Timestamp,
}

/// Reads `3` and `rev 3`, `now`, `2025-03-24T15:47Z`, `2025-03-24 15:47` (in the zone shown), `Mar 24 15:47` (in the cursor's
/// year), `15:47` or `3:47 PM` (on the cursor's day), `yesterday 15:47` and `2h ago` (from now), `-2d` and `+1h` (from the
/// cursor).
pub(crate) fn parse(text: &str, here: Here) -> Result<Target, String> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if text.is_empty() {
        return Err("type a revision such as `3`, or a time such as `2025-03-24 15:47`".to_owned());
    }
    if lower == "now" {
        return Ok(Target::Now);
    }
    let revision = lower.strip_prefix("rev").map_or(text, str::trim);
    if let Ok(revision) = revision.parse() {
        return Ok(Target::Revision(revision));
    }
    if let Some(time) = relative(&lower, here) {
        return Ok(Target::Time(time));
    }
    let spelled = spelled(text, &lower, here);
    let zone = here.zone;
    match spelled.parse() {
        Ok(_) if names_a_minute(&spelled) => zoned(&spelled, zone),
        Ok(time) => Ok(Target::Time(time)),
        Err(TimeError::NoZone(local)) => zoned(&local, zone),
        Err(_) => zoned(&spelled, zone),
    }
}

/// `-2d` and `+1h` from the cursor, `2h ago` from now.
fn relative(text: &str, here: Here) -> Option<Timestamp> {
    if let Some(span) = text.strip_suffix("ago") {
        return Some(here.now.plus_micros(-ago(span.trim())?));
    }
    let (span, sign) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
        (Some(span), _) => (span, -1),
        (_, Some(span)) => (span, 1),
        (None, None) => return None,
    };
    Some(here.cursor.plus_micros(sign * ago(span)?))
}

/// The text with the day or the year that it leaves out.
fn spelled(text: &str, lower: &str, here: Here) -> String {
    let zone = here.zone;
    if let Some(clock) = time_of_day(text) {
        return format!("{} {clock}", zone.date(here.cursor));
    }
    for (word, back) in [("today", 0), ("yesterday", 1)] {
        let Some(rest) = lower.strip_prefix(word) else {
            continue;
        };
        let day = zone.date(here.now.plus_micros(-back * DAY_MICROS));
        return match time_of_day(rest.trim()) {
            Some(clock) => format!("{day} {clock}"),
            None => format!("{day}{rest}"),
        };
    }
    named_day(lower, &zone.format(here.cursor, "%Y")).unwrap_or_else(|| text.to_owned())
}

/// `Mar 24 15:47`, `24 Mar 2025`, with the day in figures.
fn named_day(text: &str, year: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let mut words: Vec<&str> = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let month = |word: &str| {
        MONTHS
            .iter()
            .position(|month| word.get(..3) == Some(*month))
    };
    let at = words
        .iter()
        .take(2)
        .position(|word| month(word).is_some())?;
    let month = month(words.remove(at))? + 1;
    if words.is_empty() {
        return None;
    }
    let day: u32 = words.remove(0).parse().ok()?;
    let year = match words.first() {
        Some(word) if word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()) => {
            words.remove(0)
        }
        _ => year,
    };
    let date = format!("{year}-{month:02}-{day:02}");
    match words.join(" ").as_str() {
        "" => Some(date),
        clock => Some(format!("{date} {}", time_of_day(clock)?)),
    }
}

/// Whether a time ends with its minutes, before its zone: `2025-03-24T15:47+02:00`.
fn names_a_minute(text: &str) -> bool {
    text.get(13..14) == Some(":") && !matches!(text.get(16..17), Some(":" | "."))
}

/// A time without seconds, or without a zone: then it is read in the zone shown. A minute or a day is meant whole: to its
/// end.
fn zoned(text: &str, zone: Zone) -> Result<Target, String> {
    let (local, suffix) = match text.strip_suffix('Z') {
        Some(utc) => (utc, Some("Z")),
        None => match text.split_at_checked(16) {
            Some((minute, offset)) if offset.starts_with(['+', '-']) => (minute, Some(offset)),
            _ => (text, None),
        },
    };
    let local = local.replace(' ', "T");
    let offset = suffix.unwrap_or("Z");
    let full = match local.len() {
        10 => format!("{local}T23:59:59.999999{offset}"),
        16 => format!("{local}:59.999999{offset}"),
        _ => format!("{local}{offset}"),
    };
    let time: Timestamp = full.parse().map_err(|_unreadable: TimeError| {
        format!("`{text}` is neither a revision nor a time; try `3`, `15:47`, `2025-03-24 15:47`, `yesterday 9:15` or `-2d`")
    })?;
    Ok(Target::Time(if suffix.is_some() {
        time
    } else {
        zone.to_utc(time)
    }))
}

/// `15:47`, `15:47:23`, `3:47 PM` as `15:47` or `15:47:23`.
fn time_of_day(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let (clock, half) = match (lower.strip_suffix("pm"), lower.strip_suffix("am")) {
        (Some(clock), _) => (clock.trim(), Some(12)),
        (_, Some(clock)) => (clock.trim(), Some(0)),
        _ => (lower.as_str(), None),
    };
    let mut parts = clock.split(':');
    let hour: u32 = parts.next()?.parse().ok()?;
    let minute: u32 = parts.next()?.parse().ok()?;
    let second: Option<u32> = parts.next().map(str::parse).transpose().ok()?;
    let hour = match half {
        None => hour,
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
    };
    if parts.next().is_some()
        || hour > 23
        || minute > 59
        || second.is_some_and(|second| second > 59)
    {
        return None;
    }
    Some(second.map_or_else(
        || format!("{hour:02}:{minute:02}"),
        |second| format!("{hour:02}:{minute:02}:{second:02}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(zone: Zone) -> Here {
        Here {
            zone,
            cursor: "2025-03-24T15:47:23Z".parse().unwrap(),
            now: "2025-06-01T12:00:00Z".parse().unwrap(),
        }
    }

    fn time(text: &str) -> Target {
        Target::Time(text.parse().unwrap())
    }

    #[test]
    fn revisions_and_times_are_told_apart() {
        let cases = [
            ("3", Target::Revision(3)),
            ("0", Target::Revision(0)),
            ("2025-03-24T15:47:00Z", time("2025-03-24T15:47:00Z")),
            ("2025-03-24T17:47:00+02:00", time("2025-03-24T15:47:00Z")),
            // A minute is meant whole: what happened in it has happened.
            ("2025-03-24 15:47", time("2025-03-24T15:47:59.999999Z")),
            ("2025-03-24T15:47Z", time("2025-03-24T15:47:59.999999Z")),
            (
                "2025-03-24T15:47+02:00",
                time("2025-03-24T13:47:59.999999Z"),
            ),
            ("15:46", time("2025-03-24T15:46:59.999999Z")),
            ("3:47 PM", time("2025-03-24T15:47:59.999999Z")),
            ("12:05am", time("2025-03-24T00:05:59.999999Z")),
            ("15:47:22", time("2025-03-24T15:47:22Z")),
            ("2025-03-20", time("2025-03-20T23:59:59.999999Z")),
            ("-2d", time("2025-03-22T15:47:23Z")),
            ("+30s", time("2025-03-24T15:47:53Z")),
            ("2h ago", time("2025-06-01T10:00:00Z")),
            ("yesterday 15:46", time("2025-05-31T15:46:59.999999Z")),
            ("today", time("2025-06-01T23:59:59.999999Z")),
            ("Mar 20 15:46", time("2025-03-20T15:46:59.999999Z")),
            ("20 March 2024, 3:46pm", time("2024-03-20T15:46:59.999999Z")),
            ("mar 20", time("2025-03-20T23:59:59.999999Z")),
            ("rev 7", Target::Revision(7)),
            ("now", Target::Now),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, here(Zone::Utc)), Ok(expected), "{text}");
        }
        for text in [
            "",
            "mar",
            "mar x",
            "7 ago",
            "pos 873",
            "monday",
            "25:00",
            "2025-13-01",
            "13:00 PM",
        ] {
            assert!(parse(text, here(Zone::Utc)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_zone_is_read_in_the_zone_shown() {
        let expected = time("2025-03-24T13:46:59.999999Z");
        let here = here(Zone::Local(|_| 7200));
        assert_eq!(parse("15:46", here), Ok(expected));
    }
}
