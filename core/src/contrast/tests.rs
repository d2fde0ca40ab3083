//! Contrasts against figures that are known, and against brute force.

use super::*;

fn value(name: &str, value: &str) -> (String, Feature) {
    (name.to_owned(), Feature::Value(value.to_owned()))
}

fn about(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * other.abs().max(1e-3)
}

#[test]
fn figures_are_those_of_the_books() {
    // Newcombe 1998, table II, method 10: 56/70 against 48/80 is 0.2 (0.0524 to 0.3339); 10/10 against 0/10 is 1 (0.6075 to 1).
    let (difference, low, high) = newcombe([56, 70, 48, 80]);
    assert!(about(difference, 0.2) && (low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5);
    let (_, low, high) = newcombe([10, 10, 0, 10]);
    assert!((low - 0.6075).abs() < 5e-5 && about(high, 1.0));
    // Fisher's tea: 4 of 4 right has probability 1/70, at least 3 of 4 17/70.
    let factorials = LogFactorials::up_to(8);
    assert!(about(factorials.at_least([4, 4, 0, 4]), 1.0 / 70.0));
    assert!(about(factorials.at_least([3, 4, 1, 4]), 17.0 / 70.0));
    assert!(about(factorials.at_least([0, 4, 4, 4]), 1.0));
    // Dunning's statistic by hand: 2 (10 ln 2 + 10 ln 2).
    assert!(about(
        g_squared([10, 10, 0, 10]),
        40.0 * std::f64::consts::LN_2
    ));
    assert!(about(g_squared([5, 10, 50, 100]), 0.0));
}

#[test]
fn what_was_planted_is_found_first() {
    let mut contrast = Contrast::default();
    for n in 0..389_u32 {
        let is_hit = n % 24 == 0;
        let status = if is_hit || n % 50 == 1 {
            "suspended"
        } else {
            "active"
        };
        let mut features = vec![
            value("status", status),
            value("name", &format!("user {n}")),
            value("city", ["Rome", "Paris", "Oslo"][n as usize % 3]),
            (
                "logins".to_owned(),
                Feature::Number(f64::from(n % 97), (n % 97).to_string()),
            ),
        ];
        if !is_hit && n % 2 == 0 {
            features.push(value("phone", "given"));
        }
        contrast.add(is_hit, features);
    }
    let found = contrast.finish(10);
    assert_eq!((found.selected, found.rest), (17, 372));
    let first = &found.differences[0];
    assert_eq!(
        (first.attribute.as_str(), first.value.as_deref()),
        ("status", Some("suspended"))
    );
    assert_eq!((first.selected, first.rest), (17, 8));
    assert!(first.p < 1e-10 && first.low > 0.7, "{first:?}");
    // None of the selection has a phone; that is told as its absence.
    let absent = found
        .differences
        .iter()
        .find(|found| found.attribute == "phone")
        .unwrap();
    assert_eq!((absent.value.as_deref(), absent.selected), (None, 17));
    // Names that only one has are no difference.
    assert!(
        found
            .differences
            .iter()
            .all(|found| found.attribute != "name")
    );
    assert_eq!(found.left_out, 0);
    assert!(
        found
            .differences
            .is_sorted_by(|one, next| one.g2 >= next.g2)
    );
}

#[test]
fn numbers_are_put_into_quarters_and_bounds_are_counted() {
    let mut contrast = Contrast::default();
    for n in 0..100_u32 {
        contrast.add(
            n >= 75,
            [(
                "size".to_owned(),
                Feature::Number(f64::from(n), n.to_string()),
            )],
        );
    }
    let found = contrast.finish(1);
    assert_eq!(found.differences[0].value.as_deref(), Some("75 and above"));
    let mut contrast = Contrast::default();
    for n in 0..VALUES_MAX + 5 {
        contrast.add(
            n % 2 == 0,
            [
                value("id", &n.to_string()),
                value("same", "x"),
                value("same", "x"),
            ],
        );
    }
    let found = contrast.finish(10);
    assert_eq!(found.left_out, 5);
    assert!(found.differences.is_empty(), "{:?}", found.differences);
    assert_eq!(Contrast::default().finish(5), Differences::default());
}
