//! The month of the story: from Monday, 24 February 2025 to the Tuesday morning on which support begins to search.

use whodunit_core::time::Timestamp;

use super::dice::Dice;

/// 2025-02-24T00:00:00Z, a Monday.
const FIRST_DAY: i64 = 1_740_355_200_000_000;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The last day: Tuesday, 25 March.
pub(super) const LAST_DAY: u64 = 29;

/// The moment at which the story ends: Tuesday, 25 March 2025, 09:15.
pub(super) fn end() -> Timestamp {
    at(LAST_DAY, 9, 15, 0)
}

/// A moment of a day of the story; the first is 0.
pub(super) fn at(day: u64, hour: u64, minute: u64, second: u64) -> Timestamp {
    let seconds = hour * 3600 + minute * 60 + second;
    let micros = i64::try_from(seconds).unwrap_or_default() * SECOND;
    let days = i64::try_from(day).unwrap_or_default() * DAY;
    Timestamp::from_micros(FIRST_DAY + days + micros)
}

/// Seconds later.
pub(super) fn later(at: Timestamp, seconds: u64) -> Timestamp {
    at.plus_micros(i64::try_from(seconds).unwrap_or_default() * SECOND)
}

/// The day of a moment.
pub(super) fn day_of(at: Timestamp) -> u64 {
    u64::try_from((at.as_micros() - FIRST_DAY).div_euclid(DAY)).unwrap_or_default()
}

/// Whether people work on that day.
pub(super) fn is_workday(day: u64) -> bool {
    day % 7 < 5
}

/// The date, such as `2025-03-24`.
pub(super) fn date(day: u64) -> String {
    at(day, 0, 0, 0)
        .to_datetime()
        .format("%Y-%m-%d")
        .to_string()
}

/// Some moment at which people are awake.
pub(super) fn daytime(dice: &mut Dice, day: u64) -> Timestamp {
    // Two draws make the middle of the day the busiest.
    let minute = 7 * 60 + dice.below(8 * 60) + dice.below(8 * 60);
    at(day, 0, minute, dice.below(60))
}

/// Some moment at which an office is open, on this workday or the next.
pub(super) fn office(dice: &mut Dice, mut day: u64) -> Timestamp {
    while !is_workday(day) {
        day += 1;
    }
    let minute = 8 * 60 + 30 + dice.below(9 * 60);
    at(day, 0, minute, dice.below(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_are_those_of_the_calendar() {
        assert_eq!(at(0, 0, 0, 0).to_string(), "2025-02-24T00:00:00Z");
        assert_eq!(date(28), "2025-03-24");
        assert_eq!(end().to_string(), "2025-03-25T09:15:00Z");
        assert_eq!(day_of(end()), LAST_DAY);
        assert!(is_workday(28) && !is_workday(5) && !is_workday(27));
        let mut dice = Dice::new(1);
        for day in 0..30 {
            let open = office(&mut dice, day);
            assert!(is_workday(day_of(open)));
            assert_eq!(day_of(daytime(&mut dice, day)), day);
        }
    }
}
