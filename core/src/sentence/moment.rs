//! Moments in words: weekday, date with year, time of day and zone.

use chrono::{DateTime, FixedOffset, TimeZone, Utc};

use crate::time::Timestamp;

/// `Mon 24 Mar 2025 15:47:23 UTC`, with the fraction of the second where there is one; in a zone other than UTC with its offset
/// in seconds at that moment, as `+01:00`.
pub fn moment(at: Timestamp, offset: Option<i32>) -> String {
    let fraction = match at.as_micros().rem_euclid(1_000_000) {
        0 => "",
        n if n % 1000 == 0 => "%.3f",
        _ => "%.6f",
    };
    let zone = if offset.is_some() { "%:z" } else { "UTC" };
    let pattern = format!("%a %d %b %Y %H:%M:%S{fraction} {zone}");
    in_zone(at, offset).format(&pattern).to_string()
}

/// `Mon 24 Mar 2025`.
pub fn day(at: Timestamp, offset: Option<i32>) -> String {
    in_zone(at, offset).format("%a %d %b %Y").to_string()
}

fn in_zone(at: Timestamp, offset: Option<i32>) -> DateTime<FixedOffset> {
    let utc: DateTime<Utc> = at.to_datetime();
    match offset.and_then(FixedOffset::east_opt) {
        Some(offset) => offset.from_utc_datetime(&utc.naive_utc()),
        None => utc.fixed_offset(),
    }
}
