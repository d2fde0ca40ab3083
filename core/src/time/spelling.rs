//! Spellings of a time beside RFC 3339 that can mean only one moment, and those that could mean several.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};

/// With an offset, seconds and their fraction or minutes only, in ISO 8601's long and short forms.
const WITH_OFFSET: [&str; 6] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y%m%dT%H%M%S%.f%#z",
    "%Y%m%dT%H%M%#z",
];

const WITHOUT: [&str; 6] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%dT%H%M%S%.f",
    "%Y%m%dT%H%M",
];

/// The moment that a text means, if it can mean only one.
pub(super) fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    if text.len() > 100 {
        return None;
    }
    if text.as_bytes().get(3) == Some(&b',') {
        let numeric = text.ends_with(" GMT")
            || text
                .rsplit_once(' ')
                .is_some_and(|(_, zone)| zone.starts_with(['+', '-']));
        return numeric
            .then(|| DateTime::parse_from_rfc2822(text).ok())
            .flatten();
    }
    let text = without_zone_suffix(text);
    let (time, offset) = split(text)?;
    let time = plain(time)?;
    let text = format!("{time}{offset}");
    WITH_OFFSET
        .iter()
        .find_map(|format| DateTime::parse_from_str(&text, format).ok())
}

/// Whether it is a time of day without a zone.
pub(super) fn is_local(text: &str) -> bool {
    if text.len() > 100 {
        return false;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
        || plain(text).is_some_and(|text| {
            WITHOUT
                .iter()
                .any(|format| NaiveDateTime::parse_from_str(&text, format).is_ok())
        })
}

/// Whether it is a time with its zone in letters.
pub(super) fn has_zone_name(text: &str) -> bool {
    let Some((time, zone)) = text.rsplit_once(' ') else {
        return false;
    };
    let named = zone.starts_with(|c: char| c.is_ascii_alphabetic())
        && zone
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    let mail = |time: &str| DateTime::parse_from_rfc2822(&format!("{time} GMT")).is_ok();
    named && text.len() <= 100 && (is_local(time) || mail(time))
}

/// RFC 9557: a zone in brackets after the offset. The offset says which moment; a zone that must be heeded (`!`) is not.
fn without_zone_suffix(text: &str) -> &str {
    match text.split_once('[') {
        Some((time, zone)) if zone.ends_with(']') && !zone.contains('!') => time,
        _ => text,
    }
}

/// A time and its offset as `+hhmm`.
fn split(text: &str) -> Option<(&str, String)> {
    for utc in ["Z", "z", " UTC", " GMT"] {
        if let Some(time) = text.strip_suffix(utc) {
            return Some((time, "+0000".to_owned()));
        }
    }
    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let (time, offset) = text.split_at(at);
    let (sign, digits) = offset.split_at_checked(1)?;
    let digits = match digits.len() {
        2 => format!("{digits}00"),
        4 => digits.to_owned(),
        5 if digits.as_bytes().get(2) == Some(&b':') => digits.replace(':', ""),
        _ => return None,
    };
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| (time.trim_end_matches(' '), format!("{sign}{digits}")))
}

/// Normalised: a point before the fraction and a capital `T`; a point without digits after it is refused.
fn plain(time: &str) -> Option<String> {
    let time = time.replacen(',', ".", 1).replacen('t', "T", 1);
    (!time.ends_with('.')).then_some(time)
}
