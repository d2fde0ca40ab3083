//! Time input: a revision, or a time in many spellings.
//!
//! Owns how a typed text becomes one of the two. What a time means depends on the zone shown and on where the cursor
//! stands, never on the clock.

use whodunit_core::time::Timestamp;
use whodunit_core::time::input::{self, Clock, InputError};

use crate::zone::Zone;

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

/// Reads `3` and `rev 3`, `now`, or a time in the language of [`input`]: in the zone shown, `15:47` on the cursor's day, `-2d` and
/// `+1h` from the cursor; `today`, `yesterday 15:47` and `2h ago` from now. A minute or a day is meant whole: to its end.
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
    let zone = here.zone.for_input();
    let is_from_now = lower.ends_with("ago")
        || ["today", "yesterday"]
            .iter()
            .any(|day| lower.starts_with(day));
    let now = if is_from_now { here.now } else { here.cursor };
    match input::read(text, &Clock { now, zone }) {
        Ok(moment) => Ok(Target::Time(moment.last)),
        Err(InputError::Time(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "`{text}` is neither a revision nor a time; try `3`, `15:47`, `2025-03-24 15:47`, `yesterday 9:15` or `-2d`"
        )),
    }
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

    #[test]
    fn a_local_time_is_read_with_the_offset_of_its_own_day() {
        let summer_time = |at: Timestamp| {
            let text = at.to_string();
            let summer = ("2025-03-30T01".."2025-10-26T01").contains(&text.as_str());
            if summer { 7200 } else { 3600 }
        };
        for (local, utc) in [
            ("2025-03-24 16:47:23", "2025-03-24T15:47:23Z"),
            ("2025-03-30 01:59:59", "2025-03-30T00:59:59Z"),
            ("2025-03-30 03:00:00", "2025-03-30T01:00:00Z"),
            ("2025-07-24 17:47:23", "2025-07-24T15:47:23Z"),
        ] {
            assert_eq!(parse(local, here(Zone::Local(summer_time))), Ok(time(utc)));
        }
    }
}
