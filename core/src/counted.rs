//! Counts in sentences: `1 event`, `2,900 events`, `1 branch differs`.
//!
//! Owns how a number, its noun and its verb are written where people read them.

/// A number with thousands separators.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun, which is given in the singular and may stand at the end of a phrase.
///
/// ```
/// use whodunit_core::counted::counted;
/// assert_eq!(counted(1_u64, "event"), "1 event");
/// assert_eq!(counted(2_900_u64, "recorded event"), "2,900 recorded events");
/// assert_eq!(counted(2_usize, "branch"), "2 branches");
/// ```
pub fn counted(n: impl TryInto<u64>, what: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", number(n), noun(n, what))
}

/// A count, its noun and the verb that agrees with it: `1 stream differs`, `2 streams differ`.
pub fn clause(n: impl TryInto<u64>, what: &str, singular: &'static str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", counted(n, what), verb(n, singular))
}

/// The noun that goes with a count: `event` or `events`.
pub fn noun(n: impl TryInto<u64>, what: &str) -> String {
    if n.try_into().is_ok_and(|n| n == 1) {
        return what.to_owned();
    }
    let vowel = |c: char| "aeiou".contains(c);
    match what.strip_suffix('y') {
        Some(stem) if !stem.ends_with(vowel) => format!("{stem}ies"),
        _ if ["s", "x", "z", "ch", "sh"]
            .iter()
            .any(|end| what.ends_with(end)) =>
        {
            format!("{what}es")
        }
        _ => format!("{what}s"),
    }
}

/// The verb that goes with a count; it is given in the singular: `is` or `are`, `differs` or `differ`.
pub fn verb(n: impl TryInto<u64>, singular: &'static str) -> &'static str {
    if n.try_into().is_ok_and(|n| n == 1) {
        return singular;
    }
    match singular {
        "is" => "are",
        "has" => "have",
        "was" => "were",
        "does" => "do",
        "goes" => "go",
        regular => regular.strip_suffix('s').unwrap_or(regular),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
    }

    #[test]
    fn nouns_agree_with_their_count() {
        assert_eq!(counted(0_u64, "event"), "0 events");
        assert_eq!(counted(1_u32, "event"), "1 event");
        assert_eq!(counted(1_000_u64, "job"), "1,000 jobs");
        for (one, more) in [
            ("branch", "branches"),
            ("index entry", "index entries"),
            ("match", "matches"),
            ("category", "categories"),
            ("key", "keys"),
            ("finding", "findings"),
        ] {
            assert_eq!(noun(1_usize, one), one);
            assert_eq!(noun(2_usize, one), more);
        }
    }

    #[test]
    fn verbs_agree_with_their_count() {
        for (one, more) in [
            ("is", "are"),
            ("has", "have"),
            ("was", "were"),
            ("does", "do"),
            ("goes", "go"),
            ("differs", "differ"),
            ("names", "name"),
        ] {
            assert_eq!(verb(1_u64, one), one);
            assert_eq!(verb(0_u64, one), more);
            assert_eq!(verb(2_u64, one), more);
        }
        assert_eq!(clause(1_u64, "branch", "differs"), "1 branch differs");
        assert_eq!(clause(2_u64, "branch", "differs"), "2 branches differ");
    }
}
