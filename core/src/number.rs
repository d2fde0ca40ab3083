//! Decimals: JSON numbers compared exactly, by their digits.
//!
//! Owns the order and the equality of numbers. `1`, `1.0` and `10e-1` are one number; the 20th digit counts. Never
//! expands an exponent: the work is that of reading the digits that are written.

use std::cmp::Ordering;

use serde_json::Number;

/// Digits an exponent may have. A number beyond is refused where JSON is read: its size could not be told exactly.
pub const EXPONENT_DIGITS_MAX: usize = 18;

/// Whether two numbers are equal as decimals.
pub fn same(a: &Number, b: &Number) -> bool {
    a.as_str() == b.as_str() || compare(a, b) == Ordering::Equal
}

/// The order of two numbers as decimals.
pub fn compare(a: &Number, b: &Number) -> Ordering {
    Decimal::read(a.as_str()).cmp(&Decimal::read(b.as_str()))
}

/// The one spelling that all numbers equal to this one share: `-123e-4`, `0`.
pub fn canonical(number: &Number) -> String {
    let decimal = Decimal::read(number.as_str());
    if decimal.is_zero() {
        return "0".to_owned();
    }
    let mut out = String::with_capacity(number.as_str().len() + 4);
    if decimal.negative {
        out.push('-');
    }
    let digits = decimal
        .digits()
        .inspect(|digit| out.push(char::from(*digit)));
    let count = i128::try_from(digits.count()).unwrap_or(i128::MAX);
    let exponent = decimal.magnitude - count;
    if exponent != 0 {
        out.push('e');
        out.push_str(&exponent.to_string());
    }
    out
}

/// Whether it is a whole number, however it is spelled: `1.0` and `10e-1` are.
pub fn is_integer(number: &Number) -> bool {
    let decimal = Decimal::read(number.as_str());
    let digits = i128::try_from(decimal.digits().count()).unwrap_or(i128::MAX);
    decimal.is_zero() || decimal.magnitude >= digits
}

/// Whether the exponent of a number's text is one that can be compared exactly.
pub fn exponent_fits(text: &str) -> bool {
    text.split_once(['e', 'E']).is_none_or(|(_, exponent)| {
        let digits = exponent.trim_start_matches(['+', '-']);
        digits.trim_start_matches('0').len() <= EXPONENT_DIGITS_MAX
    })
}

/// A number's text taken apart: 0.DIGITS × 10^magnitude, where the digits neither begin nor end with a zero.
#[derive(Debug, Clone, Copy)]
struct Decimal<'a> {
    negative: bool,
    /// The digits before and after the point, without zeros at either end of the two together.
    whole: &'a str,
    fraction: &'a str,
    magnitude: i128,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        // Within a text's length, which is far below the least an `i128` can count to.
        let length = |part: &str| i128::try_from(part.len()).unwrap_or_default();
        let mut magnitude = length(whole) + read_exponent(exponent);
        let fraction = fraction.trim_end_matches('0');
        let (whole, fraction) = if whole.is_empty() {
            let significant = fraction.trim_start_matches('0');
            magnitude -= length(fraction) - length(significant);
            ("", significant)
        } else if fraction.is_empty() {
            (whole.trim_end_matches('0'), "")
        } else {
            (whole, fraction)
        };
        Self {
            negative,
            whole,
            fraction,
            magnitude,
        }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |decimal: &Self| match (decimal.is_zero(), decimal.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let by_sign = sign(self).cmp(&sign(other));
        if by_sign.is_ne() || self.is_zero() {
            return by_sign;
        }
        // A shorter list of digits is the smaller one: neither ends with a zero.
        let size = self.magnitude.cmp(&other.magnitude);
        let size = size.then_with(|| self.digits().cmp(other.digits()));
        if self.negative { size.reverse() } else { size }
    }
}

/// An exponent; one with too many digits is as large as can be.
fn read_exponent(text: &str) -> i128 {
    let far = i128::MAX / 4;
    match text.strip_prefix('-') {
        Some(digits) => digits
            .parse()
            .map_or(-far, |exponent: i128| -exponent.min(far)),
        None => {
            let digits = text.trim_start_matches('+');
            digits
                .parse()
                .map_or(far, |exponent: i128| exponent.min(far))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn numbers_are_equal_by_value_and_not_by_spelling() {
        let groups: &[&[&str]] = &[
            &["0", "-0", "0.0", "0e99", "-0.000e-5"],
            &["1", "1.0", "10e-1", "0.1E1", "1e0", "1e+0", "100e-2"],
            &["-100", "-1e2", "-1E+2", "-0.001e5"],
            &["18446744073709551616", "18446744073709551616.000"],
            &["18446744073709551617"],
            &["0.1234567890123456789", "1234567890123456789e-19"],
            &["0.1234567890123456788"],
            &["1e999999999", "10e999999998", "0.1e1000000000"],
            &["1e999999998"],
            &["1e-999999999"],
            &["1e400"],
            &["1e100000000000000000000000000000000000000000"],
        ];
        for (i, group) in groups.iter().enumerate() {
            for (j, other) in groups.iter().enumerate() {
                for (a, b) in group.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                    assert_eq!(same(&number(a), &number(b)), i == j, "{a} {b}");
                    let spelt = canonical(&number(a)) == canonical(&number(b));
                    assert_eq!(spelt, i == j, "{a} {b}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_in_the_order_of_decimals() {
        let ascending = [
            "-1e400",
            "-18446744073709551617",
            "-18446744073709551616",
            "-2",
            "-1.5",
            "-1e-400",
            "0",
            "1e-400",
            "9e-1",
            "1",
            "1.00000000000000000001",
            "9",
            "10",
            "12345678901234567890123",
            "12345678901234567890124",
            "1e400",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(&number(a), &number(b)), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn exponents_are_bounded_by_their_digits() {
        assert!(exponent_fits("1.5") && exponent_fits("1e-0000000000000000000000000000001"));
        assert!(exponent_fits("1E+999999999999999999"));
        assert!(!exponent_fits("1e1000000000000000000"));
    }
}
