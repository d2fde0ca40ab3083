//! Nearest names: what a name that is not known may have been meant to be.
//!
//! Owns how near a name must be to be suggested: near enough for a slip of the finger, never a guess at what else exists.

use std::cmp::Reverse;

/// The known names that are nearest to one that is not known, nearest first, at most three; none when no name is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = name.to_lowercase();
    let mut found: Vec<(Reverse<u32>, &str)> = known
        .into_iter()
        .filter_map(|known| Some((Reverse(nearness(&wanted, &known.to_lowercase())?), known)))
        .collect();
    found.sort_unstable();
    found.dedup();
    // What is a good deal farther than the nearest is not what was meant.
    let best = found.first().map_or(0, |(Reverse(nearness), _)| *nearness);
    found.retain(|(Reverse(nearness), _)| nearness + 100 >= best);
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// How near two names are, in thousandths; `None` when they are not.
fn nearness(wanted: &str, known: &str) -> Option<u32> {
    if wanted == known {
        return Some(1_000);
    }
    let (short, long) = (wanted.chars().count(), known.chars().count());
    let most = (short.min(long) / 3).clamp(1, 3);
    let distance = strsim::damerau_levenshtein(wanted, known);
    if distance <= most {
        return Some(u32::try_from(900 - 100 * distance.min(8)).unwrap_or_default());
    }
    // Half of a name that one remembers.
    let is_part = short >= 4 && known.contains(wanted);
    is_part.then_some(100)
}

/// The suggestion as a sentence's end: `did you mean `a` or `b`?`; `None` when nothing is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let found = nearest(name, known);
    let quoted: Vec<String> = found
        .iter()
        .map(|name| format!("`{}`", crate::text::shown(name)))
        .collect();
    let (last, others) = quoted.split_last()?;
    Some(if others.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", others.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = [
        "UserCreated",
        "UserDeleted",
        "UserSuspended",
        "OrderPaid",
        "actor",
    ];

    #[test]
    fn slips_are_recognised_and_other_names_are_not() {
        for (name, expected) in [
            ("UserDelted", "UserDeleted"),
            ("userdeleted", "UserDeleted"),
            ("UserSuspendde", "UserSuspended"),
            ("acotr", "actor"),
            ("Suspended", "UserSuspended"),
        ] {
            assert_eq!(nearest(name, KNOWN).first(), Some(&expected), "{name}");
        }
        for name in ["", "x", "Invoice", "PaymentFailed"] {
            assert!(nearest(name, KNOWN).is_empty(), "{name}");
        }
        let said = did_you_mean("UserDelted", KNOWN);
        assert_eq!(said.as_deref(), Some("did you mean `UserDeleted`?"));
    }
}
