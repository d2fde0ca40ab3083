//! Arguments that several commands share, and how their values are read.

use clap::Args;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

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
    #[arg(long, value_name = "REV", conflicts_with = "as_of")]
    pub(crate) at_revision: Option<u64>,
    /// As it was recorded at this time
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
    /// Items at most
    #[arg(long, value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    pub(crate) limit: usize,
    /// All of it; with `--json` one item a line
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    pub(crate) all: bool,
    /// Go on where an earlier list ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// Reads a time: RFC 3339 with zone, or how long ago (`90s`, `15m`, `2h`, `7d`).
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    match ago(text) {
        Some(micros) => Ok(now().plus_micros(-micros)),
        None => text.parse::<Timestamp>().map_err(|error| error.to_string()),
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
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds)?.checked_mul(1_000_000)
}

/// Reads a stream's name.
pub(crate) fn stream(text: &str) -> Result<StreamName, String> {
    StreamName::new(text).map_err(|error| format!("it {error}"))
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

pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=100_000).contains(&n) => Ok(n),
        _ => Err("a number from 1 to 100000 is needed; for everything there is `--all`".to_owned()),
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
        assert!(time("99999999999999999d").is_err());
    }

    #[test]
    fn a_point_is_a_revision_or_a_time() {
        assert_eq!(point("0"), Ok(At::Revision(Revision(0))));
        assert_eq!(point("head"), Ok(At::Head));
        assert!(matches!(point("2025-03-24T15:47:00Z"), Ok(At::AsOf(_))));
        assert!(point("later").is_err());
    }
}
