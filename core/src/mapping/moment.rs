//! Counts of seconds and milliseconds as moments.
//!
//! Owns what is plausible: a count in another unit is a number as well, and would be a moment in silence, only not the one
//! that was meant.

use std::ops::Range;

use serde_json::Value;

use super::bounds::Misfit;
use crate::time::Timestamp;

/// The years 1900 to 2199, in microseconds since 1970.
const PLAUSIBLE: Range<i64> = -2_208_988_800_000_000..7_258_118_400_000_000;
/// Where counts of seconds from 1973 to 2286 end up that are read as milliseconds: from 1970-01-02 to 1970-04-26.
const SECONDS_MISREAD: Range<i64> = 100_000_000_000..10_000_000_000_000;

/// A count of units since 1970 as an RFC 3339 time; a unit is ten to the power of `digits` microseconds. `None` where the
/// value is no number; an error where it is one, and no count of this unit.
pub(super) fn moment(
    value: &Value,
    digits: i32,
    unit: &'static str,
) -> Result<Option<String>, Misfit> {
    let text = match value {
        Value::Number(number) => number.as_str(),
        Value::String(text) => text.trim(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Ok(None),
    };
    let Some((micros, finer)) = micros(text, digits) else {
        return Ok(None);
    };
    let implausible = |why| Err(Misfit::implausible(unit, value, why));
    // Beyond the years 1 to 9999 the moment was moved: that would be a guess.
    let at = Timestamp::from_micros(micros);
    if at.as_micros() != micros {
        return implausible("it would be outside the years 1 to 9999".to_owned());
    }
    if !PLAUSIBLE.contains(&micros) {
        return implausible(format!("it would be {at}, outside the years 1900 to 2199"));
    }
    if digits < 6 && SECONDS_MISREAD.contains(&micros) {
        return implausible(format!(
            "it would be {at}, as counts of seconds are when misread"
        ));
    }
    if finer.is_empty() {
        return Ok(Some(at.to_string()));
    }
    let begin = at.to_datetime().format("%Y-%m-%dT%H:%M:%S%.6f");
    Ok(Some(format!("{begin}{finer}Z")))
}

/// A decimal times ten to the power of `digits` as a whole number, and the digits after its point. By its digits: a double
/// would lose the last of them.
fn micros(text: &str, digits: i32) -> Option<(i64, String)> {
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all = format!("{whole}{fraction}");
    if whole.is_empty() || all.len() > 36 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = all.parse().ok()?;
    let number = if negative { -number } else { number };
    let power = exponent
        .checked_add(digits)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scale = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        let micros = i64::try_from(number.checked_mul(scale)?).ok()?;
        return Some((micros, String::new()));
    }
    let width = usize::try_from(power.unsigned_abs()).ok()?;
    let finer = format!("{:0width$}", number.rem_euclid(scale));
    let micros = i64::try_from(number.div_euclid(scale)).ok()?;
    Some((micros, finer.trim_end_matches('0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_of_another_unit_is_an_error_with_the_value_and_what_it_would_be() {
        let said = |text: &str, digits, unit| {
            let value = Value::String(text.to_owned());
            match moment(&value, digits, unit) {
                Ok(at) => at.unwrap_or_default(),
                Err(misfit) => misfit.to_string(),
            }
        };
        for (text, digits, unit, expected) in [
            ("1700000000", 6, "seconds", "2023-11-14T22:13:20Z"),
            ("-1", 6, "seconds", "1969-12-31T23:59:59Z"),
            ("0", 3, "millis", "1970-01-01T00:00:00Z"),
            ("-2208988800", 6, "seconds", "1900-01-01T00:00:00Z"),
            ("7258118399.999", 6, "seconds", "2199-12-31T23:59:59.999Z"),
            ("1700000000123", 3, "millis", "2023-11-14T22:13:20.123Z"),
            (
                "1700000000123.4567",
                3,
                "millis",
                "2023-11-14T22:13:20.1234567Z",
            ),
            ("-1.0000001", 6, "seconds", "1969-12-31T23:59:58.9999999Z"),
            ("many", 3, "millis", ""),
            (
                "-2208988801",
                6,
                "seconds",
                "`seconds` of `-2208988801`: it would be 1899-12-31T23:59:59Z, outside the years 1900 to 2199; is it in another unit?",
            ),
            (
                "1700000000123",
                6,
                "seconds",
                "`seconds` of `1700000000123`: it would be outside the years 1 to 9999; is it in another unit?",
            ),
            (
                "1700000000",
                3,
                "millis",
                "`millis` of `1700000000`: it would be 1970-01-20T16:13:20Z, as counts of seconds are when misread; is it in another unit?",
            ),
        ] {
            assert_eq!(said(text, digits, unit), expected);
        }
    }
}
