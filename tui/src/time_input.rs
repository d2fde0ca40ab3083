//! Time input: a revision, or a time in many spellings.
//!
//! Owns how a typed text becomes one of the two. What a time means depends on the zone shown and on where the cursor
//! stands, never on the clock.

use whodunit_core::time::{TimeError, Timestamp};

use crate::model::log::ago;
use crate::text::Zone;

/// A place in a stream's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Revision(u64),
    Time(Timestamp),
}

/// Reads `3`, `2025-03-24T15:47Z`, `2025-03-24 15:47` (in the zone shown), `15:47` or `3:47 PM` (on the cursor's day),
/// `-2d` and `+1h` (from the cursor).
pub(crate) fn parse(text: &str, zone: Zone, cursor: Timestamp) -> Result<Target, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("type a revision such as `3`, or a time such as `2025-03-24 15:47`".to_owned());
    }
    if let Ok(revision) = text.parse() {
        return Ok(Target::Revision(revision));
    }
    let relative = text
        .strip_prefix('-')
        .map(|rest| (rest, -1))
        .or(text.strip_prefix('+').map(|rest| (rest, 1)));
    if let Some((rest, sign)) = relative
        && let Some(micros) = ago(rest)
    {
        return Ok(Target::Time(cursor.plus_micros(sign * micros)));
    }
    let spelled = match time_of_day(text) {
        Some(clock) => format!("{} {clock}", zone.date(cursor)),
        None => text.to_owned(),
    };
    match spelled.parse() {
        Ok(_) if names_a_minute(&spelled) => zoned(&spelled, zone),
        Ok(time) => Ok(Target::Time(time)),
        Err(TimeError::NoZone(local)) => zoned(&local, zone),
        Err(_) => zoned(&spelled, zone),
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
        format!("`{text}` is neither a revision nor a time; try `3`, `15:47`, `2025-03-24 15:47` or `-2d`")
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

    fn time(text: &str) -> Target {
        Target::Time(text.parse().unwrap())
    }

    #[test]
    fn revisions_and_times_are_told_apart() {
        let cursor: Timestamp = "2025-03-24T15:47:23Z".parse().unwrap();
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
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, Zone::Utc, cursor), Ok(expected), "{text}");
        }
        for text in ["", "monday", "25:00", "2025-13-01", "13:00 PM"] {
            assert!(parse(text, Zone::Utc, cursor).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_zone_is_read_in_the_zone_shown() {
        let cursor: Timestamp = "2025-03-24T15:47:23Z".parse().unwrap();
        let expected = time("2025-03-24T13:46:59.999999Z");
        assert_eq!(parse("15:46", Zone::Local(|_| 7200), cursor), Ok(expected));
    }
}
