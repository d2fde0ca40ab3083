//! Arguments that several commands share, and how their values are read.

use clap::Args;
use whodunit_core::ids::Revision;
use whodunit_core::time::{TimeError, Timestamp};

use crate::client::At;
use crate::runtime::now;

/// Items that a list shows when nothing is said.
pub(crate) const LIMIT_DEFAULT: usize = 50;
/// Items of a request for a page of everything.
pub(crate) const PAGE_ITEMS: usize = 500;

/// Which point of a stream's history.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct AtArgs {
    /// After this revision; 0 is the empty stream before its first event
    #[arg(long, value_name = "REV", conflicts_with = "as_of", value_parser = whole, allow_negative_numbers = true)]
    pub(crate) at_revision: Option<u64>,
    /// As recorded at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) as_of: Option<Timestamp>,
}

impl AtArgs {
    /// The point.
    pub(crate) fn at(self) -> At {
        match (self.at_revision, self.as_of) {
            (Some(revision), _) => At::Revision(Revision(revision)),
            (None, Some(time)) => At::AsOf(time),
            (None, None) => At::Head,
        }
    }
}

/// How much of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct PageArgs {
    /// At most this many items
    #[arg(long, short = 'n', value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    pub(crate) limit: usize,
    /// Everything, as it comes; with `--json`, an item a line
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(crate) all: bool,
    /// Continue where an earlier list ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// Reads a time: RFC 3339 with zone, or how long ago (`90s`, `15m`, `2h`, `7d`).
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    match ago(text) {
        Some(micros) => Ok(now().plus_micros(-micros)),
        None => text.parse::<Timestamp>().map_err(|error| match error {
            TimeError::NoZone(_) => error.to_string(),
            other => format!("{other}; or say how long ago: `90s`, `15m`, `2h`, `7d`"),
        }),
    }
}

fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count = text.strip_suffix(unit)?;
    // `-5m` would be a time to come.
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: i64 = digits.then(|| count.parse().ok())??;
    count.checked_mul(seconds)?.checked_mul(1_000_000)
}

/// Reads a point of a history: a revision or a time.
pub(crate) fn point(text: &str) -> Result<At, String> {
    match text.parse() {
        Ok(revision) => Ok(At::Revision(Revision(revision))),
        Err(_not_a_number) if text == "head" => Ok(At::Head),
        Err(_not_a_number) => time(text)
            .map(At::AsOf)
            .map_err(|error| format!("neither a revision nor `head` nor a time: {error}")),
    }
}

/// Reads a text that is not empty: a filter by nothing is a script's unset variable.
pub(crate) fn given(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a revision, a position, a number of a job or a run.
pub(crate) fn whole(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|error: std::num::ParseIntError| match error.kind() {
            std::num::IntErrorKind::PosOverflow => "it is too large".to_owned(),
            _ => "must be a whole number".to_owned(),
        })
}

pub(crate) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=100_000).contains(&n) => Ok(n),
        _ => Err("must be a number from 1 to 100000; `--all` lists everything".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_zone_or_are_relative() {
        assert!(time("2025-03-24T15:47:00Z").is_ok());
        assert!(time("2025-03-24 15:47").unwrap_err().contains("no zone"));
        let day = time("1d").unwrap();
        let week = time("7d").unwrap();
        let six_days = day.as_micros() - week.as_micros();
        assert!((six_days - 6 * 86_400_000_000).abs() < 60_000_000);
        assert!(time("d").is_err());
        assert!(time("-5m").is_err() && time("+5m").is_err());
        assert!(time("99999999999999999d").is_err());
    }

    #[test]
    fn numbers_that_are_none_are_refused_in_plain_words() {
        assert_eq!(whole("3"), Ok(3));
        assert_eq!(whole("-1").unwrap_err(), "must be a whole number");
        let huge = whole("99999999999999999999").unwrap_err();
        assert_eq!(huge, "it is too large");
    }

    #[test]
    fn a_point_is_a_revision_or_a_time() {
        assert_eq!(point("0"), Ok(At::Revision(Revision(0))));
        assert_eq!(point("head"), Ok(At::Head));
        assert!(matches!(point("2025-03-24T15:47:00Z"), Ok(At::AsOf(_))));
        assert!(point("later").is_err());
    }
}
